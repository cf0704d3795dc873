//! Listeners: from a socket to a connection and its filter chain.

mod accept;
mod compiled;
mod connections;

pub use accept::Acceptor;
pub use compiled::{Listener, NetworkFilter};
pub use connections::{ConnectionSlot, Connections};
