//! Clusters and their endpoints (`envoy.config.cluster.v3`, `envoy.config.endpoint.v3`).

use std::collections::HashMap;
use std::time::Duration;

use endpoint::lb_endpoint::HostIdentifier;
use envoy_types::pb::envoy::config::cluster::v3 as wire;
use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::config::endpoint::v3 as endpoint;
use envoy_types::pb::envoy::extensions::upstreams::http::v3::HttpProtocolOptions;
use envoy_types::pb::envoy::extensions::upstreams::http::v3::http_protocol_options as upstream;
use envoy_types::pb::google::protobuf::Any;
use upstream::UpstreamProtocolOptions;
use upstream::explicit_http_config::ProtocolConfig;
use wire::cluster::{
    ClusterDiscoveryType, DiscoveryType as WireType, DnsLookupFamily as WireFamily,
};

use crate::address::EndpointAddress;
use crate::aws::DiscoveryLimits;
use crate::aws::wire::{cloud_map, ecs};
use crate::bootstrap::Locality;
use crate::cloud_map_cluster::CloudMapCluster;
use crate::duration;
use crate::ecs_cluster::EcsCluster;
use crate::report::{At, Note, did_you_mean};
use crate::wire::unpack;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const DNS_REFRESH_RATE: Duration = Duration::from_secs(5);
const IDLE_TIMEOUT: Duration = Duration::from_secs(3600);
const BUFFER_LIMIT_BYTES: u32 = 1024 * 1024;
const MAX_HEADERS_COUNT: u32 = 100;
/// The one key of `typed_extension_protocol_options` that means something to HTTP.
const HTTP_PROTOCOL_OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// `envoy.config.cluster.v3.Cluster`.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// `name`, unique.
    pub name: String,
    /// `alt_stat_name`; absent means `name`.
    pub alt_stat_name: Option<String>,
    /// `type`.
    pub discovery: DiscoveryType,
    /// `connect_timeout`, default 5 s.
    pub connect_timeout: Duration,
    /// `lb_policy`.
    pub lb_policy: LbPolicy,
    /// `load_assignment.endpoints`.
    pub endpoints: Vec<LocalityLbEndpoints>,
    /// `per_connection_buffer_limit_bytes`, default 1 MiB.
    pub per_connection_buffer_limit_bytes: u32,
    /// `typed_extension_protocol_options` -> `common_http_protocol_options.idle_timeout`, default
    /// 1 h; `None` is off.
    pub idle_timeout: Option<Duration>,
    /// `common_http_protocol_options.max_requests_per_connection` (or the cluster's deprecated
    /// field), default unlimited.
    pub max_requests_per_connection: Option<u32>,
    /// Upstream `common_http_protocol_options.max_headers_count`, default 100.
    pub max_response_headers_count: u32,
    /// Upstream `http_protocol_options.enable_trailers`, default false.
    pub enable_trailers: bool,
    /// `circuit_breakers.thresholds` of the DEFAULT and HIGH priority.
    pub circuit_breakers: CircuitBreakers,
}

/// How hosts are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiscoveryType {
    /// `STATIC`.
    Static,
    /// `STRICT_DNS`.
    StrictDns(DnsOptions),
    /// `cluster_type` with a `ringmain.clusters.ecs.v1.EcsCluster`.
    Ecs(Box<EcsCluster>),
    /// `cluster_type` with a `ringmain.clusters.cloud_map.v1.CloudMapCluster`.
    CloudMap(Box<CloudMapCluster>),
}

/// The DNS fields of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DnsOptions {
    /// `dns_refresh_rate`, default 5 s.
    pub dns_refresh_rate: Duration,
    /// `respect_dns_ttl`, default false.
    pub respect_dns_ttl: bool,
    /// `dns_lookup_family`.
    pub dns_lookup_family: DnsLookupFamily,
}

/// `envoy.config.cluster.v3.Cluster.DnsLookupFamily`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DnsLookupFamily {
    /// `AUTO`: IPv6, and IPv4 where there is none.
    Auto,
    /// `V4_ONLY`.
    V4Only,
    /// `V6_ONLY`.
    V6Only,
    /// `V4_PREFERRED`.
    V4Preferred,
    /// `ALL`.
    All,
}

/// `lb_policy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LbPolicy {
    /// `ROUND_ROBIN`.
    RoundRobin,
}

