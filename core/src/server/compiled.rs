//! A whole configuration, compiled: what every worker shares and nobody changes.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use ringmain_config::access_log::{AccessLog, AccessLogSink};
use ringmain_config::address::Address;
use ringmain_config::bootstrap::Bootstrap;
use ringmain_config::filter_chain::FilterChain as FilterChainConfig;
use ringmain_config::listener::Listener as ListenerConfig;
use ringmain_config::network_filter as config;
use ringmain_config::transport_socket::DownstreamTransportSocket;

use super::overload::Overload;
use crate::access_log::{AccessLogger, LogSink};
use crate::cluster::Cluster;
use crate::http::ConnectionManager;
use crate::listener::{
    Balance, ConnectionLimit, FilterChain, FilterChainMatch, FilterChainPlace, FilterChainTls,
    Listener, ListenerFilters, ListenerHistograms, TerminalFilter,
};
use crate::network::{ByteFilter, NetworkFilter, TcpProxy, share_buckets};
use crate::stats::scopes::{Http2Stats, WorkerStats};
use crate::stats::{HistogramId, HistogramTable, PerWorker, Scope};
use crate::transport_socket::tls::ServerContext;

/// The index of each cluster by its name.
pub type ClusterNames = HashMap<Box<[u8]>, usize>;

/// Listeners, clusters and their counters. Indices take the place of names.
#[derive(Debug)]
pub struct Compiled {
    /// How many workers there are.
    pub workers: usize,
    /// In file order.
    pub listeners: Vec<Listener>,
    /// Which of them is at an address; the first one where several are.
    listeners_by_address: HashMap<SocketAddr, usize>,
    /// TLS of the filter chains, as it was at load.
    pub server_contexts: Vec<Arc<ServerContext>>,
    /// The limit of connections of all listeners together.
    pub connection_limit: Option<Arc<ConnectionLimit>>,
    /// In file order.
    pub clusters: Vec<Arc<Cluster>>,
    /// Clusters by name, for requests that name theirs.
    pub cluster_names: ClusterNames,
    /// All histograms.
    pub histograms: HistogramTable,
    /// Those that the control thread records.
    pub process_histograms: ProcessHistograms,
    /// How the event loops do, where that is measured.
    pub dispatchers: Option<Dispatchers>,
    /// Where access log lines go.
    pub log_sinks: Vec<AccessLogSink>,
    /// Whether some log tells bytes of frames by stream.
    pub records_wire_bytes: bool,
    /// How overloaded the process is.
    pub overload: Overload,
    /// Counters of the workers themselves.
    pub worker_stats: PerWorker<WorkerStats>,
    /// Counters of HTTP/2.
    pub http2_stats: PerWorker<Http2Stats>,
    /// This machine's address as peers may know it: the first that is not loopback.
    pub local_ip: IpAddr,
    /// This machine's name.
    pub hostname: String,
    /// `node.cluster`.
    pub service_cluster: String,
    /// `node.id`.
    pub service_node: String,
}

/// Histograms of the process, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct ProcessHistograms {
    /// `server.initialization_time_ms`: from the start until the listeners open.
    pub initialization_time_ms: HistogramId,
    /// `http.admin.downstream_rq_time`.
    pub admin_rq_time: HistogramId,
    /// `http.admin.downstream_cx_length_ms`.
    pub admin_cx_length_ms: HistogramId,
    /// `listener.admin.downstream_cx_length_ms`.
    pub admin_listener_cx_length_ms: HistogramId,
    /// `listener.admin.connections_accepted_per_socket_event`: connections, not milliseconds.
    pub admin_accepted_per_socket_event: HistogramId,
}

impl ProcessHistograms {
    fn new(table: &mut HistogramTable, has_admin: bool) -> Self {
        let mut admin = |scope: &Scope, name| match has_admin {
            true => table.add(scope, name),
            false => table.add_on_first_use(scope, name),
        };
        let (http, listener) = (Scope::http("admin"), Scope::plain("listener.admin"));
        Self {
            admin_rq_time: admin(&http, "downstream_rq_time"),
            admin_cx_length_ms: admin(&http, "downstream_cx_length_ms"),
            admin_listener_cx_length_ms: admin(&listener, "downstream_cx_length_ms"),
            admin_accepted_per_socket_event: admin(
                &listener,
                "connections_accepted_per_socket_event",
            ),
            initialization_time_ms: table.add(&Scope::plain("server"), "initialization_time_ms"),
        }
    }
}

/// Histograms of event loops (`enable_dispatcher_stats`).
#[derive(Debug)]
pub struct Dispatchers {
    /// `server.dispatcher.loop_duration_us`, of the control thread.
    pub main_loop_duration_us: HistogramId,
    /// By worker.
    pub workers: Box<[Dispatcher]>,
}

