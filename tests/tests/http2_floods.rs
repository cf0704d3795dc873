//! Clients of HTTP/2 that ask for much with little: each is ended or held back, a client that behaves is
//! served all the while, the process does not grow, and counters say how many requests went upstream. And hosts that
//! never stop.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use ringmain_tests::at_rest::AtRest;
use ringmain_tests::client::Client;
use ringmain_tests::h2_client::{GET, H2Client, POST};
use ringmain_tests::h2_frame::{
    END_HEADERS, END_STREAM, Frame, code, data, frame, headers, kind, reset, settings,
    window_update,
};
use ringmain_tests::h2_upstream::{H2Upstream, HTTP2, Opening};
use ringmain_tests::message::End;
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy, indented, one_listener};
use ringmain_tests::upstream::{Act, Reply, Upstream, long_response, ok};
use ringmain_tests::wait::while_moving;
use socket2::{Domain, Socket, Type};

const PRIORITY: u8 = 2;
const CONTINUATION: u8 = 9;
/// Codes of RFC 9113 §7 that only this side of the wire uses.
const ENHANCE_YOUR_CALM: u32 = 0xb;

/// `:method: GET`, `:scheme: http`, `:path: /` of HPACK's static table and `:authority: a`.
const GET_BLOCK: &[u8] = b"\x82\x86\x84\x41\x01a";

/// How far the process may grow while it is flooded: by a thousand requests at once, where the upstream is slow.
const GROWTH_KIB_MAX: u64 = 40 * 1024;

/// A proxy, and a client of it that behaves.
struct Rig {
    program: Program,
    proxy: Proxy,
    upstream: Upstream,
    well_behaved: H2Client,
    /// How often it has asked.
    asked: u32,
    /// The process's memory before the flood.
    resident_kib: u64,
}

impl Rig {
    fn start(program: Program, replies: Vec<Reply>, options: &str) -> Self {
        let upstream = Upstream::start(replies);
        let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
        let proxy = Proxy::start(program, &front_proxy(options, "", ""), &values);
        let well_behaved = H2Client::open(proxy.port("listener"));
        let mut rig = Self { program, proxy, upstream, well_behaved, asked: 0, resident_kib: 0 };
        rig.assert_serves_others();
        rig.resident_kib = rig.proxy.resident_kib();
        rig
    }

    /// Another client.
    fn client(&self) -> H2Client {
        H2Client::open(self.proxy.port("listener"))
    }

    #[track_caller]
    fn assert_serves_others(&mut self) {
        let stream = 2 * self.asked + 1;
        self.asked += 1;
        self.well_behaved.request(stream, &GET);
        let outcome = self.well_behaved.outcome(stream);
        assert_eq!(outcome.status(), Some(200), "{}: {outcome:?}", self.program);
    }

    /// `client` has been sent away, and nothing is left of it. How many of its requests went upstream.
    #[track_caller]
    fn assert_ends(&mut self, mut client: H2Client) -> usize {
        self.assert_serves_others();
        assert_eq!(client.goaway(), Some(ENHANCE_YOUR_CALM), "{}", self.program);
        drop(client);
        self.assert_forgets();
        self.upstream.requests().len() - self.asked as usize
    }

    #[track_caller]
    fn assert_forgets(&mut self) {
        self.assert_serves_others();
        self.assert_not_grown();
        for (gauge, value) in [
            ("http.ingress.downstream_rq_active", 0),
            ("http.ingress.downstream_cx_active", 1),
            ("cluster.backend.upstream_rq_active", 0),
            ("http2.streams_active", 0),
        ] {
            self.wait_for_stat(gauge, value);
        }
    }

    #[track_caller]
    fn assert_not_grown(&self) {
        let grown = self.proxy.resident_kib().saturating_sub(self.resident_kib);
        assert!(grown < GROWTH_KIB_MAX, "{}: by {grown} KiB", self.program);
    }

    #[track_caller]
    fn wait_for_stat(&self, name: &str, value: u64) {
        self.proxy.admin().wait_for_stat(name, value);
    }
}

/// Runs `flood` against a proxy on each engine, whose upstream answers at once.
fn on_each_engine(flood: impl Fn(&mut Rig)) {
    for program in Program::ringmains() {
        flood(&mut Rig::start(program, vec![ok()], ""));
    }
}

