//! How fast the body of a response may go to its client (`response_rate_limit` of the fault filter).
//!
//! A second has sixteen slices, each of which lets a sixteenth of the second's bytes go. Those that were not
//! used are kept for a second, as in Envoy; a response begins with one.

use std::cell::Cell;
use std::time::{Duration, Instant};

const SLICES_PER_SECOND: u64 = 16;
const SLICE: Duration = Duration::from_micros(1_000_000 / SLICES_PER_SECOND);

/// The pace of one response.
#[derive(Debug)]
pub struct ResponsePace {
    bytes_per_slice: usize,
    slices: Cell<u64>,
    /// Up to when slices were counted.
    counted: Cell<Instant>,
}

impl ResponsePace {
    /// A response that begins `now` and has `kib_per_second`, at least 1.
    pub fn new(kib_per_second: u64, now: Instant) -> Self {
        let bytes = kib_per_second.saturating_mul(1024 / SLICES_PER_SECOND);
        Self {
            bytes_per_slice: usize::try_from(bytes).unwrap_or(usize::MAX),
            slices: Cell::new(1),
            counted: Cell::new(now),
        }
    }

    /// How many of so many bytes, at least one of which there is, may go `now`; or else how long to wait.
    pub fn take(&self, bytes: usize, now: Instant) -> Result<usize, Duration> {
        let passed = now.saturating_duration_since(self.counted.get());
        let come = u64::try_from(passed.as_micros() / SLICE.as_micros()).unwrap_or(u64::MAX);
        let there = self.slices.get().saturating_add(come).min(SLICES_PER_SECOND);
        let counted = match come {
            0..SLICES_PER_SECOND => self.counted.get() + SLICE * u32::try_from(come).unwrap_or(0),
            _ => now,
        };
        self.counted.set(counted);
        if there == 0 {
            self.slices.set(0);
            return Err((counted + SLICE).saturating_duration_since(now));
        }
        let needed = u64::try_from(bytes.div_ceil(self.bytes_per_slice)).unwrap_or(u64::MAX);
        let taken = there.min(needed);
        self.slices.set(there - taken);
        let allowed = self.bytes_per_slice.saturating_mul(usize::try_from(taken).unwrap_or(1));
        Ok(allowed.min(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sixteenth_goes_in_each_sixteenth_of_a_second() {
        let start = Instant::now();
        let at = |micros| start + Duration::from_micros(micros);
        let pace = ResponsePace::new(16, start);
        assert_eq!(pace.take(5000, at(0)), Ok(1024));
        assert_eq!(pace.take(3976, at(0)), Err(Duration::from_micros(62_500)));
        assert_eq!(pace.take(3976, at(60_000)), Err(Duration::from_micros(2_500)));
        assert_eq!(pace.take(3976, at(62_500)), Ok(1024));
        assert_eq!(pace.take(2952, at(190_000)), Ok(2048));
        assert_eq!(pace.take(904, at(250_000)), Ok(904));
    }

    #[test]
    fn unused_slices_are_kept_for_a_second() {
        let start = Instant::now();
        let pace = ResponsePace::new(16, start);
        assert_eq!(pace.take(usize::MAX, start + Duration::from_secs(100)), Ok(16 * 1024));
        assert!(pace.take(1, start + Duration::from_secs(100)).is_err());
    }
}
