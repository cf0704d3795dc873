//! Requests that get no further than the connection manager.

use std::fmt::Write;

use ringmain_tests::client::Step;
use ringmain_tests::parity::{Case, case, compare};

use crate::GET;

/// A request that Envoy refuses with this status and these details.
fn refused(name: &'static str, request: &str, status: &'static str, details: &'static str) -> Case {
    case(name).ask(request).shows(status).shows(details)
}

fn with_header(line: &str) -> String {
    format!("GET / HTTP/1.1\r\nhost: a.example\r\n{line}\r\n\r\n")
}

fn with_line(line: &str) -> String {
    format!("{line}\r\nhost: a.example\r\n\r\n")
}

fn post(headers: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nhost: a.example\r\n{headers}\r\n\r\n{body}")
}

#[test]
fn request_lines() {
    const BAD: &str = "HTTP/1.1 400 Bad Request";
    const CODEC: &str = "http1.codec_error";
    compare(vec![
        refused("garbage", "hello\r\n\r\n", BAD, CODEC),
        refused("odd_version", &with_line("GET / HTTP/1.x"), BAD, CODEC),
        refused("http_2_version", &with_line("GET / HTTP/2.0"), "HTTP/1.1", "details"),
        refused("http_1_2", &with_line("GET / HTTP/1.2"), "HTTP/1.1", "details"),
        refused("http_0_9", &with_line("GET / HTTP/0.9"), "HTTP/1.1", "details"),
        refused("lower_case_http", &with_line("GET / http/1.1"), BAD, CODEC),
        refused("method_with_at", &with_line("G@T / HTTP/1.1"), BAD, CODEC),
        refused("lower_case_method", &with_line("get / HTTP/1.1"), "HTTP/1.1", "details"),
        refused("space_in_target", &with_line("GET /a b HTTP/1.1"), "HTTP/1.1", "details"),
        refused("control_in_target", &with_line("GET /a\x01b HTTP/1.1"), "HTTP/1.1", "details"),
        refused("high_byte_in_target", &with_line("GET /\u{e9} HTTP/1.1"), "HTTP/1.1", "details"),
        refused("relative_target", &with_line("GET a HTTP/1.1"), "HTTP/1.1", "details"),
        refused(
            "star_options",
            &with_line("OPTIONS * HTTP/1.1"),
            "HTTP/1.1 404",
            "absolute_path_rejected",
        ),
        refused("star_get", &with_line("GET * HTTP/1.1"), "HTTP/1.1", "details"),
        refused("fragment", &with_line("GET /a#b HTTP/1.1"), BAD, "path_normalization_failed"),
        refused(
            "fragment_in_query",
            &with_line("GET /a?b#c HTTP/1.1"),
            BAD,
            "path_normalization_failed",
        ),
        refused(
            "connect",
            "CONNECT a.example:443 HTTP/1.1\r\nhost: a.example:443\r\n\r\n",
            "HTTP/1.1",
            "details",
        ),
        refused("trace", &with_line("TRACE / HTTP/1.1"), "HTTP/1.1", "details"),
        refused("leading_space", " GET / HTTP/1.1\r\nhost: a\r\n\r\n", BAD, CODEC),
        refused("tls_hello", "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", BAD, CODEC),
    ]);
}

#[test]
fn absolute_form() {
    let asking = |name, target: &str, host: &str| {
        case(name).ask(format!("GET {target} HTTP/1.1\r\nhost: {host}\r\n\r\n")).shows("HTTP/1.1")
    };
    compare(vec![
        asking("plain", "http://b.example/x?y", "b.example").shows("GET /x?y HTTP/1.1"),
        asking("with_port", "http://b.example:81/x", "b.example:81").shows("host: b.example:81"),
        asking("https_target", "https://b.example/x", "b.example").shows("host: b.example"),
        asking("no_path", "http://b.example", "b.example").shows("GET / HTTP/1.1"),
        asking("capital_scheme", "HTTP://b.example/x", "b.example").shows("HTTP/1.1 200"),
        asking("other_scheme", "ftp://b.example/x", "b.example").shows("http1.invalid_scheme"),
        asking("empty_authority", "http:///x", "b.example").shows("http1.invalid_url"),
        asking("not_allowed", "http://b.example/x", "b.example")
            .hcm("http_protocol_options: { allow_absolute_url: false }")
            .shows("absolute_path_rejected"),
        case("options_without_path")
            .ask("OPTIONS http://b.example HTTP/1.1\r\nhost: b.example\r\n\r\n")
            .shows("OPTIONS / HTTP/1.1"),
    ]);
}

