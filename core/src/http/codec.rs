//! HTTP/1.1 on sockets: `proto-codec` says what the bytes mean, this folder moves them.

pub mod body;
pub mod downstream_h1;
pub mod upstream_h1;
