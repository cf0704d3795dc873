//! The TCP proxy (`envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy`).

mod tunneling_config;

use std::time::Duration;

use envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3 as wire;
use wire::tcp_proxy::weighted_cluster::ClusterWeight as WireWeight;
use wire::tcp_proxy::{ClusterSpecifier as WireSpecifier, WeightedCluster as WireWeighted};

pub use self::tunneling_config::TunnelingConfig;
use crate::access_log::AccessLog;
use crate::cluster_names::ClusterNames;
use crate::duration;
use crate::match_criteria::MatchCriteria;
use crate::report::{At, Note};
use crate::route::{BackOff, ClusterName};

const IDLE_TIMEOUT: Duration = Duration::from_secs(3600);
const MAX_CONNECT_ATTEMPTS: u32 = 1;

/// Joins a connection with one to a host of a cluster.
#[derive(Debug, Clone)]
pub struct TcpProxy {
    /// `stat_prefix`.
    pub stat_prefix: String,
    /// `cluster` or `weighted_clusters`, at least one.
    pub clusters: Vec<ClusterWeight>,
    /// `metadata_match`, of which `envoy.lb` counts; [`ClusterWeight`] has its own.
    pub metadata_match: Option<MatchCriteria>,
    /// The sum of the weights: 1 to `u32::MAX`.
    pub total_weight: u32,
    /// `idle_timeout`: how long nothing may go either way, default 1 h; `None` is off.
    pub idle_timeout: Option<Duration>,
    /// `max_downstream_connection_duration`.
    pub max_downstream_connection_duration: Option<Duration>,
    /// `max_downstream_connection_duration_jitter_percentage`, default 0: how much longer it may be.
    pub max_duration_jitter_percent: f64,
    /// `max_connect_attempts`, default 1.
    pub max_connect_attempts: u32,
    /// `backoff_options`: waits between attempts; absent means none.
    pub back_off: Option<BackOff>,
    /// `hash_policy` is `source_ip`: a client's connections go to the same host.
    pub hashes_source_ip: bool,
    /// `tunneling_config`; absent means that the host gets the bytes as they are.
    pub tunneling_config: Option<TunnelingConfig>,
    /// `access_log`.
    pub access_log: Vec<AccessLog>,
    /// `access_log_options`, or the deprecated fields of the same names.
    pub access_log_options: TcpAccessLogOptions,
}

/// One of `weighted_clusters`; a single cluster weighs 1.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterWeight {
    /// `name`. Envoy does not ask for a cluster of that name to exist.
    pub cluster: ClusterName,
    /// `weight`.
    pub weight: u32,
    /// `metadata_match`, on top of the proxy's.
    pub metadata_match: Option<MatchCriteria>,
}

/// When lines are written beside that at a connection's end (`TcpAccessLogOptions`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TcpAccessLogOptions {
    /// `access_log_flush_interval`: each time so long.
    pub flush_interval: Option<Duration>,
    /// `flush_access_log_on_connected`: when the host has been connected to.
    pub on_connected: bool,
    /// `flush_access_log_on_start`: when the client has.
    pub on_start: bool,
}

