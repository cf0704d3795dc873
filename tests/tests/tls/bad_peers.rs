//! Clients that do not speak TLS, or not to the end.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::process::{Command, Stdio};

use ringmain_tests::at_rest::AtRest;
use ringmain_tests::client::Client;
use ringmain_tests::proxy::Program;
use ringmain_tests::tls::Handshake;
use ringmain_tests::wait::{PATIENCE, eventually};

use crate::rig::{
    GET, Rig, SERVER, VERSIONS, assert_alike, authority, connection_lines, logged, tls_front,
};

/// Sends `bytes` and perhaps an end, then waits for the proxy's end. What it has said.
pub fn insult(port: u16, bytes: &[u8], ends: bool) -> Vec<u8> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the proxy listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    // The proxy may have seen enough before the end.
    let _refused = stream.write_all(bytes);
    if ends {
        let _reset = stream.shutdown(Shutdown::Write);
    }
    let mut answer = Vec::new();
    // A reset is an end too.
    let _end = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "no plain answer");
    answer
}

/// Bytes, and whether the client ends its side behind them.
fn no_handshakes() -> [(&'static [u8], bool); 14] {
    [
        (GET.as_bytes(), false),
        (b"CONNECT a:1 HTTP/1.1\r\n\r\n", false),
        (b"DELETE / HTTP/1.1\r\n\r\n", false),
        (b"SSH-2.0-x\r\n", false),
        (&[0; 100], false),
        (b"GET ", true),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", true),
        (b"\x17\x03\x03\x00\x05hello", false),
        (b"\x16\x03\x01\x00\x05\x14\x00\x00\x01\x03", false),
        // A ClientHello of nothing, one of TLS 1.1, one with ciphers by halves.
        (b"\x16\x03\x01\x00\x04\x01\x00\x00\x00", false),
        (HELLO_OF_1_1, false),
        (b"\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x030123456789abcdef0123456789abcdef\x00\x00\x03\xc0\x2b\x00\x01\x00", false),
        (b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10", false),
        (b"", true),
    ]
}

const HELLO_OF_1_1: &[u8] = b"\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x020123456789abcdef0123456789abcdef\x00\x00\x04\xc0\x09\xc0\x13\x01\x00";

#[test]
fn what_is_no_handshake_ends_the_connection_and_counts_as_with_envoy() {
    let authority = authority();
    let template = tls_front(SERVER, "", "", "");
    let template = logged(
        &template,
        "%RESPONSE_FLAGS% %DOWNSTREAM_TRANSPORT_FAILURE_REASON% %BYTES_RECEIVED%",
    );
    let reset = |port| {
        let mut client = Client::connect(port);
        client.send("\x16\x03\x01");
        client.reset();
    };
    assert_alike(|program| {
        let rig = Rig::start(program, &authority, &template);
        // Shorter than a read, so that no byte is left unread and resets what was said.
        let alerts = no_handshakes().map(|(bytes, ends)| insult(rig.port(), bytes, ends));
        reset(rig.port());
        let count = alerts.len() + 1;
        rig.wait_for_ends(count as u64);
        let destroyed = rig.proxy.admin().stat("http.ingress.downstream_cx_destroy_remote");
        (alerts, rig.ssl_stats(), destroyed, connection_lines(&rig.proxy, count))
    });
}

#[test]
fn a_slow_handshake_is_cut() {
    let authority = authority();
    let template = tls_front(SERVER, "", "", "")
        .replace("      filters:", "      transport_socket_connect_timeout: 0.2s\n      filters:");
    let template = logged(&template, "%RESPONSE_FLAGS% %CONNECTION_TERMINATION_DETAILS%");
    assert_alike(|program| {
        let rig = Rig::start(program, &authority, &template);
        insult(rig.port(), b"\x16\x03\x01", false);
        let admin = rig.proxy.admin();
        let timeouts = format!(
            "listener.127.0.0.1_{}.downstream_cx_transport_socket_connect_timeout",
            rig.port()
        );
        admin.wait_for_stat(&timeouts, 1);
        admin.wait_for_stat("http.ingress.downstream_cx_destroy_local", 1);
        connection_lines(&rig.proxy, 1)
    });
}

#[test]
fn tls_to_a_plain_listener_gets_no_session() {
    let authority = authority();
    for program in Program::ringmains() {
        let template = ringmain_tests::template::front_proxy("", "", "");
        let rig = Rig::start(program, &authority, &template);
        let answer =
            Handshake::new(&authority, "server.example", &VERSIONS).connect(rig.port()).ask(GET);
        assert!(answer.is_err(), "{program}: {answer:?}");
    }
}

/// What no handshake begins with, or does not go on with.
fn insults() -> Vec<Vec<u8>> {
    const RECORD: &[u8] = b"\x16\x03\x01\x00\x3b";
    const HELLO: &[u8] = b"\x16\x03\x01\x00\x3b\x01\x00\x00\x37\x03\x03";
    let filled = |begin: &[u8], length: usize| {
        let mut bytes = begin.to_vec();
        bytes.resize(length, 7);
        bytes
    };
    let cut = (0..RECORD.len() + 60).step_by(4).map(|length| filled(HELLO, length));
    let whole = [
        // A record of more than there may be, and one of nothing, again and again.
        filled(b"\x16\x03\x01\xff\xff", 70_000),
        b"\x16\x03\x01\x00\x00".repeat(100),
        // Another message, another kind of record, an alert, SSL 2.0.
        filled(b"\x16\x03\x01\x00\x3b\x02\x00\x00\x37\x03\x03", 64),
        filled(b"\x17\x03\x03\x00\x3b", 64),
        b"\x15\x03\x01\x00\x02\x02\x28".to_vec(),
        b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10".to_vec(),
        // Lists that are longer than what they stand in.
        [HELLO, &[7; 32], &[255; 23]].concat(),
        GET.into(),
    ];
    cut.chain(whole).collect()
}

#[test]
fn after_insults_the_proxy_serves_and_keeps_nothing() {
    let authority = authority();
    let template = tls_front(SERVER, "", "", "");
    for program in Program::ringmains() {
        let rig = Rig::start(program, &authority, &template);
        let rest = AtRest::of(&rig.proxy);
        let insults = insults();
        for insult_bytes in &insults {
            insult(rig.port(), insult_bytes, true);
        }
        let handshake = Handshake::new(&authority, "server.example", &VERSIONS);
        // A session that its client leaves without a word.
        let mut client = handshake.connect(rig.port());
        client.send("GET / HTTP/1.1\r\nhost: a\r\n").expect("open");
        drop(client);
        assert!(handshake.connect(rig.port()).ask(GET).is_ok(), "{program}");
        drop(Client::connect(rig.port()));
        rig.wait_for_ends(insults.len() as u64 + 3);
        assert_eq!(rig.proxy.admin().stat("server.connection_panics"), 0, "{program}");
        rig.upstream.close_connections();
        rest.wait_for(&rig.proxy);
    }
}

#[test]
fn a_drain_does_not_wait_for_a_handshake() {
    let authority = authority();
    let template = tls_front(SERVER, "", "", "");
    for program in Program::ringmains() {
        let mut rig = Rig::start(program, &authority, &template);
        let _stuck = begin(rig.port());
        let active = format!("listener.127.0.0.1_{}.downstream_cx_active", rig.port());
        rig.proxy.admin().wait_for_stat(&active, 1);
        rig.proxy.terminate();
        assert_eq!(rig.proxy.wait_exit().code(), Some(0), "{program}");
        let told = rig.proxy.stderr();
        assert!(!told.contains("cut after"), "{program}: {told}");
    }
}

#[test]
fn a_thousand_slow_handshakes_leave_nothing_behind() {
    const AT_ONCE: u64 = 250;
    const GROWTH_KIB: u64 = 1024;
    let authority = authority();
    let template = tls_front(SERVER, "", "", "");
    for program in Program::ringmains() {
        let rig = Rig::start(program, &authority, &template);
        let active = format!("listener.127.0.0.1_{}.downstream_cx_active", rig.port());
        let handshake = Handshake::new(&authority, "server.example", &VERSIONS);
        let is_served = || handshake.connect(rig.port()).ask(GET).is_ok();
        let rest = AtRest::of(&rig.proxy);
        let mut resident_kib = 0;
        for _ in 0..4 {
            let stuck: Vec<TcpStream> = (0..AT_ONCE).map(|_| begin(rig.port())).collect();
            rig.proxy.admin().wait_for_stat(&active, AT_ONCE);
            assert!(is_served(), "{program}: who is slow holds nobody up");
            drop(stuck);
            rig.proxy.admin().wait_for_stat(&active, 0);
            // What the first of them have taken serves the others.
            resident_kib = if resident_kib == 0 { rig.proxy.resident_kib() } else { resident_kib };
        }
        eventually("the memory", || {
            (rig.proxy.resident_kib() <= resident_kib + GROWTH_KIB).then_some(())
        });
        rig.upstream.close_connections();
        rest.wait_for(&rig.proxy);
    }
}

/// A connection whose handshake has begun and goes no further.
fn begin(port: u16) -> TcpStream {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the proxy listens");
    stream.write_all(b"\x16\x03\x01").expect("the proxy takes it");
    stream
}

/// Who asks for another handshake within a session of TLS 1.2 gets none.
#[test]
fn there_is_no_renegotiation() {
    let authority = authority();
    let template = tls_front(SERVER, "", "", "");
    for program in [Program::Envoy].into_iter().chain(Program::ringmains()) {
        let rig = Rig::start(program, &authority, &template);
        let address = format!("127.0.0.1:{}", rig.port());
        let mut command = Command::new("openssl");
        command.args(["s_client", "-tls1_2", "-connect", &address]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut client = match command.spawn() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                eprintln!("skipped: this machine has no openssl");
                return;
            }
            client => client.expect("openssl starts"),
        };
        let admin = rig.proxy.admin();
        let mut input = client.stdin.take().expect("a pipe");
        admin.wait_for_stat("http.ingress.downstream_cx_ssl_active", 1);
        input.write_all(b"R\n").expect("openssl reads");
        admin.wait_for_stat("http.ingress.downstream_cx_active", 0);
        drop(input);
        client.wait().expect("openssl ends");
        let handshake = Handshake::new(&authority, "server.example", &VERSIONS);
        assert!(handshake.connect(rig.port()).ask(GET).is_ok(), "{program}");
    }
}
