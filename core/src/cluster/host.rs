//! Hosts: what a load balancer picks.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::{Duration, Instant};

use ringmain_config::address::Address;
use ringmain_config::cluster::{EndpointHealthCheckConfig, HealthStatus, SocketLabels};
use ringmain_config::locality::Locality;
use serde_json::Value;
use tokio::sync::Notify;

use super::{HealthFlag, HealthFlags};
use crate::load_balancer::{Health, LocalCluster, Member, Plan, PlanContext, count_members};
use crate::outlier_detection::HostMonitor;
use crate::stats::PerWorker;
use crate::stats::scopes::HostStats;

/// What discovery says of a host.
#[derive(Debug, Clone, PartialEq)]
pub struct HostDescription {
    /// Where to connect.
    pub address: Address,
    /// What discovery knows the host by, where an address is not enough: another task may get the
    /// address of one that has ended. Empty means the address.
    pub identity: String,
    /// The name it was resolved from, or the endpoint's `hostname`.
    pub hostname: String,
    /// `load_balancing_weight`.
    pub weight: u32,
    /// Whether requests may be sent here.
    pub health_status: HealthStatus,
    /// `priority`: 0 is asked first.
    pub priority: u32,
    /// Where it runs.
    pub locality: Locality,
    /// The `envoy.lb` metadata.
    pub metadata: BTreeMap<String, Value>,
    /// What its metadata says for its transport socket.
    pub socket_labels: SocketLabels,
    /// What it says of its own health checks.
    pub health_check_config: EndpointHealthCheckConfig,
}

impl HostDescription {
    /// A healthy host of weight 1 at `address`, and no more than that.
    pub fn new(address: impl Into<Address>) -> Self {
        Self {
            address: address.into(),
            identity: String::new(),
            hostname: String::new(),
            weight: 1,
            health_status: HealthStatus::Healthy,
            priority: 0,
            locality: Locality::default(),
            metadata: BTreeMap::new(),
            socket_labels: SocketLabels::default(),
            health_check_config: EndpointHealthCheckConfig::default(),
        }
    }
}

/// One upstream address. A host keeps its identity, its connections and its counters as long as
/// discovery keeps naming it, whatever becomes of its health and weight.
#[derive(Debug)]
pub struct Host {
    /// Never reused, so that a host that left and came back is another one.
    pub id: u64,
    /// Where to connect.
    pub address: Address,
    /// The address as text, for logs and admin.
    pub address_text: String,
    /// See [`HostDescription::identity`].
    pub identity: String,
    /// The name it was resolved from, or the endpoint's `hostname`.
    pub hostname: String,
    /// `priority`: 0 is asked first.
    pub priority: u32,
    /// Where it runs.
    pub locality: Locality,
    /// The `envoy.lb` metadata.
    pub metadata: BTreeMap<String, Value>,
    /// What its metadata says for its transport socket.
    pub socket_labels: SocketLabels,
    /// What it says of its own health checks.
    pub health_check_config: EndpointHealthCheckConfig,
    /// Rung by workers when a response of its own says that it is to be taken out; absent where
    /// nobody checks it.
    pub health_alarm: OnceLock<Notify>,
    /// What is noted of its answers; absent where nobody watches them.
    pub outlier_monitor: OnceLock<HostMonitor>,
    /// Counters for admin `/clusters`.
    pub stats: PerWorker<HostStats>,
    /// Written by the control thread. Workers see what follows from it in the next plan.
    weight: AtomicU32,
    health: HealthFlags,
    /// When it became healthy, in milliseconds since [`EPOCH`].
    healthy_since_ms: AtomicU64,
    /// Connections of all workers; counted only where `per_host_thresholds` limit them.
    connections: AtomicU32,
    /// Requests of all workers that wait for a connection to this host.
    waiting: AtomicU32,
}

static NEXT_HOST_ID: AtomicU64 = AtomicU64::new(1);
static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

fn now_ms() -> u64 {
    u64::try_from(EPOCH.elapsed().as_millis()).unwrap_or(u64::MAX)
}

