//! A whole configuration, compiled: what every worker shares and nobody changes.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use ringmain_config::access_log::{AccessLog, AccessLogSink};
use ringmain_config::bootstrap::Bootstrap;
use ringmain_config::listener as config;

use crate::access_log::LogSink;
use crate::cluster::Cluster;
use crate::http::ConnectionManager;
use crate::listener::{Listener, NetworkFilter};
use crate::stats::scopes::WorkerStats;
use crate::stats::{HistogramTable, PerWorker};

/// The index of each cluster by its name.
pub type ClusterNames = HashMap<Box<[u8]>, usize>;

/// Listeners, clusters and their counters. Indices take the place of names.
#[derive(Debug)]
pub struct Compiled {
    /// How many workers there are.
    pub workers: usize,
    /// In file order.
    pub listeners: Vec<Listener>,
    /// In file order.
    pub clusters: Vec<Arc<Cluster>>,
    /// Clusters by name, for requests that name theirs.
    pub cluster_names: ClusterNames,
    /// All histograms.
    pub histograms: HistogramTable,
    /// Where access log lines go.
    pub log_sinks: Vec<AccessLogSink>,
    /// Counters of the workers themselves.
    pub worker_stats: PerWorker<WorkerStats>,
    /// This machine's address as peers may know it: the first that is not loopback.
    pub local_ip: IpAddr,
    /// This machine's name.
    pub hostname: String,
}

impl Compiled {
    /// Compiles `bootstrap` for `workers` workers; `addresses` are the listeners' bound addresses.
    pub fn new(bootstrap: &Bootstrap, addresses: &[SocketAddr], workers: usize) -> Self {
        let mut histograms = HistogramTable::default();
        let mut log_sinks = Vec::new();
        let listeners = bootstrap
            .listeners
            .iter()
            .zip(addresses)
            .map(|(config, address)| {
                compile_listener(config, *address, workers, &mut histograms, &mut log_sinks)
            })
            .collect();
        let names = bootstrap.clusters.iter().enumerate();
        let cluster_names =
            names.map(|(index, cluster)| (cluster.name.as_bytes().into(), index)).collect();
        let clusters = bootstrap
            .clusters
            .iter()
            .map(|config| Arc::new(Cluster::new(config.clone(), workers, &mut histograms)))
            .collect();
        Self {
            workers,
            listeners,
            clusters,
            cluster_names,
            histograms,
            log_sinks,
            worker_stats: PerWorker::new(workers),
            local_ip: local_ip(),
            hostname: hostname(),
        }
    }
}

fn compile_listener(
    config: &config::Listener,
    address: SocketAddr,
    workers: usize,
    histograms: &mut HistogramTable,
    log_sinks: &mut Vec<AccessLogSink>,
) -> Listener {
    let config::NetworkFilter::HttpConnectionManager(manager) = &config.filter_chain.terminal;
    let sink_of = |log: &AccessLog| sink_index(log, log_sinks);
    let manager = ConnectionManager::new((**manager).clone(), workers, histograms, sink_of);
    Listener {
        name: config.name.clone(),
        address,
        stat_name: config.stat_prefix.clone().unwrap_or_else(|| stat_address(address)),
        stats: PerWorker::new(workers),
        filter: NetworkFilter::Http(Box::new(manager)),
        config: config.clone(),
    }
}

/// Logs to the same place share a sink, so that their lines do not mix.
fn sink_index(log: &AccessLog, sinks: &mut Vec<AccessLogSink>) -> LogSink {
    let known = sinks.iter().position(|sink| *sink == log.sink);
    LogSink::new(known.unwrap_or_else(|| {
        sinks.push(log.sink.clone());
        sinks.len() - 1
    }))
}

/// `127.0.0.1_10000`, `[__1]_10000`: Envoy writes `_` for every colon.
fn stat_address(address: SocketAddr) -> String {
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
