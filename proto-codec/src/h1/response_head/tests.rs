use super::*;
use crate::FramingError;

type Outcome = Result<Option<Read>, ResponseError>;

/// What a head was read as.
#[derive(Debug, Clone, PartialEq)]
struct Read {
    consumed: usize,
    status: u16,
    headers: Vec<(String, String)>,
    version: Version,
    body: BodyLength,
    keep_alive: bool,
}

fn snapshot(head: &ResponseHead, consumed: usize) -> Read {
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    Read {
        consumed,
        status: head.status,
        headers: head.headers.iter().map(|h| (text(h.name), text(h.value))).collect(),
        version: head.version,
        body: head.body,
        keep_alive: head.keep_alive,
    }
}

/// Offers `bytes` up to each of `ends` in turn.
fn parse_by(
    bytes: &[u8],
    ends: impl Iterator<Item = usize>,
    asked: RequestKind,
    limits: &HeadLimits,
) -> Outcome {
    let mut head = ResponseHead::default();
    let mut progress = HeadProgress::default();
    let options = ResponseOptions { limits: *limits, ..ResponseOptions::default() };
    for end in ends {
        if let Some(consumed) = head.parse(&bytes[..end], &mut progress, asked, &options)? {
            return Ok(Some(snapshot(&head, consumed)));
        }
    }
    Ok(None)
}

/// Reads `bytes` whole, in two pieces split at every byte, and byte by byte: all the same.
fn parse_with(bytes: &[u8], asked: RequestKind, limits: &HeadLimits) -> Outcome {
    let whole = parse_by(bytes, [bytes.len()].into_iter(), asked, limits);
    for at in 0..bytes.len() {
        let split = parse_by(bytes, [at, bytes.len()].into_iter(), asked, limits);
        assert_eq!(split, whole, "split at {at}: {}", bytes.escape_ascii());
    }
    let trickled = parse_by(bytes, 0..=bytes.len(), asked, limits);
    assert_eq!(trickled, whole, "byte by byte: {}", bytes.escape_ascii());
    whole
}

fn parse(bytes: &[u8]) -> Outcome {
    parse_with(bytes, RequestKind::Other, &HeadLimits::default())
}

