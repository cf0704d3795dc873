//! Upstream connections: per worker and host, taken for a request and given back.

mod acquire;
mod connect;
mod connection;
mod idle;
mod permit;
mod tcp;
mod waiting;

pub use acquire::{Acquire, AcquireFailure, acquire};
pub use connect::ConnectFailure;
use connect::connect;
pub use connection::UpstreamConnection;
pub use idle::IdleConnections;
pub use permit::RetryPermit;
pub use tcp::{TcpConnection, TcpFailure, connect_tcp};
pub use waiting::{Line, look};
