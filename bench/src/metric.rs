//! What is measured, and how it is shown.

use serde::{Deserialize, Serialize};

/// A figure of the results; its name in the JSON is the variant's in snake case, and the table has
/// its columns in this order. The first one that a scenario has is compared with the peers'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// CPU time of the proxy per request.
    CpuUs,
    /// Growth of the proxy's resident memory by each idle connection.
    IdleKib,
    RequestsPerS,
    P50Us,
    P90Us,
    P99Us,
    P999Us,
    /// From the start of the process to its first answer.
    StartMs,
    /// CPU time used until then.
    StartCpuMs,
    /// Resident memory after the first answer.
    RssStartMib,
    /// Resident memory with all idle connections open.
    RssHeldMib,
    /// Resident memory after the scenario.
    RssAfterMib,
    /// Part of the memory for idle connections that the system has back after they closed.
    ReturnedPercent,
    /// Share of the proxy's core that other processes took meanwhile. They cost the proxy its
    /// caches, so its CPU time per request grows with it.
    OthersPercent,
}

/// Mebibytes of `kib`, in which the system tells memory.
pub fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

/// A column of the table.
#[derive(Debug)]
pub struct Column {
    pub title: &'static str,
    pub decimals: usize,
    /// Is the range over the rounds shown beside the median?
    pub has_range: bool,
}

impl Metric {
    /// How it is shown.
    pub fn column(self) -> Column {
        let (title, decimals, has_range) = match self {
            Self::CpuUs => ("CPU us/request", 1, true),
            Self::IdleKib => ("KiB/connection", 2, true),
            Self::RequestsPerS => ("requests/s", 0, true),
            Self::P50Us => ("p50 us", 0, false),
            Self::P90Us => ("p90 us", 0, false),
            Self::P99Us => ("p99 us", 0, false),
            Self::P999Us => ("p99.9 us", 0, false),
            Self::StartMs => ("start ms", 0, true),
            Self::StartCpuMs => ("start CPU ms", 0, true),
            Self::RssStartMib => ("RSS start MiB", 1, false),
            Self::RssHeldMib => ("RSS held MiB", 1, false),
            Self::RssAfterMib => ("RSS after MiB", 1, false),
            Self::ReturnedPercent => ("returned %", 0, true),
            Self::OthersPercent => ("others on core %", 0, true),
        };
        Column { title, decimals, has_range }
    }
}
