//! Budgets that all workers draw on without a lock: never overdrawn, and never refused while
//! something is left anywhere.
//!
//! Each worker owns a share of the budget's units on a cache line of its own, so that in the
//! steady state taking and giving back touches no line that another worker writes. A worker whose
//! share is spent takes single units from the others; giving back is always to the own share, so
//! that units move to where they are used.

use std::sync::atomic::{AtomicU64, Ordering};

/// The units that a worker has left. The high half counts what was given back, so that a reader
/// can tell that nothing was between two looks.
#[derive(Debug, Default)]
pub struct Share(AtomicU64);

const GIVEN_BACK: u64 = 1 << 32;
const UNITS: u64 = GIVEN_BACK - 1;

impl Share {
    /// A share of `units`.
    fn set(&self, units: u32) {
        self.0.store(u64::from(units), Ordering::SeqCst);
    }

    /// Units left in this share.
    pub fn left(&self) -> u32 {
        u32::try_from(self.0.load(Ordering::SeqCst) & UNITS).expect("the low half")
    }

    fn try_take(&self) -> bool {
        let one_less = |value: u64| (value & UNITS > 0).then(|| value - 1);
        self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok()
    }

    /// Gives one unit back that was taken from this budget, whoever's share it came from.
    pub fn give_back(&self) {
        self.0.fetch_add(GIVEN_BACK | 1, Ordering::SeqCst);
    }

    fn version(&self) -> u64 {
        self.0.load(Ordering::SeqCst) & !UNITS
    }
}

/// Splits `limit` units evenly.
pub fn distribute<'a>(limit: u32, shares: impl ExactSizeIterator<Item = &'a Share>) {
    let count = u32::try_from(shares.len().max(1)).unwrap_or(u32::MAX);
    for (index, share) in (0..).zip(shares) {
        share.set(limit / count + u32::from(index < limit % count));
    }
}

/// Takes one unit: from `own`, else from any of `all`. False means that at one moment during the
/// call every unit was taken.
pub fn try_take<'a, I>(own: &Share, all: impl Fn() -> I) -> bool
where
    I: Iterator<Item = &'a Share>,
{
    if own.try_take() {
        return true;
    }
    // Two looks between which nothing was given back prove that all shares were empty at once.
    // With every other outcome somebody made progress, so this ends.
    let mut versions = all().fold(0_u64, |sum, share| sum.wrapping_add(share.version()));
    loop {
        if all().any(Share::try_take) {
            return true;
        }
        let again = all().fold(0_u64, |sum, share| sum.wrapping_add(share.version()));
        if again == versions {
            return false;
        }
        versions = again;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicI64;
    use std::sync::{Arc, Barrier};

    use super::*;

    fn shares(workers: usize, limit: u32) -> Vec<Share> {
        let shares: Vec<Share> = (0..workers).map(|_| Share::default()).collect();
        distribute(limit, shares.iter());
        shares
    }

    fn left(shares: &[Share]) -> u32 {
        shares.iter().map(Share::left).sum()
    }

    #[test]
    fn one_worker_can_take_what_lies_with_the_others() {
        let shares = shares(4, 10);
        assert_eq!(shares.iter().map(Share::left).collect::<Vec<_>>(), [3, 3, 2, 2]);
        let taken = (0..20).filter(|_| try_take(&shares[2], || shares.iter())).count();
        assert_eq!((taken, left(&shares)), (10, 0));
        shares[0].give_back();
        assert!(try_take(&shares[3], || shares.iter()));
        assert!(!try_take(&shares[0], || shares.iter()));
    }

    #[test]
    fn nothing_of_nothing() {
        let shares = shares(2, 0);
        assert!(!try_take(&shares[0], || shares.iter()));
    }

    /// More threads than units: the units in use never exceed the limit, and all come back.
    #[test]
    fn threads_never_overdraw() {
        let (threads, limit) = (4, 3);
        let shares = Arc::new(shares(threads, limit));
        let in_use = Arc::new(AtomicI64::new(0));
        let barrier = Arc::new(Barrier::new(threads));
        let run = |own: usize| {
            let (shares, in_use, barrier) = (shares.clone(), in_use.clone(), barrier.clone());
            std::thread::spawn(move || {
                barrier.wait();
                for _ in 0..20_000 {
                    if try_take(&shares[own], || shares.iter()) {
                        assert!(in_use.fetch_add(1, Ordering::SeqCst) < i64::from(limit));
                        in_use.fetch_sub(1, Ordering::SeqCst);
                        shares[own].give_back();
                    }
                }
            })
        };
        let running: Vec<_> = (0..threads).map(run).collect();
        running.into_iter().for_each(|thread| thread.join().expect("never above the limit"));
        assert_eq!(left(&shares), limit);
    }

    /// As many units as threads, each of which holds at most one: nobody is ever refused.
    #[test]
    fn nobody_is_refused_while_a_unit_is_idle() {
        let threads = 4;
        let shares = Arc::new(shares(threads, 4));
        let run = |own: usize| {
            let shares = shares.clone();
            std::thread::spawn(move || {
                for round in 0..20_000 {
                    assert!(try_take(&shares[own], || shares.iter()), "refused in round {round}");
                    shares[own].give_back();
                }
            })
        };
        let running: Vec<_> = (0..threads).map(run).collect();
        running.into_iter().for_each(|thread| thread.join().expect("never refused"));
    }
}
