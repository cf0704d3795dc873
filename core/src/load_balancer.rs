//! Load balancers: each worker picks hosts by itself. They are plain rules over indices and know
//! neither hosts nor connections.

mod edf;
mod round_robin;

pub use round_robin::RoundRobin;
