//! Connections: how long they live and what closes them.

use ringmain_tests::client::Step;
use ringmain_tests::parity::{Case, case, compare};
use ringmain_tests::upstream::{Act, ok, reply};

use crate::GET;

const CLOSE: &str = "GET /last HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n";
const HTTP_10: &str = "GET / HTTP/1.0\r\nhost: a.example\r\n\r\n";
const HTTP_10_KEPT: &str = "GET / HTTP/1.0\r\nhost: a.example\r\nconnection: keep-alive\r\n\r\n";
const ACCEPT_10: &str = "http_protocol_options: { accept_http_10: true }";

#[test]
fn keep_alive() {
    compare(vec![
        case("one_get").ask(GET).shows("HTTP/1.1 200 OK").shows("body by length: \"ok\""),
        case("three_on_one").ask(GET).ask(GET).ask(GET).shows("three_on_one.downstream_cx_total: 1"),
        case("two_connections").ask(GET).step(Step::Reconnect).ask(GET).shows("-- next connection"),
        case("close_asked").ask(GET).ask(CLOSE).shows("connection: close").shows("[closed]"),
        case("close_in_capitals").ask(CLOSE.replace("close", "CLOSE")).shows("HTTP/1.1 200"),
        case("close_among_others").ask(CLOSE.replace("close", "foo, close")).shows("HTTP/1.1 200"),
        case("keep_alive_named").ask(CLOSE.replace("close", "keep-alive")).ask(GET).shows("HTTP/1.1 200"),
        case("proxy_connection_close")
            .ask("GET / HTTP/1.1\r\nhost: a\r\nproxy-connection: close\r\n\r\n")
            .shows("HTTP/1.1 200"),
        case("closed_after_n")
            .hcm("common_http_protocol_options: { max_requests_per_connection: 2 }")
            .ask(GET)
            .ask(GET)
            .shows("connection: close")
            .shows("downstream_cx_max_requests_reached: 1"),
        case("upstream_closed_after_n")
            .cluster(
                r#"
                typed_extension_protocol_options:
                  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
                    "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
                    common_http_protocol_options: { max_requests_per_connection: 1 }
                    explicit_http_config: { http_protocol_options: {} }
                "#,
            )
            .ask(GET)
            .ask(GET)
            .shows("-- connection 2"),
        case("upstream_says_close")
            .upstream(reply("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"))
            .ask(GET)
            .ask(GET)
            .hides("connection: close")
            .shows("-- connection 2"),
        case("upstream_speaks_http_10")
            .upstream(reply("HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok"))
            .ask(GET)
            .ask(GET)
            .shows("-- connection 2"),
        case("upstream_keeps_http_10")
            .upstream(reply("HTTP/1.0 200 OK\r\ncontent-length: 2\r\nconnection: keep-alive\r\n\r\nok"))
            .ask(GET)
            .ask(GET)
            .shows("HTTP/1.1 200 OK"),
    ]);
}

#[test]
fn pipelining() {
    let post = "POST /b HTTP/1.1\r\nhost: a.example\r\ncontent-length: 3\r\n\r\nabc";
    let chunked = "POST /c HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\n3\r\nxyz\r\n0\r\n\r\n";
    compare(vec![
        case("two_at_once").send(format!("{GET}{GET}")).read().read().shows("downstream_rq_total: 2"),
        case("bodies_between")
            .send(format!("{GET}{post}{chunked}{GET}"))
            .read()
            .read()
            .read()
            .read()
            .shows("\"xyz\"")
            .shows("downstream_rq_total: 4"),
        case("nothing_after_close").send(format!("{CLOSE}{GET}")).read().shows("downstream_rq_total: 1"),
        case("split_requests")
            .send_pieces(&["GET / HT", "TP/1.1\r\nhost: a.exa", "mple\r", "\n\r", "\nGET /2 HTTP/1.1\r\nhost: b\r\n\r\n"])
            .read()
            .read()
            .shows("GET /2 HTTP/1.1"),
        case("empty_line_before").ask(format!("\r\n{GET}")).shows("HTTP/1.1 200"),
        case("mixed_replies")
            .routes("- match: { path: /direct }\n  direct_response: { status: 200, body: { inline_string: hi } }\n- match: { prefix: / }\n  route: { cluster: '{{cluster}}' }")
            .ask(GET)
            .ask(GET.replace("GET / ", "GET /direct "))
            .ask(GET)
            .shows("\"hi\""),
    ]);
}

