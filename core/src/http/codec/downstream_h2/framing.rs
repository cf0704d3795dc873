//! What streams have given to the `h2` crate and it has not put into frames yet, for those that wait for it.
//!
//! The crate does not tell. It drops a piece once all of it is framed, and heads are seen among the frames
//! that it has written. Where the connection has nothing more to frame, nobody has to be looked for; while
//! other streams have more than goes out, each waits for its own.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::ClientState;
use crate::runtime::Notify;

/// What of one stream is not in frames.
#[derive(Debug, Default)]
pub(super) struct Unframed {
    heads: Cell<u32>,
    pieces: Cell<u32>,
    /// The stream waits until there is nothing.
    awaited: Cell<bool>,
    told: Notify,
}

impl Unframed {
    /// A piece is on its way.
    pub(super) fn add_piece(&self) {
        self.pieces.set(self.pieces.get() + 1);
    }

    /// All of a piece is framed, or the crate has forgotten it.
    pub(super) fn remove_piece(&self) {
        self.pieces.set(self.pieces.get() - 1);
    }

    fn is_nothing(&self) -> bool {
        self.heads.get() == 0 && self.pieces.get() == 0
    }

    /// Ends the wait.
    pub(super) fn tell(&self) {
        self.awaited.set(false);
        self.told.notify();
    }
}

/// The streams of one connection.
#[derive(Debug, Default)]
pub(super) struct Framing {
    /// Those with heads that are not framed, once for each, in the order in which they were sent.
    heads: RefCell<Vec<Rc<ClientState>>>,
    awaiting: RefCell<Vec<Rc<ClientState>>>,
}

impl Framing {
    /// A head, or trailers, are on their way.
    pub(super) fn add_head(&self, stream: &Rc<ClientState>) {
        let heads = &stream.unframed.heads;
        heads.set(heads.get() + 1);
        self.heads.borrow_mut().push(stream.clone());
    }

    /// A head, or trailers, of the stream of this number are in frames; it may be forgotten.
    pub(super) fn remove_head(&self, stream: u32) {
        let mut sent = self.heads.borrow_mut();
        if let Some(at) = sent.iter().position(|one| one.stream == stream) {
            let heads = &sent.remove(at).unframed.heads;
            heads.set(heads.get() - 1);
        }
    }

    /// The stream is over; what the crate had of it may be forgotten.
    pub(super) fn forget(&self, stream: &Rc<ClientState>) {
        if stream.unframed.heads.get() > 0 {
            self.heads.borrow_mut().retain(|other| !Rc::ptr_eq(other, stream));
        }
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
        self.awaiting.borrow_mut().retain(|one| {
            if all || one.unframed.is_nothing() {
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
            framing.add_head(one);
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
    fn all_waits_end_where_all_is_framed_that_can_be() {
        let (framing, stream) = (Framing::default(), stream(1));
        framing.add_head(&stream);
        let mut wait = pin!(framing.wait(&stream));
        let mut context = Context::from_waker(Waker::noop());
        assert!(wait.as_mut().poll(&mut context).is_pending());
        framing.tell(true);
        assert!(wait.poll(&mut context).is_ready());
        framing.forget(&stream);
        assert!(framing.heads.borrow().is_empty());
    }
}
