//! Circuit breakers: what a cluster may have at once, exact over all workers.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use crossbeam_utils::CachePadded;
use ringmain_config::cluster as config;
use ringmain_config::cluster::{RoutingPriority, Thresholds};

use crate::budget::{self, Share};
use crate::stats::{PerWorker, WorkerId};

/// What is counted by worker shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// Upstream connections (`max_connections`).
    Connections = 0,
    /// Requests that wait for a connection (`max_pending_requests`).
    PendingRequests = 1,
    /// Requests that have a connection (`max_requests`).
    Requests = 2,
}

const RESOURCES: [Resource; 3] =
    [Resource::Connections, Resource::PendingRequests, Resource::Requests];

/// A cluster's budgets for both priorities, and who waits for a connection.
#[derive(Debug)]
pub struct CircuitBreakers {
    config: config::CircuitBreakers,
    workers: PerWorker<OfWorker>,
    of_priority: [CachePadded<OfPriority>; 2],
}

/// What a worker owns. Others only take units from its shares.
#[derive(Debug)]
struct OfWorker {
    shares: [[Share; 3]; 2],
    /// The ticket of its request that has waited longest; `NOBODY` when none waits.
    first_in_line: [AtomicU64; 2],
    /// Connections it holds.
    connections: [AtomicU32; 2],
    /// Whether another worker wants it to look at this cluster.
    pub(super) rung: AtomicBool,
}

/// What changes only under scarcity.
#[derive(Debug, Default)]
struct OfPriority {
    /// Requests of all workers that wait because no connection may be opened.
    waiting: AtomicU32,
    next_ticket: AtomicU64,
    retries: AtomicU32,
    /// Whether a connection was ever allowed, which is when Envoy first writes the gauges.
    used: AtomicBool,
}

const NOBODY: u64 = u64::MAX;

impl Default for OfWorker {
    fn default() -> Self {
        Self {
            shares: Default::default(),
            first_in_line: [const { AtomicU64::new(NOBODY) }; 2],
            connections: Default::default(),
            rung: Default::default(),
        }
    }
}

/// The limit of `resource`. At least one connection is always allowed, as in Envoy: with none, a
/// request could only wait for its timeout.
fn limit(thresholds: &Thresholds, resource: Resource) -> u32 {
    match resource {
        Resource::Connections => thresholds.max_connections.max(1),
        Resource::PendingRequests => thresholds.max_pending_requests,
        Resource::Requests => thresholds.max_requests,
    }
}

impl CircuitBreakers {
    /// Closed breakers for `workers` workers.
    pub fn new(config: config::CircuitBreakers, workers: usize) -> Self {
        let breakers =
            Self { config, workers: PerWorker::new(workers), of_priority: Default::default() };
        for priority in RoutingPriority::ALL {
            for resource in RESOURCES {
                let shares: Vec<&Share> = breakers.shares(priority, resource).collect();
                let limit = limit(config.of(priority), resource);
                budget::distribute(limit, shares.into_iter());
            }
        }
        breakers
    }

    fn shares(
        &self,
        priority: RoutingPriority,
        resource: Resource,
    ) -> impl Iterator<Item = &Share> {
        let (priority, resource) = (priority as usize, resource as usize);
        self.workers.iter().map(move |worker| &worker.shares[priority][resource])
    }

    /// Takes one of `resource` for `worker`; to be given back.
    pub fn try_take(&self, worker: WorkerId, priority: RoutingPriority, what: Resource) -> bool {
        let own = &self.workers.of(worker).shares[priority as usize][what as usize];
        budget::try_take(own, || self.shares(priority, what))
    }

