//! Earliest deadline first: spreads picks by weight as evenly as can be.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// A schedule over indices with weights: an index of weight 3 is picked three times as often as
/// one of weight 1, and never three times in a row where that can be avoided.
#[derive(Debug, Default)]
pub struct EdfSchedule {
    queue: BinaryHeap<Entry>,
    now: f64,
    order: u64,
}

#[derive(Debug)]
struct Entry {
    deadline: f64,
    /// Ties go to the entry queued first.
    order: u64,
    index: u32,
}

impl EdfSchedule {
    /// A schedule over `weights`; what weighs nothing is not in it.
    pub fn new(weights: impl Iterator<Item = f64>) -> Self {
        let weighty = weights.zip(0..).filter(|(weight, _)| *weight > 0.0);
        let mut order = 0;
        let entries = weighty.map(|(weight, index)| {
            order += 1;
            Entry { deadline: 1.0 / weight, order, index }
        });
        // From the whole list: as many steps as there are entries.
        let queue = entries.collect::<Vec<_>>().into();
        Self { queue, now: 0.0, order }
    }

    /// As after some picks from a schedule over `weights`, which `seed` says how many, without making them: it
    /// takes as many steps as there are weights, which may be thousands whenever one of them changes.
    pub fn begun(weights: &[f64], seed: usize) -> Self {
        let count = weights.len();
        let picks = seed.checked_rem(count).unwrap_or_default();
        // Counts of hosts are far below 2^53.
        let now = picks as f64 / weights.iter().sum::<f64>();
        let entry = |(index, weight): (usize, &f64)| {
            let deadline = ((now * weight).floor() + 1.0) / weight;
            // Of equals those come first that were not picked yet.
            let order = (index + count - picks) % count;
            Entry { deadline, order: order as u64, index: index as u32 }
        };
        let weighty = weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0);
        let queue = weighty.map(entry).collect::<Vec<_>>().into();
        Self { queue, now, order: count as u64 }
    }

    /// The next index. It comes again after a time by `weight` of it, which may have changed.
    pub fn pick(&mut self, weight: impl FnOnce(u32) -> f64) -> Option<u32> {
        let mut first = self.queue.peek_mut()?;
        let index = first.index;
        self.now = first.deadline;
        self.order += 1;
        first.deadline = self.now + 1.0 / weight(index).max(f64::MIN_POSITIVE);
        first.order = self.order;
        Some(index)
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        // The heap yields its greatest entry; the earliest deadline must be that.
        other.deadline.total_cmp(&self.deadline).then(other.order.cmp(&self.order))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

#[cfg(test)]
mod tests {
    use super::*;

    fn picks(weights: &[f64], count: usize) -> Vec<u32> {
        let mut schedule = EdfSchedule::new(weights.iter().copied());
        (0..count).filter_map(|_| schedule.pick(|index| weights[index as usize])).collect()
    }

    #[test]
    fn weights_three_to_one_give_a_a_b_a() {
        let picks = picks(&[3.0, 1.0], 8);
        assert_eq!(picks.iter().filter(|&&index| index == 1).count(), 2);
        assert_eq!(picks[..4], [0, 0, 1, 0]);
    }

    #[test]
    fn wherever_it_begins_shares_are_by_weight() {
        for (weights, shares) in [
            (vec![3.0, 1.0], vec![6, 2]),
            (vec![1.0, 1.0, 1.0, 1.0], vec![2, 2, 2, 2]),
            (vec![5.0, 0.0, 2.0, 1.0], vec![10, 0, 4, 2]),
        ] {
            for seed in 0..9 {
                let mut schedule = EdfSchedule::begun(&weights, seed);
                let mut picked = vec![0; weights.len()];
                for _ in 0..shares.iter().sum() {
                    let index =
                        schedule.pick(|index| weights[index as usize]).expect("one of them");
                    picked[index as usize] += 1;
                }
                assert_eq!(picked, shares, "{seed}");
            }
        }
        assert_eq!(EdfSchedule::begun(&[], 3).pick(|_| 1.0), None);
    }

    #[test]
    fn equals_go_on_where_it_begins() {
        for seed in 0..4 {
            let mut begun = EdfSchedule::begun(&[2.0; 4], seed);
            let picks: Vec<_> = (0..8).filter_map(|_| begun.pick(|_| 2.0)).collect();
            let expected: Vec<u32> = (0..8).map(|at| (seed as u32 + at) % 4).collect();
            assert_eq!(picks, expected);
        }
    }

    #[test]
    fn nothing_and_what_weighs_nothing_is_not_picked() {
        assert!(picks(&[], 3).is_empty());
        assert_eq!(picks(&[0.0, 1.0], 3), [1, 1, 1]);
        assert!(picks(&[0.0], 3).is_empty());
    }

    #[test]
    fn a_weight_that_changes_counts_from_the_next_pick_on() {
        let mut schedule = EdfSchedule::new([1.0, 1.0].into_iter());
        let picks: Vec<_> =
            (0..9).filter_map(|_| schedule.pick(|index| [0.5, 1.0][index as usize])).collect();
        assert_eq!(picks.iter().filter(|&&index| index == 1).count(), 6);
    }
}
