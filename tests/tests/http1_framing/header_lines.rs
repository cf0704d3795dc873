//! RFC 9112 §5 and RFC 9110 §5: field lines.

use std::fmt::Write;

use super::messages::{get, get_with, upstream_get};
use super::requests::{check, check_with, forwarded, refused, refused_as, refused_size};

const CONTROL: &str = "http1.invalid_characters";

#[test]
fn names() {
    check(&[
        forwarded(
            "§5: names are lowered, values kept",
            get("Host: a.example\r\nX-A: Value"),
            upstream_get("x-a: Value\r\n"),
        ),
        forwarded(
            "RFC 9110 §5.6.2: every byte of a token",
            get_with("!#$%&'*+-.^_`|~09az: 1"),
            upstream_get("!#$%&'*+-.^_`|~09az: 1\r\n"),
        ),
        forwarded(
            "RFC 9110 §5.3: lines of one name stay apart",
            get_with("x-a: 1\r\nx-a: 2"),
            upstream_get("x-a: 1\r\nx-a: 2\r\n"),
        ),
        forwarded(
            "RFC 9112 §11.2: names nearly that of a length mean nothing",
            get_with("content_length: 5\r\ncontent-lengt: 5\r\nxcontent-length: 5"),
            upstream_get("content_length: 5\r\ncontent-lengt: 5\r\nxcontent-length: 5\r\n"),
        ),
        refused("§5.1: space before the colon", get_with("x-a : 1")),
        refused("§5.1: tab before the colon", get_with("x-a\t: 1")),
        refused("§5.1: space within the name", get_with("x a: 1")),
        refused("§5: no colon", get_with("x-a")),
        refused("§5: an equals sign for the colon", get_with("x-a= 1")),
        refused("§5: no name", get_with(": 1")),
        refused("§5: a colon alone", get_with(":")),
        refused("RFC 9113 §8.3: the name of a pseudo-header", get_with(":authority: b.example")),
        refused("§5: brackets", get_with("x(a): 1")),
        refused("§5: a slash", get_with("x/a: 1")),
        refused("§5: quotes", get_with("\"x-a\": 1")),
        refused("§5: at", get_with("x@a: 1")),
        refused("§5: non-ASCII", get_with("x-\u{e9}: 1")),
        refused(
            "§5: a byte that is no text",
            &b"GET / HTTP/1.1\r\nhost: a\r\nx-\xff: 1\r\n\r\n"[..],
        ),
        refused_as("§5: NUL", get_with("x\0a: 1"), CONTROL),
        refused_as("§5: a control byte", get_with("x\x01a: 1"), CONTROL),
        refused_as("§5: DEL", get_with("x\x7fa: 1"), CONTROL),
        refused("§5: bare CR", get_with("x\ra: 1")),
        refused("§5: bare LF", get_with("x\na: 1")),
    ]);
}

#[test]
fn values() {
    check(&[
        forwarded(
            "§5.1: whitespace round the value goes",
            get_with("x-a: \t v \t"),
            upstream_get("x-a: v\r\n"),
        ),
        forwarded(
            "§5.1: no whitespace",
            get("host:a.example\r\nx-a:v"),
            upstream_get("x-a: v\r\n"),
        ),
        forwarded(
            "§5.1: whitespace within stays",
            get_with("x-a: 1 \t 2"),
            upstream_get("x-a: 1 \t 2\r\n"),
        ),
        forwarded("§5.1: an empty value", get_with("x-a:"), upstream_get("x-a: \r\n")),
        forwarded("§5.1: a blank value", get_with("x-a: \t"), upstream_get("x-a: \r\n")),
        forwarded("§5.1: colons in a value", get_with("x-a: b: c"), upstream_get("x-a: b: c\r\n")),
        forwarded(
            "RFC 9110 §5.5: obs-text",
            get_with("x-a: \u{e9}"),
            upstream_get("x-a: \u{c3}\u{a9}\r\n"),
        ),
        refused_as("RFC 9110 §5.5: NUL", get_with("x-a: 1\x002"), CONTROL),
        refused_as("RFC 9110 §5.5: NUL at the end", get_with("x-a: 1\0"), CONTROL),
        refused_as("RFC 9110 §5.5: a control byte", get_with("x-a: 1\x012"), CONTROL),
        refused_as("RFC 9110 §5.5: backspace", get_with("x-a: 1\x082"), CONTROL),
        refused_as("RFC 9110 §5.5: vertical tab", get_with("x-a: 1\x0b2"), CONTROL),
        refused_as("RFC 9110 §5.5: form feed", get_with("x-a: \x0c1"), CONTROL),
        refused_as("RFC 9110 §5.5: escape", get_with("x-a: \x1b[0m"), CONTROL),
        refused_as("RFC 9110 §5.5: DEL", get_with("x-a: 1\x7f2"), CONTROL),
        refused("RFC 9110 §5.5: bare CR", get_with("x-a: 1\r2")),
        refused("RFC 9110 §5.5: bare CR and a field", get_with("x-a: 1\rcontent-length: 5")),
        refused("RFC 9110 §5.5: two CR at the end", get_with("x-a: 1\r")),
    ]);
}

