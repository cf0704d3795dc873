//! The checks of one host, one after the other, for as long as the host is there.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ringmain_config::cluster::{HealthCheck, HealthChecker, HttpHealthCheck};
use tokio::sync::{Notify, mpsc};

use super::HealthChecks;
use super::connection::{CheckTls, Target};
use super::event::{self, Subject};
use super::grpc::GrpcChecker;
use super::http::HttpChecker;
use super::interval::{self, LastCheck};
use super::state::{
    CheckFlags, CheckResult, Event, Failure, FailureType, HealthState, Step, Transition,
};
use super::tcp::TcpChecker;
use crate::cluster::{Cluster, HealthFlag, Host};
use crate::server::Control;
use crate::stats::scopes::HealthCheckStats;

/// What checks one host.
pub struct Session {
    control: Arc<Control>,
    cluster: Arc<Cluster>,
    checks: Arc<HealthChecks>,
    host: Arc<Host>,
    state: HealthState,
    /// Told when the host has changed.
    changed: Arc<Notify>,
    /// Let go of after the first result.
    first: Option<mpsc::Sender<()>>,
}

impl Session {
    /// For `host`, which was never checked.
    pub fn new(
        control: Arc<Control>,
        cluster: Arc<Cluster>,
        checks: Arc<HealthChecks>,
        host: Arc<Host>,
        changed: Arc<Notify>,
        first: Option<mpsc::Sender<()>>,
    ) -> Self {
        let config = &checks.config;
        let state = HealthState::new(config.healthy_threshold, config.unhealthy_threshold);
        Self { control, cluster, checks, host, state, changed, first }
    }

    /// Checks for ever.
    pub fn run(self, tls: Option<&CheckTls>) -> impl Future<Output = ()> + use<> {
        let target = Target::new(self.cluster.clone(), &self.host, tls);
        self.check(target)
    }

    async fn check(mut self, target: Target) {
        let mut checker = Checker::new(self.config(), target, &self.authority());
        tokio::time::sleep(interval::within(self.config().initial_jitter, rand::random())).await;
        loop {
            self.checks.stats.attempt.inc();
            let checks = self.checks.clone();
            let asking = tokio::time::timeout(checks.config.timeout, checker.check(&checks.stats));
            let mut result = match self.heeding_alarms(asking).await {
                Ok(result) => result,
                Err(_) => {
                    checker.give_up();
                    CheckResult::Failure(Failure::unanswered(FailureType::NetworkTimeout))
                }
            };
            loop {
                let transition = self.take(result);
                let pause = self.pause(result, transition);
                let waiting = tokio::time::timeout(pause, checker.closed());
                if self.heeding_alarms(waiting).await.is_err() {
                    break;
                }
                result = CheckResult::Failure(Failure::unanswered(FailureType::Network));
            }
        }
    }

    /// What the host is known as.
    fn authority(&self) -> String {
        let own = &self.host.health_check_config.hostname;
        let configured = match &self.config().checker {
            HealthChecker::Http(http) => &http.host,
            HealthChecker::Grpc(grpc) => &grpc.authority,
            HealthChecker::Tcp(_) => own,
        };
        let names = [own, configured, &self.cluster.config.name];
        names.into_iter().find(|name| !name.is_empty()).cloned().unwrap_or_default()
    }

    fn config(&self) -> &HealthCheck {
        &self.checks.config
    }

