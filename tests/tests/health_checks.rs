//! Active health checks end to end: what waits for them, what they take out, and the protocols that
//! scripts byte by byte do not reach.

use std::net::TcpStream;
use std::thread;

use ringmain_tests::client::Client;
use ringmain_tests::h2_frame::{END_HEADERS, END_STREAM, code, data, headers, reset};
use ringmain_tests::h2_upstream::{H2Upstream, HTTP2};
use ringmain_tests::port;
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy};
use ringmain_tests::upstream::{Act, Upstream, ok, reply};
use ringmain_tests::wait::eventually;

const GET: &str = "GET / HTTP/1.1\r\nhost: a.example\r\n\r\n";

/// A cluster's `health_checks` with this pause while all is well.
fn checks(pause: &str, checker: &str) -> String {
    format!(
        "health_checks:\n- {{ timeout: 60s, interval: 60s, no_traffic_interval: 0.02s, no_traffic_healthy_interval: {pause}, unhealthy_threshold: 2, healthy_threshold: 2, {checker} }}\n"
    )
}

const HTTP: &str = "http_health_check: { path: /health }";

fn values(port: u16) -> Values {
    Values::from([("upstream".into(), port.to_string())])
}

fn status_of(proxy: &Proxy) -> Option<u16> {
    let mut client = Client::connect(proxy.port("listener"));
    client.send(GET);
    client.read_response().expect("a response").status()
}

/// `health_flags` of the one host.
fn flags(proxy: &Proxy) -> String {
    let clusters = proxy.admin().get("/clusters").text();
    let row = clusters.lines().find_map(|row| row.split_once("::health_flags::"));
    row.expect("a host").1.to_owned()
}

#[test]
fn listeners_open_when_every_host_has_been_checked() {
    for program in [Program::Envoy].into_iter().chain(Program::ringmains()) {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec();
        let first = vec![Act::ReadBody, Act::AwaitRelease, Act::Send(answer)];
        let upstream = Upstream::start(vec![first, ok()]);
        let listener = port::free();
        let mut values = values(upstream.address().port());
        values.insert("listener".into(), listener.to_string());
        thread::scope(|scope| {
            let starting = scope.spawn(|| {
                Proxy::start(program, &front_proxy("", "", &checks("60s", HTTP)), &values)
            });
            upstream.wait_for_requests(1);
            let early = TcpStream::connect(("127.0.0.1", listener));
            // Envoy binds at once; nothing is answered either way.
            assert!(early.is_err() || !starting.is_finished(), "{program}");
            upstream.release();
            let proxy = starting.join().expect("the proxy starts");
            assert_eq!(status_of(&proxy), Some(200), "{program}");
        });
    }
}

#[test]
fn a_response_can_take_its_host_out_at_once() {
    for program in [Program::Envoy].into_iter().chain(Program::ringmains()) {
        let leaving = reply(
            "HTTP/1.1 200 OK\r\nx-envoy-immediate-health-check-fail: true\r\ncontent-length: 2\r\n\r\nok",
        );
        let upstream = Upstream::start(vec![ok(), leaving, ok()]);
        let config = front_proxy("", "", &checks("60s", HTTP));
        let proxy = Proxy::start(program, &config, &values(upstream.address().port()));
        assert_eq!(status_of(&proxy), Some(200), "{program}");
        let out = "/failed_active_hc/excluded_via_immediate_hc_fail";
        eventually("the host to be out", || (flags(&proxy) == out).then_some(()));
        proxy.admin().wait_for_stat("cluster.backend.health_check.passive_failure", 1);
        proxy.admin().wait_for_stat("cluster.backend.membership_healthy", 0);
        proxy.admin().wait_for_stat("cluster.backend.membership_excluded", 1);
    }
}