#[test]
fn http_10() {
    compare(vec![
        case("refused_by_default").ask(HTTP_10).shows("HTTP/1.1 426 Upgrade Required").shows("low_version"),
        case("closed_by_default").hcm(ACCEPT_10).ask(HTTP_10).shows("HTTP/1.0 200 OK").step(Step::ReadToEnd),
        case("kept_when_asked").hcm(ACCEPT_10).ask(HTTP_10_KEPT).ask(HTTP_10_KEPT).shows("downstream_rq_total: 2"),
        case("without_host").hcm(ACCEPT_10).ask("GET / HTTP/1.0\r\n\r\n").shows("missing_host_header"),
        case("default_host")
            .hcm("http_protocol_options: { accept_http_10: true, default_host_for_http_10: old.example }")
            .ask("GET / HTTP/1.0\r\n\r\n")
            .step(Step::ReadToEnd)
            .shows("host: old.example"),
        case("chunked_reply_to_10")
            .hcm(ACCEPT_10)
            .upstream(reply("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"))
            .send(HTTP_10)
            .read()
            .shows("\"abcde\""),
        case("local_reply_to_10")
            .hcm(ACCEPT_10)
            .routes("- match: { prefix: / }\n  direct_response: { status: 200, body: { inline_string: hi } }")
            .ask(HTTP_10)
            .step(Step::ReadToEnd)
            .shows("\"hi\""),
    ]);
}

/// A client that has got a part of its response, and an upstream that says nothing more.
fn half_response(name: &'static str) -> Case {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n";
    case(name)
        .upstream(vec![Act::ReadBody, Act::Send(head.as_bytes().to_vec()), Act::Stall])
        .send(GET)
        .step(Step::ReadHead)
        .step(Step::ReadBytes(8))
        .shows("details downstream_remote_disconnect")
}

#[test]
fn endings() {
    compare(vec![
        case("half_close_before_any").step(Step::HalfClose).step(Step::ReadToEnd).shows("[closed]"),
        case("half_close_in_head")
            .send("GET / HTTP/1.1\r\nhost")
            .step(Step::HalfClose)
            .step(Step::ReadToEnd)
            .shows("[closed]"),
        case("reset_while_idle")
            .ask(GET)
            .step(Step::Reset)
            .ask(GET)
            .shows("downstream_cx_total: 2"),
        half_response("half_close_inside_response")
            .step(Step::HalfClose)
            .step(Step::ReadToEnd)
            .shows("200 DC"),
        half_response("close_inside_response").step(Step::Reconnect).shows("200 DC"),
        half_response("reset_inside_response").step(Step::Reset).shows("200 DC"),
        case("reset_before_response")
            .upstream(vec![Act::ReadBody, Act::Stall])
            .send_pieces(&[GET, ""])
            .step(Step::Reset)
            .shows("upstream_cx_destroy_local_with_active_rq: 1")
            .shows("downstream_rq_rx_reset: 1"),
        case("half_close_before_response")
            .upstream(vec![Act::ReadBody, Act::Stall])
            .send_pieces(&[GET, ""])
            .step(Step::HalfClose)
            .step(Step::ReadToEnd)
            .shows("downstream_cx_destroy_remote_active_rq: 1"),
        case("slow_upstream_reply")
            .upstream(vec![
                Act::ReadBody,
                Act::Send(b"HTTP/1.1 200 OK\r\nconte".to_vec()),
                Act::Send(b"nt-length: 4\r\n\r\nab".to_vec()),
                Act::Send(b"cd".to_vec()),
            ])
            .upstream(ok())
            .ask(GET)
            .ask(GET)
            .shows("\"abcd\""),
    ]);
}
