//! Peers that take nothing for a while: which counters tell of it, in each protocol. How often they count depends on
//! buffers, which are not alike.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;

use ringmain_tests::h2_client::{GET, H2Client};
use ringmain_tests::h2_frame::{END_STREAM, headers, kind, settings, window_update};
use ringmain_tests::h2_upstream::{H2Upstream, HTTP2, Opening};
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy, tcp_proxy};
use ringmain_tests::wait::{PATIENCE, eventually, poll_for};
use socket2::{Domain, SockRef, Socket, Type};

use super::network_filters::cluster;

/// More than is held on the way: by the proxy's socket (tcp_wmem), by that of who takes nothing ([`HELD`]), and by Envoy.
const LENGTH: usize = 24 * 1024 * 1024;

/// What the socket of who takes nothing is told to hold, bytes. Left to itself, the kernel may have it hold more and more.
const HELD: usize = 128 * 1024;

/// The host is not read because the client takes nothing.
const HOST_PAUSED: [&str; 2] = [
    "cluster.backend.upstream_flow_control_paused_reading_total",
    "cluster.backend.upstream_flow_control_resumed_reading_total",
];

/// The client is not read because the host takes nothing.
const CLIENT_PAUSED: [&str; 4] = [
    "cluster.backend.upstream_flow_control_backed_up_total",
    "cluster.backend.upstream_flow_control_drained_total",
    "http.ingress.downstream_flow_control_paused_reading_total",
    "http.ingress.downstream_flow_control_resumed_reading_total",
];

/// The same of bytes that are no HTTP.
const TCP_CLIENT_PAUSED: [&str; 2] = [
    "tcp.tcp.downstream_flow_control_paused_reading_total",
    "tcp.tcp.downstream_flow_control_resumed_reading_total",
];

/// A listening host, and what names it.
fn listening() -> (Values, TcpListener) {
    let host = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind on loopback");
    // Its connections have that from it.
    SockRef::from(&host).set_recv_buffer_size(HELD).expect("SO_RCVBUF");
    let port = host.local_addr().expect("bound").port();
    (Values::from([("upstream".into(), port.to_string())]), host)
}

fn patient(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(PATIENCE)).expect("SO_RCVTIMEO");
    stream.set_write_timeout(Some(PATIENCE)).expect("SO_SNDTIMEO");
    stream
}

fn connect(proxy: &Proxy) -> TcpStream {
    let client = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    client.set_recv_buffer_size(HELD).expect("SO_RCVBUF");
    let listener = SocketAddr::from((Ipv4Addr::LOCALHOST, proxy.port("listener")));
    client.connect(&listener.into()).expect("the proxy listens");
    patient(client.into())
}

fn accept(host: &TcpListener) -> TcpStream {
    patient(host.accept().expect("the proxy connects").0)
}

/// Reads `bytes` bytes.
fn take(mut from: &TcpStream, bytes: usize) {
    from.read_exact(&mut vec![0; bytes]).expect("all comes");
}

/// Reads a head.
fn take_head(mut from: &TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        from.read_exact(&mut byte).expect("a head");
        head.extend(byte);
    }
}

fn wait_for_pause(proxy: &Proxy, name: &str) {
    eventually("a pause", || (proxy.admin().stat(name) > 0).then_some(()));
}

fn pauses(proxy: &Proxy) -> BTreeMap<String, u64> {
    let stats = proxy.admin().stats("flow_control").into_iter();
    let stats = stats.map(|(name, value)| (name, value.parse().expect("a number")));
    stats.filter(|(_, value)| *value > 0).collect()
}

/// Plays `scene` with every program; afterwards the counters `expected` are those that have counted, in pairs of
/// beginnings and ends.
fn counted<T>(
    config: &str,
    set_up: impl Fn() -> (Values, T),
    expected: &[&str],
    scene: impl Fn(&Proxy, &T),
) {
    for program in [Program::Envoy].into_iter().chain(Program::ringmains()) {
        let (values, peers) = set_up();
        let proxy = Proxy::start(program, config, &values);
        scene(&proxy, &peers);
        let counted = poll_for(PATIENCE, || {
            let pauses = pauses(&proxy);
            // What Envoy has no more to read for is not resumed.
            let balanced = || expected.chunks(2).all(|pair| pauses[pair[0]] == pauses[pair[1]]);
            let are_all = pauses.keys().eq(expected) && (program == Program::Envoy || balanced());
            are_all.then_some(())
        });
        assert!(counted.is_some(), "{program}: {:?}", pauses(&proxy));
    }
}

