//! HTTP/2 (RFC 9113) by the `h2` crate.
//!
//! The crate reads and writes memory ([`io`]); whoever owns the socket moves the bytes. Headers are
//! converted straight between the crate's maps and ours.

pub mod client;
mod field_block;
pub mod flood_guard;
pub mod frame_fault;
mod frame_scanner;
mod header_conversion;
mod huffman;
pub mod io;
pub mod ping;
mod portions;
mod room;
pub mod server;
pub mod stream_meter;
