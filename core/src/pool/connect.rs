//! Opening a connection to a host.

use std::io;
use std::rc::Rc;
use std::time::Instant;

use super::UpstreamConnection;
use crate::cluster::{WorkerCluster, WorkerHost};
use crate::runtime::Stream;

/// Why there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectFailure {
    /// The host did not answer within `connect_timeout`.
    Timeout,
    /// The host or the network refused; the error number where there is one.
    Refused(Option<i32>),
}

/// Opens a connection to `host` of `cluster` and counts what comes of it.
pub async fn connect(
    cluster: &Rc<WorkerCluster>,
    host: &Rc<WorkerHost>,
) -> Result<UpstreamConnection, ConnectFailure> {
    let stats = cluster.stats();
    stats.upstream_rq_pending_total.inc();
    stats.upstream_rq_pending_active.inc();
    let begun = Instant::now();
    let connected =
        Stream::connect(host.shared.address, cluster.shared.config.connect_timeout).await;
    stats.upstream_rq_pending_active.dec();
    match connected {
        Ok(stream) => {
            let connect_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            cluster.histograms.record(cluster.shared.histograms.upstream_cx_connect_ms, connect_ms);
            Ok(UpstreamConnection::opened(stream, host.clone(), cluster.clone()))
        }
        Err(error) => {
            // Envoy counts a connection from its first attempt on.
            stats.upstream_cx_total.inc();
            stats.upstream_cx_http1_total.inc();
            stats.upstream_cx_destroy.inc();
            stats.upstream_cx_connect_fail.inc();
            host.stats().cx_total.inc();
            host.stats().cx_connect_fail.inc();
            stats.upstream_rq_pending_failure_eject.inc();
            if error.kind() == io::ErrorKind::TimedOut {
                stats.upstream_cx_connect_timeout.inc();
                stats.upstream_cx_destroy_local.inc();
                return Err(ConnectFailure::Timeout);
            }
            stats.upstream_cx_destroy_remote.inc();
            Err(ConnectFailure::Refused(error.raw_os_error()))
        }
    }
}
