//! HTTP: the connection manager, its codecs, and what happens to one request.
//!
//! `codec/downstream_h1` reads a request, `stream` is that request's record, `request_headers`
//! and `forwarded_for` prepare it, `filter_chain` passes it through the HTTP filters, `router/`
//! answers or forwards it, `response_headers` prepares
//! the answer, and `codec/` writes it.

pub mod authority;
mod body_encoder;
pub mod clock;
pub mod codec;
mod connection_manager;
pub mod dynamic_metadata;
pub mod exchange;
pub mod filter;
pub mod filter_chain;
mod forwarded_client_cert;
mod forwarded_for;
pub mod header_bytes;
pub mod header_matching;
mod key_format;
pub mod local_reply;
pub mod path_normalization;
mod referer;
pub mod request_headers;
pub mod request_id;
mod response_flags;
pub mod response_headers;
pub mod response_pace;
pub mod stream;
pub mod stream_objects;

pub use connection_manager::ConnectionManager;
pub use response_flags::{ResponseFlag, ResponseFlags};
