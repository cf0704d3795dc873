//! One HTTP/2 connection to a host: its task moves bytes, its streams are requests.

use std::cell::{Cell, RefCell};
use std::fmt::{self, Debug, Formatter};
use std::future::poll_fn;
use std::net::Shutdown;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use ringmain_config::connection_keepalive::ConnectionKeepalive;
use ringmain_proto_codec::h2::client::{
    self, ClientConnection, ClientHandle, ClientOptions, ClientStream, RequestHead, StreamFailure,
};
use ringmain_proto_codec::h2::io::{MemoryIoHandle, memory_io};
use ringmain_proto_codec::h2::stream_meter::{ClientMeter, StreamBytes};

use super::UpstreamConnection;
use super::permit::RequestPermit;
use crate::http::codec::h2_keepalive::Keepalive;
use crate::http::codec::lent_piece::LentPiece;
use crate::runtime::{self, Buffer, ByteTurn, Patience, join};
use crate::server::Worker;

/// How long the last bytes to a host that does not read may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// A connection that many requests share. Its end is counted when it is dropped.
pub struct H2Connection {
    worker: Rc<Worker>,
    connection: Box<UpstreamConnection>,
    /// Opens streams; gone once no more are to be opened.
    handle: RefCell<Option<ClientHandle<LentPiece>>>,
    streams: Cell<usize>,
    idle_since: Cell<Instant>,
    /// `connection_keepalive`.
    keepalive: Option<Keepalive>,
    /// Bytes by stream, where logs ask for them.
    meter: Option<RefCell<ClientMeter>>,
    /// Whether HTTP/2 is over; what has been written is still sent.
    over: Cell<bool>,
}

impl H2Connection {
    /// Begins HTTP/2 on a connection just opened. Its task ends with it.
    pub(super) async fn begin(
        worker: &Rc<Worker>,
        connection: Box<UpstreamConnection>,
        options: &ClientOptions,
        keepalive: Option<ConnectionKeepalive>,
    ) -> Rc<Self> {
        let (io, bytes) = memory_io(worker.buffers.clone());
        let begun = client::connect(io, options).await;
        let (handle, mut frames) = begun.expect("memory takes the preface");
        let keepalive = keepalive.zip(frames.pings());
        if let Some(stats) = connection.cluster().http2_stats() {
            stats.nghttp2_upstream_connections.inc();
        }
        let this = Rc::new(Self {
            idle_since: Cell::new(connection.deadline().coarse_now()),
            worker: worker.clone(),
            connection,
            handle: RefCell::new(Some(handle)),
            keepalive: keepalive.map(|(options, pings)| Keepalive::begin(worker, options, pings)),
            streams: Cell::new(0),
            meter: worker.compiled.records_wire_bytes.then(RefCell::default),
            over: Cell::new(false),
        });
        runtime::spawn(this.clone().serve(frames, bytes));
        this
    }

    /// The connection beneath.
    pub fn connection(&self) -> &UpstreamConnection {
        &self.connection
    }

    /// How many more streams may be opened now; `None` where none will be any more.
    pub(super) fn room(&self) -> Option<usize> {
        let max = self.handle.borrow_mut().as_mut()?.streams_max();
        if max.is_none() {
            if !self.over.get() {
                // The host has sent GOAWAY.
                self.connection.cluster().stats().upstream_cx_close_notify.inc();
            }
            self.drain();
        }
        Some(max?.saturating_sub(self.streams.get()))
    }

    /// Opens no more streams; those that are open go on, and the connection ends with the last.
    pub(super) fn drain(&self) {
        self.handle.take();
    }

    /// Whether no stream is open.
    pub(super) fn is_idle(&self) -> bool {
        self.streams.get() == 0
    }

    /// Whether it has been idle for `timeout`.
    pub(super) fn is_idle_for(&self, timeout: Duration) -> bool {
        self.is_idle() && self.idle_since.get().elapsed() >= timeout
    }

