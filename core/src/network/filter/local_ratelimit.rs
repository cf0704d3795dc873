//! `envoy.filters.network.local_ratelimit`: how fast connections of a chain may come. All workers take
//! from the same bucket, as do filters that share one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use ringmain_config::network_filter::LocalRateLimit as Config;
use ringmain_config::token_bucket::TokenBucket as BucketConfig;

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

/// Buckets by the key and the settings that their filters have in common.
pub type SharedBuckets = HashMap<(String, BucketConfig), Arc<TokenBucket>>;

/// The filter.
#[derive(Debug)]
pub struct LocalRateLimitFilter {
    config: Config,
    bucket: Arc<TokenBucket>,
    stats: PerWorker<LocalRateLimitStats>,
}

impl LocalRateLimitFilter {
    pub(super) fn new(config: &Config, workers: usize) -> Self {
        Self {
            bucket: Arc::new(TokenBucket::new(&config.token_bucket)),
            stats: PerWorker::new(workers),
            config: config.clone(),
        }
    }

    /// Takes part in a bucket of `shared`, if it is to share one.
    pub(super) fn share(&mut self, shared: &mut SharedBuckets) {
        if !self.config.share_key.is_empty() {
            let key = (self.config.share_key.clone(), self.config.token_bucket);
            self.bucket = shared.entry(key).or_insert_with(|| self.bucket.clone()).clone();
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