/// A host that answers GET with a long body as fast as that is taken.
fn answer_at_length(host: &TcpListener) {
    let host = accept(host);
    take_head(&host);
    thread::spawn(move || {
        let mut host = &host;
        write!(host, "HTTP/1.1 200 OK\r\ncontent-length: {LENGTH}\r\n\r\n").expect("taken");
        host.write_all(&vec![b'x'; LENGTH]).expect("taken");
    });
}

#[test]
fn a_client_that_takes_nothing() {
    counted(&front_proxy("", "", ""), listening, &HOST_PAUSED, |proxy, host| {
        let mut client = connect(proxy);
        client.write_all(super::GET.as_bytes()).expect("taken");
        answer_at_length(host);
        wait_for_pause(proxy, HOST_PAUSED[0]);
        take_head(&client);
        take(&client, LENGTH);
    });
}

#[test]
fn a_client_of_http2_that_grants_nothing() {
    counted(&front_proxy("", "", ""), listening, &HOST_PAUSED, |proxy, host| {
        let mut client = H2Client::open_with(proxy.port("listener"), &[(4, 1000)]);
        client.request(1, &GET);
        answer_at_length(host);
        wait_for_pause(proxy, HOST_PAUSED[0]);
        let granted = u32::try_from(LENGTH).expect("a window");
        client.send([window_update(0, granted), window_update(1, granted)].concat());
        assert!(client.outcome(1).ended);
    });
}

/// Sends a long request in a thread; the answer.
fn ask_at_length(proxy: &Proxy, host_takes: impl FnOnce()) {
    let client = connect(proxy);
    let mut sending = client.try_clone().expect("a handle");
    let sender = thread::spawn(move || {
        write!(sending, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {LENGTH}\r\n\r\n")
            .and_then(|()| sending.write_all(&vec![b'x'; LENGTH]))
            .expect("taken");
    });
    host_takes();
    take_head(&client);
    sender.join().expect("all is sent");
}

#[test]
fn a_host_that_takes_nothing() {
    counted(&front_proxy("", "", ""), listening, &CLIENT_PAUSED, |proxy, host| {
        ask_at_length(proxy, || {
            let mut host = accept(host);
            wait_for_pause(proxy, CLIENT_PAUSED[0]);
            take_head(&host);
            take(&host, LENGTH);
            host.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").expect("taken");
        });
    });
}

#[test]
fn a_host_of_http2_that_grants_nothing() {
    let set_up = || {
        let opening = Opening { first: settings(&[]), polite: false };
        let host = H2Upstream::start_with(opening, |peer, request| {
            if request.ended {
                peer.send(headers(request.stream, &[(":status", "200")], END_STREAM));
            }
        });
        (Values::from([("upstream".into(), host.address().port().to_string())]), host)
    };
    counted(&front_proxy("", "", HTTP2), set_up, &CLIENT_PAUSED, |proxy, host| {
        ask_at_length(proxy, || {
            wait_for_pause(proxy, CLIENT_PAUSED[0]);
            // By then its SETTINGS are there, which come first.
            host.wait_for(kind::HEADERS, 1);
            let granted = u32::try_from(LENGTH).expect("a window");
            host.send([window_update(0, granted), window_update(1, granted)].concat());
        });
    });
}

#[test]
fn either_side_of_a_tcp_connection() {
    let config = tcp_proxy("cluster: backend", "", &cluster("backend"));
    for client_sends in [true, false] {
        let expected = if client_sends { TCP_CLIENT_PAUSED } else { HOST_PAUSED };
        counted(&config, listening, &expected, |proxy, host| {
            let (client, host) = (connect(proxy), accept(host));
            let (mut sender, receiver) = if client_sends { (client, host) } else { (host, client) };
            let sending = thread::spawn(move || {
                sender.write_all(&vec![b'x'; LENGTH]).expect("taken");
                sender
            });
            wait_for_pause(proxy, expected[0]);
            take(&receiver, LENGTH);
            drop(sending.join().expect("all is sent"));
        });
    }
}