#[test]
fn all_hosts_go_down_and_come_back() {
    const FAST: &str = "health_checks:\n- { timeout: 60s, interval: 0.02s, no_traffic_interval: 0.02s, unhealthy_threshold: 1, healthy_threshold: 1, http_health_check: { path: / } }\ncommon_lb_config: { healthy_panic_threshold: { value: 0 } }\n";
    for program in Program::ringmains() {
        let bad = reply("HTTP/1.1 503 X\r\ncontent-length: 0\r\n\r\n");
        let mut script = vec![ok()];
        for _ in 0..20 {
            script.extend([bad.clone(), bad.clone(), ok(), ok()]);
        }
        let upstream = Upstream::start(script);
        let proxy =
            Proxy::start(program, &front_proxy("", "", FAST), &values(upstream.address().port()));
        upstream.wait_for_requests(81);
        proxy.admin().wait_for_stat("cluster.backend.membership_healthy", 1);
        assert_eq!(status_of(&proxy), Some(200), "{program}");
        assert_eq!(proxy.admin().stat("cluster.backend.health_check.failure"), 40, "{program}");
    }
}

/// What HTTP/2 answers, as frames on a stream.
type Answer = fn(u32) -> Vec<u8>;

/// How many checks of a host that answers so succeed and fail, and the frames of the first request.
#[track_caller]
fn asked_by_http2(checker: &str, answer: Answer, success: u64, failure: u64) -> Vec<u8> {
    let mut first = Vec::new();
    for program in [Program::Envoy].into_iter().chain(Program::ringmains()) {
        let upstream = H2Upstream::start(move |peer, request| {
            if request.ended {
                peer.send(answer(request.stream));
            }
        });
        let config = front_proxy("", "", &format!("{HTTP2}{}", checks("60s", checker)));
        let config = config.replace("no_traffic_interval: 0.02s", "no_traffic_interval: 60s");
        let proxy = Proxy::start(program, &config, &values(upstream.address().port()));
        proxy.admin().wait_for_stat("cluster.backend.health_check.success", success);
        proxy.admin().wait_for_stat("cluster.backend.health_check.failure", failure);
        let connections = upstream.connections();
        let body = connections[0].iter().filter(|frame| frame.kind == 0);
        let body: Vec<u8> = body.flat_map(|frame| frame.payload.clone()).collect();
        if program == Program::Envoy {
            first = body;
        } else {
            assert_eq!(body, first, "{program}");
        }
    }
    first
}

const WHOLE: u8 = END_STREAM | END_HEADERS;

#[test]
fn http2_is_asked_and_answers() {
    let checker = "http_health_check: { path: /, codec_client_type: HTTP2 }";
    asked_by_http2(checker, |stream| headers(stream, &[(":status", "200")], WHOLE), 1, 0);
    asked_by_http2(checker, |stream| headers(stream, &[(":status", "503")], WHOLE), 0, 1);
    asked_by_http2(checker, |stream| reset(stream, code::REFUSED_STREAM), 0, 1);
}

#[test]
fn grpc_is_asked_for_its_service() {
    let checker = "grpc_health_check: { service_name: web, initial_metadata: [{ header: { key: x-a, value: b } }] }";
    const HEAD: &[(&str, &str)] = &[(":status", "200"), ("content-type", "application/grpc")];
    let asked = asked_by_http2(
        checker,
        |stream| {
            let head = headers(stream, HEAD, END_HEADERS);
            let message = data(stream, [0, 0, 0, 0, 2, 8, 1], 0);
            [head, message, headers(stream, &[("grpc-status", "0")], WHOLE)].concat()
        },
        1,
        0,
    );
    assert_eq!(asked, [0, 0, 0, 0, 5, 10, 3, b'w', b'e', b'b']);
    let refusals: [Answer; 4] = [
        |stream| {
            let head = headers(stream, HEAD, END_HEADERS);
            let message = data(stream, [0, 0, 0, 0, 2, 8, 2], 0);
            [head, message, headers(stream, &[("grpc-status", "0")], WHOLE)].concat()
        },
        |stream| {
            let head = headers(stream, HEAD, END_HEADERS);
            let message = data(stream, [0, 0, 0, 0, 2, 8, 1], 0);
            [head, message, headers(stream, &[("grpc-status", "14")], WHOLE)].concat()
        },
        |stream| headers(stream, &[HEAD, &[("grpc-status", "12")]].concat(), WHOLE),
        |stream| headers(stream, &[(":status", "404")], WHOLE),
    ];
    for refusal in refusals {
        asked_by_http2(checker, refusal, 0, 1);
    }
}
