//! Upstreams that speak HTTP/2: what is sent on which stream, and what becomes of requests when a
//! stream or a connection ends early.

use std::time::Duration;

use ringmain_tests::client::Client;
use ringmain_tests::h2_client::{self, H2Client};
use ringmain_tests::h2_frame::{
    END_STREAM, Frame, code, data, goaway, headers, kind, reset, settings, window_update,
};
use ringmain_tests::h2_upstream::{H2Upstream, HTTP2, Opening, Peer, Request};
use ringmain_tests::message::Message;
use ringmain_tests::normalize;
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy};
use ringmain_tests::wait::eventually;

const GET: &str = "GET / HTTP/1.1\r\nhost: a.example\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 2\r\n\r\nhi";
const OK: &[(&str, &str)] = &[(":status", "200"), ("content-length", "2")];

/// Between two frames that are to arrive one after the other.
const PAUSE: Duration = Duration::from_millis(50);

/// `200` with a body of two bytes, once the request has ended.
fn ok(peer: &mut Peer, request: &Request) {
    if request.ended {
        peer.send(headers(request.stream, OK, 0));
        peer.send(data(request.stream, "ok", END_STREAM));
    }
}

/// A proxy before one scripted upstream.
struct Rig {
    proxy: Proxy,
    upstream: H2Upstream,
}

impl Rig {
    fn start(
        program: Program,
        script: impl Fn(&mut Peer, &Request) + Send + Sync + 'static,
    ) -> Self {
        Self::before(program, "", "", H2Upstream::start(script))
    }

    fn before(program: Program, hcm: &str, route: &str, upstream: H2Upstream) -> Self {
        Self::with(program, [hcm, route, HTTP2], upstream)
    }

    /// With further fields of the connection manager, the route's action and the cluster.
    fn with(program: Program, [hcm, route, cluster]: [&str; 3], upstream: H2Upstream) -> Self {
        let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
        Self { proxy: Proxy::start(program, &front_proxy(hcm, route, cluster), &values), upstream }
    }

    fn client(&self) -> Client {
        Client::connect(self.proxy.port("listener"))
    }

    /// A request on a connection of its own.
    fn ask(&self, request: &str) -> Message {
        let mut client = self.client();
        client.send(request);
        client.read_response().expect("an answer")
    }

    fn stat(&self, leaf: &str) -> u64 {
        self.proxy.admin().stat(&format!("cluster.backend.{leaf}"))
    }

    #[track_caller]
    fn wait_for(&self, leaf: &str, value: u64) {
        self.proxy.admin().wait_for_stat(&format!("cluster.backend.{leaf}"), value);
    }

    /// Waits until nothing is under way any more.
    fn settle(&self) {
        for gauge in ["upstream_rq_active", "upstream_rq_pending_active"] {
            self.wait_for(gauge, 0);
        }
    }

    /// Requests by connection.
    fn requests(&self) -> Vec<usize> {
        let requests =
            |frames: &Vec<Frame>| frames.iter().filter(|it| it.kind == kind::HEADERS).count();
        self.upstream.connections().iter().map(requests).collect()
    }
}

#[test]
fn requests_share_a_connection() {
    for program in Program::ringmains() {
        let rig = Rig::start(program, ok);
        for request in [GET, POST, GET] {
            let answer = rig.ask(request);
            assert_eq!(
                (answer.status(), answer.text().ends_with("ok")),
                (Some(200), true),
                "{program}"
            );
        }
        rig.settle();
        assert_eq!(rig.requests(), [3], "{program}");
        assert_eq!(rig.stat("upstream_cx_http2_total"), 1, "{program}");
        assert_eq!(rig.stat("upstream_cx_http1_total"), 0, "{program}");
        assert_eq!(rig.stat("upstream_rq_2xx"), 3, "{program}");
    }
}

