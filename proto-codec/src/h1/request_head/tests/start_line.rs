use super::*;

/// RFC 9112 §3: single spaces, as the grammar has them, though §3 lets a recipient be lenient.
#[test]
fn other_white_space_is_refused() {
    for line in [
        "GET  / HTTP/1.1",
        "GET /  HTTP/1.1",
        "GET / HTTP/1.1 ",
        " GET / HTTP/1.1",
        "GET\t/ HTTP/1.1",
        "GET /\tHTTP/1.1",
        "GET /a b HTTP/1.1",
        "GET / HTTP/1.1\t",
        "GET /",
    ] {
        refused(&request_line(line), RequestError::Malformed);
    }
}

/// RFC 9112 §2.2.
#[test]
fn one_empty_line_may_come_before() {
    let plain = request_line("GET / HTTP/1.1");
    let read = accepted(&[b"\r\n", &plain[..]].concat());
    assert_eq!(read.consumed, plain.len() + 2);
    assert_eq!(read.headers, accepted(&plain).headers);
    refused(&[b"\r\n\r\n", &plain[..]].concat(), RequestError::Malformed);
    refused(&[b"\n", &plain[..]].concat(), RequestError::Malformed);
    refused(&[b"\r", &plain[..]].concat(), RequestError::Malformed);
}

/// RFC 9112 §2.3.
#[test]
fn another_version_is_refused_as_envoy_does() {
    for version in ["HTTP/1.0", "HTTP/0.9", "HTTP/1.2", "HTTP/2.0", "HTTP/3.1"] {
        refused(&request_line(&["GET / ", version].concat()), RequestError::UnsupportedVersion);
    }
    for version in
        ["http/1.1", "HTTP/1.10", "HTTP/1", "HTTP/11", "HTTP/1.x", "HTTPS/1.1", "XTTP/1.1"]
    {
        refused(&request_line(&["GET / ", version].concat()), RequestError::Malformed);
    }
}

#[test]
fn the_preface_of_http_2_is_no_request() {
    refused(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", RequestError::UnknownMethod);
}

/// RFC 9112 §3.1: a method is a token. Which ones, Envoy says.
#[test]
fn methods_are_those_of_envoy() {
    for method in ["PATCH", "PURGE", "MSEARCH", "UNSUBSCRIBE", "TRACE"] {
        let read = accepted(&request_line(&[method, " / HTTP/1.1"].concat()));
        assert_eq!(read.headers[0].1, method);
    }
    for method in ["get", "FOO", "GETX", "POS", "M-SEARCH", "QUERY", "VERSIONCONTROLLED"] {
        refused(&request_line(&[method, " / HTTP/1.1"].concat()), RequestError::UnknownMethod);
    }
    refused(b"/ HTTP/1.1\r\nHost: h\r\n\r\n", RequestError::UnknownMethod);
}

#[test]
fn what_is_no_http_is_refused_at_once() {
    refused(b"\x16\x03\x01\x02\x00\x01\x00", RequestError::Malformed);
    refused(b"garbage", RequestError::UnknownMethod);
    refused(b"G@T", RequestError::UnknownMethod);
    refused(b" ", RequestError::Malformed);
    refused(b"AAAAAAAAAAAAAAAAA", RequestError::UnknownMethod);
    assert_eq!(parse(b"GARBAGE"), Ok(None));
    assert_eq!(parse(b""), Ok(None));
    assert_eq!(parse(b"\r"), Ok(None));
}

/// RFC 9112 §3.2, §2.2.
#[test]
fn controls_and_non_ascii_in_a_target_are_refused() {
    for byte in ["\0", "\u{1}", "\u{b}", "\u{7f}"] {
        let line = ["GET /", byte, " HTTP/1.1"].concat();
        refused(&request_line(&line), RequestError::InvalidCharacters);
    }
    refused(&request_line("GET /\u{e9} HTTP/1.1"), RequestError::Malformed);
    refused(b"GET /\xe9 HTTP/1.1\r\nHost: h\r\n\r\n", RequestError::Malformed);
}
