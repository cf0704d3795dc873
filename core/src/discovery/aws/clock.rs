//! The time by which calls are signed. AWS refuses signatures that are more than minutes off, so that a
//! machine whose clock is wrong would find no host: from such an answer on, the time is that of its `Date`.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use aws_smithy_async::time::TimeSource;
use httpdate::parse_http_date;

/// Off by less than this, a clock is not why a signature was refused.
const TOLERANCE_SECONDS: u64 = 4 * 60;

/// How far AWS is ahead of the machine's clock, for all calls of the process.
static AHEAD_SECONDS: AtomicI64 = AtomicI64::new(0);

/// The machine's clock, put right.
#[derive(Debug, Clone, Copy)]
pub struct SigningClock;

impl TimeSource for SigningClock {
    fn now(&self) -> SystemTime {
        moved(SystemTime::now(), AHEAD_SECONDS.load(Ordering::Relaxed))
    }
}

/// Takes over the `Date` of an answer that refuses a signature, where that was made at another time. How
/// far AWS is ahead of the machine's clock then, in seconds.
pub fn follow(date: &str) -> Option<i64> {
    let theirs = parse_http_date(date).ok()?;
    if seconds_from(SigningClock.now(), theirs).unsigned_abs() <= TOLERANCE_SECONDS {
        return None;
    }
    let ahead = seconds_from(SystemTime::now(), theirs);
    AHEAD_SECONDS.store(ahead, Ordering::Relaxed);
    Some(ahead)
}

fn seconds_from(earlier: SystemTime, later: SystemTime) -> i64 {
    let seconds = |span: Duration| i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
    match later.duration_since(earlier) {
        Ok(span) => seconds(span),
        Err(error) => -seconds(error.duration()),
    }
}

fn moved(time: SystemTime, ahead_seconds: i64) -> SystemTime {
    let by = Duration::from_secs(ahead_seconds.unsigned_abs());
    let moved = if ahead_seconds < 0 { time.checked_sub(by) } else { time.checked_add(by) };
    moved.unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_of_a_refusal_is_followed_and_left_again() {
        let date = |ahead| httpdate::fmt_http_date(moved(SystemTime::now(), ahead));
        let is_near = |ahead: i64, expected: i64| ahead.abs_diff(expected) <= 2;
        assert_eq!(follow(&date(200)), None);
        assert_eq!(follow("yesterday"), None);
        let ahead = follow(&date(-3600)).expect("an hour is too much");
        assert!(is_near(ahead, -3600), "{ahead}");
        assert_eq!(follow(&date(-3600)), None);
        let ahead = follow(&date(0)).expect("the machine's clock was set");
        assert!(is_near(ahead, 0), "{ahead}");
    }
}
