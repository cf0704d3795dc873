//! What streams have given to the `h2` crate and it has not put into frames yet, for those that wait for it.
//!
//! The crate does not tell. It drops a piece once all of it is framed, and heads are seen among the frames
//! that it has written. Where the connection has nothing more to frame, nobody has to be looked for; while
//! other streams have more than goes out, each waits for its own.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::ClientState;
use crate::runtime::{Deadline, Notify};

/// So many pieces of a stream lie in the crate at most.
pub(super) const PIECES_MAX: u32 = 8;

/// The pieces of one stream's body that are not in frames.
#[derive(Debug, Default)]
pub(super) struct Unframed {
    pieces: Cell<u32>,
    /// When some of them has gone into a frame.
    progress: Cell<Option<Instant>>,
    /// Nobody waits for them any more: they are a tail.
    left: Cell<bool>,
    /// The stream waits until nothing of it lies in the crate.
    awaited: Cell<bool>,
    told: Notify,
}

impl Unframed {
    /// A piece is on its way.
    pub(super) fn add_piece(&self) {
        self.pieces.set(self.pieces.get() + 1);
    }

    /// Some of a piece is framed.
    pub(super) fn note_progress(&self, now: Instant) {
        self.progress.set(Some(now));
    }

    /// When that was so for the last time since the last call.
    pub(super) fn take_progress(&self) -> Option<Instant> {
        self.progress.take()
    }

    /// Whether the stream is over for us.
    pub(super) fn is_left(&self) -> bool {
        self.left.get()
    }

    /// All of a piece is framed, or the crate has forgotten it.
    pub(super) fn remove_piece(&self) {
        self.pieces.set(self.pieces.get() - 1);
        if self.pieces.get() < PIECES_MAX {
            self.told.notify();
        }
    }

    /// Ready when there are fewer pieces than `count`, which is [`PIECES_MAX`] at most.
    pub(super) fn poll_fewer(&self, context: &mut Context<'_>, count: u32) -> Poll<()> {
        while self.pieces.get() >= count {
            if self.told.poll_notified(context).is_pending() {
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    }

    /// Ends the wait.
    pub(super) fn tell(&self) {
        self.awaited.set(false);
        self.told.notify();
    }
}

/// What streams that are over have left in the crate. The client had room for it then, but may take that back
/// (RFC 9113 §6.9.2), and the crate would let it lie for ever.
#[derive(Debug)]
pub(super) struct Tails {
    pieces: Cell<u32>,
    /// Ends the connection.
    deadline: Deadline,
    limit: Option<Duration>,
}

impl Tails {
    /// They may lie for `limit` without progress.
    pub(super) fn new(deadline: Deadline, limit: Option<Duration>) -> Self {
        Self { pieces: Cell::new(0), deadline, limit }
    }

    /// A stream is over for us.
    pub(super) fn leave(&self, unframed: &Unframed) {
        unframed.left.set(true);
        if unframed.pieces.get() > 0 {
            self.pieces.set(self.pieces.get() + unframed.pieces.get());
            self.deadline.arm(self.limit);
        }
    }

    /// Some of a piece is framed.
    pub(super) fn note_progress(&self) {
        self.deadline.arm(self.limit);
    }

    /// All of a piece is.
    pub(super) fn remove_piece(&self) {
        self.pieces.set(self.pieces.get() - 1);
        if self.pieces.get() == 0 {
            self.deadline.disarm();
        }
    }

    /// Whether they have lain for too long.
    pub(super) fn are_too_old(&self) -> bool {
        self.deadline.fired()
    }
}

/// The streams of one connection.
#[derive(Debug, Default)]
pub(super) struct Framing {
    /// Those with heads that are not framed, once for each, in the order in which they were sent.
    heads: RefCell<Vec<u32>>,
    awaiting: RefCell<Vec<Rc<ClientState>>>,
}

impl Framing {
    /// A head, or trailers, are on their way.
    pub(super) fn add_head(&self, stream: u32) {
        self.heads.borrow_mut().push(stream);
    }

    /// A head, or trailers, of a stream are in frames; it may be forgotten.
    pub(super) fn remove_head(&self, stream: u32) {
        let mut heads = self.heads.borrow_mut();
        if let Some(at) = heads.iter().position(|one| *one == stream) {
            heads.remove(at);
        }
    }

    /// The stream is over; what the crate had of it may be forgotten.
    pub(super) fn forget(&self, stream: u32) {
        self.heads.borrow_mut().retain(|one| *one != stream);
    }

    /// Waits until nothing of the stream lies in the crate.
    pub(super) async fn wait(&self, stream: &Rc<ClientState>) {
        let unframed = &stream.unframed;
        unframed.awaited.set(true);
        self.awaiting.borrow_mut().push(stream.clone());
        while unframed.awaited.get() {
            unframed.told.notified().await;
        }
    }

    /// Ends the waits for which there is nothing left to frame; with `all`, every one.
    pub(super) fn tell(&self, all: bool) {
        let heads = self.heads.borrow();
        self.awaiting.borrow_mut().retain(|one| {
            if all || one.unframed.pieces.get() == 0 && !heads.contains(&one.stream) {
                one.unframed.tell();
            }
            one.unframed.awaited.get()
        });
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    fn stream(number: u32) -> Rc<ClientState> {
        Rc::new(ClientState::of(number))
    }

    #[test]
    fn a_stream_waits_for_its_own_heads_and_pieces() {
        let (framing, first, second) = (Framing::default(), stream(1), stream(3));
        // An interim response and the last one.
        for one in [&first, &first, &second] {
            framing.add_head(one.stream);
        }
        first.unframed.add_piece();
        let mut wait = pin!(framing.wait(&first));
        let mut is_over = || {
            framing.tell(false);
            wait.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready()
        };
        assert!(!is_over());
        framing.remove_head(1);
        first.unframed.remove_piece();
        assert!(!is_over());
        framing.remove_head(3);
        assert!(!is_over());
        framing.remove_head(1);
        assert!(is_over());
        framing.remove_head(1);
    }

    #[test]
    fn pieces_are_awaited_and_tell_of_progress() {
        let unframed = Unframed::default();
        let is_fewer_than =
            |count| unframed.poll_fewer(&mut Context::from_waker(Waker::noop()), count).is_ready();
        assert!(is_fewer_than(1));
        unframed.add_piece();
        unframed.add_piece();
        let now = Instant::now();
        unframed.note_progress(now);
        unframed.remove_piece();
        assert!(!is_fewer_than(1) && is_fewer_than(2));
        assert_eq!((unframed.take_progress(), unframed.take_progress()), (Some(now), None));
        unframed.remove_piece();
        assert!(is_fewer_than(1));
    }

    #[test]
    fn all_waits_end_where_all_is_framed_that_can_be() {
        let (framing, stream) = (Framing::default(), stream(1));
        framing.add_head(1);
        let mut wait = pin!(framing.wait(&stream));
        let mut context = Context::from_waker(Waker::noop());
        assert!(wait.as_mut().poll(&mut context).is_pending());
        framing.tell(true);
        assert!(wait.poll(&mut context).is_ready());
        framing.forget(1);
        assert!(framing.heads.borrow().is_empty());
    }
}
