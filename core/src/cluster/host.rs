//! Hosts: what a load balancer picks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ringmain_config::bootstrap::Locality;

use crate::stats::PerWorker;
use crate::stats::scopes::HostStats;

/// One upstream address. A host keeps its identity, its connections and its counters as long as
/// discovery keeps naming it.
#[derive(Debug)]
pub struct Host {
    /// Never reused, so that a host that left and came back is another one.
    pub id: u64,
    /// Where to connect.
    pub address: SocketAddr,
    /// The address as text, for logs and admin.
    pub address_text: String,
    /// The name it was resolved from, or the endpoint's `hostname`.
    pub hostname: String,
    /// `load_balancing_weight`, at least 1.
    pub weight: u32,
    /// Whether requests may be sent here.
    pub healthy: bool,
    /// Where it runs.
    pub locality: Locality,
    /// Counters for admin `/clusters`.
    pub stats: PerWorker<HostStats>,
}

static NEXT_HOST_ID: AtomicU64 = AtomicU64::new(1);

impl Host {
    /// A new host with an identity of its own.
    pub fn new(
        address: SocketAddr,
        hostname: String,
        weight: u32,
        healthy: bool,
        locality: Locality,
        workers: usize,
    ) -> Self {
        Self {
            id: NEXT_HOST_ID.fetch_add(1, Ordering::Relaxed),
            address,
            address_text: address.to_string(),
            hostname,
            weight: weight.max(1),
            healthy,
            locality,
            stats: PerWorker::new(workers),
        }
    }

    /// Whether `other` describes this host, so that it can stay.
    pub fn describes_same(&self, other: &Self) -> bool {
        (self.address, &self.hostname, self.weight, self.healthy, &self.locality)
            == (other.address, &other.hostname, other.weight, other.healthy, &other.locality)
    }
}

/// All hosts of a cluster at one moment. Never changed: a change makes another set.
#[derive(Debug, Default)]
pub struct HostSet {
    /// The hosts, in discovery's order.
    pub hosts: Vec<Arc<Host>>,
}

impl HostSet {
    /// The set that follows `self` when discovery now names `found`: hosts that were there stay
    /// themselves. `None` when nothing changed.
    pub fn updated(&self, found: Vec<Host>) -> Option<Self> {
        let hosts: Vec<Arc<Host>> = found
            .into_iter()
            .map(|host| {
                let known = self.hosts.iter().find(|known| known.describes_same(&host));
                known.cloned().unwrap_or_else(|| Arc::new(host))
            })
            .collect();
        let unchanged = hosts.len() == self.hosts.len()
            && hosts.iter().zip(&self.hosts).all(|(new, old)| Arc::ptr_eq(new, old));
        (!unchanged).then_some(Self { hosts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(port: u16) -> Host {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        Host::new(address, String::new(), 1, true, Locality::default(), 1)
    }

    #[test]
    fn a_host_that_stays_keeps_its_identity() {
        let set = HostSet { hosts: vec![Arc::new(host(1)), Arc::new(host(2))] };
        let next = set.updated(vec![host(2), host(3)]).expect("a change");
        assert!(Arc::ptr_eq(&next.hosts[0], &set.hosts[1]));
        assert_ne!(next.hosts[1].id, set.hosts[0].id);
    }

    #[test]
    fn the_same_answer_is_no_change() {
        let set = HostSet { hosts: vec![Arc::new(host(1))] };
        assert!(set.updated(vec![host(1)]).is_none());
        assert!(set.updated(Vec::new()).is_some());
    }
}
