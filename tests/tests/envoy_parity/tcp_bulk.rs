//! Many bytes on a connection that is passed on as it is: ringmain has the kernel move them (splice), which nobody
//! is to see.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use ringmain_tests::at_rest::AtRest;
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::story::{log_lines, same_with, stats};
use ringmain_tests::template::{Values, tcp_proxy};
use ringmain_tests::wait::{PATIENCE, eventually};
use socket2::SockRef;

use super::network_filters::cluster;

const FORMAT: &str = "%RESPONSE_FLAGS% bytes %BYTES_RECEIVED% %BYTES_SENT% wire %UPSTREAM_WIRE_BYTES_RECEIVED% %UPSTREAM_WIRE_BYTES_SENT%";

const COUNTED: &str = "%5E(tcp%5C.tcp%5C.(downstream_cx|idle)|cluster%5C.up%5C.upstream_cx_(.x_bytes_total|destroy|active|total))";

const DESTROYED: &str = "%5Ecluster%5C.up%5C.upstream_cx_destroy";

/// More than what is copied before it is a bulk, by far.
const LENGTH: usize = 24 * 1024 * 1024;

/// Bytes of which each piece differs from any other.
fn bulk() -> Vec<u8> {
    (0..LENGTH as u32 / 4).flat_map(|index| index.wrapping_mul(0x9e37_79b1).to_be_bytes()).collect()
}

fn patient(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(PATIENCE)).expect("SO_RCVTIMEO");
    stream.set_write_timeout(Some(PATIENCE)).expect("SO_SNDTIMEO");
    stream
}

/// Both ends of a connection through `proxy`: the client's and the host's.
fn joined(proxy: &Proxy, host: &TcpListener) -> (TcpStream, TcpStream) {
    let client = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port("listener")));
    let client = patient(client.expect("the proxy listens"));
    let (host, _) = host.accept().expect("the proxy connects");
    (client, patient(host))
}

/// A host, and what names it.
fn listening() -> (Values, TcpListener) {
    let host = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind on loopback");
    let port = host.local_addr().expect("bound").port();
    (Values::from([("upstream".into(), port.to_string())]), host)
}

fn config(fields: &str) -> String {
    tcp_proxy(&format!("cluster: up\n{fields}"), FORMAT, &cluster("up"))
}

fn start(program: Program, fields: &str) -> (Proxy, TcpListener) {
    let (values, host) = listening();
    (Proxy::start(program, &config(fields), &values), host)
}

/// Sends all of `bytes` and ends, in a thread; what the other side gets until the end.
fn pass(from: &TcpStream, to: &TcpStream, bytes: &[u8]) -> Vec<u8> {
    let (mut from, mut to) = (from.try_clone().expect("a handle"), to);
    let bytes = bytes.to_vec();
    let sender = thread::spawn(move || {
        from.write_all(&bytes).expect("all is taken");
        from.shutdown(Shutdown::Write).expect("open");
    });
    let mut received = Vec::new();
    to.read_to_end(&mut received).expect("an orderly end");
    sender.join().expect("all is sent");
    received
}

/// Sends `bytes` again and again until that fails: how much the kernel keeps on the way depends on the system.
fn send_until_error(mut to: &TcpStream, bytes: &[u8]) -> ErrorKind {
    loop {
        if let Err(error) = to.write_all(bytes) {
            return error.kind();
        }
    }
}

#[test]
fn each_byte_arrives_once_and_is_counted() {
    let bulk = bulk();
    same_with(&config(""), listening, |proxy, host| {
        let (client, upstream) = joined(proxy, host);
        assert!(pass(&client, &upstream, &bulk) == bulk, "to the host");
        // The other way is still open.
        assert!(pass(&upstream, &client, &bulk) == bulk, "to the client");
        let port = host.local_addr().expect("bound").port();
        log_lines(proxy, "tcp.log", 1, &[(port, "<host>")]) + &stats(proxy, COUNTED)
    });
}

