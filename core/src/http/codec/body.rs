//! Message bodies on their way through: framing taken off as they come, put on as they go.

use ringmain_proto_codec::h1::{
    BodyLength, ChunkedDecoder, KeyFormat, LAST_CHUNK, encode_trailers, write_chunk_size,
};
use ringmain_proto_codec::{ChunkError, HeaderMap};

use crate::runtime::{Buffer, BufferPool, SMALL_BUFFER_BYTES};

/// Takes the framing off a body.
#[derive(Debug)]
pub struct BodyReader {
    left: Left,
    keep_trailers: bool,
    trailers: Option<HeaderMap>,
}

#[derive(Debug)]
enum Left {
    Nothing,
    Bytes(u64),
    Chunks(Box<ChunkedDecoder>),
    /// `bulk` where much has come at once.
    UntilClose {
        bulk: bool,
    },
}

/// What one step found.
#[derive(Debug)]
pub struct Taken {
    /// The body has ended.
    pub complete: bool,
    /// What came behind the body's end.
    pub excess: Option<Buffer>,
}

impl BodyReader {
    /// A reader for a body framed as `length` says. Trailers are read and thrown away unless
    /// `keep_trailers`.
    pub fn new(length: BodyLength, keep_trailers: bool) -> Self {
        let left = match length {
            BodyLength::None | BodyLength::Length(0) => Left::Nothing,
            BodyLength::Length(bytes) => Left::Bytes(bytes),
            BodyLength::Chunked => Left::Chunks(Box::default()),
            BodyLength::UntilClose => Left::UntilClose { bulk: false },
        };
        Self { left, keep_trailers, trailers: None }
    }

    /// Whether there is nothing more to come.
    pub fn is_complete(&self) -> bool {
        matches!(self.left, Left::Nothing)
    }

    /// Whether only the connection's end ends the body.
    pub fn is_endless(&self) -> bool {
        matches!(self.left, Left::UntilClose { .. })
    }

    /// The trailers that have come and are passed on.
    pub fn take_trailers(&mut self) -> Option<Box<HeaderMap>> {
        self.trailers.take().map(Box::new)
    }

    /// Reduces the bytes received in `buffer` to the body's data.
    pub fn take(&mut self, buffer: &mut Buffer, pool: &BufferPool) -> Result<Taken, ChunkError> {
        let (raw, data, complete) = match &mut self.left {
            Left::Nothing => (0, 0, true),
            Left::Bytes(left) => {
                let data = usize::try_from(*left).unwrap_or(usize::MAX).min(buffer.len());
                *left -= data as u64;
                (data, data, *left == 0)
            }
            Left::Chunks(decoder) => {
                let decoded = decoder.decode(buffer.bytes_mut())?;
                if decoded.complete && self.keep_trailers && !decoder.trailers.is_empty() {
                    self.trailers = Some(std::mem::take(&mut decoder.trailers));
                }
                (decoded.consumed, decoded.data_len, decoded.complete)
            }
            Left::UntilClose { bulk } => {
                *bulk = buffer.len() >= SMALL_BUFFER_BYTES;
                (buffer.len(), buffer.len(), false)
            }
        };
        let excess = (raw < buffer.len()).then(|| pool.holding(&buffer.bytes()[raw..]));
        buffer.truncate(data);
        if complete {
            self.left = Left::Nothing;
        }
        Ok(Taken { complete, excess })
    }

    /// The peer has closed. True where that is a good ending: the body is whole or lasts until then.
    pub fn end_of_stream(&mut self) -> bool {
        match self.left {
            Left::Nothing => true,
            Left::UntilClose { .. } => {
                self.left = Left::Nothing;
                true
            }
            Left::Bytes(_) | Left::Chunks(_) => false,
        }
    }

    /// A buffer for the next read: a large one where much is known or likely to come.
    pub fn next_buffer(&self, pool: &BufferPool) -> Buffer {
        match self.left {
            Left::Bytes(left) if left > SMALL_BUFFER_BYTES as u64 => pool.large(),
            Left::UntilClose { bulk: true } => pool.large(),
            _ => pool.small(),
        }
    }
}

/// The end of a body, behind a piece of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending<'a> {
    /// The trailers, where some are passed on.
    pub trailers: Option<&'a HeaderMap>,
}

/// Puts the framing on a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyWriter {
    /// As it is: the length is announced, or the connection's end is the body's.
    Plain,
    /// In chunks; trailers have names in this format.
    Chunked(KeyFormat),
}

impl BodyWriter {
    /// A writer for a body in chunks, or as it is.
    pub fn new(chunked: bool, format: KeyFormat) -> Self {
        if chunked { Self::Chunked(format) } else { Self::Plain }
    }

    /// Frames the piece in `buffer`, and ends the body behind it where `ending` says so. Returns how
    /// many bytes stand in front of the piece.
    pub fn frame(self, buffer: &mut Buffer, ending: Option<Ending<'_>>) -> usize {
        let Self::Chunked(format) = self else { return 0 };
        let in_front = frame_chunk(buffer);
        match ending.map(|ending| ending.trailers) {
            Some(Some(trailers)) => append_trailers(trailers, format, buffer),
            Some(None) => {
                let fits = buffer.append(LAST_CHUNK);
                debug_assert!(fits, "the tailroom is made for this");
            }
            None => {}
        }
        in_front
    }
}

/// Makes a chunk of the piece in `buffer`; the bytes in front of it.
fn frame_chunk(buffer: &mut Buffer) -> usize {
    if buffer.is_empty() {
        return 0;
    }
    let mut room = [0; 18];
    let size = write_chunk_size(buffer.len(), &mut room);
    let framed = buffer.prepend(size) & buffer.append(b"\r\n");
    debug_assert!(framed, "headroom and tailroom are made for this");
    size.len()
}

/// Ends the body with `trailers`, in a longer buffer where they do not fit.
fn append_trailers(trailers: &HeaderMap, format: KeyFormat, buffer: &mut Buffer) {
    let mut section = Vec::new();
    encode_trailers(trailers, format, &mut section);
    if !buffer.append(&section) {
        let mut longer = Buffer::with_capacity(buffer.len() + section.len());
        let fits = longer.append(buffer.bytes()) && longer.append(&section);
        debug_assert!(fits, "made to measure");
        *buffer = longer;
    }
}
