//! Responses that are too much to hold: ended where the limit is, whatever else would come.

use super::peer::Then;
use super::responses::{broken, check, refused, with};

#[test]
fn heads() {
    let long = "v".repeat(130 * 1024);
    let many = "x-a: b\r\n".repeat(200);
    check(&[
        refused("a long value", with(&format!("x-a: {long}\r\n"), "")),
        refused("a long name", with(&format!("{long}: 1\r\n"), "")),
        refused("a long reason", format!("HTTP/1.1 200 {long}\r\n\r\n")),
        refused("a value without an end", format!("HTTP/1.1 200 OK\r\nx-a: {long}")),
        refused("a reason without an end", format!("HTTP/1.1 200 {long}")),
        refused("many fields", with(&many, "")),
        refused("many fields without an end", format!("HTTP/1.1 200 OK\r\n{many}")),
        refused("an interim response of many fields", format!("HTTP/1.1 103 x\r\n{many}\r\n")),
    ]);
}

#[test]
fn endless_streams() {
    let chunked = |body: &str| with("transfer-encoding: chunked\r\n", body);
    check(&[
        refused("zeros", vec![0; 4096]).then(Then::Repeat),
        refused("empty lines", "\r\n".repeat(1000)).then(Then::Repeat),
        refused("letters", "a".repeat(4096)).then(Then::Repeat),
        refused("the beginning of a status line", "HTTP/1.1 200 ").then(Then::Repeat),
        broken("chunk extensions", chunked(&format!("1;{}", "a".repeat(20 * 1024)))),
        broken(
            "chunk extensions of many chunks",
            chunked(&format!("1;{}\r\na\r\n", "b".repeat(1000)).repeat(20)),
        ),
        broken("trailers", chunked(&format!("0\r\n{}", "x-a: b\r\n".repeat(10_000)))),
    ]);
}
