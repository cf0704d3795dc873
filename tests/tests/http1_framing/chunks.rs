//! RFC 9112 §7.1: chunks.

use super::messages::{chunked, line, upstream_chunked, upstream_get};
use super::requests::{Case, all_forwarded, broken, check, forwarded, unfinished};

/// A body that is data only.
fn plain(rule: &'static str, body: &str, data: &str) -> Case {
    let chunks = match data.len() {
        0 => String::new(),
        length => format!("{length:x}\r\n{data}\r\n"),
    };
    forwarded(rule, chunked(body), upstream_chunked(&format!("{chunks}0\r\n\r\n")))
}

/// A body that breaks.
fn bad(rule: &'static str, body: &str) -> Case {
    broken(rule, chunked(body))
}

/// A body without an end.
fn endless(rule: &'static str, body: &str) -> Case {
    unfinished(rule, chunked(body))
}

#[test]
fn good_chunks() {
    check(&[
        plain("§7.1: none", "0\r\n\r\n", ""),
        plain("§7.1: leading zeros in the last", "000\r\n\r\n", ""),
        plain("§7.1: one", "5\r\nhello\r\n0\r\n\r\n", "hello"),
        plain("§7.1: several", "1\r\nh\r\n3\r\nell\r\n1\r\no\r\n0\r\n\r\n", "hello"),
        plain("§7.1: leading zeros", "00005\r\nhello\r\n0\r\n\r\n", "hello"),
        plain("§7.1: capital digits", "A\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
        plain("§7.1: small digits", "a\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
        plain(
            "§7.1: data that looks like framing",
            "9\r\n\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n",
            "\r\n0\r\n\r\n\r\n",
        ),
        plain("§7.1.1: an extension", "5;a=b\r\nhello\r\n0\r\n\r\n", "hello"),
        plain("§7.1.1: a quoted extension", "5;a=\"b;c\"\r\nhello\r\n0;e\r\n\r\n", "hello"),
        plain("§7.1.1: an empty extension", "5;\r\nhello\r\n0\r\n\r\n", "hello"),
        plain("§7.1.1: many extensions", "5;a;b;c=d\r\nhello\r\n0\r\n\r\n", "hello"),
        all_forwarded(
            "§7.1: the next request begins behind the last chunk",
            chunked("2\r\nhi\r\n0\r\n\r\n") + &line("GET / HTTP/1.1"),
            vec![upstream_chunked("2\r\nhi\r\n0\r\n\r\n"), upstream_get("")],
        ),
    ]);
}

#[test]
fn sizes() {
    check(&[
        bad("§7.1: no number", "zz\r\nab\r\n0\r\n\r\n"),
        bad("§7.1: empty", "\r\nab\r\n0\r\n\r\n"),
        bad("§7.1: an extension without a size", ";a\r\nab\r\n0\r\n\r\n"),
        bad("§7.1: a plus", "+2\r\nab\r\n0\r\n\r\n"),
        bad("§7.1: a minus", "-2\r\nab\r\n0\r\n\r\n"),
        bad("§7.1: 0x", "0x2\r\nab\r\n0\r\n\r\n"),
        bad("§7.1: an underscore", "0_2\r\nab\r\n0\r\n\r\n"),
        bad("§7.1: a point", "2.0\r\nab\r\n0\r\n\r\n"),
        bad("§7.1: a comma", "2,2\r\nab\r\n0\r\n\r\n"),
        bad("§7.1: quotes", "\"2\"\r\nab\r\n0\r\n\r\n"),
        bad("§7.1: space before", " 2\r\nab\r\n0\r\n\r\n"),
        bad("§7.1: tab before", "\t2\r\nab\r\n0\r\n\r\n"),
        bad("§7.1: space behind", "2 \r\nab\r\n0\r\n\r\n"),
        bad("§7.1: tab behind", "2\t\r\nab\r\n0\r\n\r\n"),
        bad("§7.1.1: space before the extension", "2 ;a\r\nab\r\n0\r\n\r\n"),
        bad("§7.1: NUL behind", "2\0\r\nab\r\n0\r\n\r\n"),
        bad("§7.1: seventeen digits", "00000000000000002\r\nab\r\n0\r\n\r\n"),
        bad("§7.1: more than 64 bits", "10000000000000002\r\nab\r\n0\r\n\r\n"),
        bad("§7.1: letters behind the digits", "2g\r\nab\r\n0\r\n\r\n"),
        bad("§7.1: non-ASCII", "\u{ff12}\r\nab\r\n0\r\n\r\n"),
        bad("§7.1: a negative in all bits", "-1\r\nab\r\n0\r\n\r\n"),
        endless("§7.1: as large as 64 bits go", "ffffffffffffffff\r\nab"),
    ]);
}

#[test]
fn line_ends() {
    check(&[
        bad("§7.1: more data than said", "2\r\nabc\r\n0\r\n\r\n"),
        bad("§7.1: less data than said", "4\r\nab\r\n0\r\n\r\n"),
        bad("§7.1: no line end behind the data", "2\r\nab0\r\n\r\n"),
        bad("§7.1: bare LF after the size", "2\nab\r\n0\r\n\r\n"),
        bad("§7.1: bare CR after the size", "2\rab\r\n0\r\n\r\n"),
        bad("§7.1: two CR after the size", "2\r\r\nab\r\n0\r\n\r\n"),
        bad("§7.1: LF CR after the size", "2\n\rab\r\n0\r\n\r\n"),
        bad("§7.1: bare LF after the data", "2\r\nab\n0\r\n\r\n"),
        bad("§7.1: bare CR after the data", "2\r\nab\r0\r\n\r\n"),
        bad("§7.1: two CR after the data", "2\r\nab\r\r\n0\r\n\r\n"),
        bad("§7.1: an empty line after the data", "2\r\nab\r\n\r\n0\r\n\r\n"),
        bad("§7.1: bare LF after the last size", "0\n\r\n"),
        bad("§7.1: bare LF at the very end", "0\r\n\n"),
        bad("§7.1: bare LF twice", "0\n\n"),
        bad("§7.1: junk after the last size", "0 x\r\n\r\n"),
        bad("§7.1: junk in the last chunk", "0\r\nx\r\n\r\n"),
        bad("§7.1.1: bare LF in an extension", "2;a\nb\r\nab\r\n0\r\n\r\n"),
        bad("§7.1.1: bare CR in an extension", "2;a\rb\r\nab\r\n0\r\n\r\n"),
        bad("§7.1.1: NUL in an extension", "2;a\0\r\nab\r\n0\r\n\r\n"),
        bad("§7.1.1: a control byte in an extension", "2;a\x01\r\nab\r\n0\r\n\r\n"),
        bad("§7.1.1: DEL in an extension", "2;a\x7f\r\nab\r\n0\r\n\r\n"),
        bad("§7.1.1: non-ASCII in an extension", "2;\u{e9}\r\nab\r\n0\r\n\r\n"),
        bad("§7.1.1: a line end in quotes", "2;a=\"\nb\"\r\nab\r\n0\r\n\r\n"),
        bad(
            "§7.1.1: extensions past the limit",
            &format!("2;{}\r\nab\r\n0\r\n\r\n", "a".repeat(16 * 1024 + 1)),
        ),
        bad(
            "§7.1.1: extensions past the limit in many chunks",
            &format!("1;{}\r\na\r\n", "b".repeat(1000)).repeat(18),
        ),
    ]);
}

#[test]
fn unfinished_bodies() {
    check(&[
        endless("§7.1: nothing", ""),
        endless("§7.1: a size", "2"),
        endless("§7.1: a size line", "2\r\n"),
        endless("§7.1: part of the data", "2\r\na"),
        endless("§7.1: no last chunk", "2\r\nab\r\n"),
        endless("§7.1: no final CRLF", "2\r\nab\r\n0\r\n"),
        endless("§7.1: half of the final CRLF", "2\r\nab\r\n0\r\n\r"),
        endless("§7.1.2: no end of the trailers", "0\r\nx-a: 1\r\n"),
    ]);
}
