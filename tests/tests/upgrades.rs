//! Leaving HTTP in every mix of versions: WebSocket over HTTP/1 and over HTTP/2 (RFC 8441), CONNECT
//! (RFC 9113 §8.5). Where Envoy does the same, it is asked too.

use std::thread;

use ringmain_tests::client::Client;
use ringmain_tests::h2_client::H2Client;
use ringmain_tests::h2_frame::{END_STREAM, Frame, code, data, headers, kind, reset, settings};
use ringmain_tests::h2_upstream::{H2Upstream, HTTP2, Opening, Peer, Request};
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy};
use ringmain_tests::upstream::{Act, Reply, Upstream};
use ringmain_tests::wait::eventually;

const WEBSOCKET: &str = "GET /chat HTTP/1.1\r\nhost: a.example\r\nconnection: Upgrade\r\n\
    upgrade: websocket\r\n\r\n";
const SWITCH: &str =
    "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n";
const EXTENDED_CONNECT: [(&str, &str); 5] = [
    (":method", "CONNECT"),
    (":protocol", "websocket"),
    (":scheme", "http"),
    (":path", "/chat"),
    (":authority", "a.example"),
];
/// SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 8441 §3).
const ENABLE_CONNECT_PROTOCOL: u16 = 8;
const CONNECT_ERROR: u32 = 10;

const HCM: &str = "upgrade_configs: [{ upgrade_type: websocket }, { upgrade_type: CONNECT }]
http2_protocol_options: { allow_connect: true }
";

/// Envoy, and ringmain on each engine: they do the same.
fn both() -> impl Iterator<Item = Program> {
    [Program::Envoy].into_iter().chain(Program::ringmains())
}

/// Answers with `head`, then sends back what comes.
fn echo(head: &str) -> Reply {
    vec![Act::Send(head.as_bytes().to_vec()), Act::Echo]
}

fn start(program: Program, hcm: &str, cluster: &str, upstream_port: u16) -> Proxy {
    let values = Values::from([("upstream".into(), upstream_port.to_string())]);
    Proxy::start(program, &front_proxy(hcm, "", cluster), &values)
}

fn before(program: Program, upstream: &Upstream) -> Proxy {
    start(program, HCM, "", upstream.address().port())
}

/// A host of HTTP/2 that opens every protocol and sends back what comes. With the request's end it
/// ends its side.
fn h2_echo() -> H2Upstream {
    let opening =
        Opening { first: settings(&[(ENABLE_CONNECT_PROTOCOL, 1)]), ..Opening::default() };
    H2Upstream::start_with(opening, |peer: &mut Peer, request: &Request| {
        if request.ended {
            peer.send(data(request.stream, &request.body, END_STREAM));
        } else {
            peer.send(headers(request.stream, &[(":status", "200")], 0));
        }
    })
}

/// The next frame of `stream`.
#[track_caller]
fn next_of(client: &mut H2Client, stream: u32) -> Frame {
    loop {
        let frame = client.next_frame().expect("a frame");
        if frame.stream == stream {
            return frame;
        }
    }
}

/// The payload of the DATA that comes next on `stream`.
#[track_caller]
fn data_of(client: &mut H2Client, stream: u32) -> Vec<u8> {
    let frame = next_of(client, stream);
    assert_eq!(frame.kind, kind::DATA, "{frame:?}");
    frame.payload
}

/// `:status: 200` of HPACK's static table.
const STATUS_200: u8 = 0x88;

#[test]
fn much_goes_both_ways_at_once() {
    const BYTES: usize = 8 * 1024 * 1024;
    for program in both() {
        let upstream = Upstream::start(vec![echo(SWITCH)]);
        let proxy = before(program, &upstream);
        let mut client = Client::connect(proxy.port("listener"));
        client.send(WEBSOCKET);
        assert_eq!(client.read_head().map(|head| head.status()), Ok(Some(101)), "{program}");
        proxy.admin().wait_for_stat("http.ingress.downstream_cx_upgrades_active", 1);
        let sent: Vec<u8> = (0..BYTES).map(|at| (at % 251) as u8).collect();
        let mut sender = client.second();
        let bytes = sent.clone();
        let sending = thread::spawn(move || sender.send(&bytes));
        assert!(client.read_bytes(BYTES) == sent, "{program}");
        sending.join().expect("sent");
        drop(client);
        proxy.admin().wait_for_stat("http.ingress.downstream_cx_upgrades_active", 0);
        proxy.admin().wait_for_stat("cluster.backend.upstream_cx_active", 0);
    }
}

