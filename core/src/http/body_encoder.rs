//! Compresses a response's body as it passes. `envoy.filters.http.compressor` decides that it is done;
//! every piece leaves as soon as it has come.

use std::fmt::{self, Debug, Formatter};
use std::io::Write;

use brotli::CompressorWriter;
use brotli::enc::BrotliEncoderParams;
use brotli::enc::backward_references::BrotliEncoderMode;
use flate2::{Compress, Compression, FlushCompress, Status};
use ringmain_config::http_filter::{Brotli, BrotliMode, CompressorLibrary, Gzip};

use crate::runtime::{Buffer, BufferPool};

/// A body on its way.
pub struct BodyEncoder {
    state: State,
    encoded: Vec<u8>,
    /// Bytes that have come.
    pub uncompressed_bytes: u64,
    /// Bytes that have left.
    pub compressed_bytes: u64,
}

enum State {
    Gzip(Compress),
    /// What it writes to is emptied after each piece.
    Brotli(Box<CompressorWriter<Vec<u8>>>),
    Ended,
}

impl Debug for BodyEncoder {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyEncoder").field("uncompressed_bytes", &self.uncompressed_bytes).finish()
    }
}

impl BodyEncoder {
    /// An encoder for one body.
    pub fn new(library: &CompressorLibrary) -> Self {
        let state = match library {
            CompressorLibrary::Gzip(gzip) => State::Gzip(gzip_state(gzip)),
            CompressorLibrary::Brotli(brotli) => State::Brotli(Box::new(brotli_state(brotli))),
        };
        Self { state, encoded: Vec::new(), uncompressed_bytes: 0, compressed_bytes: 0 }
    }

    /// What becomes of `piece`, all of it; with `is_last` the body ends behind it.
    pub fn encode(&mut self, piece: Buffer, is_last: bool, pool: &BufferPool) -> Buffer {
        if piece.is_empty() && !is_last {
            return piece;
        }
        self.encoded.clear();
        self.state.encode(piece.bytes(), is_last, &mut self.encoded);
        self.uncompressed_bytes += piece.len() as u64;
        self.compressed_bytes += self.encoded.len() as u64;
        pool.give_back(piece);
        pool.holding(&self.encoded)
    }
}

impl State {
    fn encode(&mut self, piece: &[u8], is_last: bool, encoded: &mut Vec<u8>) {
        match self {
            Self::Gzip(state) => {
                let flush = if is_last { FlushCompress::Finish } else { FlushCompress::Sync };
                deflate(state, piece, flush, encoded);
            }
            Self::Brotli(writer) => {
                let written = writer.write_all(piece).and_then(|()| writer.flush());
                written.expect("writing to memory does not fail");
                encoded.append(writer.get_mut());
            }
            Self::Ended => {}
        }
        if is_last && let Self::Brotli(writer) = std::mem::replace(self, Self::Ended) {
            encoded.append(&mut writer.into_inner());
        }
    }
}

/// Room that is made at least for what comes out.
const ROOM_BYTES: usize = 4096;

fn deflate(state: &mut Compress, mut piece: &[u8], flush: FlushCompress, encoded: &mut Vec<u8>) {
    loop {
        encoded.reserve(ROOM_BYTES);
        let before = state.total_in();
        let status = state.compress_vec(piece, encoded, flush);
        let status = status.expect("its calls follow one another as deflate wants them");
        let taken = state.total_in() - before;
        piece = &piece[usize::try_from(taken).map_or(piece.len(), |taken| taken)..];
        // All is out when room is left.
        let is_done = piece.is_empty() && encoded.len() < encoded.capacity();
        if status == Status::StreamEnd || is_done && !matches!(flush, FlushCompress::Finish) {
            return;
        }
    }
}

fn gzip_state(gzip: &Gzip) -> Compress {
    Compress::new_gzip(Compression::new(gzip.compression_level), gzip.window_bits)
}

fn brotli_state(brotli: &Brotli) -> CompressorWriter<Vec<u8>> {
    let parameters = BrotliEncoderParams {
        quality: brotli.quality.cast_signed(),
        lgwin: brotli.window_bits.cast_signed(),
        lgblock: brotli.input_block_bits.cast_signed(),
        mode: match brotli.encoder_mode {
            BrotliMode::Generic => BrotliEncoderMode::BROTLI_MODE_GENERIC,
            BrotliMode::Text => BrotliEncoderMode::BROTLI_MODE_TEXT,
            BrotliMode::Font => BrotliEncoderMode::BROTLI_MODE_FONT,
        },
        disable_literal_context_modeling: brotli.disable_literal_context_modeling.into(),
        ..BrotliEncoderParams::default()
    };
    CompressorWriter::with_params(Vec::new(), ROOM_BYTES, &parameters)
}
