//! Opening a connection to a host.

use std::io;
use std::time::Instant;

use ringmain_config::cluster::UpstreamProtocol;

use super::permit::ConnectionPermit;
use super::{AcquireFailure, UpstreamConnection, waiting};
use crate::cluster::{WorkerCluster, WorkerHost};
use crate::runtime::{self, Stream};
use crate::transport_socket::Transport;

/// Why there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectFailure {
    /// The host did not answer within `connect_timeout`.
    Timeout,
    /// The host or the network refused; the error number where there is one.
    Refused(Option<i32>),
}

/// Opens the connection that `permit` allows and counts what comes of it. Where it cannot be
/// opened, the requests that wait for the same host fail too. `given_up` is asked now and then why
/// the connection is not wanted any more.
pub(super) async fn connect(
    permit: ConnectionPermit,
    given_up: impl Fn() -> Option<AcquireFailure>,
) -> Result<UpstreamConnection, AcquireFailure> {
    let (cluster, host) = (permit.cluster.clone(), permit.host.clone());
    let stats = cluster.stats();
    let begun = Instant::now();
    let connecting = Stream::connect(host.shared.address, cluster.shared.config.connect_timeout);
    let connected = match runtime::run_unless(connecting, given_up).await {
        Ok(connected) => connected,
        Err(failure) => {
            count_unopened(&cluster, &host);
            stats.upstream_cx_destroy_local.inc();
            stats.upstream_rq_cancelled.inc();
            return Err(failure);
        }
    };
    match connected {
        Ok(stream) => {
            let connect_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            cluster.histograms.record(cluster.shared.histograms.upstream_cx_connect_ms, connect_ms);
            Ok(UpstreamConnection::opened(Transport::raw(stream), begun, permit))
        }
        Err(error) => {
            count_unopened(&cluster, &host);
            stats.upstream_cx_connect_fail.inc();
            host.stats().cx_connect_fail.inc();
            stats.upstream_rq_pending_failure_eject.inc();
            let failure = if error.kind() == io::ErrorKind::TimedOut {
                stats.upstream_cx_connect_timeout.inc();
                stats.upstream_cx_destroy_local.inc();
                ConnectFailure::Timeout
            } else {
                stats.upstream_cx_destroy_remote.inc();
                ConnectFailure::Refused(error.raw_os_error())
            };
            waiting::eject(&cluster, &host, permit.priority, failure);
            Err(AcquireFailure::Connect(failure))
        }
    }
}

/// Envoy counts a connection from its first attempt on.
fn count_unopened(cluster: &WorkerCluster, host: &WorkerHost) {
    let stats = cluster.stats();
    stats.upstream_cx_total.inc();
    count_protocol(cluster);
    stats.upstream_cx_destroy.inc();
    host.stats().cx_total.inc();
}

/// Counts a connection by what is spoken on it.
pub(super) fn count_protocol(cluster: &WorkerCluster) {
    let stats = cluster.stats();
    match cluster.shared.config.upstream_protocol {
        UpstreamProtocol::Http1 => stats.upstream_cx_http1_total.inc(),
        UpstreamProtocol::Http2(_) => stats.upstream_cx_http2_total.inc(),
    }
}
