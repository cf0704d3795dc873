//! Which hosts do worse than the others, or badly at all, by what they answered in one interval. Pure.

use ringmain_config::cluster::{FailurePercentage, SuccessRate};

use super::monitor::Totals;

/// A host's results of one interval.
#[derive(Debug, Clone, Copy)]
pub struct Interval {
    /// How many there were.
    pub volume: u64,
    /// How many of a hundred were good.
    pub rate: f64,
}

impl Interval {
    /// What came since `before`; none where nothing did.
    pub fn between(before: Totals, now: Totals) -> Option<Self> {
        let volume = now.total.saturating_sub(before.total);
        let good = now.success.saturating_sub(before.success);
        // Counts of an interval are far below 2^53.
        (volume > 0).then(|| Self { volume, rate: good as f64 * 100.0 / volume as f64 })
    }
}

/// The average of all hosts, and the rate below which one is an outlier, in percent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold {
    /// The average.
    pub average: f64,
    /// The average less `stdev_factor` standard deviations.
    pub ejection: f64,
}

/// The threshold among hosts with these rates; none where there are none.
pub fn threshold(rates: &[f64], config: &SuccessRate) -> Option<Threshold> {
    if rates.is_empty() || rates.len() < config.minimum_hosts as usize {
        return None;
    }
    // A cluster has far fewer than 2^53 hosts.
    let count = rates.len() as f64;
    let average = rates.iter().sum::<f64>() / count;
    let variance = rates.iter().map(|rate| (rate - average).powi(2)).sum::<f64>() / count;
    let factor = f64::from(config.stdev_factor) / 1000.0;
    Some(Threshold { average, ejection: average - factor * variance.sqrt() })
}

/// Whether a host of this rate fails too often.
pub fn fails_too_often(rate: f64, config: &FailurePercentage) -> bool {
    100.0 - rate >= f64::from(config.threshold)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: SuccessRate = SuccessRate {
        minimum_hosts: 3,
        request_volume: 5,
        stdev_factor: 500,
        enforcing: 100,
        enforcing_local_origin: 100,
    };

    /// As Envoy 1.40 tells it for the same answers.
    #[test]
    fn the_threshold_is_below_the_average_by_some_standard_deviations() {
        let told = threshold(&[100.0, 100.0, 0.0], &CONFIG)
            .map(|told| (format!("{:.4}", told.average), format!("{:.4}", told.ejection)));
        assert_eq!(told, Some(("66.6667".to_owned(), "43.0964".to_owned())));
        assert_eq!(threshold(&[100.0, 0.0], &CONFIG), None);
        let none = SuccessRate { minimum_hosts: 0, ..CONFIG };
        assert_eq!(threshold(&[], &none), None);
    }

    #[test]
    fn an_interval_is_what_came_since_the_last_one() {
        let totals = |total, success| Totals { total, success };
        let interval = Interval::between(totals(10, 10), totals(14, 13)).expect("results");
        assert_eq!((interval.volume, interval.rate), (4, 75.0));
        assert!(Interval::between(totals(10, 4), totals(10, 4)).is_none());
    }

    #[test]
    fn failures_count_from_the_threshold_on() {
        let config = FailurePercentage {
            threshold: 85,
            minimum_hosts: 5,
            request_volume: 50,
            enforcing: 0,
            enforcing_local_origin: 0,
        };
        assert!(fails_too_often(15.0, &config));
        assert!(!fails_too_often(15.1, &config));
    }
}
