//! The request's body on its way upstream: read once from the client, sent by each attempt.
//!
//! One half of the task receives ([`RequestBody::receive`]), the other sends
//! ([`RequestBody::send`], in `sending`), so that a response can come while the body is still on its way. As long
//! as the request may be sent again, what was received is kept; otherwise each piece is handed over
//! in the buffer it came in.

mod sending;

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::time::Instant;

use ringmain_proto_codec::{ChunkError, HeaderMap};

use super::mirror::Mirrors;
use super::timeout::{Expired, StreamTimeouts};
use crate::http::codec::body::Ending;
use crate::http::codec::downstream::{Downstream, ReceiveError, Received};
use crate::http::exchange::WholeBody;
use crate::http::filter::GrpcCall;
use crate::http::local_reply::{self, LocalReply};
use crate::runtime::{Buffer, BufferPool, Event, LARGE_BUFFER_BYTES};

pub use sending::Sending;

/// How the request's body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestEnd {
    /// All of it has come.
    Complete,
    /// The client closed inside it.
    ClientGone,
    /// Its framing is broken.
    Broken(ChunkError),
    /// It took too long.
    Expired(Expired),
}

impl RequestEnd {
    /// What the client gets where it is no good end, which is counted; none where there is no client.
    pub fn reply(self, downstream: &Downstream<'_>) -> Option<LocalReply> {
        match self {
            Self::Complete | Self::ClientGone => None,
            Self::Broken(error) => {
                downstream.count_protocol_error();
                Some(local_reply::bad_request_body(error))
            }
            Self::Expired(expired) => {
                expired.count(downstream.stats());
                Some(expired.request_reply())
            }
        }
    }
}

/// Why not all of a body was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreceived {
    /// It is longer than what may be kept.
    TooLong,
    /// It has ended before its end.
    Ended(RequestEnd),
}

/// A request's body.
#[derive(Debug)]
pub struct RequestBody {
    mirrors: Mirrors,
    /// The call of gRPC that it belongs to, where those are counted.
    grpc: Option<Rc<GrpcCall>>,
    trailers: OnceCell<Box<HeaderMap>>,
    kept: RefCell<Kept>,
    /// A piece that no attempt has taken yet.
    ready: RefCell<Option<Buffer>>,
    end: Cell<Option<RequestEnd>>,
    bytes: Cell<u64>,
    received_at: Cell<Option<Instant>>,
    /// The request asks to leave HTTP and nobody has agreed: what comes is sent by no attempt, as a
    /// host that does not agree might take it for another request.
    held: Cell<bool>,
    /// No attempt has a connection yet: what comes is joined in `ready`.
    gathering: Cell<bool>,
    /// The response is over: what still comes is thrown away.
    discarding: Cell<bool>,
    changed: Event,
}

/// What is kept for sending it again.
#[derive(Debug)]
enum Kept {
    /// Nothing: the request is sent once.
    Nothing,
    /// All of it so far, up to a number of bytes.
    UpTo(usize, Vec<u8>),
    /// It was more than that: only this still has to be sent.
    TooMuch(Vec<u8>),
}

impl RequestBody {
    /// A body of which up to `kept_max` bytes are kept to be sent again, and all goes to `mirrors` too and is
    /// shown to `grpc`. `held`: until [`RequestBody::let_go`].
    pub fn new(
        kept_max: Option<usize>,
        held: bool,
        mirrors: Mirrors,
        grpc: Option<Rc<GrpcCall>>,
    ) -> Self {
        Self {
            held: Cell::new(held),
            mirrors,
            grpc,
            trailers: OnceCell::new(),
            kept: RefCell::new(kept_max.map_or(Kept::Nothing, |max| Kept::UpTo(max, Vec::new()))),
            ready: RefCell::new(None),
            end: Cell::new(None),
            bytes: Cell::new(0),
            received_at: Cell::new(None),
            gathering: Cell::new(false),
            discarding: Cell::new(false),
            changed: Event::default(),
        }
    }

