use super::*;

/// RFC 9112 §5, §5.1: "A server MUST reject ... any received request message that contains
/// whitespace between a header field name and colon".
#[test]
fn a_line_that_is_no_field_is_refused() {
    for line in
        ["A : b", "A\t: b", ": x", "A", "A b: c", "A(b: c", "\"A\": b", "\u{e9}: b", ":path: /x"]
    {
        refused(&with_line(line), RequestError::Malformed);
    }
}

/// RFC 9112 §5.2.
#[test]
fn a_folded_line_is_refused() {
    refused(&with_line("A: b\r\n c"), RequestError::Malformed);
    refused(&with_line("A: b\r\n\tc"), RequestError::Malformed);
    refused(&with_line("A: b\r\n "), RequestError::Malformed);
    refused(&with_line(" A: b"), RequestError::Malformed);
}

/// RFC 9112 §2.2: a recipient MAY take a bare LF for a line end; this one does not.
#[test]
fn a_bare_line_feed_is_refused() {
    refused(b"GET / HTTP/1.1\nHost: h\n\n", RequestError::Malformed);
    refused(b"GET / HTTP/1.1\r\nHost: h\nA: b\r\n\r\n", RequestError::Malformed);
    refused(b"GET / HTTP/1.1\r\nHost: h\r\n\n", RequestError::Malformed);
    refused(b"GET / HTTP/1.1\nHost: h\r\n\r\n", RequestError::Malformed);
}

/// RFC 9112 §2.2: "A recipient of such a bare CR MUST consider that element to be invalid".
#[test]
fn a_bare_carriage_return_is_refused() {
    refused(&with_line("A: b\rc"), RequestError::Malformed);
    refused(&with_line("A: b\r"), RequestError::Malformed);
    refused(&with_line("A\r: b"), RequestError::Malformed);
    refused(b"GET / HTTP/1.1\r\r\nHost: h\r\n\r\n", RequestError::Malformed);
    refused(b"GET / HTTP/1.1\r\nHost: h\r\n\r\r\n\r\n", RequestError::Malformed);
}

/// RFC 9110 §5.5.
#[test]
fn control_characters_are_refused() {
    for byte in ["\0", "\u{1}", "\u{8}", "\u{b}", "\u{1f}", "\u{7f}"] {
        refused(&with_line(&["A: b", byte, "c"].concat()), RequestError::InvalidCharacters);
        refused(&with_line(&["A", byte, ": b"].concat()), RequestError::InvalidCharacters);
    }
}

/// RFC 9110 §5.5: field values may hold HTAB and obs-text.
#[test]
fn tabs_and_obs_text_in_values_pass() {
    let read = accepted(b"GET / HTTP/1.1\r\nHost: h\r\nA: b\tc\xe9\r\nB:\r\n\r\n");
    assert_eq!(read.headers[3..], pairs(&[("a", "b\\tc\\xe9"), ("b", "")]));
}

/// Envoy: `headers_with_underscores_action`.
#[test]
fn underscores_are_allowed_refused_or_dropped() {
    let bytes = with_line("A_b: 1\r\nC: 2");
    let with = |headers_with_underscores| {
        parse_with(&bytes, &RequestOptions { headers_with_underscores, ..Default::default() })
    };
    let fields_of =
        |outcome: Outcome| outcome.expect("allowed").expect("complete").headers.split_off(3);
    assert_eq!(fields_of(with(UnderscoreAction::Allow)), pairs(&[("a_b", "1"), ("c", "2")]));
    assert_eq!(fields_of(with(UnderscoreAction::Drop)), pairs(&[("c", "2")]));
    assert_eq!(with(UnderscoreAction::Reject), Err(RequestError::UnexpectedUnderscore));
}
