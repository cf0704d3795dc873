//! A connection for a request: idle, new, or waited for.

use std::rc::Rc;
use std::time::Instant;

use ringmain_config::cluster::{Http2ProtocolOptions, RoutingPriority, UpstreamProtocol};
use ringmain_proto_codec::auto::Protocol;

use super::connect::{Wanted, connect};
use super::permit::{ConnectionPermit, PendingRequest};
use super::waiting::{Granted, Waiting};
use super::{ConnectFailure, H2Slot, UpstreamConnection, multiplexed, preconnect};
use crate::cluster::{WorkerCluster, WorkerHost};
use crate::http::codec::downstream::{ClientWatch, Downstream};
use crate::runtime::{Deadline, Interrupt, Notify};
use crate::server::Worker;
use crate::transport_socket::TransportOptions;

/// What a request asks of its connection.
pub struct Acquire<'a> {
    /// The worker it lives on.
    pub worker: &'a Rc<Worker>,
    /// Whose budgets and connections.
    pub priority: RoutingPriority,
    /// Whether only a new connection will do.
    pub fresh: bool,
    /// Whether it is opened for requests that may come.
    pub ahead: bool,
    /// What the request tells the connection's transport.
    pub options: &'a Option<Rc<TransportOptions>>,
    /// When waiting for a connection of others ends.
    pub until: Option<Instant>,
    /// Why a connection that is being opened is not wanted any more; asked now and then.
    pub given_up: &'a dyn Fn() -> Option<AcquireFailure>,
    /// The client, where there is one: when it goes, waiting ends.
    pub client: Option<&'a Downstream<'a>>,
}

impl Acquire<'_> {
    /// Has `notify` told when the client goes.
    pub(super) fn watch_client(&self, notify: &Rc<Notify>) -> Option<ClientWatch> {
        self.client.map(|client| client.watch(Interrupt::wait(notify)))
    }
}

/// Whether the client that is watched has gone.
pub(super) fn is_gone(watch: Option<&ClientWatch>) -> bool {
    watch.is_some_and(ClientWatch::client_gone)
}

/// Why there is no connection for a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AcquireFailure {
    /// It could not be opened.
    Connect(ConnectFailure),
    /// `max_pending_requests` wait already.
    PendingOverflow,
    /// `max_requests` have a connection already.
    RequestOverflow,
    /// The wait was too long.
    Expired,
    /// The client has gone.
    ClientGone,
}

/// What a request is sent on; it is counted towards `max_requests`.
#[derive(Debug)]
pub enum Acquired {
    /// A connection of its own (HTTP/1).
    Connection(Box<UpstreamConnection>),
    /// A place on a connection that others share (HTTP/2).
    Slot(H2Slot),
}

/// What a request to `host` is sent on.
pub async fn acquire(
    cluster: &Rc<WorkerCluster>,
    host: &Rc<WorkerHost>,
    asked: &Acquire<'_>,
) -> Result<Acquired, AcquireFailure> {
    preconnect::for_cluster(cluster, host, asked);
    let Some(options) = http2_options(cluster, asked) else {
        return acquire_connection(cluster, host, asked).await.map(Acquired::Connection);
    };
    // What waits has its own memory: a connection of HTTP/1 would hold room for it.
    if let UpstreamProtocol::Auto(_) = cluster.shared.config.upstream_protocol
        && !host.agrees_on_http2()
    {
        return Box::pin(acquire_agreed(cluster, host, options, asked)).await;
    }
    if let Some(slot) = multiplexed::acquire_open(cluster, host, asked) {
        return slot.map(Acquired::Slot);
    }
    match Box::pin(multiplexed::acquire_other(cluster, host, options, asked)).await? {
        Some(slot) => Ok(Acquired::Slot(slot)),
        None => Box::pin(acquire_agreed(cluster, host, options, asked)).await,
    }
}

/// The options of HTTP/2, where that may be spoken for this request.
pub(super) fn http2_options<'a>(
    cluster: &'a WorkerCluster,
    asked: &Acquire<'_>,
) -> Option<&'a Http2ProtocolOptions> {
    match &cluster.shared.config.upstream_protocol {
        UpstreamProtocol::Http1 => None,
        UpstreamProtocol::Http2(options) | UpstreamProtocol::Auto(options) => Some(options),
        UpstreamProtocol::Downstream(options) => {
            Some(options).filter(|_| asked.client.is_some_and(Downstream::is_http2))
        }
    }
}

