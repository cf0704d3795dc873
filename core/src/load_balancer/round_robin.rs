//! `ROUND_ROBIN`: one after the other; by weight where weights differ.

use super::edf::EdfSchedule;

/// Picks indices `0..n` in turn.
#[derive(Debug, Default)]
pub struct RoundRobin {
    count: usize,
    next: usize,
    weighted: Option<EdfSchedule>,
}

impl RoundRobin {
    /// Starts over with as many indices as `weights` yields.
    pub fn set_weights(&mut self, weights: impl Iterator<Item = u32> + Clone) {
        self.count = weights.clone().count();
        let first = weights.clone().next();
        let equal = weights.clone().all(|weight| Some(weight) == first);
        self.weighted = (!equal).then(|| EdfSchedule::new(weights));
        self.next = self.next.checked_rem(self.count).unwrap_or(0);
    }

    /// The next index, or none where there is no host.
    pub fn choose(&mut self) -> Option<usize> {
        if let Some(schedule) = &mut self.weighted {
            return schedule.pick();
        }
        let chosen = self.next;
        self.next = (self.next + 1).checked_rem(self.count)?;
        Some(chosen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picks(balancer: &mut RoundRobin, count: usize) -> Vec<usize> {
        (0..count).filter_map(|_| balancer.choose()).collect()
    }

    #[test]
    fn equal_weights_take_turns() {
        let mut balancer = RoundRobin::default();
        balancer.set_weights([2, 2, 2].into_iter());
        assert_eq!(picks(&mut balancer, 5), [0, 1, 2, 0, 1]);
    }

    #[test]
    fn no_host_is_no_choice() {
        let mut balancer = RoundRobin::default();
        assert_eq!(balancer.choose(), None);
        balancer.set_weights([1].into_iter());
        assert_eq!(balancer.choose(), Some(0));
        balancer.set_weights([].into_iter());
        assert_eq!(balancer.choose(), None);
    }
}
