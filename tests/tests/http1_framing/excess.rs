//! RFC 9112 §6.3, §9.2: bytes behind a response's end. They belong to no request: nobody gets them,
//! and the connection that they came on serves no other request.

use super::responses::{Case, check, excess, in_chunks, passed_with, plain, with};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const EVIL: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";

fn behind(rule: &'static str, behind: &str) -> Case {
    excess(rule, OK, behind, plain())
}

#[test]
fn behind_a_body() {
    check(&[
        behind("§9.2: a second final response", EVIL),
        behind("§9.2: a third", &EVIL.repeat(2)),
        behind("§9.2: an interim response", "HTTP/1.1 100 Continue\r\n\r\n"),
        behind("§9.2: part of a response", "HTTP/1.1 200 OK\r\ncont"),
        behind("§9.2: garbage", "garbage"),
        behind("§9.2: one byte", "x"),
        behind("§9.2: an empty line", "\r\n"),
        behind("§9.2: a line feed", "\n"),
        behind("§9.2: NUL", "\0"),
        excess(
            "§7.1: behind the last chunk",
            &with("transfer-encoding: chunked\r\n", "2\r\nok\r\n0\r\n\r\n"),
            EVIL,
            in_chunks("2\r\nok\r\n0\r\n\r\n"),
        ),
        excess(
            "§7.1.2: behind trailers",
            &with("transfer-encoding: chunked\r\n", "0\r\nx-a: 1\r\n\r\n"),
            EVIL,
            in_chunks("0\r\n\r\n"),
        ),
    ]);
}

#[test]
fn behind_a_head() {
    let empty = |status: &str, lines: &str| passed_with(status, lines, "", "");
    check(&[
        excess(
            "§6.3: behind a length of nothing",
            &with("content-length: 0\r\n", ""),
            EVIL,
            empty("200 OK", "content-length: 0\r\n"),
        ),
        excess(
            "§6.3: behind 204",
            "HTTP/1.1 204 No Content\r\n\r\n",
            EVIL,
            empty("204 No Content", ""),
        ),
        excess(
            "§6.3: behind 304",
            "HTTP/1.1 304 Not Modified\r\n\r\n",
            EVIL,
            empty("304 Not Modified", ""),
        ),
        excess(
            "§6.3: a body behind the answer to HEAD",
            &with("content-length: 5\r\n", ""),
            "hello",
            empty("200 OK", "content-length: 5\r\n"),
        )
        .to("HEAD"),
        excess(
            "§6.3: a response behind the answer to HEAD",
            &with("content-length: 5\r\n", ""),
            EVIL,
            empty("200 OK", "content-length: 5\r\n"),
        )
        .to("HEAD"),
    ]);
}
