//! Counters, gauges and histograms under Envoy's names.
//!
//! Every worker counts on cells of its own ([`PerWorker`]) with plain loads and stores; reading
//! sums the workers. Names live in one table per subsystem ([`scopes`]).

mod cell;
mod histogram;
mod response_codes;
pub mod scopes;
mod snapshot;

pub(crate) use cell::stats_block;
pub use cell::{Counter, Gauge, Kind, PerWorker, Reading, StatsBlock, WorkerId};
pub use histogram::{
    HistogramCollector, HistogramId, HistogramReport, HistogramTable, Recorded, WorkerHistograms,
};
pub use response_codes::ResponseCodes;
pub use snapshot::{Stat, snapshot};
