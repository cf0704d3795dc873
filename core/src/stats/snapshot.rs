//! All counters and gauges at one moment, with Envoy's names and Prometheus tags.

mod cluster;

use std::collections::HashMap;

use ringmain_config::tls::TlsCertificate;

use self::cluster::cluster_stats;
use super::scopes::{Http2Stats, HttpStats, ListenerStats, ResponseClassStats};
use super::{
    Counter, Kind, PerWorker, Reading, ResponseCodes, Scope, StatName, StatsBlock, always_zero,
};
use crate::http::ConnectionManager;
use crate::listener::{Listener, ListenerFilter, TerminalFilter};
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
    // Envoy reads it twice at start; there is no folder.
    scope.counter("load_success", 2, stats);
    scope.counter("override_dir_not_exists", 2, stats);
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
