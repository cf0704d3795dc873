//! The HTTP/2 connections of one host on one worker: one, and more when its streams run out.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use ringmain_config::cluster::{Http2ProtocolOptions, UpstreamProtocol};
use ringmain_proto_codec::auto::Protocol;
use ringmain_proto_codec::h2::client::ClientOptions;

use super::acquire::is_gone;
use super::connect::{Wanted, connect};
use super::h2_connection::{H2Connection, H2Slot};
use super::permit::{ConnectionPermit, PendingRequest, RequestPermit};
use super::waiting::{self, Granted, Waiting};
use super::{Acquire, AcquireFailure, ConnectFailure, UpstreamConnection, preconnect};
use crate::cluster::{WorkerCluster, WorkerHost};
use crate::runtime::{Deadline, Notify};
use crate::transport_socket::TransportOptions;

/// The largest field section of a response that the `h2` crate reads, with its 32 bytes a field; the limit of 60 KiB
/// of fields, as HTTP/1 has it, is held behind that.
const RESPONSE_HEAD_BYTES_MAX: u32 = 120 * 1024;

/// Connections that take requests, and requests that wait for one.
#[derive(Debug, Default)]
pub struct MultiplexedConnections {
    open: RefCell<Vec<Rc<H2Connection>>>,
    /// Streams that connections being opened will have.
    promised: Cell<usize>,
    waiting: RefCell<VecDeque<Rc<Notify>>>,
    /// How many connections could not be opened, and why the last one could not.
    failures: Cell<u64>,
    failure: RefCell<Option<ConnectFailure>>,
    retired: Cell<bool>,
}

impl MultiplexedConnections {
    /// A connection of these options with room for one more stream.
    fn with_room(&self, options: &Option<Rc<TransportOptions>>) -> Option<Rc<H2Connection>> {
        // Those that a GOAWAY has ended close when their last stream does.
        self.open.borrow_mut().retain(|connection| connection.room().is_some());
        let open = self.open.borrow();
        let has_room = |one: &&Rc<H2Connection>| one.room().is_some_and(|room| room > 0);
        open.iter().filter(|one| one.connection().options() == options).find(has_room).cloned()
    }

    /// Whether connections that are being opened will have room for `waiting` requests.
    fn promises_room_for(&self, waiting: usize) -> bool {
        waiting <= self.promised.get()
    }

    /// How many requests wait.
    fn waiting(&self) -> usize {
        self.waiting.borrow().len()
    }

    /// Why a connection could not be opened, if one more than `failures` could not.
    fn failure_since(&self, failures: u64) -> Option<ConnectFailure> {
        self.failure.borrow().clone().filter(|_| self.failures.get() > failures)
    }

    fn add(&self, connection: Rc<H2Connection>) {
        if !self.retired.get() {
            self.open.borrow_mut().push(connection);
        }
        // Each that finds room wakes the next.
        self.wake_next();
    }

    /// Takes out a connection that has ended.
    pub(super) fn remove(&self, connection: &Rc<H2Connection>) {
        let gone: Vec<_> =
            self.open.borrow_mut().extract_if(.., |other| Rc::ptr_eq(other, connection)).collect();
        drop(gone);
        self.wake_next();
    }

    /// Has the request that has waited longest look for room again.
    pub(super) fn wake_next(&self) {
        if let Some(first) = self.waiting.borrow().front() {
            first.notify();
        }
    }

    /// Whether the host has left the cluster.
    pub(super) fn is_retired(&self) -> bool {
        self.retired.get()
    }

    /// The host has left the cluster: connections end with their last stream.
    pub fn retire(&self) {
        self.retired.set(true);
        self.drain();
    }

    /// Connections end with their last stream; others take their place.
    pub fn drain(&self) {
        let open = self.open.take();
        open.iter().for_each(|connection| connection.drain());
    }

    /// Lets go of connections that take no more requests, and closes those without a stream for
    /// `idle_timeout`.
    pub fn sweep(&self, idle_timeout: Option<Duration>) {
        self.open.borrow_mut().retain(|connection| connection.room().is_some());
        let Some(timeout) = idle_timeout else { return };
        let idle: Vec<_> =
            self.open.borrow_mut().extract_if(.., |open| open.is_idle_for(timeout)).collect();
        for connection in idle {
            connection.connection().cluster().stats().upstream_cx_idle_timeout.inc();
            connection.drain();
        }
    }

