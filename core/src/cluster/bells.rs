//! How one worker makes another look at a cluster they share.

use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::CachePadded;

use super::Cluster;
use crate::runtime::Bell;
use crate::stats::WorkerId;

/// The bells of all workers. Ringing writes shared memory and may be a system call: it is for the
/// moments when something is scarce.
#[derive(Debug)]
pub struct Bells(Box<[OfWorker]>);

#[derive(Debug)]
struct OfWorker {
    bell: Bell,
    /// Bit `n`: some cluster whose index is `n` modulo 64 was rung for.
    groups: CachePadded<AtomicU64>,
}

const GROUPS: usize = 64;

impl Bells {
    /// By worker.
    pub fn new(bells: impl Iterator<Item = Bell>) -> Self {
        Self(bells.map(|bell| OfWorker { bell, groups: CachePadded::default() }).collect())
    }

    /// Makes `worker` look at `cluster` soon.
    pub fn ring(&self, worker: WorkerId, cluster: &Cluster) {
        let Some(of_worker) = self.0.get(worker.0) else { return };
        cluster.breakers.mark_rung(worker);
        let group = 1 << (cluster.index % GROUPS);
        if of_worker.groups.fetch_or(group, Ordering::AcqRel) == 0 {
            of_worker.bell.ring();
        }
    }

    /// Calls `look` with the index of every cluster that `worker` was rung for, and perhaps with
    /// some others.
    pub fn answer(&self, worker: WorkerId, clusters: usize, mut look: impl FnMut(usize)) {
        let Some(of_worker) = self.0.get(worker.0) else { return };
        let groups = of_worker.groups.swap(0, Ordering::AcqRel);
        let rung = (0..GROUPS.min(clusters)).filter(|group| groups & (1 << group) != 0);
        rung.flat_map(|group| (group..clusters).step_by(GROUPS)).for_each(&mut look);
    }
}