impl Host {
    /// A new host with an identity of its own.
    pub fn new(description: HostDescription, workers: usize) -> Self {
        let HostDescription { address, identity, hostname, weight, priority, .. } = description;
        Self {
            id: NEXT_HOST_ID.fetch_add(1, Ordering::Relaxed),
            address_text: address.to_string(),
            address,
            identity,
            hostname,
            priority,
            locality: description.locality,
            metadata: description.metadata,
            socket_labels: description.socket_labels,
            health_check_config: description.health_check_config,
            health_alarm: OnceLock::new(),
            outlier_monitor: OnceLock::new(),
            stats: PerWorker::new(workers),
            weight: AtomicU32::new(weight.max(1)),
            health: HealthFlags::new(description.health_status),
            healthy_since_ms: AtomicU64::new(now_ms()),
            connections: AtomicU32::new(0),
            waiting: AtomicU32::new(0),
        }
    }

    /// Counts one more connection, unless there are `max` already.
    pub fn try_add_connection(&self, max: Option<u32>) -> bool {
        let one_more = |count| (count < max.unwrap_or(u32::MAX)).then_some(count + 1);
        self.connections.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more).is_ok()
    }

    /// Counts one connection less.
    pub fn remove_connection(&self) {
        self.connections.fetch_sub(1, Ordering::SeqCst);
    }

    /// Counts a request that begins to wait for a connection.
    pub fn enter_line(&self) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
    }

    /// Counts a request that no longer waits.
    pub fn leave_line(&self) {
        self.waiting.fetch_sub(1, Ordering::SeqCst);
    }

    /// Requests of all workers that wait for a connection.
    pub fn waiting(&self) -> u32 {
        self.waiting.load(Ordering::SeqCst)
    }

    /// `load_balancing_weight`, at least 1.
    pub fn weight(&self) -> u32 {
        self.weight.load(Ordering::Relaxed)
    }

    /// What is known of its health.
    pub fn health(&self) -> &HealthFlags {
        &self.health
    }

    /// Whether it takes requests like any other.
    pub fn is_healthy(&self) -> bool {
        self.health.health() == Health::Healthy
    }

    /// Sets or clears a flag of its health; whether that changed anything. Workers know when they are
    /// told, by [`Control::tell_health`].
    ///
    /// [`Control::tell_health`]: crate::server::Control::tell_health
    pub fn set_health_flag(&self, flag: HealthFlag, on: bool) -> bool {
        self.change_health(|health| health.set(flag, on))
    }

    /// A response of the host asks for it to be taken out (`x-envoy-immediate-health-check-fail`):
    /// tells who checks it, if anybody does.
    pub fn raise_health_alarm(&self) {
        if let Some(alarm) = self.health_alarm.get() {
            alarm.notify_one();
        }
    }

    /// How long ago it became healthy.
    pub fn healthy_for(&self) -> Duration {
        let since = self.healthy_since_ms.load(Ordering::Relaxed);
        Duration::from_millis(now_ms().saturating_sub(since))
    }

    fn change_health(&self, change: impl FnOnce(&HealthFlags) -> bool) -> bool {
        let was_healthy = self.is_healthy();
        let changed = change(&self.health);
        if !was_healthy && self.is_healthy() {
            self.healthy_since_ms.store(now_ms(), Ordering::Relaxed);
        }
        changed
    }

    /// `canary` of its metadata.
    pub fn is_canary(&self) -> bool {
        self.metadata.get("canary").and_then(Value::as_bool).unwrap_or(false)
    }

    /// As balancers see it; `by_hostname` is `use_hostname_for_hashing`.
    pub fn member(&self, by_hostname: bool) -> Member<'_> {
        let own_key = self.metadata.get("hash_key").and_then(Value::as_str);
        let name = if by_hostname { &self.hostname } else { &self.address_text };
        Member {
            priority: self.priority,
            locality: &self.locality,
            weight: self.weight(),
            health: self.health.health(),
            excluded: self.health.is_excluded(),
            hash_key: own_key.filter(|key| !key.is_empty()).unwrap_or(name),
            metadata: &self.metadata,
        }
    }

    /// Whether this is the host that `description` means, so that it can stay.
    fn is_meant_by(&self, description: &HostDescription) -> bool {
        self.identity == description.identity
            && self.hostname == description.hostname
            && self.priority == description.priority
            && self.locality == description.locality
            && self.metadata == description.metadata
            && self.socket_labels == description.socket_labels
            && self.health_check_config == description.health_check_config
    }

    /// Takes over what may change of a host; whether anything did.
    fn update(&self, description: &HostDescription) -> bool {
        let weight = description.weight.max(1);
        let changed = self.weight.swap(weight, Ordering::Relaxed) != weight;
        self.change_health(|health| health.set_eds_status(description.health_status)) || changed
    }
}