    /// Closes a connection without a stream. False where there is none.
    pub fn close_idle(&self) -> bool {
        let mut open = self.open.borrow_mut();
        let Some(at) = open.iter().position(|connection| connection.is_idle()) else {
            return false;
        };
        let idle = open.remove(at);
        drop(open);
        idle.drain();
        true
    }
}

/// A place in the line for room on a connection, until dropped.
struct Place<'a> {
    connections: &'a MultiplexedConnections,
    notify: Rc<Notify>,
}

impl<'a> Place<'a> {
    fn enter(connections: &'a MultiplexedConnections, notify: Rc<Notify>) -> Self {
        connections.waiting.borrow_mut().push_back(notify.clone());
        Self { connections, notify }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut waiting = self.connections.waiting.borrow_mut();
        waiting.retain(|other| !Rc::ptr_eq(other, &self.notify));
        drop(waiting);
        // There may be more room, or what this one was told of is left for the next.
        self.connections.wake_next();
    }
}

/// Streams that a connection being opened will have, until it is open or has failed.
struct Promise<'a> {
    connections: &'a MultiplexedConnections,
    streams: usize,
}

impl<'a> Promise<'a> {
    fn of(connections: &'a MultiplexedConnections, streams: usize) -> Self {
        connections.promised.set(connections.promised.get() + streams);
        Self { connections, streams }
    }
}

impl Drop for Promise<'_> {
    fn drop(&mut self) {
        self.connections.promised.set(self.connections.promised.get() - self.streams);
        self.connections.wake_next();
    }
}

/// A stream on a connection to `host` that is open, with a request of `max_requests` counted for it; `None` where
/// none has room.
pub fn acquire_open(
    cluster: &Rc<WorkerCluster>,
    host: &Rc<WorkerHost>,
    asked: &Acquire<'_>,
) -> Option<Result<H2Slot, AcquireFailure>> {
    let connection = host.multiplexed(asked.priority).with_room(asked.options)?;
    preconnect::for_host(cluster, host, asked, 1);
    Some(slot_on(&connection, cluster, asked))
}

/// The same on a connection that is opened or waited for. `None` where the host turns out to speak HTTP/1.1, by ALPN.
pub async fn acquire_other(
    cluster: &Rc<WorkerCluster>,
    host: &Rc<WorkerHost>,
    options: &Http2ProtocolOptions,
    asked: &Acquire<'_>,
) -> Result<Option<H2Slot>, AcquireFailure> {
    let connection = open_or_wait(cluster, host, options, asked).await?;
    connection.map(|connection| slot_on(&connection, cluster, asked)).transpose()
}

/// Begins HTTP/2 on a connection just opened: a stream on it.
pub async fn begin(
    cluster: &Rc<WorkerCluster>,
    host: &Rc<WorkerHost>,
    options: &Http2ProtocolOptions,
    asked: &Acquire<'_>,
    connection: Box<UpstreamConnection>,
) -> Result<H2Slot, AcquireFailure> {
    let connection = share(connection, host, options, asked).await;
    slot_on(&connection, cluster, asked)
}

/// Begins HTTP/2 on a connection just opened, for whoever wants a stream to `host`.
async fn share(
    connection: Box<UpstreamConnection>,
    host: &WorkerHost,
    options: &Http2ProtocolOptions,
    asked: &Acquire<'_>,
) -> Rc<H2Connection> {
    let keepalive = options.connection_keepalive;
    let options = client_options(options);
    let connection = H2Connection::begin(asked.worker, connection, &options, keepalive).await;
    host.multiplexed(asked.priority).add(connection.clone());
    connection
}

fn slot_on(
    connection: &Rc<H2Connection>,
    cluster: &Rc<WorkerCluster>,
    asked: &Acquire<'_>,
) -> Result<H2Slot, AcquireFailure> {
    match RequestPermit::try_take(cluster, asked.priority) {
        Some(permit) => Ok(connection.open(permit)),
        None => {
            cluster.stats().upstream_rq_active_overflow.inc();
            Err(AcquireFailure::RequestOverflow)
        }
    }
}

async fn open_or_wait(
    cluster: &Rc<WorkerCluster>,
    host: &Rc<WorkerHost>,
    options: &Http2ProtocolOptions,
    asked: &Acquire<'_>,
) -> Result<Option<Rc<H2Connection>>, AcquireFailure> {
    let _pending = PendingRequest::begin(cluster, host, asked.priority)
        .ok_or(AcquireFailure::PendingOverflow)?;
    let permit = match wait(cluster, host, asked).await? {
        Found::Room(connection) => return Ok(Some(connection)),
        Found::Permit(permit) => permit,
        Found::OtherProtocol => return Ok(None),
    };
    preconnect::for_host(cluster, host, asked, 0);
    // Others wait for this one, which has a stream for each of them beside our own.
    let others = options.max_concurrent_streams.saturating_sub(1);
    open(permit, options, asked, others as usize).await
}

