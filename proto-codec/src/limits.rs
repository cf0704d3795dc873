//! Bounds on what a peer may make us hold.

/// Bounds on a message head, start line and fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes of the head as received, start line and line ends included. Envoy:
    /// `max_request_headers_kb`, which counts in the same way; default 60 KiB.
    pub bytes_max: u32,
    /// Field lines in the head, `host` included. Envoy: `max_headers_count`, default 100. Values
    /// above [`FIELDS_MAX`] act as that.
    pub headers_max: u32,
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self { bytes_max: 60 * 1024, headers_max: 100 }
    }
}

/// Field lines that a head may hold whatever is configured: what [`crate::HeaderMap`] can index with
/// room left for what the proxy adds.
pub const FIELDS_MAX: u32 = 32_768;

/// Bytes of chunk extensions (RFC 9112 §7.1.1) in one body. They are thrown away, so that without a
/// bound a sender could keep us busy with a body that has no content. Envoy has no bound.
pub const CHUNK_EXTENSION_BYTES_MAX: u32 = 16 * 1024;

/// Hexadecimal digits of a chunk size, leading zeros included: as many as 64 bits have.
pub const CHUNK_SIZE_DIGITS_MAX: u8 = 16;

/// Bytes of a trailer section as received. Envoy holds it to `max_request_headers_kb`, default
/// 60 KiB.
pub const TRAILER_BYTES_MAX: usize = 60 * 1024;

/// Field lines in a trailer section. Envoy holds it to `max_headers_count`, default 100.
pub const TRAILERS_MAX: usize = 100;
