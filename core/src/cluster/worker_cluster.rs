//! A worker's share of a cluster: its load balancer and its connection pools.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use ringmain_config::cluster::{RoutingPriority, UpstreamProtocol};
use ringmain_config::tls::UpstreamTlsContext;
use ringmain_config::transport_socket::UpstreamTransportSocket;

use super::{Bells, Cluster, Host, HostSet, ToldHosts, WorkerHost};
use crate::load_balancer::{Balancer, Health, Hosts, Pick, PriorityLoad};
use crate::outlier_detection::Outcome;
use crate::pool::{self, Line};
use crate::random::Random;
use crate::runtime::{BufferPool, Timers};
use crate::stats::scopes::{ClusterStats, Http2Stats};
use crate::stats::{WorkerHistograms, WorkerId};
use crate::transport_socket::tls::ClientContext;

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
    /// The other workers.
    pub bells: Arc<Bells>,
    random: Rc<Random>,
    /// TLS of its transport sockets, by their places.
    client_contexts: Box<[RefCell<Option<Rc<ClientContext>>>]>,
    /// This worker's spare buffers.
    pub buffers: Rc<BufferPool>,
    lines: [Line; 2],
    connections: [Cell<u32>; 2],
    busy: [Cell<u32>; 2],
    wants_descriptor: Cell<bool>,
    current: RefCell<Current>,
}

#[derive(Debug, Default)]
struct Current {
    /// What the rest was made of. Held as long as any of it, so that who told it knows.
    told: Arc<ToldHosts>,
    /// In the order of those in `told`; the balancer picks indices of this.
    hosts: Vec<Rc<WorkerHost>>,
    /// None before the first hosts are told.
    balancer: Option<Balancer>,
    /// Hosts that were chosen ahead, of which the first is the next.
    foreseen: VecDeque<Rc<WorkerHost>>,
    membership: Membership,
}

/// How many hosts a cluster has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Membership {
    /// All of them.
    pub total: u64,
    /// Those that are healthy or degraded.
    pub available: u64,
}

impl Membership {
    fn of(hosts: &[Rc<WorkerHost>]) -> Self {
        let is_available =
            |host: &&Rc<WorkerHost>| host.shared.health().health() != Health::Unhealthy;
        Self {
            total: hosts.len() as u64,
            available: hosts.iter().filter(is_available).count() as u64,
        }
    }
}

/// The hosts as the balancer asks about them.
struct BalancedHosts<'a> {
    cluster: &'a WorkerCluster,
    hosts: &'a [Rc<WorkerHost>],
}

impl Hosts for BalancedHosts<'_> {
    fn random(&self) -> u64 {
        self.cluster.random.next()
    }

    fn active_requests(&self, host: u32) -> u64 {
        // Began and ended here, so not below zero.
        self.hosts[host as usize].stats().rq_active.value().cast_unsigned()
    }

    fn all_active_requests(&self) -> u64 {
        self.cluster.stats().upstream_rq_active.value().cast_unsigned()
    }

    fn healthy_for(&self, host: u32) -> Duration {
        self.hosts[host as usize].shared.healthy_for()
    }
}

/// What is offered by ALPN where the configuration names nothing.
fn offered(protocol: UpstreamProtocol) -> &'static [&'static [u8]] {
    match protocol {
        UpstreamProtocol::Auto(_) => &[b"h2", b"http/1.1"],
        _ => &[],
    }
}

fn client_context(source: &UpstreamTlsContext, shared: &Cluster) -> Rc<ClientContext> {
    let offered = offered(shared.config.upstream_protocol);
    Rc::new(ClientContext::new(source, offered, &shared.config.auto_sni))
}

impl WorkerCluster {
    /// A cluster without hosts yet.
    pub fn new(
        shared: Arc<Cluster>,
        worker: WorkerId,
        histograms: Rc<WorkerHistograms>,
        timers: Rc<Timers>,
        bells: Arc<Bells>,
        random: Rc<Random>,
        buffers: Rc<BufferPool>,
    ) -> Rc<Self> {
        let sockets = shared.config.transport_sockets.iter();
        let client_contexts = sockets
            .map(|socket| match socket {
                UpstreamTransportSocket::RawBuffer => RefCell::default(),
                UpstreamTransportSocket::Tls(source) => {
                    RefCell::new(Some(client_context(source, &shared)))
                }
            })
            .collect();
        Rc::new(Self {
            client_contexts,
            buffers,
            shared,
            worker,
            histograms,
            timers,
            bells,
            random,
            lines: Default::default(),
            connections: Default::default(),
            busy: Default::default(),
            wants_descriptor: Cell::new(false),
            current: RefCell::default(),
        })
    }

