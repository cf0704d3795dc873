//! A listener as all workers share it.

use std::sync::Arc;

use std::time::Duration;

use ringmain_config::address::Address;
use ringmain_config::listener as config;

use super::filter_chain_match::{FilterChainIndex, FilterChainMatch};
use super::{Balance, ConnectionInfo, ConnectionLimit, ListenerFilters};
use crate::access_log::AccessLogger;
use crate::http::ConnectionManager;
use crate::network::{ByteFilter, NetworkFilter};
use crate::stats::scopes::ListenerStats;
use crate::stats::{Counter, HistogramId, PerWorker};
use crate::transport_socket::tls::SslStats;

/// A compiled listener.
#[derive(Debug)]
pub struct Listener {
    /// `name`.
    pub name: String,
    /// Where it listens, with the ports the kernel chose: `address`, then `additional_addresses`.
    pub addresses: Vec<Address>,
    /// `listener.<this>.` in stats: `stat_prefix`, else the address with `_` for the colon.
    pub stat_name: String,
    /// Counters.
    pub stats: PerWorker<ListenerStats>,
    /// How many of its sockets each worker has closed.
    pub sockets_closed: PerWorker<Counter>,
    /// `listener.<stat_name>.` histograms.
    pub histograms: ListenerHistograms,
    /// What serves its connections: those of [`config::Listener::filter_chains`], in order.
    pub filter_chains: Vec<FilterChain>,
    /// What is found out about a connection before that.
    pub filters: ListenerFilters,
    /// Which of them serves a connection.
    pub filter_chain_match: FilterChainMatch,
    /// `listener.<stat_name>.ssl.`, where a filter chain has TLS.
    pub ssl: Option<PerWorker<SslStats>>,
    /// What is written of its connections.
    pub access_logs: Vec<AccessLogger>,
    /// How its connections are spread over the workers, where the kernel's choice is not enough.
    pub balance: Option<Arc<Balance>>,
    /// Its own limit of connections.
    pub connection_limit: Option<Arc<ConnectionLimit>>,
    /// As written.
    pub config: config::Listener,
}

/// `listener.<address>.` histograms.
#[derive(Debug, Clone, Copy)]
pub struct ListenerHistograms {
    /// `downstream_cx_length_ms`.
    pub downstream_cx_length_ms: HistogramId,
    /// `connections_accepted_per_socket_event`: connections, not milliseconds.
    pub connections_accepted_per_socket_event: HistogramId,
}

impl Listener {
    /// Whether no worker accepts any more.
    pub fn is_closed(&self) -> bool {
        let all = if self.config.bind_to_port { self.addresses.len() as u64 } else { 0 };
        self.sockets_closed.iter().all(|closed| closed.value() == all)
    }

    /// Its `address`.
    pub fn address(&self) -> &Address {
        &self.addresses[0]
    }

    /// Whether one of its addresses has `port`.
    pub fn has_port(&self, port: u16) -> bool {
        self.addresses.iter().any(|address| address.port() == Some(port))
    }

    /// The filter chain that serves `connection`.
    pub fn find_filter_chain(&self, connection: &ConnectionInfo) -> Option<FilterChainIndex> {
        self.filter_chain_match.find(connection)
    }
}

/// Where a filter chain stands in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilterChainPlace {
    /// Index of the listener.
    pub listener: usize,
    /// Which of its filter chains; absent where none was chosen.
    pub filter_chain: Option<FilterChainIndex>,
}

/// A compiled filter chain.
#[derive(Debug)]
pub struct FilterChain {
    /// Filters that let a connection pass or not, in order.
    pub filters: Vec<NetworkFilter>,
    /// TLS, where it has that.
    pub tls: Option<FilterChainTls>,
    /// The terminal filter.
    pub terminal: TerminalFilter,
}

/// TLS of a filter chain.
#[derive(Debug)]
pub struct FilterChainTls {
    /// Which of the server contexts.
    pub context: usize,
    /// `transport_socket_connect_timeout`.
    pub connect_timeout: Option<Duration>,
}

/// A terminal network filter, compiled.
#[derive(Debug)]
pub enum TerminalFilter {
    /// HTTP.
    Http(Arc<ConnectionManager>),
    /// One that moves bytes.
    Bytes(ByteFilter),
}
