//! Clients that do not speak TLS, or not to the end.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};

use ringmain_tests::client::Client;
use ringmain_tests::proxy::Program;
use ringmain_tests::tls::Handshake;
use ringmain_tests::wait::{PATIENCE, eventually};

use crate::rig::{GET, Rig, SERVER, VERSIONS, assert_alike, authority, tls_front};

/// Sends `bytes` and perhaps an end, then waits for the proxy's end.
fn insult(port: u16, bytes: &[u8], ends: bool) {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the proxy listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    stream.write_all(bytes).expect("the proxy takes it");
    if ends {
        stream.shutdown(Shutdown::Write).expect("open");
    }
    let mut answer = Vec::new();
    // A reset is an end too.
    let _end = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "no plain answer");
}

#[test]
fn what_is_no_handshake_ends_the_connection_and_counts_as_with_envoy() {
    let authority = authority();
    let template = tls_front(SERVER, "", "", "");
    assert_alike(|program| {
        let rig = Rig::start(program, &authority, &template);
        insult(rig.port(), GET.as_bytes(), false);
        insult(rig.port(), &[0; 100], false);
        insult(rig.port(), b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", true);
        insult(rig.port(), b"", true);
        let admin = rig.proxy.admin();
        admin.wait_for_stat("http.ingress.downstream_cx_destroy", 4);
        admin.wait_for_stat("http.ingress.downstream_cx_active", 0);
        (rig.ssl_stats(), admin.stat("http.ingress.downstream_cx_destroy_remote"))
    });
}

#[test]
fn a_slow_handshake_is_cut() {
    let authority = authority();
    let template = tls_front(SERVER, "", "", "")
        .replace("      filters:", "      transport_socket_connect_timeout: 0.2s\n      filters:");
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

#[test]
fn after_insults_the_proxy_serves() {
    let authority = authority();
    let template = tls_front(SERVER, "", "", "");
    for program in Program::ringmains() {
        let rig = Rig::start(program, &authority, &template);
        for length in 0..60 {
            let mut hello = b"\x16\x03\x01\x00\x3b\x01\x00\x00\x37\x03\x03".to_vec();
            hello.resize(length, 7);
            insult(rig.port(), &hello, true);
        }
        let handshake = Handshake::new(&authority, "server.example", &VERSIONS);
        assert!(handshake.connect(rig.port()).ask(GET).is_ok(), "{program}");
        drop(Client::connect(rig.port()));
        rig.proxy.admin().wait_for_stat("http.ingress.downstream_cx_active", 0);
        assert_eq!(rig.proxy.admin().stat("server.connection_panics"), 0, "{program}");
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
    let authority = authority();
    let template = tls_front(SERVER, "", "", "");
    for program in Program::ringmains() {
        let rig = Rig::start(program, &authority, &template);
        let active = format!("listener.127.0.0.1_{}.downstream_cx_active", rig.port());
        let handshake = Handshake::new(&authority, "server.example", &VERSIONS);
        let is_served = || handshake.connect(rig.port()).ask(GET).is_ok();
        assert!(is_served(), "{program}");
        rig.proxy.admin().wait_for_stat(&active, 0);
        let before = rig.proxy.descriptors();
        for _ in 0..4 {
            let stuck: Vec<TcpStream> = (0..AT_ONCE).map(|_| begin(rig.port())).collect();
            rig.proxy.admin().wait_for_stat(&active, AT_ONCE);
            assert!(is_served(), "{program}: who is slow holds nobody up");
            drop(stuck);
            rig.proxy.admin().wait_for_stat(&active, 0);
        }
        eventually("the descriptors", || (rig.proxy.descriptors() <= before).then_some(()));
    }
}

/// A connection whose handshake has begun and goes no further.
fn begin(port: u16) -> TcpStream {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the proxy listens");
    stream.write_all(b"\x16\x03\x01").expect("the proxy takes it");
    stream
}
