//! What an attempt sends of the request's body, and when.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;

use super::{Kept, RequestBody, RequestEnd};
use crate::http::codec::downstream::{ClientWatch, Downstream};
use crate::http::codec::upstream::{OutgoingHead, UpstreamStream};
use crate::router::timeout::StreamTimeouts;
use crate::runtime::{Buffer, BufferPool, LARGE_BUFFER_BYTES};
use crate::stats::counting_pauses;

/// One attempt's sending.
#[derive(Debug, Default)]
pub struct Sending {
    /// How much of what is kept has been sent.
    offset: Cell<usize>,
    /// The attempt is over; nothing more is to be sent.
    over: Cell<bool>,
    /// All of the request was sent.
    whole: Cell<bool>,
    /// The response's head has come.
    responding: Cell<bool>,
    /// Set while the request is sent and its response has not begun: nothing else would tell that
    /// the client has left.
    watch: RefCell<Option<ClientWatch>>,
}

impl Sending {
    /// Whether all of the request was sent.
    pub fn is_whole(&self) -> bool {
        self.whole.get()
    }

    /// The response's head has come, or never will. Whether the client had left before.
    pub fn end_watch(&self) -> bool {
        self.responding.set(true);
        self.watch.take().is_some_and(|watch| watch.client_gone())
    }
}

/// What is sent at once.
struct Outgoing {
    head: Option<OutgoingHead>,
    piece: Buffer,
    last: bool,
}

/// What there is to send.
enum Piece {
    Data { buffer: Buffer, last: bool },
    Wait,
    Nothing,
}

impl RequestBody {
    /// The next piece for an attempt.
    fn take_piece(&self, sending: &Sending, pool: &BufferPool) -> Piece {
        if self.held.get() {
            return match self.end.get() {
                None | Some(RequestEnd::Complete) => Piece::Wait,
                Some(_) => Piece::Nothing,
            };
        }
        let whole = self.end.get() == Some(RequestEnd::Complete);
        let mut kept = self.kept.borrow_mut();
        if let Kept::UpTo(_, data) | Kept::TooMuch(data) = &mut *kept {
            let left = &data[sending.offset.get().min(data.len())..];
            if !left.is_empty() {
                let part = &left[..left.len().min(LARGE_BUFFER_BYTES)];
                let buffer = pool.holding(part);
                let last = whole && part.len() == left.len() && self.ready.borrow().is_none();
                sending.offset.set(sending.offset.get() + part.len());
                return Piece::Data { buffer, last };
            }
        }
        if let Some(buffer) = self.ready.borrow_mut().take() {
            self.changed.notify();
            return Piece::Data { buffer, last: whole };
        }
        match self.end.get() {
            None => Piece::Wait,
            Some(RequestEnd::Complete) => Piece::Data { buffer: Buffer::default(), last: true },
            Some(_) => Piece::Nothing,
        }
    }

    /// Sends `head` and then the body as it comes.
    pub async fn send(
        &self,
        head: OutgoingHead,
        downstream: &Downstream<'_>,
        upstream: &UpstreamStream,
        sending: &Sending,
        timeouts: &StreamTimeouts,
    ) {
        let pool = &downstream.worker.buffers;
        let mut head = Some(head);
        let (mut piece, mut last) = match self.take_piece(sending, pool) {
            Piece::Data { buffer, last } => (buffer, last),
            Piece::Wait | Piece::Nothing => (Buffer::default(), false),
        };
        let pauses = [downstream.stats().reading_pauses(), upstream.cluster().stats().backlogs()];
        loop {
            let outgoing = Outgoing { head: head.take(), piece, last };
            let write = self.write(outgoing, upstream, sending, timeouts);
            let is_held_back = || upstream.is_held_back();
            let (sent, returned) = counting_pauses(write, is_held_back, pauses).await;
            pool.give_back(returned);
            if sent && last {
                sending.whole.set(true);
                if !sending.responding.get() {
                    timeouts.arm_head(upstream.deadline());
                    sending.watch.replace(Some(downstream.watch(upstream.interrupt())));
                }
            }
            if !sent || last {
                return;
            }
            if !sending.responding.get() {
                // The limits are the client's now, but for a request that is answered before its end.
                timeouts.arm_early(upstream.deadline());
            }
            match self.next_piece(sending, pool).await {
                Some(next) => (piece, last) = next,
                None => {
                    // What was announced will not come.
                    upstream.abort();
                    return;
                }
            }
        }
    }

    async fn next_piece(&self, sending: &Sending, pool: &BufferPool) -> Option<(Buffer, bool)> {
        let mut piece = Piece::Wait;
        self.changed
            .wait_until(|| {
                if sending.over.get() {
                    piece = Piece::Nothing;
                } else {
                    piece = self.take_piece(sending, pool);
                }
                !matches!(piece, Piece::Wait)
            })
            .await;
        match piece {
            Piece::Data { buffer, last } => Some((buffer, last)),
            Piece::Wait | Piece::Nothing => None,
        }
    }

    /// Sends one piece. The response's limit starts when the request has been received, which may
    /// be while an upstream that reads slowly keeps this waiting.
    async fn write(
        &self,
        outgoing: Outgoing,
        upstream: &UpstreamStream,
        sending: &Sending,
        timeouts: &StreamTimeouts,
    ) -> (bool, Buffer) {
        let ending = outgoing.last.then(|| self.ending());
        let mut write = pin!(upstream.send(outgoing.head, outgoing.piece, ending));
        let mut received = None;
        let (result, buffer) = poll_fn(|context| {
            if received.is_none() || received != Some(self.received_at.get()) {
                received = Some(self.received_at.get());
                match sending.responding.get() {
                    true => timeouts.arm_response(upstream.deadline()),
                    false => timeouts.arm_head(upstream.deadline()),
                }
            }
            write.as_mut().poll(context)
        })
        .await;
        (result.is_ok(), buffer)
    }

    /// An attempt is over, however far it came: nothing more of it is sent on `upstream`.
    pub fn stop_sending(&self, sending: &Sending, upstream: &UpstreamStream) {
        if !sending.over.replace(true) && !sending.is_whole() {
            upstream.abort();
        }
        self.changed.notify();
    }
}
