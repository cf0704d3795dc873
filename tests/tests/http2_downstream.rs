//! Clients of HTTP/2: what the upstream gets from them, what they get back, and what happens to
//! those that break the rules (RFC 9113). Where Envoy does the same, it is asked too.

use ringmain_tests::client::Client;
use ringmain_tests::h2_client::{GET, H2Client, Outcome, POST};
use ringmain_tests::h2_frame::{
    END_STREAM, Frame, PREFACE, code, data, frame, headers, kind, reset, settings, window_update,
};
use ringmain_tests::h2_upstream::{H2Upstream, HTTP2};
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy};
use ringmain_tests::upstream::{Act, Reply, Upstream, long_response, ok, reply};

const HTTP1_GET: &str = "GET / HTTP/1.1\r\nhost: a.example\r\n\r\n";
const LOG: &str = r#"
access_log:
- name: file
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
    path: '{{scratch}}/access.log'
    log_format: { text_format_source: { inline_string: "%REQ(:METHOD)% %REQ(:PATH)% %PROTOCOL% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %BYTES_RECEIVED% %BYTES_SENT%\n" } }
"#;

/// Codes of RFC 9113 §7 that only this side of the wire uses.
const PROTOCOL_ERROR: u32 = 1;
const ENHANCE_YOUR_CALM: u32 = 0xb;

/// A proxy before one scripted upstream.
struct Rig {
    program: Program,
    proxy: Proxy,
    upstream: Upstream,
}

impl Rig {
    fn start(program: Program, replies: Vec<Reply>) -> Self {
        Self::with(program, replies, "", "")
    }

    fn with(program: Program, replies: Vec<Reply>, hcm: &str, cluster: &str) -> Self {
        Self::with_template(program, replies, &front_proxy(&[LOG, hcm].concat(), "", cluster))
    }

    fn with_template(program: Program, replies: Vec<Reply>, template: &str) -> Self {
        let upstream = Upstream::start(replies);
        let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
        let proxy = Proxy::start(program, template, &values);
        Self { program, proxy, upstream }
    }

    fn port(&self) -> u16 {
        self.proxy.port("listener")
    }

    /// A request of HTTP/2 on a connection of its own.
    fn ask(&self, fields: &[(&str, &str)]) -> Outcome {
        let mut client = H2Client::open(self.port());
        client.request(1, fields);
        client.outcome(1)
    }

    #[track_caller]
    fn assert_served(&self) {
        assert_eq!(self.ask(&GET).status(), Some(200), "{}", self.program);
    }

    #[track_caller]
    fn wait_for_stat(&self, name: &str, value: u64) {
        self.proxy.admin().wait_for_stat(name, value);
    }
}

/// Envoy, and ringmain on each engine: they do the same.
fn both() -> impl Iterator<Item = Program> {
    [Program::Envoy].into_iter().chain(Program::ringmains())
}

/// Holds the response back until the test releases it.
fn held() -> Reply {
    let response = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec();
    vec![Act::ReadBody, Act::AwaitRelease, Act::Send(response)]
}

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

#[test]
fn a_reset_ends_the_request_upstream() {
    for program in both() {
        let rig = Rig::start(program, vec![vec![Act::ReadBody, Act::Stall], ok()]);
        let mut client = H2Client::open(rig.port());
        client.request(1, &GET);
        rig.upstream.wait_for_requests(1);
        client.send(reset(1, code::CANCEL));
        rig.wait_for_stat("http2.rx_reset", 1);
        rig.wait_for_stat("cluster.backend.upstream_cx_active", 0);
        rig.wait_for_stat("http.ingress.downstream_rq_active", 0);
        let line = "GET / HTTP/2 0 DR http2.remote_reset 0 0\n";
        ringmain_tests::wait::eventually("a log line", || {
            rig.proxy.file("access.log").contains(line).then_some(())
        });
        // The connection serves on.
        client.request(3, &GET);
        assert_eq!(client.outcome(3).status(), Some(200), "{program}");
    }
}

#[test]
fn a_client_that_leaves_ends_its_requests() {
    for program in Program::ringmains() {
        let rig = Rig::start(program, vec![vec![Act::ReadBody, Act::Stall]]);
        let mut client = H2Client::open(rig.port());
        client.request(1, &GET);
        rig.upstream.wait_for_requests(1);
        client.close();
        rig.wait_for_stat("http.ingress.downstream_cx_active", 0);
        rig.wait_for_stat("http.ingress.downstream_rq_active", 0);
        rig.wait_for_stat("cluster.backend.upstream_cx_active", 0);
    }
}