    /// TLS of the transport socket at `place`, where it has that, for a connection that begins.
    pub fn client_context(&self, place: usize) -> Option<Rc<ClientContext>> {
        self.client_contexts[place].borrow().clone()
    }

    /// From now on, TLS of the transport socket at `place` is `source`.
    pub fn set_client_context(&self, place: usize, source: &UpstreamTlsContext) {
        self.client_contexts[place].replace(Some(client_context(source, &self.shared)));
    }

    /// A connection could not be opened, as the process is out of descriptors.
    pub fn want_descriptor(&self) {
        self.wants_descriptor.set(true);
    }

    /// Whether that has happened since the last call.
    pub fn take_want(&self) -> bool {
        self.wants_descriptor.take()
    }

    /// Closes all idle connections.
    pub fn close_idle(&self) {
        self.current.borrow().hosts.iter().for_each(|host| host.close_idle());
    }

    /// The requests that wait for a connection.
    pub fn line(&self, priority: RoutingPriority) -> &Line {
        &self.lines[priority as usize]
    }

    /// Counts connections opened and closed.
    pub fn count_connection(&self, priority: RoutingPriority, change: i32) {
        let count = &self.connections[priority as usize];
        count.set(count.get().saturating_add_signed(change));
        self.shared.breakers.publish_connections(self.worker, priority, count.get());
    }

    /// Connections that are open or being opened.
    pub fn connections(&self) -> u32 {
        self.connections.iter().map(Cell::get).sum()
    }

    /// Counts connections that serve a request.
    pub fn count_busy(&self, priority: RoutingPriority, change: i32) {
        let count = &self.busy[priority as usize];
        count.set(count.get().saturating_add_signed(change));
    }

    /// Closes one idle connection, to make room for another. False where there is none.
    pub fn close_one_idle(&self, priority: RoutingPriority) -> bool {
        let index = priority as usize;
        if self.connections[index].get() <= self.busy[index].get() {
            return false;
        }
        let hosts = self.current.borrow();
        hosts.hosts.iter().any(|host| host.close_one_idle(priority))
    }

    /// Closes idle connections to hosts that requests wait for because of the host's own limit.
    pub fn close_idle_waited_for(&self) {
        self.current.borrow().hosts.iter().for_each(|host| host.close_idle_waited_for());
    }

    /// Looks at what is shared with the other workers, if one of them has asked to.
    pub fn answer_bell(self: &Rc<Self>) {
        if self.shared.breakers.take_rung(self.worker) {
            pool::look(self);
        }
    }

    /// This worker's counters of the cluster.
    pub fn stats(&self) -> &ClusterStats {
        self.shared.stats.of(self.worker)
    }

    /// This worker's `cluster.<name>.http2.` counters; of a cluster whose hosts speak HTTP/2.
    pub fn http2_stats(&self) -> Option<&Http2Stats> {
        self.shared.http2.as_ref().map(|stats| stats.of(self.worker))
    }

    /// Counts a response, and the same by whether the request came from an internal address.
    pub fn count_response(&self, status: u16, internal: bool) {
        let shared = &self.shared;
        self.stats().upstream_rq_completed.inc();
        shared.response_codes.of(self.worker).count(status);
        let by_origin = match internal {
            true => &shared.internal_response_codes,
            false => &shared.external_response_codes,
        };
        by_origin.of(self.worker).count(status);
    }

    /// Records how long a response took, likewise.
    pub fn record_rq_time(&self, time_ms: u64, internal: bool) {
        let ids = &self.shared.histograms;
        let by_origin = match internal {
            true => ids.internal_upstream_rq_time,
            false => ids.external_upstream_rq_time,
        };
        self.histograms.record(ids.upstream_rq_time, time_ms);
        self.histograms.record(by_origin, time_ms);
    }

