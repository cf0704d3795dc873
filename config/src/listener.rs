//! Listeners and filter chains (`envoy.config.listener.v3`).

use std::net::SocketAddr;

use crate::http_connection_manager::HttpConnectionManager;

/// A listening address and what serves it (`envoy.config.listener.v3.Listener`).
#[derive(Debug, Clone)]
pub struct Listener {
    /// `name`; Envoy makes up a UUID when absent, we use the address.
    pub name: String,
    /// `address`.
    pub address: SocketAddr,
    /// `stat_prefix`; absent means that stats carry the address.
    pub stat_prefix: Option<String>,
    /// `per_connection_buffer_limit_bytes`, default 1 MiB.
    pub per_connection_buffer_limit_bytes: u32,
    /// `tcp_backlog_size`; absent means the kernel's `somaxconn`.
    pub tcp_backlog_size: Option<u32>,
    /// `traffic_direction`.
    pub traffic_direction: TrafficDirection,
    /// The one filter chain that serves every connection: `filter_chains[0]`, or
    /// `default_filter_chain`.
    pub filter_chain: FilterChain,
}

/// `envoy.config.core.v3.TrafficDirection`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TrafficDirection {
    /// `UNSPECIFIED`.
    #[default]
    Unspecified,
    /// `INBOUND`.
    Inbound,
    /// `OUTBOUND`.
    Outbound,
}

/// What happens to a connection's bytes (`envoy.config.listener.v3.FilterChain`).
#[derive(Debug, Clone)]
pub struct FilterChain {
    /// `name`.
    pub name: String,
    /// The terminal network filter, last of `filters`.
    pub terminal: NetworkFilter,
}

/// A terminal network filter, by its `typed_config` type.
#[derive(Debug, Clone)]
pub enum NetworkFilter {
    /// `envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`.
    HttpConnectionManager(Box<HttpConnectionManager>),
}
