//! RFC 9112 §9.3.2: requests behind one another.

use super::messages::{
    chunked, get_with, line, post, upstream_chunked, upstream_get, upstream_length,
};
use super::requests::{Case, SERVED, all_forwarded, check, exact, ok, refusal};

/// One good request, and what follows is refused.
fn one_then(rule: &'static str, rest: &str, status: &str, log: &'static str) -> Case {
    let body = status.split_once(' ').map_or("", |(_, reason)| reason);
    exact(
        rule,
        format!("{}{rest}", get_with("x-a: 1")),
        (ok() + &refusal(status, body), true),
        vec![upstream_get("x-a: 1\r\n")],
        vec![SERVED, log],
    )
}

#[test]
fn requests_in_a_row() {
    check(&[
        all_forwarded("§9.3.2: three", line("GET / HTTP/1.1").repeat(3), vec![upstream_get(""); 3]),
        all_forwarded(
            "§9.3.2: of every kind",
            post("content-length: 2", "hi")
                + &chunked("2\r\nhi\r\n0\r\n\r\n")
                + &line("GET / HTTP/1.1"),
            vec![upstream_length("hi"), upstream_chunked("2\r\nhi\r\n0\r\n\r\n"), upstream_get("")],
        ),
        all_forwarded(
            "§2.2: an empty line between them",
            format!("{}\r\n{0}", line("GET / HTTP/1.1")),
            vec![upstream_get(""); 2],
        ),
        one_then(
            "§3: garbage behind a request",
            "hello\r\n\r\n",
            "400 Bad Request",
            "DPE http1.codec_error",
        ),
        one_then(
            "§2.2: two empty lines behind it",
            "\r\n\r\nGET",
            "400 Bad Request",
            "DPE http1.codec_error",
        ),
        one_then(
            "§6.3: a doubly framed one behind it",
            &post("content-length: 5\r\ntransfer-encoding: chunked", "0\r\n\r\n"),
            "400 Bad Request",
            "DPE http1.content_length_and_chunked_not_allowed",
        ),
        one_then(
            "§2.3: another version behind it",
            &line("GET / HTTP/2.0"),
            "426 Upgrade Required",
            "DPE low_version",
        ),
        one_then(
            "§7.1: a broken body behind it",
            &chunked("zz\r\n"),
            "400 Bad Request",
            "DPE http1.codec_error",
        ),
        exact(
            "§6.2: a body longer than said is another request",
            post("content-length: 2", "hi!"),
            (ok() + &refusal("400 Bad Request", "Bad Request"), true),
            vec![upstream_length("hi")],
            vec![SERVED, "DPE http1.codec_error"],
        ),
    ]);
}
