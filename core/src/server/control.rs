//! The control thread's view of the process: what admin shows and commands go through.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use ringmain_config::bootstrap::Node;
use ringmain_config::locality::Locality;
use ringmain_config::overload::OverloadManager;
use ringmain_config::runtime::Runtime;
use ringmain_config::tls::{CommonTlsContext, UpstreamTlsContext};
use ringmain_config::transport_socket::UpstreamTransportSocket;
use tokio::sync::{mpsc, watch};

use super::configuration::Written;
use super::host_plans::HostPlans;
use super::{Command, Compiled};
use crate::access_log::{FilesystemStats, LogControl, LogSink};
use crate::cluster::{HostSet, HostSlots, ToldHosts};
use crate::discovery::report::PollerReport;
use crate::load_balancer::Plan;
use crate::runtime::{Post, SendError};
use crate::stats::scopes::TlsReloadStats;
use crate::stats::{
    AdminStats, Baseline, Bin, HistogramCollector, HistogramId, Recorded, snapshot,
};
use crate::transport_socket::tls::ServerContext;

/// Where the process stands, with Envoy's numbers for `server.state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerState {
    /// Serving.
    Live = 0,
    /// On its way out, or told to fail health checks.
    Draining = 1,
    /// Reading its configuration.
    PreInitializing = 2,
    /// Waiting for the first discovery.
    Initializing = 3,
}

/// What the process was started with.
#[derive(Debug)]
pub struct Boot {
    /// `node`, with the command line's additions.
    pub node: Node,
    /// The index of `cluster_manager.local_cluster_name`.
    pub local_cluster: Option<usize>,
    /// The command line.
    pub args: super::args::Args,
    /// Whether there is an admin listener.
    pub has_admin: bool,
    /// `stats_flush_interval`.
    pub stats_flush_interval: Duration,
    /// `overload_manager`.
    pub overload_manager: OverloadManager,
    /// `layered_runtime`.
    pub runtime: Runtime,
    /// The levels of the process' own log.
    pub log_levels: super::log::LogLevels,
    /// The configuration as it was given; absent where there is no admin listener to show it.
    pub written: Option<Written>,
}

/// What the control thread shares with its tasks. Workers never see it.
#[derive(Debug)]
pub struct Control {
    /// The configuration.
    pub compiled: Arc<Compiled>,
    /// What the process was started with.
    pub boot: Boot,
    /// When the process started.
    pub started: Instant,
    /// What the admin listener counts.
    pub admin_stats: AdminStats,
    /// When it started, by the wall clock.
    pub started_at: SystemTime,
    state: watch::Sender<ServerState>,
    failing_health_checks: AtomicBool,
    /// Tasks of the one control thread take turns with it; no worker knows it.
    baseline: Mutex<Baseline>,
    /// What becomes of certificates that change.
    pub tls_stats: TlsReloadStats,
    server_contexts: watch::Sender<Vec<Arc<ServerContext>>>,
    client_sources: watch::Sender<ClientSources>,
    /// By cluster.
    hosts: Vec<HostPlans>,
    host_slots: Arc<HostSlots>,
    posts: Vec<Post<Command>>,
    logs: LogControl,
    histograms: HistogramCollector,
    reports: watch::Sender<BTreeMap<String, PollerReport>>,
    shutdown: mpsc::Sender<()>,
}

/// TLS of the transport sockets of each cluster, by their places, where they have that.
pub type ClientSources = Vec<Vec<Option<Arc<UpstreamTlsContext>>>>;

/// How often a command is offered again to a worker whose mailbox is full.
const RETRY_PAUSE: Duration = Duration::from_millis(5);

impl Control {
    /// The control thread's state; `shutdown` is told when admin asks for the end.
    pub fn new(
        compiled: Arc<Compiled>,
        boot: Boot,
        posts: Vec<Post<Command>>,
        host_slots: Arc<HostSlots>,
        logs: LogControl,
        shutdown: mpsc::Sender<()>,
    ) -> Self {
        Self {
            hosts: compiled.clusters.iter().map(|_| HostPlans::default()).collect(),
            host_slots,
            histograms: HistogramCollector::new(&compiled.histograms),
            reports: watch::Sender::default(),
            tls_stats: TlsReloadStats::default(),
            server_contexts: watch::Sender::new(compiled.server_contexts.clone()),
            client_sources: watch::Sender::new(client_sources(&compiled)),
            compiled,
            boot,
            admin_stats: AdminStats::default(),
            started_at: SystemTime::now(),
            failing_health_checks: AtomicBool::new(false),
            baseline: Mutex::default(),
            started: Instant::now(),
            state: watch::Sender::new(ServerState::PreInitializing),
            posts,
            logs,
            shutdown,
        }
    }

    /// Where the process stands.
    pub fn state(&self) -> ServerState {
        match *self.state.borrow() {
            ServerState::Live if self.failing_health_checks.load(Ordering::Relaxed) => {
                ServerState::Draining
            }
            state => state,
        }
    }

    /// Whether the listeners have opened.
    pub fn has_started(&self) -> bool {
        matches!(*self.state.borrow(), ServerState::Live | ServerState::Draining)
    }

