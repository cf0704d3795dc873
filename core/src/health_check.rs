//! Active health checks: every host of a cluster with `health_checks` is asked again and again whether
//! it can serve, on the control thread. What follows are flags on the host, which reach the workers
//! with the next plan.
//!
//! [`start`] is called once all clusters have looked for their hosts. Thresholds are the rules of
//! `state`, pauses those of `interval`; a `session` asks one host, `cluster_checks` keeps the sessions
//! of a cluster.

mod cluster_checks;
mod connection;
mod event;
mod grpc;
mod http;
mod http_connection;
mod interval;
mod payload;
mod session;
mod state;
mod task;
mod tcp;
mod tls_socket;

use std::collections::HashSet;
use std::sync::Arc;

use ringmain_config::cluster::HealthCheck;
use tokio::sync::{Notify, mpsc};

pub use self::event::event_timestamp;
use crate::access_log::LogSink;
use crate::cluster::{HealthFlag, Host, HostSet};
use crate::server::Control;
use crate::stats::scopes::HealthCheckStats;

/// What a cluster with `health_checks` has beside others.
#[derive(Debug)]
pub struct HealthChecks {
    /// As written in the file.
    pub config: HealthCheck,
    /// Where events are told.
    pub event_sinks: Vec<LogSink>,
    /// `cluster.<name>.health_check.`; the control thread writes.
    pub stats: HealthCheckStats,
    ignore_new_hosts: bool,
}

impl HealthChecks {
    /// `ignore_new_hosts` is `ignore_new_hosts_until_first_hc`.
    pub fn new(config: HealthCheck, event_sinks: Vec<LogSink>, ignore_new_hosts: bool) -> Self {
        Self { config, event_sinks, stats: HealthCheckStats::default(), ignore_new_hosts }
    }

    /// Whether `host` is checked.
    pub fn include(host: &Host) -> bool {
        !host.health_check_config.disable_active_health_check
    }

    /// Those of `hosts` that are not among `known` are unhealthy until a check says otherwise.
    pub fn expect(&self, hosts: &HostSet, known: &HostSet) {
        let known: HashSet<u64> = known.hosts.iter().map(|host| host.id).collect();
        let new = hosts.hosts.iter().filter(|host| !known.contains(&host.id));
        for host in new.filter(|host| Self::include(host)) {
            host.set_health_flag(HealthFlag::FailedActiveHc, true);
            host.set_health_flag(HealthFlag::PendingActiveHc, self.ignore_new_hosts);
            host.health_alarm.get_or_init(Notify::new);
        }
    }
}

/// Starts the checks of every cluster that has any; each lets go of `first` when the hosts that it
/// began with have been checked once.
pub fn start(control: &Arc<Control>, first: &mpsc::Sender<()>) {
    for cluster in &control.compiled.clusters {
        if let Some(checks) = &cluster.health_checks {
            let run = cluster_checks::run(
                control.clone(),
                cluster.clone(),
                checks.clone(),
                first.clone(),
            );
            tokio::spawn(run);
        }
    }
}
