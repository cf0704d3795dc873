//! HTTP/1.1 and HTTP/1.0 (RFC 9112).
//!
//! A head is found by `head_progress`, split by `httparse` and judged by `request_head` or
//! `response_head`; `body_length` says where its body ends and `chunked` takes that coding off.
//! `encode` goes the other way.

mod body_length;
mod chunked;
mod connection_options;
mod encode;
mod head_progress;
mod reason_phrase;
mod request_head;
mod request_target;
mod response_head;

pub use body_length::BodyLength;
pub(crate) use body_length::Framing;
pub use chunked::{ChunkedDecoder, Decoded, LAST_CHUNK, encode_trailers, write_chunk_size};
pub use encode::{KeyFormat, encode_request, encode_response, encode_response_http_10};
pub use head_progress::HeadProgress;
pub use reason_phrase::reason_phrase;
pub use request_head::{RequestHead, RequestOptions, UnderscoreAction};
pub(crate) use request_target::is_authority;
pub use response_head::{RequestKind, ResponseHead, ResponseOptions};

/// The HTTP version of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    #[default]
    Http11,
    /// HTTP/2, whose heads are brought into the same shape.
    Http2,
}

impl Version {
    fn from_minor(minor: u8) -> Self {
        if minor == 0 { Self::Http10 } else { Self::Http11 }
    }
}

/// Field lines that a head is split into without a heap allocation.
const FIELDS_ON_STACK: usize = 128;
