//! A listener as all workers share it.

use std::net::SocketAddr;

use ringmain_config::listener as config;

use crate::http::ConnectionManager;
use crate::stats::PerWorker;
use crate::stats::scopes::ListenerStats;

/// A compiled listener.
#[derive(Debug)]
pub struct Listener {
    /// `name`.
    pub name: String,
    /// Where it listens, with the port the kernel chose.
    pub address: SocketAddr,
    /// `listener.<this>.` in stats: `stat_prefix`, else the address with `_` for the colon.
    pub stat_name: String,
    /// Counters.
    pub stats: PerWorker<ListenerStats>,
    /// What serves its connections.
    pub filter: NetworkFilter,
    /// As written.
    pub config: config::Listener,
}

/// A terminal network filter, compiled.
#[derive(Debug)]
pub enum NetworkFilter {
    /// HTTP.
    Http(Box<ConnectionManager>),
}