#[test]
fn who_does_not_read_is_waited_for() {
    const BYTES: usize = 64 * 1024 * 1024;
    for program in Program::ringmains() {
        let much = vec![Act::Send(SWITCH.into()), Act::Send(vec![b'x'; BYTES]), Act::Stall];
        let upstream = Upstream::start(vec![much]);
        let proxy = before(program, &upstream);
        let mut client = Client::connect(proxy.port("listener"));
        client.send(WEBSOCKET);
        let received = || proxy.admin().stat("cluster.backend.upstream_cx_rx_bytes_total");
        let mut last = 0;
        eventually("the proxy to wait", || {
            let before = std::mem::replace(&mut last, received());
            (last > 0 && last == before).then_some(())
        });
        assert!(last < BYTES as u64, "{program}: {last} bytes were taken");
        assert_eq!(client.read_head().map(|head| head.status()), Ok(Some(101)), "{program}");
        assert_eq!(client.read_bytes(BYTES).len(), BYTES, "{program}");
    }
}

#[test]
fn nothing_is_sent_before_the_host_has_agreed() {
    for program in both() {
        let reply = vec![Act::AwaitRelease, Act::Send(SWITCH.into()), Act::Echo];
        let upstream = Upstream::start(vec![reply]);
        let proxy = before(program, &upstream);
        let mut client = Client::connect(proxy.port("listener"));
        client.send(format!("{WEBSOCKET}GET /smuggled HTTP/1.1\r\nhost: b\r\n\r\n"));
        upstream.wait_for_requests(1);
        let received = String::from_utf8_lossy(&upstream.received()).into_owned();
        assert!(!received.contains("smuggled"), "{program}: {received}");
        upstream.release();
        assert_eq!(client.read_head().map(|head| head.status()), Ok(Some(101)), "{program}");
        assert_eq!(client.read_bytes(14), b"GET /smuggled ", "{program}");
    }
}

#[test]
fn websocket_over_http2_reaches_a_host_of_http1() {
    for program in both() {
        let upstream = Upstream::start(vec![echo(SWITCH)]);
        let proxy = before(program, &upstream);
        let mut client = H2Client::open(proxy.port("listener"));
        client.send(headers(1, &EXTENDED_CONNECT, 0));
        let head = next_of(&mut client, 1);
        assert_eq!((head.kind, head.payload[0]), (kind::HEADERS, STATUS_200), "{program}");
        let announced = client.frames.iter().find(|frame| frame.kind == kind::SETTINGS);
        let announced = announced.expect("settings come first").payload.clone();
        let enabled = [&ENABLE_CONNECT_PROTOCOL.to_be_bytes()[..], &1u32.to_be_bytes()].concat();
        assert!(announced.chunks(6).any(|setting| setting == enabled), "{program}: {announced:?}");
        client.send(data(1, "hello", 0));
        assert_eq!(data_of(&mut client, 1), b"hello", "{program}");
        let request = &upstream.requests()[0];
        assert_eq!(request.start_line(), "GET /chat HTTP/1.1", "{program}");
        assert_eq!(request.header("upgrade"), Some("websocket"), "{program}");
        assert_eq!(request.header("connection"), Some("upgrade"), "{program}");
        client.send(reset(1, code::CANCEL));
        proxy.admin().wait_for_stat("http.ingress.downstream_cx_upgrades_active", 0);
        upstream.settle();
    }
}

#[test]
fn the_end_of_a_host_of_http1_resets_the_stream() {
    for program in both() {
        let bye = vec![Act::Send(format!("{SWITCH}bye").into_bytes()), Act::Close];
        let upstream = Upstream::start(vec![bye]);
        let proxy = before(program, &upstream);
        let mut client = H2Client::open(proxy.port("listener"));
        client.send(headers(1, &EXTENDED_CONNECT, 0));
        let outcome = client.outcome(1);
        assert_eq!(outcome.body, b"bye", "{program}");
        assert_eq!(outcome.reset, Some(CONNECT_ERROR), "{program}");
    }
}

#[test]
fn websocket_reaches_a_host_of_http2() {
    for program in both() {
        let upstream = h2_echo();
        let proxy = start(program, HCM, HTTP2, upstream.address().port());
        let mut client = Client::connect(proxy.port("listener"));
        client.send(format!("{WEBSOCKET}hello"));
        let head = client.read_head().expect("a head");
        assert_eq!(head.status(), Some(101), "{program}");
        assert_eq!(head.header("upgrade"), Some("websocket"), "{program}");
        assert_eq!(head.header("connection"), Some("upgrade"), "{program}");
        upstream.wait_for(kind::DATA, 1);
        let request = upstream.connections().concat();
        let request = request.iter().find(|frame| frame.kind == kind::HEADERS).expect("a request");
        assert!(!request.ends_stream(), "{program}");
        drop(client);
        upstream.wait_for(kind::RST_STREAM, 1);
    }
}