/// `envoy.config.cluster.v3.CircuitBreakers`, by routing priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CircuitBreakers {
    /// Priority DEFAULT.
    pub default: Thresholds,
    /// Priority HIGH.
    pub high: Thresholds,
}

/// `envoy.config.cluster.v3.CircuitBreakers.Thresholds`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// `max_connections`, default 1024.
    pub max_connections: u32,
    /// `max_pending_requests`, default 1024.
    pub max_pending_requests: u32,
    /// `max_requests`, default 1024.
    pub max_requests: u32,
    /// `max_retries`, default 3.
    pub max_retries: u32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            max_connections: 1024,
            max_pending_requests: 1024,
            max_requests: 1024,
            max_retries: 3,
        }
    }
}

/// `envoy.config.endpoint.v3.LocalityLbEndpoints`.
#[derive(Debug, Clone)]
pub struct LocalityLbEndpoints {
    /// `locality`.
    pub locality: Locality,
    /// `lb_endpoints`.
    pub lb_endpoints: Vec<LbEndpoint>,
}

/// `envoy.config.endpoint.v3.LbEndpoint`.
#[derive(Debug, Clone)]
pub struct LbEndpoint {
    /// `endpoint.address`.
    pub address: EndpointAddress,
    /// `endpoint.hostname`, default empty.
    pub hostname: String,
    /// `load_balancing_weight`, default 1.
    pub load_balancing_weight: u32,
    /// `health_status`: false for UNHEALTHY, DRAINING and TIMEOUT.
    pub healthy: bool,
}

/// The clusters by name, for those that refer to them.
pub(crate) struct ClusterNames<'a>(HashMap<&'a str, usize>);

impl<'a> ClusterNames<'a> {
    pub(crate) fn new(names: impl Iterator<Item = &'a str>) -> Self {
        Self(names.enumerate().map(|(index, name)| (name, index)).collect())
    }

    /// The position in `Bootstrap::clusters`.
    pub(crate) fn index(&self, name: &str) -> Option<usize> {
        self.0.get(name).copied()
    }

    /// What to say of a name that is not among them.
    pub(crate) fn unknown(&self, user: &str, name: &str) -> Note {
        Note::from(format!("{user}: unknown cluster '{name}'"))
            .help(did_you_mean(name, self.0.keys().copied()))
    }
}

impl Cluster {
    /// Reads the field `clusters`.
    pub(crate) fn list_from_wire(wire: &[wire::Cluster], at: &At<'_>) -> Vec<Self> {
        let at = at.field("clusters");
        let mut names = HashMap::new();
        let mut clusters = Vec::with_capacity(wire.len());
        for (index, wire) in wire.iter().enumerate() {
            let at = at.index(index);
            if names.insert(wire.name.as_str(), index).is_some() {
                at.field("name").error(format!("duplicate cluster '{}'", wire.name));
            }
            clusters.push(Self::from_wire(wire, &at));
        }
        check_snapshot_paths(&clusters, &at);
        clusters
    }

    #[allow(deprecated, reason = "common in files")]
    fn from_wire(wire: &wire::Cluster, at: &At<'_>) -> Self {
        let options = HttpOptions::from_wire(wire, at);
        let discovery = DiscoveryType::from_wire(wire, at);
        let dns = matches!(discovery, DiscoveryType::StrictDns(_));
        if discovery.aws_limits().is_some() && wire.load_assignment.is_some() {
            at.field("load_assignment").error_at_key("the hosts are found by 'cluster_type'");
        }
        let connect_timeout = wire.connect_timeout.as_ref();
        Self {
            name: wire.name.clone(),
            alt_stat_name: Some(wire.alt_stat_name.clone()).filter(|name| !name.is_empty()),
            discovery,
            connect_timeout: duration::or(connect_timeout, CONNECT_TIMEOUT, at, "connect_timeout"),
            lb_policy: LbPolicy::RoundRobin,
            endpoints: LocalityLbEndpoints::list_from_wire(
                wire.load_assignment.as_ref(),
                dns,
                &at.field("load_assignment"),
            ),
            per_connection_buffer_limit_bytes: wire
                .per_connection_buffer_limit_bytes
                .map_or(BUFFER_LIMIT_BYTES, |limit| limit.value),
            idle_timeout: options.idle_timeout,
            max_requests_per_connection: options
                .max_requests_per_connection
                .or(wire.max_requests_per_connection.map(|max| max.value))
                .filter(|max| *max > 0),
            max_response_headers_count: options.max_headers_count,
            enable_trailers: options.enable_trailers,
            circuit_breakers: CircuitBreakers::from_wire(wire.circuit_breakers.as_ref()),
        }
    }
}

