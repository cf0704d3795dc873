//! How overloaded the process is (Envoy's overload manager): the control thread looks at its memory by
//! the clock, workers ask whether to hold back.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ringmain_config::overload::{
    OverloadAction, OverloadActionKind, OverloadManager, ResourceMonitor,
};

use super::cgroup;

use super::control::Control;
use crate::runtime::{self, memory};
use crate::stats::{Kind, Reading, Scope, Stat};

/// The state of all actions. Written by the control thread, read by everyone.
#[derive(Debug)]
pub struct Overload {
    config: OverloadManager,
    /// By [`OverloadActionKind`], in percent.
    strengths: [AtomicU8; OverloadActionKind::ALL.len()],
    /// By monitor.
    monitored: Box<[Monitored]>,
    /// How often free memory has gone back to the system.
    shrink_count: AtomicI64,
}

/// What has come of looking at a monitor.
#[derive(Debug, Default)]
struct Monitored {
    /// Of its limit, in percent.
    pressure: AtomicU64,
    failed_updates: AtomicI64,
}

const ALL: u8 = 100;

impl Overload {
    /// No pressure yet.
    pub fn new(config: OverloadManager) -> Self {
        Self {
            monitored: config.monitors.iter().map(|_| Monitored::default()).collect(),
            config,
            strengths: Default::default(),
            shrink_count: AtomicI64::new(0),
        }
    }

    /// Whether `action` is to be taken this time; `draw` gives a random number.
    pub fn takes(&self, action: OverloadActionKind, draw: impl FnOnce() -> u64) -> bool {
        match self.strengths[action as usize].load(Ordering::Relaxed) {
            0 => false,
            ALL => true,
            percent => draw() % u64::from(ALL) < percent.into(),
        }
    }

    /// Whether `action` is to be taken whatever happens.
    pub fn is_saturated(&self, action: OverloadActionKind) -> bool {
        self.strengths[action as usize].load(Ordering::Relaxed) == ALL
    }

    /// Looks at every monitor; one that cannot be read keeps its pressure.
    fn look(&self, pressures: &mut [f64]) {
        let monitors = self.config.monitors.iter().zip(&self.monitored);
        for ((monitor, monitored), pressure) in monitors.zip(pressures) {
            match pressure_of(*monitor) {
                Ok(now) => *pressure = now,
                Err(error) => {
                    if monitored.failed_updates.fetch_add(1, Ordering::Relaxed) == 0 {
                        tracing::warn!(monitor = monitor.name(), %error, "cannot tell the pressure");
                    }
                }
            }
        }
    }

    /// Has the actions follow from the monitors' pressures.
    fn update(&self, pressures: &[f64]) {
        for (monitored, pressure) in self.monitored.iter().zip(pressures) {
            monitored.pressure.store(percent(*pressure), Ordering::Relaxed);
        }
        for action in &self.config.actions {
            let strength = strength(action, pressures);
            let before = self.strengths[action.kind as usize].swap(strength, Ordering::Relaxed);
            if (before == ALL) != (strength == ALL) {
                let (action, active) = (action.kind.name(), strength == ALL);
                tracing::warn!(action, active, ?pressures, "overload");
            }
        }
    }

    /// Appends what Envoy tells of actions and of their monitors.
    pub fn report(&self, stats: &mut Vec<Stat>) {
        let number = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        for (monitor, monitored) in self.config.monitors.iter().zip(&self.monitored) {
            let scope = Scope::plain("overload").within(monitor.name());
            scope.gauge("pressure", number(monitored.pressure.load(Ordering::Relaxed)), stats);
            let failed = monitored.failed_updates.load(Ordering::Relaxed);
            for (name, value) in [("failed_updates", failed), ("skipped_updates", 0)] {
                let used = value > 0;
                scope.push(Reading { name, kind: Kind::Counter, value, used }, stats);
            }
        }
        for action in &self.config.actions {
            let strength = self.strengths[action.kind as usize].load(Ordering::Relaxed);
            let scope = Scope::plain("overload").within(action.kind.name());
            scope.gauge("active", usize::from(strength == ALL), stats);
            scope.gauge("scale_percent", strength.into(), stats);
            if action.kind == OverloadActionKind::ShrinkHeap {
                let value = self.shrink_count.load(Ordering::Relaxed);
                let (name, used) = ("shrink_count", value > 0);
                scope.push(Reading { name, kind: Kind::Counter, value, used }, stats);
            }
        }
    }
}

