//! When to ask an AWS API again, and how often all of us may ask.
//!
//! Pure: time and chance are handed in.

use std::time::{Duration, Instant};

/// Calls a second that this process allows itself: a quarter of the smallest bucket that the whole
/// account shares.
pub const CALLS_PER_SECOND: f64 = 5.0;
/// Calls that may come at once.
const CALLS_BURST: f64 = 20.0;
/// The interval while a deployment is in progress or a host is suspect.
pub const FAST_INTERVAL: Duration = Duration::from_secs(2);
/// The shortest time between the beginnings of two polls, the second of which was brought forward.
const SHORTEST_GAP: Duration = Duration::from_secs(1);
/// Intervals vary by this share, so that proxies do not march in step.
const JITTER: f64 = 0.2;
/// The first pause after a failure.
const BACKOFF_BASE: Duration = Duration::from_secs(1);
/// The longest pause after failures.
const BACKOFF_CAP: Duration = Duration::from_secs(60);
/// Throttling stretches the interval up to this factor.
const STRETCH_MAX: f64 = 16.0;

/// How a call went wrong, as far as the next one is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setback {
    /// The API is asked too often; it may say how long to wait.
    Throttled(Option<Duration>),
    /// Time-out, 5xx, an answer that cannot be read: it may be over soon.
    Passing,
    /// Permission, a cluster or service that is not there: someone must change something.
    Lasting,
}

/// The pace of one poller.
#[derive(Debug)]
pub struct Pace {
    interval: Duration,
    stretch: f64,
    failures: u32,
}

impl Pace {
    /// Polls every `interval` where nothing is the matter.
    pub fn new(interval: Duration) -> Self {
        Self { interval, stretch: 1.0, failures: 0 }
    }

    /// The interval as throttling has stretched it.
    pub fn interval(&self) -> Duration {
        self.interval.mul_f64(self.stretch)
    }

    /// How soon after the last poll began another one may, where a suspect is to be asked about; `None` while
    /// polls are put off.
    pub fn shortest_gap(&self) -> Option<Duration> {
        (self.failures == 0).then(|| SHORTEST_GAP.mul_f64(self.stretch))
    }

    /// The pause after a poll that went well. `hurry` says that something is in progress; `chance`
    /// is uniform in 0..1.
    pub fn after_success(&mut self, hurry: bool, chance: f64) -> Duration {
        self.failures = 0;
        self.stretch = (self.stretch * 0.75).max(1.0);
        let interval = if hurry {
            self.interval.min(FAST_INTERVAL).mul_f64(self.stretch)
        } else {
            self.interval()
        };
        interval.mul_f64(1.0 - JITTER + 2.0 * JITTER * chance)
    }

    /// The pause after a poll that did not; `chance` is uniform in 0..1.
    pub fn after_setback(&mut self, setback: Setback, chance: f64) -> Duration {
        self.failures = self.failures.saturating_add(1);
        if matches!(setback, Setback::Throttled(_)) {
            self.stretch = (self.stretch * 2.0).min(STRETCH_MAX);
        }
        pause_after(setback, self.failures, chance)
    }
}

/// The pause after so many `failures` in a row, the last of which is `setback`.
fn pause_after(setback: Setback, failures: u32, chance: f64) -> Duration {
    if setback == Setback::Lasting {
        return BACKOFF_CAP.mul_f64(1.0 - JITTER * chance);
    }
    let doublings = failures.saturating_sub(1).min(10);
    let ceiling = BACKOFF_BASE.saturating_mul(1 << doublings).min(BACKOFF_CAP);
    let pause = ceiling.mul_f64(chance).max(Duration::from_millis(100));
    match setback {
        Setback::Throttled(Some(asked)) => pause.max(asked.min(BACKOFF_CAP)),
        _ => pause,
    }
}

/// When calls of a kind may be made again, for those beside which a poll goes on without them.
#[derive(Debug, Default)]
pub struct BackOff {
    failures: u32,
    until: Option<Instant>,
}

impl BackOff {
    /// Whether one may be made at `now`.
    pub fn is_over(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| until <= now)
    }

    /// One has failed, as did those before it; `chance` is uniform in 0..1.
    pub fn extend(&mut self, setback: Setback, now: Instant, chance: f64) {
        self.failures = self.failures.saturating_add(1);
        self.until = Some(now + pause_after(setback, self.failures, chance));
    }
}