#[test]
fn header_lines() {
    const BAD: &str = "HTTP/1.1 400 Bad Request";
    const CODEC: &str = "http1.codec_error";
    compare(vec![
        refused("no_host", "GET / HTTP/1.1\r\n\r\n", BAD, "missing_host_header"),
        refused("odd_host", "GET / HTTP/1.1\r\nhost: a b\r\n\r\n", "HTTP/1.1", "details"),
        refused("no_colon", &with_header("x-nothing"), BAD, CODEC),
        refused("space_before_colon", &with_header("x-a : 1"), BAD, CODEC),
        refused("empty_name", &with_header(": 1"), BAD, CODEC),
        refused("bad_name", &with_header("x@(a): 1"), BAD, CODEC),
        refused("nul_in_value", &with_header("x-a: 1\x002"), BAD, "http1.invalid_characters"),
        refused("control_in_value", &with_header("x-a: 1\x012"), "HTTP/1.1", "details"),
        refused("tab_in_value", &with_header("x-a: 1\t2"), "HTTP/1.1", "details"),
        refused("high_byte_in_value", &with_header("x-a: \u{e9}"), "HTTP/1.1 200", "x-a: "),
        refused("fold_at_once", "GET / HTTP/1.1\r\n x: 1\r\nhost: a\r\n\r\n", BAD, "details"),
        refused("spaces_round_value", &with_header("x-a:  \t 1 \t "), "HTTP/1.1 200", "x-a: 1\n"),
        refused("empty_value", &with_header("x-a:"), "HTTP/1.1 200", "x-a:"),
        case("underscore_allowed").ask(with_header("x_a: 1")).shows("x_a: 1"),
        refused(
            "underscore_refused",
            &with_header("x_a: 1"),
            "HTTP/1.1 400",
            "http1.unexpected_underscore",
        )
        .hcm("common_http_protocol_options: { headers_with_underscores_action: REJECT_REQUEST }"),
        case("underscore_dropped")
            .hcm("common_http_protocol_options: { headers_with_underscores_action: DROP_HEADER }")
            .ask(with_header("x_a: 1\r\nx-b: 2"))
            .hides("x_a")
            .shows("x-b: 2"),
    ]);
}

/// A connection of HTTP/1 outlives what is answered with 400, where its end is known.
#[test]
fn stream_errors() {
    const HCM: &str = "stream_error_on_invalid_http_message: true";
    let outlived =
        |name, request: &str| case(name).hcm(HCM).ask(request).ask(GET).shows("HTTP/1.1 200");
    let ended = |name, request: &str| {
        case(name).hcm(HCM).ask(request).step(Step::ReadToEnd).shows("connection: close")
    };
    compare(vec![
        outlived("outlives_no_host", "GET / HTTP/1.1\r\nx-a: 1\r\n\r\n"),
        outlived("outlives_fragment", "GET /a#b HTTP/1.1\r\nhost: a\r\n\r\n"),
        ended("ended_by_no_host_with_body", "POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\nabc"),
        ended("ended_by_bad_name", "GET / HTTP/1.1\r\nhost: a\r\nx@(a): 1\r\n\r\n"),
        outlived("outlives_direct_400", "GET /bad HTTP/1.1\r\nhost: a\r\n\r\n").routes(
            "- match: { path: /bad }\n  direct_response: { status: 400 }\n- match: { prefix: / }\n  route: { cluster: '{{cluster}}' }",
        ),
        outlived("override_outlives_no_host", "GET / HTTP/1.1\r\n\r\n")
            .hcm("http_protocol_options: { override_stream_error_on_invalid_http_message: true }"),
        case("override_ends_with_no_host")
            .hcm("stream_error_on_invalid_http_message: true\nhttp_protocol_options: { override_stream_error_on_invalid_http_message: false }")
            .ask("GET / HTTP/1.1\r\n\r\n")
            .step(Step::ReadToEnd)
            .shows("connection: close"),
    ]);
}

