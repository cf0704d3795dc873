//! What all workers share of a cluster: its settings and its counters.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use ringmain_config::cluster::{self as config, UpstreamProtocol};
use ringmain_config::locality::Locality;
use ringmain_config::proxy_protocol::UpstreamProxyProtocol;
use ringmain_config::transport_socket::UpstreamTransportSocket;

use super::{CircuitBreakers, Host, HostSet};
use crate::access_log::LogSink;
use crate::health_check::HealthChecks;
use crate::load_balancer::{LocalCluster, Plan, PlanContext};
use crate::outlier_detection::OutlierDetector;
use crate::stats::scopes::{
    ApiCallStats, AwsStats, ClusterStats, DiscoveryStats, DnsStats, Http2Stats, LbStats,
};
use crate::stats::{
    Counter, GrpcCalls, HistogramId, HistogramTable, PerWorker, ResponseCodes, Scope,
};
use crate::transport_socket::tls::SslStats;

/// A compiled cluster. Never changed after it was made, but for the counters.
#[derive(Debug)]
pub struct Cluster {
    /// As written in the file.
    pub config: config::Cluster,
    /// Its place in the configuration.
    pub index: usize,
    /// What it may have at once.
    pub breakers: CircuitBreakers,
    /// `cluster.<name>.` counters.
    pub stats: PerWorker<ClusterStats>,
    /// `cluster.<name>.lb_` counters of picks.
    pub lb: PerWorker<LbStats>,
    /// The same, of what is worked out for each change of the hosts; whoever makes a plan writes them, one
    /// at a time.
    pub planning: LbStats,
    /// `cluster.<name>.ssl.`, where its hosts are spoken to in TLS.
    pub ssl: Option<PerWorker<SslStats>>,
    /// For how many hosts each of its transport sockets was chosen; the control thread writes.
    pub socket_matches: Vec<Counter>,
    /// `cluster.<name>.http2.`, where its hosts are spoken to in HTTP/2.
    pub http2: Option<PerWorker<Http2Stats>>,
    /// `cluster.<name>.` counters of discovery.
    pub discovery: DiscoveryStats,
    /// `cluster.<name>.dns.`, where that is how its hosts are found.
    pub dns: DnsStats,
    /// `cluster.<name>.ecs.` or `cluster.<name>.cloud_map.`, where that is how its hosts are found.
    pub aws: Option<(AwsStats, ApiCallStats)>,
    /// `cluster.<name>.upstream_rq_<code>`.
    pub response_codes: PerWorker<ResponseCodes>,
    /// `cluster.<name>.external.upstream_rq_<code>`: requests from outside.
    pub external_response_codes: PerWorker<ResponseCodes>,
    /// `cluster.<name>.internal.upstream_rq_<code>`: requests from an internal address.
    pub internal_response_codes: PerWorker<ResponseCodes>,
    /// `retry.upstream_rq_*`: responses that were not wanted.
    pub retry_response_codes: PerWorker<ResponseCodes>,
    /// `cluster.<name>.grpc.`
    pub grpc_calls: PerWorker<GrpcCalls>,
    /// The histograms of this cluster.
    pub histograms: ClusterHistograms,
    /// Its active health checks, where it has any.
    pub health_checks: Option<Arc<HealthChecks>>,
    /// Its outlier detection, where it has any.
    pub outlier_detector: Option<Arc<OutlierDetector>>,
}

/// `cluster.<name>.` histograms, in milliseconds where nothing else is said.
#[derive(Debug, Clone, Copy)]
pub struct ClusterHistograms {
    /// `upstream_rq_time`: from the request's end to the response's end.
    pub upstream_rq_time: HistogramId,
    /// `external.upstream_rq_time`: of requests from outside.
    pub external_upstream_rq_time: HistogramId,
    /// `internal.upstream_rq_time`: of requests from an internal address.
    pub internal_upstream_rq_time: HistogramId,
    /// `upstream_cx_connect_ms`.
    pub upstream_cx_connect_ms: HistogramId,
    /// `upstream_cx_length_ms`.
    pub upstream_cx_length_ms: HistogramId,
    /// `upstream_rq_per_cx`: requests, not milliseconds.
    pub upstream_rq_per_cx: HistogramId,
}

