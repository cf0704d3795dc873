//! One upstream connection and what it counts.

use std::cell::Cell;
use std::io;
use std::net::Shutdown;
use std::rc::Rc;
use std::time::{Duration, Instant};

use ringmain_config::address::Address;
use ringmain_config::cluster::RoutingPriority;
use ringmain_proto_codec::auto::Protocol;

use super::connect::{Opened, count_protocol};
use super::permit::ConnectionPermit;
use super::{Acquire, waiting};
use crate::cluster::{Resource, WorkerCluster, WorkerHost};
use crate::http::stream::UpstreamConnectionInfo;
use crate::runtime::{Buffer, Deadline, Patience, Stream};
use crate::transport_socket::{Transport, TransportOptions};

/// A connection to a host. Its end is counted when it is dropped. It lives in a box: it goes from hand to hand
/// several times for each request.
#[derive(Debug)]
pub struct UpstreamConnection {
    transport: Transport,
    deadline: Deadline,
    local: Option<Address>,
    info: UpstreamConnectionInfo,
    protocol: Protocol,
    permit: ConnectionPermit,
    options: Option<Rc<TransportOptions>>,
    opened: Instant,
    requests: Cell<u32>,
    /// Whether a request of `max_requests` is counted for it.
    claimed: bool,
    /// Bytes of the request under way.
    sent: Cell<u64>,
    /// Bytes received since it was begun.
    received: Cell<u64>,
    /// Of the last read.
    failure: Cell<Option<io::ErrorKind>>,
    /// Whether it was opened before there was a request for it.
    opened_ahead: bool,
    /// The host's `Keep-Alive: timeout=`, from the last response on.
    keep_alive_until: Option<Instant>,
    end: Cell<End>,
}

/// Who ended the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Local,
    Remote,
}

impl UpstreamConnection {
    /// Counts a connection just opened.
    pub(super) fn opened(
        opened: Opened,
        protocol: Protocol,
        permit: ConnectionPermit,
        asked: &Acquire<'_>,
    ) -> Box<Self> {
        let (cluster, host) = (&permit.cluster, &permit.host);
        let stats = cluster.stats();
        opened.record(cluster);
        stats.upstream_cx_total.inc();
        count_protocol(cluster, protocol);
        stats.upstream_cx_active.inc();
        host.stats().cx_total.inc();
        host.stats().cx_active.inc();
        let info = opened.info(Some(match protocol {
            Protocol::Http1 => "HTTP/1.1",
            Protocol::Http2 => "HTTP/2",
        }));
        let Opened { transport, at, .. } = opened;
        let local = transport.stream().local_addr().ok();
        Box::new(Self {
            deadline: Deadline::new(&cluster.timers, transport.stream(), Shutdown::Both),
            transport,
            local,
            info,
            protocol,
            permit,
            options: asked.options.clone(),
            opened: at,
            requests: Cell::new(0),
            claimed: false,
            sent: Cell::new(0),
            received: Cell::new(0),
            failure: Cell::default(),
            opened_ahead: asked.ahead,
            keep_alive_until: None,
            end: Cell::new(End::Local),
        })
    }

    /// What is spoken on it.
    pub(super) fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The socket.
    pub fn stream(&self) -> &Rc<Stream> {
        self.transport.stream()
    }

    /// Its bytes.
    pub fn transport(&self) -> &Transport {
        &self.transport
    }

    /// What was told its transport.
    pub(super) fn options(&self) -> &Option<Rc<TransportOptions>> {
        &self.options
    }

    /// Whether TLS has ended without the upstream saying so: what was received may not be all.
    pub fn is_truncated(&self) -> bool {
        self.failure.get() == Some(io::ErrorKind::UnexpectedEof)
    }

    /// Whether the last read came to an error, which it told as the end.
    pub fn is_broken(&self) -> bool {
        self.failure.get().is_some()
    }

    /// Appends what arrives to `buffer`. An error is told as the end.
    pub async fn read(&self, buffer: Buffer) -> (usize, Buffer) {
        let (result, buffer) = self.transport.read(buffer).await;
        self.note_read(result, buffer)
    }

    /// The same for what may take long to come: a long wait holds no buffer.
    pub async fn read_lazily(&self, buffer: Buffer, patience: &Patience) -> (usize, Buffer) {
        let buffers = &self.permit.cluster.buffers;
        let (result, buffer) = self.transport.read_lazily(buffer, buffers, patience).await;
        self.note_read(result, buffer)
    }

    fn note_read(&self, result: io::Result<usize>, buffer: Buffer) -> (usize, Buffer) {
        self.failure.set(result.as_ref().err().map(io::Error::kind));
        let count = result.unwrap_or(0);
        self.received.set(self.received.get() + count as u64);
        self.permit.cluster.stats().upstream_cx_rx_bytes_total.add(count as u64);
        // A socket that is shut down still yields what keeps coming.
        if self.deadline.fired() { (0, buffer) } else { (count, buffer) }
    }

    /// Sends all of `buffer`, which comes back as it was.
    pub async fn write_all(&self, buffer: Buffer) -> (io::Result<()>, Buffer) {
        let (result, buffer) = self.transport.write_all(buffer).await;
        self.sent.set(self.sent.get() + buffer.len() as u64);
        self.permit.cluster.stats().upstream_cx_tx_bytes_total.add(buffer.len() as u64);
        (result, buffer)
    }

