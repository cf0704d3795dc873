//! `envoy.extensions.compression.*.compressor.v3`: the encodings that a compressor can have.

use envoy_types::pb::envoy::config::core::v3::TypedExtensionConfig;
use envoy_types::pb::envoy::extensions::compression::brotli::compressor::v3 as brotli;
use envoy_types::pb::envoy::extensions::compression::gzip::compressor::v3 as gzip;

use crate::report::{At, Note};
use crate::wire::{or, unpack};

/// `compressor_library.typed_config`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CompressorLibrary {
    /// `envoy.extensions.compression.gzip.compressor.v3.Gzip`.
    Gzip(Gzip),
    /// `envoy.extensions.compression.brotli.compressor.v3.Brotli`.
    Brotli(Brotli),
}

/// `envoy.extensions.compression.gzip.compressor.v3.Gzip`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gzip {
    /// `compression_level`, 1 to 9, default 6.
    pub compression_level: u32,
    /// `window_bits`, 9 to 15, default 12: the window has two to the power of it bytes.
    pub window_bits: u8,
}

/// `envoy.extensions.compression.brotli.compressor.v3.Brotli`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brotli {
    /// `quality`, 0 to 11, default 3.
    pub quality: u32,
    /// `encoder_mode`, default generic.
    pub encoder_mode: BrotliMode,
    /// `window_bits`, 10 to 24, default 18.
    pub window_bits: u32,
    /// `input_block_bits`, 16 to 24, default 24.
    pub input_block_bits: u32,
    /// `disable_literal_context_modeling`, default false.
    pub disable_literal_context_modeling: bool,
}

/// `Brotli.EncoderMode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrotliMode {
    /// `DEFAULT`, `GENERIC`.
    Generic,
    /// `TEXT`: UTF-8.
    Text,
    /// `FONT`: WOFF 2.0.
    Font,
}

/// zlib's level for `DEFAULT_COMPRESSION`.
const DEFAULT_LEVEL: u32 = 6;

impl CompressorLibrary {
    pub(super) fn from_wire(wire: &TypedExtensionConfig, at: &At<'_>) -> Option<Self> {
        // The field rules have seen to its presence.
        let any = wire.typed_config.as_ref()?;
        if let Some(wire) = unpack::<gzip::Gzip>(any) {
            return Some(Self::Gzip(Gzip::from_wire(&wire)));
        }
        if let Some(wire) = unpack::<brotli::Brotli>(any) {
            return Some(Self::Brotli(Brotli::from_wire(&wire)));
        }
        at.field("typed_config").error_at_key(
            Note::from("this compresses nothing")
                .help("use Gzip or Brotli of envoy.extensions.compression"),
        );
        None
    }

    /// The value of `content-encoding`.
    pub fn content_encoding(&self) -> &'static str {
        match self {
            Self::Gzip(_) => "gzip",
            Self::Brotli(_) => "br",
        }
    }

    /// The part of the names of stats that tells it.
    pub fn stat_name(&self) -> &'static str {
        match self {
            Self::Gzip(_) => "gzip",
            Self::Brotli(_) => "brotli",
        }
    }
}

impl Gzip {
    fn from_wire(wire: &gzip::Gzip) -> Self {
        let level = u32::try_from(wire.compression_level).unwrap_or(0);
        let window_bits = or(wire.window_bits, 12);
        Self {
            compression_level: if level == 0 { DEFAULT_LEVEL } else { level },
            // The field rules have seen to its range.
            window_bits: u8::try_from(window_bits).unwrap_or(u8::MAX),
        }
    }
}

impl Brotli {
    fn from_wire(wire: &brotli::Brotli) -> Self {
        use brotli::brotli::EncoderMode;
        Self {
            quality: or(wire.quality, 3),
            encoder_mode: match wire.encoder_mode() {
                EncoderMode::Default | EncoderMode::Generic => BrotliMode::Generic,
                EncoderMode::Text => BrotliMode::Text,
                EncoderMode::Font => BrotliMode::Font,
            },
            window_bits: or(wire.window_bits, 18),
            input_block_bits: or(wire.input_block_bits, 24),
            disable_literal_context_modeling: wire.disable_literal_context_modeling,
        }
    }
}
