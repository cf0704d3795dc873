//! RFC 9112 §7.1.2 and RFC 9110 §6.5: trailer sections.

use super::messages::{chunked, line, upstream_chunked, upstream_get};
use super::requests::{Case, all_forwarded, broken, broken_size, check, forwarded};

/// A trailer section that is read and dropped.
fn dropped(rule: &'static str, lines: &str) -> Case {
    forwarded(rule, chunked(&format!("0\r\n{lines}\r\n")), upstream_chunked("0\r\n\r\n"))
}

/// A trailer section that is none.
fn bad(rule: &'static str, lines: &str) -> Case {
    broken(rule, chunked(&format!("0\r\n{lines}\r\n")))
}

#[test]
fn trailers_are_dropped() {
    check(&[
        dropped("§7.1.2: one", "x-a: 1\r\n"),
        dropped("§7.1.2: several", "x-a: 1\r\nX-B:2\r\nx-a: 3\r\n"),
        dropped("RFC 9110 §6.5.1: a length", "content-length: 5\r\n"),
        dropped("RFC 9110 §6.5.1: a coding", "transfer-encoding: chunked\r\n"),
        dropped("RFC 9110 §6.5.1: a host", "host: evil.test\r\n"),
        dropped("RFC 9110 §6.5.1: credentials", "authorization: Basic x\r\n"),
        all_forwarded(
            "§7.1.2: the next request begins behind them",
            chunked("0\r\nx-a: 1\r\n\r\n") + &line("GET / HTTP/1.1"),
            vec![upstream_chunked("0\r\n\r\n"), upstream_get("")],
        ),
    ]);
}

#[test]
fn trailers_that_are_none() {
    let many = "x-a: 1\r\n".repeat(101);
    check(&[
        bad("§7.1.2: no colon", "nothing\r\n"),
        bad("§7.1.2: no name", ": 1\r\n"),
        bad("§5.1: space before the colon", "x-a : 1\r\n"),
        bad("§5.2: folded", "x-a: 1\r\n 2\r\n"),
        bad("§5.2: folded at once", " x-a: 1\r\n"),
        bad("§2.2: bare LF", "x-a: 1\nx-b: 2\r\n"),
        bad("§2.2: bare LF at the end", "x-a: 1\n"),
        bad("§2.2: bare CR", "x-a: 1\rx-b: 2\r\n"),
        bad("RFC 9110 §5.5: NUL", "x-a: 1\0\r\n"),
        bad("RFC 9110 §5.5: a control byte", "x-a: \x01\r\n"),
        bad("§5: a name that is no token", "x(a): 1\r\n"),
        bad("§5: a non-ASCII name", "x-\u{e9}: 1\r\n"),
        bad("§3: a request", "GET /evil HTTP/1.1\r\n"),
        broken_size(
            "§7.1.2: too many",
            chunked(&format!("0\r\n{many}\r\n")),
            "DPE http1.too_many_headers",
        ),
        broken_size(
            "§7.1.2: too large",
            chunked(&format!("0\r\nx-a: {}\r\n\r\n", "v".repeat(61 * 1024))),
            "DPE http1.headers_too_large",
        ),
    ]);
}
