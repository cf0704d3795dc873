//! HTTP/2 (RFC 9113) by the `h2` crate.
//!
//! The crate reads and writes memory ([`io`]); whoever owns the socket moves the bytes. Headers are
//! converted straight between the crate's maps and ours.

pub mod client;
mod header_conversion;
pub mod io;
