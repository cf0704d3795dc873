//! The outlier detection of one cluster, on the control thread: what workers have noted becomes
//! ejections, and ejected hosts come back.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use tokio::time::MissedTickBehavior;

use super::OutlierDetector;
use super::ejection::{Ejections, Standing, may_eject};
use super::event::{self, Action, Subject};
use super::kind::Kind;
use super::monitor::{Concern, HostMonitor, Origin, Totals};
use super::success_rate::{Interval, Threshold, fails_too_often, threshold};
use crate::cluster::{Cluster, HealthFlag, Host, HostSet};
use crate::server::Control;

/// Watches the hosts of `cluster`, for ever.
pub async fn run(control: Arc<Control>, cluster: Arc<Cluster>, detector: Arc<OutlierDetector>) {
    let index = cluster.index;
    let mut named = control.watch_hosts(index);
    let mut interval = tokio::time::interval(detector.config.interval);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval.tick().await;
    let mut watch = Watch {
        control: control.clone(),
        cluster,
        detector: detector.clone(),
        hosts: Arc::default(),
        known: HashMap::new(),
    };
    loop {
        let hosts = named.borrow_and_update().clone();
        watch.follow(hosts);
        let changed = tokio::select! {
            changed = named.changed() => {
                if changed.is_err() {
                    return;
                }
                false
            }
            () = detector.alarm.notified() => watch.heed_concerns(),
            _ = interval.tick() => watch.end_interval(),
        };
        if changed {
            control.tell_health(index).await;
        }
    }
}

struct Watch {
    control: Arc<Control>,
    cluster: Arc<Cluster>,
    detector: Arc<OutlierDetector>,
    hosts: Arc<HostSet>,
    /// By the id of the host.
    known: HashMap<u64, Known>,
}

/// What is known of a host.
#[derive(Debug, Default)]
struct Known {
    ejections: Ejections,
    /// The results of each origin up to the last interval.
    counted: [Totals; 2],
}

impl Watch {
    /// Forgets hosts that have left and begins with those that have come.
    fn follow(&mut self, hosts: Arc<HostSet>) {
        if Arc::ptr_eq(&hosts, &self.hosts) {
            return;
        }
        let mut before = std::mem::take(&mut self.known);
        let known = hosts.hosts.iter();
        self.known =
            known.map(|host| (host.id, before.remove(&host.id).unwrap_or_default())).collect();
        self.hosts = hosts;
        self.tell_active();
    }

    /// Looks at what workers have raised; whether that has changed any host.
    fn heed_concerns(&mut self) -> bool {
        let mut changed = false;
        for host in &self.hosts.clone().hosts {
            let Some(monitor) = host.outlier_monitor.get() else { continue };
            for concern in monitor.take_concerns() {
                changed |= match Kind::of_concern(concern) {
                    Some(kind) => self.reached(host, monitor, concern, kind),
                    None => self.uneject(host),
                };
            }
        }
        changed
    }

    fn reached(
        &mut self,
        host: &Host,
        monitor: &HostMonitor,
        concern: Concern,
        kind: Kind,
    ) -> bool {
        if self.is_ejected(host) {
            return false;
        }
        let ejected = self.found(host, kind, None);
        // Further failures are detected anew, whether a good answer comes between or not.
        monitor.forget(concern);
        ejected
    }

    /// Looks who may come back, and at the rates of the interval that ends; whether that has changed
    /// any host.
    fn end_interval(&mut self) -> bool {
        let (hosts, now) = (self.hosts.clone(), Instant::now());
        let mut changed = false;
        let mut intervals = Vec::with_capacity(hosts.hosts.len());
        for host in &hosts.hosts {
            let Some(known) = self.known.get_mut(&host.id) else { continue };
            if known.ejections.may_return(&self.detector.config.ejection, now) {
                changed |= self.uneject(host);
            }
            let Some(known) = self.known.get_mut(&host.id) else { continue };
            let Some(monitor) = host.outlier_monitor.get() else { continue };
            intervals.push(Origin::ALL.map(|origin| {
                monitor.set_success_rate(origin, None);
                let totals = monitor.totals(origin);
                let before = std::mem::replace(&mut known.counted[origin as usize], totals);
                Interval::between(before, totals)
            }));
        }
        for origin in Origin::ALL {
            let of_origin = intervals.iter().map(|interval| interval[origin as usize]);
            changed |= self.judge_rates(origin, hosts.hosts.iter().zip(of_origin));
        }
        changed
    }

