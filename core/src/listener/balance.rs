//! `connection_balance_config: { exact_balance: {} }`: each worker has as many connections of a listener as
//! any other.
//!
//! The kernel chooses the worker that accepts a connection; that one hands it to the one with the fewest. Only
//! listeners that ask for it pay for that: a count that all workers write, and for many connections a second
//! core. A connection that is handed over waits in a bounded queue; where that is full, who has accepted keeps
//! it.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crossbeam_channel::{Receiver, Sender};
use ringmain_config::address::Address;

use super::ConnectionUnit;
use crate::runtime::Bell;
use crate::stats::{PerWorker, WorkerId};

/// How many connections of a listener each worker has, or is about to get.
#[derive(Debug)]
pub struct Balance(PerWorker<AtomicU32>);

/// One connection in the balance, until dropped.
#[derive(Debug)]
pub struct BalanceUnit {
    balance: Arc<Balance>,
    /// Whose connection it is.
    pub worker: WorkerId,
}

impl Balance {
    /// For so many workers.
    pub fn new(workers: usize) -> Arc<Self> {
        Arc::new(Self(PerWorker::new(workers)))
    }

    /// The worker with the fewest connections gets one more; of several, the first behind `here`, or that itself.
    /// Two workers that ask at the same moment may name the same.
    pub fn choose(self: &Arc<Self>, here: WorkerId) -> BalanceUnit {
        let workers = self.0.iter().count();
        let ring = (0..workers).map(|step| WorkerId((here.0 + step) % workers));
        let fewest = ring.min_by_key(|worker| self.0.of(*worker).load(Ordering::Relaxed));
        self.unit(fewest.unwrap_or(here))
    }

    /// `worker` gets one more.
    pub fn unit(self: &Arc<Self>, worker: WorkerId) -> BalanceUnit {
        self.0.of(worker).fetch_add(1, Ordering::Relaxed);
        BalanceUnit { balance: self.clone(), worker }
    }
}

impl Drop for BalanceUnit {
    fn drop(&mut self) {
        self.balance.0.of(self.worker).fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection on its way to another worker.
#[derive(Debug)]
pub struct HandedOver {
    /// The index of its listener.
    pub listener: usize,
    /// Its socket.
    pub socket: OwnedFd,
    /// The client's address, where it has one.
    pub peer: Option<Address>,
    /// The address that has accepted it.
    pub address: Address,
    /// Its part of what clients may hold.
    pub descriptor: Option<ConnectionUnit>,
    /// Its place in the balance.
    pub balanced: BalanceUnit,
}

/// The queues of all workers.
#[derive(Debug)]
pub struct Handover(Box<[Queue]>);

#[derive(Debug)]
struct Queue {
    bell: Bell,
    sender: Sender<HandedOver>,
    receiver: Receiver<HandedOver>,
}

/// Connections that may wait for a worker.
const QUEUED_MAX: usize = 1024;

impl Handover {
    /// For the workers that `bells` wake; for none where no listener has a balance.
    pub fn new(bells: impl Iterator<Item = Bell>) -> Self {
        let queue = |bell| {
            let (sender, receiver) = crossbeam_channel::bounded(QUEUED_MAX);
            Queue { bell, sender, receiver }
        };
        Self(bells.map(queue).collect())
    }

    /// Hands a connection to the worker of its place in the balance; gives it back where that has too many to
    /// look at already.
    pub fn give(&self, connection: HandedOver) -> Result<(), HandedOver> {
        let Queue { bell, sender, .. } = &self.0[connection.balanced.worker.0];
        sender.try_send(connection).map_err(|full| full.into_inner())?;
        bell.ring();
        Ok(())
    }

    /// Calls `take` with each connection that `worker` was handed.
    pub fn empty(&self, worker: WorkerId, take: impl FnMut(HandedOver)) {
        let Some(Queue { receiver, .. }) = self.0.get(worker.0) else { return };
        receiver.try_iter().for_each(take);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_accepts_the_workers_stay_even() {
        let balance = Balance::new(3);
        let mut units: Vec<_> = (0..9).map(|_| balance.choose(WorkerId(1))).collect();
        let counts =
            || balance.0.iter().map(|count| count.load(Ordering::Relaxed)).collect::<Vec<_>>();
        assert_eq!(counts(), [3, 3, 3]);
        units.retain(|unit| unit.worker != WorkerId(2));
        assert_eq!(balance.choose(WorkerId(0)).worker, WorkerId(2));
        assert_eq!(counts(), [3, 3, 0]);
    }
}
