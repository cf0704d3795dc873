//! Waking a task of this worker that waits for something other than a socket.

use std::cell::{Cell, RefCell};
use std::fmt::{self, Debug, Formatter};
use std::future::poll_fn;
use std::net::Shutdown;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use monoio::io::{CancelHandle, Canceller};

use super::Stream;

/// A wake-up for one waiting task. Telling before the task waits is as good as telling after.
#[derive(Debug, Default)]
pub struct Notify {
    told: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Notify {
    /// Wakes the task, or the next that waits.
    pub fn notify(&self) {
        self.told.set(true);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Whether it was told and nobody has waited for it; if not, the task is woken when it is.
    pub fn is_told(&self, context: &Context<'_>) -> bool {
        if !self.told.get() {
            self.waker.replace(Some(context.waker().clone()));
        }
        self.told.get()
    }

    /// Waits until told; being told once ends one wait.
    pub async fn notified(&self) {
        poll_fn(|context| self.poll_notified(context)).await;
    }

    /// The same, one look at a time.
    pub fn poll_notified(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.told.replace(false) {
            return Poll::Ready(());
        }
        self.waker.replace(Some(context.waker().clone()));
        Poll::Pending
    }
}

/// What is ended when a deadline passes or a peer goes.
#[derive(Debug, Clone)]
pub struct Interrupt(Ended);

#[derive(Debug, Clone)]
enum Ended {
    Socket(Rc<Stream>, Shutdown),
    Wait(Rc<Notify>),
    Read(Rc<ReadCancel>),
}

impl Interrupt {
    /// The operations in flight on `stream`, by shutting `how` of it down.
    pub fn socket(stream: &Rc<Stream>, how: Shutdown) -> Self {
        Self(Ended::Socket(stream.clone(), how))
    }

    /// A wait.
    pub fn wait(notify: &Rc<Notify>) -> Self {
        Self(Ended::Wait(notify.clone()))
    }

    /// A read in flight, which leaves its connection as it is.
    pub(super) fn read(cancel: &Rc<ReadCancel>) -> Self {
        Self(Ended::Read(cancel.clone()))
    }

    /// Ends it.
    pub fn fire(&self) {
        match &self.0 {
            Ended::Socket(stream, how) => stream.shutdown(*how),
            Ended::Wait(notify) => notify.notify(),
            Ended::Read(cancel) => cancel.cancel(),
        }
    }
}

/// Ends reads in flight without harm to their connection. A cancelled read is awaited to its
/// completion like any other, so what arrives at the same moment is not lost.
#[derive(Default)]
pub(super) struct ReadCancel {
    operation: RefCell<Canceller>,
    /// For reads that wait without an operation.
    wait: Notify,
}

impl ReadCancel {
    /// For a read about to begin.
    pub(super) fn handle(&self) -> CancelHandle {
        self.operation.borrow().handle()
    }

    /// Whether reads have been ended since [`ReadCancel::renew`]; if not, the task is woken when they are.
    pub(super) fn is_over(&self, context: &Context<'_>) -> bool {
        self.wait.is_told(context)
    }

    /// The same without a wake-up.
    pub(super) fn has_fired(&self) -> bool {
        self.wait.told.get()
    }

    /// Lets reads begin again.
    pub(super) fn renew(&self) {
        self.wait.told.set(false);
    }

    pub(super) fn cancel(&self) {
        let canceller = self.operation.take();
        self.operation.replace(canceller.cancel());
        self.wait.notify();
    }
}

impl Debug for ReadCancel {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str("ReadCancel")
    }
}
