//! How long after a check the next one follows. Pure: random numbers are handed in.

use std::time::Duration;

use ringmain_config::cluster::Intervals;

use super::state::Transition;

/// What the pause depends on.
#[derive(Debug, Clone, Copy)]
pub struct LastCheck {
    /// Whether the cluster ever had a connection.
    pub had_traffic: bool,
    /// Whether the check succeeded.
    pub succeeded: bool,
    /// What it changed.
    pub transition: Transition,
}

/// The pause after `last`, without jitter.
pub fn base(intervals: &Intervals, last: LastCheck) -> Duration {
    let is_edge = last.transition == Transition::ChangePending;
    match (last.had_traffic, last.succeeded) {
        (false, true) => intervals.no_traffic_healthy_interval,
        (false, false) => intervals.no_traffic_interval,
        (true, true) if is_edge => intervals.healthy_edge_interval,
        (true, true) => intervals.interval,
        (true, false) if is_edge => intervals.unhealthy_edge_interval,
        (true, false) => intervals.unhealthy_interval,
    }
}

/// No pause is shorter, whatever the file says.
const LEAST: Duration = Duration::from_millis(1);

/// `pause` with the jitter of `intervals`, within their limits.
pub fn jittered(
    intervals: &Intervals,
    pause: Duration,
    mut random: impl FnMut() -> u64,
) -> Duration {
    let percent = u128::from(intervals.interval_jitter_percent);
    let by_percent = pause.as_millis().saturating_mul(percent) / 100;
    let by_percent = below(u64::try_from(by_percent).unwrap_or(u64::MAX), random());
    let pause = pause.saturating_add(by_percent);
    let pause = pause.saturating_add(within(intervals.interval_jitter, random()));
    // Of two limits that contradict each other the least one counts, as in Envoy.
    pause.min(intervals.greatest).max(intervals.least).max(LEAST)
}

/// A random duration below `limit`, in whole milliseconds.
pub fn within(limit: Duration, random: u64) -> Duration {
    below(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX), random)
}

fn below(limit_ms: u64, random: u64) -> Duration {
    Duration::from_millis(random.checked_rem(limit_ms).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intervals() -> Intervals {
        let of = Duration::from_secs;
        Intervals {
            interval: of(1),
            unhealthy_interval: of(2),
            unhealthy_edge_interval: of(3),
            healthy_edge_interval: of(4),
            no_traffic_interval: of(5),
            no_traffic_healthy_interval: of(6),
            interval_jitter: Duration::ZERO,
            interval_jitter_percent: 0,
            least: Duration::ZERO,
            greatest: Duration::MAX,
        }
    }

    #[test]
    fn the_pause_follows_from_what_the_check_came_to() {
        use Transition::{ChangePending, Changed, Unchanged};
        for (had_traffic, succeeded, transition, seconds) in [
            (true, true, Unchanged, 1),
            (true, true, Changed, 1),
            (true, true, ChangePending, 4),
            (true, false, Unchanged, 2),
            (true, false, Changed, 2),
            (true, false, ChangePending, 3),
            (false, false, ChangePending, 5),
            (false, true, ChangePending, 6),
        ] {
            let last = LastCheck { had_traffic, succeeded, transition };
            assert_eq!(base(&intervals(), last), Duration::from_secs(seconds), "{last:?}");
        }
    }

    #[test]
    fn jitter_adds_to_the_pause() {
        let pause = Duration::from_secs(10);
        let with = |percent, jitter_ms, random| {
            let jitter = Duration::from_millis(jitter_ms);
            let intervals = Intervals {
                interval_jitter: jitter,
                interval_jitter_percent: percent,
                ..intervals()
            };
            jittered(&intervals, pause, || random).as_millis()
        };
        assert_eq!(with(0, 0, 7), 10_000);
        assert_eq!(with(10, 0, 999), 10_999);
        assert_eq!(with(10, 0, 1000), 10_000);
        assert_eq!(with(0, 500, 499), 10_499);
        assert_eq!(with(10, 500, 1499), 10_000 + 499 + 499);
        assert_eq!(with(u32::MAX, u64::MAX, 0), 10_000);
    }

    #[test]
    fn the_least_and_the_greatest_pause_count_with_the_jitter() {
        let pause = |least, greatest| {
            let (least, greatest) = (Duration::from_millis(least), Duration::from_millis(greatest));
            let intervals = Intervals {
                interval_jitter: Duration::from_millis(100),
                least,
                greatest,
                ..intervals()
            };
            jittered(&intervals, Duration::from_secs(1), || 50).as_millis()
        };
        assert_eq!(pause(0, 2000), 1050);
        assert_eq!(pause(1500, 2000), 1500);
        assert_eq!(pause(0, 1020), 1020);
        assert_eq!(pause(1500, 10), 1500);
        assert_eq!(pause(0, 0), 1);
    }
}
