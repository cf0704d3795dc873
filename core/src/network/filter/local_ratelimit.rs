//! `envoy.filters.network.local_ratelimit`: how fast connections of a chain may come. All workers take
//! from the same bucket.

use std::time::Instant;

use ringmain_config::network_filter::LocalRateLimit as Config;

use super::Refused;
use crate::http::ResponseFlag;
use crate::stats::{PerWorker, Scope, Stat, WorkerId, stats_block};
use crate::token_bucket::TokenBucket;

stats_block! {
    /// `local_rate_limit.<stat_prefix>.`
    LocalRateLimitStats {
        counters {
            rate_limited,
        }
        gauges {}
    }
}

/// The filter.
#[derive(Debug)]
pub struct LocalRateLimitFilter {
    config: Config,
    bucket: TokenBucket,
    stats: PerWorker<LocalRateLimitStats>,
}

impl LocalRateLimitFilter {
    pub(super) fn new(config: &Config, workers: usize) -> Self {
        Self {
            bucket: TokenBucket::new(&config.token_bucket),
            stats: PerWorker::new(workers),
            config: config.clone(),
        }
    }

    /// Takes the token of a connection.
    pub(super) fn take_token(&self, worker: WorkerId) -> Result<(), Refused> {
        if !self.config.enabled || self.bucket.take(Instant::now()) {
            return Ok(());
        }
        self.stats.of(worker).rate_limited.inc();
        // Envoy's flag, for want of a fitting one.
        let flag = Some(ResponseFlag::UpstreamRetryLimitExceeded);
        Err(Refused { delay: None, flag, details: "" })
    }

    pub(super) fn stats(&self, stats: &mut Vec<Stat>) {
        Scope::local_rate_limit(&self.config.stat_prefix).block(&self.stats, stats);
    }
}
