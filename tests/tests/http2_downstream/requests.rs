//! Requests that are answered: what reaches the upstream, and what comes back.

use ringmain_tests::client::Client;
use ringmain_tests::h2_client::{GET, H2Client, POST};
use ringmain_tests::h2_frame::{END_STREAM, PREFACE, data, headers, kind, settings, window_update};
use ringmain_tests::h2_upstream::{H2Upstream, HTTP2};
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy};
use ringmain_tests::upstream::{Act, Upstream, long_response, ok, reply};

use crate::rig::{HTTP1_GET, LOG, Rig, both, held};

#[test]
fn one_listener_serves_both_versions() {
    for program in both() {
        let rig = Rig::start(program, vec![ok()]);
        let outcome = rig.ask(&GET);
        assert_eq!((outcome.status(), &outcome.body[..]), (Some(200), &b"ok"[..]), "{program}");
        assert!(outcome.ended, "{program}");
        let mut client = Client::connect(rig.port());
        client.send(HTTP1_GET);
        assert_eq!(client.read_response().map(|it| it.status()), Ok(Some(200)), "{program}");
        rig.wait_for_stat("http.ingress.downstream_cx_http2_total", 1);
        rig.wait_for_stat("http.ingress.downstream_rq_http2_total", 1);
        rig.wait_for_stat("http.ingress.downstream_cx_http1_total", 1);
        let line = "GET / HTTP/2 200 - via_upstream 0 2\n";
        ringmain_tests::wait::eventually("a log line", || {
            rig.proxy.file("access.log").contains(line).then_some(())
        });
    }
}

#[test]
fn the_preface_may_come_in_any_pieces() {
    for program in Program::ringmains() {
        let rig = Rig::start(program, vec![ok()]);
        let request = [PREFACE, &settings(&[]), &headers(1, &GET, END_STREAM)].concat();
        for split in [1, 3, 16, 23, 24, 25, 33, 40] {
            let mut client = H2Client::connect(rig.port());
            client.send(&request[..split]);
            std::thread::sleep(std::time::Duration::from_millis(3));
            client.send(&request[split..]);
            assert_eq!(client.outcome(1).status(), Some(200), "{program}, split at {split}");
        }
        // The first byte that is not the preface's makes it a request of HTTP/1.
        let mut client = Client::connect(rig.port());
        client.send_pieces(&["P", "UT / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n"]);
        assert_eq!(client.read_response().map(|it| it.status()), Ok(Some(200)), "{program}");
    }
}

#[test]
fn the_upstream_gets_a_request_of_its_own_version() {
    for program in both() {
        let rig = Rig::start(program, vec![ok()]);
        let mut client = H2Client::open(rig.port());
        let fields =
            [&POST[..], &[("cookie", "a=1"), ("x-field", "v"), ("cookie", "b=2")]].concat();
        client.send(headers(1, &fields, 0));
        client.send([data(1, "one", 0), data(1, "two", END_STREAM)].concat());
        assert_eq!(client.outcome(1).status(), Some(200), "{program}");
        let request = rig.upstream.requests().remove(0);
        assert_eq!(request.start_line(), "POST / HTTP/1.1", "{program}");
        assert_eq!(request.header("host"), Some("a.example"), "{program}");
        assert_eq!(request.header("x-field"), Some("v"), "{program}");
        assert_eq!(request.header_values("cookie"), ["a=1; b=2"], "{program}");
        assert_eq!(request.body, b"onetwo", "{program}");
    }
}

#[test]
fn trailers_pass_both_ways() {
    let response = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
                    2\r\nok\r\n0\r\ngrpc-status: 0\r\n\r\n";
    let options = r#"
typed_extension_protocol_options:
  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
    "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
    explicit_http_config: { http_protocol_options: { enable_trailers: true } }
"#;
    for program in both() {
        let rig = Rig::with(program, vec![reply(response)], "", options);
        let mut client = H2Client::open(rig.port());
        client.send(headers(1, &POST, 0));
        client.send([data(1, "body", 0), headers(1, &[("x-end", "e")], END_STREAM)].concat());
        let outcome = client.outcome(1);
        assert_eq!((&outcome.body[..], outcome.has_trailers), (&b"ok"[..], true), "{program}");
        let received = String::from_utf8_lossy(&rig.upstream.received()).into_owned();
        assert!(received.ends_with("4\r\nbody\r\n0\r\nx-end: e\r\n\r\n"), "{program}: {received}");
    }
}

#[test]
fn streams_of_a_connection_do_not_wait_for_each_other() {
    for program in Program::ringmains() {
        let rig = Rig::start(program, vec![held(), held(), ok()]);
        let mut client = H2Client::open(rig.port());
        client.request(1, &GET);
        rig.upstream.wait_for_requests(1);
        client.request(3, &GET);
        rig.upstream.wait_for_requests(2);
        client.request(5, &GET);
        assert_eq!(client.outcome(5).status(), Some(200), "{program}");
        rig.upstream.release();
        let mut ended =
            [client.next_frame(), client.next_frame()].map(|frame| frame.expect("a frame").stream);
        ended.sort_unstable();
        assert!(ended.iter().all(|stream| [1, 3].contains(stream)), "{program}: {ended:?}");
        rig.wait_for_stat("http.ingress.downstream_rq_active", 0);
    }
}

