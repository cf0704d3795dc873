//! Heads out. A field stands in its map as the line to send, so that a head is its start line and
//! copies of those.

use super::reason_phrase;
use crate::received_names::ReceivedNames;
use crate::{HeaderMap, KnownHeader};

/// How the names of fields are written. Envoy: `header_key_format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyFormat {
    /// `content-length`, the default.
    #[default]
    LowerCase,
    /// `Content-Length`: Envoy's `proper_case_words`.
    ProperCaseWords,
}

/// Appends a request head to `out`: the request line and `host` from the pseudo-headers, the fields
/// in order, and `transfer-encoding` last where the body goes in chunks.
pub fn encode_request(headers: &HeaderMap, chunked: bool, format: KeyFormat, out: &mut Vec<u8>) {
    let names = Names::of(headers, format);
    let method = headers.get(KnownHeader::Method).unwrap_or_default();
    let authority = headers.get(KnownHeader::Authority);
    // CONNECT has no path: its target is the authority (RFC 9112 §3.2.3).
    let target = headers.get(KnownHeader::Path).or(authority).unwrap_or_default();
    out.extend_from_slice(method);
    out.push(b' ');
    out.extend_from_slice(target);
    out.extend_from_slice(b" HTTP/1.1\r\n");
    if let Some(authority) = authority {
        let host_start = out.len();
        out.extend_from_slice(b"host: ");
        out.extend_from_slice(authority);
        out.extend_from_slice(b"\r\n");
        names.write(&mut out[host_start..]);
    }
    encode_fields(headers, chunked, names, out);
}

/// Appends an HTTP/1.1 response head to `out`: the status line, the fields in order, and
/// `transfer-encoding` last where the body goes in chunks. `status` has three digits.
pub fn encode_response(
    status: u16,
    headers: &HeaderMap,
    chunked: bool,
    format: KeyFormat,
    out: &mut Vec<u8>,
) {
    encode_status_line(b"HTTP/1.1 ", status, out);
    encode_fields(headers, chunked, Names::of(headers, format), out);
}

/// As [`encode_response`] for a client of HTTP/1.0, which Envoy answers in that version. Such a
/// client knows no chunks.
pub fn encode_response_http_10(
    status: u16,
    headers: &HeaderMap,
    format: KeyFormat,
    out: &mut Vec<u8>,
) {
    encode_status_line(b"HTTP/1.0 ", status, out);
    encode_fields(headers, false, Names::of(headers, format), out);
}