    /// Ends both directions when the upstream takes too long.
    pub fn deadline(&self) -> &Deadline {
        &self.deadline
    }

    /// Our end's address.
    pub fn local_addr(&self) -> Option<&Address> {
        self.local.as_ref()
    }

    /// Its number and its beginning.
    pub fn info(&self) -> UpstreamConnectionInfo {
        self.info
    }

    /// The cluster it belongs to.
    pub fn cluster(&self) -> &WorkerCluster {
        &self.permit.cluster
    }

    /// The host at the other end.
    pub fn host(&self) -> &Rc<WorkerHost> {
        &self.permit.host
    }

    pub(super) fn cluster_rc(&self) -> &Rc<WorkerCluster> {
        &self.permit.cluster
    }

    /// Whose budgets it counts towards.
    pub fn priority(&self) -> RoutingPriority {
        self.permit.priority
    }

    /// Counts a request of `max_requests` for it; the connection back where that is reached.
    pub(super) fn claim(mut self: Box<Self>) -> Result<Box<Self>, Box<Self>> {
        let cluster = &self.permit.cluster;
        let breakers = &cluster.shared.breakers;
        if !breakers.try_take(cluster.worker, self.permit.priority, Resource::Requests) {
            return Err(self);
        }
        self.claimed = true;
        self.permit.cluster.count_busy(self.permit.priority, 1);
        Ok(self)
    }

    fn end_claim(&mut self) {
        if std::mem::take(&mut self.claimed) {
            let cluster = &self.permit.cluster;
            cluster.count_busy(self.permit.priority, -1);
            let breakers = &cluster.shared.breakers;
            breakers.give_back(cluster.worker, self.permit.priority, Resource::Requests);
        }
    }

    /// Whether the request under way found it open, so that the upstream may have closed the connection
    /// before it came.
    pub fn is_reused(&self) -> bool {
        self.requests() > 1 || self.opened_ahead
    }

    /// Requests begun on it.
    pub fn requests(&self) -> u32 {
        self.requests.get()
    }

    /// Counts a request about to be sent.
    pub fn count_request(&self) {
        self.requests.set(self.requests.get() + 1);
    }

    /// Counts a request about to be sent, the only one on the connection now.
    pub fn begin_request(&self) {
        self.count_request();
        self.sent.set(0);
        self.received.set(0);
    }

    /// Bytes sent and received since the request under way was begun.
    pub fn request_bytes(&self) -> (u64, u64) {
        (self.sent.get(), self.received.get())
    }

    /// Counts an interim response (RFC 9110 §15.2) as Envoy does: like a response of its own.
    pub fn count_interim(&self, status: u16) {
        let worker = self.permit.cluster.worker;
        self.permit.cluster.stats().upstream_rq_completed.inc();
        self.permit.cluster.shared.response_codes.of(worker).count(status);
        self.permit.cluster.shared.external_response_codes.of(worker).count(status);
    }

    /// Gives the connection to the next request that waits for one or back to its host, or closes
    /// it where it has served `max_requests_per_connection`.
    pub fn release(mut self: Box<Self>, keep_alive_timeout: Option<Duration>) {
        self.end_claim();
        let cluster = &self.permit.cluster;
        let requests_max = cluster.shared.config.max_requests_per_connection;
        if requests_max.is_some_and(|max| self.requests() >= max) {
            cluster.stats().upstream_cx_max_requests.inc();
            self.close_locally();
            return;
        }
        self.keep_alive_until = keep_alive_timeout.map(|timeout| Instant::now() + timeout);
        waiting::offer(self);
    }

    /// Whether the host has said that it closes the connection about now.
    pub(super) fn keep_alive_expired(&self) -> bool {
        self.keep_alive_until.is_some_and(|until| Instant::now() >= until)
    }

    /// We close it.
    pub fn close_locally(&self) {
        self.end.set(End::Local);
    }

    /// The upstream has closed it.
    pub fn note_remote_close(&self) {
        self.end.set(End::Remote);
    }

    /// Whether the upstream has closed it.
    pub fn is_remotely_closed(&self) -> bool {
        self.end.get() == End::Remote
    }

    /// It was idle for too long; we close it.
    pub(super) fn note_idle_timeout(&self) {
        self.permit.cluster.stats().upstream_cx_idle_timeout.inc();
        self.end.set(End::Local);
    }
}

impl Drop for UpstreamConnection {
    fn drop(&mut self) {
        self.end_claim();
        let cluster = &self.permit.cluster;
        let stats = cluster.stats();
        stats.upstream_cx_active.dec();
        stats.upstream_cx_destroy.inc();
        match self.end.get() {
            End::Local => stats.upstream_cx_destroy_local.inc(),
            End::Remote => stats.upstream_cx_destroy_remote.inc(),
        }
        self.permit.host.stats().cx_active.dec();
        let length_ms = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        let ids = &cluster.shared.histograms;
        cluster.histograms.record(ids.upstream_cx_length_ms, length_ms);
        cluster.histograms.record(ids.upstream_rq_per_cx, self.requests().into());
    }
}
