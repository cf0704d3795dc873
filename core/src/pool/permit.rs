//! What a connection and a waiting request hold of the circuit breakers' budgets.

use std::rc::Rc;

use ringmain_config::cluster::RoutingPriority;

use super::waiting;
use crate::cluster::{Resource, WorkerCluster, WorkerHost};

/// The right to one connection to a host. Dropped, it passes to who waits for one.
#[derive(Debug)]
pub struct ConnectionPermit {
    pub(super) cluster: Rc<WorkerCluster>,
    pub(super) host: Rc<WorkerHost>,
    pub(super) priority: RoutingPriority,
}

/// Which limit forbids one more connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// `max_connections` of the cluster.
    Cluster,
    /// `max_connections` of each host.
    Host,
}

impl ConnectionPermit {
    /// Takes one, if the limits allow another connection now.
    pub fn try_take(
        cluster: &Rc<WorkerCluster>,
        host: &Rc<WorkerHost>,
        priority: RoutingPriority,
    ) -> Result<Self, Limit> {
        let breakers = &cluster.shared.breakers;
        if breakers.counts_hosts()
            && !host.shared.try_add_connection(breakers.max_connections_per_host(priority))
        {
            return Err(Limit::Host);
        }
        if !breakers.try_take(cluster.worker, priority, Resource::Connections) {
            if breakers.counts_hosts() {
                host.shared.remove_connection();
            }
            return Err(Limit::Cluster);
        }
        cluster.count_connection(priority, 1);
        host.count_connection(priority, 1);
        breakers.note_use(priority);
        Ok(Self { cluster: cluster.clone(), host: host.clone(), priority })
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let breakers = &self.cluster.shared.breakers;
        self.cluster.count_connection(self.priority, -1);
        self.host.count_connection(self.priority, -1);
        if breakers.counts_hosts() {
            self.host.shared.remove_connection();
        }
        breakers.give_back(self.cluster.worker, self.priority, Resource::Connections);
        waiting::pass_on(&self.cluster, &self.host, self.priority);
    }
}

/// A request among those that wait for a connection, until dropped.
#[derive(Debug)]
pub struct PendingRequest {
    cluster: Rc<WorkerCluster>,
    host: Rc<WorkerHost>,
    priority: RoutingPriority,
}

impl PendingRequest {
    /// Counts one more; `None` where `max_pending_requests` wait.
    pub fn begin(
        cluster: &Rc<WorkerCluster>,
        host: &Rc<WorkerHost>,
        priority: RoutingPriority,
    ) -> Option<Self> {
        let stats = cluster.stats();
        let breakers = &cluster.shared.breakers;
        if !breakers.try_take(cluster.worker, priority, Resource::PendingRequests) {
            stats.upstream_rq_pending_overflow.inc();
            return None;
        }
        stats.upstream_rq_pending_total.inc();
        stats.upstream_rq_pending_active.inc();
        host.stats().rq_pending_active.inc();
        Some(Self { cluster: cluster.clone(), host: host.clone(), priority })
    }
}

impl Drop for PendingRequest {
    fn drop(&mut self) {
        let breakers = &self.cluster.shared.breakers;
        breakers.give_back(self.cluster.worker, self.priority, Resource::PendingRequests);
        self.cluster.stats().upstream_rq_pending_active.dec();
        self.host.stats().rq_pending_active.dec();
    }
}

/// A request of `max_requests`, until dropped.
#[derive(Debug)]
pub struct RequestPermit {
    cluster: Rc<WorkerCluster>,
    priority: RoutingPriority,
}

impl RequestPermit {
    /// Counts one more, if there may be.
    pub fn try_take(cluster: &Rc<WorkerCluster>, priority: RoutingPriority) -> Option<Self> {
        let breakers = &cluster.shared.breakers;
        let may = breakers.try_take(cluster.worker, priority, Resource::Requests);
        may.then(|| Self { cluster: cluster.clone(), priority })
    }
}

impl Drop for RequestPermit {
    fn drop(&mut self) {
        let breakers = &self.cluster.shared.breakers;
        breakers.give_back(self.cluster.worker, self.priority, Resource::Requests);
    }
}

/// A retry of `max_retries` or the `retry_budget`, until dropped.
#[derive(Debug)]
pub struct RetryPermit {
    cluster: Rc<WorkerCluster>,
    priority: RoutingPriority,
}

impl RetryPermit {
    /// Counts one more, if there may be.
    pub fn try_take(cluster: &Rc<WorkerCluster>, priority: RoutingPriority) -> Option<Self> {
        let may = cluster.shared.breakers.try_begin_retry(priority);
        may.then(|| Self { cluster: cluster.clone(), priority })
    }
}

impl Drop for RetryPermit {
    fn drop(&mut self) {
        self.cluster.shared.breakers.end_retry(self.priority);
    }
}
