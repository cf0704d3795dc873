//! Clusters and their endpoints (`envoy.config.cluster.v3`, `envoy.config.endpoint.v3`).

mod circuit_breakers;
mod connecting;
mod dns;
mod endpoint;
mod health_check;
mod http2_options;
mod http_options;
mod load_balancing;
mod outlier_detection;
mod preconnect;
mod transport_sockets;

use std::collections::HashMap;
use std::time::Duration;

use envoy_types::pb::envoy::config::cluster::v3 as wire;
use envoy_types::pb::envoy::config::endpoint::v3::ClusterLoadAssignment;
use envoy_types::pb::envoy::extensions::clusters::dns::v3::DnsCluster;
use envoy_types::pb::google::protobuf::Any;
use wire::cluster::{ClusterDiscoveryType, DiscoveryType as WireType};

pub use self::circuit_breakers::{CircuitBreakers, RetryBudget, RoutingPriority, Thresholds};
pub use self::connecting::{BindConfig, ConnectOptions, ExtraSourceAddress};
pub use self::dns::{DnsLookupFamily, DnsOptions, DnsResolver, FailureRefreshRate};
pub use self::endpoint::{HealthStatus, LbEndpoint, LoadAssignment, LocalityLbEndpoints};
pub use self::health_check::{
    CodecClientType, EndpointHealthCheckConfig, GrpcHealthCheck, HealthCheck, HealthChecker,
    HttpHealthCheck, Intervals, StatusRanges, TcpHealthCheck,
};
use self::http_options::HttpOptions;
pub use self::http_options::{AutoSni, Http1ProtocolOptions};
pub use self::http2_options::Http2ProtocolOptions;
pub use self::load_balancing::{
    ConsistentHashing, FallbackPolicy, HashFunction, LbPolicy, LbSubsetConfig, LbSubsetSelector,
    LeastRequest, LoadBalancing, LocalityLbConfig, Maglev, RingHash, SelectorFallback, SlowStart,
    ZoneAwareLbConfig,
};
pub use self::outlier_detection::{
    EjectionLimits, FailurePercentage, OutlierDetection, SuccessRate,
};
pub use self::preconnect::PreconnectPolicy;
pub use self::transport_sockets::{SocketLabels, TransportSocketMatch, TransportSockets};
use crate::address::EndpointAddress;
use crate::aws::DiscoveryLimits;
use crate::aws::wire::{cloud_map, ecs};
use crate::cloud_map_cluster::CloudMapCluster;
use crate::duration;
use crate::ecs_cluster::EcsCluster;
use crate::metadata::Metadata;
use crate::proxy_protocol::UpstreamProxyProtocol;
use crate::report::{At, Note};
use crate::transport_socket::UpstreamTransportSocket;
use crate::wire::unpack;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

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
    /// `upstream_bind_config` and `upstream_connection_options`.
    pub connect_options: ConnectOptions,
    /// `lb_policy` or `load_balancing_policy`, and `common_lb_config`.
    pub load_balancing: LoadBalancing,
    /// `wait_for_warm_on_init`, default true: listeners open when its hosts have been looked for.
    pub wait_for_warm_on_init: bool,
    /// `load_assignment`.
    pub load_assignment: LoadAssignment,
    /// `typed_extension_protocol_options` -> `common_http_protocol_options.idle_timeout`, default
    /// 1 h; `None` is off.
    pub idle_timeout: Option<Duration>,
    /// `common_http_protocol_options.max_requests_per_connection` (or the cluster's deprecated
    /// field), default unlimited.
    pub max_requests_per_connection: Option<u32>,
    /// Upstream `common_http_protocol_options.max_stream_duration`, default off: how long an attempt may
    /// last from when it has its connection.
    pub max_stream_duration: Option<Duration>,
    /// Upstream `common_http_protocol_options.max_headers_count`, default 100.
    pub max_response_headers_count: u32,
    /// Upstream `http_protocol_options`.
    pub http1: Http1ProtocolOptions,
    /// What is spoken with the hosts, default HTTP/1.1.
    pub upstream_protocol: UpstreamProtocol,
    /// `circuit_breakers.thresholds` of the DEFAULT and HIGH priority.
    pub circuit_breakers: CircuitBreakers,
    /// `transport_socket` and `transport_socket_matches`.
    pub transport_sockets: TransportSockets,
    /// `transport_socket` is that of the PROXY protocol; not for hosts that another one is for.
    pub proxy_protocol: Option<UpstreamProxyProtocol>,
    /// `upstream_http_protocol_options`: the name that requests give to TLS.
    pub auto_sni: AutoSni,
    /// `health_checks`: at most one.
    pub health_check: Option<HealthCheck>,
    /// `common_lb_config.ignore_new_hosts_until_first_hc`, default false: new hosts count for nothing
    /// before they were checked.
    pub ignore_new_hosts_until_first_hc: bool,
    /// `common_lb_config.close_connections_on_host_set_change`, default false: when a host comes or
    /// leaves, the connections to all others are closed too, as soon as they serve nobody.
    pub close_connections_on_host_set_change: bool,
    /// `close_connections_on_host_health_failure`, default false: when health checks of a host fail or it is
    /// ejected, the connections of TCP proxies to it are closed.
    pub close_connections_on_host_health_failure: bool,
    /// `preconnect_policy`.
    pub preconnect: PreconnectPolicy,
    /// `outlier_detection`.
    pub outlier_detection: Option<OutlierDetection>,
    /// `metadata`.
    pub metadata: Metadata,
}

