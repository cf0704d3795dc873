//! How the load is shared among the priorities of a cluster.
//!
//! A priority's availability is the share of its hosts that take requests, times the
//! `overprovisioning_factor`, 100 % at most. Load goes to the first priority as far as it is
//! available, what is left to the next, and to degraded hosts last. A priority with too few hosts left
//! is in panic: all its hosts take requests. Where all are in panic, each priority gets load by its
//! number of hosts.

use smallvec::SmallVec;

/// The hosts of one priority, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LevelCounts {
    /// All.
    pub hosts: u32,
    /// Those that count neither for nor against its health.
    pub excluded: u32,
    /// Those that take requests.
    pub healthy: u32,
    /// Those that take requests where healthy ones do not suffice.
    pub degraded: u32,
    /// Sums of weights where `weighted_priority_health` is on, else the counts again: all but the
    /// excluded, the healthy and the degraded.
    pub weights: [u64; 3],
}

impl LevelCounts {
    fn counted(&self) -> u32 {
        self.hosts - self.excluded
    }

    /// Healthy and degraded in percent, times `factor` percent; each 100 at most.
    fn availability(&self, factor: u32) -> [u32; 2] {
        let [total, healthy, degraded] = self.weights;
        let of = |part: u64| {
            let percent = (u64::from(factor) * part).checked_div(total).unwrap_or(0);
            u32::try_from(percent.min(100)).unwrap_or(100)
        };
        if self.counted() == 0 { [0, 0] } else { [of(healthy), of(degraded)] }
    }

    /// Whether less than `threshold` percent of the hosts take requests.
    pub fn is_in_panic(&self, threshold: u32) -> bool {
        if self.counted() == 0 {
            return threshold > 0;
        }
        let available = f64::from(self.healthy) + f64::from(self.degraded);
        100.0 * available / f64::from(self.counted()) < f64::from(threshold)
    }
}

/// Which hosts of a priority are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Availability {
    /// The healthy ones.
    Healthy,
    /// The degraded ones.
    Degraded,
}

type Shares = SmallVec<[u32; 4]>;

/// The share of each priority in percent, for its healthy and for its degraded hosts. All of them add
/// up to 100.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PriorityLoad {
    healthy: Shares,
    degraded: Shares,
}

/// What follows from the health of all priorities.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Distribution {
    /// Who gets how much.
    pub load: PriorityLoad,
    /// Which priorities are in panic.
    pub panic: SmallVec<[bool; 4]>,
    availability: SmallVec<[[u32; 2]; 4]>,
}

impl Distribution {
    /// Of `levels` by priority; there is at least one. `factor` is the `overprovisioning_factor` and
    /// `threshold` the `healthy_panic_threshold`, both in percent.
    pub fn new(levels: &[LevelCounts], factor: u32, threshold: u32) -> Self {
        let availability: SmallVec<[[u32; 2]; 4]> =
            levels.iter().map(|level| level.availability(factor)).collect();
        let total = total(&availability);
        let is_in_panic = |level: &LevelCounts| total < 100 && level.is_in_panic(threshold);
        let mut panic: SmallVec<[bool; 4]> = levels.iter().map(is_in_panic).collect();
        let load = if threshold == 0 && total == 0 {
            panic.fill(false);
            PriorityLoad::all_to_the_first(levels.len())
        } else if panic.iter().all(|panic| *panic) {
            PriorityLoad::by_hosts(levels)
        } else {
            PriorityLoad::by_availability(&availability, total)
        };
        Self { load, panic, availability }
    }

    /// The load when the priorities that `is_excluded` names get none, for `previous_priorities`.
    /// `None` where no other is available.
    pub fn without(&self, is_excluded: impl Fn(usize) -> bool) -> Option<PriorityLoad> {
        let mut left = self.availability.clone();
        let excluded = left.iter_mut().enumerate().filter(|(priority, _)| is_excluded(*priority));
        excluded.for_each(|(_, availability)| *availability = [0, 0]);
        match total(&left) {
            0 => None,
            total => Some(PriorityLoad::by_availability(&left, total)),
        }
    }
}

fn total(availability: &[[u32; 2]]) -> u32 {
    availability.iter().flatten().sum::<u32>().min(100)
}

impl PriorityLoad {
    fn all_to_the_first(levels: usize) -> Self {
        let mut load = Self::none(levels);
        load.healthy[0] = 100;
        load
    }

    fn none(levels: usize) -> Self {
        Self { healthy: smallvec::smallvec![0; levels], degraded: smallvec::smallvec![0; levels] }
    }

    fn by_hosts(levels: &[LevelCounts]) -> Self {
        let hosts: u64 = levels.iter().map(|level| u64::from(level.hosts)).sum();
        let Some(first) = levels.iter().position(|level| level.hosts > 0) else {
            return Self::all_to_the_first(levels.len());
        };
        let mut load = Self::none(levels.len());
        for (share, level) in load.healthy.iter_mut().zip(levels) {
            *share = u32::try_from(100 * u64::from(level.hosts) / hosts).unwrap_or(100);
        }
        load.healthy[first] += 100 - load.healthy.iter().sum::<u32>();
        load
    }

