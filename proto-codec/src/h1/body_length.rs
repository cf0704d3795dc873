//! Where a body ends (RFC 9112 §6). The fields that say so are collected while a head is read; any
//! pair of them that could be understood in two ways is an error.

use super::Version;
use crate::FramingError;

/// How the end of a body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BodyLength {
    /// There is no body.
    #[default]
    None,
    /// After so many bytes.
    Length(u64),
    /// By the last chunk and the trailer section.
    Chunked,
    /// By the end of the connection: of a response, or of what follows a CONNECT or an upgrade.
    UntilClose,
}

impl BodyLength {
    /// Whether no byte of a body is to come.
    pub const fn is_empty(self) -> bool {
        matches!(self, Self::None | Self::Length(0))
    }
}

/// What a head says about its body.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Framing {
    length: Option<u64>,
    chunked: bool,
}

impl Framing {
    /// Takes a `content-length` field.
    pub(crate) fn content_length(&mut self, value: &[u8]) -> Result<(), FramingError> {
        // RFC 9112 §6.3 lets a recipient take equal duplicates for one; we need not.
        if self.length.is_some() {
            return Err(FramingError::DuplicateContentLength);
        }
        self.length = Some(parse_length(value).ok_or(FramingError::InvalidContentLength)?);
        self.check_single()
    }

    /// Takes a `transfer-encoding` field.
    pub(super) fn transfer_encoding(
        &mut self,
        value: &[u8],
        version: Version,
    ) -> Result<(), FramingError> {
        if version == Version::Http10 {
            return Err(FramingError::TransferEncodingInHttp10);
        }
        if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
            return Err(FramingError::UnsupportedTransferEncoding);
        }
        self.chunked = true;
        self.check_single()
    }

    /// Whether a body is announced, if only an empty chunked one.
    pub(crate) fn announces_body(&self) -> bool {
        self.chunked || self.length.is_some_and(|length| length > 0)
    }

    /// Whether the coding is chunked.
    pub(super) fn is_chunked(&self) -> bool {
        self.chunked
    }

    /// The length as the fields say it, or `otherwise`.
    pub(crate) fn body_length(&self, otherwise: BodyLength) -> BodyLength {
        match self.length {
            _ if self.chunked => BodyLength::Chunked,
            Some(length) => BodyLength::Length(length),
            None => otherwise,
        }
    }

    fn check_single(&self) -> Result<(), FramingError> {
        if self.chunked && self.length.is_some() {
            return Err(FramingError::TransferEncodingWithContentLength);
        }
        Ok(())
    }
}

/// RFC 9110 §8.6: `1*DIGIT`, here without needless zeros, which some read as octal, and no more than who counts in
/// signed numbers reads alike.
fn parse_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() || (value.len() > 1 && value[0] == b'0') {
        return None;
    }
    let length = value.iter().try_fold(0i64, |length, byte| {
        let digit = byte.is_ascii_digit().then(|| i64::from(byte - b'0'))?;
        length.checked_mul(10)?.checked_add(digit)
    })?;
    u64::try_from(length).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9110 §8.6: `Content-Length = 1*DIGIT`.
    #[test]
    fn a_length_is_plain_decimal() {
        assert_eq!(parse_length(b"0"), Some(0));
        assert_eq!(parse_length(b"5"), Some(5));
        assert_eq!(parse_length(b"9223372036854775807"), Some(u64::MAX / 2));
        let bad: [&[u8]; 14] = [
            b"",
            b" 5",
            b"5 ",
            b"+5",
            b"-5",
            b"0x5",
            b"5_0",
            b"5.0",
            b"5,5",
            b"5, 5",
            b"05",
            b"9223372036854775808",
            b"18446744073709551616",
            b"99999999999999999999999",
        ];
        for value in bad {
            assert_eq!(parse_length(value), None, "{}", value.escape_ascii());
        }
    }

    /// RFC 9112 §6.3 item 5, in its strict reading.
    #[test]
    fn a_second_length_is_refused_though_equal() {
        let mut framing = Framing::default();
        assert_eq!(framing.content_length(b"5"), Ok(()));
        assert_eq!(framing.content_length(b"5"), Err(FramingError::DuplicateContentLength));
    }

    /// RFC 9112 §6.3 item 3.
    #[test]
    fn chunked_beside_a_length_is_refused_in_either_order() {
        let both = Err(FramingError::TransferEncodingWithContentLength);
        let mut framing = Framing::default();
        assert_eq!(framing.content_length(b"5"), Ok(()));
        assert_eq!(framing.transfer_encoding(b"chunked", Version::Http11), both);
        let mut framing = Framing::default();
        assert_eq!(framing.transfer_encoding(b"Chunked", Version::Http11), Ok(()));
        assert_eq!(framing.content_length(b"0"), both);
    }

    /// RFC 9112 §6.1: one `chunked` is all that we undo.
    #[test]
    fn another_transfer_coding_is_refused() {
        for value in ["", "gzip", "identity", "gzip, chunked", "chunked, chunked", "xchunked"] {
            let taken = Framing::default().transfer_encoding(value.as_bytes(), Version::Http11);
            assert_eq!(taken, Err(FramingError::UnsupportedTransferEncoding), "{value}");
        }
        let mut framing = Framing::default();
        assert_eq!(framing.transfer_encoding(b"chunked", Version::Http11), Ok(()));
        let again = framing.transfer_encoding(b"chunked", Version::Http11);
        assert_eq!(again, Err(FramingError::UnsupportedTransferEncoding));
    }

    /// RFC 9112 §6.1: "a server ... MUST treat the message as if the framing is faulty".
    #[test]
    fn http_10_has_no_transfer_coding() {
        let taken = Framing::default().transfer_encoding(b"chunked", Version::Http10);
        assert_eq!(taken, Err(FramingError::TransferEncodingInHttp10));
    }
}
