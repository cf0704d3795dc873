//! RFC 9112 §6, §7 and RFC 9110 §8.6: where responses end.

use super::peer::Then;
use super::responses::{
    Case, broken, check, in_chunks, passed, passed_last, passed_with, plain, refused, with,
};

/// A head that is refused for these lines.
fn bad(rule: &'static str, lines: &str) -> Case {
    refused(rule, with(&format!("{lines}\r\n"), "0\r\n\r\n"))
}

fn chunked(body: &str) -> String {
    with("transfer-encoding: chunked\r\n", body)
}

/// A chunked body that breaks.
fn bad_chunks(rule: &'static str, body: &str) -> Case {
    broken(rule, chunked(body))
}

#[test]
fn lengths() {
    check(&[
        passed("§6.3: a length", with("content-length: 2\r\n", "ok"), plain()),
        passed(
            "§6.3: a length of nothing",
            with("content-length: 0\r\n", ""),
            passed_with("200 OK", "content-length: 0\r\n", "", ""),
        ),
        bad("RFC 9110 §8.6: a plus", "content-length: +5"),
        bad("RFC 9110 §8.6: a minus", "content-length: -5"),
        bad("RFC 9110 §8.6: hexadecimal", "content-length: 0x5"),
        bad("RFC 9110 §8.6: an underscore", "content-length: 0_5"),
        bad("RFC 9110 §8.6: whitespace within", "content-length: 5 0"),
        bad("RFC 9110 §8.6: letters", "content-length: five"),
        bad("RFC 9110 §8.6: nothing", "content-length:"),
        bad("RFC 9110 §8.6: below zero to some", "content-length: 9223372036854775808"),
        bad("RFC 9110 §8.6: too big", "content-length: 18446744073709551616"),
        bad("RFC 9110 §8.6: leading zeros", "content-length: 05"),
        bad("§6.3: a list of unlike ones", "content-length: 5, 6"),
        bad("§6.3: a list of the same", "content-length: 5, 5"),
        bad("§6.3: two unlike", "content-length: 5\r\ncontent-length: 6"),
        bad("§6.3: two alike", "content-length: 5\r\ncontent-length: 5"),
        bad("§5.1: a space before the colon", "content-length : 5"),
    ]);
}

#[test]
fn codings() {
    check(&[
        passed("§6.1: chunked", chunked("2\r\nok\r\n0\r\n\r\n"), in_chunks("2\r\nok\r\n0\r\n\r\n")),
        bad("§6.3: behind a length", "content-length: 5\r\ntransfer-encoding: chunked"),
        bad("§6.3: before a length", "transfer-encoding: chunked\r\ncontent-length: 5"),
        bad("§6.1: another coding", "transfer-encoding: gzip"),
        bad("§6.1: a coding before it", "transfer-encoding: gzip, chunked"),
        bad("§6.1: a coding behind it", "transfer-encoding: chunked, gzip"),
        bad("§6.1: twice", "transfer-encoding: chunked, chunked"),
        bad("§6.1: on two lines", "transfer-encoding: chunked\r\ntransfer-encoding: chunked"),
        bad("§6.1: identity", "transfer-encoding: identity"),
        bad("§6.1: a letter before", "transfer-encoding: xchunked"),
        bad("§6.1: nothing", "transfer-encoding:"),
        bad("§5.1: a space before the colon", "transfer-encoding : chunked"),
        refused(
            "§6.1: in HTTP/1.0",
            "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        refused(
            "§6.1: with 204",
            "HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        refused(
            "RFC 9110 §8.6: a length with 204",
            "HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\nok",
        ),
    ]);
}

#[test]
fn chunks() {
    let hello = in_chunks("5\r\nhello\r\n0\r\n\r\n");
    check(&[
        passed("§7.1: one", chunked("5\r\nhello\r\n0\r\n\r\n"), hello.clone()),
        passed("§7.1: several", chunked("1\r\nh\r\n4\r\nello\r\n0\r\n\r\n"), hello.clone()),
        passed("§7.1.1: extensions", chunked("5;a=b\r\nhello\r\n0;c\r\n\r\n"), hello.clone()),
        passed("§7.1.2: trailers are dropped", chunked("5\r\nhello\r\n0\r\nx-a: 1\r\n\r\n"), hello),
        bad_chunks("§7.1: no number", "zz\r\nok\r\n0\r\n\r\n"),
        bad_chunks("§7.1: empty", "\r\nok\r\n0\r\n\r\n"),
        bad_chunks("§7.1: a minus", "-2\r\nok\r\n0\r\n\r\n"),
        bad_chunks("§7.1: 0x", "0x2\r\nok\r\n0\r\n\r\n"),
        bad_chunks("§7.1: space before", " 2\r\nok\r\n0\r\n\r\n"),
        bad_chunks("§7.1: space behind", "2 \r\nok\r\n0\r\n\r\n"),
        bad_chunks("§7.1: too many digits", "00000000000000002\r\nok\r\n0\r\n\r\n"),
        bad_chunks("§7.1: more data than said", "2\r\nokay\r\n0\r\n\r\n"),
        bad_chunks("§7.1: bare LF after the size", "2\nok\r\n0\r\n\r\n"),
        bad_chunks("§7.1: bare LF after the data", "2\r\nok\n0\r\n\r\n"),
        bad_chunks("§7.1: junk in the last chunk", "2\r\nok\r\n0 x\r\n\r\n"),
        bad_chunks("§7.1.1: bare LF in an extension", "2;a\nb\r\nok\r\n0\r\n\r\n"),
        bad_chunks("§7.1.2: a trailer without a colon", "2\r\nok\r\n0\r\nnothing\r\n\r\n"),
        bad_chunks("§7.1.2: a folded trailer", "2\r\nok\r\n0\r\nx-a: 1\r\n 2\r\n\r\n"),
    ]);
}

#[test]
fn messages_without_a_body() {
    let empty = |status: &str, lines: &str| passed_with(status, lines, "", "");
    check(&[
        passed("§6.3: 204", "HTTP/1.1 204 No Content\r\n\r\n", empty("204 No Content", "")),
        passed(
            "RFC 9110 §8.6: 204 with a length of nothing",
            "HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n",
            empty("204 No Content", ""),
        ),
        passed(
            "§6.3: 304 with a length",
            "HTTP/1.1 304 Not Modified\r\n\r\n",
            empty("304 Not Modified", ""),
        ),
        passed(
            "§6.3: HEAD with a length",
            with("content-length: 5\r\n", ""),
            passed_with("200 OK", "content-length: 5\r\n", "", ""),
        )
        .to("HEAD"),
    ]);
}

#[test]
fn until_the_end_of_the_connection() {
    check(&[
        passed_last("§6.3: a body", with("", "hello"), in_chunks("5\r\nhello\r\n0\r\n\r\n"))
            .then(Then::Close),
        passed_last(
            "§6.3: HTTP/1.0",
            "HTTP/1.0 200 OK\r\n\r\nhello",
            in_chunks("5\r\nhello\r\n0\r\n\r\n"),
        )
        .then(Then::Close),
        passed_last("§6.3: nothing", with("", ""), in_chunks("0\r\n\r\n")).then(Then::Close),
        passed_last(
            "§6.3: what looks like another response",
            with("", "HTTP/1.1 200 OK\r\n\r\n"),
            in_chunks("13\r\nHTTP/1.1 200 OK\r\n\r\n\r\n0\r\n\r\n"),
        )
        .then(Then::Close),
    ]);
}