/// Frames that cost us work and end the connection as soon as there are too many.
#[test]
fn frames_that_ask_for_nothing() {
    let open = headers(1, &POST, 0);
    let behind_open = |bytes: Vec<u8>, count| [&open[..], &bytes.repeat(count)].concat();
    let begun = frame(kind::HEADERS, END_STREAM, 1, GET_BLOCK);
    let empty_continuation = frame(CONTINUATION, 0, 1, b"").repeat(10);
    let floods: [(&str, Vec<u8>); 6] = [
        ("inbound_empty_frames_flood", behind_open(data(1, "", 0), 10)),
        ("inbound_empty_frames_flood", [begun, empty_continuation].concat()),
        ("inbound_priority_frames_flood", frame(PRIORITY, 0, 1, b"\0\0\0\0\x01").repeat(300)),
        ("inbound_window_update_frames_flood", behind_open(window_update(1, 1), 100)),
        ("outbound_control_flood", frame(kind::PING, 0, 0, b"12345678").repeat(20_000)),
        ("outbound_control_flood", settings(&[(4, 100)]).repeat(20_000)),
    ];
    for program in Program::ringmains() {
        for (stat, bytes) in &floods {
            let mut rig = Rig::start(program, vec![ok()], "");
            let mut client = rig.client();
            client.send(bytes);
            assert!(rig.assert_ends(client) <= 1, "{program}, {stat}");
            rig.wait_for_stat(&format!("http2.{stat}"), 1);
            rig.wait_for_stat("http.ingress.downstream_cx_protocol_error", 1);
        }
    }
}

/// PING may come for ever, as long as its answers are taken.
#[test]
fn pings_that_are_taken_are_answered() {
    on_each_engine(|rig| {
        let mut client = rig.client();
        for _ in 0..30 {
            client.send(frame(kind::PING, 0, 0, b"12345678").repeat(100));
            for _ in 0..100 {
                assert_eq!(client.next_frame().map(|it| it.kind), Some(kind::PING));
            }
        }
        rig.wait_for_stat("http2.outbound_control_flood", 0);
    });
}

/// The same beside a response that the client takes slower than it comes, so that there is always something to
/// send: the answers leave among its frames.
#[test]
fn pings_beside_a_slow_download_are_answered() {
    let options = "http2_protocol_options: { max_outbound_control_frames: 3 }";
    for program in Program::ringmains() {
        let mut rig =
            Rig::start(program, vec![ok(), long_response(64 * 1024 * 1024), ok()], options);
        let mut client = H2Client::open_wide(rig.proxy.port("listener"));
        client.request(1, &GET);
        client.read_slowly_until(|it| it.kind == kind::DATA);
        for _ in 0..6 {
            client.send(frame(kind::PING, 0, 0, b"12345678"));
            let answer = client.read_slowly_until(|it| it.kind == kind::PING || it.ends_stream());
            assert_eq!(answer.map(|it| it.kind), Some(kind::PING), "{program}");
        }
        client.close();
        rig.assert_forgets();
        rig.wait_for_stat("http2.outbound_control_flood", 0);
    }
}

/// A field section without an end (CVE-2024-27316).
#[test]
fn continuations_without_an_end() {
    on_each_engine(|rig| {
        let mut client = rig.client();
        client.send(frame(kind::HEADERS, END_STREAM, 1, GET_BLOCK));
        // A field that is not indexed, again and again.
        client.send(frame(CONTINUATION, 0, 1, b"\0\x01b\x01c").repeat(50_000));
        assert_eq!(rig.assert_ends(client), 0, "{}", rig.program);
    });
}

/// One long field in HPACK's table, and thousands of bytes that each stand for it.
#[test]
fn a_field_section_that_unfolds() {
    const VALUE_BYTES: usize = 3900;
    // RFC 7541 §5.1: the length in 7 bits, and what is beyond 127 behind it.
    let length =
        [0x7f, ((VALUE_BYTES - 127) % 128) as u8 | 0x80, ((VALUE_BYTES - 127) / 128) as u8];
    let value = vec![b'v'; VALUE_BYTES];
    let entered = [GET_BLOCK, b"\x40\x01x", &length, &value].concat();
    let block = [entered, vec![0xbe; 12_000]].concat();
    on_each_engine(|rig| {
        let mut client = rig.client();
        client.send(frame(kind::HEADERS, END_STREAM | END_HEADERS, 1, &block));
        assert_eq!(rig.assert_ends(client), 0, "{}", rig.program);
    });
}

