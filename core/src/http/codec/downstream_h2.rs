//! The downstream side of HTTP/2: one task a connection, one more for each of its streams.
//!
//! The connection's task has two halves. One receives bytes and shows them to the flood guard; the
//! other drives the `h2` crate over memory, starts streams, and sends what all of them have written
//! since its last turn at once.

mod framing;
mod limits;
mod outgoing;
mod request;
mod response;
mod stream;

use std::cell::{Cell, OnceCell, RefCell};
use std::future::{Future, poll_fn};
use std::net::Shutdown;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use ringmain_proto_codec::h1::Version;
use ringmain_proto_codec::h2::flood_guard::{Breach, FloodGuard, Refusal, Sent};
use ringmain_proto_codec::h2::io::{MemoryIo, MemoryIoHandle, memory_io};
use ringmain_proto_codec::h2::server::{self, Ended, Incoming, ServerConnection};

use super::connection_record::{ConnectionRecord, End};
use super::h2_keepalive::Keepalive;
use crate::listener::ConnectionSlot;
use crate::runtime::{self, Buffer, ByteTurn, Deadline, Event, Interrupt, Notify, Patience, join};
use crate::stats::scopes::HttpStats;
use crate::transport_socket::Transport;
use framing::{Framing, Tails};
use limits::PrematureResets;
use outgoing::Outgoing;
pub use stream::{ClientState, Stream};

/// How long a connection that is silent keeps a buffer.
const PATIENCE: Duration = Duration::from_secs(1);

/// The code of RFC 9113 §7 for a field block that cannot be decompressed.
const COMPRESSION_ERROR: u32 = 0x9;

/// A connection whose first bytes are the preface of HTTP/2.
#[derive(Debug)]
pub struct Begun {
    pub(super) transport: Transport,
    pub(super) read_deadline: Deadline,
    pub(super) slot: ConnectionSlot,
    pub(super) record: ConnectionRecord,
    /// What has come.
    pub(super) input: Buffer,
}

/// A downstream connection, and what its streams share.
#[derive(Debug)]
pub struct Connection {
    transport: Transport,
    pub(super) record: ConnectionRecord,
    slot: ConnectionSlot,
    io: MemoryIoHandle<Buffer>,
    guard: RefCell<FloodGuard>,
    patience: Patience,
    /// Ends receiving.
    read_deadline: Deadline,
    /// Ends both directions: the client does not take what we send.
    write_deadline: Deadline,
    /// Wakes the driving half to look at the limits.
    wake: Rc<Notify>,
    /// `idle_timeout`, while there is no stream.
    idle: Deadline,
    /// `max_connection_duration`.
    lifetime: Deadline,
    /// `request_headers_timeout`, while a field section is coming.
    fields: Deadline,
    within_fields: Cell<bool>,
    streams: Cell<u32>,
    premature_resets: PrematureResets,
    /// `connection_keepalive`, once the frames have begun.
    keepalive: OnceCell<Keepalive>,
    breach: Cell<Option<Breach>>,
    /// No more requests are wanted.
    draining: Cell<bool>,
    /// Nothing that comes is looked at any more.
    over: Cell<bool>,
    /// The client has ended its side.
    remote_ended: Cell<bool>,
    changed: Event,
    framing: Framing,
    tails: Tails,
    /// Wakes the driving half to tell those who wait for frames.
    turn_asked: Notify,
}

/// What the driving half has to do next.
enum Turn {
    Flush,
    LookAtLimits,
    /// The client does not answer any more.
    Silent,
    End(Result<(), Ended>),
}

impl Begun {
    /// Makes it ready to be served, in memory of its own: a task would keep room for each form that it takes.
    pub fn begin(self) -> Beginning {
        let (io, handle) = memory_io(self.record.worker.buffers.clone());
        handle.portion(self.record.manager.config.http2.hpack_table_size);
        let (connection, input) = Connection::new(self, handle);
        Beginning { connection: Rc::new(connection), io, input }
    }
}