#[test]
fn requests_at_once_are_streams_of_one_connection() {
    for program in Program::ringmains() {
        // The last of four answers all.
        let rig = Rig::start(program, |peer, request| {
            if request.number == 3 {
                for stream in [7, 5, 3, 1] {
                    peer.send(headers(stream, &[(":status", "204")], END_STREAM));
                }
            }
        });
        let mut clients: Vec<Client> = (0..4).map(|_| rig.client()).collect();
        clients.iter_mut().for_each(|client| client.send(GET));
        for client in &mut clients {
            assert_eq!(
                client.read_response().map(|answer| answer.status()),
                Ok(Some(204)),
                "{program}"
            );
        }
        assert_eq!(rig.requests(), [4], "{program}");
    }
}

#[test]
fn another_connection_opens_when_streams_run_out() {
    for program in Program::ringmains() {
        let opening = Opening { first: settings(&[(3, 1)]), polite: true };
        let upstream = H2Upstream::start_with(opening, |peer, request| {
            // The first request stays open.
            if request.number != 1 {
                ok(peer, request);
            }
        });
        let rig = Rig::before(program, "", "", upstream);
        assert_eq!(rig.ask(GET).status(), Some(200), "{program}");
        let mut held = rig.client();
        held.send(GET);
        rig.upstream.wait_for(kind::HEADERS, 2);
        assert_eq!(rig.ask(GET).status(), Some(200), "{program}");
        assert_eq!(rig.requests(), [2, 1], "{program}");
    }
}

#[test]
fn requests_at_once_open_no_more_connections_than_they_need() {
    let cluster = HTTP2.replace("{}", "{ max_concurrent_streams: 2 }");
    for program in Program::ringmains() {
        let upstream = H2Upstream::start(|_, _| {});
        let rig = Rig::with(program, ["", "", &cluster], upstream);
        let mut clients: Vec<Client> = (0..6).map(|_| rig.client()).collect();
        clients.iter_mut().for_each(|client| client.send(GET));
        rig.upstream.wait_for(kind::HEADERS, 6);
        assert_eq!(rig.requests(), [2, 2, 2], "{program}");
        assert_eq!(rig.stat("upstream_cx_overflow"), 0, "{program}");
    }
}

#[test]
fn bodies_and_trailers_pass_both_ways() {
    const TRAILERS: &str = "http_protocol_options: { enable_trailers: true }";
    for program in Program::ringmains() {
        let upstream = H2Upstream::start(|peer, request| {
            if request.ended {
                peer.send(headers(request.stream, &[(":status", "200")], 0));
                for piece in request.body.chunks(16 * 1024) {
                    peer.send(data(request.stream, piece, 0));
                }
                peer.send(headers(request.stream, &[("x-sum", "1")], END_STREAM));
            }
        });
        let rig = Rig::before(program, TRAILERS, "", upstream);
        let body = vec![b'x'; 300 * 1024];
        let mut client = rig.client();
        client.send("POST / HTTP/1.1\r\nhost: a.example\r\nte: trailers\r\ntransfer-encoding: chunked\r\n\r\n");
        client.send(format!("{:x}\r\n", body.len()));
        client.send(&body);
        client.send("\r\n0\r\nx-end: 1\r\n\r\n");
        let answer = client.read_response().expect("an answer");
        assert_eq!((answer.status(), answer.body.len()), (Some(200), body.len()), "{program}");
        assert_eq!(answer.trailers, "x-sum: 1\r\n", "{program}");
        // The head and the trailers.
        assert_eq!(rig.upstream.count(kind::HEADERS), 2, "{program}");
    }
}

