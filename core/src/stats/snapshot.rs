//! All counters and gauges at one moment, with Envoy's names and Prometheus tags.

use std::collections::HashMap;

use ringmain_config::cluster::{DiscoveryType, LbPolicy, RoutingPriority};
use ringmain_config::tls::TlsCertificate;

use super::scopes::{Http2Stats, HttpStats, ListenerStats, ResponseClassStats};
use super::{
    Counter, GrpcCalls, Kind, PerWorker, Reading, ResponseCodes, Scope, StatName, StatsBlock,
    always_zero,
};
use crate::cluster::{Cluster, HealthFlag, HealthFlags, HostSet, Resource};
use crate::health_check::HealthChecks;
use crate::http::ConnectionManager;
use crate::listener::{Listener, ListenerFilter, TerminalFilter};
use crate::load_balancer::{Health, Plan, TableSizes};
use crate::network::ByteFilter;
use crate::runtime::memory;
use crate::server::{Control, ServerState};
use crate::transport_socket::tls::{Certificate, SslStats};

/// One stat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// `cluster.b.upstream_rq_200` and its parts.
    pub name: StatName,
    /// What it is.
    pub kind: Kind,
    /// Its value.
    pub value: i64,
    /// Whether it was ever written.
    pub used: bool,
}

impl Stat {
    /// A reading under its full name.
    pub fn new(name: StatName, reading: Reading) -> Self {
        Self { name, kind: reading.kind, value: reading.value, used: reading.used }
    }
}

/// What the admin listener counts; the control thread writes.
#[derive(Debug, Default)]
pub struct AdminStats {
    /// `http.admin.`
    pub http: HttpStats,
    /// `http.admin.`, and `listener.admin.http.admin.` once more.
    pub responses: ResponseClassStats,
    /// `listener.admin.`
    pub listener: ListenerStats,
}

/// What counters stood at when they were last reset, by name.
#[derive(Debug, Default)]
pub struct Baseline(HashMap<String, i64>);

impl Baseline {
    /// Counters of `stats` count from here.
    pub fn advance(&mut self, stats: &[Stat]) {
        for stat in stats.iter().filter(|stat| stat.kind == Kind::Counter && stat.value != 0) {
            *self.0.entry(stat.name.name.clone()).or_default() += stat.value;
        }
    }

    fn apply(&self, stats: &mut [Stat]) {
        if self.0.is_empty() {
            return;
        }
        for stat in stats.iter_mut().filter(|stat| stat.kind == Kind::Counter) {
            if let Some(before) = self.0.get(&stat.name.name) {
                stat.value -= before;
                stat.used = stat.value > 0;
            }
        }
    }
}

/// Reads everything; sorted by name.
pub fn snapshot(control: &Control) -> Vec<Stat> {
    let mut stats = Vec::new();
    for (index, cluster) in control.compiled.clusters.iter().enumerate() {
        cluster_stats(control, index, cluster, &mut stats);
    }
    for listener in &control.compiled.listeners {
        listener_stats(listener, &mut stats);
    }
    if control.boot.has_admin {
        admin_stats(&control.admin_stats, &mut stats);
    }
    server_stats(control, &mut stats);
    Scope::plain("filesystem").single(control.filesystem_stats(), &mut stats);
    Scope::plain("http1").zeros(&always_zero::HTTP1, &mut stats);
    http2_stats(&Scope::plain("http2"), &control.compiled.http2_stats, &mut stats);
    manager_stats(control, &mut stats);
    runtime_stats(control, &mut stats);
    overload_stats(control, &mut stats);
    for (prefix, names) in &always_zero::PROCESS {
        Scope::plain(prefix).zeros(names, &mut stats);
    }
    stats.sort_by(|one, other| one.name.name.cmp(&other.name.name));
    // Connection managers may share a `stat_prefix`: Envoy counts them together.
    stats.dedup_by(|later, kept| {
        let same = later.name.name == kept.name.name;
        if same {
            kept.value += later.value;
            kept.used |= later.used;
        }
        same
    });
    control.with_baseline(|baseline| baseline.apply(&mut stats));
    stats
}

