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
    index: usize,
    weight: f64,
}

impl EdfSchedule {
    /// A schedule over `weights`, all above zero.
    pub fn new(weights: impl Iterator<Item = u32>) -> Self {
        let mut schedule = Self::default();
        for (index, weight) in weights.enumerate() {
            schedule.push(index, f64::from(weight));
        }
        schedule
    }

    fn push(&mut self, index: usize, weight: f64) {
        let deadline = self.now + 1.0 / weight;
        self.queue.push(Entry { deadline, order: self.order, index, weight });
        self.order += 1;
    }

    /// The next index.
    pub fn pick(&mut self) -> Option<usize> {
        let entry = self.queue.pop()?;
        self.now = entry.deadline;
        self.push(entry.index, entry.weight);
        Some(entry.index)
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

    #[test]
    fn weights_three_to_one_give_a_a_b_a() {
        let mut schedule = EdfSchedule::new([3, 1].into_iter());
        let picks: Vec<usize> = (0..8).filter_map(|_| schedule.pick()).collect();
        assert_eq!(picks.iter().filter(|&&index| index == 1).count(), 2);
        assert_eq!(picks[..4], [0, 0, 1, 0]);
    }

    #[test]
    fn an_empty_schedule_picks_nothing() {
        assert_eq!(EdfSchedule::default().pick(), None);
    }
}
