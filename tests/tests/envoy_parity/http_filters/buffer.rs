//! `envoy.filters.http.buffer`.

use ringmain_tests::client::Step;
use ringmain_tests::parity::{Case, compare};

use super::{filter, levels, per_route};
use crate::GET;

const CHUNKED: &str = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";
const BY_LENGTH: &str = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello";

fn buffering(name: &'static str, bytes: u32) -> Case {
    levels(name, "", "").http_filters(&filter(
        "buffer",
        "buffer",
        "Buffer",
        &format!("max_request_bytes: {bytes}"),
    ))
}

#[test]
fn bodies() {
    let head = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    let pieces = [head, "5\r\nhel", "lo\r\n6\r\n wo", "rld\r\n", "0\r\n\r\n"];
    let long =
        format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 40000\r\n\r\n{}", "x".repeat(40000));
    compare(vec![
        buffering("none", 10)
            .ask(GET)
            .ask("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n"),
        buffering("chunked", 100).ask(CHUNKED).ask(GET).shows("content-length: 11"),
        buffering("by_length", 100).ask(BY_LENGTH).ask(GET),
        buffering("in_pieces", 100)
            .send_pieces(&pieces)
            .read()
            .ask(GET)
            .shows("content-length: 11"),
        buffering("long", 50_000).ask(&long).ask(GET),
        buffering("just_fits", 11).ask(CHUNKED).ask(GET),
        buffering("too_long", 4).ask(BY_LENGTH).step(Step::ReadToEnd).shows("HTTP/1.1 413"),
        buffering("too_long_chunked", 7).send_pieces(&pieces[..3]).read().shows("HTTP/1.1 413"),
        buffering("expecting", 100)
            .send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n")
            .read()
            .ask("hello"),
        buffering("direct", 4)
            .routes("- match: { prefix: / }\n  direct_response: { status: 200 }")
            .ask(BY_LENGTH)
            .step(Step::ReadToEnd),
        buffering("client_leaves", 100).send(head).send("5\r\nhel").step(Step::HalfClose),
    ]);
}

#[test]
fn overrides() {
    let with = |name, route: &str| {
        levels(name, "", &per_route("buffer", "buffer", "BufferPerRoute", route))
            .http_filters(&filter("buffer", "buffer", "Buffer", "max_request_bytes: 4"))
            .ask(CHUNKED)
            .ask(GET)
    };
    compare(vec![
        with("buffer_off", "disabled: true").shows("transfer-encoding: chunked"),
        with("buffer_more", "buffer: { max_request_bytes: 100 }").shows("content-length: 11"),
    ]);
}
