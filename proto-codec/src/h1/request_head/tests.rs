mod connection;
mod fields;
mod framing;
mod http_10;
mod limits;
mod start_line;
mod target_and_host;

use super::*;

type Outcome = Result<Option<Read>, RequestError>;

/// What a head was read as.
#[derive(Debug, Clone, PartialEq)]
struct Read {
    consumed: usize,
    headers: Vec<(String, String)>,
    version: Version,
    body: BodyLength,
    keep_alive: bool,
    expect_continue: bool,
    upgrade: bool,
}

fn snapshot(head: &RequestHead, consumed: usize) -> Read {
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    Read {
        consumed,
        headers: head.headers.iter().map(|h| (text(h.name), text(h.value))).collect(),
        version: head.version,
        body: head.body,
        keep_alive: head.keep_alive,
        expect_continue: head.expect_continue,
        upgrade: head.upgrade,
    }
}

/// Offers `bytes` up to each of `ends` in turn.
fn parse_by(bytes: &[u8], ends: impl Iterator<Item = usize>, options: &RequestOptions) -> Outcome {
    let mut head = RequestHead::default();
    let mut progress = HeadProgress::default();
    for end in ends {
        if let Some(consumed) = head.parse(&bytes[..end], &mut progress, options)? {
            return Ok(Some(snapshot(&head, consumed)));
        }
    }
    Ok(None)
}

/// Reads `bytes` whole, in two pieces split at every byte, and byte by byte: all the same.
fn parse_with(bytes: &[u8], options: &RequestOptions) -> Outcome {
    let whole = parse_by(bytes, [bytes.len()].into_iter(), options);
    for at in 0..bytes.len() {
        let split = parse_by(bytes, [at, bytes.len()].into_iter(), options);
        assert_eq!(split, whole, "split at {at}: {}", bytes.escape_ascii());
    }
    let trickled = parse_by(bytes, 0..=bytes.len(), options);
    assert_eq!(trickled, whole, "byte by byte: {}", bytes.escape_ascii());
    whole
}

fn parse(bytes: &[u8]) -> Outcome {
    parse_with(bytes, &RequestOptions::default())
}

#[track_caller]
fn accepted(bytes: &[u8]) -> Read {
    match parse(bytes) {
        Ok(Some(read)) => read,
        other => panic!("{other:?}: {}", bytes.escape_ascii()),
    }
}

#[track_caller]
fn refused(bytes: &[u8], error: RequestError) {
    assert_eq!(parse(bytes), Err(error), "{}", bytes.escape_ascii());
}

/// A GET with this line of its own.
fn with_line(line: &str) -> Vec<u8> {
    ["GET / HTTP/1.1\r\nHost: h\r\n", line, "\r\n\r\n"].concat().into_bytes()
}

/// A POST with these lines of its own.
fn post(lines: &[&str]) -> Vec<u8> {
    ["POST / HTTP/1.1\r\nHost: h\r\n", &lines.join("\r\n"), "\r\n\r\n"].concat().into_bytes()
}

fn request_line(line: &str) -> Vec<u8> {
    [line, "\r\nHost: h\r\n\r\n"].concat().into_bytes()
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_request_is_read_into_pseudo_headers_and_fields_in_order() {
    let bytes = b"POST /p?q HTTP/1.1\r\nX-A: 1\r\nHOST: h:1\r\nAccept:*/*\r\nX-A:\t two \r\nContent-Length: 3\r\n\r\nabc";
    let read = accepted(bytes);
    assert_eq!(
        read.headers,
        pairs(&[
            (":method", "POST"),
            (":path", "/p?q"),
            (":authority", "h:1"),
            ("x-a", "1"),
            ("accept", "*/*"),
            ("x-a", "two"),
            ("content-length", "3"),
        ])
    );
    assert_eq!(read.consumed, bytes.len() - 3);
    assert_eq!((read.version, read.body), (Version::Http11, BodyLength::Length(3)));
    assert!(read.keep_alive && !read.expect_continue && !read.upgrade);
}

#[test]
fn a_head_is_reused_without_remembering() {
    let mut head = RequestHead::default();
    let bytes = post(&[
        "Expect: 100-continue",
        "Connection: close, upgrade",
        "Upgrade: w",
        "Content-Length: 1",
    ]);
    let options = RequestOptions::default();
    let parsed = head.parse(&bytes, &mut HeadProgress::default(), &options);
    assert_eq!(parsed, Ok(Some(bytes.len())));
    let plain = request_line("GET / HTTP/1.1");
    let parsed = head.parse(&plain, &mut HeadProgress::default(), &options);
    assert_eq!(parsed, Ok(Some(plain.len())));
    assert_eq!(snapshot(&head, plain.len()), accepted(&plain));
    head.clear();
    assert!(head.headers.is_empty() && !head.keep_alive);
}

/// As seen on Envoy 1.40.
#[test]
fn errors_are_answered_as_envoy_does() {
    use RequestError as E;
    for (error, status, body, details) in [
        (E::Malformed, 400, "Bad Request", "http1.codec_error"),
        (E::UnknownMethod, 400, "Bad Request", "http1.codec_error"),
        (E::InvalidCharacters, 400, "Bad Request", "http1.invalid_characters"),
        (E::InvalidTarget, 400, "Bad Request", "http1.invalid_url"),
        (E::InvalidScheme, 400, "Bad Request", "http1.invalid_scheme"),
        (E::InvalidHost, 400, "Bad Request", "http.invalid_authority"),
        (E::BodyDisallowed, 400, "Bad Request", "http1.body_disallowed"),
        (E::UnexpectedUnderscore, 400, "Bad Request", "http1.unexpected_underscore"),
        (E::UnsupportedVersion, 426, "Upgrade Required", "low_version"),
        (E::HeadTooLarge, 431, "Request Header Fields Too Large", "http1.headers_too_large"),
        (E::TooManyHeaders, 431, "Request Header Fields Too Large", "http1.too_many_headers"),
        (E::Framing(FramingError::DuplicateContentLength), 400, "Bad Request", "http1.codec_error"),
        (
            E::Framing(FramingError::TransferEncodingWithContentLength),
            400,
            "Bad Request",
            "http1.content_length_and_chunked_not_allowed",
        ),
        (
            E::Framing(FramingError::UnsupportedTransferEncoding),
            501,
            "Not Implemented",
            "http1.invalid_transfer_encoding",
        ),
    ] {
        assert_eq!((error.status(), error.body(), error.details()), (status, body, details));
        assert!(error.is_codec_error());
    }
    for (error, details) in [
        (E::MissingHost, "missing_host_header"),
        (E::FragmentInTarget, "path_normalization_failed"),
    ] {
        assert_eq!((error.status(), error.body(), error.details()), (400, "", details));
        assert!(!error.is_codec_error());
    }
}
