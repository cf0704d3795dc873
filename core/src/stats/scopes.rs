//! The names of each subsystem's stats, exactly as Envoy prints them behind the scope's prefix.

mod downstream;
mod hosts;
mod process;
mod upstream;

pub use downstream::{
    HttpInspectorStats, HttpStats, ListenerStats, ProxyProtocolStats, ProxyProtocolVersionStats,
    ResponseClassStats, TcpProxyStats, TlsInspectorStats,
};
pub use hosts::{ApiCallStats, AwsStats, DiscoveryStats, DnsStats, HealthCheckStats, OutlierStats};
pub use process::{Http2Stats, TlsReloadStats, WorkerStats};
pub use upstream::{ClusterStats, HostStats, LbStats, RequestGroupStats};