    /// Takes over new hosts, or a new plan for those that are there. Hosts that stay keep their
    /// connections; the idle connections of hosts that left close, their busy ones finish first.
    pub fn set_hosts(&self, told: Arc<ToldHosts>) {
        let mut current = self.current.borrow_mut();
        let gone = match Arc::ptr_eq(&current.told.hosts, &told.hosts) {
            true => Vec::new(),
            false => self.replace_hosts(&mut current, &told.hosts),
        };
        let hosts = BalancedHosts { cluster: self, hosts: &current.hosts };
        let balancer = Balancer::new(told.plan.clone(), current.balancer.as_ref(), &hosts);
        current.balancer = Some(balancer);
        current.membership = Membership::of(&current.hosts);
        current.foreseen.clear();
        current.told = told;
        let failed: Vec<_> =
            current.hosts.iter().filter(|host| host.has_failed_anew()).cloned().collect();
        // Closing connections may serve requests that wait, which looks at the hosts.
        drop(current);
        gone.iter().for_each(|host| host.retire_connections());
        failed.iter().for_each(|host| host.leave_connections());
    }

    /// The hosts that have left, or whose connections are to be closed all the same.
    fn replace_hosts(&self, current: &mut Current, set: &HostSet) -> Vec<Rc<WorkerHost>> {
        let mut known: HashMap<u64, Rc<WorkerHost>> =
            current.hosts.drain(..).map(|host| (host.shared.id, host)).collect();
        let is_known = |host: &Arc<Host>| known.contains_key(&host.id);
        let closes_all = self.shared.config.close_connections_on_host_set_change
            && !(known.len() == set.hosts.len() && set.hosts.iter().all(is_known));
        let hosts = set.hosts.iter().map(|host| {
            let known = if closes_all { None } else { known.remove(&host.id) };
            known.unwrap_or_else(|| Rc::new(WorkerHost::new(host.clone(), self.worker)))
        });
        current.hosts = hosts.collect();
        known.into_values().collect()
    }

    /// How many hosts there are.
    pub fn membership(&self) -> Membership {
        self.current.borrow().membership
    }

    /// Whether there is any host.
    pub fn has_hosts(&self) -> bool {
        !self.current.borrow().hosts.is_empty()
    }

    /// Whether a request is among those that `drop_overloads` keeps from all hosts.
    pub fn drops_request(&self) -> bool {
        let share = self.shared.config.load_assignment.drop_overload;
        share.numerator > 0 && share.includes(self.random.next())
    }

    /// The host for a request; none where no host takes any.
    pub fn choose_host(&self, pick: &Pick<'_>) -> Option<Rc<WorkerHost>> {
        let mut current = self.current.borrow_mut();
        if pick.load.is_none()
            && let Some(foreseen) = current.foreseen.pop_front()
        {
            return Some(foreseen);
        }
        self.choose_in_turn(&mut current, pick)
    }

    /// The host for a request behind those that were foreseen before; none where the turns cannot be told
    /// ahead, or each host was foreseen already.
    pub fn foresee_host(&self) -> Option<Rc<WorkerHost>> {
        let mut current = self.current.borrow_mut();
        if !self.shared.config.load_balancing.is_predictable()
            || current.foreseen.len() >= current.hosts.len()
        {
            return None;
        }
        let host = self.choose_in_turn(&mut current, &Pick::default())?;
        current.foreseen.push_back(host.clone());
        Some(host)
    }

    fn choose_in_turn(&self, current: &mut Current, pick: &Pick<'_>) -> Option<Rc<WorkerHost>> {
        let Current { hosts, balancer, .. } = current;
        let asked = BalancedHosts { cluster: self, hosts };
        let stats = self.shared.lb.of(self.worker);
        let index = balancer.as_mut()?.choose(pick, &asked, stats)?;
        hosts.get(index as usize).cloned()
    }

    /// How load is shared among the priorities but for those in `left_out`. `None` where no other is
    /// available.
    pub fn load_without(&self, left_out: &[u32]) -> Option<PriorityLoad> {
        let current = self.current.borrow();
        let distribution = current.balancer.as_ref()?.plan().distribution();
        let is_left_out = |priority: usize| left_out.iter().any(|out| *out as usize == priority);
        distribution.without(is_left_out)
    }

    /// Notes what came of sending something to `host`, where outliers are looked for.
    pub fn note_outcome(&self, host: &WorkerHost, outcome: Outcome) {
        if let Some(detector) = &self.shared.outlier_detector {
            detector.note(&host.shared, self.worker, outcome);
        }
    }

    /// Closes idle connections that the upstream has closed or that have waited too long.
    pub fn sweep_idle(self: &Rc<Self>) {
        let timeout = self.shared.config.idle_timeout;
        // Of thousands of hosts most have none here.
        let hosts = self.current.borrow();
        hosts.hosts.iter().filter(|host| host.is_connected()).for_each(|host| host.sweep(timeout));
        drop(hosts);
        // A bell that came too early for a connection to be idle is made up for here.
        pool::look(self);
    }
}
