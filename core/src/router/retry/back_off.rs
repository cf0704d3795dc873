//! How long to wait before an attempt.

use std::time::{Duration, SystemTime};

use rand::Rng;
use ringmain_config::route::{BackOff, RateLimitedBackOff, ResetHeader, ResetHeaderFormat};
use ringmain_proto_codec::HeaderMap;

/// Random waits below an interval that doubles up to its maximum.
#[derive(Debug)]
pub struct ExponentialBackOff {
    interval_ms: u64,
    max_ms: u64,
}

impl ExponentialBackOff {
    /// The first wait is below `config.base`.
    pub fn new(config: &BackOff) -> Self {
        let ms = |interval: Duration| u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
        Self { interval_ms: ms(config.base).max(1), max_ms: ms(config.max).max(1) }
    }

    /// The next wait.
    pub fn next(&mut self, random: &mut impl Rng) -> Duration {
        let wait_ms = random.random_range(0..self.interval_ms);
        self.interval_ms = self.interval_ms.saturating_mul(2).min(self.max_ms);
        Duration::from_millis(wait_ms)
    }
}

/// The wait that the upstream asks for, at most half of it longer, so that not all come back at
/// once; `None` where it asks for none or for more than the maximum.
pub fn rate_limited(
    config: &RateLimitedBackOff,
    headers: &HeaderMap,
    now: SystemTime,
    random: &mut impl Rng,
) -> Option<Duration> {
    let asked = config
        .reset_headers
        .iter()
        .filter_map(|header| asked(header, headers, now))
        .find(|asked| *asked <= config.max)?;
    let asked_ms = u64::try_from(asked.as_millis()).ok()?;
    let jitter_ms = if asked_ms < 2 { 0 } else { random.random_range(0..asked_ms / 2) };
    Some(Duration::from_millis(asked_ms + jitter_ms))
}

fn asked(header: &ResetHeader, headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = std::str::from_utf8(headers.get_by_name(header.name.as_bytes())?).ok()?;
    let seconds = Duration::from_secs(value.trim().parse().ok()?);
    match header.format {
        ResetHeaderFormat::Seconds => Some(seconds),
        ResetHeaderFormat::UnixTimestamp => {
            seconds.checked_sub(now.duration_since(SystemTime::UNIX_EPOCH).ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    #[test]
    fn intervals_double_up_to_the_maximum() {
        let config = BackOff { base: Duration::from_millis(10), max: Duration::from_millis(35) };
        let mut random = StdRng::seed_from_u64(7);
        for _ in 0..1000 {
            let mut back_off = ExponentialBackOff::new(&config);
            for limit_ms in [10, 20, 35, 35] {
                assert!(back_off.next(&mut random) < Duration::from_millis(limit_ms));
            }
        }
    }

    #[test]
    fn a_reset_header_sets_the_wait() {
        let header = |name: &str, format| ResetHeader { name: name.to_owned(), format };
        let config = RateLimitedBackOff {
            reset_headers: vec![
                header("retry-after", ResetHeaderFormat::Seconds),
                header("x-ratelimit-reset", ResetHeaderFormat::UnixTimestamp),
            ],
            max: Duration::from_secs(10),
        };
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let mut random = StdRng::seed_from_u64(7);
        let mut wait = |fields: &[(&str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.append(name.as_bytes(), value.as_bytes());
            }
            rate_limited(&config, &headers, now, &mut random)
        };
        let four = wait(&[("retry-after", "4")]).expect("a wait");
        assert!((4_000..6_000).contains(&four.as_millis()), "{four:?}");
        let two = wait(&[("x-ratelimit-reset", "1002")]).expect("a wait");
        assert!((2_000..3_000).contains(&two.as_millis()), "{two:?}");
        // Too long, in the past, or no number.
        assert_eq!(wait(&[("retry-after", "11")]), None);
        assert_eq!(wait(&[("x-ratelimit-reset", "999")]), None);
        assert_eq!(wait(&[("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT")]), None);
        assert_eq!(wait(&[]), None);
    }
}
