//! Clusters: what is shared by all workers ([`Cluster`], [`Host`], [`HostSet`]) and what each
//! worker owns of it ([`WorkerCluster`]).

mod bells;
mod circuit_breakers;
mod health_flags;
mod host;
mod shared;
mod told_hosts;
mod worker_cluster;
mod worker_host;

pub use bells::Bells;
pub use circuit_breakers::{CircuitBreakers, Resource};
pub use health_flags::{HealthFlag, HealthFlags};
pub use host::{Host, HostDescription, HostSet};
pub use shared::{Cluster, ClusterHistograms};
pub use told_hosts::{HostSlots, ToldHosts};
pub use worker_cluster::{Membership, WorkerCluster};
pub use worker_host::WorkerHost;
