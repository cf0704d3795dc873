//! Listeners: from a socket to a connection and its filter chain.

mod accept;
mod balance;
mod compiled;
mod connection_info;
mod connection_limit;
mod connection_log;
mod connections;
mod drain_decision;
mod filter;
mod filter_chain_match;
mod intake;
mod new_connection;

pub use accept::Acceptor;
pub use balance::{Balance, BalanceUnit, HandedOver, Handover};
pub use compiled::{
    FilterChain, FilterChainPlace, FilterChainTls, Listener, ListenerHistograms, TerminalFilter,
};
pub use connection_info::{ConnectionInfo, TlsFingerprints};
pub use connection_limit::{ConnectionLimit, ConnectionPermit, ConnectionUnit, Overflow};
pub use connection_log::ConnectionLog;
pub use connections::{ConnectionSlot, Connections};
pub use drain_decision::{DrainDecision, DrainScope, DrainSequence};
pub use filter::{ListenerFilter, ListenerFilters};
pub use filter_chain_match::{FilterChainIndex, FilterChainMatch};
pub use intake::Intake;
pub use new_connection::NewConnection;
