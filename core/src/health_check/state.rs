//! What the result of a check means for a host: Envoy's rules of thresholds. Pure.
//!
//! The first result ever decides by itself. Later a host changes after so many results in a row,
//! but for an answer that is neither expected nor retriable: that one takes it out at once.

use smallvec::SmallVec;

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckResult {
    /// The host can serve.
    Success {
        /// It would rather not: `x-envoy-degraded`.
        degraded: bool,
    },
    /// It cannot.
    Failure(Failure),
}

/// Why a host cannot serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// Who found out.
    pub kind: FailureType,
    /// Whether it counts towards the threshold, as a status of `retriable_statuses` does.
    pub retriable: bool,
    /// The status of the answer; 0 where there was none.
    pub http_status_code: u16,
}

/// `envoy.data.core.v3.HealthCheckFailureType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureType {
    /// The answer says so.
    Active,
    /// A response to a request says so.
    Passive,
    /// There was no connection, or it broke.
    Network,
    /// There was no answer in time.
    NetworkTimeout,
}

impl Failure {
    /// An answer that says no.
    pub fn answered(http_status_code: u16, retriable: bool) -> Self {
        Self { kind: FailureType::Active, retriable, http_status_code }
    }

    /// No answer.
    pub fn unanswered(kind: FailureType) -> Self {
        Self { kind, retriable: false, http_status_code: 0 }
    }

    fn counts_towards_threshold(self) -> bool {
        self.retriable || matches!(self.kind, FailureType::Network | FailureType::NetworkTimeout)
    }
}

/// The flags of a host that checks write.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CheckFlags {
    /// `FailedActiveHc`.
    pub failed: bool,
    /// `PendingActiveHc`.
    pub pending: bool,
    /// `DegradedActiveHc`.
    pub degraded: bool,
    /// `ActiveHcTimeout`.
    pub timeout: bool,
    /// `ExcludedViaImmediateHcFail`.
    pub excluded: bool,
}

/// Whether the host is another one now for the load balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// It is as it was.
    Unchanged,
    /// More results of the kind will change it.
    ChangePending,
    /// It is.
    Changed,
}

/// What the event log tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The host is taken in.
    AddHealthy,
    /// The host is taken out.
    EjectUnhealthy(Failure),
    /// A check failed.
    Failed(Failure),
    /// A check succeeded and took nobody in.
    Succeeded,
    /// The host has become degraded.
    Degraded,
    /// The host is no longer degraded.
    NoLongerDegraded,
}

/// What happened, in order.
pub type Events = SmallVec<[Event; 3]>;

/// What a result came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What changed.
    pub transition: Transition,
    /// Whether it was the first result for this host.
    pub first_check: bool,
    /// What the event log tells.
    pub events: Events,
}

/// How many results of a kind there have been in a row.
#[derive(Debug, Clone, Copy)]
pub struct HealthState {
    healthy_threshold: u32,
    unhealthy_threshold: u32,
    first_check: bool,
    successes: u32,
    failures: u32,
}

impl HealthState {
    /// Of a host that was never checked.
    pub fn new(healthy_threshold: u32, unhealthy_threshold: u32) -> Self {
        Self {
            healthy_threshold,
            unhealthy_threshold,
            first_check: true,
            successes: 0,
            failures: 0,
        }
    }

    /// Takes a result in and changes `flags` by it.
    pub fn take(&mut self, result: CheckResult, flags: &mut CheckFlags) -> Step {
        let first_check = std::mem::replace(&mut self.first_check, false);
        let mut events = SmallVec::new();
        let mut transition = match result {
            CheckResult::Success { .. } => self.succeeded(first_check, flags, &mut events),
            CheckResult::Failure(failure) => self.failed(failure, flags, &mut events),
        };
        if std::mem::take(&mut flags.pending) {
            // The cluster has one host less to leave out.
            transition = Transition::Changed;
        }
        if let CheckResult::Success { degraded } = result
            && std::mem::replace(&mut flags.degraded, degraded) != degraded
        {
            events.push(if degraded { Event::Degraded } else { Event::NoLongerDegraded });
            if transition == Transition::Unchanged {
                transition = Transition::Changed;
            }
        }
        Step { transition, first_check, events }
    }

    fn succeeded(
        &mut self,
        first_check: bool,
        flags: &mut CheckFlags,
        events: &mut Events,
    ) -> Transition {
        self.failures = 0;
        let mut transition = Transition::Unchanged;
        if flags.failed {
            self.successes += 1;
            if first_check || self.successes == self.healthy_threshold {
                (flags.failed, flags.timeout, flags.excluded) = (false, false, false);
                events.push(Event::AddHealthy);
                return Transition::Changed;
            }
            transition = Transition::ChangePending;
        }
        events.push(Event::Succeeded);
        transition
    }

    fn failed(
        &mut self,
        failure: Failure,
        flags: &mut CheckFlags,
        events: &mut Events,
    ) -> Transition {
        self.successes = 0;
        let mut transition = Transition::Unchanged;
        if !flags.failed {
            flags.failed = !failure.counts_towards_threshold() || self.is_one_too_many();
            transition = Transition::ChangePending;
            if flags.failed {
                events.push(Event::EjectUnhealthy(failure));
                transition = Transition::Changed;
            }
        }
        flags.timeout = flags.failed && failure.kind == FailureType::NetworkTimeout;
        events.push(Event::Failed(failure));
        transition
    }

