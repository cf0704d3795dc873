//! Outlier detection: hosts whose answers are bad are taken out for a while.
//!
//! Workers note what comes of each request ([`OutlierDetector::note`]); failures in a row ring the
//! detector of the cluster, a task of the control thread, which also looks at the rates of each
//! interval. What follows is a flag on the host, which reaches the workers with the next plan.

mod detector;
mod ejection;
mod event;
mod kind;
mod monitor;
mod success_rate;

use std::sync::Arc;

use ringmain_config::cluster::OutlierDetection;
use tokio::sync::{Notify, watch};

pub use self::monitor::{HostMonitor, Origin, Outcome};
pub use self::success_rate::Threshold;
use crate::access_log::LogSink;
use crate::cluster::{HealthFlag, Host, HostSet};
use crate::server::Control;
use crate::stats::WorkerId;
use crate::stats::scopes::OutlierStats;

/// What a cluster with `outlier_detection` has beside others.
#[derive(Debug)]
pub struct OutlierDetector {
    /// As written in the file.
    pub config: OutlierDetection,
    /// `cluster.<name>.outlier_detection.`; the control thread writes.
    pub stats: OutlierStats,
    /// Where events are told.
    event_sink: Option<LogSink>,
    /// Rung when the control thread should look at the hosts' concerns.
    alarm: Notify,
    /// Those of the last interval, by origin; for `/clusters`.
    thresholds: watch::Sender<[Option<Threshold>; 2]>,
}

impl OutlierDetector {
    /// A detector that has seen nothing.
    pub fn new(config: OutlierDetection, event_sink: Option<LogSink>) -> Self {
        Self {
            config,
            event_sink,
            stats: OutlierStats::default(),
            alarm: Notify::new(),
            thresholds: watch::Sender::default(),
        }
    }

    /// Has those of `hosts` watched that are not yet.
    pub fn expect(&self, hosts: &HostSet, workers: usize) {
        for host in &hosts.hosts {
            host.outlier_monitor.get_or_init(|| HostMonitor::new(workers));
        }
    }

    /// Notes what `worker` has met with `host`.
    pub fn note(&self, host: &Host, worker: WorkerId, outcome: Outcome) {
        if let Some(monitor) = host.outlier_monitor.get()
            && monitor.note(&self.config, worker, outcome)
        {
            self.alarm.notify_one();
        }
    }

    /// An active health check of `host` has succeeded: it need not stay out any longer.
    pub fn check_succeeded(&self, host: &Host) {
        let health = host.health();
        if self.config.successful_active_health_check_uneject_host
            && health.has(HealthFlag::FailedOutlierCheck)
            && !health.has(HealthFlag::FailedActiveHc)
            && let Some(monitor) = host.outlier_monitor.get()
        {
            monitor.raise(monitor::Concern::CheckSucceeded);
            self.alarm.notify_one();
        }
    }

    /// The average of the hosts and the rate below which one is ejected, of the last interval; none
    /// where there were too few results.
    pub fn threshold(&self, origin: Origin) -> Option<Threshold> {
        self.thresholds.borrow()[origin as usize]
    }

    fn set_threshold(&self, origin: Origin, threshold: Option<Threshold>) {
        self.thresholds.send_modify(|thresholds| thresholds[origin as usize] = threshold);
    }
}

/// Starts the detectors of all clusters that have one.
pub fn start(control: &Arc<Control>) {
    for cluster in &control.compiled.clusters {
        if let Some(detector) = &cluster.outlier_detector {
            tokio::spawn(detector::run(control.clone(), cluster.clone(), detector.clone()));
        }
    }
}
