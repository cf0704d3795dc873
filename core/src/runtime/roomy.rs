//! Large tasks in rooms of their own.
//!
//! The task that serves a connection of HTTP/1 or a stream of HTTP/2 holds all that a request in flight may need.
//! It lives in a [`Block`], which the next such task uses again; what lies on the heap is a pointer to it.
#![allow(unsafe_code)]

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::block::{Block, OWN_PAGES_BYTES};
use super::spares::Spares;

/// All rooms are so large, so that each is good for any task.
const ROOM_BYTES: usize = OWN_PAGES_BYTES;
/// What the future of a task is aligned to at most: one that is aligned further the compiler builds elsewhere, and
/// copies all of it.
const ALIGNMENT_MAX: usize = 16;
/// Spare rooms kept per worker.
const SPARE_MAX: usize = 512;

thread_local! {
    static SPARE: Spares<Block> = Spares::default();
}

/// A future in a room.
pub(super) struct Roomy<F> {
    room: Block,
    future: PhantomData<F>,
}

impl<F> Roomy<F> {
    /// Has `make` build the future where it is to live: moving one in would copy all of its room, most of
    /// which is empty until it is polled.
    #[inline]
    pub(super) fn new(make: impl FnOnce() -> F) -> Self {
        const { assert!(size_of::<F>() <= ROOM_BYTES && align_of::<F>() <= ALIGNMENT_MAX) };
        let room = SPARE.with(Spares::take).unwrap_or_else(|| Block::new(ROOM_BYTES));
        // SAFETY: the room is large enough and aligned for it, and nothing else lives there.
        unsafe { room.start().cast::<F>().write(make()) };
        Self { room, future: PhantomData }
    }
}

impl<F: Future> Future for Roomy<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: `new` has put the future there, where it stays until `drop` has dropped it, however the
        // `Block` that points to it may move. `&mut self` is the only way to it.
        let future = unsafe { Pin::new_unchecked(self.room.start().cast::<F>().as_mut()) };
        future.poll(context)
    }
}

impl<F> Drop for Roomy<F> {
    fn drop(&mut self) {
        // SAFETY: the future that `new` has put there; nobody polls it any more.
        unsafe { self.room.start().cast::<F>().drop_in_place() };
        let room = std::mem::take(&mut self.room);
        // Where the worker ends, its spare rooms may be gone; then this one goes too.
        let _ended = SPARE.try_with(|spare| spare.give_back(room, SPARE_MAX));
    }
}

/// Gives up spare rooms of this worker that nobody needs.
pub fn shrink_rooms() {
    SPARE.with(Spares::shrink);
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::pin::pin;
    use std::rc::Rc;
    use std::task::Waker;

    use super::*;

    #[test]
    fn a_task_runs_in_its_room_and_leaves_it_to_the_next() {
        let held = Rc::new(());
        let task = |large: [u8; 4096], held: Rc<()>| async move {
            let first = large[0];
            pending::<()>().await;
            drop(held);
            first
        };
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..3 {
            let mut roomy = pin!(Roomy::new(|| task([7; 4096], held.clone())));
            assert!(roomy.as_mut().poll(&mut context).is_pending());
            assert_eq!(Rc::strong_count(&held), 2);
        }
        assert_eq!(Rc::strong_count(&held), 1);
        assert_eq!(
            SPARE.with(|spare| (spare.take().is_some(), spare.take().is_some())),
            (true, false)
        );
        assert_eq!(pin!(Roomy::new(|| async { 5 })).poll(&mut context), Poll::Ready(5));
    }
}
