//! RFC 9110 §15.2: interim responses.

use super::peer::Then;
use super::responses::{check, check_with, ended, passed, plain, refused, replaced, with};

fn before_ok(interim: &str) -> String {
    format!("{interim}{}", with("content-length: 2\r\n", "ok"))
}

#[test]
fn passed_over() {
    check(&[
        passed("§15.2.1: 100", before_ok("HTTP/1.1 100 Continue\r\n\r\n"), plain()),
        passed("§15.2: 102", before_ok("HTTP/1.1 102 Processing\r\n\r\n"), plain()),
        passed(
            "§15.2: 103 with fields",
            before_ok("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"),
            plain(),
        ),
        passed("§15.2: an unknown one", before_ok("HTTP/1.1 199 x\r\n\r\n"), plain()),
        passed("§15.2: several", before_ok(&"HTTP/1.1 100 Continue\r\n\r\n".repeat(3)), plain()),
        passed(
            "RFC 9110 §8.6: with a length of nothing",
            before_ok("HTTP/1.1 100 Continue\r\ncontent-length: 0\r\n\r\n"),
            plain(),
        ),
    ]);
}

#[test]
fn refused_ones() {
    check(&[
        refused(
            "§15.2.2: 101 that nobody asked for",
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
        ),
        refused("§15.2.2: 101 without an upgrade", "HTTP/1.1 101 Switching Protocols\r\n\r\n"),
        refused(
            "§15.2.2: 101 before a response",
            before_ok("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n"),
        ),
        refused(
            "§15.2.2: 101 behind 100",
            before_ok("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 x\r\n\r\n"),
        ),
        refused(
            "RFC 9110 §8.6: 100 with a length",
            before_ok("HTTP/1.1 100 Continue\r\ncontent-length: 2\r\n\r\nhi"),
        ),
        refused(
            "RFC 9112 §6.1: 100 in chunks",
            before_ok("HTTP/1.1 100 Continue\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        ),
        refused(
            "RFC 9112 §5: 100 with a broken line",
            before_ok("HTTP/1.1 100 Continue\r\nnothing\r\n\r\n"),
        ),
        refused("RFC 9112 §2.2: 100 with bare LF", before_ok("HTTP/1.1 100 Continue\n\n")),
        refused("RFC 9112 §4: garbage behind 100", "HTTP/1.1 100 Continue\r\n\r\nhello\r\n\r\n"),
        refused(
            "RFC 9112 §2.2: an empty line behind 100",
            before_ok("HTTP/1.1 100 Continue\r\n\r\n\r\n"),
        ),
    ]);
}

/// Any number may come, as far as the request's time goes.
#[test]
fn endless_ones() {
    let endless = |rule, body: &str, log| {
        let reply = replaced("504 Gateway Timeout", body);
        [ended(rule, "HTTP/1.1 100 Continue\r\n\r\n".repeat(100), reply, log).then(Then::Repeat)]
    };
    check_with(
        "",
        "timeout: 0.3s",
        &endless("until the route's timeout", "upstream request timeout", "UT response_timeout"),
    );
    check_with(
        "stream_idle_timeout: 0.3s",
        "timeout: 0s",
        &endless("until the stream has been idle", "stream timeout", "SI stream_idle_timeout"),
    );
    check_with(
        "common_http_protocol_options: { max_stream_duration: 0.3s }",
        "timeout: 0s",
        &endless("until the stream's end", "downstream duration timeout", "- max_duration_timeout"),
    );
}