    /// Takes `whole`, or what of the body has come with the head. Returns it where it is the whole body and goes out
    /// at once. A longer one is sent like one that is still coming: its response may come before its end, and the host
    /// may wait for that to be taken.
    pub fn begin(
        &self,
        downstream: &Downstream<'_>,
        whole: Option<WholeBody>,
    ) -> Result<Option<Buffer>, ChunkError> {
        let Received { data, last } = match whole {
            Some(WholeBody { data, trailers }) => {
                self.set_trailers(trailers);
                Received { data, last: true }
            }
            None => downstream.body_at_hand()?,
        };
        self.note_data(data.bytes());
        if last {
            self.complete(downstream);
        }
        if last && data.len() <= LARGE_BUFFER_BYTES {
            return Ok(Some(data));
        }
        self.hand_over(data, &downstream.worker.buffers);
        Ok(None)
    }

    /// All of it has come.
    fn complete(&self, downstream: &Downstream<'_>) {
        self.set_trailers(downstream.take_trailers());
        self.mirrors.complete(self.trailers.get().map(Box::as_ref));
        self.end.set(Some(RequestEnd::Complete));
    }

    fn set_trailers(&self, trailers: Option<Box<HeaderMap>>) {
        if let Some(trailers) = trailers {
            // A body ends once.
            let _first = self.trailers.set(trailers);
        }
    }

    /// The trailers, for a request that takes this one's place.
    pub fn copy_of_trailers(&self) -> Option<Box<HeaderMap>> {
        self.trailers.get().cloned()
    }

    /// What is kept of it.
    pub fn kept(&self) -> Buffer {
        match &*self.kept.borrow() {
            Kept::Nothing => Buffer::default(),
            Kept::UpTo(_, data) | Kept::TooMuch(data) => Buffer::holding(Buffer::default(), data),
        }
    }