#[test]
fn line_ends() {
    check(&[
        refused("§2.2: bare LF between lines", get("host: a.example\nx-a: 1")),
        refused("§2.2: bare LF before the empty line", "GET / HTTP/1.1\r\nhost: a.example\n\r\n"),
        refused("§2.2: a bare LF for the empty line", "GET / HTTP/1.1\r\nhost: a.example\r\n\n"),
        refused("§2.2: LF CR for the empty line", "GET / HTTP/1.1\r\nhost: a.example\n\r\r\n\r\n"),
        refused(
            "§2.2: CR CR LF for the empty line",
            "GET / HTTP/1.1\r\nhost: a.example\r\n\r\r\n\r\n",
        ),
        refused(
            "§2.2: whitespace for the empty line",
            "GET / HTTP/1.1\r\nhost: a.example\r\n \r\n\r\n",
        ),
        refused("§5.2: a folded line", get_with("x-a: 1\r\n 2")),
        refused("§5.2: a line folded by tab", get_with("x-a: 1\r\n\t2")),
        refused("§5.2: a fold that looks like a field", get_with("x-a: 1\r\n content-length: 5")),
        refused("§5.2: a fold behind an empty value", get_with("x-a:\r\n 1")),
        refused("§5.2: a fold at the end", get_with("x-a: 1\r\n ")),
        refused("§2.2: space before the first line", get(" x-a: 1\r\nhost: a.example")),
        refused("§2.2: tab before the first line", get("\tx-a: 1\r\nhost: a.example")),
    ]);
}

#[test]
fn underscores() {
    check_with(
        "common_http_protocol_options: { headers_with_underscores_action: DROP_HEADER }",
        &[
            forwarded("a name dropped", get_with("x_a: 1\r\nx-b: 2"), upstream_get("x-b: 2\r\n")),
            forwarded(
                "a length that is none, dropped",
                get_with("content_length: 5"),
                upstream_get(""),
            ),
        ],
    );
}

#[test]
fn sizes() {
    let lines = |count: usize| {
        let mut text = String::from("GET / HTTP/1.1\r\nhost: a.example\r\n");
        for number in 1..count {
            let _ = write!(text, "x-{number}: v\r\n");
        }
        text + "\r\n"
    };
    let passed = |count: usize| {
        let text: String = (1..count).map(|number| format!("x-{number}: v\r\n")).collect();
        upstream_get(&text)
    };
    check_with(
        "max_request_headers_kb: 1\ncommon_http_protocol_options: { max_headers_count: 20 }",
        &[
            forwarded("as many fields as may be", lines(20), passed(20)),
            refused_size("one field too many", lines(21), "DPE http1.too_many_headers"),
            refused_size(
                "a long value",
                get_with(&format!("x-a: {}", "v".repeat(1100))),
                "DPE http1.headers_too_large",
            ),
            refused_size(
                "a long name",
                get_with(&format!("{}: v", "x".repeat(1100))),
                "DPE http1.headers_too_large",
            ),
            refused_size(
                "a long target",
                format!("GET /{} HTTP/1.1\r\nhost: a.example\r\n\r\n", "p".repeat(1100)),
                "DPE http1.headers_too_large",
            ),
            refused_size(
                "a head that never ends",
                format!("GET / HTTP/1.1\r\nhost: a.example\r\nx-a: {}", "v".repeat(1100)),
                "DPE http1.headers_too_large",
            ),
        ],
    );
}