#[test]
fn a_client_that_leaves_resets_its_stream_alone() {
    for program in Program::ringmains() {
        let rig = Rig::start(program, |_, _| {});
        let (mut stays, mut leaves) = (rig.client(), rig.client());
        stays.send(GET);
        rig.upstream.wait_for(kind::HEADERS, 1);
        leaves.send(GET);
        rig.upstream.wait_for(kind::HEADERS, 2);
        drop(leaves);
        rig.upstream.wait_for(kind::RST_STREAM, 1);
        rig.upstream.send(headers(1, &[(":status", "204")], END_STREAM));
        assert_eq!(stays.read_response().map(|answer| answer.status()), Ok(Some(204)), "{program}");
        rig.settle();
        assert_eq!(rig.stat("upstream_cx_destroy"), 0, "{program}");
        assert_eq!(rig.stat("upstream_rq_cancelled"), 0, "{program}");
    }
}

/// The host takes two requests at once, and no second connection may be opened: a third one waits until
/// the client gives up one of them.
#[test]
fn a_reset_on_a_full_connection_makes_room_for_who_waits() {
    let breaker =
        format!("circuit_breakers: {{ thresholds: [{{ max_connections: 1 }}] }}\n{HTTP2}");
    for program in [Program::ringmains(), vec![Program::Envoy]].concat() {
        let opening = Opening { first: settings(&[(3, 2)]), polite: true };
        let upstream = H2Upstream::start_with(opening, |_, _| {});
        let rig = Rig::with(program, ["", "", &breaker], upstream);
        let mut client = H2Client::open(rig.proxy.port("listener"));
        client.request(1, &h2_client::GET);
        rig.upstream.wait_for(kind::HEADERS, 1);
        client.request(3, &h2_client::GET);
        rig.upstream.wait_for(kind::HEADERS, 2);
        client.request(5, &h2_client::GET);
        rig.wait_for("upstream_rq_pending_active", 1);
        client.send(reset(1, code::CANCEL));
        rig.upstream.wait_for(kind::HEADERS, 3);
        assert_eq!(rig.upstream.count(kind::RST_STREAM), 1, "{program}");
        for stream in [3, 5] {
            rig.upstream.send(headers(stream, OK, 0));
            rig.upstream.send(data(stream, "ok", END_STREAM));
            let outcome = client.outcome(stream);
            assert_eq!((outcome.ended, &outcome.body[..]), (true, &b"ok"[..]), "{program}");
        }
        rig.settle();
        rig.wait_for("http2.streams_active", 0);
        for (stat, value) in [
            ("upstream_cx_total", 1),
            ("upstream_cx_destroy", 0),
            ("upstream_rq_total", 3),
            ("upstream_rq_completed", 2),
            ("upstream_rq_tx_reset", 1),
            ("http2.tx_reset", 1),
        ] {
            assert_eq!(rig.stat(stat), value, "{program}: {stat}");
        }
        let admin = rig.proxy.admin();
        admin.wait_for_stat("http.ingress.downstream_rq_active", 0);
        assert_eq!(admin.stat("http.ingress.downstream_rq_rx_reset"), 1, "{program}");
        assert_eq!(admin.stat("http2.rx_reset"), 1, "{program}");
    }
}

/// One response that its client does not read takes up all that the connection may have on its way: the
/// others wait, until its client gives it up.
#[test]
fn a_reset_gives_its_part_of_the_connections_window_back() {
    const WINDOW: usize = 65_535;
    let windows = "{ initial_stream_window_size: 65535, initial_connection_window_size: 65535 }";
    let cluster = HTTP2.replace("{}", windows);
    for program in Program::ringmains() {
        let upstream = H2Upstream::start(|peer, request| {
            peer.send(headers(request.stream, &[(":status", "200")], 0));
            if request.number == 0 {
                let body = "a".repeat(WINDOW);
                body.as_bytes().chunks(16_384).for_each(|it| peer.send(data(1, it, 0)));
            }
        });
        let rig = Rig::with(program, ["", "", &cluster], upstream);
        // SETTINGS_INITIAL_WINDOW_SIZE.
        let mut client = H2Client::open_with(rig.proxy.port("listener"), &[(4, 0)]);
        client.request(1, &h2_client::GET);
        client.read_slowly_until(|it| it.kind == kind::HEADERS);
        rig.proxy.admin().wait_for_stat("cluster.backend.upstream_rq_active", 1);
        client.request(3, &h2_client::GET);
        client.read_slowly_until(|it| it.kind == kind::HEADERS);
        assert_eq!(rig.upstream.count(kind::WINDOW_UPDATE), 0, "{program}");
        client.send(reset(1, code::CANCEL));
        rig.upstream.wait_for(kind::WINDOW_UPDATE, 1);
        let body = "b".repeat(WINDOW);
        body.as_bytes().chunks(16_384).for_each(|it| rig.upstream.send(data(3, it, 0)));
        rig.upstream.send(data(3, "", END_STREAM));
        client.send(window_update(3, 65_535));
        assert_eq!(client.outcome(3).body.len(), WINDOW, "{program}");
        rig.settle();
    }
}

