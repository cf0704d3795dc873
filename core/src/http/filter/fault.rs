//! `envoy.filters.http.fault`: delays requests, answers them with errors and slows their responses, to see
//! how others take it.

use std::rc::Rc;
use std::time::{Duration, Instant};

use ringmain_config::fraction::Fraction;
use ringmain_config::http_filter::{AbortError, FaultAbort, FaultDelay, FaultRateLimit, HttpFault};
use ringmain_proto_codec::{HeaderMap, KnownHeader};

use super::{FilterReply, FilterState, FilterView, RouteFilter, Verdict};
use crate::http::ResponseFlag;
use crate::http::header_matching::{CompiledHeaderMatcher, all_match};
use crate::http::local_reply::LocalReply;
use crate::http::response_pace::ResponsePace;
use crate::stats::{PerWorker, Scope, Stat, stats_block};

const DELAY_REQUEST: &[u8] = b"x-envoy-fault-delay-request";
const DELAY_PERCENTAGE: &[u8] = b"x-envoy-fault-delay-request-percentage";
const THROUGHPUT_RESPONSE: &[u8] = b"x-envoy-fault-throughput-response";
const THROUGHPUT_PERCENTAGE: &[u8] = b"x-envoy-fault-throughput-response-percentage";
const ABORT_REQUEST: &[u8] = b"x-envoy-fault-abort-request";
const ABORT_GRPC_REQUEST: &[u8] = b"x-envoy-fault-abort-grpc-request";
const ABORT_PERCENTAGE: &[u8] = b"x-envoy-fault-abort-request-percentage";

stats_block! {
    /// `http.<stat_prefix>.fault.`
    FaultStats {
        counters {
            aborts_injected,
            delays_injected,
            faults_overflow,
            response_rl_injected,
        }
        gauges {
            active_faults,
        }
    }
}

/// The filter.
#[derive(Debug)]
pub struct FaultFilter {
    settings: FaultSettings,
    stats: PerWorker<FaultStats>,
}

/// What is done to which requests.
#[derive(Debug)]
pub struct FaultSettings {
    config: HttpFault,
    headers: Box<[CompiledHeaderMatcher]>,
}

impl FaultFilter {
    pub(super) fn new(config: &HttpFault, workers: usize) -> Self {
        Self { settings: FaultSettings::new(config), stats: PerWorker::new(workers) }
    }

    /// Asked once more after a delay.
    pub(super) fn on_request<'m>(&'m self, view: &mut FilterView<'_, 'm>) -> Verdict<'m> {
        let own = view.levels.iter().find_map(|level| match &**level {
            RouteFilter::Fault(settings) => Some(settings),
            _ => None,
        });
        let settings = own.unwrap_or(&self.settings);
        if *view.state == FilterState::Fresh {
            if self.is_full(settings) {
                self.stats.of(view.worker.id).faults_overflow.inc();
                return Verdict::Continue;
            }
            if !settings.takes(view) {
                return Verdict::Continue;
            }
            if let Some(kib_per_second) = settings.throughput(view) {
                self.stats.of(view.worker.id).response_rl_injected.inc();
                self.note_active(view);
                let pace = ResponsePace::new(kib_per_second, Instant::now());
                view.exchange.filters.pace = Some(Rc::new(pace));
            }
            if let Some(delay) = settings.delay(view) {
                self.stats.of(view.worker.id).delays_injected.inc();
                self.note_active(view);
                view.exchange.info.flags.set(ResponseFlag::DelayInjected);
                return Verdict::Wait(delay);
            }
        }
        let Some(reply) = settings.abort(view) else { return Verdict::Continue };
        self.stats.of(view.worker.id).aborts_injected.inc();
        self.note_active(view);
        Verdict::Reply(reply)
    }

    /// An exchange is one active fault, whatever is done to it.
    fn note_active(&self, view: &mut FilterView<'_, '_>) {
        if *view.state == FilterState::Fresh {
            *view.state = FilterState::FaultActive;
            self.stats.of(view.worker.id).active_faults.inc();
        }
    }

    fn is_full(&self, settings: &FaultSettings) -> bool {
        settings.config.max_active_faults.is_some_and(|max| self.active() >= max.into())
    }

    /// Faults under way on all workers.
    fn active(&self) -> i64 {
        self.stats.iter().map(|worker| worker.active_faults.value()).sum()
    }

    /// The exchange is over.
    pub(super) fn on_end(&self, view: &FilterView<'_, '_>) {
        if *view.state == FilterState::FaultActive {
            self.stats.of(view.worker.id).active_faults.dec();
        }
    }

    pub(super) fn stats(&self, http: &Scope, stats: &mut Vec<Stat>) {
        http.within("fault").block(&self.stats, stats);
    }
}

impl FaultSettings {
    pub(super) fn new(config: &HttpFault) -> Self {
        Self { headers: CompiledHeaderMatcher::list(&config.headers), config: config.clone() }
    }

