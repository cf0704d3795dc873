//! How overloaded the process is (Envoy's overload manager): the control thread looks at the heap by
//! the clock, workers ask whether to hold back.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ringmain_config::overload::{FIXED_HEAP, OverloadAction, OverloadActionKind, OverloadManager};

use super::control::Control;
use crate::runtime::{self, memory};
use crate::stats::{Kind, Reading, Scope, Stat};

/// The state of all actions. Written by the control thread, read by everyone.
#[derive(Debug)]
pub struct Overload {
    config: OverloadManager,
    /// By [`OverloadActionKind`], in percent.
    strengths: [AtomicU8; OverloadActionKind::ALL.len()],
    /// Of the heap, in percent.
    pressure: AtomicU64,
    /// How often free memory has gone back to the system.
    shrink_count: AtomicI64,
}

const ALL: u8 = 100;

impl Overload {
    /// No pressure yet.
    pub fn new(config: OverloadManager) -> Self {
        Self {
            config,
            strengths: Default::default(),
            pressure: AtomicU64::new(0),
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

    fn update(&self, heap_bytes: usize, max_heap_size_bytes: u64) {
        #[expect(clippy::cast_precision_loss, reason = "a share, to two digits")]
        let pressure = heap_bytes as f64 / max_heap_size_bytes as f64;
        self.pressure.store(percent(pressure), Ordering::Relaxed);
        for action in &self.config.actions {
            let strength = strength(action, pressure);
            let before = self.strengths[action.kind as usize].swap(strength, Ordering::Relaxed);
            if (before == ALL) != (strength == ALL) {
                let (action, active) = (action.kind.name(), strength == ALL);
                tracing::warn!(action, active, heap_bytes, "overload");
            }
        }
    }

    /// Appends what Envoy tells of actions and of the monitor of the heap.
    pub fn report(&self, stats: &mut Vec<Stat>) {
        if self.config.max_heap_size_bytes.is_none() {
            return;
        }
        let number = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        let monitor = Scope::plain("overload").within(FIXED_HEAP);
        monitor.gauge("pressure", number(self.pressure.load(Ordering::Relaxed)), stats);
        for name in ["failed_updates", "skipped_updates"] {
            monitor.push(Reading { name, kind: Kind::Counter, value: 0, used: false }, stats);
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

fn strength(action: &OverloadAction, pressure: f64) -> u8 {
    let strengths = action.triggers.iter().map(|trigger| trigger.strength(pressure));
    // Never rounded up to all of it.
    u8::try_from(percent(strengths.fold(0.0, f64::max))).unwrap_or(ALL)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "never negative")]
fn percent(share: f64) -> u64 {
    (share * 100.0) as u64
}

/// The control thread has more to do than to look at the heap.
const LEAST_INTERVAL: Duration = Duration::from_millis(10);

/// Time between two times that `shrink_heap` gives memory back, as in Envoy.
const SHRINK_INTERVAL: Duration = Duration::from_secs(10);

/// Looks at the heap every `refresh_interval`, where it has a limit.
pub async fn watch_heap(control: Arc<Control>) {
    let overload = &control.compiled.overload;
    let Some(max_bytes) = overload.config.max_heap_size_bytes else { return };
    let mut shrunk: Option<Instant> = None;
    loop {
        overload.update(memory::usage().allocated, max_bytes);
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
    use ringmain_config::overload::Trigger;

    use super::*;

    fn overload(trigger: Trigger) -> Overload {
        let action = OverloadAction {
            kind: OverloadActionKind::StopAcceptingRequests,
            triggers: vec![trigger],
        };
        Overload::new(OverloadManager { actions: vec![action], ..OverloadManager::default() })
    }

    #[test]
    fn a_scaled_action_is_taken_at_times() {
        let kind = OverloadActionKind::StopAcceptingRequests;
        let overload = overload(Trigger::Scaled { from: 0.5, to: 0.9 });
        overload.update(40, 100);
        assert!(!overload.takes(kind, || 0));
        overload.update(60, 100);
        assert!(overload.takes(kind, || 23) && !overload.takes(kind, || 25));
        assert!(!overload.is_saturated(kind));
        overload.update(90, 100);
        assert!(overload.takes(kind, || 99) && overload.is_saturated(kind));
        assert!(!overload.takes(OverloadActionKind::DisableHttpKeepalive, || 0));
    }
}