/// RST_STREAM behind each request (CVE-2023-44487).
#[test]
fn rapid_resets() {
    on_each_engine(|rig| {
        let mut client = rig.client();
        for index in 0..2000 {
            let stream = 2 * index + 1;
            client.send([headers(stream, &GET, END_STREAM), reset(stream, code::CANCEL)].concat());
        }
        let upstream = rig.assert_ends(client);
        assert!(upstream <= 500, "{}: {upstream}", rig.program);
    });
}

/// The same once the first byte of the response has come: all of it has been asked for, and lies there.
#[test]
fn resets_of_responses_that_wait_for_room() {
    const AT_ONCE: usize = 20;
    on_each_engine(|rig| {
        let mut client = H2Client::open_with(rig.proxy.port("listener"), &[(4, 1)]);
        let mut first = 1;
        let goaway = loop {
            let streams = (first..).step_by(2).take(AT_ONCE);
            streams.clone().for_each(|stream| client.request(stream, &GET));
            let is_answer = |frame: &Frame| matches!(frame.kind, kind::DATA | kind::GOAWAY);
            let mut answers = (0..AT_ONCE).map_while(|_| client.read_slowly_until(is_answer));
            if let Some(goaway) = answers.find(|frame| frame.kind == kind::GOAWAY) {
                break goaway;
            }
            streams.for_each(|stream| client.send(reset(stream, code::CANCEL)));
            first += 2 * AT_ONCE as u32;
            assert!(first < 4000, "{}: it goes on", rig.program);
        };
        assert_eq!(goaway.payload[4..8], ENHANCE_YOUR_CALM.to_be_bytes(), "{}", rig.program);
        drop(client);
        rig.assert_forgets();
    });
}

/// Requests that have us reset their streams (CVE-2025-8671), by their fields, their length or a window.
#[test]
fn resets_of_ours() {
    let malformed = |stream| headers(stream, &[&GET[..], &[("te", "gzip")]].concat(), END_STREAM);
    let short = |stream| {
        let fields = [&POST[..], &[("content-length", "9")]].concat();
        [headers(stream, &fields, 0), data(stream, "x", END_STREAM)].concat()
    };
    let wide = |stream| {
        let wider = window_update(stream, (1 << 31) - 1);
        [headers(stream, &POST, 0), wider].concat()
    };
    let floods: [fn(u32) -> Vec<u8>; 3] = [malformed, short, wide];
    for (index, flood) in floods.into_iter().enumerate() {
        on_each_engine(|rig| {
            let mut client = rig.client();
            for index in 0..4000 {
                client.send(flood(2 * index + 1));
            }
            let upstream = rig.assert_ends(client);
            assert!(upstream <= 1100, "{}, {index}: {upstream}", rig.program);
        });
    }
}

/// Responses that nobody takes: each stream holds a piece of its own, and its upstream waits.
#[test]
fn windows_that_never_open() {
    const STREAMS: usize = 100;
    const BODY_BYTES: usize = 2 * 1024 * 1024;
    let mut replies = vec![ok()];
    replies.extend(vec![long_response(BODY_BYTES); STREAMS]);
    replies.push(ok());
    for program in Program::ringmains() {
        let mut rig = Rig::start(program, replies.clone(), "");
        // SETTINGS_INITIAL_WINDOW_SIZE.
        let mut client = H2Client::open_with(rig.proxy.port("listener"), &[(4, 0)]);
        (0..STREAMS as u32).for_each(|index| client.request(2 * index + 1, &GET));
        rig.upstream.wait_for_requests(STREAMS + 1);
        // No window is open: there is nothing but heads to come.
        for _ in 0..STREAMS {
            assert_eq!(client.next_frame().map(|it| it.kind), Some(kind::HEADERS), "{program}");
        }
        rig.assert_serves_others();
        rig.assert_not_grown();
        client.close();
        rig.assert_forgets();
    }
}

