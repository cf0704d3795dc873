//! RFC 9112 §5 and RFC 9110 §5, §7.6.1: field lines of responses.

use super::responses::{Case, check, passed, passed_last, passed_with, refused, with};

/// A response with this line.
fn answer(line: &str) -> String {
    with(&format!("{line}\r\ncontent-length: 2\r\n"), "ok")
}

/// A line that is none.
fn bad(rule: &'static str, line: &str) -> Case {
    refused(rule, answer(line))
}

/// Passed with these lines in its place.
fn good(rule: &'static str, line: &str, lines: &str) -> Case {
    let lines = format!("{lines}content-length: 2\r\n");
    passed(rule, answer(line), passed_with("200 OK", &lines, "", "ok"))
}

#[test]
fn good_lines() {
    check(&[
        good("§5: names are lowered, values kept", "X-A: Value", "x-a: Value\r\n"),
        good("§5.1: whitespace round the value goes", "x-a: \t v \t", "x-a: v\r\n"),
        good(
            "RFC 6265 §3: cookies stay apart",
            "set-cookie: a=1\r\nset-cookie: b=2",
            "set-cookie: a=1\r\nset-cookie: b=2\r\n",
        ),
        good("RFC 9110 §5.5: obs-text", "x-a: \u{e9}", "x-a: \u{c3}\u{a9}\r\n"),
        good("RFC 9110 §7.6.1: keep-alive goes", "keep-alive: timeout=50", ""),
        good("RFC 9110 §7.6.1: connection goes", "connection: keep-alive", ""),
        good("proxy-connection goes", "proxy-connection: keep-alive", ""),
        good("RFC 9110 §7.8: upgrade goes", "upgrade: h2c", ""),
        passed_last(
            "§9.6: close",
            answer("connection: close"),
            passed_with("200 OK", "content-length: 2\r\n", "", "ok"),
        ),
        passed_last(
            "§9.6: close among others",
            answer("connection: x, Close"),
            passed_with("200 OK", "content-length: 2\r\n", "", "ok"),
        ),
    ]);
}

#[test]
fn bad_lines() {
    check(&[
        bad("§5.1: space before the colon", "x-a : 1"),
        bad("§5.1: tab before the colon", "x-a\t: 1"),
        bad("§5: no colon", "nothing"),
        bad("§5: no name", ": 1"),
        bad("§5: a name that is no token", "x(a): 1"),
        bad("§5: a space in a name", "x a: 1"),
        bad("§5: non-ASCII name", "x-\u{e9}: 1"),
        bad("§5: NUL in a name", "x\0a: 1"),
        bad("RFC 9110 §5.5: NUL in a value", "x-a: 1\x002"),
        bad("RFC 9110 §5.5: a control byte in a value", "x-a: 1\x012"),
        bad("RFC 9110 §5.5: DEL in a value", "x-a: 1\x7f2"),
        bad("RFC 9110 §5.5: bare CR in a value", "x-a: 1\r2"),
        bad("§2.2: bare LF", "x-a: 1\nx-b: 2"),
        bad("§2.2: two CR", "x-a: 1\r"),
        bad("§5.2: folded", "x-a: 1\r\n 2"),
        bad("§5.2: folded by tab", "x-a: 1\r\n\t2"),
        bad("§5.2: folded at once", " x-a: 1"),
        refused("§2.2: LF for the empty line", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\nok"),
        refused(
            "§2.2: CR CR LF for the empty line",
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\r\nok\r\n\r\n",
        ),
    ]);
}
