//! The upstream side of one HTTP/2 request: a stream on a connection that others share.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use ringmain_proto_codec::HeaderMap;
use ringmain_proto_codec::h1::ResponseHead;
use ringmain_proto_codec::h2::client::{ClientStream, ReceivedHead, StreamFailure};
use ringmain_proto_codec::limits::HeadLimits;

use super::body::Ending;
use super::lent_piece::{Lent, LentPiece};
use super::upstream::{OutgoingHead, Piece, ResponseFailure, is_told};
use crate::pool::{H2Slot, UpstreamConnection};
use crate::runtime::{Buffer, Deadline, Interrupt, Notify, SMALL_BUFFER_BYTES};
use crate::server::Worker;
use crate::stats::scopes::ClusterStats;

/// One request on its stream. Dropped before both sides have ended, it resets the stream.
#[derive(Debug)]
pub struct H2Stream {
    worker: Rc<Worker>,
    slot: H2Slot,
    stream: RefCell<Option<ClientStream<LentPiece>>>,
    /// Why there is no stream, where it could not be opened.
    unopened: Cell<Option<StreamFailure>>,
    deadline: Deadline,
    /// Told when the stream is to end: by its deadline, because the client has gone, or by
    /// [`Self::abort`].
    interrupt: Rc<Notify>,
    /// Whether what is sent waits for the host to grant room.
    held_back: Cell<bool>,
    /// Whether an interim response was told of.
    interim: Cell<bool>,
    /// The one to be told of, where it came while nobody asked for a head.
    early: RefCell<Option<Box<ResponseHead>>>,
    has_body: Cell<bool>,
    /// What of the body has come and did not fit into the last piece.
    left: RefCell<Bytes>,
    /// Bytes of the last piece, for which the host gets room when the next one is asked for.
    unreleased: Cell<usize>,
    trailers: RefCell<Option<Box<HeaderMap>>>,
    /// Bytes of the body received.
    received: Cell<u64>,
}

impl H2Stream {
    /// Begins a request in its place on a connection.
    pub fn begin(worker: &Rc<Worker>, slot: H2Slot) -> Self {
        let interrupt: Rc<Notify> = Rc::default();
        Self {
            worker: worker.clone(),
            deadline: Deadline::of_wait(&worker.timers, &interrupt),
            interrupt,
            slot,
            stream: RefCell::default(),
            unopened: Cell::default(),
            held_back: Cell::default(),
            interim: Cell::default(),
            early: RefCell::default(),
            has_body: Cell::default(),
            left: RefCell::default(),
            unreleased: Cell::default(),
            trailers: RefCell::default(),
            received: Cell::default(),
        }
    }

    /// The connection, which others share.
    pub fn connection(&self) -> &UpstreamConnection {
        self.slot.connection()
    }

    /// Ends the stream when the upstream takes too long.
    pub fn deadline(&self) -> &Deadline {
        &self.deadline
    }

    /// Whether the connection has served requests before.
    pub fn is_reused(&self) -> bool {
        self.slot.is_reused()
    }

    /// Bytes of its frames sent and received, where logs ask for them.
    pub fn wire_bytes(&self) -> (u64, u64) {
        let stream = self.stream.borrow();
        let bytes = stream.as_ref().map(|stream| self.slot.wire_bytes(stream)).unwrap_or_default();
        (bytes.sent, bytes.received)
    }

    /// Breaks the stream off.
    pub fn interrupt(&self) -> Interrupt {
        Interrupt::wait(&self.interrupt)
    }

