//! Upstream connections: per worker and host, taken for a request and given back.

mod acquire;
mod connect;
mod connection;
mod h2_connection;
mod idle;
mod multiplexed;
mod open_tcp;
mod permit;
mod preconnect;
mod tcp;
mod waiting;

pub use acquire::{Acquire, AcquireFailure, Acquired, acquire};
pub use connect::ConnectFailure;
pub use connection::UpstreamConnection;
pub use h2_connection::H2Slot;
pub use idle::IdleConnections;
pub use multiplexed::MultiplexedConnections;
pub use open_tcp::OpenTcp;
pub use permit::RetryPermit;
pub use tcp::{TcpConnection, TcpFailure, connect_tcp};
pub use waiting::{Line, look};