#[test]
fn clients_that_leave_inside_a_response_end_it() {
    let begun = vec![
        Act::ReadBody,
        Act::Send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n".to_vec()),
        Act::Stall,
    ];
    for program in both() {
        let rig = Rig::with_template(
            program,
            vec![begun.clone(), begun.clone()],
            &front_proxy(LOG, "timeout: 0s", ""),
        );
        let mut client = H2Client::open(rig.port());
        let mut answered = |stream| {
            client.request(stream, &GET);
            while client.next_frame().is_some_and(|frame| frame.kind != kind::DATA) {}
        };
        answered(1);
        answered(3);
        client.send(reset(1, code::CANCEL));
        rig.wait_for_stat("cluster.backend.upstream_rq_active", 1);
        client.close();
        rig.wait_for_stat("http.ingress.downstream_rq_active", 0);
        rig.wait_for_stat("cluster.backend.upstream_rq_active", 0);
        rig.wait_for_stat("cluster.backend.upstream_cx_active", 0);
        for line in [
            "GET / HTTP/2 200 DR http2.remote_reset 0 3\n",
            "GET / HTTP/2 200 DC downstream_remote_disconnect 0 3\n",
        ] {
            ringmain_tests::wait::eventually("a log line", || {
                rig.proxy.file("access.log").contains(line).then_some(())
            });
        }
    }
}

#[test]
fn a_response_that_breaks_off_resets_its_stream() {
    let cut = vec![
        Act::ReadBody,
        Act::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc".to_vec()),
        Act::Close,
    ];
    for program in both() {
        let rig = Rig::start(program, vec![cut.clone(), ok()]);
        let mut client = H2Client::open(rig.port());
        client.request(1, &GET);
        let outcome = client.outcome(1);
        assert_eq!(outcome.reset, Some(code::INTERNAL_ERROR), "{program}");
        assert_eq!(outcome.body, b"abc", "{program}");
        client.request(3, &GET);
        assert_eq!(client.outcome(3).status(), Some(200), "{program}");
    }
}

#[test]
fn an_answer_before_the_request_is_over_stops_it() {
    let early = vec![Act::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec())];
    for program in both() {
        let rig = Rig::start(program, vec![early.clone()]);
        let mut client = H2Client::open(rig.port());
        client.send([headers(1, &POST, 0), data(1, "some", 0)].concat());
        assert_eq!(client.outcome(1).status(), Some(200), "{program}");
        // RFC 9113 §8.1: the rest is not needed.
        assert_eq!(client.outcome(1).reset, Some(code::NO_ERROR), "{program}");
    }
}

/// RFC 9113 §8.2, §8.3: a malformed request resets its stream.
#[test]
fn malformed_requests_are_refused() {
    let get = |more: &[(&'static str, &'static str)]| [&GET[..], more].concat();
    let cases = [
        ("upper case", get(&[("X-Upper", "v")])),
        ("connection", get(&[("connection", "close")])),
        ("te", get(&[("te", "gzip")])),
        ("transfer-encoding", get(&[("transfer-encoding", "chunked")])),
        ("a second path", get(&[(":path", "/b")])),
        ("a pseudo-header behind a field", [&[("a", "b")], &GET[..]].concat()),
        ("an unknown pseudo-header", get(&[(":unknown", "v")])),
        ("a response's pseudo-header", get(&[(":status", "200")])),
        ("no method", GET[1..].to_vec()),
        ("no path", [&GET[..2], &GET[3..]].concat()),
        ("no scheme", [&GET[..1], &GET[2..]].concat()),
        ("two lengths", get(&[("content-length", "0"), ("content-length", "0")])),
        ("a host that is none", [&GET[..3], &[("host", "b c/d")]].concat()),
        ("two hosts", [&GET[..3], &[("host", "b"), ("host", "c")]].concat()),
        ("user information", [&GET[..3], &[(":authority", "u@a")]].concat()),
    ];
    for program in Program::ringmains() {
        let rig = Rig::start(program, vec![ok()]);
        for (name, fields) in &cases {
            let outcome = rig.ask(fields);
            let code = outcome.reset.or(outcome.goaway);
            assert_eq!(code, Some(PROTOCOL_ERROR), "{program}, {name}: {outcome:?}");
        }
        for length in ["", "+4", "04", "four", "4, 4"] {
            let fields = [&POST[..], &[("content-length", length)]].concat();
            let mut client = H2Client::open(rig.port());
            client.send([headers(1, &fields, 0), data(1, "four", END_STREAM)].concat());
            assert_eq!(client.outcome(1).reset, Some(PROTOCOL_ERROR), "{program}, {length:?}");
        }
        let mut client = H2Client::open(rig.port());
        let trailers = headers(1, &[("content-length", "4")], END_STREAM);
        client.send([headers(1, &POST, 0), data(1, "four", 0), trailers].concat());
        assert_eq!(client.outcome(1).reset, Some(PROTOCOL_ERROR), "{program}, trailers");
        let length = [&POST[..], &[("content-length", "5")]].concat();
        let mut client = H2Client::open(rig.port());
        client.send([headers(1, &length, 0), data(1, "four", END_STREAM)].concat());
        assert_eq!(client.outcome(1).reset, Some(PROTOCOL_ERROR), "{program}, content-length");
        rig.assert_served();
    }
}

