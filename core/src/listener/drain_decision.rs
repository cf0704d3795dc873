//! Whether a response tells its client to close: Envoy's drain manager, one on each worker.

use std::cell::Cell;
use std::time::{Duration, Instant};

use ringmain_config::listener::TrafficDirection;

/// Which listeners a drain is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DrainScope {
    /// All.
    All,
    /// Those whose `traffic_direction` is `INBOUND`.
    InboundOnly,
}

impl DrainScope {
    /// Whether a listener of `direction` is meant.
    pub fn takes(self, direction: TrafficDirection) -> bool {
        self == Self::All || direction == TrafficDirection::Inbound
    }
}

/// A drain under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrainSequence {
    /// Which listeners drain.
    pub scope: DrainScope,
    /// When it began.
    pub begun: Instant,
    /// Over how long ever more responses close (`--drain-time-s`); zero: all do at once.
    pub over: Duration,
}

impl DrainSequence {
    /// The share of responses that close `elapsed` after the begin, 0 to 1.
    fn share(&self, elapsed: Duration) -> f64 {
        match self.over.is_zero() {
            true => 1.0,
            false => (elapsed.as_secs_f64() / self.over.as_secs_f64()).min(1.0),
        }
    }
}

/// What a worker knows of drains.
#[derive(Debug, Default)]
pub struct DrainDecision {
    failing_health_checks: Cell<bool>,
    sequence: Cell<Option<DrainSequence>>,
}

impl DrainDecision {
    /// `/healthcheck/fail` and `/healthcheck/ok`: while it fails, every response closes.
    pub fn fail_health_checks(&self, fail: bool) {
        self.failing_health_checks.set(fail);
    }

    /// Whether it fails.
    pub fn fails_health_checks(&self) -> bool {
        self.failing_health_checks.get()
    }

    /// Begins a drain; one of all listeners is not replaced by one of some.
    pub fn begin(&self, sequence: DrainSequence) {
        let keeps = self.sequence.get().is_some_and(|current| {
            current.scope == DrainScope::All && sequence.scope == DrainScope::InboundOnly
        });
        if !keeps {
            self.sequence.set(Some(sequence));
        }
    }

    /// Whether a response on a listener of `direction` closes its connection.
    pub fn closes(&self, direction: TrafficDirection) -> bool {
        if self.failing_health_checks.get() {
            return true;
        }
        let Some(sequence) = self.sequence.get() else { return false };
        sequence.scope.takes(direction)
            && rand::random::<f64>() < sequence.share(sequence.begun.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(scope: DrainScope, over: Duration) -> DrainSequence {
        DrainSequence { scope, begun: Instant::now(), over }
    }

    #[test]
    fn the_share_rises_to_all() {
        let sequence = sequence(DrainScope::All, Duration::from_secs(10));
        let shares = [0, 5, 10, 20].map(|elapsed| sequence.share(Duration::from_secs(elapsed)));
        assert_eq!(shares, [0.0, 0.5, 1.0, 1.0]);
    }

    #[test]
    fn a_failing_health_check_closes_everything_until_it_is_taken_back() {
        let decision = DrainDecision::default();
        assert!(!decision.closes(TrafficDirection::Unspecified));
        decision.fail_health_checks(true);
        assert!(decision.closes(TrafficDirection::Outbound));
        decision.fail_health_checks(false);
        assert!(!decision.closes(TrafficDirection::Outbound));
    }

    #[test]
    fn inbound_only_leaves_the_others_alone() {
        let decision = DrainDecision::default();
        decision.begin(sequence(DrainScope::InboundOnly, Duration::ZERO));
        assert!(decision.closes(TrafficDirection::Inbound));
        assert!(!decision.closes(TrafficDirection::Unspecified));
        decision.begin(sequence(DrainScope::All, Duration::ZERO));
        decision.begin(sequence(DrainScope::InboundOnly, Duration::ZERO));
        assert!(decision.closes(TrafficDirection::Unspecified), "all stays all");
    }
}