/// Histograms of a worker's event loop, in microseconds.
#[derive(Debug, Clone, Copy)]
pub struct Dispatcher {
    /// `listener_manager.worker_<n>.dispatcher.loop_duration_us`: from one look at the kernel to the next.
    pub loop_duration_us: HistogramId,
    /// `listener_manager.worker_<n>.dispatcher.poll_delay_us`: how late its clock ticks.
    pub poll_delay_us: HistogramId,
}

impl Dispatchers {
    fn new(table: &mut HistogramTable, workers: usize) -> Self {
        let dispatcher = |worker| {
            let scope = Scope::plain("listener_manager").worker(worker).within("dispatcher");
            Dispatcher {
                loop_duration_us: table.add(&scope, "loop_duration_us"),
                poll_delay_us: table.add(&scope, "poll_delay_us"),
            }
        };
        let workers = (0..workers).map(dispatcher).collect();
        let main = Scope::plain("server").within("dispatcher");
        Self { workers, main_loop_duration_us: table.add(&main, "loop_duration_us") }
    }
}

impl Compiled {
    /// The listener for what is addressed to `wanted`: one of exactly that address, or of its port on
    /// every address of its family.
    pub fn listener_at(&self, wanted: SocketAddr) -> Option<usize> {
        let every: IpAddr = match wanted {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let every = SocketAddr::new(every, wanted.port());
        let at = |address| self.listeners_by_address.get(address).copied();
        at(&wanted).or_else(|| at(&every))
    }

    /// How many balancers Envoy would have for each cluster, whose subsets it counts one by one: its
    /// main thread has them too.
    pub fn balancers(&self) -> usize {
        self.workers + 1
    }

    /// Compiles `bootstrap` for `workers` workers; `addresses` are those that each listener is bound to.
    pub fn new(bootstrap: &Bootstrap, addresses: Vec<Vec<Address>>, workers: usize) -> Self {
        let mut histograms = HistogramTable::default();
        let mut log_sinks = Vec::new();
        let mut server_contexts = Vec::new();
        let mut listeners: Vec<_> = bootstrap
            .listeners
            .iter()
            .zip(addresses)
            .enumerate()
            .map(|(index, (config, addresses))| {
                let (histograms, log_sinks) = (&mut histograms, &mut log_sinks);
                let contexts = &mut server_contexts;
                compile_listener(index, config, addresses, workers, histograms, log_sinks, contexts)
            })
            .collect();
        let chains = listeners.iter_mut().flat_map(|listener| &mut listener.filter_chains);
        share_buckets(chains.flat_map(|chain| &mut chain.filters));
        let names = bootstrap.clusters.iter().enumerate();
        let cluster_names =
            names.map(|(index, cluster)| (cluster.name.as_bytes().into(), index)).collect();
        let outlier_events = bootstrap
            .outlier_event_log
            .clone()
            .map(|path| sink_index(&AccessLogSink::File(path), &mut log_sinks));
        let clusters = bootstrap
            .clusters
            .iter()
            .enumerate()
            .map(|(index, config)| {
                let sink_of =
                    |path: &Path| sink_index(&AccessLogSink::File(path.to_owned()), &mut log_sinks);
                let config = config.clone();
                let histograms = &mut histograms;
                Arc::new(Cluster::new(config, index, workers, histograms, outlier_events, sink_of))
            })
            .collect();
        let process_histograms = ProcessHistograms::new(&mut histograms, bootstrap.admin.is_some());
        // Envoy's, of its overload manager; nobody waits for a refresh here.
        histograms.add(&Scope::plain("overload"), "refresh_interval_delay");
        let dispatchers =
            bootstrap.enable_dispatcher_stats.then(|| Dispatchers::new(&mut histograms, workers));
        let mut chains = listeners.iter().flat_map(|listener| &listener.filter_chains);
        let records_wire_bytes = chains.any(|chain| match &chain.terminal {
            TerminalFilter::Http(manager) => manager.recorded.wire_bytes,
            TerminalFilter::Bytes(_) => false,
        });
        Self {
            workers,
            records_wire_bytes,
            dispatchers,
            process_histograms,
            listeners_by_address: by_address(&listeners),
            listeners,
            server_contexts,
            connection_limit: ConnectionLimit::new(bootstrap.max_downstream_connections, workers),
            clusters,
            cluster_names,
            histograms,
            log_sinks,
            overload: Overload::new(bootstrap.overload_manager.clone()),
            worker_stats: PerWorker::new(workers),
            http2_stats: PerWorker::new(workers),
            local_ip: local_ip(),
            hostname: hostname(),
            service_cluster: bootstrap.node.cluster.clone(),
            service_node: bootstrap.node.id.clone(),
        }
    }
}

fn by_address(listeners: &[Listener]) -> HashMap<SocketAddr, usize> {
    let mut by_address = HashMap::new();
    for (index, listener) in listeners.iter().enumerate() {
        for address in listener.addresses.iter().filter_map(Address::socket) {
            by_address.entry(address).or_insert(index);
        }
    }
    by_address
}

/// Adds the TLS context of `chain`, if it has one, to `contexts`.
fn compile_tls(
    chain: &FilterChainConfig,
    contexts: &mut Vec<Arc<ServerContext>>,
) -> Option<FilterChainTls> {
    let DownstreamTransportSocket::Tls(context) = &chain.transport_socket else { return None };
    contexts.push(Arc::new(ServerContext::new(context.clone())));
    Some(FilterChainTls {
        context: contexts.len() - 1,
        connect_timeout: chain.transport_socket_connect_timeout,
    })
}

fn compile_listener(
    index: usize,
    config: &ListenerConfig,
    addresses: Vec<Address>,
    workers: usize,
    histograms: &mut HistogramTable,
    log_sinks: &mut Vec<AccessLogSink>,
    server_contexts: &mut Vec<Arc<ServerContext>>,
) -> Listener {
    let direction = config.traffic_direction;
    let mut filter_chains = Vec::new();
    for (chain, config) in config.filter_chains.iter().enumerate() {
        let sink_of = |log: &AccessLog| sink_index(&log.sink, log_sinks);
        let place = FilterChainPlace { listener: index, filter_chain: Some(chain) };
        let terminal = match &config.filters.terminal {
            config::TerminalFilter::HttpConnectionManager(manager) => {
                let manager = (**manager).clone();
                let manager =
                    ConnectionManager::new(manager, place, workers, histograms, direction, sink_of);
                TerminalFilter::Http(Arc::new(manager))
            }
            config::TerminalFilter::TcpProxy(proxy) => {
                let proxy = TcpProxy::new((**proxy).clone(), place, workers, sink_of);
                TerminalFilter::Bytes(ByteFilter::TcpProxy(Box::new(proxy)))
            }
            config::TerminalFilter::Echo => TerminalFilter::Bytes(ByteFilter::Echo),
            config::TerminalFilter::DirectResponse(response) => {
                let response = response.clone().into_boxed_slice();
                TerminalFilter::Bytes(ByteFilter::DirectResponse(response))
            }
        };
        let filters = config.filters.filters.iter();
        filter_chains.push(FilterChain {
            filters: filters.map(|filter| NetworkFilter::new(filter, workers)).collect(),
            tls: compile_tls(config, server_contexts),
            terminal,
        });
    }
    let loggers = config
        .access_log
        .iter()
        .map(|log| AccessLogger::new(log.clone(), sink_index(&log.sink, log_sinks)));
    let access_logs = loggers.collect();
    let has_tls = filter_chains.iter().any(|chain| chain.tls.is_some());
    let stat_name = config.stat_prefix.clone().unwrap_or_else(|| stat_address(&addresses[0]));
    let scope = Scope::listener(&stat_name);
    let listener_histograms = ListenerHistograms {
        downstream_cx_length_ms: histograms.add(&scope, "downstream_cx_length_ms"),
        connections_accepted_per_socket_event: histograms
            .add(&scope, "connections_accepted_per_socket_event"),
    };
    Listener {
        name: config.name.clone(),
        addresses,
        stat_name,
        sockets_closed: PerWorker::new(workers),
        histograms: listener_histograms,
        stats: PerWorker::new(workers),
        filters: ListenerFilters::new(config, workers, histograms),
        filter_chains,
        ssl: has_tls.then(|| PerWorker::new(workers)),
        filter_chain_match: FilterChainMatch::new(&config.filter_chains),
        access_logs,
        balance: config.exact_balance.then(|| Balance::new(workers)),
        connection_limit: ConnectionLimit::new(config.connection_limit, workers),
        config: config.clone(),
    }
}

/// Logs to the same place share a sink, so that their lines do not mix.
fn sink_index(sink: &AccessLogSink, sinks: &mut Vec<AccessLogSink>) -> LogSink {
    let known = sinks.iter().position(|known| known == sink);
    LogSink::new(known.unwrap_or_else(|| {
        sinks.push(sink.clone());
        sinks.len() - 1
    }))
}

/// `127.0.0.1_10000`, `[__1]_10000`: Envoy writes `_` for every colon.
fn stat_address(address: &Address) -> String {
    address.to_string().replace(':', "_")
}

fn local_ip() -> IpAddr {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    interfaces
        .iter()
        .map(if_addrs::Interface::ip)
        .find(|ip| ip.is_ipv4() && !ip.is_loopback())
        .unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