/// What share of its limit a monitor's resource is used to.
#[expect(clippy::cast_precision_loss, reason = "a share, to two digits")]
fn pressure_of(monitor: ResourceMonitor) -> io::Result<f64> {
    let (used, max) = match monitor {
        ResourceMonitor::FixedHeap { max_bytes } => {
            (memory::usage().allocated as f64, Some(max_bytes))
        }
        ResourceMonitor::CgroupMemory { max_bytes } => {
            let memory = cgroup::memory()?;
            (memory.used as f64, max_bytes.into_iter().chain(memory.limit).min())
        }
    };
    Ok(max.map_or(0.0, |max| used / max as f64))
}

fn strength(action: &OverloadAction, pressures: &[f64]) -> u8 {
    let triggers = action.triggers.iter();
    let strengths = triggers.map(|trigger| trigger.level.strength(pressures[trigger.monitor]));
    // Never rounded up to all of it.
    u8::try_from(percent(strengths.fold(0.0, f64::max))).unwrap_or(ALL)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "never negative")]
fn percent(share: f64) -> u64 {
    (share * 100.0) as u64
}

/// The control thread has more to do than to look at its memory.
const LEAST_INTERVAL: Duration = Duration::from_millis(10);

/// Time between two times that `shrink_heap` gives memory back, as in Envoy.
const SHRINK_INTERVAL: Duration = Duration::from_secs(10);

/// Looks at the monitors every `refresh_interval`, where there are some.
pub async fn watch(control: Arc<Control>) {
    let overload = &control.compiled.overload;
    let mut pressures = vec![0.0; overload.monitored.len()];
    if pressures.is_empty() {
        return;
    }
    let mut shrunk: Option<Instant> = None;
    loop {
        overload.look(&mut pressures);
        overload.update(&pressures);
        if overload.is_saturated(OverloadActionKind::ShrinkHeap)
            && shrunk.is_none_or(|at| at.elapsed() >= SHRINK_INTERVAL)
        {
            shrunk = Some(Instant::now());
            runtime::release_freed_memory();
            overload.shrink_count.fetch_add(1, Ordering::Relaxed);
        }
        tokio::time::sleep(overload.config.refresh_interval.max(LEAST_INTERVAL)).await;
    }
}

#[cfg(test)]
mod tests {
    use ringmain_config::overload::{Level, Trigger};

    use super::*;

    const HEAP: ResourceMonitor = ResourceMonitor::FixedHeap { max_bytes: 1 };
    const GROUP: ResourceMonitor = ResourceMonitor::CgroupMemory { max_bytes: None };

    fn overload(triggers: Vec<Trigger>) -> Overload {
        let action = OverloadAction { kind: OverloadActionKind::StopAcceptingRequests, triggers };
        let (monitors, actions) = (vec![HEAP, GROUP], vec![action]);
        Overload::new(OverloadManager { monitors, actions, ..OverloadManager::default() })
    }

    #[test]
    fn a_scaled_action_is_taken_at_times() {
        let kind = OverloadActionKind::StopAcceptingRequests;
        let level = Level::Scaled { from: 0.5, to: 0.9 };
        let overload = overload(vec![Trigger { monitor: 0, level }]);
        overload.update(&[0.4, 1.0]);
        assert!(!overload.takes(kind, || 0));
        overload.update(&[0.6, 1.0]);
        assert!(overload.takes(kind, || 23) && !overload.takes(kind, || 25));
        assert!(!overload.is_saturated(kind));
        overload.update(&[0.9, 1.0]);
        assert!(overload.takes(kind, || 99) && overload.is_saturated(kind));
        assert!(!overload.takes(OverloadActionKind::DisableHttpKeepalive, || 0));
    }

    #[test]
    fn the_strongest_trigger_counts() {
        let kind = OverloadActionKind::StopAcceptingRequests;
        let trigger = |monitor| Trigger { monitor, level: Level::Threshold(0.9) };
        let overload = overload(vec![trigger(0), trigger(1)]);
        for (pressures, is_taken) in [([0.1, 0.1], false), ([0.9, 0.1], true), ([0.1, 0.9], true)] {
            overload.update(&pressures);
            assert_eq!(overload.is_saturated(kind), is_taken, "{pressures:?}");
        }
    }
}
