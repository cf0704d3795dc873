//! The chunked transfer coding (RFC 9112 §7.1), taken off in place and put on by parts.
//!
//! ```text
//!  Size -> [Extension] -> SizeLineFeed -+-> Data -> DataReturn -> DataLineFeed -> Size
//!                                       +-> Trailers -> Complete        (size 0)
//! ```

use memchr::memchr;

use super::KeyFormat;
use super::encode::{Names, encode_lines};
use crate::limits::{
    CHUNK_EXTENSION_BYTES_MAX, CHUNK_SIZE_DIGITS_MAX, TRAILER_BYTES_MAX, TRAILERS_MAX,
};
use crate::{ChunkError, HeaderMap, KnownHeader};

/// The end of a chunked body without trailers.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Takes the coding off one body, in whatever pieces it comes.
#[derive(Debug, Default)]
pub struct ChunkedDecoder {
    /// The trailer fields, there once the body is complete. Those that concern framing, routing,
    /// credentials or the content's form are left out (RFC 9110 §6.5.1).
    pub trailers: HeaderMap,
    state: State,
    /// Data bytes to come in this chunk.
    remaining: u64,
    size_digits: u8,
    extension_bytes: u32,
    trailer_section: Vec<u8>,
}

/// What the next byte belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Size,
    Extension,
    SizeLineFeed,
    Data,
    DataReturn,
    DataLineFeed,
    Trailers,
    Complete,
}

/// What one piece of a body held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decoded {
    /// Bytes of the piece that belong to the body: all, unless it is complete.
    pub consumed: usize,
    /// Data bytes, which now stand at the front of the piece.
    pub data_len: usize,
    /// Whether the body and its trailers are at their end.
    pub complete: bool,
}

impl ChunkedDecoder {
    /// Makes ready for another body and keeps the memory.
    pub fn clear(&mut self) {
        self.trailers.clear();
        self.trailer_section.clear();
        self.state = State::Size;
        self.remaining = 0;
        self.size_digits = 0;
        self.extension_bytes = 0;
    }

    /// Whether the body and its trailers are at their end.
    pub fn is_complete(&self) -> bool {
        self.state == State::Complete
    }

    /// Takes the next piece and moves the data in it to its front. After an error the body is lost:
    /// what follows cannot be told from data.
    pub fn decode(&mut self, piece: &mut [u8]) -> Result<Decoded, ChunkError> {
        let mut consumed = 0;
        let mut data_len = 0;
        while consumed < piece.len() && self.state != State::Complete {
            consumed += match self.state {
                State::Data => {
                    let len = self.take_data(piece.len() - consumed);
                    piece.copy_within(consumed..consumed + len, data_len);
                    data_len += len;
                    len
                }
                State::Trailers => self.take_trailers(&piece[consumed..])?,
                _ => {
                    self.state = self.take_framing(piece[consumed])?;
                    1
                }
            };
        }
        Ok(Decoded { consumed, data_len, complete: self.is_complete() })
    }

    /// How many of `available` bytes are data.
    fn take_data(&mut self, available: usize) -> usize {
        let len = usize::try_from(self.remaining).map_or(available, |left| left.min(available));
        self.remaining -= len as u64;
        if self.remaining == 0 {
            self.state = State::DataReturn;
        }
        len
    }

    /// One byte of a chunk's size line or of the line end behind its data.
    fn take_framing(&mut self, byte: u8) -> Result<State, ChunkError> {
        match (self.state, byte) {
            (State::Size, b'\r') if self.size_digits > 0 => Ok(State::SizeLineFeed),
            (State::Size, b';') if self.size_digits > 0 => Ok(State::Extension),
            (State::Size, _) => self.take_size_digit(byte),
            (State::Extension, b'\r') => Ok(State::SizeLineFeed),
            (State::Extension, _) => self.take_extension(byte),
            (State::SizeLineFeed, b'\n') if self.remaining == 0 => Ok(State::Trailers),
            (State::SizeLineFeed, b'\n') => Ok(State::Data),
            (State::SizeLineFeed, _) => Err(ChunkError::InvalidSize),
            (State::DataReturn, b'\r') => Ok(State::DataLineFeed),
            (State::DataLineFeed, b'\n') => {
                self.size_digits = 0;
                Ok(State::Size)
            }
            _ => Err(ChunkError::MissingLineEnd),
        }
    }

    fn take_size_digit(&mut self, byte: u8) -> Result<State, ChunkError> {
        let digit = char::from(byte).to_digit(16).ok_or(ChunkError::InvalidSize)?;
        if self.size_digits == CHUNK_SIZE_DIGITS_MAX {
            return Err(ChunkError::InvalidSize);
        }
        self.size_digits += 1;
        self.remaining = self.remaining << 4 | u64::from(digit);
        Ok(State::Size)
    }

