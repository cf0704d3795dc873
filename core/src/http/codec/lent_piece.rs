//! A piece of a request's body that the `h2` crate puts into frames where it lies.

use std::cell::Cell;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Buf;

use crate::runtime::{Buffer, Notify};

/// The piece as its owner has it. It stays as it is: another attempt may send it again.
#[derive(Debug)]
pub(super) struct Lent {
    buffer: Buffer,
    /// How much of it is in frames.
    framed: Cell<usize>,
    /// Told when the crate has let go of it.
    returned: Notify,
}

/// The piece as the crate has it.
#[derive(Debug)]
pub struct LentPiece(Rc<Lent>);

impl Lent {
    /// To be lent by [`Self::piece`].
    pub(super) fn new(buffer: Buffer) -> Rc<Self> {
        Rc::new(Self { buffer, framed: Cell::new(0), returned: Notify::default() })
    }

    /// For the crate.
    pub(super) fn piece(self: &Rc<Self>) -> LentPiece {
        LentPiece(self.clone())
    }

    /// Ready when the crate has let go of it: whether all of it is in frames.
    pub(super) fn poll_returned(self: &Rc<Self>, context: &mut Context<'_>) -> Poll<bool> {
        while Rc::strong_count(self) > 1 {
            ready!(self.returned.poll_notified(context));
        }
        Poll::Ready(self.framed.get() == self.buffer.len())
    }

    /// The piece, or a copy where the crate still has it.
    pub(super) fn take(self: Rc<Self>) -> Buffer {
        match Rc::try_unwrap(self) {
            Ok(lent) => lent.buffer,
            Err(lent) => Buffer::holding(Buffer::default(), lent.buffer.bytes()),
        }
    }
}

impl Buf for LentPiece {
    fn remaining(&self) -> usize {
        self.0.buffer.len() - self.0.framed.get()
    }

    fn chunk(&self) -> &[u8] {
        &self.0.buffer.bytes()[self.0.framed.get()..]
    }

    fn advance(&mut self, count: usize) {
        self.0.framed.set(self.0.framed.get() + count);
    }
}

impl Drop for LentPiece {
    fn drop(&mut self) {
        self.0.returned.notify();
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn lent() -> Rc<Lent> {
        Lent::new(Buffer::holding(Buffer::default(), b"hello"))
    }

    fn returned(lent: &Rc<Lent>) -> Poll<bool> {
        lent.poll_returned(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn it_comes_back_as_it_was() {
        let lent = lent();
        let mut piece = lent.piece();
        piece.advance(2);
        assert_eq!((piece.chunk(), returned(&lent)), (&b"llo"[..], Poll::Pending));
        piece.advance(3);
        assert!(!piece.has_remaining());
        drop(piece);
        assert_eq!(returned(&lent), Poll::Ready(true));
        assert_eq!(lent.take().bytes(), b"hello");
    }

    #[test]
    fn what_the_crate_still_has_is_copied() {
        let lent = lent();
        let mut piece = lent.piece();
        piece.advance(1);
        assert_eq!(lent.take().bytes(), b"hello");
        assert_eq!(piece.chunk(), b"ello");
    }

    #[test]
    fn what_is_dropped_before_it_is_framed_is_told() {
        let lent = lent();
        let mut piece = lent.piece();
        piece.advance(4);
        drop(piece);
        assert_eq!(returned(&lent), Poll::Ready(false));
    }
}