fn cluster_stats(control: &Control, index: usize, cluster: &Cluster, stats: &mut Vec<Stat>) {
    let scope = Scope::cluster(cluster.stat_name());
    scope.block(&cluster.stats, stats);
    scope.block(&cluster.lb, stats);
    scope.single(&cluster.planning, stats);
    scope.single(&cluster.discovery, stats);
    scope.zeros(&always_zero::CLUSTER, stats);
    socket_matches(&scope, cluster, stats);
    if matches!(cluster.config.discovery, DiscoveryType::Dns(_)) {
        scope.within("dns").single(&cluster.dns, stats);
    }
    if let Some(ssl) = &cluster.ssl {
        ssl_stats(&scope.within("ssl"), ssl, stats);
        scope.within("client_ssl_socket_factory").zeros(&always_zero::SSL_SOCKET_FACTORY, stats);
    }
    if cluster.stats.iter().any(|stats| stats.upstream_cx_http1_total.value() > 0) {
        scope.within("http1").zeros(&always_zero::HTTP1, stats);
    }
    if let Some(http2) = &cluster.http2 {
        http2_stats(&scope.within("http2"), http2, stats);
    }
    if let Some((aws, calls)) = &cluster.aws {
        let scope = scope.within(match cluster.config.discovery {
            DiscoveryType::CloudMap(_) => "cloud_map",
            _ => "ecs",
        });
        scope.single(aws, stats);
        calls.visit(&mut |reading| scope.push(reading, stats));
    }
    let hosts = control.hosts(index);
    let count = |is: &dyn Fn(&HealthFlags) -> bool| {
        hosts.hosts.iter().filter(|host| is(host.health())).count()
    };
    let of_health = |health| count(&|flags| flags.health() == health);
    scope.gauge("membership_total", hosts.hosts.len(), stats);
    scope.gauge("membership_healthy", of_health(Health::Healthy), stats);
    scope.gauge("membership_degraded", of_health(Health::Degraded), stats);
    scope.gauge("membership_excluded", count(&HealthFlags::is_excluded), stats);
    if let Some(checks) = &cluster.health_checks {
        health_check_stats(&scope.within("health_check"), checks, &hosts, stats);
    }
    if let Some(detector) = &cluster.outlier_detector {
        scope.within("outlier_detection").single(&detector.stats, stats);
    }
    table_sizes(&scope, &cluster.config.load_balancing.policy, &control.plan(index), stats);
    subsets(&scope, &control.plan(index), control.compiled.balancers(), stats);
    circuit_breakers(&scope, cluster, stats);
    response_codes(&scope, &cluster.response_codes, Completed::CountedApart, stats);
    let external = scope.within("external");
    response_codes(&external, &cluster.external_response_codes, Completed::IsTheSum, stats);
    let internal = scope.within("internal");
    response_codes(&internal, &cluster.internal_response_codes, Completed::IsTheSum, stats);
    let retry = scope.within("retry");
    response_codes(&retry, &cluster.retry_response_codes, Completed::IsTheSum, stats);
    grpc_calls(&scope.within("grpc"), &cluster.grpc_calls, stats);
}

/// The counters that have counted. The workers' have the same names, which the snapshot adds up.
fn grpc_calls(scope: &Scope, calls: &PerWorker<GrpcCalls>, stats: &mut Vec<Stat>) {
    for worker in calls.iter() {
        worker.visit(|method, counters| {
            let scope = match method {
                Some((service, method)) => scope.grpc_method(service, method),
                None => scope.clone(),
            };
            counters.visit(&mut |reading| scope.push(reading, stats));
        });
    }
}

/// For how many hosts each transport socket was chosen, by the names of the matches.
fn socket_matches(scope: &Scope, cluster: &Cluster, stats: &mut Vec<Stat>) {
    let matches = cluster.config.transport_sockets.matches.iter();
    let names = std::iter::once("default").chain(matches.map(|matched| matched.name.as_str()));
    for (name, count) in names.zip(&cluster.socket_matches) {
        let count = usize::try_from(count.value()).unwrap_or(usize::MAX);
        scope.within(name).counter("total_match_count", count, stats);
    }
}

fn health_check_stats(
    scope: &Scope,
    checks: &HealthChecks,
    hosts: &HostSet,
    stats: &mut Vec<Stat>,
) {
    scope.single(&checks.stats, stats);
    let checked = || hosts.hosts.iter().filter(|host| HealthChecks::include(host));
    let failed = checked().filter(|host| host.health().has(HealthFlag::FailedActiveHc)).count();
    let degraded = checked().filter(|host| host.health().has(HealthFlag::DegradedActiveHc)).count();
    scope.gauge("healthy", checked().count() - failed, stats);
    scope.gauge("degraded", degraded, stats);
}

