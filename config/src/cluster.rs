//! Clusters and their endpoints (`envoy.config.cluster.v3`, `envoy.config.endpoint.v3`).

use std::time::Duration;

use crate::address::EndpointAddress;
use crate::bootstrap::Locality;

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
        Self { max_connections: 1024, max_pending_requests: 1024, max_requests: 1024, max_retries: 3 }
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
