//! Two halves of one task that wait for each other.

use std::cell::RefCell;
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// Wakes the task when one half of it has changed what the other waits for.
///
/// Both halves run in one task (see [`super::join`]), so one waker is enough.
#[derive(Debug, Default)]
pub struct Event {
    waker: RefCell<Option<Waker>>,
}

impl Event {
    /// Waits until `ready` says so; it is asked again after each [`Event::notify`].
    pub async fn wait_until(&self, mut ready: impl FnMut() -> bool) {
        poll_fn(|context| {
            if ready() {
                return Poll::Ready(());
            }
            let mut waker = self.waker.borrow_mut();
            match &mut *waker {
                Some(known) => known.clone_from(context.waker()),
                None => *waker = Some(context.waker().clone()),
            }
            Poll::Pending
        })
        .await;
    }

    /// Has the conditions asked again.
    pub fn notify(&self) {
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }
}
