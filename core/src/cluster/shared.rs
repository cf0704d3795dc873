//! What all workers share of a cluster: its settings and its counters.

use ringmain_config::cluster as config;

use crate::stats::scopes::{ClusterStats, DiscoveryStats};
use crate::stats::{HistogramId, HistogramTable, PerWorker, ResponseCodes};

/// A compiled cluster. Never changed after it was made, but for the counters.
#[derive(Debug)]
pub struct Cluster {
    /// As written in the file.
    pub config: config::Cluster,
    /// `cluster.<name>.` counters.
    pub stats: PerWorker<ClusterStats>,
    /// `cluster.<name>.` counters of discovery.
    pub discovery: DiscoveryStats,
    /// `cluster.<name>.upstream_rq_<code>`.
    pub response_codes: PerWorker<ResponseCodes>,
    /// `cluster.<name>.external.upstream_rq_<code>`: requests from outside.
    pub external_response_codes: PerWorker<ResponseCodes>,
    /// `cluster.<name>.internal.upstream_rq_<code>`: requests from an internal address.
    pub internal_response_codes: PerWorker<ResponseCodes>,
    /// `retry.upstream_rq_*`: responses that were not wanted.
    pub retry_response_codes: PerWorker<ResponseCodes>,
    /// The histograms of this cluster.
    pub histograms: ClusterHistograms,
}

/// `cluster.<name>.` histograms, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct ClusterHistograms {
    /// `upstream_rq_time`: from the request's end to the response's end.
    pub upstream_rq_time: HistogramId,
    /// `upstream_cx_connect_ms`.
    pub upstream_cx_connect_ms: HistogramId,
    /// `upstream_cx_length_ms`.
    pub upstream_cx_length_ms: HistogramId,
}

/// Significant digits of a cluster's histograms; three digits would cost 104 KB each.
const HISTOGRAM_DIGITS: u8 = 2;

impl Cluster {
    /// Compiles `config` for `workers` workers and adds its histograms to `table`.
    pub fn new(config: config::Cluster, workers: usize, table: &mut HistogramTable) -> Self {
        let prefix = format!("cluster.{}", stat_name(&config));
        let mut histogram = |name| table.add(format!("{prefix}.{name}"), HISTOGRAM_DIGITS);
        let histograms = ClusterHistograms {
            upstream_rq_time: histogram("upstream_rq_time"),
            upstream_cx_connect_ms: histogram("upstream_cx_connect_ms"),
            upstream_cx_length_ms: histogram("upstream_cx_length_ms"),
        };
        Self {
            config,
            stats: PerWorker::new(workers),
            discovery: DiscoveryStats::default(),
            response_codes: PerWorker::new(workers),
            external_response_codes: PerWorker::new(workers),
            internal_response_codes: PerWorker::new(workers),
            retry_response_codes: PerWorker::new(workers),
            histograms,
        }
    }

    /// The name in stats: `alt_stat_name`, else `name`.
    pub fn stat_name(&self) -> &str {
        stat_name(&self.config)
    }
}

fn stat_name(config: &config::Cluster) -> &str {
    config.alt_stat_name.as_deref().unwrap_or(&config.name)
}
