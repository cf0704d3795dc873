//! One proxied connection from its beginning to its last log line.

mod tunnel;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::net::Shutdown;
use std::rc::Rc;
use std::time::{Duration, Instant};

use ringmain_config::cluster::RoutingPriority;
use ringmain_config::match_criteria::MatchCriteria;

use self::tunnel::Tunnel;
use super::TcpProxy;
use super::relay::{End, Relay};
use crate::access_log::{AccessLogType, Evaluator};
use crate::cluster::{Resource, WorkerCluster};
use crate::http::ResponseFlag;
use crate::http::exchange::Exchange;
use crate::http::request_id::random_uuid;
use crate::http::stream::{StreamInfo, WireBytes};
use crate::listener::{ConnectionInfo, NewConnection};
use crate::load_balancer::Pick;
use crate::network::Unserved;
use crate::pool::{self, TcpConnection, TcpFailure};
use crate::router::{ExponentialBackOff, ip_hash};
use crate::runtime::{self, Buffer, Deadline, Notify, join};
use crate::server::Worker;
use crate::stats::scopes::TcpProxyStats;
use crate::transport_socket::{Transport, TransportOptions};

/// Serves a connection until both sides have ended it.
pub async fn serve(worker: &Rc<Worker>, proxy: &TcpProxy, connection: NewConnection) {
    let NewConnection { transport, info, input } = connection;
    let mut exchange = worker.exchanges.take();
    exchange.info = record(&info);
    exchange.info.downstream_tls = transport.tls().cloned();
    let deadline = || Deadline::new(&worker.timers, transport.stream(), Shutdown::Both);
    let session = Session {
        worker,
        proxy,
        max_duration: deadline(),
        idle: deadline(),
        until: Cell::default(),
        max_until: Cell::default(),
        downstream: transport,
        named: info.cluster.clone(),
        exchange: RefCell::new(exchange),
        received: Cell::new(0),
        sent: Cell::new(0),
        tunnel_bytes: Cell::default(),
    };
    session.run(input).await;
    let mut exchange = session.exchange.into_inner();
    info.note(|record| std::mem::swap(record, &mut exchange.info));
    worker.exchanges.give_back(exchange);
}

/// The record of a connection, which has a stream's id here.
fn record(connection: &ConnectionInfo) -> StreamInfo {
    let mut record = StreamInfo::of_connection(connection);
    record.stream_id = Some(Box::new(random_uuid()));
    record
}

/// Counts and logs a connection that is not served.
pub fn count_unserved(worker: &Worker, proxy: &TcpProxy, connection: &Unserved) {
    proxy.stats.of(worker.id).downstream_cx_total.inc();
    let mut exchange = worker.exchanges.take();
    exchange.info = record(&connection.info);
    connection.tell(&mut exchange.info);
    write_log(worker, proxy, &exchange, AccessLogType::TcpConnectionEnd);
    worker.exchanges.give_back(exchange);
}

/// What the client is joined with.
enum Upstream {
    /// A connection that gets the bytes as they are.
    Bytes(TcpConnection),
    /// A request that they travel in.
    Tunnel(Box<Tunnel>),
}

impl Upstream {
    /// Notes in `info` whom the client is joined with.
    fn tell(&self, info: &mut StreamInfo) {
        match self {
            Self::Bytes(connection) => {
                info.upstream_connection = Some(connection.info());
                info.upstream_local = connection.local_addr().cloned();
                info.upstream_tls = connection.transport().tls().cloned();
            }
            Self::Tunnel(tunnel) => tunnel.tell(info),
        }
    }
}

struct Session<'a> {
    worker: &'a Rc<Worker>,
    proxy: &'a TcpProxy,
    downstream: Transport,
    max_duration: Deadline,
    /// Of `idle_timeout`, which counts from the beginning.
    idle: Deadline,
    /// When the first of both passes, as long as nothing moves.
    until: Cell<Option<Instant>>,
    /// When `max_downstream_connection_duration` passes.
    max_until: Cell<Option<Instant>>,
    /// The cluster that a filter before has named.
    named: Option<Rc<str>>,
    /// The record, as of a stream. It is never borrowed across a wait.
    exchange: RefCell<Box<Exchange>>,
    /// Bytes from the client.
    received: Cell<u64>,
    /// Bytes to the client.
    sent: Cell<u64>,
    /// Bytes to and from hosts, where they speak HTTP.
    tunnel_bytes: Cell<Option<WireBytes>>,
}

