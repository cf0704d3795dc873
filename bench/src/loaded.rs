//! What a load comes to, whichever generator sent it.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::metric::Metric;
use crate::summary::Sample;

/// Longest latency that is told apart, and the significant digits of all.
const LATENCY_US_MAX: u64 = 60_000_000;
const DIGITS: u8 = 3;

/// A load without a failed request. The rig's own generators print it as a line of JSON.
#[derive(Debug, Serialize, Deserialize)]
pub struct Loaded {
    pub requests: u64,
    pub figures: Sample,
}

/// Latencies as they come.
#[derive(Debug)]
pub struct Latencies(Histogram<u64>);

impl Latencies {
    pub fn new() -> Self {
        let histogram = Histogram::new_with_max(LATENCY_US_MAX, DIGITS);
        Self(histogram.expect("the limits are within what a histogram can have"))
    }

    pub fn record(&mut self, latency: Duration) {
        self.0.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
    }

    /// Requests so far.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// All of them, which took `elapsed`.
    pub fn loaded(&self, elapsed: Duration) -> Loaded {
        let percentiles = [
            (Metric::P50Us, 0.5),
            (Metric::P90Us, 0.9),
            (Metric::P99Us, 0.99),
            (Metric::P999Us, 0.999),
        ]
        .map(|(metric, quantile)| (metric, self.0.value_at_quantile(quantile) as f64));
        let mut figures = Sample::from(percentiles);
        figures.insert(Metric::RequestsPerS, self.count() as f64 / elapsed.as_secs_f64());
        Loaded { requests: self.count(), figures }
    }
}
