//! `envoy.filters.network.connection_limit`: how many connections of a chain there may be at once.
//! Exact over all workers.

use std::sync::Arc;

use ringmain_config::network_filter::ConnectionLimit as Config;

use super::Refused;
use crate::listener::{ConnectionLimit, ConnectionUnit};
use crate::stats::{PerWorker, Scope, Stat, WorkerId, stats_block};

stats_block! {
    /// `connection_limit.<stat_prefix>.`
    ConnectionLimitStats {
        counters {
            limited_connections,
        }
        gauges {
            active_connections,
        }
    }
}

/// The filter.
#[derive(Debug)]
pub struct ConnectionLimitFilter {
    config: Config,
    stats: PerWorker<ConnectionLimitStats>,
    limit: Option<Arc<ConnectionLimit>>,
}

impl ConnectionLimitFilter {
    pub(super) fn new(config: &Config, workers: usize) -> Self {
        Self {
            limit: ConnectionLimit::new(Some(config.max_connections), workers),
            stats: PerWorker::new(workers),
            config: config.clone(),
        }
    }

    /// Counts a connection, if there is room for it and it is to be counted.
    pub(super) fn count(
        self: &Arc<Self>,
        worker: WorkerId,
    ) -> Result<Option<CountedConnection>, Refused> {
        if !self.config.enabled {
            return Ok(None);
        }
        let stats = self.stats.of(worker);
        let unit = match &self.limit {
            None => None,
            Some(limit) => Some(limit.try_take(worker).ok_or_else(|| {
                stats.limited_connections.inc();
                Refused { delay: self.config.delay, flag: None, details: "" }
            })?),
        };
        stats.active_connections.inc();
        Ok(Some(CountedConnection { filter: self.clone(), worker, _unit: unit }))
    }

    pub(super) fn stats(&self, stats: &mut Vec<Stat>) {
        Scope::connection_limit(&self.config.stat_prefix).block(&self.stats, stats);
    }
}

/// A connection in a limit's counters, until dropped.
#[derive(Debug)]
pub struct CountedConnection {
    filter: Arc<ConnectionLimitFilter>,
    worker: WorkerId,
    _unit: Option<ConnectionUnit>,
}

impl Drop for CountedConnection {
    fn drop(&mut self) {
        self.filter.stats.of(self.worker).active_connections.dec();
    }
}
