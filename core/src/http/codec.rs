//! The versions of HTTP on sockets: `proto-codec` says what the bytes mean, this folder moves them.

pub mod body;
mod connection_record;
pub mod downstream;
pub mod downstream_h1;
pub mod downstream_h2;
pub mod h2_keepalive;
mod h2_output;
pub mod lent_piece;
mod paced_response;
pub mod upstream;
pub mod upstream_h1;
pub mod upstream_h2;
pub mod upstream_tunnel;
