//! RFC 9112 §8: responses that break off. The client sees that by a close or reset, never by a good
//! ending.

use super::peer::Then;
use super::responses::{check, check_with, ended, replaced, truncated, with};

#[test]
fn in_the_body() {
    let chunked = |body| with("transfer-encoding: chunked\r\n", body);
    check(&[
        truncated("§8: before its first byte", with("content-length: 5\r\n", "")),
        truncated("§8: before its last byte", with("content-length: 5\r\n", "hell")),
        truncated("§8: far from its end", with("content-length: 5000000000\r\n", "hello")),
        truncated("§8: before the first chunk", chunked("")),
        truncated("§8: in a size", chunked("5")),
        truncated("§8: behind a size", chunked("5\r\n")),
        truncated("§8: in a chunk", chunked("5\r\nhel")),
        truncated("§8: behind a chunk", chunked("5\r\nhello\r\n")),
        truncated("§8: before the final CRLF", chunked("5\r\nhello\r\n0\r\n")),
        truncated("§8: in the final CRLF", chunked("5\r\nhello\r\n0\r\n\r")),
        truncated("§8: in the trailers", chunked("5\r\nhello\r\n0\r\nx-a: 1\r\n")),
    ]);
}

/// The end of the connection is the body's end for such a client: only a reset tells it.
#[test]
fn to_a_client_that_knows_no_chunks() {
    check_with(
        "http_protocol_options: { accept_http_10: true }",
        "timeout: 0s",
        &[
            truncated("§8: a length", with("content-length: 5\r\n", "hell"))
                .for_version("HTTP/1.0"),
            truncated("§8: chunks", with("transfer-encoding: chunked\r\n", "5\r\nhello\r\n"))
                .for_version("HTTP/1.0"),
        ],
    );
}

#[test]
fn in_the_head() {
    let reset = "upstream connect error or disconnect/reset before headers. reset reason: ";
    let protocol = replaced("502 Bad Gateway", &format!("{reset}protocol error"));
    let gone = replaced("503 Service Unavailable", &format!("{reset}connection termination"));
    let cut = |rule, bytes: &str| {
        let log = "UPE upstream_reset_before_response_started{protocol_error}";
        ended(rule, bytes, protocol.clone(), log).then(Then::Close)
    };
    check(&[
        ended(
            "§8: before its first byte",
            "",
            gone,
            "UC upstream_reset_before_response_started{connection_termination}",
        )
        .then(Then::Close),
        cut("§8: in the version", "HTT"),
        cut("§8: in the status line", "HTTP/1.1 20"),
        cut("§8: behind the status line", "HTTP/1.1 200 OK\r\n"),
        cut("§8: in a field", "HTTP/1.1 200 OK\r\nconte"),
        cut("§8: before the empty line", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n"),
        cut("§8: in the empty line", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r"),
    ]);
}