/// Bytes of a body in a frame each, for an upstream that does not read.
#[test]
fn bodies_in_single_bytes() {
    let stalled = vec![Act::AwaitRelease, Act::Close];
    for program in Program::ringmains() {
        let mut rig = Rig::start(program, vec![ok(), stalled.clone(), ok()], "");
        let mut client = rig.client();
        client.send(headers(1, &POST, 0));
        rig.upstream.wait_for_requests(2);
        client.send(data(1, "x", 0).repeat(100_000));
        rig.assert_serves_others();
        rig.assert_not_grown();
        client.close();
        rig.upstream.release();
        rig.assert_forgets();
    }
}

/// A body that does not come on is not waited for.
#[test]
fn bodies_that_stand_still() {
    for program in Program::ringmains() {
        let options = "stream_idle_timeout: 1s";
        let mut rig = Rig::start(program, vec![ok()], options);
        let mut client = rig.client();
        for index in 0..50 {
            client.send([headers(2 * index + 1, &POST, 0), data(2 * index + 1, "x", 0)].concat());
        }
        rig.wait_for_stat("http.ingress.downstream_rq_idle_timeout", 50);
        client.close();
        rig.assert_forgets();
    }
}

/// What a host says first, and then again and again, on a stream.
type Endless = fn(u32) -> [Vec<u8>; 2];

/// `:status: 200` of HPACK's static table.
const OK_BLOCK: &[u8] = b"\x88";
/// The field `x: value`.
const FIELD_BLOCK: &[u8] = b"\x00\x01x\x05value";

/// Head, interim heads, body, trailers, or frames of the connection, and no end of them.
const ENDLESS: [(&str, Endless); 8] = [
    ("pings", |_| [Vec::new(), frame(kind::PING, 0, 0, b"12345678").repeat(500)]),
    ("settings", |_| [Vec::new(), settings(&[]).repeat(500)]),
    ("windows", |stream| [headers(stream, &OK, 0), window_update(stream, 1).repeat(500)]),
    ("interim heads", |stream| [Vec::new(), headers(stream, &[(":status", "103")], 0).repeat(500)]),
    ("head", |stream| {
        let first = frame(kind::HEADERS, 0, stream, OK_BLOCK);
        [first, frame(CONTINUATION, 0, stream, &FIELD_BLOCK.repeat(100))]
    }),
    ("frames of no head", |stream| {
        let first = frame(kind::HEADERS, 0, stream, OK_BLOCK);
        [first, frame(CONTINUATION, 0, stream, b"").repeat(500)]
    }),
    ("frames of no body", |stream| [headers(stream, &OK, 0), data(stream, "", 0).repeat(500)]),
    ("trailers", |stream| {
        let trailers = frame(kind::HEADERS, END_STREAM, stream, FIELD_BLOCK);
        let first = [headers(stream, &OK, 0), data(stream, "x", 0), trailers].concat();
        [first, frame(CONTINUATION, 0, stream, &FIELD_BLOCK.repeat(100))]
    }),
];

const OK: [(&str, &str); 1] = [(":status", "200")];

/// A cluster of one host, which speaks HTTP/2.
fn backend() -> String {
    format!(
        "- name: backend
  load_assignment:
    cluster_name: backend
    endpoints: [{{ lb_endpoints: [{{ endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {{{{upstream}}}} }} }} }} }}] }}]
{}",
        indented(HTTP2, 2)
    )
}