impl TcpProxy {
    pub(crate) fn from_wire(
        wire: &wire::TcpProxy,
        clusters: &ClusterNames<'_>,
        at: &At<'_>,
    ) -> Option<Self> {
        let metadata_match = MatchCriteria::from_wire(wire.metadata_match.as_ref(), None);
        let chosen = match &wire.cluster_specifier {
            Some(WireSpecifier::Cluster(name)) => {
                let cluster = named(name, clusters, &at.field("cluster"));
                vec![ClusterWeight { cluster, weight: 1, metadata_match: metadata_match.clone() }]
            }
            Some(WireSpecifier::WeightedClusters(weighted)) => {
                let at = at.field("weighted_clusters");
                weights(weighted, metadata_match.as_ref(), clusters, &at)
            }
            None => {
                at.error_at_key("one of cluster, weighted_clusters is required");
                return None;
            }
        };
        let total: u64 = chosen.iter().map(|cluster| u64::from(cluster.weight)).sum();
        let Ok(total_weight) = u32::try_from(total) else {
            let list = at.field("weighted_clusters");
            list.error(
                Note::from(format!("the sum of the weights exceeds {}", u32::MAX))
                    .help("divide all weights by the same number"),
            );
            return None;
        };
        warn_of_fields_without_effect(wire, at);
        let max_duration = wire.max_downstream_connection_duration.as_ref();
        Some(Self {
            stat_prefix: wire.stat_prefix.clone(),
            clusters: chosen,
            metadata_match,
            total_weight,
            idle_timeout: duration::or_off(
                wire.idle_timeout.as_ref(),
                Some(IDLE_TIMEOUT),
                at,
                "idle_timeout",
            ),
            max_downstream_connection_duration: duration::or_off(
                max_duration,
                None,
                at,
                "max_downstream_connection_duration",
            ),
            max_connect_attempts: wire
                .max_connect_attempts
                .map_or(MAX_CONNECT_ATTEMPTS, |max| max.value),
            max_duration_jitter_percent: wire
                .max_downstream_connection_duration_jitter_percentage
                .map_or(0.0, |percent| percent.value),
            back_off: wire
                .backoff_options
                .as_ref()
                .map(|options| BackOff::of_strategy(options, &at.field("backoff_options"))),
            // The support gate lets no other policy pass.
            hashes_source_ip: !wire.hash_policy.is_empty(),
            tunneling_config: match &wire.tunneling_config {
                Some(tunneling) => {
                    Some(TunnelingConfig::from_wire(tunneling, &at.field("tunneling_config"))?)
                }
                None => None,
            },
            access_log: AccessLog::list_from_wire(&wire.access_log, at),
            access_log_options: TcpAccessLogOptions::from_wire(wire, at),
        })
    }
}

/// Fields that say something of what others have turned off.
fn warn_of_fields_without_effect(wire: &wire::TcpProxy, at: &At<'_>) {
    const JITTER: &str = "max_downstream_connection_duration_jitter_percentage";
    let jitters = wire.max_downstream_connection_duration_jitter_percentage.is_some();
    if jitters && wire.max_downstream_connection_duration.is_none() {
        at.field(JITTER).warn(
            Note::from(format!("'{JITTER}' has no effect: connections may last for ever"))
                .help("add 'max_downstream_connection_duration', or remove it"),
        );
    }
    let attempts = wire.max_connect_attempts.map_or(MAX_CONNECT_ATTEMPTS, |max| max.value);
    if wire.backoff_options.is_some() && attempts == 1 {
        at.field("backoff_options").warn(
            Note::from("'backoff_options' has no effect: there is one attempt")
                .help("add 'max_connect_attempts', or remove it"),
        );
    }
}

/// Envoy takes a name without a cluster, and closes every connection.
fn named(name: &str, clusters: &ClusterNames<'_>, at: &At<'_>) -> ClusterName {
    let index = clusters.index(name);
    if index.is_none() {
        at.warn(clusters.unknown("tcp_proxy", "cluster", name));
    }
    ClusterName { name: name.to_owned(), index }
}

fn weights(
    wire: &WireWeighted,
    criteria: Option<&MatchCriteria>,
    clusters: &ClusterNames<'_>,
    at: &At<'_>,
) -> Vec<ClusterWeight> {
    let at = at.field("clusters");
    let read = |(index, cluster): (usize, &WireWeight)| ClusterWeight {
        cluster: named(&cluster.name, clusters, &at.index(index).field("name")),
        weight: cluster.weight,
        metadata_match: MatchCriteria::from_wire(cluster.metadata_match.as_ref(), criteria),
    };
    wire.clusters.iter().enumerate().map(read).collect()
}

impl TcpAccessLogOptions {
    #[allow(deprecated, reason = "common in files")]
    fn from_wire(wire: &wire::TcpProxy, at: &At<'_>) -> Self {
        const INTERVAL: &str = "access_log_flush_interval";
        match &wire.access_log_options {
            Some(options) => {
                let at = at.field("access_log_options");
                let interval = options.access_log_flush_interval.as_ref();
                Self {
                    flush_interval: duration::or_off(interval, None, &at, INTERVAL),
                    on_connected: options.flush_access_log_on_connected,
                    on_start: options.flush_access_log_on_start,
                }
            }
            None => {
                let interval = wire.access_log_flush_interval.as_ref();
                Self {
                    flush_interval: duration::or_off(interval, None, at, INTERVAL),
                    on_connected: wire.flush_access_log_on_connected,
                    on_start: false,
                }
            }
        }
    }
}
