//! Heads out. A field stands in its map as the line to send, so that a head is its start line and
//! copies of those.

use super::reason_phrase;
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
        format.apply(&mut out[host_start..]);
    }
    encode_fields(headers, chunked, format, out);
}

/// Appends a response head to `out`: the status line, the fields in order, and `transfer-encoding`
/// last where the body goes in chunks. `status` has three digits.
pub fn encode_response(
    status: u16,
    headers: &HeaderMap,
    chunked: bool,
    format: KeyFormat,
    out: &mut Vec<u8>,
) {
    debug_assert!((100..=999).contains(&status), "{status} is no status");
    let digit = |value: u16| b'0' + (value % 10) as u8;
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(&[digit(status / 100), digit(status / 10), digit(status), b' ']);
    out.extend_from_slice(reason_phrase(status).as_bytes());
    out.extend_from_slice(b"\r\n");
    encode_fields(headers, chunked, format, out);
}

fn encode_fields(headers: &HeaderMap, chunked: bool, format: KeyFormat, out: &mut Vec<u8>) {
    encode_lines(headers, format, out);
    if chunked {
        let line_start = out.len();
        out.extend_from_slice(b"transfer-encoding: chunked\r\n");
        format.apply(&mut out[line_start..]);
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends all fields, each with its line end.
pub(super) fn encode_lines(headers: &HeaderMap, format: KeyFormat, out: &mut Vec<u8>) {
    for line in headers.field_lines() {
        let line_start = out.len();
        out.extend_from_slice(line);
        format.apply(&mut out[line_start..]);
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