    /// Does `work`; a worker may tell meanwhile that a response has taken the host out.
    async fn heeding_alarms<T>(&mut self, work: impl Future<Output = T>) -> T {
        let host = self.host.clone();
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = alarm(&host) => {
                    host.set_health_flag(HealthFlag::ExcludedViaImmediateHcFail, true);
                    self.take(CheckResult::Failure(Failure::unanswered(FailureType::Passive)));
                }
            }
        }
    }

    /// Takes a result in: flags, counters, event log, and whoever waits for the first one.
    fn take(&mut self, result: CheckResult) -> Transition {
        let mut flags = read_flags(&self.host);
        let step = self.state.take(result, &mut flags);
        write_flags(&self.host, flags);
        self.count(result);
        self.log(&step);
        self.first = None;
        if let (CheckResult::Success { .. }, Some(outliers)) =
            (result, &self.cluster.outlier_detector)
        {
            outliers.check_succeeded(&self.host);
        }
        if step.transition == Transition::Changed {
            self.changed.notify_one();
        }
        step.transition
    }

    fn count(&self, result: CheckResult) {
        let stats = &self.checks.stats;
        match result {
            CheckResult::Success { .. } => stats.success.inc(),
            CheckResult::Failure(failure) => {
                stats.failure.inc();
                match failure.kind {
                    FailureType::Active => {}
                    FailureType::Passive => stats.passive_failure.inc(),
                    FailureType::Network | FailureType::NetworkTimeout => {
                        stats.network_failure.inc();
                    }
                }
            }
        }
    }

    fn log(&self, step: &Step) {
        let config = self.config();
        for event in &step.events {
            let is_told = match event {
                Event::Failed(_) => step.first_check || config.always_log_health_check_failures,
                Event::Succeeded => config.always_log_health_check_success,
                _ => true,
            };
            if !is_told {
                continue;
            }
            let about = Subject {
                cluster: &self.cluster.config.name,
                host: &self.host,
                checker: &config.checker,
                first_check: step.first_check,
            };
            for sink in &self.checks.event_sinks {
                self.control.log_event(*sink, event::line(*event, about, Timestamp::now()));
            }
        }
    }

    fn pause(&self, result: CheckResult, transition: Transition) -> Duration {
        let last = LastCheck {
            had_traffic: self.cluster.stats.iter().any(|stats| stats.upstream_cx_total.value() > 0),
            succeeded: matches!(result, CheckResult::Success { .. }),
            transition,
        };
        let pause = interval::base(&self.config().intervals, last);
        interval::jittered(&self.config().intervals, pause, rand::random)
    }
}

/// Waits until a worker tells of the host.
async fn alarm(host: &Host) {
    match host.health_alarm.get() {
        Some(alarm) => alarm.notified().await,
        None => std::future::pending().await,
    }
}

fn read_flags(host: &Host) -> CheckFlags {
    let health = host.health();
    CheckFlags {
        failed: health.has(HealthFlag::FailedActiveHc),
        pending: health.has(HealthFlag::PendingActiveHc),
        degraded: health.has(HealthFlag::DegradedActiveHc),
        timeout: health.has(HealthFlag::ActiveHcTimeout),
        excluded: health.has(HealthFlag::ExcludedViaImmediateHcFail),
    }
}

fn write_flags(host: &Host, flags: CheckFlags) {
    host.set_health_flag(HealthFlag::FailedActiveHc, flags.failed);
    host.set_health_flag(HealthFlag::PendingActiveHc, flags.pending);
    host.set_health_flag(HealthFlag::DegradedActiveHc, flags.degraded);
    host.set_health_flag(HealthFlag::ActiveHcTimeout, flags.timeout);
    host.set_health_flag(HealthFlag::ExcludedViaImmediateHcFail, flags.excluded);
}

/// How a host is asked.
enum Checker {
    Http(Box<HttpChecker>),
    Tcp(TcpChecker),
    Grpc(GrpcChecker),
}

impl Checker {
    fn new(config: &HealthCheck, target: Target, authority: &str) -> Self {
        let reuse = config.reuse_connection;
        match &config.checker {
            HealthChecker::Http(http) => {
                let http = HttpHealthCheck::clone(http);
                Self::Http(Box::new(HttpChecker::new(http, target, authority, reuse)))
            }
            HealthChecker::Tcp(tcp) => Self::Tcp(TcpChecker::new(tcp.clone(), target, reuse)),
            HealthChecker::Grpc(grpc) => {
                Self::Grpc(GrpcChecker::new(grpc, target, authority, reuse))
            }
        }
    }

    async fn check(&mut self, stats: &HealthCheckStats) -> CheckResult {
        match self {
            Self::Http(http) => http.check(stats).await,
            Self::Tcp(tcp) => tcp.check().await,
            Self::Grpc(grpc) => grpc.check().await,
        }
    }

    /// There was no answer in time.
    fn give_up(&mut self) {
        match self {
            Self::Http(http) => http.disconnect(),
            Self::Tcp(tcp) => tcp.disconnect(),
            Self::Grpc(grpc) => grpc.end_use(),
        }
    }

    /// Waits for the end of a connection whose end is a failure, for ever where there is none: that
    /// of HTTP is found out by the next check, which opens another one.
    async fn closed(&mut self) {
        match self {
            Self::Tcp(tcp) => tcp.closed().await,
            Self::Http(_) | Self::Grpc(_) => std::future::pending().await,
        }
    }
}
