use super::*;

/// RFC 9112 §3.2.2: the target's authority replaces `host`.
#[test]
fn absolute_form_gives_authority_and_path() {
    let read = accepted(&request_line("GET http://H:80/p HTTP/1.1"));
    assert_eq!(read.headers[1..], pairs(&[(":path", "/p"), (":authority", "H:80")]));
}

#[test]
fn absolute_form_may_be_switched_off() {
    let options = RequestOptions { allow_absolute_url: false, ..Default::default() };
    let read = parse_with(&request_line("GET http://x/p HTTP/1.1"), &options);
    let read = read.expect("well-formed").expect("complete");
    assert_eq!(read.headers[1..], pairs(&[(":path", "http://x/p"), (":authority", "h")]));
}

/// RFC 9112 §3.2.3.
#[test]
fn connect_has_an_authority_and_no_path() {
    let read = accepted(&request_line("CONNECT h:80 HTTP/1.1"));
    assert_eq!(read.headers, pairs(&[(":method", "CONNECT"), (":authority", "h:80")]));
    assert_eq!(read.body, BodyLength::UntilClose);
    refused(&request_line("CONNECT / HTTP/1.1"), RequestError::InvalidTarget);
}

/// RFC 9110 §9.3.6: CONNECT content has no meaning; what follows is the tunnel's.
#[test]
fn connect_with_a_body_is_refused() {
    let connect =
        |line: &str| ["CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n", line, "\r\n\r\n"].concat();
    refused(connect("Content-Length: 5").as_bytes(), RequestError::BodyDisallowed);
    let chunked = RequestError::Framing(FramingError::UnsupportedTransferEncoding);
    refused(connect("Transfer-Encoding: chunked").as_bytes(), chunked);
    assert_eq!(accepted(connect("Content-Length: 0").as_bytes()).body, BodyLength::UntilClose);
}

/// RFC 9112 §3.2.4.
#[test]
fn asterisk_is_for_options() {
    assert_eq!(accepted(&request_line("OPTIONS * HTTP/1.1")).headers[1].1, "*");
    refused(&request_line("GET * HTTP/1.1"), RequestError::InvalidTarget);
}

/// RFC 9112 §3.2: "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1
/// request message that lacks a Host header field and to any request message that contains more
/// than one Host header field line or a Host header field with an invalid field value."
#[test]
fn host_is_there_once_and_well_formed() {
    refused(b"GET / HTTP/1.1\r\n\r\n", RequestError::MissingHost);
    refused(b"GET / HTTP/1.1\r\nHost:\r\n\r\n", RequestError::MissingHost);
    refused(b"GET / HTTP/1.1\r\nHost:  \t\r\n\r\n", RequestError::MissingHost);
    refused(b"GET http://h/ HTTP/1.1\r\n\r\n", RequestError::MissingHost);
    for second in ["h", "x", ""] {
        let line = ["hOST: ", second].concat();
        refused(&with_line(&line), RequestError::DuplicateHost);
    }
    for host in ["a b", "a@b", "a,b", "a/b", "h:", "h:x", "[::1", "\u{e9}"] {
        let bytes = ["GET / HTTP/1.1\r\nHost: ", host, "\r\n\r\n"].concat();
        refused(bytes.as_bytes(), RequestError::InvalidHost);
    }
    refused(b"GET / HTTP/1.1\r\n Host: h\r\n\r\n", RequestError::Malformed);
    refused(b"GET / HTTP/1.1\r\nHost : h\r\n\r\n", RequestError::Malformed);
}

#[test]
fn host_and_target_that_disagree_are_refused() {
    refused(&request_line("GET http://x/ HTTP/1.1"), RequestError::HostMismatch);
    refused(&request_line("CONNECT x:80 HTTP/1.1"), RequestError::HostMismatch);
}

/// RFC 9112 §3.2: a target has no fragment; two parsers cut it off at different places.
#[test]
fn a_fragment_is_refused_once_the_head_is_known() {
    for target in ["/a#b", "#", "/#", "http://h/#a"] {
        let bytes = request_line(&["GET ", target, " HTTP/1.1"].concat());
        let expected = match target {
            "#" => RequestError::Malformed,
            _ => RequestError::FragmentInTarget,
        };
        refused(&bytes, expected);
    }
    let mut head = RequestHead::default();
    let bytes = request_line("GET /a#b HTTP/1.1");
    let parsed = head.parse(&bytes, &mut HeadProgress::default(), &RequestOptions::default());
    assert_eq!(parsed, Err(RequestError::FragmentInTarget));
    assert_eq!(head.headers.get(KnownHeader::Path), Some(&b"/a#b"[..]));
    assert_eq!(head.headers.get(KnownHeader::Authority), Some(&b"h"[..]));
}