#[test]
fn little_follows_much_both_ways_at_once() {
    let bulk = bulk();
    for program in Program::ringmains() {
        let (proxy, host) = start(program, "");
        let (mut client, mut upstream) = joined(&proxy, &host);
        for _ in 0..3 {
            let ends = [&client, &upstream];
            thread::scope(|scope| {
                for mut end in ends {
                    let bulk = &bulk;
                    scope.spawn(move || end.write_all(bulk).expect("taken"));
                    scope.spawn(move || {
                        let mut received = vec![0; LENGTH];
                        end.read_exact(&mut received).expect("all comes");
                        assert!(received == *bulk, "{program}");
                    });
                }
            });
            for _ in 0..100 {
                client.write_all(b"ping").expect("open");
                let mut word = [0; 4];
                upstream.read_exact(&mut word).expect("a word");
                upstream.write_all(&word).expect("open");
                client.read_exact(&mut word).expect("a word");
                assert_eq!(&word, b"ping", "{program}");
            }
        }
    }
}

/// What the sockets on the way to a host are told to hold, bytes. The kernel takes twice as much, for what it needs itself.
const HELD: usize = 128 * 1024;

/// More than is held of what the proxy has received and the host has not taken: in a socket of each, and in a pipe.
const HELD_MAX: u64 = 2 * 1024 * 1024;

/// A receiver that takes nothing holds the sender back.
#[test]
fn who_takes_nothing_holds_back_who_sends() {
    let bulk = bulk();
    // SO_SNDBUF of SOL_SOCKET.
    let sends_little = format!(
        "    upstream_bind_config: {{ socket_options: [{{ level: 1, name: 7, int_value: {HELD}, state: STATE_PREBIND }}] }}\n"
    );
    for program in Program::ringmains() {
        let (values, host) = listening();
        SockRef::from(&host).set_recv_buffer_size(HELD).expect("SO_RCVBUF");
        let proxy = Proxy::start(program, &(config("") + &sends_little), &values);
        let rest = AtRest::of(&proxy);
        let before = proxy.pipes();
        let (client, mut upstream) = joined(&proxy, &host);
        let received = thread::scope(|scope| {
            let sender = scope.spawn(|| {
                (&client).write_all(&bulk).expect("all is taken");
                client.shutdown(Shutdown::Write).expect("open");
            });
            let mut received = Vec::new();
            // By and by, so that there is always more.
            eventually("a pipe", || {
                let mut piece = [0; 64 * 1024];
                upstream.read_exact(&mut piece).expect("more");
                received.extend(piece);
                (proxy.pipes() > before).then_some(())
            });
            eventually("a pause", || is_paused(&proxy).then_some(()));
            let passed = proxy.admin().stat("tcp.tcp.downstream_cx_rx_bytes_total");
            assert!(passed <= received.len() as u64 + HELD_MAX, "{program}: {passed}");
            assert!(!sender.is_finished(), "{program}");
            upstream.read_to_end(&mut received).expect("an orderly end");
            sender.join().expect("sent");
            received
        });
        assert!(received == bulk, "{program}");
        drop((client, upstream));
        rest.wait_for(&proxy);
    }
}

/// Whether the client is not read right now.
fn is_paused(proxy: &Proxy) -> bool {
    let stats = proxy.admin().stats("downstream_flow_control");
    let count = |name: &str| -> Option<u64> {
        stats.get(&format!("tcp.tcp.downstream_flow_control_{name}_reading_total"))?.parse().ok()
    };
    count("paused") > count("resumed")
}

/// An urgent byte (RFC 9293 §3.8.5) is taken out of the stream, as where bytes are copied; splice(2) would stop there.
#[test]
fn an_urgent_byte_holds_nothing_up() {
    let bulk = bulk();
    for program in Program::ringmains() {
        let (proxy, host) = start(program, "");
        let (client, mut upstream) = joined(&proxy, &host);
        let received = thread::scope(|scope| {
            scope.spawn(|| {
                let (first, second) = bulk.split_at(LENGTH / 2);
                (&client).write_all(first).expect("taken");
                SockRef::from(&client).send_out_of_band(b"!").expect("taken");
                (&client).write_all(second).expect("taken");
                client.shutdown(Shutdown::Write).expect("open");
            });
            let mut received = Vec::new();
            upstream.read_to_end(&mut received).expect("an orderly end");
            received
        });
        assert!(received == bulk, "{program}");
    }
}