#[test]
fn a_request_that_was_refused_is_sent_again() {
    for program in Program::ringmains() {
        let rig = Rig::start(program, |peer, request| match request.number {
            0 if request.ended => peer.send(reset(request.stream, code::REFUSED_STREAM)),
            _ => ok(peer, request),
        });
        assert_eq!(rig.ask(POST).status(), Some(200), "{program}");
        assert_eq!(rig.requests(), [2], "{program}");
        assert_eq!(rig.stat("upstream_rq_replayed"), 1, "{program}");
    }
}

#[test]
fn streams_before_a_goaway_finish_and_later_ones_go_elsewhere() {
    for program in Program::ringmains() {
        let rig = Rig::start(program, |peer, request| match request.number {
            0 => {}
            1 => {
                peer.send(goaway(1, code::NO_ERROR));
                peer.send(headers(1, &[(":status", "204")], END_STREAM));
            }
            _ => ok(peer, request),
        });
        let (mut first, mut second) = (rig.client(), rig.client());
        first.send(GET);
        rig.upstream.wait_for(kind::HEADERS, 1);
        second.send(GET);
        assert_eq!(first.read_response().map(|answer| answer.status()), Ok(Some(204)), "{program}");
        assert_eq!(
            second.read_response().map(|answer| answer.status()),
            Ok(Some(200)),
            "{program}"
        );
        assert_eq!(rig.requests(), [2, 1], "{program}");
        rig.wait_for("upstream_cx_close_notify", 1);
        rig.wait_for("upstream_cx_active", 1);
    }
}

#[test]
fn a_connection_ends_after_its_last_request() {
    let cluster =
        format!("{HTTP2}    common_http_protocol_options: {{ max_requests_per_connection: 2 }}\n");
    for program in Program::ringmains() {
        let rig = Rig::with(program, ["", "", &cluster], H2Upstream::start(ok));
        for _ in 0..3 {
            assert_eq!(rig.ask(GET).status(), Some(200), "{program}");
        }
        assert_eq!(rig.requests(), [2, 1], "{program}");
        rig.wait_for("upstream_cx_max_requests", 1);
        rig.wait_for("upstream_cx_active", 1);
    }
}

#[test]
fn an_idle_connection_is_closed() {
    let cluster = format!("{HTTP2}    common_http_protocol_options: {{ idle_timeout: 0.1s }}\n");
    for program in Program::ringmains() {
        let rig = Rig::with(program, ["", "", &cluster], H2Upstream::start(ok));
        assert_eq!(rig.ask(GET).status(), Some(200), "{program}");
        rig.wait_for("upstream_cx_active", 0);
        rig.wait_for("upstream_cx_idle_timeout", 1);
        rig.upstream.wait_for(kind::GOAWAY, 1);
    }
}

