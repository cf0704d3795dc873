//! RFC 9112 §2.3, §4 and RFC 9110 §15: status lines.

use super::responses::{Case, check, passed, passed_last, passed_with, plain, refused};

const REST: &str = "content-length: 2\r\n\r\nok";

fn answer(status_line: &str) -> String {
    format!("{status_line}\r\n{REST}")
}

/// A status line that is none.
fn bad(rule: &'static str, status_line: &str) -> Case {
    refused(rule, answer(status_line))
}

#[test]
fn good_ones() {
    let named = |status: &str| passed_with(status, "content-length: 2\r\n", "", "ok");
    check(&[
        passed("§4: plain", answer("HTTP/1.1 200 OK"), plain()),
        passed("§4: the reason is ours", answer("HTTP/1.1 200 Fine, thanks"), plain()),
        passed("§4: an empty reason", answer("HTTP/1.1 200 "), plain()),
        passed("§4: obs-text in the reason", answer("HTTP/1.1 200 \u{e9}"), plain()),
        passed(
            "RFC 9110 §15: the highest of a class",
            answer("HTTP/1.1 299 x"),
            named("299 Unknown"),
        ),
        passed("RFC 9110 §15: a class of its own", answer("HTTP/1.1 999 x"), named("999 Unknown")),
        passed_last("§2.3: HTTP/1.0", answer("HTTP/1.0 200 OK"), plain()),
    ]);
}

#[test]
fn statuses() {
    check(&[
        bad("RFC 9110 §15: four digits", "HTTP/1.1 2000 OK"),
        bad("RFC 9110 §15: two digits", "HTTP/1.1 20 OK"),
        bad("RFC 9110 §15: one digit", "HTTP/1.1 2 OK"),
        bad("RFC 9110 §15: 000", "HTTP/1.1 000 OK"),
        bad("RFC 9110 §15: 099", "HTTP/1.1 099 OK"),
        bad("RFC 9110 §15: a leading zero", "HTTP/1.1 0200 OK"),
        bad("RFC 9110 §15: a plus", "HTTP/1.1 +20 OK"),
        bad("RFC 9110 §15: a minus", "HTTP/1.1 -20 OK"),
        bad("RFC 9110 §15: letters", "HTTP/1.1 abc OK"),
        bad("RFC 9110 §15: a letter", "HTTP/1.1 2x0 OK"),
        bad("RFC 9110 §15: hexadecimal", "HTTP/1.1 0xc8 OK"),
        bad("RFC 9110 §15: a point", "HTTP/1.1 20. OK"),
        bad("§4: none", "HTTP/1.1 OK"),
        bad("§4: empty", "HTTP/1.1  OK"),
        bad("§4: nothing behind the version", "HTTP/1.1"),
        bad("§4: a space behind the version alone", "HTTP/1.1 "),
    ]);
}

#[test]
fn versions() {
    check(&[
        bad("§2.3: 2.0", "HTTP/2.0 200 OK"),
        bad("§2.3: 2", "HTTP/2 200 OK"),
        bad("§2.3: 1.2", "HTTP/1.2 200 OK"),
        bad("§2.3: 0.9", "HTTP/0.9 200 OK"),
        bad("§2.3: 1.10", "HTTP/1.10 200 OK"),
        bad("§2.3: 1.x", "HTTP/1.x 200 OK"),
        bad("§2.3: no minor version", "HTTP/1. 200 OK"),
        bad("§2.3: lower case", "http/1.1 200 OK"),
        bad("§2.3: another protocol", "ICY/1.1 200 OK"),
        bad("§2.3: none at all", "200 OK"),
        bad("§4: no space behind it", "HTTP/1.1200 OK"),
        bad("§4: two spaces behind it", "HTTP/1.1  200 OK"),
        bad("§4: a tab behind it", "HTTP/1.1\t200 OK"),
    ]);
}

#[test]
fn line_ends() {
    check(&[
        bad("§2.2: an empty line before it", "\r\nHTTP/1.1 200 OK"),
        bad("§2.2: LF before it", "\nHTTP/1.1 200 OK"),
        bad("§4: space before it", " HTTP/1.1 200 OK"),
        bad("§4: no space behind the status", "HTTP/1.1 200OK"),
        bad("§4: a tab behind the status", "HTTP/1.1 200\tOK"),
        bad("§4: NUL in the reason", "HTTP/1.1 200 O\0K"),
        bad("§4: a control byte in the reason", "HTTP/1.1 200 O\x01K"),
        bad("§4: DEL in the reason", "HTTP/1.1 200 O\x7fK"),
        bad("§2.2: bare CR in the reason", "HTTP/1.1 200 O\rK"),
        refused("§2.2: bare LF behind it", format!("HTTP/1.1 200 OK\n{REST}")),
        refused("§2.2: bare LF everywhere", "HTTP/1.1 200 OK\ncontent-length: 2\n\nok"),
        refused("§4: no HTTP at all", "hello there\r\n\r\n"),
        refused("§4: a request", "GET / HTTP/1.1\r\nhost: a\r\n\r\n"),
        refused("§4: a TLS alert", &b"\x15\x03\x01\0\x02\x02\x28"[..]),
    ]);
}