#[test]
fn too_many_fields_reset_the_stream() {
    for program in both() {
        let rig = Rig::start(program, vec![ok()]);
        let names: Vec<String> = (0..101).map(|index| format!("x-{index}")).collect();
        let more = names.iter().map(|name| (name.as_str(), "v"));
        let fields: Vec<(&str, &str)> = GET.into_iter().chain(more).collect();
        assert_eq!(rig.ask(&fields).reset, Some(code::INTERNAL_ERROR), "{program}");
        rig.wait_for_stat("http2.header_overflow", 1);
    }
}

/// They are joined for the upstream, but count as they came.
#[test]
fn too_many_crumbs_of_a_cookie_reset_the_stream() {
    for program in both() {
        let rig = Rig::start(program, vec![ok()]);
        let crumbs = |count| [&GET[..], &vec![("cookie", "a=b"); count]].concat();
        assert_eq!(rig.ask(&crumbs(90)).status(), Some(200), "{program}");
        assert_eq!(rig.ask(&crumbs(101)).reset, Some(code::INTERNAL_ERROR), "{program}");
        rig.wait_for_stat("http2.header_overflow", 1);
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

/// A response that has ended for us, while its client grants no window.
#[test]
fn a_response_that_nobody_takes_is_given_up() {
    for program in both() {
        let rig = Rig::with(program, vec![ok()], "stream_idle_timeout: 1s", "");
        let mut client = H2Client::open_with(rig.port(), &[(4, 0)]);
        client.request(1, &GET);
        assert!(client.outcome(1).reset.is_some(), "{program}");
        rig.wait_for_stat("http2.tx_flush_timeout", 1);
        rig.wait_for_stat("http.ingress.downstream_rq_idle_timeout", 0);
        let line = "GET / HTTP/2 200 - via_upstream 0 2\n";
        ringmain_tests::wait::eventually("a log line", || {
            rig.proxy.file("access.log").contains(line).then_some(())
        });
    }
}

/// The same where the end comes behind the body, with it or later, and the client has room for the first byte.
#[test]
fn a_response_whose_end_waits_behind_its_body_is_given_up() {
    let ends = [headers(1, &[("x-end", "1")], END_STREAM), data(1, "", END_STREAM)];
    let begun = [headers(1, &[(":status", "200")], 0), data(1, "hello", 0)].concat();
    let cases = ends
        .iter()
        .flat_map(|end| [([&begun[..], end].concat(), Vec::new()), (begun.clone(), end.clone())]);
    let cases: Vec<_> = cases.collect();
    for (program, (at_once, later)) in
        both().flat_map(|it| cases.clone().into_iter().map(move |case| (it, case)))
    {
        let upstream = H2Upstream::start(move |peer, _| peer.send(&at_once));
        let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
        let hcm = [LOG, "stream_idle_timeout: 2s"].concat();
        let proxy = Proxy::start(program, &front_proxy(&hcm, "", HTTP2), &values);
        let mut client = H2Client::open_with(proxy.port("listener"), &[(4, 1)]);
        client.request(1, &GET);
        let begun = client.read_slowly_until(|it| it.kind == kind::DATA).expect("the first byte");
        assert_eq!(begun.payload, b"h", "{program}");
        upstream.send(later);
        assert!(client.outcome(1).reset.is_some(), "{program}");
        let stats = proxy.admin();
        stats.wait_for_stat("http2.tx_flush_timeout", 1);
        stats.wait_for_stat("http.ingress.downstream_rq_idle_timeout", 0);
    }
}

/// The client leaves while the last of the response waits for a window: it has not been served.
#[test]
fn a_client_that_leaves_before_the_last_of_a_response_is_told_of() {
    const BODY_BYTES: usize = 100_000;
    const WINDOW: usize = 65_535;
    for program in both() {
        let (long, short) = (long_response(BODY_BYTES), ok());
        let rig = Rig::start(program, vec![long.clone(), long, short]);
        let waiting = || {
            let mut client = H2Client::open(rig.port());
            client.request(1, &GET);
            let mut received = 0;
            while received < WINDOW {
                let frame = client.read_slowly_until(|it| it.kind == kind::DATA);
                received += frame.expect("more of the body").payload.len();
            }
            client
        };
        let mut resetting = waiting();
        resetting.send(reset(1, code::CANCEL));
        rig.wait_for_stat("http2.rx_reset", 1);
        waiting().close();
        for ending in [" 200 DR http2.remote_reset ", " 200 DC downstream_remote_disconnect "] {
            ringmain_tests::wait::eventually("a log line", || {
                rig.proxy.file("access.log").contains(ending).then_some(())
            });
        }
        rig.wait_for_stat("http.ingress.downstream_rq_active", 0);
        assert_eq!(rig.ask(&GET).status(), Some(200), "{program}");
    }
}

/// The client takes back the window that it has granted, once the responses are over for us.
#[test]
fn responses_whose_window_is_taken_back_are_given_up() {
    const STREAMS: u32 = 60;
    const BODY_BYTES: usize = 200_000;
    for program in Program::ringmains() {
        let replies = vec![long_response(BODY_BYTES)];
        let rig = Rig::with(program, replies, "stream_idle_timeout: 5s", "");
        let mut client = H2Client::open_with(rig.port(), &[(4, BODY_BYTES as u32)]);
        client.send(window_update(0, i32::MAX as u32 - 65_535));
        for index in 0..STREAMS {
            client.request(2 * index + 1, &GET);
        }
        rig.upstream.wait_for_requests(STREAMS as usize);
        rig.wait_for_stat("http.ingress.downstream_rq_2xx", STREAMS.into());
        let received = "http.ingress.downstream_cx_rx_bytes_total";
        let before = rig.proxy.admin().stat(received);
        let frame = settings(&[(4, 0)]);
        client.send(&frame);
        // Reading makes room for what is to lie.
        rig.wait_for_stat(received, before + frame.len() as u64);
        assert!(client.is_ended(), "{program}");
        rig.wait_for_stat("http2.tx_flush_timeout", 1);
        rig.wait_for_stat("http.ingress.downstream_cx_active", 0);
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

/// What Envoy counts of streams that are refused or reset, and of ends that are announced.
#[test]
fn resets_and_refusals_are_counted() {
    for program in both() {
        let rig = Rig::with(
            program,
            vec![ok()],
            "http2_protocol_options: { max_concurrent_streams: 1 }",
            "",
        );
        let mut client = H2Client::connect(rig.port());
        // Before the limit can have been acknowledged.
        client.send([PREFACE, &settings(&[])].concat());
        client.send([headers(1, &POST, 0), headers(3, &POST, 0)].concat());
        assert_eq!(client.outcome(3).reset, Some(code::REFUSED_STREAM), "{program}");
        rig.wait_for_stat("http2.stream_refused_errors", 1);
        rig.wait_for_stat("http2.tx_reset", 1);
        client.send(data(1, "", END_STREAM));
        assert_eq!(client.outcome(1).status(), Some(200), "{program}");
        rig.wait_for_stat("http2.goaway_sent", 0);
    }
}

/// The GOAWAY that ends a drain is counted, the notice before it is not, nor that of an error.
#[test]
fn ends_of_drained_connections_are_counted() {
    const DRAINS: &str =
        "drain_timeout: 0.1s\ncommon_http_protocol_options: { max_requests_per_connection: 1 }";
    for program in both() {
        let rig = Rig::with(program, vec![ok()], DRAINS, "");
        let mut client = H2Client::open(rig.port());
        client.send(data(0, "of no stream", 0));
        assert_eq!(client.goaway(), Some(PROTOCOL_ERROR), "{program}");
        client.close();
        let mut client = H2Client::open(rig.port());
        client.request(1, &GET);
        assert_eq!(client.goaway(), Some(code::NO_ERROR), "{program}");
        client.close();
        rig.wait_for_stat("http.ingress.downstream_cx_destroy", 2);
        rig.wait_for_stat("http2.goaway_sent", 1);
        rig.wait_for_stat("http2.tx_reset", 0);
    }
}

/// `%DOWNSTREAM_WIRE_BYTES_*%` and `%UPSTREAM_WIRE_BYTES_*%`: frames of the stream, their headers included.
#[test]
fn wire_bytes_are_those_of_the_streams_frames() {
    let log = LOG.replace(
        "%REQ(:METHOD)% %REQ(:PATH)% %PROTOCOL% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% \
         %BYTES_RECEIVED% %BYTES_SENT%",
        "%DOWNSTREAM_WIRE_BYTES_RECEIVED% %DOWNSTREAM_WIRE_BYTES_SENT% %UPSTREAM_WIRE_BYTES_SENT% \
         %UPSTREAM_WIRE_BYTES_RECEIVED%",
    );
    assert_ne!(log, LOG);
    let bytes = |frames: &[Frame], stream| -> usize {
        let of_stream = frames.iter().filter(|frame| {
            frame.stream == stream && matches!(frame.kind, kind::HEADERS | kind::DATA)
        });
        of_stream.map(|frame| 9 + frame.payload.len()).sum()
    };
    for program in both() {
        let answer = |stream| {
            [
                headers(stream, &[(":status", "200")], 0),
                data(stream, "hello", 0),
                headers(stream, &[("x-end", "1")], END_STREAM),
            ]
            .concat()
        };
        let upstream = H2Upstream::start(move |peer, request| {
            if request.ended {
                peer.send(answer(request.stream));
            }
        });
        let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
        let proxy = Proxy::start(program, &front_proxy(&log, "", HTTP2), &values);
        let mut client = H2Client::open(proxy.port("listener"));
        let request = [headers(1, &POST, 0), data(1, "body", END_STREAM)].concat();
        client.send(&request);
        assert_eq!(client.outcome(1).body, b"hello", "{program}");
        let line = ringmain_tests::wait::eventually("a log line", || {
            Some(proxy.file("access.log")).filter(|log| !log.is_empty())
        });
        let sent = bytes(&client.frames, 1);
        let upstream_sent = bytes(&upstream.connections()[0], 1);
        let expected = format!("{} {sent} {upstream_sent} {}\n", request.len(), answer(1).len());
        assert_eq!(line, expected, "{program}");
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

#[test]
fn a_listener_of_one_version_refuses_the_other() {
    for program in both() {
        let rig = Rig::with(program, vec![ok()], "\ncodec_type: HTTP1", "");
        let mut client = Client::connect(rig.port());
        client.send([PREFACE, &settings(&[])].concat());
        assert_eq!(client.read_response().map(|it| it.status()), Ok(Some(400)), "{program}");
        let rig = Rig::with(program, vec![ok()], "\ncodec_type: HTTP2", "");
        let mut client = Client::connect(rig.port());
        client.send(HTTP1_GET);
        let (bytes, _) = client.read_to_end();
        assert!(!bytes.starts_with(b"HTTP/1"), "{program}: {}", bytes.escape_ascii());
        rig.wait_for_stat("http.ingress.downstream_cx_protocol_error", 1);
        rig.assert_served();
    }
}

#[test]
fn a_drain_says_goodbye() {
    for program in Program::ringmains() {
        let mut rig = Rig::start(program, vec![ok()]);
        let mut client = H2Client::open(rig.port());
        client.request(1, &GET);
        assert_eq!(client.outcome(1).status(), Some(200), "{program}");
        rig.proxy.terminate();
        assert_eq!(client.goaway(), Some(code::NO_ERROR), "{program}");
        drop(client);
        assert!(rig.proxy.wait_exit().success(), "{program}");
    }
}

#[test]
fn a_head_that_never_ends_is_cut_off() {
    const CONTINUATION: u8 = 9;
    for program in Program::ringmains() {
        let rig = Rig::with(program, vec![ok()], "request_headers_timeout: 1s", "");
        let mut client = H2Client::open(rig.port());
        client.request(1, &GET);
        assert_eq!(client.outcome(1).status(), Some(200), "{program}");
        // No END_HEADERS, neither here nor there.
        client.send(frame(kind::HEADERS, 0, 3, b"\x82\x86\x84\x41\x01a"));
        client.send(frame(CONTINUATION, 0, 3, b"\x00\x01b\x01c"));
        assert_eq!(client.goaway(), Some(ENHANCE_YOUR_CALM), "{program}");
        rig.wait_for_stat("http.ingress.downstream_rq_header_timeout", 1);
        rig.assert_served();
    }
}