/// Whoever waits for one gets an end in time, and others are served meanwhile.
#[test]
fn hosts_that_never_stop() {
    let routes = "- { match: { path: /own }, direct_response: { status: 200 } }
- { match: { prefix: / }, route: { cluster: backend, timeout: 1s } }";
    let cluster = backend();
    for program in Program::ringmains() {
        for (name, endless) in ENDLESS {
            let host = H2Upstream::start(move |peer, request| {
                let [first, again] = endless(request.stream);
                peer.send(first);
                peer.send_endlessly(again);
            });
            let port = host.address().port().to_string();
            let values = Values::from([("upstream".into(), port)]);
            let proxy = Proxy::start(program, &one_listener(routes, &cluster), &values);
            let (rest, resident_kib) = (AtRest::of(&proxy), proxy.resident_kib());
            let mut client = Client::connect(proxy.port("listener"));
            client.send("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
            host.wait_for(kind::HEADERS, 1);
            let mut other = Client::connect(proxy.port("listener"));
            other.send("GET /own HTTP/1.1\r\nhost: a\r\n\r\n");
            let served = other.read_response().map(|answer| answer.status());
            assert_eq!(served, Ok(Some(200)), "{program}: {name}");
            assert_ne!(client.read_to_end().1, End::TimedOut, "{program}: {name}");
            let grown = proxy.resident_kib().saturating_sub(resident_kib);
            assert!(grown < GROWTH_KIB_MAX, "{program}: {name}: by {grown} KiB");
            drop((client, other, host));
            rest.wait_for(&proxy);
        }
    }
}

/// Asks the proxy for something, and takes nothing of what may come.
type Asks = fn(u16) -> TcpStream;

/// A client that has room for next to nothing, and one whose host has no room for the body.
const TAKERS_OF_NOTHING: [(&str, Asks); 2] = [
    ("no client takes them", |port| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.set_recv_buffer_size(1).expect("the least there is");
        socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into()).expect("it listens");
        let mut client = TcpStream::from(socket);
        client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").expect("the proxy reads");
        client
    }),
    ("the request is not on its way", |port| {
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("it listens");
        let post = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\nx";
        client.write_all(post).expect("the proxy reads");
        client
    }),
];

/// A host's interim responses, one that is too large for a client that reads nothing and many behind it, do not pile up.
#[test]
fn interim_heads_that_nobody_takes() {
    const HEADS: usize = 400_000;
    /// `x` of 10,000 bytes.
    const LONG_FIELD: &[u8] = b"\x00\x01x\x7f\x91\x4d";
    let routes = "- { match: { prefix: / }, route: { cluster: backend } }";
    let cluster = backend();
    // SO_SNDBUF, for what the kernel would take of it.
    let send_buffer = "socket_options: [{ level: 1, name: 7, int_value: 1, state: STATE_PREBIND }]";
    let template = one_listener(routes, &cluster)
        .replace("    filter_chains:", &format!("    {send_buffer}\n    filter_chains:"))
        .replace("stat_prefix: in\n", "stat_prefix: in\n          proxy_100_continue: true\n");
    for program in Program::ringmains() {
        for (name, asks) in TAKERS_OF_NOTHING {
            let opening = Opening { first: settings(&[(4, 0)]), ..Opening::default() };
            let host = H2Upstream::start_with(opening, |peer, request| {
                let stream = request.stream;
                if request.number == 0 {
                    // Its connection, and that it grants no room, is known from then on.
                    return peer.send(headers(stream, &OK, END_STREAM));
                }
                let long = [LONG_FIELD, &[b'v'; 10_000]].concat();
                peer.send(frame(kind::HEADERS, 0, stream, b"\x08\x03103"));
                peer.send(frame(CONTINUATION, 0, stream, &long).repeat(4));
                peer.send(frame(CONTINUATION, END_HEADERS, stream, b""));
                let heads = headers(stream, &[(":status", "103")], 0).repeat(1000);
                (0..HEADS / 1000).for_each(|_| peer.send(&heads));
                peer.send(frame(kind::PING, 0, 0, b"12345678"));
            });
            let port = host.address().port().to_string();
            let values = Values::from([("upstream".into(), port)]);
            let proxy = Proxy::start(program, &template, &values);
            let (rest, resident_kib) = (AtRest::of(&proxy), proxy.resident_kib());
            let mut first = Client::connect(proxy.port("listener"));
            first.send("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
            first.read_to_end();
            let client = asks(proxy.port("listener"));
            // All of them have been read when this is answered.
            while_moving(
                "all interim responses to be read",
                || proxy.admin().stat("cluster.backend.upstream_cx_rx_bytes_total"),
                || (host.count(kind::PING) > 0).then_some(()),
            );
            let grown = proxy.resident_kib().saturating_sub(resident_kib);
            assert!(grown < GROWTH_KIB_MAX, "{program}: {name}: by {grown} KiB");
            drop((client, host));
            rest.wait_for(&proxy);
        }
    }
}
