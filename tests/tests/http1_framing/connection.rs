//! RFC 9110 §7.6.1, §7.8, §10.1 and RFC 9112 §9: what concerns one connection.

use super::messages::{get_with, line, post, to_upstream, upstream_get, upstream_length};
use super::requests::{
    Case, SERVED, check, ended, exact, forwarded, ok, refusal, refused, refused_host,
};
use super::rig::DATE;

/// The upstream's answer when the connection ends with it.
fn last_ok() -> String {
    ok().replace("server: envoy\r\n", "server: envoy\r\nconnection: close\r\n")
}

/// Answered by the upstream and closed.
fn closed(rule: &'static str, bytes: impl Into<Vec<u8>>, upstream: String) -> Case {
    exact(rule, bytes, (last_ok(), true), vec![upstream], vec![SERVED])
}

#[test]
fn hop_by_hop_fields() {
    let dropped = |rule, lines: &str| forwarded(rule, get_with(lines), upstream_get(""));
    check(&[
        dropped("§7.6.1: a named field", "connection: x-a\r\nx-a: 1"),
        dropped("§7.6.1: named behind it", "x-a: 1\r\nconnection: x-a"),
        dropped("§7.6.1: in another case", "connection: X-A\r\nx-a: 1"),
        dropped("§7.6.1: several of that name", "connection: x-a\r\nx-a: 1\r\nx-a: 2"),
        dropped("§7.6.1: among others", "connection: keep-alive, x-a ,\tx-b\r\nx-a: 1\r\nx-b: 2"),
        dropped(
            "§7.6.1: named in a second line",
            "connection: x-a\r\nconnection: x-b\r\nx-a: 1\r\nx-b: 2",
        ),
        dropped("§7.6.1: empty members", "connection: ,, x-a,\r\nx-a: 1"),
        dropped("§7.6.1: connection itself", "connection: connection"),
        dropped("§7.6.1: a name that is not there", "connection: x-z"),
        dropped("§7.6.1: an empty list", "connection:"),
        dropped("§7.6.1: keep-alive", "keep-alive: timeout=5\r\nconnection: keep-alive"),
        dropped("§7.6.1: keep-alive unnamed", "keep-alive: timeout=5"),
        dropped("proxy-connection, which is no standard", "proxy-connection: keep-alive"),
        dropped("§10.1.4: te", "te: gzip, deflate;q=0.5\r\nconnection: te"),
        dropped(
            "RFC 9113 §3.1: h2c",
            "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMA",
        ),
        dropped("§7.8: upgrade unnamed", "upgrade: websocket"),
        forwarded(
            "§10.1.4: te may say trailers",
            get_with("te: gzip, trailers"),
            upstream_get("te: trailers\r\n"),
        ),
        forwarded(
            "§7.6.1: a name within a name",
            get_with("connection: x-a\r\nx-ab: 1"),
            upstream_get("x-ab: 1\r\n"),
        ),
        forwarded(
            "§7.6.1: a length frames the message, whoever names it",
            post("connection: content-length\r\ncontent-length: 2", "hi"),
            upstream_length("hi"),
        ),
        refused_host("§7.6.1: host may not be taken away", get_with("connection: host")),
    ]);
}

#[test]
fn persistence() {
    check(&[
        closed("§9.6: close", get_with("connection: close"), upstream_get("")),
        closed("§9.6: close in capitals", get_with("connection: CLOSE"), upstream_get("")),
        closed(
            "§9.6: close in a list",
            get_with("connection: keep-alive, close"),
            upstream_get(""),
        ),
        closed(
            "§9.6: close in a second line",
            get_with("connection: keep-alive\r\nconnection: close"),
            upstream_get(""),
        ),
        closed(
            "§9.6: what follows close is no request",
            get_with("connection: close") + &line("GET /two HTTP/1.1"),
            upstream_get(""),
        ),
        forwarded(
            "§9.6: close in quotes is another word",
            get_with("connection: \"close\""),
            upstream_get(""),
        ),
    ]);
}

#[test]
fn other_protocols() {
    let forbidden = refusal("403 Forbidden", "");
    check(&[
        ended(
            "§7.8: an upgrade that is not configured",
            get_with("connection: upgrade\r\nupgrade: websocket"),
            forbidden.clone(),
            "- upgrade_failed",
        ),
        ended(
            "§7.8: bytes behind it are no request",
            get_with("connection: upgrade\r\nupgrade: x") + &line("GET /two HTTP/1.1"),
            forbidden,
            "- upgrade_failed",
        ),
        ended(
            "RFC 9110 §9.3.6: CONNECT that is not configured",
            "CONNECT a.example:443 HTTP/1.1\r\nhost: a.example:443\r\n\r\n",
            refusal("404 Not Found", ""),
            "NR route_not_found",
        ),
        ended(
            "RFC 9110 §9.3.6: bytes behind it are no request",
            format!(
                "CONNECT a.example:443 HTTP/1.1\r\nhost: a.example:443\r\n\r\n{}",
                line("GET / HTTP/1.1")
            ),
            refusal("404 Not Found", ""),
            "NR route_not_found",
        ),
        super::requests::refused_as(
            "RFC 9110 §9.3.6: CONNECT with a length",
            "CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\ncontent-length: 2\r\n\r\nhi",
            "http1.body_disallowed",
        ),
        super::requests::refused_as(
            "§3.2.3: CONNECT without a port",
            "CONNECT a.example HTTP/1.1\r\nhost: a.example\r\n\r\n",
            "http1.invalid_url",
        ),
        super::requests::refused_as(
            "§3.2.3: CONNECT with a path",
            "CONNECT /x HTTP/1.1\r\nhost: a\r\n\r\n",
            "http1.invalid_url",
        ),
        super::requests::refused_as(
            "§3.2.3: CONNECT to another host",
            "CONNECT a:443 HTTP/1.1\r\nhost: b:443\r\n\r\n",
            "http.invalid_authority",
        ),
        super::requests::refused_coding(
            "RFC 9110 §9.3.6: CONNECT in chunks",
            "CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
    ]);
}

#[test]
fn expectations() {
    let continued = format!("HTTP/1.1 100 Continue\r\n\r\n{}", ok());
    let body = upstream_length("hi");
    check(&[
        exact(
            "§10.1.1: answered by us, and gone",
            post("expect: 100-continue\r\ncontent-length: 2", "hi"),
            (continued.clone(), false),
            vec![body.clone()],
            vec![SERVED],
        ),
        exact(
            "§10.1.1: in capitals",
            post("expect: 100-Continue\r\ncontent-length: 2", "hi"),
            (continued, false),
            vec![body],
            vec![SERVED],
        ),
        forwarded("§10.1.1: without a body", get_with("expect: 100-continue"), upstream_get("")),
        exact(
            "§10.1.1: broken behind the promise",
            post("expect: 100-continue\r\ntransfer-encoding: chunked", "zz\r\n"),
            (
                format!(
                    "HTTP/1.1 100 Continue\r\n\r\n{}",
                    refusal("400 Bad Request", "Bad Request")
                ),
                true,
            ),
            vec![],
            vec!["DPE http1.codec_error"],
        ),
        refused(
            "§5.2: a folded expectation",
            post("expect:\r\n 100-continue\r\ncontent-length: 2", "hi"),
        ),
        forwarded(
            "RFC 9110 §7.6.2: max-forwards goes as it is",
            line("TRACE / HTTP/1.1\r\nmax-forwards: 0"),
            to_upstream("TRACE / HTTP/1.1", "a.example", "max-forwards: 0\r\n"),
        ),
    ]);
    assert_eq!(DATE.len(), 29);
}
