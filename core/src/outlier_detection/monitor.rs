//! What workers note of a host's answers. Counts of failures in a row are shared by all workers, as in
//! Envoy; an answer that changes nothing writes nothing shared.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

use ringmain_config::cluster::OutlierDetection;

use crate::stats::{Counter, PerWorker, WorkerId};

/// What came of sending something to a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It answered with this status.
    Status(u16),
    /// There is a connection; an answer is to follow.
    Connected,
    /// There is a connection, and no answer will tell more.
    ConnectedFinally,
    /// There was no connection, or it ended before an answer.
    Failed,
    /// There was no answer in time.
    TimedOut,
}

/// Why the control thread should look at a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Concern {
    /// `consecutive_5xx` is reached.
    Consecutive5xx = 1,
    /// `consecutive_gateway_failure` is reached.
    ConsecutiveGatewayFailure = 1 << 1,
    /// `consecutive_local_origin_failure` is reached.
    ConsecutiveLocalOriginFailure = 1 << 2,
    /// An active health check has succeeded.
    CheckSucceeded = 1 << 3,
}

impl Concern {
    /// All of them; what is reached first is looked at first, as workers reach gateway failures
    /// before the same answer counts as a 5xx.
    pub const ALL: [Self; 4] = [
        Self::CheckSucceeded,
        Self::ConsecutiveGatewayFailure,
        Self::Consecutive5xx,
        Self::ConsecutiveLocalOriginFailure,
    ];
}

/// Where failures have their origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Answers of the host.
    External = 0,
    /// What we met on the way to it.
    Local = 1,
}

impl Origin {
    /// Both.
    pub const ALL: [Self; 2] = [Self::External, Self::Local];
}

/// Results of one origin.
#[derive(Debug, Default)]
struct Results {
    total: Counter,
    success: Counter,
}

/// Results as the control thread reads them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// All of them.
    pub total: u64,
    /// Those that were good.
    pub success: u64,
}

/// What is known of one host.
#[derive(Debug)]
pub struct HostMonitor {
    consecutive_5xx: AtomicU32,
    consecutive_gateway_failure: AtomicU32,
    consecutive_local_origin_failure: AtomicU32,
    concerns: AtomicU8,
    results: PerWorker<[Results; 2]>,
    /// The rate of the last interval by origin, in percent, as bits; the control thread writes.
    success_rates: [AtomicU64; 2],
}

/// What a rate is where there were too few results.
const NO_RATE: f64 = -1.0;

impl HostMonitor {
    /// Of a host that nothing is known of.
    pub fn new(workers: usize) -> Self {
        Self {
            consecutive_5xx: AtomicU32::new(0),
            consecutive_gateway_failure: AtomicU32::new(0),
            consecutive_local_origin_failure: AtomicU32::new(0),
            concerns: AtomicU8::new(0),
            results: PerWorker::new(workers),
            success_rates: Origin::ALL.map(|_| AtomicU64::new(NO_RATE.to_bits())),
        }
    }

    /// Notes `outcome`, which `worker` has met; whether the control thread should look at the host.
    pub fn note(&self, config: &OutlierDetection, worker: WorkerId, outcome: Outcome) -> bool {
        if !config.split_external_local_origin_errors {
            return match outcome {
                Outcome::Status(status) => self.note_status(config, worker, status),
                Outcome::Connected => false,
                Outcome::ConnectedFinally => self.note_status(config, worker, 200),
                Outcome::Failed => self.note_status(config, worker, 503),
                Outcome::TimedOut => self.note_status(config, worker, 504),
            };
        }
        match outcome {
            Outcome::Status(status) => self.note_status(config, worker, status),
            Outcome::Connected | Outcome::ConnectedFinally => {
                self.count(worker, Origin::Local, true);
                forget(&self.consecutive_local_origin_failure);
                false
            }
            Outcome::Failed | Outcome::TimedOut => {
                self.count(worker, Origin::Local, false);
                let limit = config.consecutive_local_origin_failure;
                reaches(&self.consecutive_local_origin_failure, limit)
                    && self.raise(Concern::ConsecutiveLocalOriginFailure)
            }
        }
    }

    fn note_status(&self, config: &OutlierDetection, worker: WorkerId, status: u16) -> bool {
        let failed = (500..600).contains(&status);
        self.count(worker, Origin::External, !failed);
        if !failed {
            forget(&self.consecutive_5xx);
            forget(&self.consecutive_gateway_failure);
            return false;
        }
        let gateway = if matches!(status, 502..=504) {
            reaches(&self.consecutive_gateway_failure, config.consecutive_gateway_failure)
                && self.raise(Concern::ConsecutiveGatewayFailure)
        } else {
            forget(&self.consecutive_gateway_failure);
            false
        };
        let any = reaches(&self.consecutive_5xx, config.consecutive_5xx)
            && self.raise(Concern::Consecutive5xx);
        gateway || any
    }

    fn count(&self, worker: WorkerId, origin: Origin, good: bool) {
        let results = &self.results.of(worker)[origin as usize];
        results.total.inc();
        if good {
            results.success.inc();
        }
    }

    /// Has the control thread look at the host. Always true.
    pub fn raise(&self, concern: Concern) -> bool {
        self.concerns.fetch_or(concern as u8, Ordering::Release);
        true
    }

    /// What the control thread is to look at; told once.
    pub fn take_concerns(&self) -> impl Iterator<Item = Concern> + use<> {
        let concerns = match self.concerns.load(Ordering::Relaxed) {
            0 => 0,
            _ => self.concerns.swap(0, Ordering::Acquire),
        };
        Concern::ALL.into_iter().filter(move |concern| concerns & *concern as u8 != 0)
    }