    /// Sends `head`, where it has not been sent, a piece of the body as the host has room for it, and
    /// the end behind it where `ending` says so. The piece comes back as it was.
    pub async fn send(
        &self,
        head: Option<OutgoingHead>,
        piece: Buffer,
        ending: Option<Ending<'_>>,
    ) -> (Result<(), StreamFailure>, Buffer) {
        let trailers = ending.and_then(|ending| ending.trailers);
        let ends = ending.is_some() && trailers.is_none();
        let is_empty = piece.is_empty();
        // An end alone has a frame of its own, unless it goes with the head.
        let ends_alone = is_empty && ends && head.is_none();
        if let Some(head) = head
            && let Err(failure) = self.open(head, ends && is_empty)
        {
            return (Err(failure), piece);
        }
        let (sent, piece) = match ends_alone || !is_empty {
            true => self.send_piece(piece, ends).await,
            false => (Ok(()), piece),
        };
        match trailers {
            Some(trailers) if sent.is_ok() => {
                (self.with_stream(|stream| stream.send_trailers(trailers)), piece)
            }
            _ => (sent, piece),
        }
    }

    /// Sends a piece once the host has room for some of it, and waits until all of it is on its way.
    async fn send_piece(&self, piece: Buffer, ends: bool) -> (Result<(), StreamFailure>, Buffer) {
        let bytes = piece.len();
        let fits = match bytes {
            // An end needs no room.
            0 => true,
            _ => match poll_fn(|context| self.poll_room(context, bytes)).await {
                Ok(room) => room >= bytes,
                Err(failure) => return (Err(failure), piece),
            },
        };
        let lent = Lent::new(piece);
        let sent = match self.with_stream(|stream| stream.send_data(lent.piece(), ends)) {
            Ok(()) => poll_fn(|context| self.poll_framed(context, &lent, fits)).await,
            failed => failed,
        };
        self.held_back.set(false);
        (sent, lent.take())
    }

    fn with_stream(
        &self,
        act: impl FnOnce(&mut ClientStream<LentPiece>) -> Result<(), StreamFailure>,
    ) -> Result<(), StreamFailure> {
        match &mut *self.stream.borrow_mut() {
            Some(stream) => act(stream),
            None => Err(StreamFailure::ConnectionEnded),
        }
    }

    fn open(&self, head: OutgoingHead, ends: bool) -> Result<(), StreamFailure> {
        let opened = match head {
            OutgoingHead::H2(Some(head)) => self.slot.request(*head, ends),
            OutgoingHead::H2(None) | OutgoingHead::H1(_) | OutgoingHead::None => {
                Err(StreamFailure::Protocol)
            }
        };
        let stream = opened.inspect_err(|failure| self.unopened.set(Some(*failure)))?;
        self.stream.replace(Some(stream));
        Ok(())
    }

    fn poll_room(
        &self,
        context: &mut Context<'_>,
        bytes: usize,
    ) -> Poll<Result<usize, StreamFailure>> {
        if self.interrupt.is_told(context) {
            return Poll::Ready(Err(StreamFailure::ConnectionEnded));
        }
        let room = match &mut *self.stream.borrow_mut() {
            Some(stream) => stream.poll_room(context, bytes),
            None => Poll::Ready(Err(StreamFailure::ConnectionEnded)),
        };
        self.held_back.set(room.is_pending());
        if room.is_pending() {
            self.skim_interim(context);
        }
        room
    }

    fn poll_framed(
        &self,
        context: &mut Context<'_>,
        lent: &Rc<Lent>,
        fits: bool,
    ) -> Poll<Result<(), StreamFailure>> {
        if self.interrupt.is_told(context) {
            return Poll::Ready(Err(StreamFailure::ConnectionEnded));
        }
        self.held_back.set(!fits);
        let returned = lent.poll_returned(context);
        if returned.is_pending() {
            self.skim_interim(context);
        }
        returned.map(|all| match all {
            true => Ok(()),
            false => Err(StreamFailure::RemoteReset),
        })
    }