    /// A stream for a request that `permit` allows; there is room for one.
    pub(super) fn open(self: &Rc<Self>, permit: RequestPermit) -> H2Slot {
        let streams = self.streams.get();
        self.streams.set(streams + 1);
        let (cluster, priority) = (self.connection.cluster(), self.connection.priority());
        if streams == 0 {
            cluster.count_busy(priority, 1);
        }
        self.connection.count_request();
        if let Some(keepalive) = &self.keepalive {
            keepalive.note_request();
        }
        if let Some(stats) = cluster.http2_stats() {
            stats.streams_active.inc();
        }
        H2Slot { _permit: permit, is_reused: self.connection.is_reused(), connection: self.clone() }
    }

    fn close_stream(&self) {
        self.streams.set(self.streams.get() - 1);
        if let Some(stats) = self.connection.cluster().http2_stats() {
            stats.streams_active.dec();
        }
        if self.is_idle() {
            self.idle_since.set(self.connection.deadline().coarse_now());
            self.connection.cluster().count_busy(self.connection.priority(), -1);
        }
    }

    /// Moves bytes until the connection is over: three parts of one task, always polled in the order
    /// in which bytes go.
    async fn serve(
        self: Rc<Self>,
        frames: ClientConnection<Buffer, LentPiece>,
        bytes: MemoryIoHandle<Buffer>,
    ) {
        let move_bytes = join(self.receive(&bytes), self.send(&bytes));
        let served = runtime::catch_panic(join(self.handle(frames), move_bytes)).await;
        if served.is_err() {
            self.connection.stream().shutdown(Shutdown::Both);
        }
        self.drain();
        let host = self.connection.host();
        host.multiplexed(self.connection.priority()).remove(&self);
    }

    /// Lets the codec work.
    async fn handle(&self, mut frames: ClientConnection<Buffer, LentPiece>) {
        let ended = poll_fn(|context| match frames.poll(context) {
            Poll::Ready(ended) => Poll::Ready(ended),
            Poll::Pending => self.poll_silent(context).map(|()| Ok(())),
        });
        let ended = ended.await;
        let stats = self.connection.cluster().stats();
        let is_remote = self.connection.is_remotely_closed();
        match ended {
            // Its streams have ended before it, says Envoy.
            Err(StreamFailure::Protocol) => stats.upstream_cx_protocol_error.inc(),
            _ if is_remote && !self.is_idle() => {
                stats.upstream_cx_destroy_with_active_rq.inc();
                stats.upstream_cx_destroy_remote_with_active_rq.inc();
            }
            // Neither side has let go of it: the host has sent GOAWAY, and its streams have ended.
            _ if !is_remote && self.handle.borrow().is_some() => {
                stats.upstream_cx_close_notify.inc()
            }
            _ => {}
        }
        self.over.set(true);
    }

    /// Ready when the host does not answer any more; the connection is then shut down.
    fn poll_silent(&self, context: &mut Context<'_>) -> Poll<()> {
        let Some(keepalive) = &self.keepalive else { return Poll::Pending };
        keepalive.poll_silent(context).map(|()| {
            let cluster = self.connection.cluster();
            if let Some(stats) = cluster.http2_stats() {
                stats.keepalive_timeout.inc();
            }
            if !self.is_idle() {
                cluster.stats().upstream_cx_destroy_with_active_rq.inc();
                cluster.stats().upstream_cx_destroy_local_with_active_rq.inc();
            }
            self.drain();
            self.connection.stream().shutdown(Shutdown::Both);
        })
    }

    /// Hands over what arrives.
    async fn receive(&self, bytes: &MemoryIoHandle<Buffer>) {
        let buffers = &self.worker.buffers;
        let patience = Patience::new(&self.worker.timers);
        // Where one read has filled its buffer there is more.
        let mut filled = false;
        let turn = ByteTurn::default();
        loop {
            wait_until(|| bytes.wants_input() || self.over.get()).await;
            if self.over.get() {
                break;
            }
            let buffer = if filled { buffers.large() } else { buffers.small() };
            let (count, buffer) = self.connection.read_lazily(buffer, &patience).await;
            filled = buffer.room() == 0;
            if count == 0 {
                buffers.give_back(buffer);
                if !self.over.get() {
                    self.connection.note_remote_close();
                }
                bytes.end_input();
                break;
            }
            if let Some(keepalive) = &self.keepalive {
                keepalive.note_received();
            }
            if let Some(meter) = &self.meter {
                meter.borrow_mut().receive(buffer.bytes());
            }
            if let Some(spent) = bytes.feed(buffer) {
                buffers.give_back(spent);
            }
            turn.note(count).await;
        }
        wait_until(|| self.over.get()).await;
        if let Some(last) = bytes.take_input() {
            buffers.give_back(last);
        }
    }