    /// Failures in a row count from here.
    pub fn forget(&self, concern: Concern) {
        match concern {
            Concern::Consecutive5xx => forget(&self.consecutive_5xx),
            Concern::ConsecutiveGatewayFailure => forget(&self.consecutive_gateway_failure),
            Concern::ConsecutiveLocalOriginFailure => {
                forget(&self.consecutive_local_origin_failure);
            }
            Concern::CheckSucceeded => {}
        }
    }

    /// All results so far.
    pub fn totals(&self, origin: Origin) -> Totals {
        let mut totals = Totals::default();
        for results in self.results.iter().map(|results| &results[origin as usize]) {
            totals.total += results.total.value();
            totals.success += results.success.value();
        }
        totals
    }

    /// The rate of good results in the last interval, in percent; none where there were too few.
    pub fn success_rate(&self, origin: Origin) -> Option<f64> {
        let rate = f64::from_bits(self.success_rates[origin as usize].load(Ordering::Relaxed));
        (rate >= 0.0).then_some(rate)
    }

    /// Sets that.
    pub fn set_success_rate(&self, origin: Origin, rate: Option<f64>) {
        let rate = rate.unwrap_or(NO_RATE);
        self.success_rates[origin as usize].store(rate.to_bits(), Ordering::Relaxed);
    }
}

/// Counts one more; whether that makes `limit`.
fn reaches(count: &AtomicU32, limit: u32) -> bool {
    count.fetch_add(1, Ordering::Relaxed).wrapping_add(1) == limit
}

/// Writes only where there is something to forget: most answers are good, and the line is shared.
fn forget(count: &AtomicU32) {
    if count.load(Ordering::Relaxed) != 0 {
        count.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ringmain_config::cluster::{EjectionLimits, FailurePercentage, SuccessRate};

    use super::*;

    fn config(split: bool) -> OutlierDetection {
        OutlierDetection {
            consecutive_5xx: 3,
            enforcing_consecutive_5xx: 100,
            consecutive_gateway_failure: 2,
            enforcing_consecutive_gateway_failure: 0,
            split_external_local_origin_errors: split,
            consecutive_local_origin_failure: 2,
            enforcing_consecutive_local_origin_failure: 100,
            interval: Duration::from_secs(10),
            ejection: EjectionLimits {
                base_ejection_time: Duration::from_secs(30),
                max_ejection_time: Duration::from_secs(300),
                max_ejection_time_jitter: Duration::ZERO,
                max_ejection_percent: 10,
                always_eject_one_host: None,
            },
            success_rate: SuccessRate {
                minimum_hosts: 5,
                request_volume: 100,
                stdev_factor: 1900,
                enforcing: 100,
                enforcing_local_origin: 100,
            },
            failure_percentage: FailurePercentage {
                threshold: 85,
                minimum_hosts: 5,
                request_volume: 50,
                enforcing: 0,
                enforcing_local_origin: 0,
            },
            successful_active_health_check_uneject_host: true,
        }
    }

    /// The concerns that each outcome raises, one worker after the other, and the totals at the end.
    fn table(split: bool, outcomes: &[Outcome]) -> String {
        let (monitor, config) = (HostMonitor::new(2), config(split));
        let mut text = String::new();
        for (index, outcome) in outcomes.iter().enumerate() {
            let raised = monitor.note(&config, WorkerId(index % 2), *outcome);
            let concerns: Vec<_> = monitor.take_concerns().collect();
            assert_eq!(raised, !concerns.is_empty());
            concerns.iter().for_each(|concern| monitor.forget(*concern));
            text += &format!("{outcome:?}: {concerns:?}\n");
        }
        for origin in Origin::ALL {
            let Totals { total, success } = monitor.totals(origin);
            text += &format!("{origin:?} {success} of {total}\n");
        }
        text
    }

    use Outcome::{Connected, ConnectedFinally, Failed, Status, TimedOut};

    #[test]
    fn what_fails_before_an_answer_counts_as_one() {
        let outcomes = [
            Status(500),
            Connected,
            Status(503),
            Status(200),
            Status(500),
            Failed,
            TimedOut,
            Status(404),
            Status(502),
            Status(500),
            Status(502),
            ConnectedFinally,
            Failed,
        ];
        assert_eq!(
            table(false, &outcomes),
            "\
Status(500): []
Connected: []
Status(503): []
Status(200): []
Status(500): []
Failed: []
TimedOut: [ConsecutiveGatewayFailure, Consecutive5xx]
Status(404): []
Status(502): []
Status(500): []
Status(502): [Consecutive5xx]
ConnectedFinally: []
Failed: []
External 3 of 12
Local 0 of 0
"
        );
    }

    #[test]
    fn origins_can_be_told_apart() {
        let outcomes = [
            Failed,
            Connected,
            Failed,
            TimedOut,
            ConnectedFinally,
            TimedOut,
            Status(503),
            Status(503),
            Failed,
        ];
        assert_eq!(
            table(true, &outcomes),
            "\
Failed: []
Connected: []
Failed: []
TimedOut: [ConsecutiveLocalOriginFailure]
ConnectedFinally: []
TimedOut: []
Status(503): []
Status(503): [ConsecutiveGatewayFailure]
Failed: [ConsecutiveLocalOriginFailure]
External 0 of 2
Local 2 of 7
"
        );
    }
}
