//! A host's connection for a TCP proxy or a tunnel: opened for one client, never idle, never shared. It counts
//! towards the same budgets as those of requests.

use std::cell::Cell;
use std::net::Shutdown;
use std::rc::Rc;
use std::time::Instant;

use ringmain_config::address::Address;
use ringmain_config::cluster::RoutingPriority;

use super::connect::{Opened, open};
use super::permit::{ConnectionPermit, PendingRequest};
use super::{AcquireFailure, ConnectFailure};
use crate::cluster::{Resource, WorkerCluster, WorkerHost};
use crate::http::stream::{UpstreamConnectionInfo, millis};
use crate::outlier_detection::Outcome;
use crate::runtime::{self, Interrupt};
use crate::transport_socket::{Transport, TransportOptions};

/// An open connection. Its end is counted when it is dropped.
#[derive(Debug)]
pub struct TcpConnection {
    transport: Transport,
    local: Option<Address>,
    info: UpstreamConnectionInfo,
    opened: Instant,
    permit: ConnectionPermit,
    is_request_counted: bool,
    /// Among those of the host that are closed when it fails.
    place: Option<usize>,
    /// Whether the host ended it.
    closed_by_host: Cell<bool>,
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TcpFailure<G> {
    /// A budget of the cluster or the host is spent.
    Overflow,
    /// It could not be opened.
    Connect(ConnectFailure),
    /// It is not wanted any more.
    GivenUp(G),
}

impl From<TcpFailure<AcquireFailure>> for AcquireFailure {
    fn from(failure: TcpFailure<AcquireFailure>) -> Self {
        match failure {
            TcpFailure::Overflow => Self::PendingOverflow,
            TcpFailure::Connect(failure) => Self::Connect(failure),
            TcpFailure::GivenUp(reason) => reason,
        }
    }
}

/// Opens a connection to `host`. `given_up` is asked now and then why it is not wanted any more.
pub async fn connect_tcp<G>(
    cluster: &Rc<WorkerCluster>,
    host: &Rc<WorkerHost>,
    priority: RoutingPriority,
    options: Option<&TransportOptions>,
    given_up: impl Fn() -> Option<G>,
) -> Result<TcpConnection, TcpFailure<G>> {
    let stats = cluster.stats();
    let pending = PendingRequest::begin(cluster, host, priority).ok_or(TcpFailure::Overflow)?;
    let permit = ConnectionPermit::try_take(cluster, host, priority).map_err(|_| {
        stats.upstream_cx_overflow.inc();
        TcpFailure::Overflow
    })?;
    stats.upstream_cx_total.inc();
    host.stats().cx_total.inc();
    let connected = runtime::run_unless(open(cluster, host, options), given_up).await;
    drop(pending);
    match connected {
        Ok(Ok(opened)) => {
            cluster.note_outcome(host, Outcome::ConnectedFinally);
            Ok(TcpConnection::opened(opened, permit))
        }
        Ok(Err(failure)) => {
            if failure.is_of_host() {
                cluster.note_outcome(host, Outcome::Failed);
            }
            stats.upstream_cx_destroy.inc();
            failure.count(cluster, host);
            Err(TcpFailure::Connect(failure))
        }
        Err(reason) => {
            stats.upstream_cx_destroy.inc();
            stats.upstream_cx_destroy_local.inc();
            stats.upstream_rq_cancelled.inc();
            Err(TcpFailure::GivenUp(reason))
        }
    }
}

impl TcpConnection {
    fn opened(opened: Opened, permit: ConnectionPermit) -> Self {
        let (cluster, host) = (&permit.cluster, &permit.host);
        let stats = cluster.stats();
        opened.record(cluster);
        stats.upstream_cx_active.inc();
        stats.upstream_rq_total.inc();
        stats.upstream_rq_active.inc();
        host.stats().cx_active.inc();
        host.stats().rq_total.inc();
        host.stats().rq_active.inc();
        let breakers = &cluster.shared.breakers;
        // Like Envoy's, a pool for TCP counts its connections as requests but is not held to the
        // budget of those.
        let is_request_counted =
            breakers.try_take(cluster.worker, permit.priority, Resource::Requests);
        let info = opened.info(None);
        let Opened { transport, at, .. } = opened;
        let is_closed_on_failure = cluster.shared.config.close_connections_on_host_health_failure;
        let place = is_closed_on_failure
            .then(|| host.open_tcp().add(Interrupt::socket(transport.stream(), Shutdown::Both)));
        Self {
            place,
            local: transport.stream().local_addr().ok(),
            transport,
            info,
            opened: at,
            permit,
            is_request_counted,
            closed_by_host: Cell::new(false),
        }
    }

    /// The cluster it belongs to.
    pub fn cluster(&self) -> &WorkerCluster {
        &self.permit.cluster
    }

    /// The host at the other end.
    pub fn host(&self) -> &Rc<WorkerHost> {
        &self.permit.host
    }

    /// Its bytes.
    pub fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Our end's address.
    pub fn local_addr(&self) -> Option<&Address> {
        self.local.as_ref()
    }

    /// Its number and its beginning.
    pub fn info(&self) -> UpstreamConnectionInfo {
        self.info
    }

    /// The host's end came last, or was a reset.
    pub fn note_remote_close(&self) {
        self.closed_by_host.set(!self.is_cut());
    }

    /// Whether it was closed because its host has failed.
    pub fn is_cut(&self) -> bool {
        self.place.is_some_and(|place| self.permit.host.open_tcp().is_cut(place))
    }
}

impl Drop for TcpConnection {
    fn drop(&mut self) {
        let (cluster, host) = (&self.permit.cluster, &self.permit.host);
        if let Some(place) = self.place {
            host.open_tcp().remove(place);
        }
        let stats = cluster.stats();
        stats.upstream_rq_active.dec();
        host.stats().rq_active.dec();
        stats.upstream_cx_active.dec();
        host.stats().cx_active.dec();
        stats.upstream_cx_destroy.inc();
        stats.upstream_cx_destroy_with_active_rq.inc();
        if self.closed_by_host.get() {
            stats.upstream_cx_destroy_remote.inc();
            stats.upstream_cx_destroy_remote_with_active_rq.inc();
        } else {
            stats.upstream_cx_destroy_local.inc();
            stats.upstream_cx_destroy_local_with_active_rq.inc();
        }
        let length_ms = millis(self.opened.elapsed());
        let histogram = cluster.shared.histograms.upstream_cx_length_ms;
        cluster.histograms.record(histogram, length_ms);
        if self.is_request_counted {
            let breakers = &cluster.shared.breakers;
            breakers.give_back(cluster.worker, self.permit.priority, Resource::Requests);
        }
    }
}