#[test]
fn websocket_over_http2_reaches_a_host_of_http2_and_either_side_may_end_first() {
    for program in both() {
        let upstream = h2_echo();
        let proxy = start(program, HCM, HTTP2, upstream.address().port());
        let mut client = H2Client::open(proxy.port("listener"));
        client.send(headers(1, &EXTENDED_CONNECT, 0));
        assert_eq!(next_of(&mut client, 1).payload[0], STATUS_200, "{program}");
        client.send(data(1, "hello", END_STREAM));
        let outcome = client.outcome(1);
        assert_eq!((&outcome.body[..], outcome.ended), (&b"hello"[..], true), "{program}");
        proxy.admin().wait_for_stat("cluster.backend.upstream_rq_101", 1);
    }
}

#[test]
fn a_tunnel_over_http2_ends_here_and_closes_by_halves() {
    let route = "upgrade_configs: [{ upgrade_type: CONNECT, connect_config: {} }]";
    for program in both() {
        let late = vec![Act::AwaitRelease, Act::Send(b"late".to_vec()), Act::Close];
        let upstream = Upstream::start(vec![late]);
        let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
        let template =
            front_proxy(HCM, route, "").replace("{ prefix: / }", "{ connect_matcher: {} }");
        let proxy = Proxy::start(program, &template, &values);
        let mut client = H2Client::open(proxy.port("listener"));
        client.send(headers(1, &[(":method", "CONNECT"), (":authority", "b.example:443")], 0));
        assert_eq!(next_of(&mut client, 1).payload[0], STATUS_200, "{program}");
        client.send(data(1, "GET / HTTP/1.1\r\nhost: c\r\n\r\n", END_STREAM));
        upstream.wait_for_requests(1);
        upstream.release();
        let outcome = client.outcome(1);
        assert_eq!((&outcome.body[..], outcome.ended), (&b"late"[..], true), "{program}");
        proxy.admin().wait_for_stat("cluster.backend.upstream_rq_200", 1);
        proxy.admin().wait_for_stat("cluster.backend.upstream_rq_total", 1);
        proxy.admin().wait_for_stat("cluster.backend.upstream_rq_active", 0);
    }
}

#[test]
fn an_extended_connect_needs_leave() {
    for program in Program::ringmains() {
        let upstream = Upstream::start(vec![echo(SWITCH)]);
        let port = upstream.address().port();
        let off = start(program, "upgrade_configs: [{ upgrade_type: websocket }]", "", port);
        let mut client = H2Client::open(off.port("listener"));
        client.send(headers(1, &EXTENDED_CONNECT, 0));
        assert_eq!(client.outcome(1).reset, Some(1), "{program}: PROTOCOL_ERROR");
        let unnamed = start(program, "http2_protocol_options: { allow_connect: true }", "", port);
        let mut client = H2Client::open(unnamed.port("listener"));
        client.send(headers(1, &EXTENDED_CONNECT, 0));
        let refusal = client.outcome(1);
        assert!(refusal.ended && refusal.status().is_none(), "{program}: {refusal:?}");
        unnamed.admin().wait_for_stat("http.ingress.downstream_rq_ws_on_non_ws_route", 1);
        assert!(upstream.requests().is_empty(), "{program}");
    }
}

/// What is written into a request of HTTP/1 as it is.
#[test]
fn a_protocol_is_a_name() {
    for protocol in ["websocket\r\nx-injected: yes", "web\0socket", "web socket", "a/b/c", "/1", ""]
    {
        for program in both() {
            let upstream = Upstream::start(vec![echo(SWITCH)]);
            let proxy = before(program, &upstream);
            let mut client = H2Client::open(proxy.port("listener"));
            let mut fields = EXTENDED_CONNECT;
            fields[1].1 = protocol;
            client.send(headers(1, &fields, 0));
            let outcome = client.outcome(1);
            assert!(outcome.status().is_none(), "{program} {protocol:?}: {outcome:?}");
            if program != Program::Envoy {
                assert_eq!(outcome.reset, Some(code::PROTOCOL_ERROR), "{program} {protocol:?}");
            }
            assert!(upstream.requests().is_empty(), "{program} {protocol:?}");
        }
    }
}