/// Each cluster writes a snapshot of its own.
fn check_snapshot_paths(clusters: &[Cluster], at: &At<'_>) {
    let mut paths = HashMap::new();
    for (index, cluster) in clusters.iter().enumerate() {
        let limits = cluster.discovery.aws_limits();
        let Some(path) = limits.and_then(|limits| limits.snapshot_path.as_ref()) else { continue };
        if let Some(other) = paths.insert(path, &cluster.name) {
            let at = at.index(index);
            let at = at.field("cluster_type");
            at.field("typed_config")
                .field("snapshot_path")
                .error(format!("'{}' is the snapshot of cluster '{other}'", path.display()));
        }
    }
}

/// What the HTTP options say, in their new place or in the cluster's own deprecated fields.
struct HttpOptions {
    idle_timeout: Option<Duration>,
    max_requests_per_connection: Option<u32>,
    max_headers_count: u32,
    enable_trailers: bool,
}

impl HttpOptions {
    #[allow(deprecated, reason = "common in files")]
    fn from_wire(wire: &wire::Cluster, at: &At<'_>) -> Self {
        let typed_at = at.field("typed_extension_protocol_options");
        for key in wire.typed_extension_protocol_options.keys() {
            if key != HTTP_PROTOCOL_OPTIONS {
                typed_at.key(key).error_at_key(
                    Note::from(format!("'{key}' is no protocol of ours"))
                        .help(format!("the key must be {HTTP_PROTOCOL_OPTIONS}")),
                );
            }
        }
        let typed = wire.typed_extension_protocol_options.get(HTTP_PROTOCOL_OPTIONS);
        match typed.and_then(unpack::<HttpProtocolOptions>) {
            Some(typed) => Self::from_parts(
                typed.common_http_protocol_options.as_ref(),
                explicit_http1(&typed),
                &typed_at.key(HTTP_PROTOCOL_OPTIONS),
            ),
            None => Self::from_parts(
                wire.common_http_protocol_options.as_ref(),
                wire.http_protocol_options.as_ref(),
                at,
            ),
        }
    }

    fn from_parts(
        common: Option<&core::HttpProtocolOptions>,
        http1: Option<&core::Http1ProtocolOptions>,
        at: &At<'_>,
    ) -> Self {
        let wire = common.cloned().unwrap_or_default();
        let at = at.field("common_http_protocol_options");
        let idle_timeout = wire.idle_timeout.as_ref();
        Self {
            idle_timeout: duration::or_off(idle_timeout, Some(IDLE_TIMEOUT), &at, "idle_timeout"),
            max_requests_per_connection: wire.max_requests_per_connection.map(|max| max.value),
            max_headers_count: wire.max_headers_count.map_or(MAX_HEADERS_COUNT, |max| max.value),
            enable_trailers: http1.is_some_and(|http1| http1.enable_trailers),
        }
    }
}

fn explicit_http1(wire: &HttpProtocolOptions) -> Option<&core::Http1ProtocolOptions> {
    let Some(UpstreamProtocolOptions::ExplicitHttpConfig(config)) = &wire.upstream_protocol_options
    else {
        return None;
    };
    match &config.protocol_config {
        Some(ProtocolConfig::HttpProtocolOptions(http1)) => Some(http1),
        _ => None,
    }
}

impl DiscoveryType {
    /// What kinds found by an AWS API are to keep to.
    pub fn aws_limits(&self) -> Option<&DiscoveryLimits> {
        match self {
            Self::Ecs(ecs) => Some(&ecs.limits),
            Self::CloudMap(cloud_map) => Some(&cloud_map.limits),
            Self::Static | Self::StrictDns(_) => None,
        }
    }

    /// The extension in `cluster_type`; the support gate has seen to it that it is one of these.
    fn custom(typed_config: &Any, at: &At<'_>) -> Self {
        let at = at.field("typed_config");
        if let Some(ecs) = unpack::<ecs::EcsCluster>(typed_config) {
            return Self::Ecs(Box::new(EcsCluster::from_wire(&ecs, &at)));
        }
        let cloud_map = unpack::<cloud_map::CloudMapCluster>(typed_config).unwrap_or_default();
        Self::CloudMap(Box::new(CloudMapCluster::from_wire(&cloud_map, &at)))
    }

