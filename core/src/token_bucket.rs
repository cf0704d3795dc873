//! A token bucket that all workers share without a lock (`envoy.type.v3.TokenBucket`).
//!
//! One number says it all: the moment at which the bucket was empty, had it been filled since then and
//! nothing been taken. Tokens come steadily, not by the fill, as in Envoy.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ringmain_config::token_bucket::TokenBucket as Config;

/// The bucket; full at first.
#[derive(Debug)]
pub struct TokenBucket {
    epoch: Instant,
    max_tokens: f64,
    tokens_per_second: f64,
    /// Seconds since the epoch, which may be negative, as the bits of a float.
    empty_at: AtomicU64,
}

impl TokenBucket {
    /// A full bucket.
    pub fn new(config: &Config) -> Self {
        let tokens_per_second =
            f64::from(config.tokens_per_fill) / config.fill_interval.as_secs_f64();
        let max_tokens = f64::from(config.max_tokens);
        let empty_at = -max_tokens / tokens_per_second;
        Self {
            epoch: Instant::now(),
            max_tokens,
            tokens_per_second,
            empty_at: AtomicU64::new(empty_at.to_bits()),
        }
    }

    /// Takes a token; false where there is none.
    pub fn take(&self, now: Instant) -> bool {
        let now = self.seconds(now);
        let take = |empty_at: u64| {
            let tokens = self.tokens(now, f64::from_bits(empty_at));
            (tokens >= 1.0).then(|| (now - (tokens - 1.0) / self.tokens_per_second).to_bits())
        };
        self.empty_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    /// How fast it is filled.
    pub fn tokens_per_second(&self) -> f64 {
        self.tokens_per_second
    }

    /// How many tokens it can hold.
    pub fn max_tokens(&self) -> u32 {
        whole(self.max_tokens)
    }

    /// How many whole tokens there are.
    pub fn left(&self, now: Instant) -> u32 {
        whole(self.tokens_now(now))
    }

    /// When the next token will be there; zero where one is.
    pub fn next_after(&self, now: Instant) -> Duration {
        let missing = (1.0 - self.tokens_now(now)).max(0.0);
        Duration::from_secs_f64(missing / self.tokens_per_second)
    }

    fn tokens_now(&self, now: Instant) -> f64 {
        let empty_at = f64::from_bits(self.empty_at.load(Ordering::Relaxed));
        self.tokens(self.seconds(now), empty_at)
    }

    fn tokens(&self, now: f64, empty_at: f64) -> f64 {
        ((now - empty_at) * self.tokens_per_second).min(self.max_tokens)
    }

    fn seconds(&self, now: Instant) -> f64 {
        now.saturating_duration_since(self.epoch).as_secs_f64()
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "at least 0, at most what a u32 configured"
)]
fn whole(tokens: f64) -> u32 {
    // A float just below a whole number is that number.
    (tokens + 1e-9).max(0.0) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(max_tokens: u32, tokens_per_fill: u32, fill_interval_ms: u64) -> TokenBucket {
        TokenBucket::new(&Config {
            max_tokens,
            tokens_per_fill,
            fill_interval: Duration::from_millis(fill_interval_ms),
        })
    }

    #[test]
    fn full_at_first_and_then_filled_steadily() {
        let bucket = bucket(2, 1, 1000);
        let at = |ms| bucket.epoch + Duration::from_millis(ms);
        assert!(bucket.take(at(0)) && bucket.take(at(0)) && !bucket.take(at(0)));
        assert!(!bucket.take(at(999)));
        assert!(bucket.take(at(1001)) && !bucket.take(at(1001)));
        assert_eq!(bucket.left(at(100_000)), 2);
        assert!(bucket.take(at(100_000)));
        assert_eq!(bucket.left(at(100_000)), 1);
    }

    #[test]
    fn nothing_comes_out_of_a_bucket_without_room() {
        let bucket = bucket(0, 1, 50);
        assert!(!bucket.take(bucket.epoch + Duration::from_secs(1000)));
    }

    #[test]
    fn threads_take_each_token_once() {
        let bucket = bucket(1000, 1, 1_000_000_000);
        let now = bucket.epoch;
        let taken: usize = std::thread::scope(|scope| {
            let take = || (0..500).filter(|_| bucket.take(now)).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
            threads.into_iter().map(|thread| thread.join().expect("it does not panic")).sum()
        });
        assert_eq!(taken, 1000);
    }
}
