//! Listeners: from a socket to a connection and its filter chain.

mod accept;
mod compiled;
mod connection_limit;
mod connections;
mod drain_decision;

pub use accept::Acceptor;
pub use compiled::{Listener, ListenerHistograms, NetworkFilter};
pub use connection_limit::{ConnectionLimit, ConnectionPermit, Overflow};
pub use connections::{ConnectionSlot, Connections};
pub use drain_decision::{DrainDecision, DrainScope, DrainSequence};
