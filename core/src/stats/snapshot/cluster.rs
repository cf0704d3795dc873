//! What a cluster counts: its own counters, and what its hosts, tables and breakers are at.

use ringmain_config::cluster::{DiscoveryType, LbPolicy, RoutingPriority};

use super::{Completed, Stat, http2_stats, response_codes, ssl_stats};
use crate::cluster::{Cluster, HealthFlag, HealthFlags, HostSet, Resource};
use crate::health_check::HealthChecks;
use crate::load_balancer::{Health, Plan, TableSizes};
use crate::server::Control;
use crate::stats::{GrpcCalls, Kind, PerWorker, Reading, Scope, always_zero};

pub(super) fn cluster_stats(
    control: &Control,
    index: usize,
    cluster: &Cluster,
    stats: &mut Vec<Stat>,
) {
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