    /// The end that is sent behind the last piece.
    pub fn ending(&self) -> Ending<'_> {
        Ending { trailers: self.trailers.get().map(Box::as_ref) }
    }

    /// The host has agreed to leave HTTP: what comes goes to it, and to nobody again.
    pub fn let_go(&self) {
        self.held.set(false);
        let mut kept = self.kept.borrow_mut();
        if let Kept::UpTo(_, data) = &mut *kept {
            *kept = Kept::TooMuch(std::mem::take(data));
        }
        self.changed.notify();
    }

    /// How the body has ended, if it has.
    pub fn ended(&self) -> Option<RequestEnd> {
        self.end.get()
    }

    /// Body bytes received.
    pub fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    /// When the last byte came.
    pub fn received_at(&self) -> Option<Instant> {
        self.received_at.get()
    }

    /// All of it was here, since `then`, before it began to be sent.
    pub fn note_received_at(&self, then: Instant) {
        self.received_at.set(Some(then));
    }

    /// Whether the body has grown beyond what may be kept.
    pub fn is_too_much(&self) -> bool {
        matches!(*self.kept.borrow(), Kept::TooMuch(_))
    }

    /// Receives the body to its end, at the pace at which it is sent.
    pub async fn receive(&self, downstream: &Downstream<'_>, timeouts: &StreamTimeouts) {
        while self.end.get().is_none() {
            self.changed.wait_until(|| self.wants_more()).await;
            match self.receive_piece(downstream, timeouts).await {
                Ok(received) => self.note_received(received, downstream, timeouts),
                Err(end) => self.end.set(Some(end)),
            }
            self.changed.notify();
        }
    }

    /// Receives all of the body, as far as that may be kept.
    pub async fn receive_whole(
        &self,
        downstream: &Downstream<'_>,
        timeouts: &StreamTimeouts,
    ) -> Result<Buffer, Unreceived> {
        let broken = |error| Unreceived::Ended(RequestEnd::Broken(error));
        if let Some(whole) = self.begin(downstream, None).map_err(broken)? {
            let kept_max = match &*self.kept.borrow() {
                Kept::UpTo(max, _) => *max,
                Kept::Nothing | Kept::TooMuch(_) => 0,
            };
            return if whole.len() > kept_max { Err(Unreceived::TooLong) } else { Ok(whole) };
        }
        self.receive_rest(downstream, timeouts).await
    }

    /// Receives what has not come yet, as far as all of the body may be kept; returns all of it.
    pub async fn receive_rest(
        &self,
        downstream: &Downstream<'_>,
        timeouts: &StreamTimeouts,
    ) -> Result<Buffer, Unreceived> {
        while !self.is_too_much() && self.end.get().is_none() {
            match self.receive_piece(downstream, timeouts).await {
                Ok(received) => self.note_received(received, downstream, timeouts),
                Err(end) => return Err(Unreceived::Ended(end)),
            }
        }
        if self.is_too_much() { Err(Unreceived::TooLong) } else { Ok(self.kept()) }
    }

    fn note_received(
        &self,
        Received { data, last }: Received,
        downstream: &Downstream<'_>,
        timeouts: &StreamTimeouts,
    ) {
        self.note_data(data.bytes());
        match self.discarding.get() {
            true => downstream.worker.buffers.give_back(data),
            false => self.hand_over(data, &downstream.worker.buffers),
        }
        if last {
            let now = Instant::now();
            self.received_at.set(Some(now));
            timeouts.request_received(now);
            self.complete(downstream);
        }
    }

    fn note_data(&self, data: &[u8]) {
        self.bytes.set(self.bytes.get() + data.len() as u64);
        self.mirrors.push(data);
        if let Some(grpc) = &self.grpc {
            grpc.note_request(data);
        }
    }

    fn wants_more(&self) -> bool {
        self.ready
            .borrow()
            .as_ref()
            .is_none_or(|ready| self.gathering.get() && ready.len() < LARGE_BUFFER_BYTES)
    }

    /// While a connection is opened, what comes is gathered up to the size of a large buffer, so
    /// that the route's timeout can begin.
    pub fn gather(&self, gathering: bool) {
        self.gathering.set(gathering);
        self.changed.notify();
    }

    async fn receive_piece(
        &self,
        downstream: &Downstream<'_>,
        timeouts: &StreamTimeouts,
    ) -> Result<Received, RequestEnd> {
        if !self.discarding.get() {
            timeouts.arm_request(downstream.request_deadline());
        }
        let received = downstream.receive().await;
        let discarding = self.discarding.get();
        match received {
            Ok(received) => {
                if !discarding {
                    downstream.request_deadline().disarm();
                }
                Ok(received)
            }
            Err(ReceiveError::Broken(error)) => Err(RequestEnd::Broken(error)),
            Err(ReceiveError::TimedOut) if !discarding => {
                Err(RequestEnd::Expired(timeouts.expired_request()))
            }
            Err(ReceiveError::TimedOut | ReceiveError::Gone) => Err(RequestEnd::ClientGone),
        }
    }

    /// Puts a piece where attempts find it.
    fn hand_over(&self, piece: Buffer, pool: &BufferPool) {
        let mut kept = self.kept.borrow_mut();
        if let Kept::UpTo(max, data) = &mut *kept {
            if data.len() + piece.len() <= *max {
                data.extend_from_slice(piece.bytes());
                pool.give_back(piece);
                return;
            }
            *kept = Kept::TooMuch(std::mem::take(data));
        }
        match &mut *self.ready.borrow_mut() {
            Some(ready) => {
                while !ready.append(piece.bytes()) {
                    *ready = ready.doubled();
                }
                pool.give_back(piece);
            }
            ready => *ready = Some(piece),
        }
    }

    /// The response is over: what still comes is not wanted. `answered`: the client has one to read.
    pub fn stop(&self, downstream: &Downstream<'_>, answered: bool) {
        if self.end.get().is_some() {
            return;
        }
        self.discarding.set(true);
        self.mirrors.give_up();
        if let Some(piece) = self.ready.borrow_mut().take() {
            downstream.worker.buffers.give_back(piece);
        }
        self.changed.notify();
        downstream.stop_receiving(answered);
    }
}
