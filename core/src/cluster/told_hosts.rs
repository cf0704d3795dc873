//! The hosts of clusters on their way from the control thread to the workers.
//!
//! Each worker has a slot for each cluster, which holds what is newest and was not taken yet. So a
//! worker that is busy skips what is out of date, nothing ever overtakes anything, and a storm of
//! changes wakes it once.

use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::CachePadded;
use crossbeam_utils::atomic::AtomicCell;

use super::HostSet;
use crate::load_balancer::Plan;
use crate::runtime::Bell;
use crate::stats::WorkerId;

/// What a worker is told of the hosts of a cluster.
#[derive(Debug, Default)]
pub struct ToldHosts {
    /// All of them.
    pub hosts: Arc<HostSet>,
    /// How to choose among them.
    pub plan: Arc<Plan>,
}

/// The slots of all workers.
#[derive(Default)]
pub struct HostSlots(Box<[OfWorker]>);

struct OfWorker {
    bell: Bell,
    /// Bit `n`: the slot of some cluster whose index is `n` modulo 64 was filled.
    groups: CachePadded<AtomicU64>,
    /// By cluster.
    slots: Box<[AtomicCell<Option<Arc<ToldHosts>>>]>,
}

const GROUPS: usize = 64;

// On a worker nothing may wait.
const _: () = assert!(AtomicCell::<Option<Arc<ToldHosts>>>::is_lock_free());

impl HostSlots {
    /// For the workers that `bells` wake, and so many `clusters`.
    pub fn new(bells: impl Iterator<Item = Bell>, clusters: usize) -> Self {
        let of_worker = |bell| OfWorker {
            bell,
            groups: CachePadded::default(),
            slots: (0..clusters).map(|_| AtomicCell::default()).collect(),
        };
        Self(bells.map(of_worker).collect())
    }

    /// Has every worker take `told` soon, and nothing older.
    pub fn fill(&self, cluster: usize, told: &Arc<ToldHosts>) {
        for worker in &self.0 {
            worker.slots[cluster].store(Some(told.clone()));
            let group = 1 << (cluster % GROUPS);
            if worker.groups.fetch_or(group, Ordering::AcqRel) == 0 {
                worker.bell.ring();
            }
        }
    }

    /// Calls `take` with the index and the hosts of every cluster of which `worker` was told since the
    /// last time.
    pub fn empty(&self, worker: WorkerId, mut take: impl FnMut(usize, Arc<ToldHosts>)) {
        let Some(OfWorker { groups, slots, .. }) = self.0.get(worker.0) else { return };
        if groups.load(Ordering::Relaxed) == 0 {
            return;
        }
        let filled = groups.swap(0, Ordering::AcqRel);
        let groups = (0..GROUPS).filter(|group| filled & (1 << group) != 0);
        for cluster in groups.flat_map(|group| (group..slots.len()).step_by(GROUPS)) {
            if let Some(told) = slots[cluster].take() {
                take(cluster, told);
            }
        }
    }
}

impl Debug for HostSlots {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str("HostSlots")
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::runtime::mailbox;

    fn slots(clusters: usize) -> HostSlots {
        let (post, _mailbox) = mailbox::<()>(1).expect("an eventfd");
        HostSlots::new([post.bell()].into_iter(), clusters)
    }

    /// Each cluster that is told of, and which of `all` it is told.
    fn taken(slots: &HostSlots, all: &[Arc<ToldHosts>]) -> Vec<(usize, usize)> {
        let mut taken = Vec::new();
        slots.empty(WorkerId(0), |cluster, told| {
            let which = all.iter().position(|one| Arc::ptr_eq(one, &told));
            taken.push((cluster, which.expect("one of all")));
        });
        taken
    }

    #[test]
    fn a_worker_takes_what_is_newest_once() {
        let (slots, all) = (slots(200), vec![Arc::default(), Arc::default(), Arc::default()]);
        for (cluster, which) in [(3, 0), (67, 1), (3, 2), (199, 0)] {
            slots.fill(cluster, &all[which]);
        }
        assert_eq!(taken(&slots, &all), [(3, 2), (67, 1), (199, 0)]);
        assert_eq!(taken(&slots, &all), []);
    }

    #[test]
    fn nothing_older_comes_after_something_newer() {
        let (slots, all) = (slots(1), Vec::from_iter((0..2000).map(|_| Arc::default())));
        thread::scope(|scope| {
            scope.spawn(|| all.iter().for_each(|told| slots.fill(0, told)));
            let mut newest = None;
            while newest < Some(all.len() - 1) {
                for (_, which) in taken(&slots, &all) {
                    assert!(newest < Some(which), "{which} came after {newest:?}");
                    newest = Some(which);
                }
            }
        });
    }
}
