//! How many downstream connections there may be: of a listener, and of all together. Exact over all
//! workers.

use std::sync::Arc;

use super::BalanceUnit;
use crate::budget::{self, Share};
use crate::stats::{PerWorker, WorkerId};

/// A limit that all workers share.
#[derive(Debug)]
pub struct ConnectionLimit {
    shares: PerWorker<Share>,
}

/// Which limit refuses a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    /// That of all listeners.
    Global,
    /// The listener's own.
    Listener,
}

impl ConnectionLimit {
    /// At most `max` connections. More than 2^32 - 1 cannot be open, so such a limit is none.
    pub fn new(max: Option<u64>, workers: usize) -> Option<Arc<Self>> {
        let max = u32::try_from(max?).ok()?;
        let shares = PerWorker::new(workers);
        let all: Vec<&Share> = shares.iter().collect();
        budget::distribute(max, all.into_iter());
        Some(Arc::new(Self { shares }))
    }

    /// Takes one connection's part for `worker`, if there is one.
    pub fn try_take(self: &Arc<Self>, worker: WorkerId) -> Option<ConnectionUnit> {
        // A unit made before it is taken would be given back when it is not.
        budget::try_take(self.shares.of(worker), || self.shares.iter())
            .then(|| ConnectionUnit { limit: self.clone(), worker })
    }
}

/// One connection's part of a limit; given back when dropped.
#[derive(Debug)]
pub struct ConnectionUnit {
    limit: Arc<ConnectionLimit>,
    worker: WorkerId,
}

impl Drop for ConnectionUnit {
    fn drop(&mut self) {
        self.limit.shares.of(self.worker).give_back();
    }
}

/// The right to serve one connection, until dropped.
#[derive(Debug)]
pub struct ConnectionPermit {
    _global: Option<ConnectionUnit>,
    _listener: Option<ConnectionUnit>,
    descriptor: Option<ConnectionUnit>,
    _balanced: Option<BalanceUnit>,
}

impl ConnectionPermit {
    /// Takes one, if both limits allow it; like Envoy, asks the one of all listeners first. `descriptor`
    /// is the socket's part of what clients may hold.
    pub fn try_take(
        global: Option<&Arc<ConnectionLimit>>,
        listener: Option<&Arc<ConnectionLimit>>,
        descriptor: Option<ConnectionUnit>,
        worker: WorkerId,
    ) -> Result<Self, Overflow> {
        let take = |limit: Option<&Arc<ConnectionLimit>>, overflow| match limit {
            Some(limit) => limit.try_take(worker).map(Some).ok_or(overflow),
            None => Ok(None),
        };
        let global = take(global, Overflow::Global)?;
        let listener = take(listener, Overflow::Listener)?;
        Ok(Self { _global: global, _listener: listener, descriptor, _balanced: None })
    }

    /// The same with the connection's place in its listener's balance.
    pub fn with_place(self, balanced: Option<BalanceUnit>) -> Self {
        Self { _balanced: balanced, ..self }
    }

    /// What is left of it for another listener: the socket's part.
    pub fn into_descriptor(self) -> Option<ConnectionUnit> {
        self.descriptor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(max: u64) -> Option<Arc<ConnectionLimit>> {
        ConnectionLimit::new(Some(max), 2)
    }

    #[test]
    fn a_refusal_by_the_listener_takes_nothing_of_the_global_limit() {
        let (global, listener) = (limit(2), limit(1));
        let take = |worker| {
            ConnectionPermit::try_take(global.as_ref(), listener.as_ref(), None, WorkerId(worker))
        };
        let first = take(0).expect("both have room");
        assert_eq!(take(1).err(), Some(Overflow::Listener));
        let elsewhere = ConnectionPermit::try_take(global.as_ref(), None, None, WorkerId(1));
        assert!(elsewhere.is_ok());
        assert_eq!(take(1).err(), Some(Overflow::Global));
        assert_eq!(take(0).err(), Some(Overflow::Global));
        drop(first);
        assert!(take(1).is_ok());
    }

    #[test]
    fn zero_refuses_all_and_more_than_can_be_refuses_none() {
        assert!(limit(0).expect("a limit").try_take(WorkerId(0)).is_none());
        assert!(limit(1 << 32).is_none());
    }
}