fn message(status_line: &str, fields: &[&str]) -> Vec<u8> {
    let mut text = [status_line, "\r\n"].concat();
    for field in fields {
        text.push_str(field);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    text.into_bytes()
}

fn ok(fields: &[&str]) -> Vec<u8> {
    message("HTTP/1.1 200 OK", fields)
}

#[track_caller]
fn accepted(bytes: &[u8]) -> Read {
    match parse(bytes) {
        Ok(Some(read)) => read,
        other => panic!("{other:?}: {}", bytes.escape_ascii()),
    }
}

#[track_caller]
fn accepted_to_head(bytes: &[u8]) -> Read {
    let read = parse_with(bytes, RequestKind::Head, &HeadLimits::default());
    read.expect("well-formed").expect("complete")
}

#[track_caller]
fn refused(bytes: &[u8], error: ResponseError) {
    assert_eq!(parse(bytes), Err(error), "{}", bytes.escape_ascii());
}

#[test]
fn a_response_is_read_into_status_and_fields_in_order() {
    let bytes = b"HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 2\r\nX-A:two\r\n\r\nok";
    let read = accepted(bytes);
    let names: Vec<&str> = read.headers.iter().map(|(name, _)| &name[..]).collect();
    assert_eq!(names, ["x-a", "content-length", "x-a"]);
    assert_eq!((read.status, read.consumed), (200, bytes.len() - 2));
    assert_eq!((read.version, read.body), (Version::Http11, BodyLength::Length(2)));
    assert!(read.keep_alive);
}

#[test]
fn a_head_is_reused_without_remembering() {
    let mut head = ResponseHead::default();
    let options = ResponseOptions::default();
    for bytes in
        [message("HTTP/1.0 404 N", &["Connection: keep-alive", "Content-Length: 3"]), ok(&["A: b"])]
    {
        let parsed = head.parse(&bytes, &mut HeadProgress::default(), RequestKind::Other, &options);
        assert_eq!(parsed, Ok(Some(bytes.len())));
        assert_eq!(snapshot(&head, bytes.len()), accepted(&bytes));
    }
}

/// RFC 9112 §4: the reason phrase is optional and means nothing.
#[test]
fn any_reason_phrase_will_do() {
    for line in ["HTTP/1.1 200", "HTTP/1.1 200 ", "HTTP/1.1 200 Not\tFound \u{e9}"] {
        assert_eq!(accepted(&message(line, &[])).status, 200);
    }
    refused(&message("HTTP/1.1 200 O\u{1}K", &[]), ResponseError::InvalidStatus);
}

/// RFC 9110 §15: three digits. Above 599 is invalid but, as in Envoy, the upstream's to choose.
#[test]
fn a_status_has_three_digits_from_100() {
    for status in ["600", "999"] {
        let read = accepted(&message(&["HTTP/1.1 ", status, " X"].concat(), &[]));
        assert_eq!(read.status.to_string(), status);
    }
    for status in ["2000", "20", "000", "099", "+20", "2 0", "200OK", ""] {
        let line = ["HTTP/1.1 ", status, " X"].concat();
        refused(&message(&line, &[]), ResponseError::InvalidStatus);
    }
    refused(&message("HTTP/1.1  200 OK", &[]), ResponseError::InvalidStatus);
}

/// RFC 9112 §2.3.
#[test]
fn another_version_is_refused() {
    refused(&message("HTTP/1.2 200 OK", &[]), ResponseError::UnsupportedVersion);
    for line in ["HTTP/2.0 200 OK", "HTTP/0.9 200 OK", "http/1.1 200 OK", "ICY 200 OK", "SSH-2.0-x"]
    {
        let Err(error) = parse(line.as_bytes()) else { panic!("{line} is not refused at once") };
        assert_eq!(error, ResponseError::Malformed);
    }
}

/// RFC 9112 §2.2 allows an empty line before a request only.
#[test]
fn an_empty_line_before_the_status_line_is_refused() {
    refused(&[b"\r\n", &ok(&[])[..]].concat(), ResponseError::Malformed);
    refused(&[b"\n", &ok(&[])[..]].concat(), ResponseError::Malformed);
}

/// RFC 9112 §2.2, §5.1, §5.2.
#[test]
fn malformed_fields_are_refused() {
    for field in [
        "a : b",
        " a: b",
        "a: b\r\n c",
        "a",
        ": b",
        "a: b\0",
        "a: b\rc",
        "a\u{e9}: b",
        ":status: 200",
    ] {
        refused(&ok(&[field]), ResponseError::Malformed);
    }
    refused(b"HTTP/1.1 200 OK\ncontent-length: 2\n\n", ResponseError::Malformed);
    assert_eq!(accepted(b"HTTP/1.1 200 OK\r\na: \xe9\r\n\r\n").headers[0].1, "\\xe9");
}

/// RFC 9112 §6.3 items 4 to 8.
#[test]
fn the_body_ends_where_the_fields_say() {
    assert_eq!(accepted(&ok(&[])).body, BodyLength::UntilClose);
    assert_eq!(accepted(&ok(&["Content-Length: 0"])).body, BodyLength::Length(0));
    assert_eq!(accepted(&ok(&["Transfer-Encoding: chunked"])).body, BodyLength::Chunked);
    let reset = message("HTTP/1.1 205 R", &["Content-Length: 2"]);
    assert_eq!(accepted(&reset).body, BodyLength::Length(2));
}

/// RFC 9112 §6.1, §6.3, §11.1.
#[test]
fn framing_in_doubt_is_refused() {
    use FramingError as F;
    for (fields, error) in [
        (&["Content-Length: 2", "Content-Length: 2"][..], F::DuplicateContentLength),
        (&["Content-Length: 2, 2"], F::InvalidContentLength),
        (&["Content-Length: +2"], F::InvalidContentLength),
        (&["Transfer-Encoding: gzip, chunked"], F::UnsupportedTransferEncoding),
        (&["Transfer-Encoding: identity"], F::UnsupportedTransferEncoding),
        (
            &["Transfer-Encoding: chunked", "Content-Length: 2"],
            F::TransferEncodingWithContentLength,
        ),
    ] {
        refused(&ok(fields), ResponseError::Framing(error));
        let to_head = parse_with(&ok(fields), RequestKind::Head, &HeadLimits::default());
        assert_eq!(to_head, Err(ResponseError::Framing(error)));
    }
    let http_10 = message("HTTP/1.0 200 OK", &["Transfer-Encoding: chunked"]);
    refused(&http_10, ResponseError::Framing(F::TransferEncodingInHttp10));
}

/// RFC 9112 §6.3 item 1.
#[test]
fn answers_to_head_and_304_have_no_body() {
    for field in ["Content-Length: 5", "Transfer-Encoding: chunked", "A: b"] {
        let read = accepted_to_head(&ok(&[field]));
        assert_eq!((read.body, read.keep_alive, read.headers.len()), (BodyLength::None, true, 1));
        let read = accepted(&message("HTTP/1.1 304 N", &[field]));
        assert_eq!((read.body, read.keep_alive), (BodyLength::None, true));
    }
}

/// RFC 9110 §8.6: "A server MUST NOT send a Content-Length header field in any response with a status
/// code of 1xx (Informational) or 204 (No Content)"; RFC 9112 §6.1 says the same of the coding.
#[test]
fn interim_responses_and_204_announce_no_body() {
    for line in ["HTTP/1.1 100 C", "HTTP/1.1 103 E", "HTTP/1.1 204 N"] {
        let read = accepted(&message(line, &["A: b"]));
        assert_eq!((read.body, read.keep_alive), (BodyLength::None, true));
        let read = accepted(&message(line, &["Content-Length: 0"]));
        assert_eq!((read.body, read.headers.len()), (BodyLength::None, 0));
        for field in ["Content-Length: 2", "Transfer-Encoding: chunked"] {
            refused(&message(line, &[field]), ResponseError::BodyDisallowed);
        }
    }
}

#[test]
fn an_interim_response_is_a_head_of_its_own() {
    let interim = message("HTTP/1.1 100 Continue", &[]);
    let bytes = [&interim[..], &ok(&["Content-Length: 0"])].concat();
    let first = accepted(&bytes);
    assert_eq!((first.status, first.consumed), (100, interim.len()));
    assert_eq!(accepted(&bytes[first.consumed..]).status, 200);
}

/// RFC 9110 §7.8 and §9.3.6: behind such a head is another protocol, whatever the fields say.
#[test]
fn a_switch_or_a_tunnel_takes_the_rest_of_the_connection() {
    let read = |bytes: &[u8], asked| {
        let read = parse_with(bytes, asked, &HeadLimits::default());
        let read = read.expect("accepted").expect("complete");
        (read.body, read.keep_alive, read.headers.len())
    };
    let switch = message("HTTP/1.1 101 S", &["Connection: Upgrade", "Upgrade: websocket"]);
    assert_eq!(read(&switch, RequestKind::Upgrade), (BodyLength::UntilClose, false, 2));
    assert_eq!(read(&switch, RequestKind::Other).0, BodyLength::None);
    let unnamed = message("HTTP/1.1 101 S", &["Connection: Upgrade"]);
    assert_eq!(read(&unnamed, RequestKind::Upgrade).0, BodyLength::None);
    for field in ["Content-Length: 3", "Transfer-Encoding: chunked", "A: b"] {
        let left = usize::from(field == "A: b");
        let tunnel = (BodyLength::UntilClose, false, left);
        assert_eq!(read(&ok(&[field]), RequestKind::Connect), tunnel);
    }
    let refusal = message("HTTP/1.1 403 F", &["Content-Length: 2"]);
    assert_eq!(read(&refusal, RequestKind::Connect), (BodyLength::Length(2), true, 1));
    assert_eq!(read(&refusal, RequestKind::Upgrade), (BodyLength::Length(2), true, 1));
}

/// RFC 9112 §9.3.
#[test]
fn a_connection_is_reused_where_both_ends_of_the_message_are_known() {
    let length = "Content-Length: 0";
    assert!(!accepted(&ok(&["Connection: keep-alive"])).keep_alive);
    assert!(!accepted(&ok(&[length, "Connection: x, close"])).keep_alive);
    assert!(!accepted(&message("HTTP/1.0 200 OK", &[length])).keep_alive);
    assert!(accepted(&message("HTTP/1.0 200 OK", &[length, "Connection: keep-alive"])).keep_alive);
}

#[test]
fn a_head_is_bounded_in_size_and_number_of_fields() {
    let bytes = ok(&["A: 1", "B: 2"]);
    let bytes_max = bytes.len() as u32;
    let fits = parse_with(&bytes, RequestKind::Other, &HeadLimits { bytes_max, headers_max: 2 });
    assert!(matches!(fits, Ok(Some(_))));
    let large = parse_with(
        &bytes,
        RequestKind::Other,
        &HeadLimits { bytes_max: bytes_max - 1, headers_max: 2 },
    );
    assert_eq!(large, Err(ResponseError::HeadTooLarge));
    let many = parse_with(&bytes, RequestKind::Other, &HeadLimits { bytes_max, headers_max: 1 });
    assert_eq!(many, Err(ResponseError::TooManyHeaders));
    assert_eq!(ResponseError::TooManyHeaders.details(), "http1.too_many_headers");
    let fields = vec!["A: b"; FIELDS_ON_STACK + 1];
    let read = parse_by(
        &ok(&fields),
        [ok(&fields).len()].into_iter(),
        RequestKind::Other,
        &HeadLimits { headers_max: 1000, ..Default::default() },
    );
    assert_eq!(
        read.expect("within the bounds").expect("complete").headers.len(),
        FIELDS_ON_STACK + 1
    );
}