    /// Notes that the breakers of `priority` were used.
    pub fn note_use(&self, priority: RoutingPriority) {
        let used = &self.of_priority[priority as usize].used;
        if !used.load(Ordering::Relaxed) {
            used.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the breakers of `priority` were ever used.
    pub fn is_used(&self, priority: RoutingPriority) -> bool {
        self.of_priority[priority as usize].used.load(Ordering::Relaxed)
    }

    /// Gives one of `resource` back.
    pub fn give_back(&self, worker: WorkerId, priority: RoutingPriority, what: Resource) {
        self.workers.of(worker).shares[priority as usize][what as usize].give_back();
    }

    /// How many of `resource` may still be taken.
    pub fn remaining(&self, priority: RoutingPriority, resource: Resource) -> u32 {
        let shares = self.shares(priority, resource);
        shares.fold(0, |sum: u32, share| sum.saturating_add(share.left()))
    }

    /// Whether no connection is allowed at all. Requests of HTTP have one all the same, as in Envoy.
    pub fn allows_no_connection(&self, priority: RoutingPriority) -> bool {
        self.config.of(priority).max_connections == 0
    }

    fn used(&self, priority: RoutingPriority, resource: Resource) -> u32 {
        limit(self.config.of(priority), resource).saturating_sub(self.remaining(priority, resource))
    }
}

/// Retries, which are rare enough for one shared count.
impl CircuitBreakers {
    /// How many retries may run at once now: `max_retries`, or what `retry_budget` grants.
    pub fn max_retries(&self, priority: RoutingPriority) -> u32 {
        let thresholds = self.config.of(priority);
        match &thresholds.retry_budget {
            None => thresholds.max_retries,
            Some(budget) => {
                let active = self.used(priority, Resource::Requests)
                    + self.used(priority, Resource::PendingRequests);
                let granted = budget.budget_percent / 100.0 * f64::from(active);
                // Saturates; a share of a count of requests fits.
                (granted as u32).max(budget.min_retry_concurrency)
            }
        }
    }

    /// Begins a retry if one more may run; to be ended by [`Self::end_retry`].
    pub fn try_begin_retry(&self, priority: RoutingPriority) -> bool {
        let max = self.max_retries(priority);
        let one_more = |count| (count < max).then_some(count + 1);
        let retries = &self.of_priority[priority as usize].retries;
        retries.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok()
    }

    /// Ends a retry.
    pub fn end_retry(&self, priority: RoutingPriority) {
        self.of_priority[priority as usize].retries.fetch_sub(1, Ordering::Relaxed);
    }

    /// Retries that may still begin.
    pub fn remaining_retries(&self, priority: RoutingPriority) -> u32 {
        let running = self.of_priority[priority as usize].retries.load(Ordering::Relaxed);
        self.max_retries(priority).saturating_sub(running)
    }
}

/// The line of requests that wait for a connection.
impl CircuitBreakers {
    /// A place at the end of the line of all workers.
    pub fn draw_ticket(&self, priority: RoutingPriority) -> u64 {
        self.of_priority[priority as usize].next_ticket.fetch_add(1, Ordering::Relaxed)
    }

    /// Counts a request that begins to wait. Says how many waited before it.
    pub fn enter_line(&self, priority: RoutingPriority) -> u32 {
        self.of_priority[priority as usize].waiting.fetch_add(1, Ordering::SeqCst)
    }

    /// Counts a request that no longer waits.
    pub fn leave_line(&self, priority: RoutingPriority) {
        self.of_priority[priority as usize].waiting.fetch_sub(1, Ordering::SeqCst);
    }

    /// Requests of all workers that wait for a connection.
    pub fn waiting(&self, priority: RoutingPriority) -> u32 {
        self.of_priority[priority as usize].waiting.load(Ordering::SeqCst)
    }

    /// Publishes the ticket of the request that has waited longest on `worker`.
    pub fn publish_first(&self, worker: WorkerId, priority: RoutingPriority, ticket: Option<u64>) {
        let first = &self.workers.of(worker).first_in_line[priority as usize];
        first.store(ticket.unwrap_or(NOBODY), Ordering::SeqCst);
    }

    /// The worker whose request has waited longest of all.
    pub fn first_in_line(&self, priority: RoutingPriority) -> Option<WorkerId> {
        let first =
            |worker: &OfWorker| worker.first_in_line[priority as usize].load(Ordering::SeqCst);
        let tickets = self.workers.iter().map(first).enumerate();
        let (worker, _) =
            tickets.filter(|(_, ticket)| *ticket != NOBODY).min_by_key(|(_, ticket)| *ticket)?;
        Some(WorkerId(worker))
    }

    /// Whether some request waits on `worker`.
    pub fn waits(&self, worker: WorkerId, priority: RoutingPriority) -> bool {
        let first = &self.workers.of(worker).first_in_line[priority as usize];
        first.load(Ordering::SeqCst) != NOBODY
    }

    /// Connections that `worker` holds.
    pub fn connections(&self, worker: WorkerId, priority: RoutingPriority) -> u32 {
        self.workers.of(worker).connections[priority as usize].load(Ordering::SeqCst)
    }

    /// Publishes the connections that `worker` holds.
    pub fn publish_connections(&self, worker: WorkerId, priority: RoutingPriority, count: u32) {
        self.workers.of(worker).connections[priority as usize].store(count, Ordering::SeqCst);
    }

    /// All workers.
    pub fn workers(&self) -> impl Iterator<Item = WorkerId> {
        (0..self.workers.iter().count()).map(WorkerId)
    }

    /// Asks `worker` to look at this cluster.
    pub(super) fn mark_rung(&self, worker: WorkerId) {
        self.workers.of(worker).rung.store(true, Ordering::Release);
    }

    /// Whether `worker` was asked since it last looked.
    pub(super) fn take_rung(&self, worker: WorkerId) -> bool {
        self.workers.of(worker).rung.swap(false, Ordering::AcqRel)
    }
}

/// `per_host_thresholds`.
impl CircuitBreakers {
    /// Whether connections are counted by host.
    pub fn counts_hosts(&self) -> bool {
        RoutingPriority::ALL
            .iter()
            .any(|priority| self.config.of(*priority).max_connections_per_host.is_some())
    }

    /// The most connections a host may have; at least one.
    pub fn max_connections_per_host(&self, priority: RoutingPriority) -> Option<u32> {
        self.config.of(priority).max_connections_per_host.map(|max| max.max(1))
    }
}

#[cfg(test)]
mod tests {
    use ringmain_config::cluster::RetryBudget;

    use super::*;

    const DEFAULT: RoutingPriority = RoutingPriority::Default;

    fn breakers(default: Thresholds) -> CircuitBreakers {
        CircuitBreakers::new(config::CircuitBreakers { default, high: Thresholds::default() }, 2)
    }

    #[test]
    fn priorities_have_budgets_of_their_own() {
        let breakers = breakers(Thresholds { max_requests: 1, ..Thresholds::default() });
        assert!(breakers.try_take(WorkerId(1), DEFAULT, Resource::Requests));
        assert!(!breakers.try_take(WorkerId(0), DEFAULT, Resource::Requests));
        assert!(breakers.try_take(WorkerId(0), RoutingPriority::High, Resource::Requests));
        assert_eq!(breakers.remaining(RoutingPriority::High, Resource::Requests), 1023);
        breakers.give_back(WorkerId(1), DEFAULT, Resource::Requests);
        assert_eq!(breakers.remaining(DEFAULT, Resource::Requests), 1);
    }

    #[test]
    fn one_connection_is_always_allowed() {
        let breakers = breakers(Thresholds { max_connections: 0, ..Thresholds::default() });
        assert!(breakers.try_take(WorkerId(0), DEFAULT, Resource::Connections));
        assert!(!breakers.try_take(WorkerId(0), DEFAULT, Resource::Connections));
    }

    #[test]
    fn retries_end_at_max_retries() {
        let breakers = breakers(Thresholds { max_retries: 1, ..Thresholds::default() });
        assert!(breakers.try_begin_retry(DEFAULT));
        assert!(!breakers.try_begin_retry(DEFAULT));
        assert_eq!(breakers.remaining_retries(DEFAULT), 0);
        breakers.end_retry(DEFAULT);
        assert!(breakers.try_begin_retry(DEFAULT));
    }

    #[test]
    fn a_retry_budget_follows_the_active_and_pending_requests() {
        let budget = RetryBudget { budget_percent: 50.0, min_retry_concurrency: 2 };
        let breakers = breakers(Thresholds {
            retry_budget: Some(budget),
            max_retries: 9,
            ..Thresholds::default()
        });
        assert_eq!(breakers.max_retries(DEFAULT), 2);
        for _ in 0..5 {
            assert!(breakers.try_take(WorkerId(0), DEFAULT, Resource::Requests));
        }
        assert!(breakers.try_take(WorkerId(1), DEFAULT, Resource::PendingRequests));
        assert_eq!(breakers.max_retries(DEFAULT), 3);
    }

    #[test]
    fn the_longest_wait_of_all_workers_is_first() {
        let breakers = breakers(Thresholds::default());
        assert_eq!(breakers.first_in_line(DEFAULT), None);
        let (early, late) = (breakers.draw_ticket(DEFAULT), breakers.draw_ticket(DEFAULT));
        breakers.publish_first(WorkerId(0), DEFAULT, Some(late));
        breakers.publish_first(WorkerId(1), DEFAULT, Some(early));
        assert_eq!(breakers.first_in_line(DEFAULT), Some(WorkerId(1)));
        breakers.publish_first(WorkerId(1), DEFAULT, None);
        assert_eq!(breakers.first_in_line(DEFAULT), Some(WorkerId(0)));
    }
}