#[test]
fn a_reset_after_them_reaches_the_other_side() {
    let bulk = bulk();
    for program in Program::ringmains() {
        let (proxy, host) = start(program, "");
        let rest = AtRest::of(&proxy);
        for client_goes in [true, false] {
            let (client, upstream) = joined(&proxy, &host);
            let (gone, mut left) =
                if client_goes { (client, upstream) } else { (upstream, client) };
            let mut received = vec![0; LENGTH];
            thread::scope(|scope| {
                scope.spawn(|| (&gone).write_all(&bulk).expect("taken"));
                left.read_exact(&mut received).expect("all comes");
            });
            SockRef::from(&gone).set_linger(Some(Duration::ZERO)).expect("SO_LINGER");
            drop(gone);
            let end = left.read(&mut received).map_err(|error| error.kind());
            assert_eq!(end, Err(ErrorKind::ConnectionReset), "{program}");
        }
        rest.wait_for(&proxy);
    }
}

/// Who sends and is held back learns it, too, and whose reset it was is logged.
#[test]
fn a_reset_amid_them_reaches_who_sends() {
    let bulk = bulk();
    let config = tcp_proxy("cluster: up", "%RESPONSE_FLAGS%", &cluster("up"));
    for client_sends in [true, false] {
        same_with(&config, listening, |proxy, host| {
            let (client, upstream) = joined(proxy, host);
            let (sender, mut receiver) =
                if client_sends { (client, upstream) } else { (upstream, client) };
            let error = thread::scope(|scope| {
                let sending = scope.spawn(|| send_until_error(&sender, &bulk));
                receiver.read_exact(&mut vec![0; LENGTH / 2]).expect("some of it");
                SockRef::from(&receiver).set_linger(Some(Duration::ZERO)).expect("SO_LINGER");
                drop(receiver);
                sending.join().expect("no panic")
            });
            // After an orderly end it would be a broken pipe.
            assert_eq!(error, ErrorKind::ConnectionReset);
            let port = host.local_addr().expect("bound").port();
            log_lines(proxy, "tcp.log", 1, &[(port, "<host>")]) + &stats(proxy, DESTROYED)
        });
    }
}

#[test]
fn a_limit_ends_a_connection_that_stands_still() {
    let bulk = bulk();
    for limit in ["idle_timeout", "max_downstream_connection_duration"] {
        for program in Program::ringmains() {
            for client_sends in [true, false] {
                let (proxy, host) = start(program, &format!("{limit}: 0.3s"));
                let rest = AtRest::of(&proxy);
                let (client, upstream) = joined(&proxy, &host);
                // The other side takes nothing.
                let error = send_until_error(if client_sends { &client } else { &upstream }, &bulk);
                assert_ne!(error, ErrorKind::WouldBlock, "{program} {limit}");
                proxy.admin().wait_for_stat(&format!("tcp.tcp.{limit}"), 1);
                proxy.admin().wait_for_stat("cluster.up.upstream_cx_active", 0);
                drop((client, upstream));
                rest.wait_for(&proxy);
            }
        }
    }
}

#[test]
fn without_descriptors_bytes_are_copied() {
    let bulk = bulk();
    for program in Program::ringmains() {
        let (proxy, host) = start(program, "");
        let before = proxy.pipes();
        let (client, upstream) = joined(&proxy, &host);
        proxy.deny_descriptors();
        assert!(pass(&client, &upstream, &bulk) == bulk, "{program}");
        assert_eq!(proxy.pipes(), before, "{program}");
        proxy.limit_descriptors(1000);
    }
}

/// As under a sandbox that allows only what it knows: nothing is cut off.
#[test]
fn where_splice_is_denied_bytes_are_copied() {
    let bulk = bulk();
    for program in Program::ringmains() {
        let (values, host) = listening();
        let proxy = Proxy::start_denying_splice(program, &config(""), &values);
        let before = proxy.pipes();
        let (client, upstream) = joined(&proxy, &host);
        assert!(pass(&client, &upstream, &bulk) == bulk, "{program}, to the host");
        assert!(proxy.pipes() > before, "{program}: it was tried");
        assert!(pass(&upstream, &client, &bulk) == bulk, "{program}, to the client");
    }
}
