//! HTTP message codecs: bytes in, events out.
//!
//! Nothing here opens a socket, reads a clock or knows a runtime. A caller hands over the bytes it
//! received and is told what they mean, or why they mean nothing; it asks for a message and is given
//! the bytes to send. What reads as more than one message is refused rather than repaired
//! (RFC 9112 §11), so that no two parsers on a path disagree.

pub mod auto;
pub mod client_hello;
pub mod error;
pub mod grpc_messages;
pub mod h1;
pub mod h2;
pub mod header_map;
pub mod header_name;
pub mod http_inspector;
pub mod limits;
pub mod proxy_protocol;
mod received_names;

pub use error::{ChunkError, FramingError, RequestError, ResponseError};
pub use header_map::{Header, HeaderMap};
pub use header_name::KnownHeader;
