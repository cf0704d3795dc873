//! Counters, gauges and histograms under Envoy's names.
//!
//! Every worker counts on cells of its own ([`PerWorker`]) with plain loads and stores; reading
//! sums the workers. Names live in one table per subsystem ([`scopes`]).

mod always_zero;
mod cell;
mod grpc_calls;
mod histogram;
mod log_linear;
mod pause;
mod recorder;
mod response_codes;
mod scope;
pub mod scopes;
mod snapshot;

pub(crate) use cell::stats_block;
pub use cell::{Counter, Gauge, Kind, PerWorker, Reading, StatsBlock, WorkerId};
pub use grpc_calls::{GrpcCalls, MethodStats};
pub use histogram::{
    Handed, HistogramCollector, HistogramId, HistogramTable, Recorded, WorkerHistograms,
};
pub use log_linear::{Bin, Histogram};
pub use pause::{Pauses, counting_pauses};
pub use response_codes::ResponseCodes;
pub use scope::{Scope, StatName};
pub use snapshot::{AdminStats, Baseline, Stat, snapshot};
