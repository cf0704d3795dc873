//! Clusters: what is shared by all workers ([`Cluster`], [`Host`], [`HostSet`]) and what each
//! worker owns of it ([`WorkerCluster`]).

mod host;
mod shared;
mod worker_cluster;

pub use host::{Host, HostDescription, HostSet};
pub use shared::{Cluster, ClusterHistograms};
pub use worker_cluster::{WorkerCluster, WorkerHost};