/// A connection about to be served.
#[derive(Debug)]
pub struct Beginning {
    connection: Rc<Connection>,
    io: MemoryIo<Buffer>,
    input: Buffer,
}

impl Beginning {
    /// Serves the connection until either side ends it.
    pub async fn serve(self) {
        let Self { connection, io, input } = self;
        // The driving half first: what it has read makes room for what the other receives.
        join(connection.drive(io), connection.receive(input)).await;
    }
}

impl Connection {
    fn new(begun: Begun, io: MemoryIoHandle<Buffer>) -> (Self, Buffer) {
        let Begun { transport, read_deadline, slot, record, input } = begun;
        let timers = &record.worker.timers;
        let wake = Rc::new(Notify::default());
        slot.close_by(Interrupt::wait(&wake));
        slot.set_idle(true);
        let connection = Self {
            io,
            guard: RefCell::new(FloodGuard::of_client(
                limits::flood_limits(&record.manager),
                record.manager.recorded.wire_bytes,
            )),
            patience: Patience::new(timers),
            write_deadline: Deadline::new(timers, transport.stream(), Shutdown::Both),
            idle: Deadline::of_wait(timers, &wake),
            lifetime: Deadline::of_wait(timers, &wake),
            fields: Deadline::of_wait(timers, &wake),
            within_fields: Cell::new(false),
            wake,
            streams: Cell::new(0),
            premature_resets: PrematureResets::among(
                record.manager.config.http2.premature_reset_streams,
            ),
            keepalive: OnceCell::new(),
            breach: Cell::new(None),
            draining: Cell::new(false),
            over: Cell::new(false),
            remote_ended: Cell::new(false),
            changed: Event::default(),
            framing: Framing::default(),
            tails: Tails::new(
                Deadline::new(timers, transport.stream(), Shutdown::Both),
                record.manager.config.stream_idle_timeout,
            ),
            turn_asked: Notify::default(),
            transport,
            read_deadline,
            slot,
            record,
        };
        (connection, input)
    }

    fn stats(&self) -> &HttpStats {
        self.record.manager.stats.of(self.record.worker.id)
    }

    /// Receives until the client ends its side, or until what it has begun breaks a limit.
    async fn receive(&self, mut input: Buffer) {
        let turn = ByteTurn::default();
        loop {
            let count = input.len();
            self.check(&mut input);
            if let Some(spent) = self.io.feed(input) {
                self.record.worker.buffers.give_back(spent);
            }
            turn.note(count).await;
            self.changed.wait_until(|| self.wants_input()).await;
            match self.read().await {
                Some(received) => {
                    if let Some(keepalive) = self.keepalive.get() {
                        keepalive.note_received();
                    }
                    input = received;
                }
                None => break,
            }
        }
        self.remote_ended.set(!self.read_deadline.fired() && !self.tails.are_too_old());
        self.io.end_input();
    }

    /// What comes behind the end is read to be thrown away.
    fn wants_input(&self) -> bool {
        self.over.get() || self.breach.get().is_none() && self.io.wants_input()
    }

    /// What breaks a limit is still handled, as it has come; nothing behind it is, nor a frame that is none.
    fn check(&self, input: &mut Buffer) {
        if self.over.get() || self.breach.get().is_some() {
            return;
        }
        if let Err(Refusal { breach, usable }) = self.guard.borrow_mut().receive(input.bytes()) {
            self.count_breach(breach);
            self.breach.set(Some(breach));
            input.truncate(usable);
            self.wake.notify();
        }
        self.note_fields();
    }

    /// The `h2` crate tells of a request when all of its head has come, so that is timed here.
    fn note_fields(&self) {
        let within = self.guard.borrow().is_within_fields();
        match (self.within_fields.replace(within), within) {
            (false, true) => self.fields.arm(self.record.manager.config.request_headers_timeout),
            (true, false) => self.fields.disarm(),
            _ => {}
        }
    }

