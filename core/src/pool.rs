//! Upstream connections: per worker and host, taken for a request and given back.

mod connect;
mod connection;
mod idle;

pub use connect::{ConnectFailure, connect};
pub use connection::UpstreamConnection;
pub use idle::IdleConnections;