    /// `/healthcheck/fail` and `/healthcheck/ok`.
    pub async fn fail_health_checks(&self, fail: bool) {
        self.failing_health_checks.store(fail, Ordering::Relaxed);
        // What is newest goes to every worker last, whoever else asks for the other meanwhile.
        let newest = || self.failing_health_checks.load(Ordering::Relaxed);
        self.tell_all(|| Command::FailHealthChecks(newest())).await;
    }

    /// The process is on its way out.
    pub fn end(&self) {
        self.set_state(ServerState::Draining);
    }

    /// How many listeners no longer accept.
    pub fn stopped_listeners(&self) -> usize {
        let bound = self.compiled.listeners.iter().filter(|listener| listener.config.bind_to_port);
        bound.filter(|listener| listener.is_closed()).count()
    }

    /// `/reset_counters`: every counter counts from here.
    pub fn reset_counters(&self) {
        let stats = snapshot(self);
        self.with_baseline(|baseline| baseline.advance(&stats));
    }

    /// What counters stood at when they were last reset.
    pub fn with_baseline<T>(&self, act: impl FnOnce(&mut Baseline) -> T) -> T {
        act(&mut self.baseline.lock().expect("nobody panics with it"))
    }

    /// Moves on.
    pub fn set_state(&self, state: ServerState) {
        self.state.send_replace(state);
    }

    /// The hosts of the cluster at `index` as discovery has last named them.
    pub fn hosts(&self, index: usize) -> Arc<HostSet> {
        self.hosts[index].newest()
    }

    /// The same, to be told of changes.
    pub fn watch_hosts(&self, index: usize) -> watch::Receiver<Arc<HostSet>> {
        self.hosts[index].watch()
    }

    /// How workers choose among them.
    pub fn plan(&self, index: usize) -> Arc<Plan> {
        self.hosts[index].told().plan.clone()
    }

    /// Tells every worker the hosts of the cluster at `index`, and what that means for others.
    pub async fn set_hosts(&self, index: usize, hosts: Arc<HostSet>) {
        let known = self.hosts(index);
        if !Arc::ptr_eq(&known, &hosts) {
            self.compiled.clusters[index].expect(&hosts, &known, self.compiled.workers);
            self.hosts[index].set_newest(hosts);
        }
        self.tell_health(index).await;
    }

    /// Tells every worker of changes of the health or the weight of hosts of the cluster at `index`.
    pub async fn tell_health(&self, index: usize) {
        self.plan_and_tell(index).await;
        if self.boot.local_cluster == Some(index) {
            // How many proxies there are in each zone decides how far requests stay in theirs.
            for other in (0..self.compiled.clusters.len()).filter(|other| *other != index) {
                self.plan_and_tell(other).await;
            }
        }
    }

    async fn plan_and_tell(&self, index: usize) {
        let Some(turn) = self.hosts[index].turn().await else { return };
        let Some(plan) = self.plan_for(index, turn.hosts()).await else { return };
        self.count_subsets(index, &plan);
        let [told, before] = turn.finish(plan);
        self.host_slots.fill(index, &told);
        if !before.hosts.hosts.is_empty() {
            tokio::spawn(outlive_workers(before));
        }
    }

    fn count_subsets(&self, index: usize, plan: &Plan) {
        let Some(subsets) = plan.subsets() else { return };
        let stats = &self.compiled.clusters[index].planning;
        let balancers = self.compiled.balancers() as u64;
        subsets.count_changes(self.plan(index).subsets(), balancers, stats);
    }

    /// `None` where making it has panicked, which leaves the workers with what they have.
    async fn plan_for(&self, index: usize, hosts: &Arc<HostSet>) -> Option<Plan> {
        let cluster = &self.compiled.clusters[index];
        let here = Some(&self.boot.node.locality).filter(|here| **here != Locality::default());
        let local = self.boot.local_cluster.filter(|local| *local != index);
        let local = local.map(|local| self.hosts(local).as_local_cluster(here));
        if !cluster.plans_at_length(hosts) {
            return Some(cluster.plan(hosts, here, local.as_ref()));
        }
        let (cluster, hosts, here) = (cluster.clone(), hosts.clone(), here.cloned());
        let plan = move || cluster.plan(&hosts, here.as_ref(), local.as_ref());
        tokio::task::spawn_blocking(plan).await.ok()
    }

    /// TLS of the filter chains as last told to the workers.
    pub fn server_contexts(&self) -> Vec<Arc<ServerContext>> {
        self.server_contexts.borrow().clone()
    }

    /// Gives every worker another context in the place of the one at `index`.
    pub async fn set_server_context(&self, index: usize, context: Arc<ServerContext>) {
        self.server_contexts.send_modify(|contexts| contexts[index] = context.clone());
        self.tell_all(|| Command::SetServerContext { index, context: context.clone() }).await;
    }

    /// TLS of the clusters as last told to the workers.
    pub fn client_sources(&self) -> ClientSources {
        self.client_sources.borrow().clone()
    }

    /// That of the transport socket at `place` of the cluster at `cluster`.
    pub fn client_source(&self, cluster: usize, place: usize) -> Option<Arc<UpstreamTlsContext>> {
        self.client_sources.borrow()[cluster][place].clone()
    }

