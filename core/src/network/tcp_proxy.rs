//! `envoy.filters.network.tcp_proxy`: joins a client's connection with one to a host of a cluster.

mod relay;
mod session;

pub use session::{count_unserved, serve};

use std::time::Duration;

use ringmain_config::access_log::AccessLog;
use ringmain_config::tcp_proxy::{self as config, ClusterWeight};

use crate::access_log::{AccessLogger, LogSink};
use crate::listener::FilterChainPlace;
use crate::stats::PerWorker;
use crate::stats::scopes::TcpProxyStats;

/// A compiled TCP proxy.
#[derive(Debug)]
pub struct TcpProxy {
    /// As written.
    pub config: config::TcpProxy,
    /// The filter chain that it ends.
    pub place: FilterChainPlace,
    /// `tcp.<stat_prefix>.`
    pub stats: PerWorker<TcpProxyStats>,
    /// The access logs.
    pub access_logs: Vec<AccessLogger>,
}

impl TcpProxy {
    /// Compiles `config` for `workers` workers; `sink_of` says where an access log's lines go.
    pub fn new(
        config: config::TcpProxy,
        place: FilterChainPlace,
        workers: usize,
        mut sink_of: impl FnMut(&AccessLog) -> LogSink,
    ) -> Self {
        let loggers =
            config.access_log.iter().map(|log| AccessLogger::new(log.clone(), sink_of(log)));
        Self { access_logs: loggers.collect(), stats: PerWorker::new(workers), place, config }
    }

    /// How long the next connection may last, by a random number.
    fn max_duration(&self, random: impl FnOnce() -> u64) -> Option<Duration> {
        let max = self.config.max_downstream_connection_duration?;
        let jitter = self.config.max_duration_jitter_percent / 100.0;
        if jitter == 0.0 {
            return Some(max);
        }
        #[expect(clippy::cast_precision_loss, reason = "chance needs no precision")]
        let share = random() as f64 / u64::MAX as f64;
        Some(max.mul_f64(1.0 + jitter * share))
    }

    /// The cluster of the next connection, by a random number.
    fn choose_cluster(&self, random: impl FnOnce() -> u64) -> Option<&ClusterWeight> {
        let [only] = &self.config.clusters[..] else {
            let mut left = random() % u64::from(self.config.total_weight);
            return self.config.clusters.iter().find(|cluster| {
                let weight = u64::from(cluster.weight);
                let is_inside = left < weight;
                left = left.wrapping_sub(weight);
                is_inside
            });
        };
        Some(only)
    }
}