/// `upstream_protocol_options` of `typed_extension_protocol_options`, or the cluster's own deprecated
/// `http2_protocol_options`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamProtocol {
    /// `explicit_http_config.http_protocol_options`.
    Http1,
    /// `explicit_http_config.http2_protocol_options`.
    Http2(Http2ProtocolOptions),
    /// `auto_config`: what each connection agrees on by ALPN, HTTP/1.1 where it agrees on nothing.
    Auto(Http2ProtocolOptions),
    /// `use_downstream_protocol_config` with `http2_protocol_options`: what the client speaks.
    Downstream(Http2ProtocolOptions),
}

/// How hosts are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiscoveryType {
    /// `STATIC`.
    Static,
    /// `STRICT_DNS`, `LOGICAL_DNS` or `cluster_type` with a `DnsCluster`.
    Dns(Box<DnsOptions>),
    /// `cluster_type` with a `ringmain.clusters.ecs.v1.EcsCluster`.
    Ecs(Box<EcsCluster>),
    /// `cluster_type` with a `ringmain.clusters.cloud_map.v1.CloudMapCluster`.
    CloudMap(Box<CloudMapCluster>),
}

impl Cluster {
    /// Reads the field `clusters`. `bind` is for those that have no `upstream_bind_config`.
    pub(crate) fn list_from_wire(
        wire: &[wire::Cluster],
        bind: &BindConfig,
        at: &At<'_>,
    ) -> Vec<Self> {
        let at = at.field("clusters");
        let mut names = HashMap::new();
        let mut clusters = Vec::with_capacity(wire.len());
        for (index, wire) in wire.iter().enumerate() {
            let at = at.index(index);
            if let Some(first) = names.insert(wire.name.as_str(), index) {
                at.field("name").error(
                    Note::from(format!("duplicate cluster '{}'", wire.name))
                        .help(format!("clusters[{first}] has this name; rename one of them")),
                );
            }
            clusters.push(Self::from_wire(wire, bind, &at));
        }
        check_snapshot_paths(&clusters, &at);
        clusters
    }

    #[allow(deprecated, reason = "common in files")]
    fn from_wire(wire: &wire::Cluster, bind: &BindConfig, at: &At<'_>) -> Self {
        let options = HttpOptions::from_wire(wire, at);
        let discovery = DiscoveryType::from_wire(wire, at);
        let dns = matches!(discovery, DiscoveryType::Dns(_));
        let load_balancing = LoadBalancing::from_wire(wire, at);
        let connect_timeout = wire.connect_timeout.as_ref();
        let common_lb = wire.common_lb_config.as_ref();
        let (transport_sockets, proxy_protocol) = TransportSockets::from_wire(wire, at);
        let cluster = Self {
            name: wire.name.clone(),
            metadata: Metadata::from_wire(wire.metadata.as_ref()),
            alt_stat_name: Some(wire.alt_stat_name.clone()).filter(|name| !name.is_empty()),
            discovery,
            connect_timeout: duration::or(connect_timeout, CONNECT_TIMEOUT, at, "connect_timeout"),
            connect_options: ConnectOptions::from_wire(wire, bind, at),
            close_connections_on_host_health_failure: wire.close_connections_on_host_health_failure,
            preconnect: PreconnectPolicy::from_wire(
                wire.preconnect_policy.as_ref(),
                &load_balancing,
                at,
            ),
            load_balancing,
            wait_for_warm_on_init: wire.wait_for_warm_on_init.is_none_or(|wait| wait.value),
            load_assignment: LoadAssignment::from_wire(
                wire.load_assignment.as_ref(),
                dns,
                &at.field("load_assignment"),
            ),
            idle_timeout: options.idle_timeout,
            max_requests_per_connection: options
                .max_requests_per_connection
                .or(wire.max_requests_per_connection.map(|max| max.value))
                .filter(|max| *max > 0),
            max_stream_duration: options.max_stream_duration,
            max_response_headers_count: options.max_headers_count,
            http1: options.http1,
            health_check: HealthCheck::from_wire(
                &wire.health_checks,
                &options.upstream_protocol,
                at,
            ),
            outlier_detection: wire.outlier_detection.as_ref().map(|outliers| {
                OutlierDetection::from_wire(outliers, &at.field("outlier_detection"))
            }),
            ignore_new_hosts_until_first_hc: common_lb
                .is_some_and(|common| common.ignore_new_hosts_until_first_hc),
            close_connections_on_host_set_change: common_lb
                .is_some_and(|common| common.close_connections_on_host_set_change),
            upstream_protocol: options.upstream_protocol,
            transport_sockets,
            proxy_protocol,
            auto_sni: options.auto_sni,
            circuit_breakers: CircuitBreakers::from_wire(wire, at),
        };
        cluster.refuse_contradictions(wire, at);
        warn_of_pipes(&cluster, at);
        cluster
    }

