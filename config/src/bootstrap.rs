//! The root of a file (`envoy.config.bootstrap.v3.Bootstrap`).

use std::path::PathBuf;
use std::time::Duration;

use envoy_types::pb::envoy::config::bootstrap::v3 as wire;
use envoy_types::pb::envoy::config::core::v3 as core;

use crate::address::{Address, pipe_mode};
use crate::cluster::{BindConfig, Cluster};
use crate::cluster_names::ClusterNames;
use crate::duration;
use crate::listener::{self, Listener};
use crate::locality::Locality;
use crate::overload::OverloadManager;
use crate::report::{At, Note};
use crate::runtime::Runtime;
use crate::tls::Secrets;

const STATS_FLUSH_INTERVAL: Duration = Duration::from_secs(5);

/// A whole, checked configuration.
#[derive(Debug, Clone)]
pub struct Bootstrap {
    /// `node`.
    pub node: Node,
    /// `admin`; absent means no admin listener.
    pub admin: Option<Admin>,
    /// `static_resources.listeners`, in file order.
    pub listeners: Vec<Listener>,
    /// `static_resources.clusters`, in file order. Routes name them by index.
    pub clusters: Vec<Cluster>,
    /// `cluster_manager.local_cluster_name`, as an index: the cluster whose hosts are this proxy and
    /// those beside it.
    pub local_cluster: Option<usize>,
    /// `stats_flush_interval`, default 5 s.
    pub stats_flush_interval: Duration,
    /// `enable_dispatcher_stats`, default false.
    pub enable_dispatcher_stats: bool,
    /// `overload_manager`.
    pub overload_manager: OverloadManager,
    /// `layered_runtime`.
    pub runtime: Runtime,
    /// `cluster_manager.outlier_detection.event_log_path`.
    pub outlier_event_log: Option<PathBuf>,
    /// The most connections of all listeners together: by the overload manager, else by the runtime
    /// key `overload.global_downstream_max_connections`. Absent means no limit.
    pub max_downstream_connections: Option<u64>,
}

/// Who this proxy is (`envoy.config.core.v3.Node`).
#[derive(Debug, Clone, Default)]
pub struct Node {
    /// `id`.
    pub id: String,
    /// `cluster`.
    pub cluster: String,
    /// `locality`.
    pub locality: Locality,
}

/// The admin listener (`envoy.config.bootstrap.v3.Admin`).
#[derive(Debug, Clone)]
pub struct Admin {
    /// `address`; port 0 lets the kernel choose.
    pub address: Address,
    /// `address.pipe.mode`; 0 leaves the permissions of the file as the process's mask has it.
    pub pipe_mode: u32,
}

impl Bootstrap {
    pub(crate) fn from_wire(wire: &wire::Bootstrap, at: &At<'_>) -> Self {
        let at_runtime = at.field("layered_runtime");
        let runtime = wire.layered_runtime.as_ref();
        let runtime = runtime.map(|runtime| Runtime::from_wire(runtime, &at_runtime));
        let runtime = runtime.unwrap_or_default();
        at.set_runtime(runtime.clone());
        let flush = wire.stats_flush_interval.as_ref();
        let mut resources = wire.static_resources.clone().unwrap_or_default();
        let resources_at = at.field("static_resources");
        Secrets::list_from_wire(&resources.secrets, &resources_at)
            .put_into(&mut resources, &resources_at);
        let clusters =
            Cluster::list_from_wire(&resources.clusters, &bind_config(wire, at), &resources_at);
        // Taken from the file rather than from `clusters`, so that a route to a cluster that has an
        // error of its own is not a second error.
        let names =
            ClusterNames::new(resources.clusters.iter().map(|cluster| cluster.name.as_str()));
        let overload_manager = wire
            .overload_manager
            .as_ref()
            .map(|manager| OverloadManager::from_wire(manager, &at.field("overload_manager")));
        let overload_manager = overload_manager.unwrap_or_default();
        let mut listeners = listener::list_from_wire(&resources.listeners, &names, &resources_at);
        for listener in &mut listeners {
            listener.connection_limit = at.runtime().listener_connection_limit(&listener.name);
        }
        let of_runtime = at.runtime().max_downstream_connections();
        if let Some(runtime) = &wire.layered_runtime {
            at.runtime().warn_of_no_effect(runtime, &at_runtime);
        }
        Self {
            node: wire.node.as_ref().map(Node::from_wire).unwrap_or_default(),
            admin: wire
                .admin
                .as_ref()
                .and_then(|admin| Admin::from_wire(admin, &at.field("admin"))),
            local_cluster: local_cluster(wire, &names, at),
            outlier_event_log: outlier_event_log(wire),
            enable_dispatcher_stats: wire.enable_dispatcher_stats,
            listeners,
            clusters,
            stats_flush_interval: duration::or(
                flush,
                STATS_FLUSH_INTERVAL,
                at,
                "stats_flush_interval",
            ),
            max_downstream_connections: overload_manager
                .max_active_downstream_connections
                .or(of_runtime),
            overload_manager,
            runtime,
        }
    }
}

fn outlier_event_log(wire: &wire::Bootstrap) -> Option<PathBuf> {
    let path = &wire.cluster_manager.as_ref()?.outlier_detection.as_ref()?.event_log_path;
    (!path.is_empty()).then(|| PathBuf::from(path))
}

fn bind_config(wire: &wire::Bootstrap, at: &At<'_>) -> BindConfig {
    let manager = wire.cluster_manager.as_ref();
    let bind = manager.and_then(|manager| manager.upstream_bind_config.as_ref());
    let at = at.field("cluster_manager");
    let bind = bind.map(|bind| BindConfig::from_wire(bind, &at.field("upstream_bind_config")));
    bind.unwrap_or_default()
}

fn local_cluster(wire: &wire::Bootstrap, names: &ClusterNames<'_>, at: &At<'_>) -> Option<usize> {
    let name = wire.cluster_manager.as_ref().map(|manager| manager.local_cluster_name.as_str());
    let name = name.filter(|name| !name.is_empty())?;
    let index = names.index(name);
    if index.is_none() {
        let at = at.field("cluster_manager");
        at.field("local_cluster_name").error(names.unknown("cluster manager", "cluster", name));
    }
    index
}

impl Node {
    fn from_wire(wire: &core::Node) -> Self {
        Self {
            id: wire.id.clone(),
            cluster: wire.cluster.clone(),
            locality: wire.locality.as_ref().map(Locality::from_wire).unwrap_or_default(),
        }
    }
}

impl Locality {
    pub(crate) fn from_wire(wire: &core::Locality) -> Self {
        let core::Locality { region, zone, sub_zone } = wire.clone();
        Self { region, zone, sub_zone }
    }
}

impl Admin {
    fn from_wire(wire: &wire::Admin, at: &At<'_>) -> Option<Self> {
        if wire.address.is_none() {
            at.warn(
                Note::from("there is no admin listener without an 'address'")
                    .help("add admin: { address: ... }, or remove 'admin'"),
            );
            return None;
        }
        let address = Address::from_wire(wire.address.as_ref(), &at.field("address"))?;
        Some(Self { address, pipe_mode: pipe_mode(wire.address.as_ref()) })
    }
}
