//! `envoy.filters.http.health_check`: answers health checks for the process, or passes them on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ringmain_config::http_filter::HealthCheck;
use ringmain_proto_codec::KnownHeader;

use super::{FilterState, FilterView, Verdict};
use crate::cluster::Membership;
use crate::http::ResponseFlag;
use crate::http::header_matching::{CompiledHeaderMatcher, all_match};
use crate::http::local_reply::LocalReply;
use crate::http::stream::millis;
use crate::server::Worker;
use crate::stats::{Counter, PerWorker, Scope, Stat, stats_block};

stats_block! {
    /// `http.<stat_prefix>.health_check.`: of the checks that the filter answers.
    HealthCheckFilterStats {
        counters {
            cached_response,
            degraded,
            failed,
            failed_cluster_empty,
            failed_cluster_not_found,
            failed_cluster_unhealthy,
            ok,
            request_total,
        }
        gauges {}
    }
}

/// The filter.
#[derive(Debug)]
pub struct HealthCheckFilter {
    stats: PerWorker<HealthCheckFilterStats>,
    pass_through_mode: bool,
    headers: Box<[CompiledHeaderMatcher]>,
    cache: Option<CachedAnswer>,
    cluster_min_healthy_percentages: BTreeMap<String, u64>,
}

/// The answer of the upstream, which all workers may give in its place for a while.
#[derive(Debug)]
struct CachedAnswer {
    epoch: Instant,
    kept_for: Duration,
    /// Milliseconds since the epoch until which it counts; below them, in 16 bits, the status, and in
    /// the highest of those whether the upstream was degraded.
    packed: AtomicU64,
}

const ANSWER_BITS: u32 = 16;
const DEGRADED: u64 = 1 << 15;

impl CachedAnswer {
    fn new(kept_for: Duration) -> Self {
        Self { epoch: Instant::now(), kept_for, packed: AtomicU64::new(0) }
    }

    /// The status, and whether the upstream was degraded.
    fn get(&self) -> Option<(u16, bool)> {
        let packed = self.packed.load(Ordering::Relaxed);
        let status = u16::try_from(packed & (DEGRADED - 1)).ok()?;
        (self.now_ms() < packed >> ANSWER_BITS).then_some((status, packed & DEGRADED != 0))
    }

    fn set(&self, status: u16, degraded: bool) {
        let until = self.now_ms().saturating_add(millis(self.kept_for));
        let until = until.min(u64::MAX >> ANSWER_BITS) << ANSWER_BITS;
        let degraded = if degraded { DEGRADED } else { 0 };
        self.packed.store(until | degraded | u64::from(status), Ordering::Relaxed);
    }

    fn now_ms(&self) -> u64 {
        millis(self.epoch.elapsed())
    }
}

/// What is wrong with a cluster.
struct Unhealthy {
    details: &'static str,
    count: fn(&HealthCheckFilterStats) -> &Counter,
}

const NOT_FOUND: Unhealthy = Unhealthy {
    details: "health_check_failed_no_cluster_found",
    count: |stats| &stats.failed_cluster_not_found,
};
const EMPTY: Unhealthy = Unhealthy {
    details: "health_check_failed_cluster_empty",
    count: |stats| &stats.failed_cluster_empty,
};
const TOO_FEW: Unhealthy = Unhealthy {
    details: "health_check_failed_cluster_unhealthy",
    count: |stats| &stats.failed_cluster_unhealthy,
};

impl HealthCheckFilter {
    pub(super) fn new(config: &HealthCheck, workers: usize) -> Self {
        Self {
            stats: PerWorker::new(workers),
            pass_through_mode: config.pass_through_mode,
            headers: CompiledHeaderMatcher::list(&config.headers),
            cache: config.cache_time.map(CachedAnswer::new),
            cluster_min_healthy_percentages: config.cluster_min_healthy_percentages.clone(),
        }
    }

    pub(super) fn on_request<'m>(&self, view: &mut FilterView<'_, 'm>) -> Verdict<'m> {
        if !all_match(&self.headers, &view.exchange.request.headers) {
            return Verdict::Continue;
        }
        let stats = self.stats.of(view.worker.id);
        let cached = self.cache.as_ref().and_then(CachedAnswer::get);
        *view.state = FilterState::HealthCheck { degraded: false };
        view.exchange.info.health_check = true;
        let (status, details) = if view.worker.drain.fails_health_checks() {
            (503, "health_check_failed")
        } else if let Some((status, degraded)) = cached {
            *view.state = FilterState::HealthCheck { degraded };
            stats.cached_response.inc();
            stats.degraded.add(degraded.into());
            (status, "health_check_cached")
        } else if self.pass_through_mode {
            return Verdict::Continue;
        } else if self.cluster_min_healthy_percentages.is_empty() {
            (200, "health_check_ok")
        } else {
            match self.unhealthy_cluster(view.worker) {
                Some(Unhealthy { details, count }) => {
                    count(stats).inc();
                    (503, details)
                }
                None => (200, "health_check_ok_cluster_healthy"),
            }
        };
        let is_good = matches!(status, 200..=299);
        stats.request_total.inc();
        if is_good {
            stats.ok.inc()
        } else {
            stats.failed.inc()
        }
        let flag = (!is_good).then_some(ResponseFlag::FailedLocalHealthCheck);
        Verdict::Reply(LocalReply { status, body: "", details, flag }.into())
    }

    /// What is wrong with the first cluster that has not enough healthy hosts.
    fn unhealthy_cluster(&self, worker: &Worker) -> Option<Unhealthy> {
        self.cluster_min_healthy_percentages.iter().find_map(|(name, min_percent)| {
            let Some(cluster) = worker.compiled.cluster_names.get(name.as_bytes()) else {
                return Some(NOT_FOUND);
            };
            match worker.cluster(*cluster).membership() {
                Membership { total: 0, .. } if *min_percent == 0 => None,
                Membership { total: 0, .. } => Some(EMPTY),
                Membership { total, available } if available * 100 < total * min_percent => {
                    Some(TOO_FEW)
                }
                Membership { .. } => None,
            }
        })
    }

    /// Appends its stats.
    pub(super) fn stats(&self, http: &Scope, stats: &mut Vec<Stat>) {
        http.within("health_check").block(&self.stats, stats);
    }

    pub(super) fn on_response(&self, view: &mut FilterView<'_, '_>) {
        let response = &mut view.exchange.response;
        let headers = &mut response.headers;
        if let FilterState::HealthCheck { degraded } = *view.state {
            if degraded {
                headers.set(KnownHeader::XEnvoyDegraded, b"");
            }
            if let Some(cache) = &self.cache {
                cache.set(response.status, headers.contains(KnownHeader::XEnvoyDegraded));
            }
            let cluster = view.worker.compiled.service_cluster.as_bytes();
            headers.set(KnownHeader::XEnvoyUpstreamHealthcheckedCluster, cluster);
        }
        if view.worker.drain.fails_health_checks() {
            headers.set(KnownHeader::XEnvoyImmediateHealthCheckFail, b"true");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_kept_for_its_time() {
        let kept = CachedAnswer::new(Duration::from_secs(1000));
        assert_eq!(kept.get(), None);
        kept.set(503, true);
        assert_eq!(kept.get(), Some((503, true)));
        kept.set(200, false);
        assert_eq!(kept.get(), Some((200, false)));
        let gone = CachedAnswer::new(Duration::ZERO);
        gone.set(200, false);
        assert_eq!(gone.get(), None);
    }
}