#[test]
fn limits() {
    let mut hundred = String::from("GET / HTTP/1.1\r\nhost: a.example\r\n");
    for number in 0..99 {
        let _ = write!(hundred, "x-{number}: v\r\n");
    }
    let long = |kib: usize| with_header(&format!("x-long: {}", "v".repeat(kib * 1024)));
    const TOO_LARGE: &str = "HTTP/1.1 431 Request Header Fields Too Large";
    compare(vec![
        case("hundred_headers").ask(format!("{hundred}\r\n")).shows("x-98: v"),
        case("one_header_too_many").ask(format!("{hundred}x-99: v\r\n\r\n")).shows(TOO_LARGE),
        case("three_allowed_four_sent")
            .hcm("common_http_protocol_options: { max_headers_count: 3 }")
            .ask("GET / HTTP/1.1\r\nhost: a\r\nx-a: 1\r\nx-b: 2\r\nx-c: 3\r\n\r\n")
            .shows(TOO_LARGE),
        case("below_60_kib").ask(long(59)).shows("HTTP/1.1 200"),
        case("above_60_kib").ask(long(61)).shows(TOO_LARGE),
        case("own_limit").hcm("max_request_headers_kb: 2").ask(long(3)).shows(TOO_LARGE),
        case("raised_limit").hcm("max_request_headers_kb: 96").ask(long(90)).shows("HTTP/1.1 200"),
        case("long_target")
            .ask(with_line(&format!("GET /{} HTTP/1.1", "p".repeat(62 * 1024))))
            .shows("HTTP/1.1"),
    ]);
}

#[test]
fn framing() {
    const BAD: &str = "HTTP/1.1 400 Bad Request";
    compare(vec![
        refused(
            "length_and_chunked",
            &post("content-length: 5\r\ntransfer-encoding: chunked", "0\r\n\r\n"),
            BAD,
            "http1.content_length_and_chunked_not_allowed",
        ),
        refused(
            "two_lengths",
            &post("content-length: 1\r\ncontent-length: 2", "ab"),
            BAD,
            "details",
        ),
        refused(
            "same_length_twice",
            &post("content-length: 2\r\ncontent-length: 2", "ab"),
            "HTTP/1.1",
            "details",
        ),
        refused("length_list", &post("content-length: 2, 2", "ab"), BAD, "details"),
        refused("negative_length", &post("content-length: -1", ""), BAD, "details"),
        refused("plus_length", &post("content-length: +2", "ab"), BAD, "details"),
        refused("hex_length", &post("content-length: 0x2", "ab"), BAD, "details"),
        refused("empty_length", &post("content-length:", ""), "HTTP/1.1", "details"),
        refused("huge_length", &post("content-length: 99999999999999999999", ""), BAD, "details"),
        refused("unknown_coding", &post("transfer-encoding: gzip", ""), "HTTP/1.1", "details"),
        refused("identity", &post("transfer-encoding: identity", ""), "HTTP/1.1", "details"),
        refused(
            "gzip_chunked",
            &post("transfer-encoding: gzip, chunked", "0\r\n\r\n"),
            "HTTP/1.1",
            "details",
        ),
        refused(
            "chunked_gzip",
            &post("transfer-encoding: chunked, gzip", "0\r\n\r\n"),
            "HTTP/1.1",
            "details",
        ),
        refused(
            "chunked_twice",
            &post("transfer-encoding: chunked, chunked", "0\r\n\r\n"),
            "HTTP/1.1",
            "details",
        ),
        refused(
            "two_codings",
            &post("transfer-encoding: chunked\r\ntransfer-encoding: chunked", "0\r\n\r\n"),
            "HTTP/1.1",
            "details",
        ),
        refused(
            "misspelt_chunked",
            &post("transfer-encoding: xchunked", "0\r\n\r\n"),
            "HTTP/1.1",
            "details",
        ),
        refused(
            "chunked_over_10",
            "POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.1",
            "details",
        ),
    ]);
}