    /// Takes interim responses while nobody asks for a head: a host may send any number, and they would pile up.
    /// The first one to be told of waits until somebody does.
    pub fn skim_interim(&self, context: &mut Context<'_>) {
        let mut stream = self.stream.borrow_mut();
        let Some(stream) = &mut *stream else { return };
        let mut head = ResponseHead::default();
        while let Poll::Ready(Some(Ok(()))) = stream.poll_interim(context, &mut head) {
            let mut early = self.early.borrow_mut();
            if is_told(head.status) && !self.interim.get() && early.is_none() {
                *early = Some(Box::new(std::mem::take(&mut head)));
            }
        }
    }

    /// Whether a piece waits for the host to grant room.
    pub fn is_held_back(&self) -> bool {
        self.held_back.get()
    }

    /// Gives the stream up.
    pub fn abort(&self) {
        if let Some(stream) = &mut *self.stream.borrow_mut() {
            stream.reset();
        }
        self.interrupt.notify();
    }

    /// Reads the next head into `head`.
    pub async fn next_head(
        &self,
        head: &mut ResponseHead,
    ) -> Result<ReceivedHead, ResponseFailure> {
        loop {
            let received = poll_fn(|context| self.poll_head(context, head)).await;
            if received.map_err(response_failure)? == ReceivedHead::Final {
                break;
            }
            if is_told(head.status) && !self.interim.replace(true) {
                self.connection().count_interim(head.status);
                return Ok(ReceivedHead::Interim);
            }
        }
        let stream = self.stream.borrow();
        self.has_body.set(stream.as_ref().is_some_and(|stream| !stream.has_ended()));
        Ok(ReceivedHead::Final)
    }

    fn poll_head(
        &self,
        context: &mut Context<'_>,
        head: &mut ResponseHead,
    ) -> Poll<Result<ReceivedHead, StreamFailure>> {
        if let Some(failure) = self.unopened.get() {
            return Poll::Ready(Err(failure));
        }
        if self.interrupt.is_told(context) {
            return Poll::Ready(Err(StreamFailure::ConnectionEnded));
        }
        if let Some(early) = self.early.take() {
            *head = *early;
            return Poll::Ready(Ok(ReceivedHead::Interim));
        }
        match &mut *self.stream.borrow_mut() {
            Some(stream) => stream.poll_head(context, head, &self.limits()),
            None => Poll::Pending,
        }
    }

    /// What a response's head may hold. Envoy's default for its bytes.
    fn limits(&self) -> HeadLimits {
        let headers_max = self.connection().cluster().shared.config.max_response_headers_count;
        HeadLimits { headers_max, ..HeadLimits::default() }
    }

    /// Whether the response has a body or trailers.
    pub fn has_body(&self) -> bool {
        self.has_body.get()
    }

    /// What of the response's body has come with its head.
    pub fn first_piece(&self) -> Result<Piece, ResponseFailure> {
        // Whoever waits for the next piece asks again.
        match self.poll_piece(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(piece) => piece,
            Poll::Pending => Ok(Piece { data: Buffer::default(), is_last: false }),
        }
    }

    /// The next piece of the response's body, which is not yet whole. Only then may the host send
    /// more than it has: whoever takes pieces slowly stops this stream and no other.
    pub async fn next_piece(&self) -> Result<Piece, ResponseFailure> {
        let taken = self.unreleased.take();
        if let (1.., Some(stream)) = (taken, &mut *self.stream.borrow_mut()) {
            stream.release(taken);
        }
        poll_fn(|context| self.poll_piece(context)).await
    }

    fn poll_piece(&self, context: &mut Context<'_>) -> Poll<Result<Piece, ResponseFailure>> {
        if !self.has_body() {
            return Poll::Ready(Ok(Piece { data: Buffer::default(), is_last: true }));
        }
        if self.interrupt.is_told(context) {
            return Poll::Ready(Err(ResponseFailure::ClosedPartial));
        }
        let is_long = self.received.get() > SMALL_BUFFER_BYTES as u64;
        let buffers = &self.worker.buffers;
        let mut data = if is_long { buffers.large() } else { buffers.small() };
        let ended = self.gather(context, &mut data);
        match ended {
            Poll::Ready(Ok(())) => Poll::Ready(Ok(Piece { data, is_last: true })),
            // A failure comes again when the next piece is asked for.
            _ if !data.is_empty() => Poll::Ready(Ok(Piece { data, is_last: false })),
            Poll::Ready(Err(failure)) => {
                self.worker.buffers.give_back(data);
                Poll::Ready(Err(response_failure(failure)))
            }
            Poll::Pending => {
                self.worker.buffers.give_back(data);
                Poll::Pending
            }
        }
    }

