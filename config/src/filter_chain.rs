//! Filter chains (`envoy.config.listener.v3.FilterChain`): what happens to a connection's bytes, and
//! which connections they are.

use std::time::Duration;

use envoy_types::pb::envoy::config::listener::v3 as wire;

use crate::cluster_names::ClusterNames;
use crate::duration;
use crate::filter_chain_match::{FilterChainMatch, report_overlaps};
use crate::metadata::Metadata;
use crate::network_filter::NetworkFilters;
use crate::report::{At, Note};
use crate::transport_socket::DownstreamTransportSocket;

/// What happens to a connection's bytes (`envoy.config.listener.v3.FilterChain`).
#[derive(Debug, Clone)]
pub struct FilterChain {
    /// `name`.
    pub name: String,
    /// `filter_chain_match`; without any field it takes what no other chain takes.
    pub filter_chain_match: FilterChainMatch,
    /// `transport_socket`.
    pub transport_socket: DownstreamTransportSocket,
    /// `transport_socket_connect_timeout`: for the TLS handshake; absent or zero means no limit.
    pub transport_socket_connect_timeout: Option<Duration>,
    /// `filters`.
    pub filters: NetworkFilters,
    /// `metadata`.
    pub metadata: Metadata,
}

/// The filter chains of a listener.
#[derive(Debug, Clone)]
pub struct FilterChains {
    /// `filter_chains`, in file order.
    pub matched: Vec<FilterChain>,
    /// `default_filter_chain`: serves what none of the others matches.
    pub default: Option<FilterChain>,
}

impl FilterChains {
    /// All of them, the default one last.
    pub fn iter(&self) -> impl Iterator<Item = &FilterChain> {
        self.matched.iter().chain(&self.default)
    }

    /// The one at `index` of [`Self::iter`].
    pub fn get(&self, index: usize) -> Option<&FilterChain> {
        self.matched.get(index).or(self.default.as_ref())
    }

    pub(crate) fn from_wire(
        wire: &wire::Listener,
        clusters: &ClusterNames<'_>,
        at: &At<'_>,
    ) -> Option<Self> {
        if wire.filter_chains.is_empty() && wire.default_filter_chain.is_none() {
            at.error_at_key(Note::from("no filter chains specified").help("add 'filter_chains'"));
            return None;
        }
        let list_at = at.field("filter_chains");
        let read = |(index, chain)| FilterChain::from_wire(chain, clusters, &list_at.index(index));
        let matched: Vec<_> = wire.filter_chains.iter().enumerate().map(read).collect();
        let default = wire.default_filter_chain.as_ref().map(|chain| {
            FilterChain::from_wire(chain, clusters, &at.field("default_filter_chain"))
        });
        // A chain with an error of its own would shift the places of those behind it.
        let matched = matched.into_iter().collect::<Option<Vec<_>>>()?;
        report_overlaps(matched.iter().map(|chain| &chain.filter_chain_match), &list_at);
        Some(Self { matched, default: default.map_or(Some(None), |chain| chain.map(Some))? })
    }
}

impl FilterChain {
    fn from_wire(
        wire: &wire::FilterChain,
        clusters: &ClusterNames<'_>,
        at: &At<'_>,
    ) -> Option<Self> {
        let filter_chain_match = FilterChainMatch::from_wire(
            &wire.filter_chain_match.clone().unwrap_or_default(),
            &at.field("filter_chain_match"),
        );
        let transport_socket = DownstreamTransportSocket::from_wire(
            wire.transport_socket.as_ref(),
            &at.field("transport_socket"),
        );
        let transport_socket_connect_timeout = duration::or_off(
            wire.transport_socket_connect_timeout.as_ref(),
            None,
            at,
            "transport_socket_connect_timeout",
        );
        let filters = NetworkFilters::from_wire(&wire.filters, clusters, at);
        let metadata = Metadata::from_wire(wire.metadata.as_ref());
        Some(Self {
            name: wire.name.clone(),
            filter_chain_match: filter_chain_match?,
            transport_socket: transport_socket?,
            transport_socket_connect_timeout,
            filters: filters?,
            metadata,
        })
    }
}