fn encode_status_line(version: &[u8], status: u16, out: &mut Vec<u8>) {
    debug_assert!((100..=999).contains(&status), "{status} is no status");
    let digit = |value: u16| b'0' + (value % 10) as u8;
    out.extend_from_slice(version);
    out.extend_from_slice(&[digit(status / 100), digit(status / 10), digit(status), b' ']);
    out.extend_from_slice(reason_phrase(status).as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn encode_fields(headers: &HeaderMap, chunked: bool, names: Names<'_>, out: &mut Vec<u8>) {
    encode_lines(headers, names, out);
    if chunked {
        let line_start = out.len();
        out.extend_from_slice(b"transfer-encoding: chunked\r\n");
        names.write(&mut out[line_start..]);
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends all fields, each with its line end.
pub(super) fn encode_lines(headers: &HeaderMap, names: Names<'_>, out: &mut Vec<u8>) {
    for line in headers.field_lines() {
        let line_start = out.len();
        out.extend_from_slice(line);
        names.write(&mut out[line_start..]);
    }
}

/// How the names of one section are written.
#[derive(Clone, Copy)]
pub(super) struct Names<'a> {
    received: Option<&'a ReceivedNames>,
    others: KeyFormat,
}

impl<'a> Names<'a> {
    /// As they came, where the map knows that; else in `format`.
    pub(super) fn of(headers: &'a HeaderMap, format: KeyFormat) -> Self {
        let received = headers.received_names();
        match received.others() {
            Some(others) => Self { received: Some(received), others },
            None => Self { received: None, others: format },
        }
    }

    /// Gives the name at the start of `line` its case.
    fn write(self, line: &mut [u8]) {
        let as_received = self.received.and_then(|received| {
            let length = line.iter().position(|byte| *byte == b':')?;
            received.find(&line[..length])
        });
        match as_received {
            Some(name) => line[..name.len()].copy_from_slice(name),
            None => self.others.apply(line),
        }
    }
}

impl KeyFormat {
    /// Gives the name at the start of `line` its case.
    fn apply(self, line: &mut [u8]) {
        if self == Self::LowerCase {
            return;
        }
        let mut word_starts = true;
        for byte in line.iter_mut().take_while(|byte| **byte != b':') {
            if word_starts {
                byte.make_ascii_uppercase();
            }
            word_starts = *byte == b'-';
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(list: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(name.as_bytes(), value.as_bytes());
        }
        headers
    }

    fn request(headers: &HeaderMap, chunked: bool, format: KeyFormat) -> String {
        let mut out = Vec::new();
        encode_request(headers, chunked, format, &mut out);
        String::from_utf8(out).expect("the tests write ASCII")
    }

    fn response(status: u16, headers: &HeaderMap, chunked: bool) -> String {
        let mut out = Vec::new();
        encode_response(status, headers, chunked, KeyFormat::LowerCase, &mut out);
        String::from_utf8(out).expect("the tests write ASCII")
    }

    #[test]
    fn a_request_is_its_line_host_and_fields_in_order() {
        let headers = fields(&[
            ("x-first", "1"),
            (":authority", "h:1"),
            (":path", "/p?q"),
            (":scheme", "http"),
            (":method", "PUT"),
            ("x-second", ""),
        ]);
        let head = "PUT /p?q HTTP/1.1\r\nhost: h:1\r\nx-first: 1\r\nx-second: \r\n";
        let plain = request(&headers, false, KeyFormat::LowerCase);
        assert_eq!(plain, [head, "\r\n"].concat());
        let chunked = request(&headers, true, KeyFormat::LowerCase);
        assert_eq!(chunked, [head, "transfer-encoding: chunked\r\n\r\n"].concat());
    }

    /// RFC 9112 §3.2.3.
    #[test]
    fn connect_is_written_with_its_authority() {
        let headers = fields(&[(":method", "CONNECT"), (":authority", "h:443")]);
        let head = request(&headers, false, KeyFormat::LowerCase);
        assert_eq!(head, "CONNECT h:443 HTTP/1.1\r\nhost: h:443\r\n\r\n");
    }

    /// Envoy: `header_key_format.proper_case_words`.
    #[test]
    fn proper_case_raises_the_first_letter_of_each_word_of_names_only() {
        let headers = fields(&[
            (":method", "GET"),
            (":path", "/"),
            (":authority", "h"),
            ("x-request-id", "a-b: c-d"),
            ("etag", "x"),
        ]);
        let expected = "GET / HTTP/1.1\r\nHost: h\r\nX-Request-Id: a-b: c-d\r\nEtag: x\r\n\
                        Transfer-Encoding: chunked\r\n\r\n";
        assert_eq!(request(&headers, true, KeyFormat::ProperCaseWords), expected);
    }

    /// Envoy: `preserve_case`. The format of the other side means nothing then.
    #[test]
    fn names_that_came_with_the_message_keep_their_case() {
        let mut headers = HeaderMap::new();
        headers.preserve_case(KeyFormat::LowerCase);
        for name in ["HOST", "X-aB", "x-Ab"] {
            headers.note_received(name.as_bytes());
        }
        for (name, value) in [(":method", "GET"), (":path", "/"), (":authority", "h")] {
            headers.append(name.as_bytes(), value.as_bytes());
        }
        headers.append(b"x-new", b"1");
        headers.append(b"x-ab", b"2");
        let head = "GET / HTTP/1.1\r\nHOST: h\r\nx-new: 1\r\nX-aB: 2\r\n\r\n";
        assert_eq!(request(&headers, false, KeyFormat::ProperCaseWords), head);
        headers.preserve_case(KeyFormat::ProperCaseWords);
        let head = head.replace("x-new", "X-New");
        assert_eq!(request(&headers, false, KeyFormat::LowerCase), head);
        headers.clear();
        headers.append(b"x-ab", b"2");
        assert_eq!(request(&headers, false, KeyFormat::LowerCase), "  HTTP/1.1\r\nx-ab: 2\r\n\r\n");
    }

    #[test]
    fn a_response_is_its_status_line_and_fields_in_order() {
        let mut headers = fields(&[("content-length", "2"), ("server", "x")]);
        let expected = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nserver: x\r\n\r\n";
        assert_eq!(response(200, &headers, false), expected);
        headers.remove(KnownHeader::ContentLength);
        let expected = "HTTP/1.1 404 Not Found\r\nserver: x\r\ntransfer-encoding: chunked\r\n\r\n";
        assert_eq!(response(404, &headers, true), expected);
    }

    /// Envoy answers HTTP/1.0 in HTTP/1.0.
    #[test]
    fn an_http_10_client_is_answered_in_its_version() {
        let mut out = Vec::new();
        let headers = fields(&[("connection", "close")]);
        encode_response_http_10(200, &headers, KeyFormat::LowerCase, &mut out);
        assert_eq!(out, b"HTTP/1.0 200 OK\r\nconnection: close\r\n\r\n");
    }

    /// As seen on Envoy 1.40.
    #[test]
    fn reason_phrases_are_those_of_envoy() {
        for (status, line) in [
            (413, "HTTP/1.1 413 Payload Too Large"),
            (414, "HTTP/1.1 414 URI Too Long"),
            (418, "HTTP/1.1 418 Unknown"),
            (451, "HTTP/1.1 451 Unknown"),
            (599, "HTTP/1.1 599 Last Unassigned Server Error Code"),
            (999, "HTTP/1.1 999 Unknown"),
        ] {
            let head = response(status, &HeaderMap::new(), false);
            assert_eq!(head.strip_suffix("\r\n\r\n"), Some(line));
        }
    }
}