/// The tables of consistent hashing, for policies that have any; of several, Envoy tells the last one's.
fn table_sizes(scope: &Scope, policy: &LbPolicy, plan: &Plan, stats: &mut Vec<Stat>) {
    let mut gauges = |within: &str, values: &[(&'static str, u64)]| {
        for (name, value) in values {
            scope.within(within).gauge(name, usize::try_from(*value).unwrap_or(usize::MAX), stats);
        }
    };
    match (policy, plan.table_sizes().last().unwrap_or_default()) {
        (LbPolicy::RingHash(..), TableSizes { size, bounds: (min, max) }) => gauges(
            "ring_hash_lb",
            &[("size", size), ("min_hashes_per_host", min), ("max_hashes_per_host", max)],
        ),
        (LbPolicy::Maglev(..), TableSizes { bounds: (min, max), .. }) => {
            gauges("maglev_lb", &[("min_entries_per_host", min), ("max_entries_per_host", max)]);
        }
        (LbPolicy::RoundRobin(_) | LbPolicy::LeastRequest(..) | LbPolicy::Random, _) => {}
    }
}

/// The subsets, for clusters that have such.
fn subsets(scope: &Scope, plan: &Plan, balancers: usize, stats: &mut Vec<Stat>) {
    let Some(subsets) = plan.subsets() else { return };
    scope.gauge("lb_subsets_active", balancers * subsets.count(), stats);
    let duplicates = usize::try_from(subsets.single_host_duplicates()).unwrap_or(usize::MAX);
    scope.gauge("lb_subsets_single_host_per_subset_duplicate", duplicates, stats);
}

/// Whether each breaker is open, and with `track_remaining` how much is left.
fn circuit_breakers(scope: &Scope, cluster: &Cluster, stats: &mut Vec<Stat>) {
    let breakers = &cluster.breakers;
    for (name, priority) in ["default", "high"].into_iter().zip(RoutingPriority::ALL) {
        let scope = scope.within("circuit_breakers").within(name);
        let left = |resource| breakers.remaining(priority, resource);
        let retries = breakers.remaining_retries(priority);
        let limits = cluster.config.circuit_breakers.of(priority);
        let pending = left(Resource::PendingRequests);
        let resources = [
            ("cx_open", "remaining_cx", left(Resource::Connections), 1),
            ("rq_pending_open", "remaining_pending", pending, limits.max_pending_requests),
            ("rq_open", "remaining_rq", left(Resource::Requests), limits.max_requests),
            ("rq_retry_open", "remaining_retries", retries, breakers.max_retries(priority)),
        ];
        let (tracked, used) = (limits.track_remaining, breakers.is_used(priority));
        for (open, name, remaining, limit) in resources {
            // Of a limit of zero Envoy does not say that it is reached.
            let mut gauge = |name, value| {
                scope.push(Reading { name, kind: Kind::Gauge, value, used }, stats);
            };
            gauge(open, i64::from(remaining == 0 && limit > 0));
            if tracked {
                gauge(name, i64::from(remaining));
            }
        }
    }
}

/// Where `upstream_rq_completed` comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Completed {
    CountedApart,
    IsTheSum,
}

/// The codes and classes that were seen.
fn response_codes(
    scope: &Scope,
    codes: &PerWorker<ResponseCodes>,
    completed: Completed,
    stats: &mut Vec<Stat>,
) {
    let mut totals = [0; 600];
    for worker in codes.iter() {
        worker.add_to(&mut totals);
    }
    let mut all = 0;
    for class in 1..=5_usize {
        let in_class = class * 100..(class + 1) * 100;
        for code in in_class.clone().filter(|code| totals[*code] > 0) {
            stats.push(counter_of(scope.code(code), totals[code]));
        }
        let sum: u64 = totals[in_class].iter().sum();
        if sum > 0 {
            stats.push(counter_of(scope.name(&format!("upstream_rq_{class}xx")), sum));
        }
        all += sum;
    }
    if all > 0 && completed == Completed::IsTheSum {
        stats.push(counter_of(scope.name("upstream_rq_completed"), all));
    }
}

fn counter_of(name: StatName, count: u64) -> Stat {
    Stat { name, kind: Kind::Counter, value: count.cast_signed(), used: count > 0 }
}

fn is_connection_count(name: &str) -> bool {
    matches!(name, "downstream_cx_total" | "downstream_cx_active")
}

fn ssl_stats(scope: &Scope, all: &PerWorker<SslStats>, stats: &mut Vec<Stat>) {
    // The workers' readings have the same names, which the snapshot adds up.
    for worker in all.iter() {
        worker.fixed.visit(&mut |reading| scope.push(reading, stats));
    }
    SslStats::visit_negotiated(all, |kind, name, total| {
        stats.push(counter_of(scope.within(kind).name(name), total));
    });
}

