//! Which version of HTTP a client speaks, told by its first bytes (Envoy: `codec_type: AUTO`).

/// What every HTTP/2 client sends first (RFC 9113 §3.4). No request line of HTTP/1 begins so.
pub const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1 or HTTP/1.0.
    Http1,
    /// HTTP/2.
    Http2,
}

/// What a client speaks whose first bytes are `bytes`. `None` while they are the beginning of the
/// preface and no more: the next ones tell.
pub fn detect(bytes: &[u8]) -> Option<Protocol> {
    let compared = bytes.len().min(PREFACE.len());
    if bytes[..compared] != PREFACE[..compared] {
        Some(Protocol::Http1)
    } else if compared == PREFACE.len() {
        Some(Protocol::Http2)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preface_is_known_at_its_last_byte() {
        for split in 0..PREFACE.len() {
            assert_eq!(detect(&PREFACE[..split]), None, "{split} bytes");
        }
        assert_eq!(detect(PREFACE), Some(Protocol::Http2));
        assert_eq!(detect(&[&PREFACE[..], b"\0\0\0\x04"].concat()), Some(Protocol::Http2));
    }

    #[test]
    fn the_first_byte_that_differs_tells_http_1() {
        for split in 0..PREFACE.len() {
            let mut bytes = PREFACE[..=split].to_vec();
            bytes[split] ^= 1;
            assert_eq!(detect(&bytes), Some(Protocol::Http1), "byte {split}");
        }
        for line in ["GET / HTTP/1.1\r\n", "P", "PRIVATE /", "PUT / HTTP/1.1\r\n\r\n"] {
            let told = (0..=line.len()).find_map(|split| detect(&line.as_bytes()[..split]));
            assert_eq!(told, (line != "P").then_some(Protocol::Http1), "{line}");
        }
    }
}