    /// What arrives next. A connection that stays silent waits without a buffer.
    async fn read(&self) -> Option<Buffer> {
        let pool = &self.record.worker.buffers;
        let spent = self.io.take_input().unwrap_or_default();
        // Where one read has filled it there is more.
        let filled = spent.capacity() > 0 && spent.room() == 0;
        pool.give_back(spent);
        let mut buffer = if filled { pool.large() } else { pool.small() };
        loop {
            self.patience.arm(PATIENCE);
            let (read, returned) = self.transport.read_patiently(buffer, &self.patience).await;
            self.patience.disarm();
            match read {
                // An error is an end too.
                Some(Ok(count)) if count > 0 && !self.read_deadline.fired() => {
                    self.record.count_received(count);
                    return Some(returned);
                }
                Some(_) => {
                    pool.give_back(returned);
                    return None;
                }
                None => pool.give_back(returned),
            }
            self.transport.readable().await;
            buffer = pool.small();
        }
    }

    /// Drives the frames until the connection is over, then closes it.
    async fn drive(self: &Rc<Self>, io: MemoryIo<Buffer>) {
        self.lifetime.arm(self.record.remaining_lifetime());
        self.idle.arm(self.record.manager.config.idle_timeout);
        let ended = match self.accept(io).await {
            Ok(frames) => {
                self.record.note_version(Version::Http2);
                self.drive_frames(frames).await
            }
            Err(ended) => Err(ended),
        };
        if ended == Err(Ended::Protocol) && self.breach.get().is_none() {
            self.record.count_protocol_error();
        }
        // What the connection ends with was written in the same turn.
        self.look_at_output();
        if self.io.has_output() {
            let _gone = self.flush().await;
        }
        self.close();
    }

    /// Waits for the preface, unless a limit passes before it has come.
    async fn accept(
        &self,
        io: MemoryIo<Buffer>,
    ) -> Result<ServerConnection<Buffer, Outgoing>, Ended> {
        let options = limits::server_options(&self.record.manager);
        let mut accepted = pin!(server::accept(io, &options));
        poll_fn(|context| {
            // A connection that rests uses hardly any of the crate's buffers.
            match runtime::with_sparse_buffers(|| accepted.as_mut().poll(context)) {
                Poll::Ready(accepted) => Poll::Ready(accepted),
                // A flood is looked at once the frames before it have been.
                Poll::Pending if self.breach.get().is_some() => Poll::Pending,
                Poll::Pending => {
                    self.wake.poll_notified(context).map(|()| Err(Ended::ConnectionEnded))
                }
            }
        })
        .await
    }

    async fn drive_frames(
        self: &Rc<Self>,
        mut frames: ServerConnection<Buffer, Outgoing>,
    ) -> Result<(), Ended> {
        let options = self.record.manager.config.http2.connection_keepalive;
        if let Some((options, pings)) = options.zip(frames.pings()) {
            let keepalive = Keepalive::begin(&self.record.worker, options, pings);
            let _first = self.keepalive.set(keepalive);
        }
        loop {
            match poll_fn(|context| self.poll_turn(&mut frames, context)).await {
                Turn::Flush => {
                    if self.flush().await.is_err() {
                        return Err(Ended::ConnectionEnded);
                    }
                }
                Turn::LookAtLimits => self.look_at_limits(&mut frames),
                Turn::Silent => {
                    self.record.worker.http2_stats().keepalive_timeout.inc();
                    self.record.end.set(End::Local);
                    self.transport.stream().shutdown(Shutdown::Both);
                    return Err(Ended::ConnectionEnded);
                }
                Turn::End(result) => return result,
            }
        }
    }

