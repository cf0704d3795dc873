//! What one worker records in one histogram.

use hdrhistogram::Histogram;

use super::log_linear::Bin;

/// How finely values are told apart while they are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// Three significant digits; 8 KB for values below two seconds, 50 KB for an hour.
    Fine,
    /// Two significant digits; 1 KB for values below a quarter of a second, 7 KB for an hour.
    Coarse,
}

/// An HDR histogram in milliseconds, which grows with the largest value.
#[derive(Debug)]
pub struct Recorder(Histogram<u32>);

impl Recorder {
    /// Nothing recorded yet.
    pub fn new(precision: Precision) -> Self {
        let digits = match precision {
            Precision::Fine => 3,
            Precision::Coarse => 2,
        };
        Self(Histogram::new(digits).expect("between 0 and 5 digits"))
    }

    /// Counts `value`.
    pub fn record(&mut self, value: u64) {
        // A histogram that may grow takes any value that we measure.
        let recorded = self.0.record(value);
        debug_assert!(recorded.is_ok(), "{value} is beyond all histograms");
    }

    /// The bins of Envoy's that hold something, and starts anew.
    pub fn take(&mut self) -> Vec<(Bin, u32)> {
        let mut taken: Vec<(Bin, u32)> = Vec::new();
        for step in self.0.iter_recorded() {
            let bin = Bin::of(self.0.lowest_equivalent(step.value_iterated_to()));
            match taken.last_mut() {
                Some((last, count)) if *last == bin => *count += step.count_at_value(),
                _ => taken.push((bin, step.count_at_value())),
            }
        }
        self.0.reset();
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_in_envoys_bins_and_gone() {
        for precision in [Precision::Fine, Precision::Coarse] {
            let mut recorder = Recorder::new(precision);
            let values = [0, 1, 1, 9, 10, 99, 100, 255, 251, 3_600_000];
            values.iter().for_each(|value| recorder.record(*value));
            let expected: Vec<(Bin, u32)> =
                [(0, 1), (1, 2), (9, 1), (10, 1), (99, 1), (100, 1), (250, 2), (3_600_000, 1)]
                    .map(|(value, count)| (Bin::of(value), count))
                    .into();
            // Within its digits the largest value may fall into the bin below.
            let taken = recorder.take();
            assert_eq!(taken[..7], expected[..7], "{precision:?}");
            assert_eq!(taken.len(), 8);
            assert!(recorder.take().is_empty());
        }
    }
}
