//! RFC 9112 §3.2, §3.3 and RFC 9110 §4.2, §7.2: where a request is to go.

use super::messages::{get, line, to_upstream};
use super::requests::{
    Case, check, ended, exact, forwarded, refusal, refused, refused_as, refused_host,
};

/// A GET of this target and host.
fn asking(target: &str, host: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nhost: {host}\r\n\r\n")
}

/// Refused for its authority.
fn no_authority(rule: &'static str, bytes: impl Into<Vec<u8>>) -> Case {
    refused_as(rule, bytes, "http.invalid_authority")
}

/// Refused for its target.
fn no_target(rule: &'static str, bytes: impl Into<Vec<u8>>) -> Case {
    refused_as(rule, bytes, "http1.invalid_url")
}

/// Refused for its fragment.
fn no_fragment(rule: &'static str, bytes: impl Into<Vec<u8>>) -> Case {
    ended(rule, bytes, refusal("400 Bad Request", ""), "- path_normalization_failed")
}

#[test]
fn targets() {
    let control = |rule, target: &str| {
        refused_as(rule, line(&format!("GET {target} HTTP/1.1")), "http1.invalid_characters")
    };
    check(&[
        refused("§3: space in the target", line("GET /a b HTTP/1.1")),
        control("§3.2: NUL", "/a\0"),
        control("§3.2: a control byte", "/a\x01"),
        control("§3.2: escape", "/a\x1b[0m"),
        control("§3.2: DEL", "/a\x7f"),
        refused("§3.2: bare CR", line("GET /a\rb HTTP/1.1")),
        refused("§3.2: non-ASCII", line("GET /\u{e9} HTTP/1.1")),
        refused("§3.2: bytes that are no text", &b"GET /\xff HTTP/1.1\r\nhost: a\r\n\r\n"[..]),
        refused("§3.2: relative", line("GET a HTTP/1.1")),
        refused("§3.2: relative to nothing", line("GET ?a HTTP/1.1")),
        no_fragment("§3.2: a fragment", line("GET /a#b HTTP/1.1")),
        no_fragment("§3.2: a fragment in the query", line("GET /a?b#c HTTP/1.1")),
        no_fragment("§3.2: an empty fragment", line("GET /# HTTP/1.1")),
        no_fragment(
            "§3.2.2: a fragment in absolute form",
            asking("http://a.example/#b", "a.example"),
        ),
        forwarded(
            "§3.2.1: what is not ours to decode goes as it is",
            line("GET /a/../%2e%2E//%00?%23&=+ HTTP/1.1"),
            to_upstream("GET /a/../%2e%2E//%00?%23&=+ HTTP/1.1", "a.example", ""),
        ),
        forwarded(
            "§3.2.1: two slashes are no authority",
            line("GET //b.example/x HTTP/1.1"),
            to_upstream("GET //b.example/x HTTP/1.1", "a.example", ""),
        ),
        forwarded(
            "§3.2.1: a URL in a path is a path",
            line("GET /http://b.example/ HTTP/1.1"),
            to_upstream("GET /http://b.example/ HTTP/1.1", "a.example", ""),
        ),
        exact(
            "§3.2.4: OPTIONS * is for the server itself",
            line("OPTIONS * HTTP/1.1"),
            (refusal("404 Not Found", "").replace("connection: close\r\n", ""), false),
            vec![],
            vec!["- absolute_path_rejected"],
        ),
        no_target("§3.2.4: * for another method", line("GET * HTTP/1.1")),
    ]);
}

#[test]
fn absolute_forms() {
    let to = |host| to_upstream("GET /x?y HTTP/1.1", host, "");
    check(&[
        forwarded("§3.2.2: plain", asking("http://b.example/x?y", "b.example"), to("b.example")),
        forwarded("§3.2.2: with its port", asking("http://b:81/x?y", "b:81"), to("b:81")),
        forwarded("§3.2.2: scheme in capitals", asking("HTTP://b/x?y", "b"), to("b")),
        forwarded(
            "§3.2.2: host in capitals",
            asking("http://B.example/x?y", "b.example"),
            to("B.example"),
        ),
        forwarded(
            "RFC 9110 §4.2.3: default port on one side",
            asking("http://b:80/x?y", "b"),
            to("b:80"),
        ),
        forwarded(
            "§3.2.2: an empty path",
            asking("http://b.example", "b.example"),
            to_upstream("GET / HTTP/1.1", "b.example", ""),
        ),
        no_authority("§3.2.2: another host", asking("http://b.example/", "a.example")),
        no_authority("§3.2.2: another port", asking("http://a.example:81/", "a.example:82")),
        no_authority("§3.2.2: a port on one side", asking("http://a.example:8080/", "a.example")),
        no_authority("§3.2.2: a longer host", asking("http://a.example/", "a.example.evil")),
        no_authority("§3.2.2: default port of another scheme", asking("http://b:443/", "b")),
        refused_host("§3.2: no host beside it", "GET http://b.example/ HTTP/1.1\r\n\r\n"),
        refused_host("§3.2: an empty host beside it", asking("http://b.example/", "")),
        no_target("§3.2.2: no authority", asking("http:///x", "a")),
        no_target("RFC 9110 §4.2.4: user information", asking("http://u@b.example/", "b.example")),
        no_target(
            "RFC 9110 §4.2.4: user and password",
            asking("http://u:p@b.example/", "b.example"),
        ),
        no_target("§3.2.2: a port that is none", asking("http://b:x/", "b:x")),
        no_target("§3.2.2: an empty port", asking("http://b:/", "b")),
        no_target("§3.2.2: a port too high", asking("http://b:65536/", "b:65536")),
        no_target("§3.2.2: a backslash ends no authority", asking("http://b\\@c/", "b")),
        refused_as("§3.2.2: another scheme", asking("ftp://b/", "b"), "http1.invalid_scheme"),
        refused("§3.2.2: one slash", asking("http:/b.example/", "b.example")),
        refused("§3.2.2: no slash", asking("http:b.example/", "b.example")),
    ]);
}

