//! From the samples of all rounds to one row of the table: medians with the range they lie in.

use serde::Serialize;

use crate::scenario::Scenario;
use crate::side::{Installed, Side};

/// The kernel's ticks are samples: below this, others cannot be told from the error of counting.
const OTHERS_PERCENT_MAX: f64 = 5.0;

/// What one measurement gave.
#[derive(Debug, Clone)]
pub struct Sample {
    /// CPU time of the proxy per request, in microseconds.
    pub cpu_us: f64,
    /// Share of the proxy's core that other processes took meanwhile. They cost the proxy its
    /// caches, so its CPU time per request grows with it.
    pub others_percent: f64,
    pub requests_per_s: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    /// Resident memory after the first answer and after the scenario.
    pub rss_start_mib: f64,
    pub rss_after_mib: f64,
    /// From the start of the process to its first answer.
    pub start_ms: f64,
}

/// Median and range over the rounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

/// One side in one scenario.
#[derive(Debug, Serialize)]
pub struct Row {
    #[serde(serialize_with = "scenario_name")]
    pub scenario: &'static Scenario,
    #[serde(serialize_with = "side_name")]
    pub side: Side,
    pub release: String,
    /// The figures, or why there are none: one failed round spoils the row.
    pub outcome: Result<Figures, String>,
}

/// The figures of a row.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    pub cpu_us: Spread,
    pub others_percent: Spread,
    pub requests_per_s: Spread,
    pub p50_us: Spread,
    pub p99_us: Spread,
    pub rss_start_mib: Spread,
    pub rss_after_mib: Spread,
    pub start_ms: Spread,
}

impl Row {
    /// Sums up `samples`, of which there is at least one.
    pub fn new(
        scenario: &'static Scenario,
        installed: &Installed,
        samples: &[Result<Sample, String>],
    ) -> Self {
        let outcome = samples
            .iter()
            .cloned()
            .collect::<Result<Vec<_>, _>>()
            .map(|samples| Figures::new(&samples));
        Self { scenario, side: installed.side, release: installed.release.clone(), outcome }
    }

    /// Did other processes take so much of the proxy's core in some round that the figures of this
    /// row cannot be held against another's?
    pub fn is_disturbed(&self) -> bool {
        self.outcome.as_ref().is_ok_and(|figures| figures.others_percent.max > OTHERS_PERCENT_MAX)
    }

    /// Did every round go well?
    pub fn is_valid(&self) -> bool {
        self.outcome.is_ok()
    }
}

impl Figures {
    fn new(samples: &[Sample]) -> Self {
        let spread = |figure: fn(&Sample) -> f64| Spread::of(samples.iter().map(figure).collect());
        Self {
            cpu_us: spread(|sample| sample.cpu_us),
            others_percent: spread(|sample| sample.others_percent),
            requests_per_s: spread(|sample| sample.requests_per_s),
            p50_us: spread(|sample| sample.p50_us),
            p99_us: spread(|sample| sample.p99_us),
            rss_start_mib: spread(|sample| sample.rss_start_mib),
            rss_after_mib: spread(|sample| sample.rss_after_mib),
            start_ms: spread(|sample| sample.start_ms),
        }
    }
}

impl Spread {
    /// Of at least one value; of an even number the median is the mean of the two in the middle.
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let (middle, last) = (values.len() / 2, values.len() - 1);
        let median = (values[last / 2] + values[middle]) / 2.0;
        Self { median, min: values[0], max: values[last] }
    }
}

fn scenario_name<S: serde::Serializer>(
    scenario: &&'static Scenario,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(scenario.name)
}

fn side_name<S: serde::Serializer>(side: &Side, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(side.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_does_not_follow_an_outlier() {
        assert_eq!(
            Spread::of(vec![90.0, 11.0, 10.0]),
            Spread { median: 11.0, min: 10.0, max: 90.0 }
        );
        assert_eq!(
            Spread::of(vec![4.0, 1.0, 3.0, 2.0]),
            Spread { median: 2.5, min: 1.0, max: 4.0 }
        );
        assert_eq!(Spread::of(vec![7.0]), Spread { median: 7.0, min: 7.0, max: 7.0 });
    }
}
