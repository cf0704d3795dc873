//! Network filters (`envoy.config.listener.v3.Filter`): those before the last of a chain let a
//! connection pass or not, the last one serves it.

mod connection_limit;
mod local_ratelimit;
mod rbac;
mod terminal;

use envoy_types::pb::envoy::config::listener::v3 as wire;
use envoy_types::pb::envoy::extensions::filters::network as extensions;
use envoy_types::pb::google::protobuf::Any;
use extensions::sni_cluster::v3::SniCluster;
use wire::filter::ConfigType;

pub use self::connection_limit::ConnectionLimit;
pub use self::local_ratelimit::LocalRateLimit;
pub use self::rbac::RbacFilter;
pub use self::terminal::TerminalFilter;
use crate::cluster_names::ClusterNames;
use crate::report::{At, Note};
use crate::wire::unpack;

/// A filter that lets a connection pass or not, by its `typed_config` type.
#[derive(Debug, Clone, PartialEq)]
pub enum NetworkFilter {
    /// `envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit`.
    ConnectionLimit(ConnectionLimit),
    /// `envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit`.
    LocalRateLimit(LocalRateLimit),
    /// `envoy.extensions.filters.network.rbac.v3.RBAC`.
    Rbac(RbacFilter),
    /// `envoy.extensions.filters.network.sni_cluster.v3.SniCluster`: the name in the ClientHello is
    /// that of the cluster which the TCP proxy behind it takes.
    SniCluster,
}

/// The network filters of a chain.
#[derive(Debug, Clone)]
pub struct NetworkFilters {
    /// Those before the last, in file order.
    pub filters: Vec<NetworkFilter>,
    /// The last.
    pub terminal: TerminalFilter,
}

impl NetworkFilters {
    /// Reads the field `filters`.
    pub(crate) fn from_wire(
        wire: &[wire::Filter],
        clusters: &ClusterNames<'_>,
        at: &At<'_>,
    ) -> Option<Self> {
        let at = at.field("filters");
        let Some((last, before)) = wire.split_last() else {
            at.error_at_key(
                Note::from("a chain without network filters serves nothing")
                    .help("end the chain with an HttpConnectionManager or a TcpProxy"),
            );
            return None;
        };
        let read = |(index, filter)| NetworkFilter::from_wire(filter, &at.index(index));
        let filters = before.iter().enumerate().filter_map(read).collect();
        let terminal = TerminalFilter::from_wire(last, clusters, &at.index(before.len()))?;
        Some(Self { filters, terminal })
    }
}

impl NetworkFilter {
    fn from_wire(wire: &wire::Filter, at: &At<'_>) -> Option<Self> {
        let Some(any) = typed_config(wire) else {
            at.error(Note::typed_config_required());
            return None;
        };
        if terminal::is_terminal(any) {
            at.error(
                Note::from(format!(
                    "terminal filter '{}' must be the last of its chain",
                    wire.name
                ))
                .help("move it to the end of 'filters'"),
            );
            return None;
        }
        let at = at.field("typed_config");
        if let Some(wire) = unpack(any) {
            Some(Self::ConnectionLimit(ConnectionLimit::from_wire(wire, &at)))
        } else if let Some(wire) = unpack(any) {
            LocalRateLimit::from_wire(wire, &at).map(Self::LocalRateLimit)
        } else if let Some(wire) = unpack(any) {
            Some(Self::Rbac(RbacFilter::from_wire(wire, &at)))
        } else {
            // Of another type, which the user wants ignored.
            unpack::<SniCluster>(any).map(|_| Self::SniCluster)
        }
    }
}

fn typed_config(filter: &wire::Filter) -> Option<&Any> {
    match &filter.config_type {
        Some(ConfigType::TypedConfig(any)) => Some(any),
        _ => None,
    }
}