impl Cluster {
    /// Compiles `config`, the cluster at `index`, for `workers` workers and adds its histograms to
    /// `table`. Its outliers are told to `outlier_events`;
    /// `event_sink` says which of the log sinks stands for a file.
    pub fn new(
        config: config::Cluster,
        index: usize,
        workers: usize,
        table: &mut HistogramTable,
        outlier_events: Option<LogSink>,
        mut event_sink: impl FnMut(&Path) -> LogSink,
    ) -> Self {
        let scope = Scope::cluster(stat_name(&config));
        let mut histogram = |name| table.add(&scope, name);
        let (upstream_rq_time, upstream_cx_connect_ms) =
            (histogram("upstream_rq_time"), histogram("upstream_cx_connect_ms"));
        let (upstream_cx_length_ms, upstream_rq_per_cx) =
            (histogram("upstream_cx_length_ms"), histogram("upstream_rq_per_cx"));
        let mut by_origin =
            |origin| table.add_on_first_use(&scope.within(origin), "upstream_rq_time");
        let histograms = ClusterHistograms {
            upstream_rq_time,
            external_upstream_rq_time: by_origin("external"),
            internal_upstream_rq_time: by_origin("internal"),
            upstream_cx_connect_ms,
            upstream_cx_length_ms,
            upstream_rq_per_cx,
        };
        let health_checks = config.health_check.clone().map(|check| {
            let sinks = check.event_logs.iter().map(|path| event_sink(path)).collect();
            Arc::new(HealthChecks::new(check, sinks, config.ignore_new_hosts_until_first_hc))
        });
        let outlier_detector = config
            .outlier_detection
            .map(|config| Arc::new(OutlierDetector::new(config, outlier_events)));
        let sockets = config.transport_sockets.iter();
        let has_tls = sockets.clone().any(|it| matches!(it, UpstreamTransportSocket::Tls(_)));
        let socket_matches = sockets.map(|_| Counter::default()).collect();
        Self {
            health_checks,
            outlier_detector,
            aws: config.discovery.aws_limits().map(|_| Default::default()),
            ssl: has_tls.then(|| PerWorker::new(workers)),
            socket_matches,
            http2: (config.upstream_protocol != UpstreamProtocol::Http1)
                .then(|| PerWorker::new(workers)),
            index,
            breakers: CircuitBreakers::new(config.circuit_breakers, workers),
            config,
            stats: PerWorker::new(workers),
            lb: PerWorker::new(workers),
            planning: LbStats::default(),
            discovery: DiscoveryStats::default(),
            dns: DnsStats::default(),
            response_codes: PerWorker::new(workers),
            external_response_codes: PerWorker::new(workers),
            internal_response_codes: PerWorker::new(workers),
            retry_response_codes: PerWorker::new(workers),
            grpc_calls: PerWorker::new(workers),
            histograms,
        }
    }

    /// Whether a plan for `hosts` takes longer than the control thread is to be held up.
    pub fn plans_at_length(&self, hosts: &HostSet) -> bool {
        let balancing = &self.config.load_balancing;
        balancing.policy.hashes() || balancing.subset.is_some() || hosts.hosts.len() > 500
    }

    /// How to choose among `hosts`. `here` is where this proxy is, `local` the proxies beside it.
    pub fn plan(
        &self,
        hosts: &HostSet,
        here: Option<&Locality>,
        local: Option<&LocalCluster>,
    ) -> Plan {
        hosts.plan(&PlanContext {
            config: &self.config.load_balancing,
            assignment: &self.config.load_assignment,
            here,
            local,
            stats: &self.planning,
        })
    }

    /// Has `hosts` checked and watched; those that are not among `known` are new.
    pub fn expect(&self, hosts: &HostSet, known: &HostSet, workers: usize) {
        let known_ids: HashSet<u64> = known.hosts.iter().map(|host| host.id).collect();
        let new = hosts.hosts.iter().filter(|host| !known_ids.contains(&host.id));
        new.for_each(|host| self.socket_matches[self.socket_place(host)].inc());
        if let Some(checks) = &self.health_checks {
            checks.expect(hosts, known);
        }
        if let Some(detector) = &self.outlier_detector {
            detector.expect(hosts, workers);
        }
    }

    /// Which of its transport sockets is for `host`.
    pub fn socket_place(&self, host: &Host) -> usize {
        self.config.transport_sockets.place_for(&host.socket_labels)
    }

    /// The PROXY header that connections to `host` begin with. It belongs to `transport_socket`, so a host
    /// of `transport_socket_matches` gets none.
    pub fn proxy_protocol(&self, host: &Host) -> Option<&UpstreamProxyProtocol> {
        self.config.proxy_protocol.as_ref().filter(|_| self.socket_place(host) == 0)
    }

    /// The stats of discovery by an AWS API; of a cluster that is found so.
    pub fn aws_stats(&self) -> &AwsStats {
        &self.aws.as_ref().expect("the cluster is found by an AWS API").0
    }

    /// Counts a call to an AWS API.
    pub fn count_api_call(&self, action: &str) {
        if let Some((_, calls)) = &self.aws {
            calls.count(action);
        }
    }

    /// The name in stats: `alt_stat_name`, else `name`.
    pub fn stat_name(&self) -> &str {
        stat_name(&self.config)
    }
}

fn stat_name(config: &config::Cluster) -> &str {
    config.alt_stat_name.as_deref().unwrap_or(&config.name)
}
