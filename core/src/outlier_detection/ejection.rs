//! Who is ejected, and for how long. Pure: time and random numbers are handed in.

use std::time::{Duration, Instant};

use ringmain_config::cluster::EjectionLimits;

/// A cluster at the moment when one of its hosts is to be ejected.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    /// How many hosts there are.
    pub hosts: usize,
    /// How many are ejected.
    pub ejected: usize,
    /// Whether another healthy host would be left.
    pub leaves_healthy: bool,
}

/// Whether one more host may be ejected.
pub fn may_eject(limits: &EjectionLimits, standing: Standing) -> bool {
    let Standing { hosts, ejected, leaves_healthy } = standing;
    let within_percent = (ejected + 1) * 100 <= hosts * limits.max_ejection_percent as usize;
    within_percent || (ejected == 0 && limits.always_eject_one_host.unwrap_or(leaves_healthy))
}

/// A host's ejections.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ejections {
    /// When it was ejected last.
    ejected_at: Option<Instant>,
    /// When it was taken back last.
    unejected_at: Option<Instant>,
    is_ejected: bool,
    /// How often it was ejected of late: each time it stays out longer.
    backoff: u32,
    jitter: Duration,
    /// How often it was ejected at all.
    count: u32,
}

impl Ejections {
    /// Whether it is out.
    pub fn is_ejected(&self) -> bool {
        self.is_ejected
    }

    /// How often it was ejected.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// How long ago it was ejected last.
    pub fn since_ejection(&self, now: Instant) -> Option<Duration> {
        self.ejected_at.map(|last| now.saturating_duration_since(last))
    }

    /// How long ago it was taken back last.
    pub fn since_unejection(&self, now: Instant) -> Option<Duration> {
        self.unejected_at.map(|last| now.saturating_duration_since(last))
    }

    /// It goes out.
    pub fn eject(&mut self, limits: &EjectionLimits, now: Instant, random: u64) {
        self.is_ejected = true;
        self.ejected_at = Some(now);
        self.count += 1;
        self.jitter = jitter(limits.max_ejection_time_jitter, random);
        let base = limits.base_ejection_time;
        if base.saturating_mul(self.backoff) < limits.max_ejection_time.saturating_add(base) {
            self.backoff += 1;
        }
    }

    /// A look once an interval: whether it may come back. A host that has stayed in is forgiven one
    /// ejection.
    pub fn may_return(&mut self, limits: &EjectionLimits, now: Instant) -> bool {
        let Some(ejected_at) = self.ejected_at.filter(|_| self.is_ejected) else {
            self.backoff = self.backoff.saturating_sub(1);
            return false;
        };
        let time = limits.base_ejection_time.saturating_mul(self.backoff);
        let time = time.min(limits.max_ejection_time).saturating_add(self.jitter);
        now.saturating_duration_since(ejected_at) >= time
    }

    /// It comes back.
    pub fn uneject(&mut self, now: Instant) {
        self.is_ejected = false;
        self.unejected_at = Some(now);
    }
}

/// At random up to `max`, in whole milliseconds.
fn jitter(max: Duration, random: u64) -> Duration {
    let max_ms = u64::try_from(max.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(random % max_ms.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    const LIMITS: EjectionLimits = EjectionLimits {
        base_ejection_time: Duration::from_secs(30),
        max_ejection_time: Duration::from_secs(100),
        max_ejection_time_jitter: Duration::ZERO,
        max_ejection_percent: 10,
        always_eject_one_host: None,
    };

    #[test]
    fn one_host_of_few_may_go_where_another_healthy_one_is_left() {
        let may = |always_eject_one_host, hosts, ejected, leaves_healthy| {
            let limits = EjectionLimits { always_eject_one_host, ..LIMITS };
            may_eject(&limits, Standing { hosts, ejected, leaves_healthy })
        };
        for (always, hosts, ejected, leaves_healthy, expected) in [
            (None, 10, 0, true, true),
            (None, 20, 1, true, true),
            (None, 10, 1, true, false),
            (None, 2, 0, true, true),
            (None, 2, 0, false, false),
            (None, 1, 0, false, false),
            (Some(true), 1, 0, false, true),
            (Some(true), 2, 1, true, false),
            (Some(false), 9, 0, true, false),
            (Some(false), 10, 0, false, true),
        ] {
            let told = may(always, hosts, ejected, leaves_healthy);
            assert_eq!(told, expected, "{always:?} {hosts} {ejected} {leaves_healthy}");
        }
    }

    /// What each step leads to: `e` ejects at once, a number looks so many seconds later.
    fn table(limits: &EjectionLimits, random: u64, steps: &str) -> String {
        let (mut now, mut host) = (Instant::now(), Ejections::default());
        let mut text = String::new();
        for step in steps.split(' ') {
            match step.parse() {
                Err(_) => host.eject(limits, now, random),
                Ok(seconds) => {
                    now += Duration::from_secs(seconds);
                    if host.may_return(limits, now) {
                        host.uneject(now);
                    }
                }
            }
            let state = if host.is_ejected() { "out" } else { "in" };
            writeln!(text, "{step}: {state} times {} backoff {}", host.count, host.backoff)
                .unwrap();
        }
        text
    }

    #[test]
    fn a_host_stays_out_longer_each_time_and_is_forgiven_by_and_by() {
        assert_eq!(
            table(&LIMITS, 0, "e 29 1 e 59 1 0 0 0 e 30"),
            "\
e: out times 1 backoff 1
29: out times 1 backoff 1
1: in times 1 backoff 1
e: out times 2 backoff 2
59: out times 2 backoff 2
1: in times 2 backoff 2
0: in times 2 backoff 1
0: in times 2 backoff 0
0: in times 2 backoff 0
e: out times 3 backoff 1
30: in times 3 backoff 1
"
        );
    }

    #[test]
    fn the_time_has_a_greatest_value() {
        assert_eq!(
            table(&LIMITS, 0, "e 30 e 60 e 90 e 99 1 e 100 e 100"),
            "\
e: out times 1 backoff 1
30: in times 1 backoff 1
e: out times 2 backoff 2
60: in times 2 backoff 2
e: out times 3 backoff 3
90: in times 3 backoff 3
e: out times 4 backoff 4
99: out times 4 backoff 4
1: in times 4 backoff 4
e: out times 5 backoff 5
100: in times 5 backoff 5
e: out times 6 backoff 5
100: in times 6 backoff 5
"
        );
    }

    #[test]
    fn jitter_is_added() {
        let limits = EjectionLimits { max_ejection_time_jitter: Duration::from_secs(5), ..LIMITS };
        assert_eq!(
            table(&limits, 5000, "e 34 1"),
            "\
e: out times 1 backoff 1
34: out times 1 backoff 1
1: in times 1 backoff 1
"
        );
    }
}
