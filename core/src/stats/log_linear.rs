//! The bins of Envoy's histograms: two significant decimal digits, 90 bins to each power of ten.
//! Bounds, quantiles and sums are computed as Envoy computes them, so that they come out equal.

use std::collections::BTreeMap;

/// Powers of ten that are told apart: values up to 10^10 ms, which is 115 days.
const MAGNITUDES: usize = 10;
const PER_MAGNITUDE: usize = 90;
const VALUE_MAX: u64 = 10_u64.pow(MAGNITUDES as u32) - 1;

/// A bin's place: 0 holds the value 0, then they follow in order of value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bin(u16);

impl Bin {
    /// The bin of `value`; values of more than 115 days in milliseconds share the last one.
    pub fn of(value: u64) -> Self {
        let value = value.min(VALUE_MAX);
        let Some(magnitude) = value.checked_ilog10() else { return Self(0) };
        let mantissa = match magnitude {
            0 => value * 10,
            _ => value / 10_u64.pow(magnitude - 1),
        };
        let index = 1 + magnitude as usize * PER_MAGNITUDE + (mantissa as usize - 10);
        Self(u16::try_from(index).expect("901 bins"))
    }

    /// The smallest value that belongs here.
    pub fn lower_bound(self) -> f64 {
        let Some(index) = self.0.checked_sub(1).map(usize::from) else { return 0.0 };
        let mantissa = index % PER_MAGNITUDE + 10;
        #[allow(clippy::cast_precision_loss, reason = "two digits")]
        let mantissa = mantissa as f64;
        match index / PER_MAGNITUDE {
            0 => mantissa / 10.0,
            magnitude => mantissa * 10_f64.powi(magnitude as i32 - 1),
        }
    }

    /// How far it reaches beyond its lower bound.
    pub fn width(self) -> f64 {
        let Some(index) = self.0.checked_sub(1).map(usize::from) else { return 0.0 };
        match index / PER_MAGNITUDE {
            0 => 0.1,
            magnitude => 10_f64.powi(magnitude as i32 - 1),
        }
    }

    /// What a value of this bin counts in a sum: the harmonic mean of the bounds.
    fn mean(self) -> f64 {
        let (low, high) = (self.lower_bound(), self.lower_bound() + self.width());
        if high == 0.0 { 0.0 } else { 2.0 * low * high / (low + high) }
    }
}

/// Counts by bin, of all workers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram(BTreeMap<Bin, u64>);

impl Histogram {
    /// Adds what a worker recorded.
    pub fn add(&mut self, recorded: &[(Bin, u32)]) {
        for (bin, count) in recorded {
            *self.0.entry(*bin).or_default() += u64::from(*count);
        }
    }

    /// Adds another histogram.
    pub fn merge(&mut self, other: &Self) {
        for (bin, count) in &other.0 {
            *self.0.entry(*bin).or_default() += count;
        }
    }

    /// Nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many values were recorded.
    pub fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// About the sum of the values.
    pub fn sum(&self) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "an approximation anyway")]
        let weigh = |(bin, count): (&Bin, &u64)| bin.mean() * *count as f64;
        self.0.iter().map(weigh).sum()
    }

    /// The bins that hold something, in order.
    pub fn bins(&self) -> impl Iterator<Item = (Bin, u64)> {
        self.0.iter().map(|(bin, count)| (*bin, *count))
    }

    /// How many values lie in bins that begin at `bound` or below.
    pub fn count_to(&self, bound: f64) -> u64 {
        self.bins().filter(|(bin, _)| bin.lower_bound() <= bound).map(|(_, count)| count).sum()
    }

    /// The value below which `quantile` (0 to 1) of the values lie; `None` without values. Values
    /// are taken to lie at even distances inside their bin.
    pub fn quantile(&self, quantile: f64) -> Option<f64> {
        #[allow(clippy::cast_precision_loss, reason = "an approximation anyway")]
        let rank = (quantile * self.count() as f64).ceil().max(1.0);
        let mut below = 0.0;
        for (bin, count) in self.bins() {
            #[allow(clippy::cast_precision_loss, reason = "an approximation anyway")]
            let count = count as f64;
            if rank <= below + count {
                return Some(bin.lower_bound() + bin.width() * (rank - below) / (count + 1.0));
            }
            below += count;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(values: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        let recorded: Vec<_> = values.iter().map(|value| (Bin::of(*value), 1)).collect();
        histogram.add(&recorded);
        histogram
    }

    #[test]
    fn bins_have_two_digits() {
        for (value, lower, width) in [
            (0, 0.0, 0.0),
            (1, 1.0, 0.1),
            (9, 9.0, 0.1),
            (10, 10.0, 1.0),
            (99, 99.0, 1.0),
            (255, 250.0, 10.0),
            (2560, 2500.0, 100.0),
            (u64::MAX, 9_900_000_000.0, 100_000_000.0),
        ] {
            let bin = Bin::of(value);
            assert_eq!((bin.lower_bound(), bin.width()), (lower, width), "of {value}");
        }
    }

    /// Values and results of a real Envoy 1.40.
    #[test]
    fn quantiles_and_sums_are_envoys() {
        let histogram = histogram(&[1, 1, 5]);
        assert_eq!(histogram.quantile(0.0), Some(1.033_333_333_333_333_4));
        assert_eq!(histogram.quantile(0.5), Some(1.066_666_666_666_666_7));
        assert_eq!(histogram.quantile(1.0), Some(5.05));
        assert!((histogram.sum() - 7.144_743_045_733_145).abs() < 1e-12, "{}", histogram.sum());
        assert_eq!([0.5, 1.0, 5.0].map(|bound| histogram.count_to(bound)), [0, 2, 3]);
    }

    #[test]
    fn nothing_has_no_quantile() {
        assert_eq!(histogram(&[]).quantile(0.5), None);
        assert_eq!(histogram(&[0]).quantile(0.5), Some(0.0));
    }
}
