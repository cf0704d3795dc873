//! The root of a file (`envoy.config.bootstrap.v3.Bootstrap`).

use std::net::SocketAddr;
use std::time::Duration;

use crate::access_log::AccessLog;
use crate::cluster::Cluster;
use crate::listener::Listener;

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
    /// `stats_flush_interval`, default 5 s.
    pub stats_flush_interval: Duration,
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

/// Where something runs (`envoy.config.core.v3.Locality`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Locality {
    /// `region`.
    pub region: String,
    /// `zone`.
    pub zone: String,
    /// `sub_zone`.
    pub sub_zone: String,
}

/// The admin listener (`envoy.config.bootstrap.v3.Admin`).
#[derive(Debug, Clone)]
pub struct Admin {
    /// `address`; port 0 lets the kernel choose.
    pub address: SocketAddr,
    /// `access_log`.
    pub access_log: Vec<AccessLog>,
}
