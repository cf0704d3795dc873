//! Upstreams that refuse, close, stall or talk nonsense, and the local replies that follow.

use ringmain_tests::client::Step;
use ringmain_tests::parity::{Case, case, compare};
use ringmain_tests::upstream::{Act, Reply, ok, reply};

use crate::GET;

const GRPC: &str = "POST /pkg.Service/Method HTTP/1.1\r\nhost: a.example\r\ncontent-type: application/grpc\r\n\
     te: trailers\r\ncontent-length: 0\r\n\r\n";

fn one_route(action: &str) -> String {
    format!("- match: {{ prefix: / }}\n  {action}")
}

/// A request to an upstream that answers with these bytes and closes.
fn answered(name: &'static str, bytes: impl AsRef<[u8]>) -> Case {
    case(name)
        .upstream(vec![Act::ReadBody, Act::Send(bytes.as_ref().to_vec()), Act::Close])
        .ask(GET)
}

#[test]
fn no_upstream() {
    compare(vec![
        case("refused")
            .routes(&one_route("route: { cluster: '{{refused}}' }"))
            .ask(GET)
            .ask(GET)
            .shows("HTTP/1.1 503 Service Unavailable")
            .shows("remote connection failure"),
        case("refused_post")
            .routes(&one_route("route: { cluster: '{{refused}}' }"))
            .ask("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc")
            .ask(GET)
            .shows("HTTP/1.1 503"),
        case("refused_head")
            .routes(&one_route("route: { cluster: '{{refused}}' }"))
            .send("HEAD / HTTP/1.1\r\nhost: a\r\n\r\n")
            .step(Step::ReadHead)
            .ask(GET)
            .shows("HTTP/1.1 503"),
        case("refused_grpc")
            .routes(&one_route("route: { cluster: '{{refused}}' }"))
            .ask(GRPC)
            .shows("grpc-status: 14"),
        case("nobody").routes(&one_route("route: { cluster: '{{empty}}' }")).ask(GET).ask(GET).shows("no healthy upstream"),
        case("nobody_grpc").routes(&one_route("route: { cluster: '{{empty}}' }")).ask(GRPC).shows("grpc-status: 14"),
        case("unknown_cluster")
            .route_config("validate_clusters: false")
            .routes(&one_route("route: { cluster: no_such }"))
            .ask(GET)
            .ask(GET)
            .shows("HTTP/1.1 503")
            .shows("cluster_not_found"),
        case("unknown_cluster_404")
            .route_config("validate_clusters: false")
            .routes(&one_route("route: { cluster: no_such, cluster_not_found_response_code: NOT_FOUND }"))
            .ask(GET)
            .shows("HTTP/1.1 404"),
        case("unknown_cluster_500")
            .route_config("validate_clusters: false")
            .routes(&one_route("route: { cluster: no_such, cluster_not_found_response_code: INTERNAL_SERVER_ERROR }"))
            .ask(GET)
            .shows("HTTP/1.1 500"),
    ]);
}

