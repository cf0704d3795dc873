//! Flow control as Envoy counts it: times that one side is not read because the other one takes nothing.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::Counter;

/// The counters of one kind of pause.
#[derive(Debug, Clone, Copy)]
pub struct Pauses<'a> {
    /// Those that began.
    pub begun: &'a Counter,
    /// Those that are over. Unlike Envoy, which has no use for that, also where nothing more is to be read then.
    pub over: &'a Counter,
}

/// One pause, which ends when this is dropped: also where somebody went meanwhile.
struct Pause<'a, const N: usize>([Pauses<'a>; N]);

impl<'a, const N: usize> Pause<'a, N> {
    fn begin(kinds: [Pauses<'a>; N]) -> Self {
        kinds.iter().for_each(|kind| kind.begun.inc());
        Self(kinds)
    }
}

impl<const N: usize> Drop for Pause<'_, N> {
    fn drop(&mut self) {
        self.0.iter().for_each(|kind| kind.over.inc());
    }
}

pin_project! {
    /// A write, see [`counting_pauses`]. A type of its own, as an async function would hold the write twice.
    struct Counting<F, H, B, P> {
        #[pin]
        write: F,
        is_held_back: H,
        begin: B,
        pause: Option<P>,
    }
}

/// Does `write`, during which nothing more is read. Where it `is_held_back`, as who gets it takes nothing, that is a
/// pause of each of `kinds`.
pub fn counting_pauses<F: Future, const N: usize>(
    write: F,
    is_held_back: impl Fn() -> bool,
    kinds: [Pauses<'_>; N],
) -> impl Future<Output = F::Output> {
    Counting { write, is_held_back, begin: move || Pause::begin(kinds), pause: None }
}

impl<F: Future, H: Fn() -> bool, B: Fn() -> P, P> Future for Counting<F, H, B, P> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let polled = this.write.poll(context);
        if polled.is_pending() && this.pause.is_none() && (this.is_held_back)() {
            *this.pause = Some((this.begin)());
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::Waker;

    use super::*;

    #[test]
    fn a_pause_begins_when_the_write_is_held_back_and_ends_with_it() {
        let (begun, over) = (Counter::default(), Counter::default());
        let kinds = [Pauses { begun: &begun, over: &over }];
        let values = || (begun.value(), over.value());
        let mut context = Context::from_waker(Waker::noop());
        let (held, done) = (Cell::new(false), Cell::new(false));
        let write = || poll_fn(|_| if done.get() { Poll::Ready(()) } else { Poll::Pending });
        {
            let mut finished = pin!(counting_pauses(write(), || held.get(), kinds));
            assert!(finished.as_mut().poll(&mut context).is_pending());
            assert_eq!(values(), (0, 0));
            held.set(true);
            for _ in 0..2 {
                assert!(finished.as_mut().poll(&mut context).is_pending());
                assert_eq!(values(), (1, 0));
            }
            done.set(true);
            assert!(finished.poll(&mut context).is_ready());
        }
        assert_eq!(values(), (1, 1));
        done.set(false);
        {
            let given_up = pin!(counting_pauses(write(), || held.get(), kinds));
            assert!(given_up.poll(&mut context).is_pending());
            assert_eq!(values(), (2, 1));
        }
        assert_eq!(values(), (2, 2));
    }
}
