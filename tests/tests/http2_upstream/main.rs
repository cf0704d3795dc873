//! Upstreams that speak HTTP/2: what is sent on which stream, and what becomes of requests when a
//! stream or a connection ends early.

mod broken;
mod connections;
mod responses;
mod rig;
mod streams;
