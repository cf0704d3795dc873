//! RFC 9112 §6.1, §6.3, §11.2: transfer codings.

use super::messages::{chunked, post, upstream_chunked};
use super::requests::{
    Case, check, forwarded, refused, refused_as, refused_coding, refused_version,
};

const LAST: &str = "0\r\n\r\n";

/// A POST with these lines, refused for its coding.
fn coded(rule: &'static str, lines: &str) -> Case {
    refused_coding(rule, post(lines, LAST))
}

/// A POST whose length is told twice.
fn doubly_framed(rule: &'static str, lines: &str) -> Case {
    refused_as(rule, post(lines, LAST), "http1.content_length_and_chunked_not_allowed")
}

#[test]
fn codings() {
    check(&[
        forwarded("§6.1: chunked", chunked(LAST), upstream_chunked(LAST)),
        forwarded(
            "§7: in capitals",
            post("Transfer-Encoding: CHUNKED", LAST),
            upstream_chunked(LAST),
        ),
        forwarded(
            "§5.1: whitespace round it",
            post("transfer-encoding:\t chunked \t", LAST),
            upstream_chunked(LAST),
        ),
        coded("§6.1: another", "transfer-encoding: gzip"),
        coded("§6.1: identity", "transfer-encoding: identity"),
        coded("§6.1: nothing", "transfer-encoding:"),
        coded("§6.1: a coding before it", "transfer-encoding: gzip, chunked"),
        coded("§6.1: a coding behind it", "transfer-encoding: chunked, gzip"),
        coded("§6.1: identity behind it", "transfer-encoding: chunked, identity"),
        coded("§6.1: twice", "transfer-encoding: chunked, chunked"),
        coded("§6.1: on two lines", "transfer-encoding: chunked\r\ntransfer-encoding: chunked"),
        coded(
            "§6.1: another on a second line",
            "transfer-encoding: chunked\r\ntransfer-encoding: gzip",
        ),
        coded(
            "§6.1: another on a first line",
            "transfer-encoding: gzip\r\ntransfer-encoding: chunked",
        ),
        coded(
            "§6.1: identity on a second line",
            "transfer-encoding: chunked\r\ntransfer-encoding: identity",
        ),
        coded("§6.1: an empty second line", "transfer-encoding: chunked\r\ntransfer-encoding:"),
        coded("§6.1: a letter before", "transfer-encoding: xchunked"),
        coded("§6.1: a letter behind", "transfer-encoding: chunkedx"),
        coded("§6.1: cut short", "transfer-encoding: chunke"),
        coded("§6.1: quotes", "transfer-encoding: \"chunked\""),
        coded("§6.1: single quotes", "transfer-encoding: 'chunked'"),
        coded("§6.1: brackets", "transfer-encoding: [chunked]"),
        coded("§7: a parameter", "transfer-encoding: chunked;q=1"),
        coded("§6.1: an empty member before", "transfer-encoding: ,chunked"),
        coded("§6.1: an empty member behind", "transfer-encoding: chunked,"),
        coded("§6.1: two words", "transfer-encoding: chunked chunked"),
        coded("§6.1: the sharp s and its likes", "transfer-encoding: chun\u{212a}ed"),
        coded("§6.1: a colon before", "transfer-encoding: :chunked"),
        refused_as(
            "RFC 9110 §5.5: a vertical tab before",
            post("transfer-encoding: \x0bchunked", LAST),
            "http1.invalid_characters",
        ),
        refused_as(
            "RFC 9110 §5.5: NUL behind",
            post("transfer-encoding: chunked\0", LAST),
            "http1.invalid_characters",
        ),
        refused("§5.1: a space before the colon", post("transfer-encoding : chunked", LAST)),
        refused("§5.1: a tab before the colon", post("transfer-encoding\t: chunked", LAST)),
        refused(
            "§5.1: a space before the name",
            post("x-a: 1\r\n transfer-encoding: chunked", LAST),
        ),
        refused("§5.2: folded", post("transfer-encoding:\r\n chunked", LAST)),
        refused("§5.2: folded behind", post("transfer-encoding: chunked\r\n , identity", LAST)),
        refused("§2.2: behind a bare LF", post("x-a: 1\ntransfer-encoding: chunked", LAST)),
        refused("§2.2: behind a bare CR", post("x-a: 1\rtransfer-encoding: chunked", LAST)),
        refused_version(
            "§6.1: in HTTP/1.0",
            "POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
    ]);
}

#[test]
fn beside_a_length() {
    check(&[
        doubly_framed("§6.3: behind a length", "content-length: 5\r\ntransfer-encoding: chunked"),
        doubly_framed("§6.3: before a length", "transfer-encoding: chunked\r\ncontent-length: 5"),
        doubly_framed(
            "§6.3: with the true length",
            "content-length: 0\r\ntransfer-encoding: chunked",
        ),
        doubly_framed(
            "§6.3: far apart",
            "content-length: 5\r\nx-a: 1\r\nx-b: 1\r\ntransfer-encoding: chunked",
        ),
        doubly_framed(
            "§6.3: the length named in connection",
            "connection: content-length\r\ncontent-length: 5\r\ntransfer-encoding: chunked",
        ),
        doubly_framed(
            "§6.3: the coding named in connection",
            "connection: transfer-encoding\r\ncontent-length: 5\r\ntransfer-encoding: chunked",
        ),
        coded(
            "§6.3: another coding beside a length",
            "content-length: 5\r\ntransfer-encoding: gzip",
        ),
        coded("§6.3: identity beside a length", "content-length: 5\r\ntransfer-encoding: identity"),
        refused(
            "§6.3: beside a length that is none",
            post("content-length: x\r\ntransfer-encoding: chunked", LAST),
        ),
        forwarded(
            "§6.1: the coding named in connection stays",
            post("connection: transfer-encoding\r\ntransfer-encoding: chunked", LAST),
            upstream_chunked(LAST),
        ),
    ]);
}