    fn judge_rates<'h>(
        &mut self,
        origin: Origin,
        intervals: impl Iterator<Item = (&'h Arc<Host>, Option<Interval>)>,
    ) -> bool {
        let detector = self.detector.clone();
        let (rates, failures) =
            (&detector.config.success_rate, &detector.config.failure_percentage);
        detector.set_threshold(origin, None);
        let count = self.hosts.hosts.len();
        if count < rates.minimum_hosts as usize && count < failures.minimum_hosts as usize {
            return false;
        }
        let in_rotation: Vec<(&Arc<Host>, Interval)> = intervals
            .filter_map(|(host, interval)| Some((host, interval?)))
            .filter(|(host, _)| !self.is_ejected(host))
            .collect();
        let with = |volume: u32| {
            let enough = in_rotation.iter().filter(move |(_, it)| it.volume >= volume.into());
            enough.map(|(host, interval)| (*host, interval.rate)).collect::<Vec<_>>()
        };
        for (host, rate) in with(rates.request_volume.min(failures.request_volume)) {
            if let Some(monitor) = host.outlier_monitor.get() {
                monitor.set_success_rate(origin, Some(rate));
            }
        }
        let mut changed = false;
        let rated = with(rates.request_volume);
        let of_rates: Vec<f64> = rated.iter().map(|(_, rate)| *rate).collect();
        if let Some(threshold) = threshold(&of_rates, rates) {
            detector.set_threshold(origin, Some(threshold));
            for (host, _) in rated.iter().filter(|(_, rate)| *rate < threshold.ejection) {
                changed |= self.found(host, Kind::SuccessRate(origin), Some(threshold));
            }
        }
        let counted = with(failures.request_volume);
        if counted.len() >= failures.minimum_hosts as usize {
            for (host, _) in counted.iter().filter(|(_, rate)| fails_too_often(*rate, failures)) {
                changed |= self.found(host, Kind::FailurePercentage(origin), None);
            }
        }
        changed
    }

    fn is_ejected(&self, host: &Host) -> bool {
        self.known.get(&host.id).is_some_and(|known| known.ejections.is_ejected())
    }

    /// `host` is an outlier: counts that and ejects it where that may be; whether it did.
    fn found(&mut self, host: &Host, kind: Kind, threshold: Option<Threshold>) -> bool {
        if self.is_ejected(host) {
            return false;
        }
        let detector = self.detector.clone();
        let stats = &detector.stats;
        kind.detected(stats).inc();
        match kind {
            Kind::Consecutive5xx => stats.ejections_consecutive_5xx.inc(),
            Kind::SuccessRate(_) => stats.ejections_success_rate.inc(),
            _ => {}
        }
        if !may_eject(&detector.config.ejection, self.standing(host)) {
            stats.ejections_overflow.inc();
            return false;
        }
        if matches!(kind, Kind::Consecutive5xx | Kind::SuccessRate(Origin::External)) {
            stats.ejections_total.inc();
        }
        let enforced = rand::random::<u32>() % 100 < kind.enforcing(&detector.config);
        if enforced {
            self.eject(host, kind);
        }
        self.log(host, Action::Eject { kind, enforced, threshold });
        enforced
    }

    fn standing(&self, host: &Host) -> Standing {
        let others = self.hosts.hosts.iter().filter(|other| other.id != host.id);
        Standing {
            hosts: self.known.len(),
            ejected: self.ejected(),
            leaves_healthy: others.into_iter().any(|other| other.is_healthy()),
        }
    }

    fn ejected(&self) -> usize {
        self.known.values().filter(|known| known.ejections.is_ejected()).count()
    }

    fn eject(&mut self, host: &Host, kind: Kind) {
        let Some(known) = self.known.get_mut(&host.id) else { return };
        known.ejections.eject(&self.detector.config.ejection, Instant::now(), rand::random());
        host.set_health_flag(HealthFlag::FailedOutlierCheck, true);
        self.detector.stats.ejections_enforced_total.inc();
        kind.enforced(&self.detector.stats).inc();
        self.tell_active();
    }

    /// Takes `host` back; whether it was out.
    fn uneject(&mut self, host: &Host) -> bool {
        let Some(known) = self.known.get_mut(&host.id) else { return false };
        if !known.ejections.is_ejected() {
            return false;
        }
        known.ejections.uneject(Instant::now());
        if let Some(monitor) = host.outlier_monitor.get() {
            Concern::ALL.into_iter().for_each(|concern| monitor.forget(concern));
        }
        host.set_health_flag(HealthFlag::FailedOutlierCheck, false);
        self.tell_active();
        self.log(host, Action::Uneject);
        true
    }

    fn tell_active(&self) {
        self.detector.stats.ejections_active.set(self.ejected() as u64);
    }

    fn log(&self, host: &Host, action: Action) {
        let (Some(sink), Some(known)) = (self.detector.event_sink, self.known.get(&host.id)) else {
            return;
        };
        let now = Instant::now();
        let about = Subject {
            cluster: &self.cluster.config.name,
            host,
            ejections: known.ejections.count(),
            since_last_action: match action {
                Action::Eject { .. } => known.ejections.since_unejection(now),
                Action::Uneject => known.ejections.since_ejection(now),
            },
        };
        self.control.log_event(sink, event::line(action, about, Timestamp::now()));
    }
}
