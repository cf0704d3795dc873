use super::*;

fn options(default_host: Option<&str>) -> RequestOptions {
    RequestOptions {
        accept_http_10: true,
        default_host_for_http_10: default_host.map(str::to_owned),
        ..Default::default()
    }
}

fn read(bytes: &[u8], default_host: Option<&str>) -> Read {
    let read = parse_with(bytes, &options(default_host));
    read.expect("well-formed").expect("complete")
}

/// Envoy: `accept_http_10`, `default_host_for_http_10`.
#[test]
fn is_taken_where_accepted_with_a_default_host() {
    let head = read(b"GET / HTTP/1.0\r\n\r\n", Some("d"));
    assert_eq!(head.headers[2..], pairs(&[(":authority", "d")]));
    assert_eq!((head.version, head.keep_alive), (Version::Http10, false));
    let head = read(b"GET / HTTP/1.0\r\nHost: q\r\nConnection: Keep-Alive\r\n\r\n", Some("d"));
    assert_eq!(head.headers[2].1, "q");
    assert!(head.keep_alive);
    let head = read(b"GET http://z/p HTTP/1.0\r\n\r\n", None);
    assert_eq!(head.headers[2].1, "z");
    let bare = parse_with(b"GET / HTTP/1.0\r\n\r\n", &options(None));
    assert_eq!(bare, Err(RequestError::MissingHost));
    let newer = parse_with(b"GET / HTTP/1.1\r\n\r\n", &options(Some("d")));
    assert_eq!(newer, Err(RequestError::MissingHost));
}

/// RFC 9112 §6.1.
#[test]
fn has_no_transfer_coding() {
    let bytes = b"POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    let error = RequestError::Framing(FramingError::TransferEncodingInHttp10);
    assert_eq!(parse_with(bytes, &options(None)), Err(error));
}

/// RFC 9110 §10.1.1: "A server that receives a 100-continue expectation in an HTTP/1.0 request
/// MUST ignore that expectation."
#[test]
fn expects_nothing() {
    let head = read(b"POST / HTTP/1.0\r\nHost: h\r\nExpect: 100-continue\r\n\r\n", None);
    assert!(!head.expect_continue);
    assert_eq!(head.headers.len(), 3);
}