#[test]
fn hosts() {
    let hosted = |host: &str| get(&format!("host: {host}"));
    let to = |host| to_upstream("GET / HTTP/1.1", host, "");
    check(&[
        forwarded("§3.2: a port", hosted("a.example:8080"), to("a.example:8080")),
        forwarded("§3.2: an IPv4 address", hosted("127.0.0.1:1"), to("127.0.0.1:1")),
        forwarded("§3.2: an IPv6 address", hosted("[::1]:80"), to("[::1]:80")),
        forwarded(
            "§3.2: whatever its place",
            "GET / HTTP/1.1\r\nx-a: 1\r\nHOST: a.example\r\n\r\n",
            to_upstream("GET / HTTP/1.1", "a.example", "x-a: 1\r\n"),
        ),
        refused_host("§3.2: none", "GET / HTTP/1.1\r\n\r\n"),
        refused_host("§3.2: none among others", get("x-host: a.example")),
        refused_host("§3.2: empty", get("host:")),
        refused_host("§3.2: blank", get("host: \t ")),
        no_authority("§3.2: two", get("host: a.example\r\nhost: b.example")),
        no_authority("§3.2: the same twice", get("host: a.example\r\nhost: a.example")),
        no_authority("§3.2: two in unlike case", get("host: a.example\r\nHost: a.example")),
        no_authority("§3.2: one and an empty one", get("host: a.example\r\nhost:")),
        no_authority("§3.2: an empty one and one", get("host:\r\nhost: a.example")),
        no_authority("§3.2: two far apart", get("host: a\r\nx-a: 1\r\nx-b: 2\r\nhost: b")),
        no_authority("§3.2: a list", hosted("a.example, b.example")),
        no_authority("§3.2: a space", hosted("a b")),
        no_authority("§3.2: a tab", hosted("a\tb")),
        no_authority("§3.2: a path", hosted("a.example/x")),
        no_authority("§3.2: a query", hosted("a.example?x")),
        no_authority("§3.2: a fragment", hosted("a.example#x")),
        no_authority("§3.2: a scheme", hosted("http://a.example")),
        no_authority("§3.2: user information", hosted("u@a.example")),
        no_authority("§3.2: a backslash", hosted("a\\b")),
        no_authority("§3.2: a percent sign", hosted("a%00b")),
        no_authority("§3.2: quotes", hosted("\"a\"")),
        no_authority("§3.2: angle brackets", hosted("<a>")),
        no_authority("§3.2: non-ASCII", hosted("\u{e9}.example")),
        no_authority("§3.2: a port alone", hosted(":80")),
        no_authority("§3.2: an empty port", hosted("a:")),
        no_authority("§3.2: two ports", hosted("a:80:81")),
        no_authority("§3.2: a port of letters", hosted("a:http")),
        no_authority("§3.2: a port with a sign", hosted("a:+80")),
        no_authority("§3.2: a port too high", hosted("a:65536")),
        no_authority("§3.2: a port of many zeros", hosted("a:000080")),
        no_authority("§3.2: a bracket that stays open", hosted("[::1")),
        no_authority("§3.2: empty brackets", hosted("[]")),
        no_authority("§3.2: something behind the brackets", hosted("[::1]x")),
        refused_as("RFC 9110 §5.5: NUL in it", hosted("a\0b"), "http1.invalid_characters"),
        refused_as(
            "RFC 9110 §5.5: a control byte in it",
            hosted("a\x01b"),
            "http1.invalid_characters",
        ),
        refused("§5.1: a space before its colon", get("host : a.example")),
        refused("§5.2: folded", get("host: a.example\r\n b.example")),
        refused("§5.2: folded at once", get("host:\r\n a.example")),
    ]);
}