#[test]
fn broken_connections() {
    let closing: Reply = vec![Act::ReadBody, Act::Close];
    let resetting: Reply = vec![Act::ReadBody, Act::Reset];
    compare(vec![
        case("closed_before_reply")
            .upstream(closing.clone())
            .upstream(ok())
            .ask(GET)
            .ask(GET)
            .shows("connection termination"),
        case("closed_before_reply_post")
            .upstream(closing.clone())
            .ask("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc")
            .shows("connection termination"),
        case("closed_before_reply_grpc").upstream(closing).ask(GRPC).shows("grpc-status: 14"),
        case("reset_before_reply").upstream(resetting).ask(GET).shows("HTTP/1.1 503"),
        answered("closed_in_head", "HTTP/1.1 200 OK\r\nconte").shows("HTTP/1.1 502"),
        answered("closed_in_body", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc")
            .step(Step::ReadToEnd)
            .shows("upstream_reset_after_response_started"),
        answered(
            "closed_in_chunks",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabc",
        )
        .step(Step::ReadToEnd)
        .shows("upstream_reset_after_response_started"),
        case("broken_chunk_behind_a_good_one")
            .upstream(vec![
                Act::ReadBody,
                Act::Send(
                    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n".to_vec(),
                ),
                Act::Send(b"zz\r\n".to_vec()),
                Act::Stall,
            ])
            .ask(GET)
            .step(Step::ReadToEnd)
            .shows("upstream_cx_destroy_local_with_active_rq: 1"),
        answered("closed_after_reply", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
            .shows("\"ok\""),
        case("reset_in_body")
            .upstream(vec![
                Act::ReadBody,
                Act::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc".to_vec()),
                Act::Reset,
            ])
            .ask(GET)
            .step(Step::ReadToEnd)
            .shows("upstream_reset_after_response_started"),
        case("half_closed_by_upstream")
            .upstream(vec![
                Act::ReadBody,
                Act::Send(b"HTTP/1.1 200 OK\r\n\r\nabc".to_vec()),
                Act::HalfClose,
            ])
            .ask(GET)
            .shows("\"abc\""),
    ]);
}

#[test]
fn nonsense() {
    let bad = |name, bytes: &str| answered(name, bytes).shows("HTTP/1.1 50");
    compare(vec![
        bad("not_http", "hello there\r\n\r\n").shows("protocol error"),
        bad("bad_status", "HTTP/1.1 abc OK\r\ncontent-length: 0\r\n\r\n"),
        bad("bad_header_line", "HTTP/1.1 200 OK\r\nno colon here\r\n\r\n"),
        bad(
            "length_and_chunks",
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        bad("two_lengths", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"),
        bad("bad_length", "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\nab"),
        answered("odd_coding", "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nab")
            .shows("HTTP/1.1"),
        answered("body_with_204", "HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\nab")
            .shows("HTTP/1.1"),
        answered(
            "chunks_with_204",
            "HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
        )
        .shows("HTTP/1.1"),
        answered(
            "too_many_headers",
            format!("HTTP/1.1 200 OK\r\n{}content-length: 0\r\n\r\n", "x-a: b\r\n".repeat(101)),
        )
        .shows("HTTP/1.1"),
        answered(
            "long_header",
            format!("HTTP/1.1 200 OK\r\nx-a: {}\r\ncontent-length: 0\r\n\r\n", "v".repeat(70_000)),
        )
        .shows("HTTP/1.1"),
        case("reply_too_long")
            .upstream(reply("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok and more"))
            .upstream(ok())
            .ask(GET)
            .shows("\"ok\""),
    ]);
}

#[test]
fn timeouts() {
    let silent: Reply = vec![Act::ReadBody, Act::Stall];
    let stuck: Reply = vec![
        Act::ReadBody,
        Act::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc".to_vec()),
        Act::Stall,
    ];
    compare(vec![
        case("route_timeout")
            .routes(&one_route("route: { cluster: '{{cluster}}', timeout: 0.1s }"))
            .upstream(silent.clone())
            .upstream(ok())
            .ask(GET)
            .ask(GET)
            .shows("HTTP/1.1 504 Gateway Timeout")
            .shows("upstream request timeout")
            .shows("x-envoy-expected-rq-timeout-ms: 100"),
        case("route_timeout_grpc")
            .routes(&one_route("route: { cluster: '{{cluster}}', timeout: 0.1s }"))
            .upstream(silent.clone())
            .ask(GRPC)
            .shows("grpc-status:"),
        case("route_timeout_in_body")
            .routes(&one_route("route: { cluster: '{{cluster}}', timeout: 0.1s }"))
            .upstream(stuck.clone())
            .ask(GET)
            .step(Step::ReadToEnd)
            .shows("response_timeout"),
        case("stream_idle_in_reply")
            .hcm("stream_idle_timeout: 0.1s")
            .upstream(stuck)
            .ask(GET)
            .step(Step::ReadToEnd)
            .shows("stream_idle_timeout"),
        case("stream_idle_before_reply")
            .hcm("stream_idle_timeout: 0.1s")
            .upstream(silent.clone())
            .ask(GET)
            .shows("stream timeout"),
        case("route_idle_timeout")
            .routes(&one_route("route: { cluster: '{{cluster}}', idle_timeout: 0.1s }"))
            .upstream(silent)
            .ask(GET)
            .shows("stream timeout"),
        case("stream_idle_in_request")
            .hcm("stream_idle_timeout: 0.1s")
            .upstream(vec![Act::ReadBody])
            .send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nab")
            .read()
            .shows("HTTP/1.1 408"),
        case("request_timeout")
            .hcm("request_timeout: 0.1s")
            .upstream(vec![Act::ReadBody])
            .send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nab")
            .read()
            .shows("HTTP/1.1 408")
            .shows("request timeout"),
        case("request_headers_timeout")
            .hcm("request_headers_timeout: 0.1s")
            .send("GET / HTTP/1.1\r\nhos")
            .read()
            .shows("HTTP/1.1 408"),
        case("connection_idle_timeout")
            .hcm("common_http_protocol_options: { idle_timeout: 0.1s }")
            .ask(GET)
            .step(Step::ReadToEnd)
            .shows("downstream_cx_idle_timeout: 1"),
        case("max_stream_duration")
            .hcm("common_http_protocol_options: { max_stream_duration: 0.1s }")
            .upstream(vec![Act::ReadBody, Act::Stall])
            .ask(GET)
            .shows("HTTP/1.1 504"),
        case("max_connection_duration")
            .hcm("common_http_protocol_options: { max_connection_duration: 0.1s }\ndrain_timeout: 0.1s")
            .ask(GET)
            .step(Step::ReadToEnd)
            .shows("[closed]"),
    ]);
}