    /// Extensions are ignored (RFC 9112 §7.1.1: "a recipient MUST ignore unrecognized chunk
    /// extensions"), but not so that they could hide a line end.
    fn take_extension(&mut self, byte: u8) -> Result<State, ChunkError> {
        if !matches!(byte, b'\t' | b' '..=b'~') {
            return Err(ChunkError::InvalidExtension);
        }
        self.extension_bytes += 1;
        if self.extension_bytes > CHUNK_EXTENSION_BYTES_MAX {
            return Err(ChunkError::ExtensionsTooLarge);
        }
        Ok(State::Extension)
    }

    /// Takes `bytes` up to the end of a line, and says how many those are.
    fn take_trailers(&mut self, bytes: &[u8]) -> Result<usize, ChunkError> {
        if self.trailer_section.is_empty() && bytes.starts_with(b"\r\n") {
            self.state = State::Complete;
            return Ok(2);
        }
        let line_feed = memchr(b'\n', bytes);
        let taken = line_feed.map_or(bytes.len(), |at| at + 1);
        if self.trailer_section.len() + taken > TRAILER_BYTES_MAX {
            return Err(ChunkError::TrailersTooLarge);
        }
        self.trailer_section.extend_from_slice(&bytes[..taken]);
        if line_feed.is_some() {
            self.end_trailer_line()?;
        }
        Ok(taken)
    }

    fn end_trailer_line(&mut self) -> Result<(), ChunkError> {
        let section = &self.trailer_section[..];
        if !section.ends_with(b"\r\n") {
            return Err(ChunkError::InvalidTrailers);
        }
        if section == b"\r\n" || section.ends_with(b"\r\n\r\n") {
            self.state = State::Complete;
            read_trailers(section, &mut self.trailers)?;
        }
        Ok(())
    }
}

fn read_trailers(section: &[u8], trailers: &mut HeaderMap) -> Result<(), ChunkError> {
    let mut fields = [httparse::EMPTY_HEADER; TRAILERS_MAX];
    let fields = match httparse::parse_headers(section, &mut fields) {
        Ok(httparse::Status::Complete((_, fields))) => fields,
        Err(httparse::Error::TooManyHeaders) => return Err(ChunkError::TooManyTrailers),
        Ok(httparse::Status::Partial) | Err(_) => return Err(ChunkError::InvalidTrailers),
    };
    for field in fields {
        trailers.append(field.name.as_bytes(), field.value);
    }
    trailers.retain(|field| !field.known.is_some_and(is_forbidden_in_trailers));
    Ok(())
}

/// RFC 9110 §6.5.1: what must be known before the content, or would be believed too late.
fn is_forbidden_in_trailers(name: KnownHeader) -> bool {
    use KnownHeader as K;
    matches!(
        name,
        K::TransferEncoding
            | K::ContentLength
            | K::Trailer
            | K::Host
            | K::Connection
            | K::KeepAlive
            | K::ProxyConnection
            | K::Upgrade
            | K::Te
            | K::Http2Settings
            | K::Expect
            | K::MaxForwards
            | K::Range
            | K::CacheControl
            | K::Pragma
            | K::Authorization
            | K::ProxyAuthorization
            | K::ProxyAuthenticate
            | K::WwwAuthenticate
            | K::Cookie
            | K::SetCookie
            | K::ContentEncoding
            | K::ContentType
            | K::ContentRange
    )
}

/// The size line of a chunk of `len` data bytes, written to the front of `room`. A size of 0 would
/// end the body: that is [`LAST_CHUNK`] or [`encode_trailers`].
pub fn write_chunk_size(len: usize, room: &mut [u8; 18]) -> &[u8] {
    debug_assert!(len > 0, "an empty chunk ends the body");
    let digits = (usize::BITS - len.leading_zeros()).div_ceil(4).max(1) as usize;
    for (at, byte) in room[..digits].iter_mut().rev().enumerate() {
        *byte = b"0123456789abcdef"[(len >> (4 * at)) & 0xf];
    }
    room[digits..digits + 2].copy_from_slice(b"\r\n");
    &room[..digits + 2]
}

/// Appends the last chunk and the trailer section to `out`.
pub fn encode_trailers(trailers: &HeaderMap, format: KeyFormat, out: &mut Vec<u8>) {
    out.extend_from_slice(b"0\r\n");
    encode_lines(trailers, Names::of(trailers, format), out);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests;