    /// Sends what the codec has written since the last time, in one send.
    async fn send(&self, bytes: &MemoryIoHandle<Buffer>) {
        loop {
            wait_until(|| bytes.has_output() || self.over.get()).await;
            if !bytes.has_output() {
                break;
            }
            if self.over.get() {
                self.connection.deadline().arm(Some(CLOSE_LIMIT));
            }
            let output = bytes.take_output();
            if let Some(meter) = &self.meter {
                meter.borrow_mut().send(output.bytes());
            }
            let (sent, spent) = self.connection.write_all(output).await;
            self.worker.buffers.give_back(spent);
            if sent.is_err() {
                self.connection.note_remote_close();
                bytes.break_output();
                break;
            }
        }
        wait_until(|| self.over.get()).await;
        // Ends the read in flight.
        self.connection.stream().shutdown(Shutdown::Both);
    }
}

impl Debug for H2Connection {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.debug_struct("H2Connection")
            .field("connection", &self.connection)
            .field("streams", &self.streams)
            .finish_non_exhaustive()
    }
}

/// Waits for what another part of the same task brings about, which is polled whenever this is.
async fn wait_until(condition: impl Fn() -> bool) {
    poll_fn(|_| if condition() { Poll::Ready(()) } else { Poll::Pending }).await;
}

/// A request's place on a connection, until dropped.
#[derive(Debug)]
pub struct H2Slot {
    connection: Rc<H2Connection>,
    is_reused: bool,
    _permit: RequestPermit,
}

impl H2Slot {
    /// The connection.
    pub fn connection(&self) -> &UpstreamConnection {
        &self.connection.connection
    }

    /// Whether the connection has served requests before this one.
    pub fn is_reused(&self) -> bool {
        self.is_reused
    }

    /// Sends the request's head. `ends` where neither body nor trailers follow.
    pub fn request(
        &self,
        head: RequestHead,
        ends: bool,
    ) -> Result<ClientStream<LentPiece>, StreamFailure> {
        let mut handle = self.connection.handle.borrow_mut();
        // Gone: a GOAWAY has come since there was room.
        let stream = handle.as_mut().ok_or(StreamFailure::Refused)?.request(head, ends);
        drop(handle);
        if let (Ok(stream), Some(meter)) = (&stream, &self.connection.meter) {
            meter.borrow_mut().streams.begin(stream.id());
        }
        let connection = self.connection();
        let cluster = connection.cluster();
        let requests_max = cluster.shared.config.max_requests_per_connection;
        if requests_max.is_some_and(|max| connection.requests() >= max) {
            cluster.stats().upstream_cx_max_requests.inc();
            self.connection.drain();
        }
        if connection.host().multiplexed(connection.priority()).is_retired() {
            self.connection.drain();
        }
        stream
    }
}

impl H2Slot {
    /// What has gone over `stream`, which is this one's.
    pub fn wire_bytes(&self, stream: &ClientStream<LentPiece>) -> StreamBytes {
        let meter = self.connection.meter.as_ref();
        meter.map(|meter| meter.borrow().streams.bytes(stream.id())).unwrap_or_default()
    }

    /// `stream`, which is this one's, is over.
    pub fn forget(&self, stream: &ClientStream<LentPiece>) {
        if let Some(meter) = &self.connection.meter {
            meter.borrow_mut().streams.end(stream.id());
        }
    }
}

impl Drop for H2Slot {
    fn drop(&mut self) {
        self.connection.close_stream();
        let connection = &self.connection.connection;
        connection.host().multiplexed(connection.priority()).wake_next();
    }
}