#[test]
fn a_slow_reader_stops_its_own_stream_only() {
    const BYTES: usize = 3 * 1024 * 1024;
    let mut long = format!("HTTP/1.1 200 OK\r\ncontent-length: {BYTES}\r\n\r\n").into_bytes();
    long.resize(long.len() + BYTES, b'x');
    for program in Program::ringmains() {
        let rig = Rig::start(program, vec![reply(&long), ok()]);
        // SETTINGS_INITIAL_WINDOW_SIZE: each stream may send so much, the connection 65,535.
        let mut client = H2Client::open_with(rig.port(), &[(4, 1000)]);
        client.request(1, &GET);
        rig.upstream.wait_for_requests(1);
        client.request(3, &GET);
        assert_eq!(client.outcome(3).status(), Some(200), "{program}");
        client.send([window_update(0, BYTES as u32), window_update(1, BYTES as u32)].concat());
        let outcome = client.outcome(1);
        let before: usize = client
            .frames
            .iter()
            .filter(|frame| frame.stream == 1 && frame.kind == kind::DATA)
            .map(|frame| frame.payload.len())
            .sum();
        assert_eq!((outcome.ended, before), (true, BYTES), "{program}");
    }
}

/// Asks with `expect: 100-continue`, and sends the body once it was asked for.
#[track_caller]
fn assert_continues(proxy: &Proxy, context: &str) {
    let mut client = H2Client::open(proxy.port("listener"));
    client.send(headers(1, &[&POST[..], &[("expect", "100-continue")]].concat(), 0));
    let interim = client.next_frame().expect("an interim response");
    assert_eq!((interim.kind, interim.ends_stream()), (kind::HEADERS, false), "{context}");
    client.send(data(1, "hi", END_STREAM));
    let outcome = client.outcome(1);
    assert_eq!(outcome.status(), Some(200), "{context}: {outcome:?}");
    assert!(!outcome.has_trailers && outcome.body == b"ok", "{context}: {outcome:?}");
}

/// `proxy_100_continue`: the upstream asks for the body, in either version; without it we do.
#[test]
fn expectations_are_met_by_whom_they_are_to_be() {
    const PROXIED: &str = "proxy_100_continue: true";
    let interim = Act::Send(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec());
    let asks = [vec![interim], ok()].concat();
    for program in both() {
        for (hcm, reply) in [("", ok()), (PROXIED, asks.clone())] {
            let rig = Rig::with(program, vec![reply], hcm, "");
            assert_continues(&rig.proxy, &format!("{program}, {hcm:?}, HTTP/1"));
            let is_passed_on = rig.upstream.requests()[0].header("expect").is_some();
            assert_eq!(is_passed_on, hcm == PROXIED, "{program}");
            let upstream = H2Upstream::start(move |peer, request| {
                let stream = request.stream;
                if request.ended {
                    let head = headers(stream, &[(":status", "200")], 0);
                    peer.send([head, data(stream, "ok", END_STREAM)].concat());
                } else if hcm == PROXIED {
                    peer.send(headers(stream, &[(":status", "100")], 0));
                }
            });
            let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
            let proxy = Proxy::start(program, &front_proxy(hcm, "", HTTP2), &values);
            assert_continues(&proxy, &format!("{program}, {hcm:?}, HTTP/2"));
        }
    }
}

/// As much of a window as there is, again and again: the body comes whole, and its end behind it.
#[test]
fn a_body_is_longer_than_its_window() {
    const BODY_BYTES: usize = 200_000;
    const WINDOW: u32 = 10_000;
    for program in both() {
        let rig = Rig::start(program, vec![long_response(BODY_BYTES)]);
        let mut client = H2Client::open_with(rig.port(), &[(4, WINDOW)]);
        client.request(1, &GET);
        let (mut received, mut ended) = (0, false);
        while !ended {
            let frame =
                client.read_slowly_until(|it| it.kind == kind::DATA).expect("more of the body");
            received += frame.payload.len();
            ended = frame.ends_stream();
            assert!(ended || !frame.payload.is_empty(), "{program}");
            let taken = u32::try_from(frame.payload.len()).expect("a frame's length");
            client.send([window_update(0, taken), window_update(1, taken)].concat());
        }
        assert_eq!(received, BODY_BYTES, "{program}");
    }
}

#[test]
fn a_grpc_client_reads_our_replies_as_its_own() {
    for program in both() {
        let upstream = Upstream::start(vec![ok()]);
        let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
        let config = front_proxy(LOG, "", "").replace("domains: ['*']", "domains: [b.example]");
        let proxy = Proxy::start(program, &config, &values);
        let mut client = H2Client::open(proxy.port("listener"));
        client.request(1, &[&POST[..], &[("content-type", "application/grpc")]].concat());
        let outcome = client.outcome(1);
        assert_eq!((outcome.status(), outcome.ended), (Some(200), true), "{program}");
        assert!(outcome.body.is_empty(), "{program}");
    }
}
