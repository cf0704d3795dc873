//! A connection for a request: idle, new, or waited for.

use std::rc::Rc;
use std::time::Instant;

use ringmain_config::cluster::{RoutingPriority, UpstreamProtocol};

use super::permit::{ConnectionPermit, PendingRequest};
use super::waiting::{Granted, Waiting};
use super::{ConnectFailure, H2Slot, UpstreamConnection, connect, multiplexed};
use crate::cluster::{WorkerCluster, WorkerHost};
use crate::http::codec::downstream::Downstream;
use crate::runtime::{Deadline, Interrupt, Notify};
use crate::server::Worker;

/// What a request asks of its connection.
pub struct Acquire<'a> {
    /// The worker it lives on.
    pub worker: &'a Rc<Worker>,
    /// Whose budgets and connections.
    pub priority: RoutingPriority,
    /// Whether only a new connection will do.
    pub fresh: bool,
    /// When waiting for a connection of others ends.
    pub until: Option<Instant>,
    /// Why a connection that is being opened is not wanted any more; asked now and then.
    pub given_up: &'a dyn Fn() -> Option<AcquireFailure>,
    /// The client: when it goes, waiting ends.
    pub client: &'a Downstream<'a>,
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
    Connection(UpstreamConnection),
    /// A place on a connection that others share (HTTP/2).
    Slot(H2Slot),
}

/// What a request to `host` is sent on.
pub async fn acquire(
    cluster: &Rc<WorkerCluster>,
    host: &Rc<WorkerHost>,
    asked: &Acquire<'_>,
) -> Result<Acquired, AcquireFailure> {
    match &cluster.shared.config.upstream_protocol {
        UpstreamProtocol::Http1 => {
            acquire_connection(cluster, host, asked).await.map(Acquired::Connection)
        }
        UpstreamProtocol::Http2(options) => {
            // Its own memory: a connection of HTTP/1 would hold room for it.
            let slot = Box::pin(multiplexed::acquire(cluster, host, options, asked));
            slot.await.map(Acquired::Slot)
        }
    }
}

async fn acquire_connection(
    cluster: &Rc<WorkerCluster>,
    host: &Rc<WorkerHost>,
    asked: &Acquire<'_>,
) -> Result<UpstreamConnection, AcquireFailure> {
    let idle = if asked.fresh { None } else { host.idle(asked.priority).take() };
    let connection = match idle {
        Some(connection) => connection,
        None => open_or_wait(cluster, host, asked).await?,
    };
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
) -> Result<UpstreamConnection, AcquireFailure> {
    let priority = asked.priority;
    let _pending =
        PendingRequest::begin(cluster, host, priority).ok_or(AcquireFailure::PendingOverflow)?;
    let somebody_waits = cluster.shared.breakers.waiting(priority) > 0;
    let permit = match somebody_waits {
        true => None,
        false => ConnectionPermit::try_take(cluster, host, priority).ok(),
    };
    let granted = match permit {
        Some(permit) => Granted::Permit(permit),
        None => {
            cluster.stats().upstream_cx_overflow.inc();
            wait(cluster, host, asked).await?
        }
    };
    match granted {
        Granted::Connection(connection) => Ok(connection),
        Granted::Permit(permit) => connect(permit, asked.given_up).await,
        Granted::Failed(failure) => Err(AcquireFailure::Connect(failure)),
    }
}

async fn wait(
    cluster: &Rc<WorkerCluster>,
    host: &Rc<WorkerHost>,
    asked: &Acquire<'_>,
) -> Result<Granted, AcquireFailure> {
    let notify: Rc<Notify> = Rc::default();
    let waiting = Waiting::enter(cluster, host, asked.priority, notify.clone());
    let deadline = Deadline::of_wait(&cluster.timers, &notify);
    if let Some(until) = asked.until {
        deadline.arm_at(until);
    }
    let watch = asked.client.watch(Interrupt::wait(&notify));
    loop {
        if let Some(granted) = waiting.take() {
            return Ok(granted);
        }
        let failure = if deadline.fired() {
            AcquireFailure::Expired
        } else if watch.client_gone() {
            AcquireFailure::ClientGone
        } else {
            notify.notified().await;
            continue;
        };
        cluster.stats().upstream_rq_cancelled.inc();
        return Err(failure);
    }
}