/// Opens the connection that `permit` allows; it will have `promised` streams for requests that come
/// meanwhile. `None` where the host turns out to speak HTTP/1.1, by ALPN.
pub(super) async fn open(
    permit: ConnectionPermit,
    options: &Http2ProtocolOptions,
    asked: &Acquire<'_>,
    promised: usize,
) -> Result<Option<Rc<H2Connection>>, AcquireFailure> {
    let (host, wanted) = (permit.host.clone(), Wanted::multiplexed(&permit.cluster));
    let connections = host.multiplexed(asked.priority);
    let _promise = Promise::of(connections, promised);
    let opened = connect(permit, wanted, asked).await;
    let connection = opened.inspect_err(|failure| {
        if let AcquireFailure::Connect(failure) = failure {
            connections.failures.set(connections.failures.get() + 1);
            connections.failure.replace(Some(failure.clone()));
        }
    })?;
    if connection.protocol() == Protocol::Http1 {
        host.note_agreed(false);
        waiting::offer(connection);
        return Ok(None);
    }
    host.note_agreed(true);
    Ok(Some(share(connection, &host, options, asked).await))
}

fn client_options(options: &Http2ProtocolOptions) -> ClientOptions {
    ClientOptions {
        max_concurrent_streams: options.max_concurrent_streams,
        initial_stream_window_size: options.initial_stream_window_size,
        initial_connection_window_size: options.initial_connection_window_size,
        hpack_table_size: options.hpack_table_size,
        header_list_bytes_max: RESPONSE_HEAD_BYTES_MAX,
    }
}

/// What ends a wait.
enum Found {
    /// A connection with room.
    Room(Rc<H2Connection>),
    /// The right to open one.
    Permit(ConnectionPermit),
    /// The host has agreed on HTTP/1.1 by ALPN meanwhile.
    OtherProtocol,
}

/// Waits for room on a connection, unless one more may be opened.
async fn wait(
    cluster: &Rc<WorkerCluster>,
    host: &Rc<WorkerHost>,
    asked: &Acquire<'_>,
) -> Result<Found, AcquireFailure> {
    let connections = host.multiplexed(asked.priority);
    if !connections.promises_room_for(connections.waiting() + 1)
        && let Ok(permit) = ConnectionPermit::try_take(cluster, host, asked.priority)
    {
        return Ok(Found::Permit(permit));
    }
    let notify: Rc<Notify> = Rc::default();
    let _place = Place::enter(connections, notify.clone());
    let failures = connections.failures.get();
    let deadline = Deadline::of_wait(&cluster.timers, &notify);
    if let Some(until) = asked.until {
        deadline.arm_at(until);
    }
    let watch = asked.watch_client(&notify);
    let mut line = None;
    let by_alpn = matches!(cluster.shared.config.upstream_protocol, UpstreamProtocol::Auto(_));
    loop {
        if let Some(connection) = connections.with_room(asked.options) {
            return Ok(Found::Room(connection));
        }
        if by_alpn && !host.agrees_on_http2() {
            return Ok(Found::OtherProtocol);
        }
        match line.as_ref().and_then(Waiting::take) {
            Some(Granted::Permit(permit)) => return Ok(Found::Permit(permit)),
            Some(Granted::Failed(failure)) => return Err(AcquireFailure::Connect(failure)),
            // None of these serves one request at a time.
            Some(Granted::Connection(_)) | None => {}
        }
        if let Some(failure) = connections.failure_since(failures) {
            cluster.stats().upstream_rq_pending_failure_eject.inc();
            return Err(AcquireFailure::Connect(failure));
        }
        if deadline.fired() || is_gone(watch.as_ref()) {
            cluster.stats().upstream_rq_cancelled.inc();
            return Err(match deadline.fired() {
                true => AcquireFailure::Expired,
                false => AcquireFailure::ClientGone,
            });
        }
        if line.is_none() && !connections.promises_room_for(connections.waiting()) {
            // No connection is on its way: the limits decide when there will be one.
            cluster.stats().upstream_cx_overflow.inc();
            line = Some(Waiting::enter(cluster, host, asked, notify.clone()));
            continue;
        }
        notify.notified().await;
    }
}
