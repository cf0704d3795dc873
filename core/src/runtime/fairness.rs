//! Turns for everyone: a task whose operations always complete at once gives way now and then.
//!
//! An operation that completes at once does not go back to the event loop. On epoll a peer that
//! sends as fast as we read would so keep its task running for ever: no other connection would be
//! served and no deadline would fire.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use pin_project_lite::pin_project;

use super::{LARGE_BUFFER_BYTES, TICK, sleep};

/// Operations in a row that may complete at once.
const AT_ONCE_MAX: u32 = 64;

thread_local! {
    /// When this worker's clock ticked last.
    static TICKED: Cell<Option<Instant>> = const { Cell::new(None) };
    /// Who waits for its next tick.
    static WAITING: RefCell<Option<Waker>> = const { RefCell::new(None) };
}

/// Notes that this worker's clock has ticked; when that is.
pub(super) fn note_tick() -> Instant {
    let now = Instant::now();
    TICKED.set(Some(now));
    if let Some(waker) = WAITING.take() {
        waker.wake();
    }
    now
}

/// What one socket has had of its turn.
#[derive(Debug, Default)]
pub(super) struct Turn {
    at_once: Cell<u32>,
    /// Operations that have not completed. One that was dropped stays among them: the kernel may be at it still.
    under_way: Cell<u32>,
}

impl Turn {
    /// Runs `operation`; gives way before it returns where the turn is over.
    pub(super) async fn take<F: Future>(&self, operation: F) -> F::Output {
        let output = self.count(operation).await;
        if self.at_once.get() > AT_ONCE_MAX {
            self.at_once.set(0);
            give_way().await;
        }
        output
    }

    /// Runs `operation`, which does not end the turn.
    pub(super) fn count<F: Future>(&self, operation: F) -> impl Future<Output = F::Output> {
        Counted { operation, turn: self, waited: false }
    }

    /// How many operations in a row have completed at once.
    pub(super) fn at_once(&self) -> u32 {
        self.at_once.get()
    }

    /// Has every operation completed?
    pub(super) fn is_at_rest(&self) -> bool {
        self.under_way.get() == 0
    }
}

/// The same for bytes that cost more to handle than to read: a buffer of HTTP/2 may hold thousands of frames. What
/// they bring, such as interim heads, which no window limits, waits in memory until its streams have a turn.
#[derive(Debug, Default)]
pub struct ByteTurn {
    bytes: Cell<usize>,
}

impl ByteTurn {
    /// Notes that so many `bytes` are handled; gives way where they are a large buffer's with those before.
    pub async fn note(&self, bytes: usize) {
        self.bytes.set(self.bytes.get() + bytes);
        if self.bytes.get() >= LARGE_BUFFER_BYTES {
            self.bytes.set(0);
            give_way().await;
        }
    }
}

pin_project! {
    /// An operation that is counted when it completes at once.
    ///
    /// A type of its own: an async function would hold the operation twice, as its argument and as
    /// what it awaits, in every connection's memory.
    struct Counted<'a, F> {
        #[pin]
        operation: F,
        turn: &'a Turn,
        waited: bool,
    }
}

impl<F: Future> Future for Counted<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let polled = this.operation.poll(context);
        let Turn { at_once, under_way } = this.turn;
        match (&polled, *this.waited) {
            (Poll::Pending, true) => {}
            (Poll::Pending, false) => {
                *this.waited = true;
                under_way.set(under_way.get() + 1);
            }
            (Poll::Ready(_), true) => {
                at_once.set(0);
                under_way.set(under_way.get() - 1);
            }
            (Poll::Ready(_), false) => at_once.set(at_once.get() + 1),
        }
        polled
    }
}

/// Lets the event loop look at the other sockets. It looks at its timers only when no task can run,
/// so where the clock is late this one does not run either.
async fn give_way() {
    if is_late_by(TICK) {
        sleep(Duration::from_millis(1)).await;
    } else {
        yield_now().await;
    }
}

/// For the one that tells tasks that they can run: where the clock is late, nobody is told of more until it has
/// ticked, once. So under full load no single task has to give way for it, which would be late by that.
pub(super) async fn let_clock_tick() {
    let before = TICKED.get();
    poll_fn(|context| {
        if !is_late_by(TICK / 2) || TICKED.get() != before {
            return Poll::Ready(());
        }
        WAITING.replace(Some(context.waker().clone()));
        Poll::Pending
    })
    .await;
}

fn is_late_by(time: Duration) -> bool {
    TICKED.get().is_some_and(|ticked| ticked.elapsed() > TICK + time)
}

async fn yield_now() {
    let mut yielded = false;
    poll_fn(|context| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use std::future::ready;
    use std::pin::pin;

    use super::*;

    #[test]
    fn gives_way_once_in_a_while() {
        let turn = Turn::default();
        let mut context = Context::from_waker(Waker::noop());
        let gave_way = (0..=AT_ONCE_MAX * 2)
            .filter(|_| pin!(turn.take(ready(()))).poll(&mut context).is_pending())
            .count();
        assert_eq!(gave_way, 1);
    }

    #[test]
    fn bytes_give_way_at_each_large_buffer() {
        let turn = ByteTurn::default();
        let mut context = Context::from_waker(Waker::noop());
        let half = LARGE_BUFFER_BYTES / 2;
        let gave_way =
            (0..10).filter(|_| pin!(turn.note(half)).poll(&mut context).is_pending()).count();
        assert_eq!(gave_way, 5);
    }

    #[test]
    fn waiting_begins_a_new_turn() {
        let turn = Turn::default();
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..AT_ONCE_MAX * 2 {
            assert!(pin!(turn.take(ready(()))).poll(&mut context).is_ready());
            let mut waits = pin!(turn.take(yield_now()));
            assert!(waits.as_mut().poll(&mut context).is_pending());
            assert!(waits.poll(&mut context).is_ready());
        }
    }

    #[test]
    fn nobody_is_told_of_more_while_the_clock_is_late() {
        let mut context = Context::from_waker(Waker::noop());
        assert!(pin!(let_clock_tick()).poll(&mut context).is_ready(), "no clock, no wait");
        TICKED.set(Instant::now().checked_sub(TICK * 2));
        let mut waits = pin!(let_clock_tick());
        assert!(waits.as_mut().poll(&mut context).is_pending());
        note_tick();
        assert!(waits.poll(&mut context).is_ready());
    }

    #[test]
    fn what_is_dropped_before_it_completes_is_never_at_rest() {
        let turn = Turn::default();
        let mut context = Context::from_waker(Waker::noop());
        {
            let mut completes = pin!(turn.take(yield_now()));
            assert!(completes.as_mut().poll(&mut context).is_pending());
            assert!(!turn.is_at_rest());
            assert!(completes.poll(&mut context).is_ready());
        }
        assert!(turn.is_at_rest());
        assert!(pin!(turn.take(yield_now())).poll(&mut context).is_pending());
        assert!(!turn.is_at_rest());
    }
}
