//! Bodies and their framing, both ways.

use ringmain_tests::client::Step;
use ringmain_tests::parity::{case, compare};
use ringmain_tests::upstream::{Act, reply};

use crate::GET;

const HEAD: &str = "HEAD / HTTP/1.1\r\nhost: a.example\r\n\r\n";
const TRAILERS: &str = "http_protocol_options: { enable_trailers: true }";
const CHUNKED_WITH_TRAILERS: &str = "POST / HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\
     trailer: x-sum\r\n\r\n4\r\nbody\r\n0\r\nX-Sum: 7\r\nx-more: 8\r\n\r\n";

/// Allows trailers on the upstream side too.
const CLUSTER_TRAILERS: &str = r#"
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: { http_protocol_options: { enable_trailers: true } }
    "#;

fn post(body: &str) -> String {
    format!("POST /p HTTP/1.1\r\nhost: a.example\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn post_chunked(chunks: &str) -> String {
    format!(
        "POST /p HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\n{chunks}0\r\n\r\n"
    )
}

#[test]
fn request_bodies() {
    compare(vec![
        case("by_length").ask(post("hello")).shows("body by length: \"hello\""),
        case("empty_by_length").ask(post("")).ask(GET).shows("content-length: 0"),
        case("post_without_length")
            .ask("POST /p HTTP/1.1\r\nhost: a.example\r\n\r\n")
            .ask(GET)
            .shows("POST /p"),
        case("get_with_body")
            .ask("GET /g HTTP/1.1\r\nhost: a.example\r\ncontent-length: 2\r\n\r\nhi")
            .ask(GET)
            .shows("\"hi\""),
        case("chunked").ask(post_chunked("5\r\nhello\r\n")).shows("body in chunks: \"hello\""),
        case("chunked_empty").ask(post_chunked("")).ask(GET).shows("body in chunks: \"\""),
        case("chunk_extension").ask(post_chunked("5;name=value\r\nhello\r\n")).shows("\"hello\""),
        case("chunk_size_in_capitals")
            .ask(post_chunked("0A\r\n0123456789\r\n"))
            .shows("\"0123456789\""),
        case("chunked_in_capitals")
            .ask(post_chunked("2\r\nhi\r\n").replace("chunked", "Chunked"))
            .shows("\"hi\""),
        case("split_body")
            .send_pieces(&[
                "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\n\r\n",
                "ab",
                "cd",
                "ef",
            ])
            .read()
            .shows("\"abcdef\""),
        case("split_chunks")
            .send_pieces(&[
                "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3",
                "\r\nab",
                "c\r",
                "\n0\r\n",
                "\r\n",
            ])
            .read()
            .shows("\"abc\""),
        case("big").ask(post(&"0123456789".repeat(20_000))).shows("200000 bytes"),
        case("trailers_dropped").ask(CHUNKED_WITH_TRAILERS).ask(GET).hides("  trailer"),
        case("trailers_passed")
            .hcm(TRAILERS)
            .cluster(CLUSTER_TRAILERS)
            .ask(CHUNKED_WITH_TRAILERS)
            .ask(GET)
            .shows("  trailer x-sum: 7"),
        case("put").ask(post("x").replace("POST", "PUT")).shows("PUT /p"),
        case("delete").ask("DELETE /p HTTP/1.1\r\nhost: a.example\r\n\r\n").shows("DELETE /p"),
        case("method_of_ones_own")
            .ask("PURGE /p HTTP/1.1\r\nhost: a.example\r\n\r\n")
            .shows("PURGE /p"),
    ]);
}

#[test]
fn expect_continue() {
    let head =
        "POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n";
    compare(vec![
        case("answered_here")
            .send(head)
            .step(Step::ReadHead)
            .ask("hi")
            .ask(GET)
            .shows("HTTP/1.1 100 Continue"),
        case("sent_along").send(format!("{head}hi")).step(Step::ReadHead).read().shows("\"hi\""),
        case("in_capitals")
            .send(head.replace("100-continue", "100-Continue"))
            .step(Step::ReadHead)
            .ask("hi")
            .shows("\"hi\""),
        case("other_expectation")
            .ask(format!("{}hi", head.replace("100-continue", "200-ok")))
            .shows("HTTP/1.1"),
        case("upstream_interim_too")
            .upstream(vec![
                Act::ReadBody,
                Act::Send(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec()),
                Act::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n!".to_vec()),
            ])
            .send(format!("{head}hi"))
            .step(Step::ReadHead)
            .read()
            .ask(GET)
            .shows("\"!\""),
    ]);
}

#[test]
fn response_bodies() {
    compare(vec![
        case("head_with_length")
            .upstream(reply("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n"))
            .send(HEAD)
            .step(Step::ReadHead)
            .send(HEAD)
            .step(Step::ReadHead)
            .shows("content-length: 10"),
        case("head_chunked")
            .upstream(reply("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"))
            .send(HEAD)
            .step(Step::ReadHead)
            .shows("HTTP/1.1 200"),
        case("head_with_neither")
            .upstream(reply("HTTP/1.1 200 OK\r\n\r\n"))
            .send(HEAD)
            .step(Step::ReadHead)
            .shows("HTTP/1.1 200"),
        case("no_content").upstream(reply("HTTP/1.1 204 No Content\r\nx-a: b\r\n\r\n")).ask(GET).ask(GET).shows("204 No Content"),
        case("no_content_with_length")
            .upstream(reply("HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n"))
            .ask(GET)
            .ask(GET)
            .shows("204 No Content"),
        case("not_modified")
            .upstream(reply("HTTP/1.1 304 Not Modified\r\netag: \"x\"\r\ncontent-length: 5\r\n\r\n"))
            .ask(GET)
            .ask(GET)
            .shows("304 Not Modified"),
        case("empty").upstream(reply("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")).ask(GET).ask(GET).shows("content-length: 0"),
        case("chunked")
            .upstream(reply("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n"))
            .ask(GET)
            .ask(GET)
            .shows("body in chunks: \"abcdef\""),
        case("until_close")
            .upstream(vec![Act::ReadBody, Act::Send(b"HTTP/1.1 200 OK\r\n\r\nall of it".to_vec()), Act::Close])
            .ask(GET)
            .ask(GET)
            .shows("body in chunks: \"all of it\""),
        case("trailers_dropped")
            .upstream(reply("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 7\r\n\r\n"))
            .ask(GET)
            .ask(GET)
            .hides("  trailer"),
        case("trailers_passed")
            .hcm(TRAILERS)
            .cluster(CLUSTER_TRAILERS)
            .upstream(reply("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n"))
            .ask(GET)
            .ask(GET)
            .shows("  trailer x-sum: 7"),
        case("trailers_after_length")
            .hcm(TRAILERS)
            .cluster(CLUSTER_TRAILERS)
            .upstream(reply("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nX-Sum: 7\r\n\r\n"))
            .ask(GET)
            .shows("  trailer x-sum: 7"),
        case("big_reply")
            .upstream(reply(format!("HTTP/1.1 200 OK\r\ncontent-length: 300000\r\n\r\n{}", "abcdefghij".repeat(30_000))))
            .ask(GET)
            .ask(GET)
            .shows("300000 bytes"),
        case("early_hints")
            .upstream(reply("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"))
            .ask(GET)
            .shows("HTTP/1.1"),
        case("interim_unasked")
            .upstream(reply("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"))
            .ask(GET)
            .ask(GET)
            .shows("HTTP/1.1 200"),
    ]);
}

#[test]
fn responses_before_the_request_ends() {
    let head = "POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 6\r\n\r\n";
    let early = || {
        vec![
            Act::Send(b"HTTP/1.1 413 Payload Too Large\r\ncontent-length: 4\r\n\r\nbig!".to_vec()),
            Act::ReadBody,
        ]
    };
    compare(vec![
        case("rest_outstanding")
            .upstream(early())
            .send(format!("{head}abc"))
            .read()
            .step(Step::ReadToEnd)
            .shows("big!"),
        case("rest_never_comes")
            .upstream(early())
            .send(format!("{head}abc"))
            .read()
            .step(Step::HalfClose)
            .step(Step::ReadToEnd)
            .shows("big!"),
        case("direct_response_before_body")
            .routes("- match: { prefix: / }\n  direct_response: { status: 403 }")
            .send(head)
            .read()
            .shows("HTTP/1.1 403 Forbidden"),
        case("direct_response_with_body")
            .routes("- match: { prefix: / }\n  direct_response: { status: 403 }")
            .send(format!("{head}abcdef"))
            .read()
            .step(Step::ReadToEnd)
            .shows("HTTP/1.1 403 Forbidden"),
    ]);
}
