//! Which HTTP a plain connection begins with, from as few bytes as tell.
//!
//! [`detect`] is given all bytes received so far. It looks at the first line only, so it may be asked
//! again for each piece that comes.

use crate::auto::PREFACE;

/// What the bytes received so far are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detection {
    /// The beginning of some HTTP, or nothing yet.
    Incomplete,
    /// Something else, whatever follows.
    NotHttp,
    /// A request line of HTTP/1.0, or of what Envoy takes for it.
    Http10,
    /// A request line of HTTP/1.1.
    Http11,
    /// The preface of HTTP/2.
    Http2,
}

/// Looks at `bytes`.
pub fn detect(bytes: &[u8]) -> Detection {
    let length = bytes.len().min(PREFACE.len());
    if bytes[..length] == PREFACE[..length] {
        return match length == PREFACE.len() {
            true => Detection::Http2,
            false => Detection::Incomplete,
        };
    }
    let Some(first) = bytes.first() else { return Detection::Incomplete };
    if !is_token_byte(*first) {
        return Detection::NotHttp;
    }
    match memchr::memchr2(b'\r', b'\n', bytes) {
        Some(end) => of_request_line(&bytes[..end]).unwrap_or(Detection::NotHttp),
        None => Detection::Incomplete,
    }
}

/// Like Envoy, takes any version but 1.1 for 1.0, and a line without one too.
fn of_request_line(line: &[u8]) -> Option<Detection> {
    let mut words = line.splitn(3, |byte| *byte == b' ');
    let method = words.next().filter(|method| method.iter().all(|byte| is_token_byte(*byte)))?;
    let target = words.next().filter(|target| !target.is_empty())?;
    if method != b"CONNECT" && !may_be_target(target) {
        return None;
    }
    match words.next() {
        Some(b"HTTP/1.1") => Some(Detection::Http11),
        None => Some(Detection::Http10),
        Some([b'H', b'T', b'T', b'P', b'/', major, b'.', minor]) => {
            (major.is_ascii_digit() && minor.is_ascii_digit()).then_some(Detection::Http10)
        }
        Some(_) => None,
    }
}

/// A path, `*`, or an absolute URI (RFC 9112 §3.2).
fn may_be_target(target: &[u8]) -> bool {
    matches!(target[0], b'/' | b'*') || memchr::memmem::find(target, b"://").is_some()
}

/// RFC 9110 §5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_tells() {
        for (bytes, expected) in [
            (&b"GET / HTTP/1.1\r"[..], Detection::Http11),
            (b"get http://a/ HTTP/1.1\nhost", Detection::Http11),
            (b"CONNECT a:1 HTTP/1.1\r\n", Detection::Http11),
            (b"OPTIONS * HTTP/1.0\n", Detection::Http10),
            (b"GET / HTTP/2.0\r\n", Detection::Http10),
            (b"GET /\r\n", Detection::Http10),
            (&PREFACE[..], Detection::Http2),
            (b"\r\nGET / HTTP/1.1\r\nhost", Detection::NotHttp),
            (b"GET foo HTTP/1.1\r\n", Detection::NotHttp),
            (b"hello world foo\r\n", Detection::NotHttp),
            (b"GET / HTTP/x.1\r\n", Detection::NotHttp),
            (b"GET\r\n", Detection::NotHttp),
            (b"\x16\x03\x01", Detection::NotHttp),
            (b"hello", Detection::Incomplete),
            (b"GET / HTTP/1.1", Detection::Incomplete),
            (b"PRI * HTTP/2.0\r\n\r\nSM", Detection::Incomplete),
            (b"", Detection::Incomplete),
        ] {
            assert_eq!(detect(bytes), expected, "{}", bytes.escape_ascii());
        }
    }
}