/// A connection whose protocol is not known before it is open.
async fn acquire_agreed(
    cluster: &Rc<WorkerCluster>,
    host: &Rc<WorkerHost>,
    options: &Http2ProtocolOptions,
    asked: &Acquire<'_>,
) -> Result<Acquired, AcquireFailure> {
    let connection = idle_or_other(cluster, host, asked).await?;
    let http2 = connection.protocol() == Protocol::Http2;
    host.note_agreed(http2);
    match http2 {
        true => {
            multiplexed::begin(cluster, host, options, asked, connection).await.map(Acquired::Slot)
        }
        false => claimed(cluster, connection).map(Acquired::Connection),
    }
}

async fn acquire_connection(
    cluster: &Rc<WorkerCluster>,
    host: &Rc<WorkerHost>,
    asked: &Acquire<'_>,
) -> Result<Box<UpstreamConnection>, AcquireFailure> {
    let connection = idle_or_other(cluster, host, asked).await?;
    claimed(cluster, connection)
}

async fn idle_or_other(
    cluster: &Rc<WorkerCluster>,
    host: &Rc<WorkerHost>,
    asked: &Acquire<'_>,
) -> Result<Box<UpstreamConnection>, AcquireFailure> {
    let idle = if asked.fresh { None } else { host.idle(asked.priority).take(asked.options) };
    let Some(connection) = idle else { return open_or_wait(cluster, host, asked).await };
    preconnect::for_host(cluster, host, asked, 1);
    Ok(connection)
}

/// Counts a request of `max_requests` for the connection.
fn claimed(
    cluster: &WorkerCluster,
    connection: Box<UpstreamConnection>,
) -> Result<Box<UpstreamConnection>, AcquireFailure> {
    connection.claim().map_err(|connection| {
        cluster.stats().upstream_rq_active_overflow.inc();
        super::waiting::offer(connection);
        AcquireFailure::RequestOverflow
    })
}

async fn open_or_wait(
    cluster: &Rc<WorkerCluster>,
    host: &Rc<WorkerHost>,
    asked: &Acquire<'_>,
) -> Result<Box<UpstreamConnection>, AcquireFailure> {
    let priority = asked.priority;
    let _pending =
        PendingRequest::begin(cluster, host, priority).ok_or(AcquireFailure::PendingOverflow)?;
    let somebody_waits = cluster.shared.breakers.waiting(priority) > 0;
    let permit = match somebody_waits {
        true => None,
        false => ConnectionPermit::try_take(cluster, host, priority).ok(),
    };
    let granted = match permit {
        Some(permit) => {
            preconnect::for_host(cluster, host, asked, 0);
            Granted::Permit(permit)
        }
        None => {
            cluster.stats().upstream_cx_overflow.inc();
            wait(cluster, host, asked).await?
        }
    };
    match granted {
        Granted::Connection(connection) => Ok(connection),
        Granted::Permit(permit) => connect(permit, Wanted::single(cluster), asked).await,
        Granted::Failed(failure) => Err(AcquireFailure::Connect(failure)),
    }
}

async fn wait(
    cluster: &Rc<WorkerCluster>,
    host: &Rc<WorkerHost>,
    asked: &Acquire<'_>,
) -> Result<Granted, AcquireFailure> {
    let notify: Rc<Notify> = Rc::default();
    let waiting = Waiting::enter(cluster, host, asked, notify.clone());
    let deadline = Deadline::of_wait(&cluster.timers, &notify);
    if let Some(until) = asked.until {
        deadline.arm_at(until);
    }
    let watch = asked.watch_client(&notify);
    loop {
        if let Some(granted) = waiting.take() {
            return Ok(granted);
        }
        let failure = if deadline.fired() {
            AcquireFailure::Expired
        } else if is_gone(watch.as_ref()) {
            AcquireFailure::ClientGone
        } else {
            notify.notified().await;
            continue;
        };
        cluster.stats().upstream_rq_cancelled.inc();
        return Err(failure);
    }
}