#[test]
fn a_connection_that_dies_ends_all_its_streams() {
    for program in Program::ringmains() {
        let rig = Rig::start(program, |peer, request| {
            if request.number == 7 {
                peer.abort();
            }
        });
        let mut clients: Vec<Client> = (0..8).map(|_| rig.client()).collect();
        clients.iter_mut().for_each(|client| client.send(POST));
        for client in &mut clients {
            let answer = client.read_response().expect("an answer");
            assert_eq!(answer.status(), Some(503), "{program}");
        }
        rig.settle();
        rig.wait_for("upstream_cx_active", 0);
        rig.wait_for("upstream_cx_destroy_with_active_rq", 1);
    }
}

#[test]
fn an_upstream_without_settings_serves() {
    for program in Program::ringmains() {
        let opening = Opening { first: Vec::new(), polite: false };
        let rig = Rig::before(
            program,
            "",
            "",
            H2Upstream::start_with(opening, |peer, request| {
                if request.ended {
                    peer.send(settings(&[]));
                    ok(peer, request);
                }
            }),
        );
        assert_eq!(rig.ask(GET).status(), Some(200), "{program}");
    }
}

#[test]
fn a_window_that_never_opens_ends_with_the_time_limit() {
    const LIMIT: &str = "stream_idle_timeout: 0.3s";
    for program in Program::ringmains() {
        let opening = Opening { first: settings(&[]), polite: false };
        let rig = Rig::before(program, LIMIT, "", H2Upstream::start_with(opening, |_, _| {}));
        let mut client = rig.client();
        client.send("POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 1048576\r\n\r\n");
        client.send(vec![b'x'; 1024 * 1024]);
        let (answer, _) = client.read_to_end();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(
            answer.starts_with("HTTP/1.1 408 ") || answer.starts_with("HTTP/1.1 504 "),
            "{program}: {answer}"
        );
        rig.upstream.wait_for(kind::RST_STREAM, 1);
        rig.settle();
    }
}

#[test]
fn a_response_may_come_before_the_request_has_ended() {
    for program in Program::ringmains() {
        let rig = Rig::start(program, |peer, request| {
            if !request.ended && request.body.is_empty() {
                peer.send(headers(request.stream, OK, 0));
                peer.send(data(request.stream, "ok", END_STREAM));
                peer.send(reset(request.stream, code::NO_ERROR));
            }
        });
        let mut client = rig.client();
        client.send("POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 9\r\n\r\nhalf");
        assert_eq!(
            client.read_response().map(|answer| answer.status()),
            Ok(Some(200)),
            "{program}"
        );
        rig.settle();
    }
}

/// The beginning of what would be a response of its own to an HTTP/1 client.
const SMUGGLED: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nEVIL";

/// RFC 9110 §6.4.1: what a response without a body has for one reaches nobody.
#[test]
fn content_of_a_response_that_has_none_is_not_passed_on() {
    for program in Program::ringmains() {
        for (status, method) in [("204", "GET"), ("304", "GET"), ("200", "HEAD")] {
            for pause in [Duration::ZERO, PAUSE] {
                let rig = Rig::start(program, move |peer, request| {
                    peer.send(headers(request.stream, &[(":status", status)], 0));
                    std::thread::sleep(pause);
                    peer.send(data(request.stream, SMUGGLED, END_STREAM));
                });
                let mut client = rig.client();
                client.send(format!(
                    "{method} / HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n"
                ));
                let (received, _) = client.read_to_end();
                let received = String::from_utf8_lossy(&received);
                assert!(received.starts_with("HTTP/1.1 "), "{program}, {status}: {received}");
                assert!(!received.contains("EVIL"), "{program}, {status}: {received}");
                rig.settle();
            }
        }
    }
}

