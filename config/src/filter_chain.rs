//! Filter chains (`envoy.config.listener.v3.FilterChain`): what happens to a connection's bytes, and
//! which connections they are.

use envoy_types::pb::envoy::config::listener::v3 as wire;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3 as hcm;
use wire::filter::ConfigType;

use crate::cluster::ClusterNames;
use crate::filter_chain_match::{FilterChainMatch, report_overlaps};
use crate::http_connection_manager::HttpConnectionManager;
use crate::metadata::Metadata;
use crate::report::At;
use crate::wire::unpack;

/// What happens to a connection's bytes (`envoy.config.listener.v3.FilterChain`).
#[derive(Debug, Clone)]
pub struct FilterChain {
    /// `name`.
    pub name: String,
    /// `filter_chain_match`; without any field it takes what no other chain takes.
    pub filter_chain_match: FilterChainMatch,
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
            at.error_at_key("no filter chains specified");
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
        Some(Self {
            name: wire.name.clone(),
            filter_chain_match: filter_chain_match?,
            terminal,
            metadata,
        })
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