impl Session<'_> {
    async fn run(&self, input: Buffer) {
        self.stats().downstream_cx_total.inc();
        if self.proxy.config.access_log_options.on_start {
            self.log(AccessLogType::TcpConnectionStart);
        }
        self.arm_deadlines();
        match self.connect().await {
            Some(upstream) => self.relay(input, upstream).await,
            None => self.worker.buffers.give_back(input),
        }
        if self.idle.fired() {
            self.stats().idle_timeout.inc();
        }
        if self.max_duration.fired() {
            self.stats().max_downstream_connection_duration.inc();
            self.flag(ResponseFlag::DurationTimeout);
        }
        self.log(AccessLogType::TcpConnectionEnd);
    }

    fn arm_deadlines(&self) {
        let max_duration = self.proxy.max_duration(|| self.worker.random.next());
        let idle = self.proxy.config.idle_timeout;
        self.max_duration.arm(max_duration);
        self.idle.arm(idle);
        let after = |limit| self.worker.timers.latest_now() + limit;
        self.max_until.set(max_duration.map(after));
        self.until.set(max_duration.into_iter().chain(idle).min().map(after));
    }

    /// Whether a limit has ended it.
    fn has_expired(&self) -> bool {
        self.max_duration.fired() || self.idle.fired()
    }

    fn stats(&self) -> &TcpProxyStats {
        self.proxy.stats.of(self.worker.id)
    }

    fn flag(&self, flag: ResponseFlag) {
        self.exchange.borrow_mut().info.flags.set(flag);
    }

    /// A connection to a host, after as many attempts as may be.
    async fn connect(&self) -> Option<Upstream> {
        let (index, criteria) = match &self.named {
            Some(name) => {
                let names = &self.worker.compiled.cluster_names;
                (names.get(name.as_bytes()).copied(), self.proxy.config.metadata_match.as_ref())
            }
            None => {
                let chosen = self.proxy.choose_cluster(|| self.worker.random.next());
                let index = chosen.and_then(|chosen| chosen.cluster.index);
                (index, chosen.and_then(|chosen| chosen.metadata_match.as_ref()))
            }
        };
        let Some(index) = index else {
            self.stats().downstream_cx_no_route.inc();
            self.flag(ResponseFlag::NoClusterFound);
            return None;
        };
        let cluster = self.worker.cluster(index);
        self.exchange.borrow_mut().info.cluster = Some(index);
        let mut back_off = self.proxy.config.back_off.as_ref().map(ExponentialBackOff::new);
        loop {
            let breakers = &cluster.shared.breakers;
            let priority = RoutingPriority::Default;
            if breakers.allows_no_connection(priority)
                || breakers.remaining(priority, Resource::Connections) == 0
            {
                // No request is kept waiting here, as there is nobody who might give one back soon.
                cluster.stats().upstream_cx_overflow.inc();
                self.flag(ResponseFlag::UpstreamOverflow);
                return None;
            }
            if !self.may_try_again() {
                cluster.stats().upstream_cx_connect_attempts_exceeded.inc();
                self.flag(ResponseFlag::UpstreamRetryLimitExceeded);
                return None;
            }
            match self.attempt(cluster, criteria).await {
                Ok(upstream) => return Some(upstream),
                Err(TcpFailure::GivenUp(())) => return None,
                Err(TcpFailure::Overflow | TcpFailure::Connect(_)) => {}
            }
            if let Some(back_off) = back_off.as_mut().filter(|_| self.may_try_again()) {
                runtime::sleep(back_off.next(&mut rand::rng())).await;
                if self.has_expired() {
                    return None;
                }
            }
        }
    }

    fn may_try_again(&self) -> bool {
        self.exchange.borrow().info.attempts < self.proxy.config.max_connect_attempts
    }

    async fn attempt(
        &self,
        cluster: &Rc<WorkerCluster>,
        criteria: Option<&MatchCriteria>,
    ) -> Result<Upstream, TcpFailure<()>> {
        let remote = self.exchange.borrow().info.remote.ip();
        let hash = remote.filter(|_| self.proxy.config.hashes_source_ip).map(ip_hash);
        let Some(host) = cluster.choose_host(&Pick { hash, criteria, ..Pick::default() }) else {
            cluster.stats().upstream_cx_none_healthy.inc();
            self.flag(ResponseFlag::NoHealthyUpstream);
            return Err(TcpFailure::GivenUp(()));
        };
        let info = |change: &dyn Fn(&mut StreamInfo)| change(&mut self.exchange.borrow_mut().info);
        info(&|info| {
            info.attempts += 1;
            info.upstream_host = Some(host.clone());
        });
        let (shared, to) = (&cluster.shared, &host.shared);
        let options = TransportOptions::of_connection(shared, to, &self.exchange.borrow().info);
        let connected = match &self.proxy.config.tunneling_config {
            None => {
                let given_up = || self.has_expired().then_some(());
                let (options, priority) = (options.as_deref(), RoutingPriority::Default);
                let connected = pool::connect_tcp(cluster, &host, priority, options, given_up);
                connected.await.map(Upstream::Bytes)
            }
            Some(tunneling) => {
                let opened = self.open_tunnel(tunneling, cluster, &host, &options).await;
                opened.map(|tunnel| Upstream::Tunnel(Box::new(tunnel)))
            }
        };
        match &connected {
            Ok(upstream) => info(&|info| {
                upstream.tell(info);
                // A flag of an earlier attempt says nothing about this connection.
                info.flags = Default::default();
                info.transport_failure = None;
            }),
            Err(TcpFailure::Connect(failure)) => {
                self.flag(ResponseFlag::UpstreamConnectionFailure);
                info(&|info| info.transport_failure = failure.transport_reason());
            }
            Err(_) => {}
        }
        connected
    }

    /// Moves bytes both ways until both have ended.
    async fn relay(&self, input: Buffer, upstream: Upstream) {
        if self.proxy.config.access_log_options.on_connected {
            self.log(AccessLogType::TcpUpstreamConnected);
        }
        let timers = &self.worker.timers;
        match upstream {
            Upstream::Bytes(connection) => {
                let stream = connection.transport().stream();
                let host = Deadline::new(timers, stream, Shutdown::Both);
                let idle = self.idle(&host);
                self.watched(self.relay_both(input, &connection, &idle)).await;
            }
            Upstream::Tunnel(tunnel) => {
                let idle = self.idle(tunnel.deadline());
                let ended = self.watched(self.relay_tunnel(input, &tunnel, &idle)).await;
                tunnel.finish(ended);
            }
        }
    }

    /// Has `host` end the host's side when the client's ends by a limit.
    fn idle<'a>(&'a self, host: &'a Deadline) -> Idle<'a> {
        let idle = Idle {
            limit: self.proxy.config.idle_timeout,
            max_until: self.max_until.get(),
            client: &self.idle,
            host,
            restarted: Cell::default(),
        };
        idle.restart();
        idle
    }

    /// Writes log lines from time to time, as long as bytes move.
    async fn watched<T>(&self, relaying: impl Future<Output = T>) -> T {
        let ended: Rc<Notify> = Rc::default();
        let is_over = Cell::new(false);
        let relaying = async {
            let relayed = relaying.await;
            is_over.set(true);
            ended.notify();
            relayed
        };
        match self.proxy.config.access_log_options.flush_interval {
            None => relaying.await,
            Some(interval) => {
                let logging = self.log_periodically(interval, &ended, &is_over);
                join(relaying, logging).await.0
            }
        }
    }

    fn count_received(&self, count: u64) {
        self.received.set(self.received.get() + count);
        self.stats().downstream_cx_rx_bytes_total.add(count);
    }

    fn count_sent(&self, count: u64) {
        self.sent.set(self.sent.get() + count);
        self.stats().downstream_cx_tx_bytes_total.add(count);
    }

    async fn relay_both(&self, input: Buffer, upstream: &TcpConnection, idle: &Idle<'_>) {
        let cluster_stats = self.upstream_cluster().stats();
        let host_is_last = Cell::new(false);
        let first_end = Cell::new(None);
        let is_cut = || {
            first_end.get().is_some_and(End::is_reset) || self.has_expired() || upstream.is_cut()
        };
        let upward = Relay {
            from: &self.downstream,
            to: upstream.transport(),
            buffers: &self.worker.buffers,
            pipes: &self.worker.pipes,
            timers: &self.worker.timers,
            pauses: self.stats().reading_pauses(),
            received: &|count| {
                idle.restart();
                self.count_received(count);
            },
            sent: &|count| {
                idle.restart();
                cluster_stats.upstream_cx_tx_bytes_total.add(count);
            },
            is_cut: &is_cut,
            first_end: &first_end,
        };
        let downward = Relay {
            from: upstream.transport(),
            to: &self.downstream,
            buffers: &self.worker.buffers,
            pipes: &self.worker.pipes,
            timers: &self.worker.timers,
            pauses: cluster_stats.reading_pauses(),
            received: &|count| {
                idle.restart();
                cluster_stats.upstream_cx_rx_bytes_total.add(count);
            },
            sent: &|count| {
                idle.restart();
                self.count_sent(count);
            },
            is_cut: &is_cut,
            first_end: &first_end,
        };
        let from_client = async {
            let end = upward.run(input).await;
            host_is_last.set(false);
            end
        };
        let from_host = async {
            let end = downward.run(Buffer::default()).await;
            host_is_last.set(true);
            if upstream.is_cut() {
                // Nothing that the client could still say would reach anybody.
                self.downstream.stream().shutdown(Shutdown::Read);
            }
            end
        };
        let (client, host) = join(from_client, from_host).await;
        self.tell_ends(client, host, host_is_last.get(), upstream);
    }

    /// Tells log and counters by whom the connection has ended.
    fn tell_ends(&self, client: End, host: End, host_is_last: bool, upstream: &TcpConnection) {
        let client_reset = client == End::Reset || host == End::ReceiverReset;
        let host_reset = host == End::Reset || client == End::ReceiverReset;
        let cut = self.has_expired() || client_reset || upstream.is_cut();
        if host_reset && !cut {
            self.flag(ResponseFlag::UpstreamRemoteReset);
        }
        let host_has_ended = matches!(host, End::Finished | End::Truncated);
        if !cut && (host_reset || (host_has_ended && host_is_last)) {
            upstream.note_remote_close();
        }
    }

    /// The cluster that was connected to.
    fn upstream_cluster(&self) -> &Rc<WorkerCluster> {
        let cluster = self.exchange.borrow().info.cluster;
        self.worker.cluster(cluster.expect("set before the connection was opened"))
    }

    async fn log_periodically(&self, interval: Duration, ended: &Rc<Notify>, is_over: &Cell<bool>) {
        loop {
            let deadline = Deadline::of_wait(&self.worker.timers, ended);
            deadline.arm(Some(interval));
            ended.notified().await;
            if is_over.get() {
                return;
            }
            self.log(AccessLogType::TcpPeriodic);
        }
    }

    /// Writes a line to each access log, from the record as it is now.
    fn log(&self, log_type: AccessLogType) {
        let mut exchange = self.exchange.borrow_mut();
        let (received, sent) = (self.received.get(), self.sent.get());
        exchange.info.bytes_received = received;
        exchange.info.bytes_sent = sent;
        exchange.info.downstream_bytes = WireBytes { received, sent, ..WireBytes::default() };
        let moved = WireBytes { received: sent, sent: received, ..WireBytes::default() };
        exchange.info.upstream_bytes = self.tunnel_bytes.get().unwrap_or(moved);
        write_log(self.worker, self.proxy, &exchange, log_type);
    }
}

fn write_log(worker: &Worker, proxy: &TcpProxy, exchange: &Exchange, log_type: AccessLogType) {
    let evaluator = Evaluator::of_connection(exchange, proxy.place, &worker.compiled, log_type);
    for log in &proxy.access_logs {
        log.log(&evaluator, worker);
    }
}

/// Ends both sides when nothing has gone either way for `idle_timeout`, and the host's with the client's when
/// `max_downstream_connection_duration` has passed: a host that takes nothing would hold the client's end back.
struct Idle<'a> {
    limit: Option<Duration>,
    max_until: Option<Instant>,
    client: &'a Deadline,
    host: &'a Deadline,
    /// What the deadlines' clock said then.
    restarted: Cell<Option<Instant>>,
}

impl Idle<'_> {
    fn restart(&self) {
        let now = self.host.latest_now();
        if self.restarted.replace(Some(now)) == Some(now) {
            return;
        }
        self.client.arm(self.limit);
        let idle_until = self.limit.map(|limit| now + limit);
        match idle_until.into_iter().chain(self.max_until).min() {
            Some(moment) => self.host.arm_at(moment),
            None => self.host.disarm(),
        }
    }
}
