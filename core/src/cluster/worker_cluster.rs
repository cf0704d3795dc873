//! A worker's share of a cluster: its load balancer and its connection pools.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::{Cluster, Host, HostSet};
use crate::load_balancer::RoundRobin;
use crate::pool::IdleConnections;
use crate::runtime::Timers;
use crate::stats::scopes::{ClusterStats, HostStats};
use crate::stats::{WorkerHistograms, WorkerId};

/// A cluster as one worker sees it. Touched by no other thread.
#[derive(Debug)]
pub struct WorkerCluster {
    /// What all workers share.
    pub shared: Arc<Cluster>,
    /// This worker.
    pub worker: WorkerId,
    /// This worker's histograms of everything.
    pub histograms: Rc<WorkerHistograms>,
    /// This worker's deadlines.
    pub timers: Rc<Timers>,
    current: RefCell<Current>,
}

#[derive(Debug, Default)]
struct Current {
    hosts: Vec<Rc<WorkerHost>>,
    /// Those of `hosts` that requests may be sent to; the balancer picks indices of this.
    healthy: Vec<Rc<WorkerHost>>,
    balancer: RoundRobin,
}

/// A host as one worker sees it.
#[derive(Debug)]
pub struct WorkerHost {
    /// What all workers share.
    pub shared: Arc<Host>,
    /// This worker.
    pub worker: WorkerId,
    /// Connections that wait for a request.
    pub idle: IdleConnections,
}

impl WorkerHost {
    /// This worker's counters of the host.
    pub fn stats(&self) -> &HostStats {
        self.shared.stats.of(self.worker)
    }
}

impl WorkerCluster {
    /// A cluster without hosts yet.
    pub fn new(
        shared: Arc<Cluster>,
        worker: WorkerId,
        histograms: Rc<WorkerHistograms>,
        timers: Rc<Timers>,
    ) -> Rc<Self> {
        Rc::new(Self { shared, worker, histograms, timers, current: RefCell::default() })
    }

    /// This worker's counters of the cluster.
    pub fn stats(&self) -> &ClusterStats {
        self.shared.stats.of(self.worker)
    }

    /// Takes over a new host set. Hosts that stay keep their connections; the idle connections of
    /// hosts that left close, their busy ones finish first.
    pub fn set_hosts(&self, set: &HostSet) {
        let mut current = self.current.borrow_mut();
        let mut known: HashMap<u64, Rc<WorkerHost>> =
            current.hosts.drain(..).map(|host| (host.shared.id, host)).collect();
        let hosts: Vec<Rc<WorkerHost>> = set
            .hosts
            .iter()
            .map(|host| {
                let known = known.remove(&host.id);
                known.unwrap_or_else(|| Rc::new(self.worker_host(host.clone())))
            })
            .collect();
        for gone in known.values() {
            gone.idle.retire();
        }
        current.healthy = hosts.iter().filter(|host| host.shared.is_healthy()).cloned().collect();
        let weights: Vec<u32> = current.healthy.iter().map(|host| host.shared.weight()).collect();
        current.balancer.set_weights(weights.into_iter());
        current.hosts = hosts;
    }

    fn worker_host(&self, shared: Arc<Host>) -> WorkerHost {
        WorkerHost { shared, worker: self.worker, idle: IdleConnections::default() }
    }

    /// The host for the next request; none where no host is healthy.
    pub fn choose_host(&self) -> Option<Rc<WorkerHost>> {
        let mut current = self.current.borrow_mut();
        let index = current.balancer.choose()?;
        current.healthy.get(index).cloned()
    }

    /// Closes idle connections that the upstream has closed or that have waited too long.
    pub fn sweep_idle(&self) {
        for host in &self.current.borrow().hosts {
            host.idle.sweep(self.shared.config.idle_timeout);
        }
    }
}
