//! A connection for a request: idle, new, or waited for.

use std::rc::Rc;
use std::time::Instant;

use ringmain_config::cluster::RoutingPriority;

use super::permit::{ConnectionPermit, PendingRequest};
use super::waiting::{Granted, Waiting};
use super::{ConnectFailure, UpstreamConnection, connect};
use crate::cluster::{WorkerCluster, WorkerHost};
use crate::runtime::{Deadline, Stream, Watches};

/// What a request asks of its connection.
pub struct Acquire<'a> {
    /// Whose budgets and connections.
    pub priority: RoutingPriority,
    /// Whether only a new connection will do.
    pub fresh: bool,
    /// When waiting for a connection of others ends.
    pub until: Option<Instant>,
    /// Why a connection that is being opened is not wanted any more; asked now and then.
    pub given_up: &'a dyn Fn() -> Option<AcquireFailure>,
    /// The client, and who watches it: when it goes, waiting ends.
    pub client: (&'a Rc<Watches>, &'a Rc<Stream>),
}

/// Why there is no connection for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// A connection to `host` with a request of `max_requests` counted on it.
pub async fn acquire(
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
    let waiting = Waiting::enter(cluster, host, asked.priority);
    let deadline = Deadline::of_wait(&cluster.timers, waiting.notify());
    if let Some(until) = asked.until {
        deadline.arm_at(until);
    }
    let (watches, client) = asked.client;
    let watch = watches.watch_wait(client, waiting.notify());
    loop {
        if let Some(granted) = waiting.take() {
            return Ok(granted);
        }
        let failure = if deadline.fired() {
            AcquireFailure::Expired
        } else if watch.client_gone() {
            AcquireFailure::ClientGone
        } else {
            waiting.notify().notified().await;
            continue;
        };
        cluster.stats().upstream_rq_cancelled.inc();
        return Err(failure);
    }
}