    fn by_availability(availability: &[[u32; 2]], total: u32) -> Self {
        let mut left = 100;
        let mut share = |available: u32| {
            let share = (available * 100 / total).min(left);
            left -= share;
            share
        };
        let healthy: Shares = availability.iter().map(|[healthy, _]| share(*healthy)).collect();
        let degraded: Shares = availability.iter().map(|[_, degraded]| share(*degraded)).collect();
        let mut load = Self { healthy, degraded };
        // What is left is from rounding down.
        let first = |kind: usize| availability.iter().position(|available| available[kind] > 0);
        match (first(0), first(1)) {
            (Some(first), _) => load.healthy[first] += left,
            (None, Some(first)) => load.degraded[first] += left,
            (None, None) => {}
        }
        load
    }

    /// The priority that `hash` falls on, and which of its hosts.
    pub fn choose(&self, hash: u64) -> (usize, Availability) {
        let mut left = hash % 100;
        for (shares, availability) in
            [(&self.healthy, Availability::Healthy), (&self.degraded, Availability::Degraded)]
        {
            for (priority, share) in shares.iter().enumerate() {
                match left.checked_sub(u64::from(*share)) {
                    None => return (priority, availability),
                    Some(rest) => left = rest,
                }
            }
        }
        (0, Availability::Healthy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `[hosts, healthy, degraded]` of one priority.
    fn level([hosts, healthy, degraded]: [u32; 3]) -> LevelCounts {
        let weights = [hosts, healthy, degraded].map(u64::from);
        LevelCounts { hosts, healthy, degraded, excluded: 0, weights }
    }

    fn described(levels: &[[u32; 3]], threshold: u32) -> String {
        let levels: Vec<LevelCounts> = levels.iter().copied().map(level).collect();
        let Distribution { load, panic, .. } = Distribution::new(&levels, 140, threshold);
        let panic: String = panic.iter().map(|panic| if *panic { '!' } else { '.' }).collect();
        let (healthy, degraded) = (&load.healthy[..], &load.degraded[..]);
        format!("{healthy:?} {degraded:?} {panic}")
    }

    #[test]
    fn load_spills_over() {
        let table = [
            (&[[10, 10, 0], [10, 10, 0]][..], "[100, 0] [0, 0] .."),
            (&[[10, 8, 0], [10, 10, 0]], "[100, 0] [0, 0] .."),
            (&[[10, 7, 0], [10, 10, 0]], "[98, 2] [0, 0] .."),
            (&[[10, 5, 0], [10, 10, 0]], "[70, 30] [0, 0] .."),
            (&[[10, 0, 0], [10, 10, 0]], "[0, 100] [0, 0] .."),
            // Not enough for all of it: what there is is scaled up, and the rest is rounding.
            (&[[10, 1, 0], [10, 5, 0]], "[17, 83] [0, 0] !."),
            (&[[4, 1, 0], [4, 1, 0], [4, 2, 0]], "[35, 35, 30] [0, 0, 0] ..."),
            // Degraded hosts get what healthy ones cannot take.
            (&[[10, 5, 5]], "[70] [30] ."),
            (&[[10, 0, 10]], "[0] [100] ."),
            (&[[10, 2, 2], [10, 4, 0]], "[28, 56] [16, 0] .."),
            // Too few everywhere: by the number of hosts.
            (&[[3, 0, 0], [1, 0, 0]], "[75, 25] [0, 0] !!"),
            (&[[3, 0, 0], [3, 0, 0], [3, 0, 0]], "[34, 33, 33] [0, 0, 0] !!!"),
            (&[[0, 0, 0], [1, 0, 0]], "[0, 100] [0, 0] !!"),
            (&[[0, 0, 0]], "[100] [0] !"),
            (&[[100, 10, 0], [300, 20, 0]], "[25, 75] [0, 0] !!"),
        ];
        for (levels, expected) in table {
            assert_eq!(described(levels, 50), expected, "{levels:?}");
        }
    }

    #[test]
    fn without_panic_nobody_is_asked_where_nobody_is_healthy() {
        assert_eq!(described(&[[3, 0, 0], [1, 0, 0]], 0), "[100, 0] [0, 0] ..");
        assert_eq!(described(&[[100, 10, 0], [100, 20, 0]], 0), "[34, 66] [0, 0] ..");
    }

    #[test]
    fn a_hash_falls_on_a_priority_by_its_share() {
        let levels = [level([10, 5, 5]), level([10, 1, 0])];
        let load = Distribution::new(&levels, 140, 50).load;
        let mut counts = [0; 4];
        for hash in 0..1000 {
            let (priority, availability) = load.choose(hash);
            counts[priority + 2 * usize::from(availability == Availability::Degraded)] += 1;
        }
        assert_eq!(counts, [700, 140, 160, 0]);
    }

    #[test]
    fn excluded_priorities_give_their_load_to_the_others() {
        let levels = [level([10, 10, 0]), level([10, 5, 0]), level([10, 10, 0])];
        let distribution = Distribution::new(&levels, 140, 50);
        let without = |excluded: &[usize]| {
            let load = distribution.without(|priority| excluded.contains(&priority));
            load.map(|load| load.healthy.to_vec())
        };
        assert_eq!(without(&[0]), Some(vec![0, 70, 30]));
        assert_eq!(without(&[0, 2]), Some(vec![0, 100, 0]));
        assert_eq!(without(&[0, 1, 2]), None);
    }

    #[test]
    fn excluded_hosts_do_not_count() {
        let mut level = level([10, 5, 0]);
        (level.excluded, level.weights[0]) = (5, 5);
        assert_eq!(level.availability(140), [100, 0]);
        assert!(!level.is_in_panic(50));
    }
}