fn listener_stats(listener: &Listener, stats: &mut Vec<Stat>) {
    let scope = Scope::listener(&listener.stat_name);
    scope.block(&listener.stats, stats);
    scope.zeros(&always_zero::LISTENER, stats);
    scope.zeros(&always_zero::LISTENER_FILTERS, stats);
    for (worker, block) in listener.stats.iter().enumerate() {
        let scope = scope.worker(worker);
        connection_counts(&scope, block, stats);
    }
    for filter in &listener.filters.filters {
        listener_filter_stats(filter, stats);
    }
    if let Some(ssl) = &listener.ssl {
        ssl_stats(&scope.within("ssl"), ssl, stats);
        scope.within("server_ssl_socket_factory").zeros(&always_zero::SSL_SOCKET_FACTORY, stats);
    }
    for chain in &listener.filter_chains {
        for filter in &chain.filters {
            filter.stats(stats);
        }
        match &chain.terminal {
            TerminalFilter::Http(manager) => http_stats(&scope, manager, stats),
            TerminalFilter::Bytes(ByteFilter::TcpProxy(proxy)) => {
                let scope = Scope::tcp(&proxy.config.stat_prefix);
                scope.block(&proxy.stats, stats);
                scope.zeros(&always_zero::TCP_PROXY, stats);
            }
            TerminalFilter::Bytes(ByteFilter::Echo | ByteFilter::DirectResponse(_)) => {}
        }
    }
}

fn listener_filter_stats(filter: &ListenerFilter, stats: &mut Vec<Stat>) {
    match filter {
        ListenerFilter::TlsInspector(filter) => {
            Scope::plain("tls_inspector").block(&filter.stats, stats);
        }
        ListenerFilter::HttpInspector(filter) => {
            Scope::plain("http_inspector").block(&filter.stats, stats);
        }
        ListenerFilter::ProxyProtocol(filter) => {
            let scope = filter.scope();
            scope.block(&filter.stats, stats);
            scope.within("versions").within("v1").block(&filter.v1, stats);
            scope.within("versions").within("v2").block(&filter.v2, stats);
            let errors = filter.errors.iter().map(Counter::value).sum();
            let name = "downstream_cx_proxy_proto_error".to_owned();
            let name = StatName { tag_extracted_name: name.clone(), name, tags: Vec::new() };
            stats.push(counter_of(name, errors));
        }
        ListenerFilter::OriginalDst => {}
    }
}

fn http_stats(listener: &Scope, manager: &ConnectionManager, stats: &mut Vec<Stat>) {
    let prefix = &manager.config.stat_prefix;
    let http = Scope::http(prefix);
    http.block(&manager.stats, stats);
    http.block(&manager.responses, stats);
    manager.filters.stats(&http, stats);
    http.zeros(&always_zero::HTTP, stats);
    http.zeros(&always_zero::ROUTER, stats);
    let within_listener = listener.within("http").http_prefix(prefix);
    within_listener.block(&manager.listener_responses, stats);
    for group in manager.request_groups.iter() {
        group.scope.block(&group.stats, stats);
        response_codes(&group.scope, &group.response_codes, Completed::IsTheSum, stats);
    }
}

fn connection_counts(scope: &Scope, block: &ListenerStats, stats: &mut Vec<Stat>) {
    block.visit(&mut |reading| {
        if is_connection_count(reading.name) {
            scope.push(reading, stats);
        }
    });
}

fn admin_stats(admin: &AdminStats, stats: &mut Vec<Stat>) {
    let http = Scope::http("admin");
    // Admin routes by itself: it has no router to count.
    admin.http.visit(&mut |reading| {
        if !always_zero::ROUTER.have(reading.name) {
            http.push(reading, stats);
        }
    });
    http.single(&admin.responses, stats);
    http.zeros(&always_zero::HTTP, stats);
    let listener = Scope::plain("listener.admin");
    listener.single(&admin.listener, stats);
    listener.zeros(&always_zero::LISTENER, stats);
    connection_counts(&listener.within("main_thread"), &admin.listener, stats);
    listener.within("http").http_prefix("admin").single(&admin.responses, stats);
}

/// `server.days_until_first_cert_expiring` where there is no certificate.
const NO_CERTIFICATE_DAYS: usize = u32::MAX as usize;

