use super::*;

#[track_caller]
fn refused_framing(lines: &[&str], error: FramingError) {
    refused(&post(lines), RequestError::Framing(error));
}

/// RFC 9112 §6.3 items 3 to 7.
#[test]
fn the_body_ends_where_the_fields_say() {
    assert_eq!(accepted(&request_line("POST / HTTP/1.1")).body, BodyLength::None);
    assert_eq!(accepted(&post(&["Content-Length: 0"])).body, BodyLength::Length(0));
    assert_eq!(accepted(&post(&["content-length:\t12 "])).body, BodyLength::Length(12));
    assert_eq!(accepted(&post(&["Transfer-Encoding: Chunked"])).body, BodyLength::Chunked);
    let head = accepted(b"HEAD / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n");
    assert_eq!(head.body, BodyLength::Length(3));
}

/// RFC 9112 §6.3 items 4 and 5.
#[test]
fn lengths_in_doubt_are_refused() {
    for value in ["", "+5", "-5", "0x5", "5_0", "5, 5", "5 5", "05", "18446744073709551616"] {
        refused_framing(
            &[&["Content-Length: ", value].concat()],
            FramingError::InvalidContentLength,
        );
    }
    let twice = FramingError::DuplicateContentLength;
    refused_framing(&["Content-Length: 5", "Content-Length: 5"], twice);
    refused_framing(&["Content-Length: 5", "A: b", "content-length: 6"], twice);
}

/// RFC 9112 §6.1, §6.3 items 3 and 4.
#[test]
fn codings_in_doubt_are_refused() {
    let unsupported = FramingError::UnsupportedTransferEncoding;
    for value in [
        "",
        "identity",
        "gzip",
        "gzip, chunked",
        "chunked, chunked",
        "chunked, identity",
        "chunked,",
        "xchunked",
        "\"chunked\"",
        "chunked;q=1",
        "chunked chunked",
    ] {
        refused_framing(&[&["Transfer-Encoding: ", value].concat()], unsupported);
    }
    refused_framing(&["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], unsupported);
    refused_framing(&["Transfer-Encoding: chunked", "Transfer-Encoding: identity"], unsupported);
    refused(&post(&["Transfer-Encoding: \u{b}chunked"]), RequestError::InvalidCharacters);
    let both = FramingError::TransferEncodingWithContentLength;
    refused_framing(&["Content-Length: 5", "Transfer-Encoding: chunked"], both);
    refused_framing(&["Transfer-Encoding: chunked", "Content-Length: 5"], both);
    // A name that is not quite it is another field (RFC 9110 §5.1), the proxy's to pass on.
    assert_eq!(accepted(&post(&["Transfer_Encoding: chunked"])).body, BodyLength::None);
}