    fn delay(&self, view: &FilterView<'_, '_>) -> Option<Duration> {
        let headers = &view.exchange.request.headers;
        delay_of(self.config.delay.as_ref()?, headers, || view.worker.random.next())
    }

    fn throughput(&self, view: &FilterView<'_, '_>) -> Option<u64> {
        let headers = &view.exchange.request.headers;
        let limit = self.config.response_rate_limit.as_ref()?;
        throughput_of(limit, headers, || view.worker.random.next())
    }

    fn abort<'m>(&'m self, view: &FilterView<'_, '_>) -> Option<FilterReply<'m>> {
        let headers = &view.exchange.request.headers;
        let abort = self.config.abort.as_ref()?;
        reply_of(abort, headers, || view.worker.random.next())
    }

    /// Whether the request is one of those meant.
    fn takes(&self, view: &FilterView<'_, '_>) -> bool {
        let headers = &view.exchange.request.headers;
        let is_cluster = |name: &str| {
            let cluster = view.exchange.info.cluster;
            cluster.is_some_and(|at| view.worker.compiled.clusters[at].config.name == name)
        };
        let is_node = |nodes: &[String]| {
            let node = headers.get(KnownHeader::XEnvoyDownstreamServiceNode);
            node.is_some_and(|node| nodes.iter().any(|known| known.as_bytes() == node))
        };
        let config = &self.config;
        (config.upstream_cluster.is_empty() || is_cluster(&config.upstream_cluster))
            && (config.downstream_nodes.is_empty() || is_node(&config.downstream_nodes))
            && all_match(&self.headers, headers)
    }
}

/// How long a request is delayed, if it is.
fn delay_of(
    delay: &FaultDelay,
    headers: &HeaderMap,
    draw: impl FnOnce() -> u64,
) -> Option<Duration> {
    let (percentage, duration) = match delay.fixed_delay {
        Some(fixed) => (delay.percentage, Some(fixed)),
        None => (
            capped(delay.percentage, headers, DELAY_PERCENTAGE),
            number(headers, DELAY_REQUEST).map(Duration::from_millis),
        ),
    };
    duration.filter(|duration| !duration.is_zero() && percentage.includes(draw()))
}

/// How many KiB of its response a request gets in a second, if that is limited.
fn throughput_of(
    limit: &FaultRateLimit,
    headers: &HeaderMap,
    draw: impl FnOnce() -> u64,
) -> Option<u64> {
    let (percentage, kib_per_second) = match limit.fixed_limit_kbps {
        Some(fixed) => (limit.percentage, Some(fixed)),
        None => (
            capped(limit.percentage, headers, THROUGHPUT_PERCENTAGE),
            number(headers, THROUGHPUT_RESPONSE).filter(|asked| *asked > 0),
        ),
    };
    kib_per_second.filter(|_| percentage.includes(draw()))
}

/// What a request is answered with, if it is.
fn reply_of<'m>(
    abort: &'m FaultAbort,
    headers: &HeaderMap,
    draw: impl FnOnce() -> u64,
) -> Option<FilterReply<'m>> {
    let (percentage, error) = match abort.error {
        AbortError::Header => {
            (capped(abort.percentage, headers, ABORT_PERCENTAGE), asked_for(headers)?)
        }
        error => (abort.percentage, error),
    };
    if !percentage.includes(draw()) {
        return None;
    }
    let (status, grpc_status) = match error {
        AbortError::HttpStatus(status) => (status, None),
        AbortError::GrpcStatus(status) => (200, Some(status)),
        AbortError::Header => return None,
    };
    let reply = LocalReply {
        status,
        body: "fault filter abort",
        details: "fault_filter_abort",
        flag: Some(ResponseFlag::FaultInjected),
    };
    Some(FilterReply { body: &abort.response_body, grpc_status, ..reply.into() })
}

/// The error that the client asks for.
fn asked_for(headers: &HeaderMap) -> Option<AbortError> {
    let status = number(headers, ABORT_REQUEST).and_then(|status| u16::try_from(status).ok());
    let status = status.filter(|status| (200..600).contains(status)).map(AbortError::HttpStatus);
    status.or_else(|| {
        let status = number(headers, ABORT_GRPC_REQUEST)?;
        u32::try_from(status).ok().map(AbortError::GrpcStatus)
    })
}

/// `percentage`, or what the client asks for in the header `name` where that is less.
fn capped(percentage: Fraction, headers: &HeaderMap, name: &[u8]) -> Fraction {
    let asked = number(headers, name).and_then(|asked| u32::try_from(asked).ok());
    let numerator = asked.map_or(percentage.numerator, |asked| asked.min(percentage.numerator));
    Fraction { numerator, ..percentage }
}

fn number(headers: &HeaderMap, name: &[u8]) -> Option<u64> {
    std::str::from_utf8(headers.get_by_name(name)?).ok()?.parse().ok()
}
