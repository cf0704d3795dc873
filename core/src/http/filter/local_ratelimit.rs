//! `envoy.filters.http.local_ratelimit`: answers 429 when a bucket of tokens is empty. All workers
//! take from the same one.

use std::io::Write;
use std::time::Instant;

use ringmain_config::http_filter::LocalRateLimit;
use ringmain_proto_codec::KnownHeader;

use super::{FilterReply, FilterState, FilterView, ReplyHeaders, RouteFilter, Verdict};
use crate::http::ResponseFlag;
use crate::http::local_reply::LocalReply;
use crate::router::{Direction, add_headers};
use crate::stats::{PerWorker, Scope, Stat, stats_block};
use crate::token_bucket::TokenBucket;

/// gRPC's RESOURCE_EXHAUSTED.
const RESOURCE_EXHAUSTED: u32 = 8;

stats_block! {
    /// `<stat_prefix>.http_local_rate_limit.`
    LocalRateLimitStats {
        counters {
            enabled,
            enforced,
            ok,
            rate_limited,
            /// Envoy counts descriptors in `shadow_mode` with it; none is supported.
            shadow_mode,
        }
        gauges {}
    }
}

/// The filter, or what a level of a route configuration puts in its place: with a bucket and counters
/// of its own.
#[derive(Debug)]
pub struct LocalRateLimitFilter {
    config: LocalRateLimit,
    bucket: Option<TokenBucket>,
    stats: PerWorker<LocalRateLimitStats>,
}

impl LocalRateLimitFilter {
    pub(super) fn new(config: &LocalRateLimit, workers: usize) -> Self {
        let bucket = config.token_bucket.as_ref().map(TokenBucket::new);
        Self { bucket, stats: PerWorker::new(workers), config: config.clone() }
    }

    /// The one that counts for the request.
    fn of<'m>(&'m self, view: &FilterView<'_, 'm>) -> &'m Self {
        let own = view.levels.iter().find_map(|level| match &**level {
            RouteFilter::LocalRateLimit(own) => Some(&**own),
            _ => None,
        });
        own.unwrap_or(self)
    }

    pub(super) fn on_request<'m>(&'m self, view: &mut FilterView<'_, 'm>) -> Verdict<'m> {
        self.of(view).judge(view)
    }

    fn judge<'m>(&'m self, view: &mut FilterView<'_, 'm>) -> Verdict<'m> {
        let (config, worker) = (&self.config, view.worker);
        if !config.filter_enabled.includes(worker.random.next()) {
            return Verdict::Continue;
        }
        let stats = self.stats.of(worker.id);
        stats.enabled.inc();
        *view.state = FilterState::RateLimitAsked;
        if self.bucket.as_ref().is_none_or(|bucket| bucket.take(Instant::now())) {
            stats.ok.inc();
            return Verdict::Continue;
        }
        stats.rate_limited.inc();
        if !config.filter_enforced.includes(worker.random.next()) {
            let options = &config.request_headers_to_add_when_not_enforced;
            let compiled = &worker.compiled;
            add_headers(options, view.manager, compiled, Direction::Request, view.exchange);
            return Verdict::Continue;
        }
        stats.enforced.inc();
        let reply = LocalReply {
            status: config.status,
            body: "local_rate_limited",
            details: "local_rate_limited",
            flag: Some(ResponseFlag::RateLimited),
        };
        Verdict::Reply(FilterReply {
            headers: ReplyHeaders::And(&config.response_headers_to_add),
            grpc_status: config.rate_limited_as_resource_exhausted.then_some(RESOURCE_EXHAUSTED),
            ..reply.into()
        })
    }

    pub(super) fn on_response(&self, view: &mut FilterView<'_, '_>) {
        let limit = self.of(view);
        if *view.state == FilterState::RateLimitAsked
            && limit.config.enable_x_ratelimit_headers
            && let Some(bucket) = &limit.bucket
        {
            limit.tell(bucket, view);
        }
    }

    /// Tells the client how it stands (draft-polli-ratelimit-headers-03).
    fn tell(&self, bucket: &TokenBucket, view: &mut FilterView<'_, '_>) {
        let now = Instant::now();
        let headers = &mut view.exchange.response.headers;
        let reset = bucket.next_after(now).as_secs_f64().ceil();
        let mut tell = |name, number: f64| {
            headers.append_with(name, |value| {
                write!(value, "{number}").expect("writing to memory does not fail");
            });
        };
        tell(KnownHeader::XRateLimitLimit, bucket.max_tokens().into());
        tell(KnownHeader::XRateLimitRemaining, bucket.left(now).into());
        tell(KnownHeader::XRateLimitReset, reset);
    }

    pub(super) fn stats(&self, stats: &mut Vec<Stat>) {
        Scope::local_http_rate_limit(&self.config.stat_prefix).block(&self.stats, stats);
    }
}