    /// All of them, to be told of changes.
    pub fn watch_client_sources(&self) -> watch::Receiver<ClientSources> {
        self.client_sources.subscribe()
    }

    /// Gives every worker another TLS context for the transport socket at `place` of the cluster at
    /// `cluster`.
    pub async fn set_client_source(
        &self,
        cluster: usize,
        place: usize,
        source: Arc<UpstreamTlsContext>,
    ) {
        self.client_sources.send_modify(|sources| sources[cluster][place] = Some(source.clone()));
        self.tell_all(|| Command::SetClientContext { cluster, place, source: source.clone() })
            .await;
    }

    /// Whether any filter chain or cluster has TLS.
    pub fn has_tls(&self) -> bool {
        let has_client = || self.client_sources.borrow().iter().flatten().any(Option::is_some);
        !self.compiled.server_contexts.is_empty() || has_client()
    }

    /// All TLS contexts as they are now: those of the filter chains, then those of the clusters.
    pub fn tls_contexts(&self) -> Vec<CommonTlsContext> {
        let downstream = self.server_contexts();
        let downstream = downstream.iter().map(|context| context.source().common.clone());
        let upstream = self.client_sources().into_iter().flatten().flatten();
        downstream.chain(upstream.map(|source| source.common.clone())).collect()
    }

    /// Writes down where a poller stands, for admin `/ecs`.
    pub fn publish_report(&self, key: String, report: PollerReport) {
        self.reports.send_modify(|reports| {
            reports.insert(key, report);
        });
    }

    /// Where the pollers stand.
    pub fn reports(&self) -> Vec<PollerReport> {
        self.reports.borrow().values().cloned().collect()
    }

    /// Gives every worker a command, waiting for those whose mailbox is full.
    pub async fn tell_all(&self, mut command: impl FnMut() -> Command) {
        for post in &self.posts {
            loop {
                match post.send(command()) {
                    // A worker that has ended brings the process down by itself.
                    Ok(()) | Err(SendError::Ended) => break,
                    Err(SendError::Full) => tokio::time::sleep(RETRY_PAUSE).await,
                }
            }
        }
    }

    /// Records a value in a histogram of the process.
    pub fn record(&self, id: HistogramId, value: u64) {
        self.histograms.add(&vec![(id, vec![(Bin::of(value), 1)])]);
    }

    /// Ends the interval of all histograms; the next one begins.
    pub async fn end_histogram_interval(&self) {
        self.gather_histograms().await;
        self.histograms.end_interval();
    }

    /// All histograms, merged over the workers.
    pub async fn collect_histograms(&self) -> Vec<Recorded> {
        self.gather_histograms().await;
        self.histograms.report()
    }

    /// Has the workers hand over what they recorded. A worker that has ended adds nothing.
    async fn gather_histograms(&self) {
        let (replies, collected): (Vec<_>, Vec<_>) =
            self.posts.iter().map(|_| tokio::sync::oneshot::channel()).unzip();
        let mut replies = replies.into_iter();
        self.tell_all(|| Command::CollectHistograms(replies.next().expect("one for each worker")))
            .await;
        for answer in collected {
            self.histograms.add(&answer.await.unwrap_or_default());
        }
    }

    /// Writes a line of an event log.
    pub fn log_event(&self, sink: LogSink, line: Vec<u8>) {
        self.logs.write(sink, line);
    }

    /// What the writer of the logs has counted.
    pub fn filesystem_stats(&self) -> &FilesystemStats {
        self.logs.stats()
    }

    /// Opens the access logs anew, after they were rotated.
    pub fn reopen_logs(&self) {
        self.logs.reopen();
    }

    /// Asks for the same end as SIGTERM.
    pub fn request_shutdown(&self) {
        // Full: the end was asked for before.
        let _already_asked = self.shutdown.try_send(());
    }

    /// Downstream connections of all listeners and workers.
    pub fn active_connections(&self) -> u64 {
        let listeners = self.compiled.listeners.iter();
        listeners
            .flat_map(|listener| listener.stats.iter())
            .map(|stats| stats.downstream_cx_active.value())
            .sum::<i64>()
            .max(0)
            .cast_unsigned()
    }
}

fn client_sources(compiled: &Compiled) -> ClientSources {
    let source = |socket: &UpstreamTransportSocket| match socket {
        UpstreamTransportSocket::Tls(source) => Some(source.clone()),
        UpstreamTransportSocket::RawBuffer => None,
    };
    let clusters = compiled.clusters.iter();
    clusters.map(|cluster| cluster.config.transport_sockets.iter().map(source).collect()).collect()
}

/// Between two looks whether workers have let go of what they no longer use.
const LET_GO_PAUSE: Duration = Duration::from_millis(100);

/// Keeps `told` until no worker has it any more, so that none has to free it: that of thousands of hosts
/// takes milliseconds.
async fn outlive_workers(told: Arc<ToldHosts>) {
    while Arc::strong_count(&told) > 1 {
        tokio::time::sleep(LET_GO_PAUSE).await;
    }
}
