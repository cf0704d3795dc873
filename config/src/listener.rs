//! Listeners and filter chains (`envoy.config.listener.v3`).

use std::collections::HashSet;
use std::net::SocketAddr;

use envoy_types::pb::envoy::config::core::v3::TrafficDirection as WireDirection;
use envoy_types::pb::envoy::config::listener::v3 as wire;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3 as hcm;
use wire::filter::ConfigType;

use crate::address::listen_address;
use crate::cluster::ClusterNames;
use crate::http_connection_manager::HttpConnectionManager;
use crate::metadata::Metadata;
use crate::report::At;
use crate::wire::unpack;

const BUFFER_LIMIT_BYTES: u32 = 1024 * 1024;

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
    /// `ignore_global_conn_limit`, default false: its connections neither count towards
    /// [`Bootstrap::max_downstream_connections`](crate::bootstrap::Bootstrap) nor are refused by it.
    pub ignore_global_conn_limit: bool,
    /// The runtime key `envoy.resource_limits.listener.<name>.connection_limit`; absent means no
    /// limit.
    pub connection_limit: Option<u64>,
    /// The one filter chain that serves every connection: `filter_chains[0]`, or
    /// `default_filter_chain`.
    pub filter_chain: FilterChain,
    /// `metadata`.
    pub metadata: Metadata,
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
    /// `metadata`.
    pub metadata: Metadata,
}

/// A terminal network filter, by its `typed_config` type.
#[derive(Debug, Clone)]
pub enum NetworkFilter {
    /// `envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`.
    HttpConnectionManager(Box<HttpConnectionManager>),
}

/// Reads the field `listeners`.
pub(crate) fn list_from_wire(
    wire: &[wire::Listener],
    clusters: &ClusterNames<'_>,
    at: &At<'_>,
) -> Vec<Listener> {
    let at = at.field("listeners");
    let (mut names, mut addresses) = (HashSet::new(), HashSet::new());
    let mut listeners = Vec::with_capacity(wire.len());
    for (index, wire) in wire.iter().enumerate() {
        let at = at.index(index);
        let Some(listener) = Listener::from_wire(wire, clusters, &at) else { continue };
        if !names.insert(listener.name.clone()) {
            at.field("name").error(format!("duplicate listener name '{}'", listener.name));
        }
        // Port 0 is another port each time.
        if listener.address.port() != 0 && !addresses.insert(listener.address) {
            at.field("address").error_at_key(format!("duplicate address {}", listener.address));
        }
        listeners.push(listener);
    }
    listeners
}

impl Listener {
    fn from_wire(wire: &wire::Listener, clusters: &ClusterNames<'_>, at: &At<'_>) -> Option<Self> {
        let address = listen_address(wire.address.as_ref(), &at.field("address"));
        let filter_chain = FilterChain::only(wire, clusters, at);
        let address = address?;
        Some(Self {
            name: if wire.name.is_empty() { address.to_string() } else { wire.name.clone() },
            address,
            stat_prefix: Some(wire.stat_prefix.clone()).filter(|prefix| !prefix.is_empty()),
            per_connection_buffer_limit_bytes: wire
                .per_connection_buffer_limit_bytes
                .map_or(BUFFER_LIMIT_BYTES, |limit| limit.value),
            tcp_backlog_size: wire.tcp_backlog_size.map(|size| size.value),
            traffic_direction: match wire.traffic_direction() {
                WireDirection::Unspecified => TrafficDirection::Unspecified,
                WireDirection::Inbound => TrafficDirection::Inbound,
                WireDirection::Outbound => TrafficDirection::Outbound,
            },
            ignore_global_conn_limit: wire.ignore_global_conn_limit,
            connection_limit: None,
            filter_chain: filter_chain?,
            metadata: Metadata::from_wire(wire.metadata.as_ref()),
        })
    }
}

impl FilterChain {
    /// The one chain that serves every connection. As chains have no conditions yet, the default
    /// chain is never reached beside another.
    fn only(wire: &wire::Listener, clusters: &ClusterNames<'_>, at: &At<'_>) -> Option<Self> {
        let chains = at.field("filter_chains");
        match (&wire.filter_chains[..], &wire.default_filter_chain) {
            ([], None) => {
                at.error_at_key("no filter chains specified");
                None
            }
            ([], Some(chain)) => {
                Self::from_wire(chain, clusters, &at.field("default_filter_chain"))
            }
            ([chain], _) => Self::from_wire(chain, clusters, &chains.index(0)),
            _ => {
                chains.index(1).error(
                    "more than one filter chain is known to Envoy, not supported by ringmain",
                );
                None
            }
        }
    }

    fn from_wire(
        wire: &wire::FilterChain,
        clusters: &ClusterNames<'_>,
        at: &At<'_>,
    ) -> Option<Self> {
        let at = at.field("filters");
        let Some((last, before)) = wire.filters.split_last() else {
            at.error_at_key("a chain without network filters serves nothing");
            return None;
        };
        for (index, filter) in before.iter().enumerate() {
            if NetworkFilter::is_supported(filter) {
                at.index(index).error(format!(
                    "terminal filter '{}' must be the last of its chain",
                    filter.name
                ));
            }
        }
        let terminal = NetworkFilter::from_wire(last, clusters, &at.index(before.len()))?;
        let metadata = Metadata::from_wire(wire.metadata.as_ref());
        Some(Self { name: wire.name.clone(), terminal, metadata })
    }
}

impl NetworkFilter {
    fn is_supported(wire: &wire::Filter) -> bool {
        Self::http_connection_manager(wire).is_some()
    }

    fn http_connection_manager(wire: &wire::Filter) -> Option<hcm::HttpConnectionManager> {
        match &wire.config_type {
            Some(ConfigType::TypedConfig(any)) => unpack(any),
            _ => None,
        }
    }

    fn from_wire(wire: &wire::Filter, clusters: &ClusterNames<'_>, at: &At<'_>) -> Option<Self> {
        let Some(manager) = Self::http_connection_manager(wire) else {
            at.error(match wire.config_type {
                None => "'typed_config' is required",
                Some(_) => "the last network filter must be an HTTP connection manager",
            });
            return None;
        };
        let at = at.field("typed_config");
        let manager = HttpConnectionManager::from_wire(&manager, clusters, &at)?;
        Some(Self::HttpConnectionManager(Box::new(manager)))
    }
}