fn server_stats(control: &Control, stats: &mut Vec<Stat>) {
    let compiled = &control.compiled;
    let server = Scope::plain("server");
    let uptime = usize::try_from(control.started.elapsed().as_secs()).unwrap_or(usize::MAX);
    let live = control.state() == ServerState::Live;
    let memory = memory::usage();
    for (name, value) in [
        ("concurrency", compiled.workers),
        ("days_until_first_cert_expiring", days_until_first_cert_expiring(control)),
        ("hot_restart_epoch", 0),
        ("live", usize::from(live)),
        ("memory_allocated", memory.allocated),
        ("memory_heap_size", memory.heap),
        ("memory_physical_size", memory.physical),
        ("seconds_until_first_ocsp_response_expiring", seconds_until_first_staple_expires(control)),
        ("state", control.state() as usize),
        ("total_connections", control.active_connections() as usize),
        ("uptime", uptime),
        ("version", version_number()),
    ] {
        server.gauge(name, value, stats);
    }
    server.block(&compiled.worker_stats, stats);
    if control.has_tls() {
        server.single(&control.tls_stats, stats);
    }
    for worker in 0..compiled.workers {
        server.worker(worker).zeros(&always_zero::SERVER_WORKER, stats);
        let clusters = Scope::plain("thread_local_cluster_manager").worker(worker);
        clusters.gauge("clusters_inflated", compiled.clusters.len(), stats);
    }
}

/// Envoy has them from the first connection on.
fn http2_stats(scope: &Scope, all: &PerWorker<Http2Stats>, stats: &mut Vec<Stat>) {
    let connections = |stats: &Http2Stats| {
        stats.nghttp2_downstream_connections.value() + stats.nghttp2_upstream_connections.value()
    };
    if all.iter().map(connections).sum::<u64>() > 0 {
        scope.block(all, stats);
    }
}

fn days_until_first_cert_expiring(control: &Control) -> usize {
    let contexts = control.tls_contexts();
    let all = contexts.iter().flat_map(|context| {
        let own = context.tls_certificates.iter().map(TlsCertificate::leaf);
        let rules = context.validation_context.iter();
        own.chain(rules.flat_map(|rules| &rules.trusted_ca))
    });
    let days = all.map(|certificate| Certificate::parse(certificate).days_left()).min();
    days.map_or(NO_CERTIFICATE_DAYS, |days| usize::try_from(days).unwrap_or(NO_CERTIFICATE_DAYS))
}

fn seconds_until_first_staple_expires(control: &Control) -> usize {
    let contexts = control.tls_contexts();
    let certificates = contexts.iter().flat_map(|context| &context.tls_certificates);
    let staples = certificates.filter_map(|certificate| certificate.ocsp_staple.as_ref());
    let left = staples.map(|staple| staple.seconds_left()).min();
    usize::try_from(left.unwrap_or(0)).unwrap_or(0)
}

/// `0.1.2` as 1002.
fn version_number() -> usize {
    let parts = env!("CARGO_PKG_VERSION").split('.').map(|part| part.parse().unwrap_or(0));
    parts.fold(0, |number: usize, part: usize| number * 1000 + part)
}

fn runtime_stats(control: &Control, stats: &mut Vec<Stat>) {
    let (scope, runtime) = (Scope::plain("runtime"), &control.boot.runtime);
    scope.gauge("num_keys", runtime.keys().count(), stats);
    scope.gauge("num_layers", runtime.layers.len(), stats);
    // It is read once, and from no folder.
    scope.counter("load_success", 1, stats);
    scope.counter("override_dir_not_exists", 1, stats);
}

/// Envoy counts connections beyond the limit as failed updates, and never writes the pressure.
fn overload_stats(control: &Control, stats: &mut Vec<Stat>) {
    control.compiled.overload.report(stats);
    if control.boot.overload_manager.max_active_downstream_connections.is_none() {
        return;
    }
    let listeners = control.compiled.listeners.iter().flat_map(|listener| listener.stats.iter());
    let refused: u64 = listeners.map(|stats| stats.downstream_global_cx_overflow.value()).sum();
    let monitor =
        Scope::plain("overload.envoy.resource_monitors.global_downstream_max_connections");
    monitor.counter("failed_updates", usize::try_from(refused).unwrap_or(usize::MAX), stats);
    let (kind, value, used) = (Kind::Gauge, 0, false);
    monitor.push(Reading { name: "pressure", kind, value, used }, stats);
}

fn manager_stats(control: &Control, stats: &mut Vec<Stat>) {
    let compiled = &control.compiled;
    let clusters = Scope::plain("cluster_manager");
    clusters.gauge("active_clusters", compiled.clusters.len(), stats);
    clusters.counter("cluster_added", compiled.clusters.len(), stats);
    let listeners = Scope::plain("listener_manager");
    let all = compiled.listeners.len();
    let stopped = control.stopped_listeners();
    listeners.gauge("total_listeners_active", all - stopped, stats);
    listeners.gauge("workers_started", usize::from(control.has_started()), stats);
    listeners.counter("listener_added", all, stats);
    listeners.counter("listener_create_success", all * compiled.workers, stats);
    listeners.counter("listener_stopped", stopped, stats);
}