/// All hosts of a cluster at one moment. Which hosts there are never changes: another membership
/// is another set.
#[derive(Debug, Default)]
pub struct HostSet {
    /// The hosts, in discovery's order.
    pub hosts: Vec<Arc<Host>>,
}

impl HostSet {
    /// The set that follows `self` when discovery now names `found`: hosts that were there stay
    /// themselves. `None` when nothing changed.
    pub fn updated(&self, found: Vec<HostDescription>, workers: usize) -> Option<Self> {
        let mut known: HashMap<&Address, Vec<&Arc<Host>>> = HashMap::new();
        for host in self.hosts.iter().rev() {
            known.entry(&host.address).or_default().push(host);
        }
        let mut changed = found.len() != self.hosts.len();
        let mut hosts = Vec::with_capacity(found.len());
        for (index, description) in found.into_iter().enumerate() {
            let stays = known.get_mut(&description.address).and_then(|same| {
                let at = same.iter().rposition(|host| host.is_meant_by(&description))?;
                Some(same.remove(at).clone())
            });
            let host = match stays {
                Some(host) => {
                    changed |= host.update(&description);
                    host
                }
                None => Arc::new(Host::new(description, workers)),
            };
            changed |= self.hosts.get(index).is_none_or(|before| before.id != host.id);
            hosts.push(host);
        }
        changed.then_some(Self { hosts })
    }
}

impl HostSet {
    /// How to choose among these hosts, as `context` has it.
    pub fn plan(&self, context: &PlanContext<'_>) -> Plan {
        let by_hostname = context.config.policy.hashes_hostnames();
        let members: Vec<Member<'_>> =
            self.hosts.iter().map(|host| host.member(by_hostname)).collect();
        Plan::new(&members, context)
    }

    /// As the proxies beside this one, which is `here`.
    pub fn as_local_cluster(&self, here: Option<&Locality>) -> LocalCluster {
        let members: Vec<Member<'_>> = self.hosts.iter().map(|host| host.member(false)).collect();
        let mut localities: BTreeMap<&Locality, (u32, u32)> = BTreeMap::new();
        for member in &members {
            let counts = localities.entry(member.locality).or_default();
            counts.0 += 1;
            counts.1 += u32::from(member.health == Health::Healthy);
        }
        let localities = localities.into_iter();
        LocalCluster {
            localities: localities.map(|(at, (all, able))| (at.clone(), all, able)).collect(),
            here: here.cloned(),
            counts: count_members(members.iter(), false),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn at(port: u16) -> HostDescription {
        HostDescription::new(SocketAddr::from(([127, 0, 0, 1], port)))
    }

    fn set(found: Vec<HostDescription>) -> HostSet {
        HostSet::default().updated(found, 1).expect("a change")
    }

    #[test]
    fn a_host_that_stays_keeps_its_identity() {
        let before = set(vec![at(1), at(2)]);
        let next = before.updated(vec![at(2), at(3)], 1).expect("a change");
        assert!(Arc::ptr_eq(&next.hosts[0], &before.hosts[1]));
        assert_ne!(next.hosts[1].id, before.hosts[0].id);
    }

    #[test]
    fn the_same_answer_is_no_change() {
        let set = set(vec![at(1)]);
        assert!(set.updated(vec![at(1)], 1).is_none());
        assert!(set.updated(Vec::new(), 1).is_some());
    }

    #[test]
    fn another_identity_at_the_same_address_is_another_host() {
        let task = |name: &str| HostDescription { identity: name.into(), ..at(1) };
        let before = set(vec![task("a")]);
        let next = before.updated(vec![task("b")], 1).expect("a change");
        assert_ne!(next.hosts[0].id, before.hosts[0].id);
    }

    #[test]
    fn health_and_weight_change_in_place() {
        let before = set(vec![at(1), at(2)]);
        let health_status = HealthStatus::Unhealthy;
        let sick = HostDescription { health_status, weight: 3, ..at(1) };
        let next = before.updated(vec![sick.clone(), at(2)], 1).expect("a change");
        assert!(Arc::ptr_eq(&next.hosts[0], &before.hosts[0]));
        assert_eq!((next.hosts[0].is_healthy(), next.hosts[0].weight()), (false, 3));
        assert!(next.updated(vec![sick, at(2)], 1).is_none());
    }

    #[test]
    fn an_address_that_is_named_twice_is_two_hosts() {
        let before = set(vec![at(1), at(1)]);
        assert_ne!(before.hosts[0].id, before.hosts[1].id);
        assert!(before.updated(vec![at(1), at(1)], 1).is_none());
    }
}
