//! RFC 9110 §8.6 and RFC 9112 §6.2, §6.3: lengths.

use super::messages::{post, to_upstream, upstream_length};
use super::requests::{Case, all_forwarded, check, forwarded, refused, refused_as, unfinished};

/// A POST with a length and five bytes.
fn sized(rule: &'static str, length: &str) -> Case {
    refused(rule, post(&format!("content-length: {length}"), "hello"))
}

#[test]
fn lengths_that_are_numbers() {
    check(&[
        forwarded("§6.3: a length", post("content-length: 5", "hello"), upstream_length("hello")),
        forwarded("§6.3: a length of nothing", post("content-length: 0", ""), upstream_length("")),
        forwarded(
            "§5.1: whitespace round it",
            post("content-length: \t5 ", "hello"),
            upstream_length("hello"),
        ),
        forwarded(
            "§5: a name in capitals",
            post("CONTENT-LENGTH: 5", "hello"),
            upstream_length("hello"),
        ),
        forwarded(
            "RFC 9110 §9.3.1: a GET with a body",
            "GET / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 2\r\n\r\nhi",
            to_upstream("GET / HTTP/1.1", "a.example", "content-length: 2\r\n") + "hi",
        ),
        forwarded(
            "§6.3: no length is no body",
            "POST / HTTP/1.1\r\nhost: a.example\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: a.example\r\nx-forwarded-proto: http\r\ncontent-length: 0\r\n\r\n",
        ),
        forwarded(
            "§6.2: a body that looks like a request is a body",
            post("content-length: 37", "GET /evil HTTP/1.1\r\nhost: evil.test\r\n"),
            upstream_length("GET /evil HTTP/1.1\r\nhost: evil.test\r\n"),
        ),
        all_forwarded(
            "§6.3: the next request begins behind it",
            post("content-length: 5", "hello").repeat(2),
            vec![upstream_length("hello"); 2],
        ),
        unfinished("§8: one byte short", post("content-length: 5", "hell")),
        unfinished("§8: nothing of it", post("content-length: 5", "")),
        unfinished("RFC 9110 §8.6: the largest", post("content-length: 9223372036854775807", "")),
    ]);
}

#[test]
fn lengths_that_are_none() {
    check(&[
        sized("RFC 9110 §8.6: a plus", "+5"),
        sized("RFC 9110 §8.6: a minus", "-5"),
        sized("RFC 9110 §8.6: minus nothing", "-0"),
        sized("RFC 9110 §8.6: hexadecimal", "0x5"),
        sized("RFC 9110 §8.6: letters", "five"),
        sized("RFC 9110 §8.6: a hexadecimal digit", "a"),
        sized("RFC 9110 §8.6: an underscore", "0_5"),
        sized("RFC 9110 §8.6: an underscore behind", "5_"),
        sized("RFC 9110 §8.6: whitespace within", "5 0"),
        sized("RFC 9110 §8.6: a tab within", "5\t0"),
        sized("RFC 9110 §8.6: a fraction", "5.0"),
        sized("RFC 9110 §8.6: an exponent", "5e0"),
        sized("RFC 9110 §8.6: leading zeros", "005"),
        sized("RFC 9110 §8.6: quotes", "\"5\""),
        sized("RFC 9110 §8.6: a parameter", "5;a"),
        sized("RFC 9110 §8.6: digits of another script", "\u{665}"),
        sized("RFC 9110 §8.6: nothing", ""),
        sized("RFC 9110 §8.6: 2^63, below zero to some", "9223372036854775808"),
        sized("RFC 9110 §8.6: 2^64", "18446744073709551616"),
        sized("RFC 9110 §8.6: far too big", "99999999999999999999999999"),
        refused_as(
            "RFC 9110 §5.5: NUL behind it",
            post("content-length: 5\0", "hello"),
            "http1.invalid_characters",
        ),
        refused_as(
            "RFC 9110 §5.5: a vertical tab before it",
            post("content-length: \x0b5", "hello"),
            "http1.invalid_characters",
        ),
    ]);
}

#[test]
fn several_lengths() {
    check(&[
        sized("§6.3: a list of unlike ones", "5, 6"),
        sized("§6.3: a list of the same", "5, 5"),
        sized("§6.3: a list with an empty member", "5,"),
        sized("§6.3: a list that begins empty", ",5"),
        refused("§6.3: two unlike", post("content-length: 5\r\ncontent-length: 6", "hello!")),
        refused("§6.3: two alike", post("content-length: 5\r\ncontent-length: 5", "hello")),
        refused("§6.3: none and one", post("content-length: 0\r\ncontent-length: 5", "hello")),
        refused(
            "§6.3: two in unlike case",
            post("Content-Length: 5\r\ncontent-length: 0", "hello"),
        ),
        refused(
            "§6.3: two far apart",
            post("content-length: 5\r\nx-a: 1\r\ncontent-length: 0", "hello"),
        ),
        refused(
            "§6.3: one and an empty one",
            post("content-length: 5\r\ncontent-length:", "hello"),
        ),
        refused("§5.1: a space before the colon", post("content-length : 5", "hello")),
        refused("§5.2: folded", post("content-length: 1\r\n 5", "hello")),
        refused("§5.2: folded at once", post("content-length:\r\n 5", "hello")),
    ]);
}
