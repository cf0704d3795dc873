//! `envoy.filters.http.local_ratelimit`: answers 429 when a bucket of tokens is empty. All workers
//! take from the same ones, unless each connection has its own.

mod buckets;
mod descriptor;

use std::cell::OnceCell;
use std::io::Write;
use std::rc::Rc;
use std::time::Instant;

use ringmain_config::http_filter::LocalRateLimit;
use ringmain_config::route::RateLimit;
use ringmain_proto_codec::KnownHeader;

use super::{FilterReply, FilterState, FilterView, ReplyHeaders, RouteFilter, Verdict};
use crate::http::ResponseFlag;
use crate::http::local_reply::LocalReply;
use crate::router::{Direction, add_headers};
use crate::stats::{PerWorker, Scope, Stat, stats_block};
use crate::token_bucket::TokenBucket;
pub use buckets::BucketRef;
use buckets::{Buckets, Matched, Taken};
use descriptor::Descriptor;

/// The buckets of a connection, once a request of it has asked for a token of its own.
pub type ConnectionBuckets = Rc<OnceCell<Box<Buckets>>>;

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
    buckets: Buckets,
    stats: PerWorker<LocalRateLimitStats>,
}

impl LocalRateLimitFilter {
    pub(super) fn new(config: &LocalRateLimit, workers: usize) -> Self {
        let buckets = Buckets::new(config);
        Self { buckets, stats: PerWorker::new(workers), config: config.clone() }
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
        let Taken { allowed, bucket } = self.take(view);
        if let Some(bucket) = bucket {
            *view.state = FilterState::RateLimitAsked(bucket);
        }
        if allowed {
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
            headers: ReplyHeaders::And {
                options: &config.response_headers_to_add,
                field: bucket.and_then(|bucket| self.retry_after(bucket, view)),
            },
            grpc_status: config.rate_limited_as_resource_exhausted.then_some(RESOURCE_EXHAUSTED),
            ..reply.into()
        })
    }

    /// Takes tokens of the buckets that the request's descriptors name.
    fn take(&self, view: &FilterView<'_, '_>) -> Taken {
        let buckets = self.buckets_of(view);
        let mut matched = Matched::new();
        if !self.config.descriptors.is_empty() {
            let mut descriptor = Descriptor::new();
            for limit in self.rate_limits(view) {
                if descriptor::write(limit, view, &mut descriptor).is_some() {
                    matched.extend(buckets.find(&descriptor));
                }
            }
        }
        buckets.take(matched, Instant::now())
    }

    /// What tells of the request's descriptors.
    fn rate_limits<'m>(&'m self, view: &FilterView<'_, 'm>) -> impl Iterator<Item = &'m RateLimit> {
        let (own, stage) = (&self.config.rate_limits, self.config.stage);
        let of_route = own.is_empty().then(|| {
            let all = descriptor::of_route(view, self.config.vh_rate_limits);
            all.filter(move |limit| limit.stage == stage)
        });
        own.iter().chain(of_route.into_iter().flatten())
    }

    /// The filter's buckets, or those of the connection, which are its first limit's.
    fn buckets_of<'v>(&'v self, view: &'v FilterView<'_, '_>) -> &'v Buckets {
        match &view.exchange.info.connection_buckets {
            Some(own) if self.config.per_downstream_connection => {
                own.get_or_init(|| Box::new(Buckets::new(&self.config)))
            }
            _ => &self.buckets,
        }
    }

    pub(super) fn on_response(&self, view: &mut FilterView<'_, '_>) {
        let limit = self.of(view);
        if let FilterState::RateLimitAsked(bucket) = *view.state
            && limit.config.enable_x_ratelimit_headers
        {
            limit.tell(bucket, view);
        }
    }

    /// Writes the value of `retry-after`, where clients are to get one.
    fn retry_after(
        &self,
        bucket: BucketRef,
        view: &mut FilterView<'_, '_>,
    ) -> Option<(KnownHeader, usize)> {
        let wanted = self.config.enable_retry_after_header;
        let reset = reset_seconds(self.buckets_of(view).bucket(bucket).filter(|_| wanted)?);
        let start = view.text.len();
        write!(view.text, "{reset}").expect("writing to memory does not fail");
        Some((KnownHeader::RetryAfter, start))
    }

    /// Tells the client how it stands (draft-polli-ratelimit-headers-03).
    fn tell(&self, bucket: BucketRef, view: &mut FilterView<'_, '_>) {
        let Some(bucket) = self.buckets_of(view).bucket(bucket) else { return };
        let (max_tokens, left) = (bucket.max_tokens(), bucket.left(Instant::now()));
        let reset = reset_seconds(bucket);
        let headers = &mut view.exchange.response.headers;
        let mut tell = |name, number: f64| {
            headers.append_with(name, |value| {
                write!(value, "{number}").expect("writing to memory does not fail");
            });
        };
        tell(KnownHeader::XRateLimitLimit, max_tokens.into());
        tell(KnownHeader::XRateLimitRemaining, left.into());
        tell(KnownHeader::XRateLimitReset, reset);
    }

    pub(super) fn stats(&self, stats: &mut Vec<Stat>) {
        Scope::local_http_rate_limit(&self.config.stat_prefix).block(&self.stats, stats);
    }
}

/// In how many seconds there will be a token.
fn reset_seconds(bucket: &TokenBucket) -> f64 {
    bucket.next_after(Instant::now()).as_secs_f64().ceil()
}