/// RFC 9110 §8.6, RFC 9113 §8.1.1.
#[test]
fn responses_of_doubtful_length_are_refused() {
    let cases: [&[(&str, &str)]; 5] = [
        &[(":status", "200"), ("content-length", "")],
        &[(":status", "200"), ("content-length", "+2")],
        &[(":status", "200"), ("content-length", "02")],
        &[(":status", "200"), ("content-length", "2"), ("content-length", "2")],
        &[(":status", "204"), ("content-length", "2")],
    ];
    for program in Program::ringmains() {
        for fields in cases {
            let rig = Rig::start(program, move |peer, request| {
                peer.send(headers(request.stream, fields, 0));
                peer.send(data(request.stream, "ok", END_STREAM));
            });
            assert_eq!(rig.ask(GET).status(), Some(502), "{program}, {fields:?}");
            rig.settle();
        }
    }
}

/// `max_headers_count`, which counts `:status`.
#[test]
fn responses_with_too_many_fields_are_as_envoys() {
    compare(
        "too many fields",
        "",
        &Opening::default(),
        |peer, request| {
            let fields = [&[(":status", "200")][..], &[("x", "y"); 100]].concat();
            peer.send(headers(request.stream, &fields, END_STREAM));
        },
        &[GET],
    );
}

/// What a client saw, and what the cluster counted.
fn outcome(
    program: Program,
    route: &str,
    opening: &Opening,
    script: fn(&mut Peer, &Request),
    requests: &[&str],
) -> String {
    const COUNTED: [&str; 20] = [
        "upstream_cx_total",
        "upstream_cx_http2_total",
        "upstream_cx_active",
        "upstream_cx_destroy",
        "upstream_cx_destroy_local",
        "upstream_cx_destroy_local_with_active_rq",
        "upstream_cx_destroy_remote",
        "upstream_cx_destroy_remote_with_active_rq",
        "upstream_cx_destroy_with_active_rq",
        "upstream_cx_close_notify",
        "upstream_cx_protocol_error",
        "upstream_rq_total",
        "upstream_rq_2xx",
        "upstream_rq_5xx",
        "upstream_rq_active",
        "upstream_rq_cancelled",
        "upstream_rq_retry",
        "upstream_rq_rx_reset",
        "upstream_rq_tx_reset",
        "upstream_rq_timeout",
    ];
    const LOG: &str = r#"access_log:
- name: file
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
    path: "{{scratch}}/access.log"
    log_format: { text_format_source: { inline_string: "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %UPSTREAM_PROTOCOL% %BYTES_RECEIVED% %BYTES_SENT%\n" } }
"#;
    let upstream = H2Upstream::start_with(opening.clone(), script);
    let rig = Rig::before(program, LOG, route, upstream);
    let mut text = String::new();
    for request in requests {
        let mut client = rig.client();
        client.send(request);
        let answer = match client.read_response() {
            Ok(answer) => answer.to_string(),
            Err(end) => format!("{end}\n"),
        };
        text += &normalize::headers(&answer);
    }
    rig.settle();
    for leaf in COUNTED {
        text += &format!("{leaf}: {}\n", rig.stat(leaf));
    }
    let lines = eventually("the access log", || {
        let lines = rig.proxy.file("access.log");
        (lines.lines().count() == requests.len()).then_some(lines)
    });
    text + &lines
}

/// The same through Envoy and through ringmain.
fn compare(
    name: &str,
    route: &str,
    opening: &Opening,
    script: fn(&mut Peer, &Request),
    requests: &[&str],
) {
    let expected = outcome(Program::Envoy, route, opening, script, requests);
    for program in Program::ringmains() {
        let seen = outcome(program, route, opening, script, requests);
        assert!(seen == expected, "{name}: {program}\n--- envoy\n{expected}\n--- ringmain\n{seen}");
    }
}

#[test]
fn responses_are_as_envoys() {
    let opening = Opening::default();
    compare("ok", "", &opening, ok, &[GET, POST, GET]);
    compare(
        "without a body",
        "",
        &opening,
        |peer, request| {
            let status = if request.number == 0 { "204" } else { "200" };
            peer.send(headers(request.stream, &[(":status", "100")], 0));
            peer.send(headers(request.stream, &[(":status", status), ("x-a", "b")], END_STREAM));
        },
        &[GET, GET],
    );
    compare(
        "trailers-only",
        "",
        &opening,
        |peer, request| {
            let fields =
                [(":status", "200"), ("content-type", "application/grpc"), ("grpc-status", "5")];
            peer.send(headers(request.stream, &fields, END_STREAM));
        },
        &[GET],
    );
}