/// A token bucket over the calls of the whole process.
#[derive(Debug)]
pub struct CallBudget {
    tokens: f64,
    filled: Instant,
}

impl CallBudget {
    /// A full bucket.
    pub fn new(now: Instant) -> Self {
        Self { tokens: CALLS_BURST, filled: now }
    }

    /// Takes a token; says how long to wait before the call.
    pub fn take(&mut self, now: Instant) -> Duration {
        let since = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + since * CALLS_PER_SECOND).min(CALLS_BURST) - 1.0;
        self.filled = self.filled.max(now);
        if self.tokens >= 0.0 {
            return Duration::ZERO;
        }
        Duration::from_secs_f64(-self.tokens / CALLS_PER_SECOND)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Duration = Duration::from_secs(10);

    #[test]
    fn the_interval_varies_by_a_fifth() {
        let mut pace = Pace::new(TEN);
        for (chance, seconds) in [(0.0, 8), (0.5, 10), (1.0, 12)] {
            assert_eq!(pace.after_success(false, chance).as_secs_f64().round() as u64, seconds);
        }
        assert_eq!(pace.after_success(true, 0.5), FAST_INTERVAL);
    }

    #[test]
    fn throttling_stretches_the_interval_which_recovers_slowly() {
        let mut pace = Pace::new(TEN);
        pace.after_setback(Setback::Throttled(None), 0.5);
        pace.after_setback(Setback::Throttled(None), 0.5);
        assert_eq!(pace.interval(), TEN * 4);
        assert_eq!(pace.after_success(false, 0.5), TEN * 3);
        for _ in 0..5 {
            pace.after_success(false, 0.5);
        }
        assert_eq!(pace.interval(), TEN);
    }

    #[test]
    fn a_suspect_hurries_no_api_that_is_put_off_or_was_throttled() {
        let mut pace = Pace::new(TEN);
        assert_eq!(pace.shortest_gap(), Some(SHORTEST_GAP));
        pace.after_setback(Setback::Throttled(None), 0.5);
        pace.after_setback(Setback::Throttled(None), 0.5);
        assert_eq!(pace.shortest_gap(), None);
        pace.after_success(false, 0.5);
        assert_eq!(pace.shortest_gap(), Some(SHORTEST_GAP * 3));
        pace.after_setback(Setback::Passing, 0.5);
        assert_eq!(pace.shortest_gap(), None);
    }

    #[test]
    fn failures_back_off_with_full_jitter_up_to_a_minute() {
        let mut pace = Pace::new(TEN);
        let pauses: Vec<u64> =
            (0..8).map(|_| pace.after_setback(Setback::Passing, 1.0).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert!(pace.after_setback(Setback::Passing, 0.0) <= BACKOFF_BASE);
        assert_eq!(pace.after_success(false, 0.5), TEN);
        assert_eq!(pace.after_setback(Setback::Passing, 1.0), BACKOFF_BASE);
    }

    #[test]
    fn what_the_api_asks_for_is_granted() {
        let mut pace = Pace::new(TEN);
        let asked = Setback::Throttled(Some(Duration::from_secs(7)));
        assert_eq!(pace.after_setback(asked, 0.0), Duration::from_secs(7));
        assert_eq!(pace.after_setback(Setback::Lasting, 0.0), BACKOFF_CAP);
    }

    #[test]
    fn a_kind_of_calls_waits_longer_with_each_failure() {
        let (mut back_off, start) = (BackOff::default(), Instant::now());
        let after = |second| start + Duration::from_secs(second);
        for seconds in [1, 2, 4] {
            back_off.extend(Setback::Passing, start, 1.0);
            assert!(!back_off.is_over(after(seconds - 1)) && back_off.is_over(after(seconds)));
        }
        back_off.extend(Setback::Lasting, start, 0.0);
        assert!(!back_off.is_over(after(59)) && back_off.is_over(after(60)));
    }

    #[test]
    fn the_budget_allows_a_burst_and_then_five_a_second() {
        let start = Instant::now();
        let mut budget = CallBudget::new(start);
        let waits: Vec<Duration> = (0..25).map(|_| budget.take(start)).collect();
        assert!(waits[..20].iter().all(Duration::is_zero));
        assert_eq!(waits[20], Duration::from_millis(200));
        assert_eq!(waits[24], Duration::from_secs(1));
        let later = start + Duration::from_secs(3);
        assert!(budget.take(later).is_zero());
    }
}