    /// Puts what is there into `data`. Ready at the body's end; pending where there is no more yet or
    /// no more fits.
    fn gather(
        &self,
        context: &mut Context<'_>,
        data: &mut Buffer,
    ) -> Poll<Result<(), StreamFailure>> {
        let mut stream = self.stream.borrow_mut();
        let Some(stream) = &mut *stream else { return Poll::Ready(Ok(())) };
        let mut left = self.left.borrow_mut();
        loop {
            let count = left.len().min(data.room());
            let part = left.split_to(count);
            let fits = data.append(&part);
            debug_assert!(fits, "no more than there is room for");
            self.unreleased.set(self.unreleased.get() + part.len());
            self.received.set(self.received.get() + part.len() as u64);
            if !left.is_empty() {
                return Poll::Pending;
            }
            if stream.has_ended() {
                return Poll::Ready(Ok(()));
            }
            match stream.poll_data(context) {
                Poll::Ready(Some(Ok(bytes))) => *left = bytes,
                Poll::Ready(Some(Err(failure))) => return Poll::Ready(Err(failure)),
                Poll::Ready(None) => break,
                Poll::Pending => return Poll::Pending,
            }
        }
        stream.poll_trailers(context).map_ok(|trailers| {
            if trailers.is_some()
                && let Some(stats) = self.connection().cluster().http2_stats()
            {
                stats.trailers.inc();
            }
            self.trailers.replace(trailers);
        })
    }

    /// The response's trailers, once its last piece was taken.
    pub fn take_trailers(&self) -> Option<Box<HeaderMap>> {
        self.trailers.take()
    }

    /// The response's head has come and is not wanted.
    pub fn discard(self) {
        if self.has_body() {
            self.count_reset();
        }
    }

    /// Counts that we reset the stream.
    pub fn count_reset(&self) {
        self.stats().upstream_rq_tx_reset.inc();
        if let Some(stats) = self.connection().cluster().http2_stats() {
            stats.tx_reset.inc();
        }
    }

    /// Counts that the host has ended the stream, or that the connection was ended, before the
    /// response was whole.
    pub fn count_failure(&self, failure: ResponseFailure) {
        match failure {
            ResponseFailure::RemoteReset => {
                self.stats().upstream_rq_rx_reset.inc();
                if let Some(stats) = self.connection().cluster().http2_stats() {
                    stats.rx_reset.inc();
                }
            }
            ResponseFailure::Protocol => {
                if let Some(stats) = self.connection().cluster().http2_stats() {
                    stats.rx_messaging_error.inc();
                }
                self.count_reset();
            }
            // The connection counts its end; Envoy does not count what was refused.
            ResponseFailure::ClosedSilent
            | ResponseFailure::ClosedPartial
            | ResponseFailure::Refused => {}
        }
    }

    fn stats(&self) -> &ClusterStats {
        self.connection().cluster().stats()
    }
}

impl Drop for H2Stream {
    fn drop(&mut self) {
        if let Some(stream) = &*self.stream.borrow() {
            self.slot.forget(stream);
        }
    }
}

fn response_failure(failure: StreamFailure) -> ResponseFailure {
    match failure {
        StreamFailure::RemoteReset => ResponseFailure::RemoteReset,
        StreamFailure::Refused => ResponseFailure::Refused,
        StreamFailure::Protocol => ResponseFailure::Protocol,
        StreamFailure::ConnectionEnded => ResponseFailure::ClosedSilent,
    }
}