    #[allow(deprecated, reason = "the DNS fields are common in files")]
    fn from_wire(wire: &wire::Cluster, at: &At<'_>) -> Self {
        match &wire.cluster_discovery_type {
            Some(ClusterDiscoveryType::Type(kind)) if *kind == WireType::StrictDns as i32 => {
                Self::StrictDns(DnsOptions {
                    dns_refresh_rate: duration::or(
                        wire.dns_refresh_rate.as_ref(),
                        DNS_REFRESH_RATE,
                        at,
                        "dns_refresh_rate",
                    ),
                    respect_dns_ttl: wire.respect_dns_ttl,
                    dns_lookup_family: match wire.dns_lookup_family() {
                        WireFamily::Auto => DnsLookupFamily::Auto,
                        WireFamily::V4Only => DnsLookupFamily::V4Only,
                        WireFamily::V6Only => DnsLookupFamily::V6Only,
                        WireFamily::V4Preferred => DnsLookupFamily::V4Preferred,
                        WireFamily::All => DnsLookupFamily::All,
                    },
                })
            }
            Some(ClusterDiscoveryType::ClusterType(custom)) => {
                let at = at.field("cluster_type");
                match &custom.typed_config {
                    Some(typed_config) => Self::custom(typed_config, &at),
                    None => {
                        at.error_at_key("'typed_config' is required");
                        Self::Static
                    }
                }
            }
            _ => Self::Static,
        }
    }
}

impl CircuitBreakers {
    fn from_wire(wire: Option<&wire::CircuitBreakers>) -> Self {
        let thresholds = |priority: core::RoutingPriority| {
            let thresholds = wire.into_iter().flat_map(|wire| &wire.thresholds);
            // Of several for one priority, Envoy takes the first.
            thresholds
                .filter(|thresholds| thresholds.priority() == priority)
                .map(Thresholds::from_wire)
                .next()
                .unwrap_or_default()
        };
        Self {
            default: thresholds(core::RoutingPriority::Default),
            high: thresholds(core::RoutingPriority::High),
        }
    }
}

impl Thresholds {
    fn from_wire(wire: &wire::circuit_breakers::Thresholds) -> Self {
        let default = Self::default();
        Self {
            max_connections: wire.max_connections.map_or(default.max_connections, |max| max.value),
            max_pending_requests: wire
                .max_pending_requests
                .map_or(default.max_pending_requests, |max| max.value),
            max_requests: wire.max_requests.map_or(default.max_requests, |max| max.value),
            max_retries: wire.max_retries.map_or(default.max_retries, |max| max.value),
        }
    }
}

impl LocalityLbEndpoints {
    fn list_from_wire(
        wire: Option<&endpoint::ClusterLoadAssignment>,
        dns: bool,
        at: &At<'_>,
    ) -> Vec<Self> {
        let at = at.field("endpoints");
        let localities = wire.into_iter().flat_map(|wire| &wire.endpoints);
        localities
            .enumerate()
            .map(|(index, locality)| Self::from_wire(locality, dns, &at.index(index)))
            .collect()
    }

    fn from_wire(wire: &endpoint::LocalityLbEndpoints, dns: bool, at: &At<'_>) -> Self {
        let at = at.field("lb_endpoints");
        let endpoint = |(index, endpoint)| LbEndpoint::from_wire(endpoint, dns, &at.index(index));
        Self {
            locality: wire.locality.as_ref().map(Locality::from_wire).unwrap_or_default(),
            lb_endpoints: wire.lb_endpoints.iter().enumerate().filter_map(endpoint).collect(),
        }
    }
}

impl LbEndpoint {
    fn from_wire(wire: &endpoint::LbEndpoint, dns: bool, at: &At<'_>) -> Option<Self> {
        let Some(HostIdentifier::Endpoint(endpoint)) = &wire.host_identifier else {
            at.error_at_key("'endpoint' is required");
            return None;
        };
        let at = at.field("endpoint");
        let address =
            EndpointAddress::from_wire(endpoint.address.as_ref(), dns, &at.field("address"));
        Some(Self {
            address: address?,
            hostname: endpoint.hostname.clone(),
            load_balancing_weight: wire.load_balancing_weight.map_or(1, |weight| weight.value),
            healthy: !matches!(
                wire.health_status(),
                core::HealthStatus::Unhealthy
                    | core::HealthStatus::Draining
                    | core::HealthStatus::Timeout
            ),
        })
    }
}