    /// Counts a failure. A threshold of 0 is never reached, as in Envoy.
    fn is_one_too_many(&mut self) -> bool {
        self.failures += 1;
        self.failures == self.unhealthy_threshold
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    fn show(step: &Step, flags: CheckFlags) -> String {
        let flags = [
            (flags.failed, "failed"),
            (flags.pending, "pending"),
            (flags.degraded, "degraded"),
            (flags.timeout, "timeout"),
            (flags.excluded, "excluded"),
        ];
        let set: Vec<_> =
            flags.iter().filter(|(is_set, _)| *is_set).map(|(_, name)| *name).collect();
        let flags = if set.is_empty() { "healthy".to_owned() } else { set.join("+") };
        let events: Vec<_> = step.events.iter().map(|event| event_name(*event)).collect();
        format!("{:?} -> {flags} [{}]", step.transition, events.join(" "))
    }

    fn event_name(event: Event) -> &'static str {
        match event {
            Event::AddHealthy => "add_healthy",
            Event::EjectUnhealthy(_) => "eject_unhealthy",
            Event::Failed(_) => "failed",
            Event::Succeeded => "succeeded",
            Event::Degraded => "degraded",
            Event::NoLongerDegraded => "no_longer_degraded",
        }
    }

    fn result(name: char) -> CheckResult {
        match name {
            's' => CheckResult::Success { degraded: false },
            'd' => CheckResult::Success { degraded: true },
            'a' => CheckResult::Failure(Failure::answered(503, false)),
            'r' => CheckResult::Failure(Failure::answered(503, true)),
            'n' => CheckResult::Failure(Failure::unanswered(FailureType::Network)),
            't' => CheckResult::Failure(Failure::unanswered(FailureType::NetworkTimeout)),
            'p' => CheckResult::Failure(Failure::unanswered(FailureType::Passive)),
            other => panic!("{other} is no result"),
        }
    }

    /// What each of `results` leads to, for a host that begins with `flags`; two of a kind decide.
    fn table(mut flags: CheckFlags, results: &str) -> String {
        let mut state = HealthState::new(2, 2);
        let mut text = String::new();
        for name in results.chars() {
            let step = state.take(result(name), &mut flags);
            writeln!(text, "{name}: {}", show(&step, flags)).unwrap();
        }
        text
    }

    const NEW: CheckFlags = CheckFlags {
        failed: true,
        pending: false,
        degraded: false,
        timeout: false,
        excluded: false,
    };

    #[test]
    fn the_first_result_decides_and_later_ones_by_their_number() {
        assert_eq!(
            table(NEW, "snsnns") + "--\n" + &table(NEW, "nss"),
            "\
s: Changed -> healthy [add_healthy]
n: ChangePending -> healthy [failed]
s: Unchanged -> healthy [succeeded]
n: ChangePending -> healthy [failed]
n: Changed -> failed [eject_unhealthy failed]
s: ChangePending -> failed [succeeded]
--
n: Unchanged -> failed [failed]
s: ChangePending -> failed [succeeded]
s: Changed -> healthy [add_healthy]
"
        );
    }

    #[test]
    fn an_answer_takes_a_host_out_at_once_unless_it_is_retriable() {
        assert_eq!(
            table(NEW, "sassrsrr") + "--\n" + &table(NEW, "sp"),
            "\
s: Changed -> healthy [add_healthy]
a: Changed -> failed [eject_unhealthy failed]
s: ChangePending -> failed [succeeded]
s: Changed -> healthy [add_healthy]
r: ChangePending -> healthy [failed]
s: Unchanged -> healthy [succeeded]
r: ChangePending -> healthy [failed]
r: Changed -> failed [eject_unhealthy failed]
--
s: Changed -> healthy [add_healthy]
p: Changed -> failed [eject_unhealthy failed]
"
        );
    }

    #[test]
    fn time_outs_show_while_the_host_is_out() {
        assert_eq!(
            table(NEW, "tnttss") + "--\n" + &table(NEW, "sts"),
            "\
t: Unchanged -> failed+timeout [failed]
n: Unchanged -> failed [failed]
t: Unchanged -> failed+timeout [failed]
t: Unchanged -> failed+timeout [failed]
s: ChangePending -> failed+timeout [succeeded]
s: Changed -> healthy [add_healthy]
--
s: Changed -> healthy [add_healthy]
t: ChangePending -> healthy [failed]
s: Unchanged -> healthy [succeeded]
"
        );
    }

    #[test]
    fn degradation_is_a_change_of_its_own() {
        assert_eq!(
            table(NEW, "nddds") + "--\n" + &table(NEW, "d"),
            "\
n: Unchanged -> failed [failed]
d: ChangePending -> failed+degraded [succeeded degraded]
d: Changed -> degraded [add_healthy]
d: Unchanged -> degraded [succeeded]
s: Changed -> healthy [succeeded no_longer_degraded]
--
d: Changed -> degraded [add_healthy degraded]
"
        );
    }

    #[test]
    fn a_host_that_nobody_waited_for_counts_from_its_first_result_on() {
        let pending = CheckFlags { pending: true, ..NEW };
        let excluded = CheckFlags { excluded: true, ..NEW };
        assert_eq!(
            table(pending, "nn") + "--\n" + &table(excluded, "s"),
            "\
n: Changed -> failed [failed]
n: Unchanged -> failed [failed]
--
s: Changed -> healthy [add_healthy]
"
        );
    }
}