/// The `h2` crate takes them away and shows nobody, so they reach no client; Envoy resets the stream.
#[test]
fn pseudo_headers_where_none_belong_are_taken_away() {
    const ASK: [&str; 1] = ["GET / HTTP/1.1\r\nhost: a.example\r\nte: trailers\r\n\r\n"];
    let in_head: fn(&mut Peer, &Request) = |peer, request| {
        let fields = [(":status", "200"), (":path", "/x"), ("x-a", "b")];
        peer.send(headers(request.stream, &fields, END_STREAM));
    };
    let in_trailers: fn(&mut Peer, &Request) = |peer, request| {
        peer.send(headers(request.stream, &[(":status", "200")], 0));
        peer.send(data(request.stream, "ok", 0));
        peer.send(headers(request.stream, &[(":status", "500"), ("x-a", "b")], END_STREAM));
    };
    let opening = Opening::default();
    for script in [in_head, in_trailers] {
        let refused = outcome(Program::Envoy, "", &opening, script, &ASK);
        assert!(refused.contains("upstream_rq_tx_reset: 1\n"), "{refused}");
        for program in Program::ringmains() {
            let taken = outcome(program, "", &opening, script, &ASK);
            assert!(taken.starts_with("HTTP/1.1 200 OK\n"), "{program}: {taken}");
            assert!(!taken.contains("/x") && !taken.contains("500"), "{program}: {taken}");
            assert!(taken.contains("200 - via_upstream HTTP/2"), "{program}: {taken}");
        }
    }
}

#[test]
fn resets_are_answered_as_envoy_does() {
    let opening = Opening::default();
    compare(
        "reset before the head",
        "",
        &opening,
        |peer, request| peer.send(reset(request.stream, code::INTERNAL_ERROR)),
        &[GET],
    );
    compare(
        "reset behind the head",
        "",
        &opening,
        |peer, request| {
            peer.send(headers(request.stream, &[(":status", "200")], 0));
            std::thread::sleep(PAUSE);
            peer.send(reset(request.stream, code::INTERNAL_ERROR));
        },
        &[GET],
    );
    compare(
        "reset at once behind the head",
        "",
        &opening,
        |peer, request| {
            let head = headers(request.stream, &[(":status", "200")], 0);
            peer.send([head, reset(request.stream, code::INTERNAL_ERROR)].concat());
        },
        &[GET],
    );
    compare(
        "refused and sent again",
        "retry_policy: { retry_on: refused-stream }",
        &opening,
        |peer, request| match request.number {
            0 => peer.send(reset(request.stream, code::REFUSED_STREAM)),
            _ => ok(peer, request),
        },
        &[GET],
    );
    compare("timeout", "timeout: 0.2s", &opening, |_, _| {}, &[GET]);
}

#[test]
fn broken_connections_are_answered_as_envoy_does() {
    let opening = Opening::default();
    compare("closed before the head", "", &opening, |peer, _| peer.close(), &[GET]);
    compare(
        "closed behind the head",
        "",
        &opening,
        |peer, request| {
            peer.send(headers(request.stream, &[(":status", "200")], 0));
            std::thread::sleep(PAUSE);
            peer.close();
        },
        &[GET],
    );
    compare(
        "closed at once behind the head",
        "",
        &opening,
        |peer, request| {
            peer.send(headers(request.stream, &[(":status", "200")], 0));
            peer.close();
        },
        &[GET],
    );
    let http1 = Opening { first: b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), polite: false };
    compare("HTTP/1", "", &http1, |_, _| {}, &[GET]);
}