    /// Refuses fields that do not go together.
    fn refuse_contradictions(&self, wire: &wire::Cluster, at: &At<'_>) {
        if self.discovery.aws_limits().is_some() && wire.load_assignment.is_some() {
            at.field("load_assignment").error_at_key(
                Note::from("the hosts are found by 'cluster_type'").help(
                    "remove 'load_assignment', or find its hosts by 'type: STATIC' or 'STRICT_DNS'",
                ),
            );
        }
        if let DiscoveryType::Dns(options) = &self.discovery
            && options.is_logical
            && !has_one_endpoint(wire.load_assignment.as_ref())
        {
            let note = Note::from(
                "LOGICAL_DNS clusters must have a single locality_lb_endpoint \
                 and a single lb_endpoint",
            )
            .help("for several names, set 'type: STRICT_DNS'");
            at.field("load_assignment").error_at_key(note);
        }
        if self.discovery.aws_limits().is_some() && self.load_balancing.is_locality_weighted() {
            at.error_at_key(
                Note::from("the localities of hosts found by 'cluster_type' have no weights")
                    .help("remove 'locality_weighted_lb_config'"),
            );
        }
        if self.proxy_protocol.is_some() && !wire.health_checks.is_empty() {
            let note = Note::from(
                "health checks through the PROXY protocol are known to Envoy, \
                 not supported by ringmain",
            )
            .help("remove 'health_checks', or the PROXY protocol");
            at.field("health_checks").error_at_key(note);
        }
        let is_raw = |socket| matches!(socket, &UpstreamTransportSocket::RawBuffer);
        if matches!(self.upstream_protocol, UpstreamProtocol::Auto(_))
            && self.transport_sockets.iter().any(is_raw)
        {
            http_options::refuse_auto_config(at);
        }
    }
}

/// What a cluster says of TCP sockets means nothing to hosts on Unix sockets.
fn warn_of_pipes(cluster: &Cluster, at: &At<'_>) {
    let groups = cluster.load_assignment.endpoints.iter();
    let mut addresses = groups.flat_map(|group| &group.lb_endpoints).map(|it| &it.address);
    if !cluster.connect_options.is_plain()
        && addresses.any(|address| matches!(address, EndpointAddress::Pipe(_)))
    {
        let note = Note::from(
            "'upstream_bind_config' and 'tcp_keepalive' have no effect on \
             hosts with Unix sockets",
        )
        .help("remove them");
        at.warn(note);
    }
}

fn has_one_endpoint(assignment: Option<&ClusterLoadAssignment>) -> bool {
    let groups = assignment.map_or(&[][..], |assignment| &assignment.endpoints);
    matches!(groups, [group] if group.lb_endpoints.len() == 1)
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
            at.field("typed_config").field("snapshot_path").error(
                Note::from(format!("'{}' is the snapshot of cluster '{other}'", path.display()))
                    .help("give each cluster a 'snapshot_path' of its own"),
            );
        }
    }
}

impl DiscoveryType {
    /// What kinds found by an AWS API are to keep to.
    pub fn aws_limits(&self) -> Option<&DiscoveryLimits> {
        match self {
            Self::Ecs(ecs) => Some(&ecs.limits),
            Self::CloudMap(cloud_map) => Some(&cloud_map.limits),
            Self::Static | Self::Dns(_) => None,
        }
    }

    /// The extension in `cluster_type`; the support gate has seen to it that it is one of these.
    fn custom(typed_config: &Any, at: &At<'_>) -> Self {
        let at = at.field("typed_config");
        if let Some(ecs) = unpack::<ecs::EcsCluster>(typed_config) {
            return Self::Ecs(Box::new(EcsCluster::from_wire(&ecs, &at)));
        }
        if let Some(dns) = unpack::<DnsCluster>(typed_config) {
            return Self::Dns(Box::new(DnsOptions::from_wire(&dns, &at)));
        }
        let cloud_map = unpack::<cloud_map::CloudMapCluster>(typed_config).unwrap_or_default();
        Self::CloudMap(Box::new(CloudMapCluster::from_wire(&cloud_map, &at)))
    }

    fn from_wire(wire: &wire::Cluster, at: &At<'_>) -> Self {
        let by_dns =
            |is_logical| Self::Dns(Box::new(DnsOptions::from_legacy(wire, is_logical, at)));
        match &wire.cluster_discovery_type {
            Some(ClusterDiscoveryType::Type(kind)) if *kind == WireType::StrictDns as i32 => {
                by_dns(false)
            }
            Some(ClusterDiscoveryType::Type(kind)) if *kind == WireType::LogicalDns as i32 => {
                by_dns(true)
            }
            Some(ClusterDiscoveryType::ClusterType(custom)) => {
                let at = at.field("cluster_type");
                match &custom.typed_config {
                    Some(typed_config) => Self::custom(typed_config, &at),
                    None => {
                        at.error_at_key(Note::typed_config_required());
                        Self::Static
                    }
                }
            }
            _ => Self::Static,
        }
    }
}