    /// Begins the streams that have come; ready when something else is to be done.
    fn poll_turn(
        self: &Rc<Self>,
        frames: &mut ServerConnection<Buffer, Outgoing>,
        context: &mut Context<'_>,
    ) -> Poll<Turn> {
        while self.turn_asked.poll_notified(context).is_ready() {}
        loop {
            match frames.poll_request(context) {
                Poll::Ready(Some(Ok(incoming))) => self.begin_stream(incoming),
                Poll::Ready(Some(Err(ended))) => return Poll::Ready(Turn::End(Err(ended))),
                Poll::Ready(None) => return Poll::Ready(Turn::End(Ok(()))),
                Poll::Pending => break,
            }
        }
        for _ in 0..frames.take_refused() {
            self.note_refused();
        }
        self.look_at_output();
        self.framing.tell(self.io.has_room());
        // Before there is something to send: while a client takes less than its streams bring, there always is.
        if self.wake.poll_notified(context).is_ready() {
            return Poll::Ready(Turn::LookAtLimits);
        }
        if let Some(keepalive) = self.keepalive.get()
            && keepalive.poll_silent(context).is_ready()
        {
            return Poll::Ready(Turn::Silent);
        }
        match self.io.has_output() {
            true => Poll::Ready(Turn::Flush),
            false => Poll::Pending,
        }
    }

    /// Counts what has been written since the last call.
    fn look_at_output(&self) {
        let (mut failed, mut resets) = (None, Vec::new());
        self.io.look_at_output(|output| {
            let note = |sent| match sent {
                Sent::Fields(stream) => self.framing.remove_head(stream),
                Sent::Reset(stream) => resets.push(stream),
            };
            let sent = self.guard.borrow_mut().send(output, note);
            failed = sent.protocol_error;
            self.count_sent(sent);
        });
        resets.into_iter().for_each(|stream| self.io.note_reset(stream));
        if let Some(place) = failed
            && self.io.has_wrong_coding()
        {
            // The crate has no finer word.
            self.io.overwrite_output(place, &COMPRESSION_ERROR.to_be_bytes());
        }
    }

    fn begin_stream(self: &Rc<Self>, incoming: Incoming<Outgoing>) {
        self.streams.set(self.streams.get() + 1);
        self.record.worker.http2_stats().streams_active.inc();
        self.slot.set_idle(false);
        self.idle.disarm();
        let connection = self.clone();
        runtime::spawn_large(|| async move {
            if runtime::catch_panic(stream::serve(&connection, incoming)).await.is_err() {
                connection.record.worker.stats().connection_panics.inc();
            }
            connection.end_stream();
        });
    }

    fn end_stream(&self) {
        self.streams.set(self.streams.get() - 1);
        self.record.worker.http2_stats().streams_active.dec();
        if self.streams.get() > 0 {
            return;
        }
        self.slot.set_idle(true);
        match self.draining.get() {
            true => self.read_deadline.arm(Some(self.record.manager.config.drain_timeout)),
            false => self.idle.arm(self.record.manager.config.idle_timeout),
        }
    }

    /// Sends what there is.
    async fn flush(&self) -> Result<(), ()> {
        self.write_deadline.arm(self.record.manager.config.stream_idle_timeout);
        let (sent, buffer) = self.transport.write_all(self.io.take_output()).await;
        self.write_deadline.disarm();
        self.record.count_sent(buffer.len());
        self.guard.borrow_mut().note_sent();
        self.record.worker.buffers.give_back(buffer);
        sent.map_err(|_| self.io.break_output())
    }

    /// Waits until what `stream` has sent is in frames, or nothing more can be sent.
    async fn all_framed(&self, stream: &Rc<ClientState>) {
        if self.over.get() {
            return;
        }
        // Where there is nothing to frame, that would make for no turn.
        self.turn_asked.notify();
        self.framing.wait(stream).await;
    }

    /// Ends our side, then waits a little for the client to close first, so that what it still sends
    /// does not destroy what is on its way to it.
    fn close(&self) {
        self.over.set(true);
        if self.tails.are_too_old() {
            self.record.worker.http2_stats().tx_flush_timeout.inc();
        }
        self.framing.tell(true);
        self.changed.notify();
        if self.remote_ended.get() {
            return;
        }
        self.record.end.set(End::Local);
        self.transport.end_writing();
        match self.record.manager.config.delayed_close_timeout {
            Some(limit) => self.read_deadline.arm(Some(limit)),
            None => self.transport.stream().shutdown(Shutdown::Both),
        }
    }
}
