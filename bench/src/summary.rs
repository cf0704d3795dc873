//! From the samples of all rounds to one row of the table: medians with the range they lie in.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::metric::Metric;
use crate::scenario::Scenario;
use crate::side::{Installed, Side};

/// The kernel's ticks are samples: below this, others cannot be told from the error of counting.
const OTHERS_PERCENT_MAX: f64 = 5.0;

/// What one measurement gave.
pub type Sample = BTreeMap<Metric, f64>;

/// The figures of a row.
pub type Figures = BTreeMap<Metric, Spread>;

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
    /// What they were made of, a sample of each round; empty if one failed.
    pub rounds: Vec<Sample>,
}

impl Row {
    /// Sums up `samples`, of which there is at least one.
    pub fn new(
        scenario: &'static Scenario,
        installed: &Installed,
        samples: &[Result<Sample, String>],
    ) -> Self {
        let rounds = samples.iter().cloned().collect::<Result<Vec<_>, _>>();
        Self {
            scenario,
            side: installed.side,
            release: installed.release.clone(),
            outcome: rounds.as_deref().map(figures).map_err(Clone::clone),
            rounds: rounds.unwrap_or_default(),
        }
    }

    /// How `metric` compares with a peer's in the same round, over all rounds. The machine changes less within a
    /// round than over the run.
    pub fn ratio_to(&self, peer: &Self, metric: Metric) -> Option<Spread> {
        let pairs = self.rounds.iter().zip(&peer.rounds);
        let ratios = pairs.filter_map(|(own, peer)| Some(own.get(&metric)? / peer.get(&metric)?));
        let finite: Vec<f64> = ratios.filter(|ratio| ratio.is_finite()).collect();
        (!finite.is_empty()).then(|| Spread::of(finite))
    }

    /// Did other processes take so much of the proxy's core in some round that the figures of this
    /// row cannot be held against another's?
    pub fn is_disturbed(&self) -> bool {
        let others = self.figure(Metric::OthersPercent);
        others.is_some_and(|others| others.max > OTHERS_PERCENT_MAX)
    }

    /// What was found of `metric`, if it was measured.
    pub fn figure(&self, metric: Metric) -> Option<Spread> {
        self.outcome.as_ref().ok()?.get(&metric).copied()
    }

    /// The one that stands for the row.
    pub fn first_metric(&self) -> Option<Metric> {
        self.outcome.as_ref().ok()?.keys().next().copied()
    }

    /// Did every round go well?
    pub fn is_valid(&self) -> bool {
        self.outcome.is_ok()
    }
}

/// Of one scenario, so every sample has the same metrics.
fn figures(samples: &[Sample]) -> Figures {
    let metrics = samples.first().into_iter().flat_map(BTreeMap::keys);
    metrics
        .map(|&metric| {
            let values = samples.iter().filter_map(|sample| sample.get(&metric).copied());
            (metric, Spread::of(values.collect()))
        })
        .collect()
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
    #[test]
    fn ratios_are_those_within_a_round() {
        let row = |values: [f64; 3]| Row {
            scenario: crate::scenario::by_names(&["small".into()]).unwrap()[0],
            side: Side::Envoy,
            release: String::new(),
            outcome: Err(String::new()),
            rounds: values.map(|value| Sample::from([(Metric::CpuUs, value)])).into(),
        };
        // In the second round everything was twice as slow.
        let (own, peer) = (row([1.0, 2.0, 1.2]), row([4.0, 8.0, 4.0]));
        let ratio = own.ratio_to(&peer, Metric::CpuUs);
        assert_eq!(ratio, Some(Spread { median: 0.25, min: 0.25, max: 0.3 }));
        assert_eq!(own.ratio_to(&peer, Metric::P99Us), None);
    }
}
