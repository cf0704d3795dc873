//! The body of a copy on its way from the request to the copy's task.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use ringmain_proto_codec::HeaderMap;

use crate::cluster::WorkerCluster;
use crate::http::codec::body::Ending;
use crate::runtime::{Event, Interrupt};

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// All of it has come.
    Complete,
    /// It is not wanted any more, or the rest of it will not come.
    GivenUp,
}

/// What of a request's body waits for one of its copies: up to a number of bytes.
#[derive(Debug)]
pub struct CopiedBody {
    waiting: RefCell<Vec<u8>>,
    waiting_max: usize,
    end: Cell<Option<End>>,
    trailers: OnceCell<Box<HeaderMap>>,
    changed: Event,
    /// Ends what the copy waits for when it is given up.
    interrupt: RefCell<Option<Interrupt>>,
    /// The request's own cluster, which counts what is given up.
    of_cluster: Rc<WorkerCluster>,
}

/// What the copy's task takes.
#[derive(Debug, PartialEq, Eq)]
pub struct Taken {
    /// May be nothing.
    pub data: Vec<u8>,
    /// Whether the body ends with it.
    pub last: bool,
}

impl CopiedBody {
    /// The body of a copy of a request to `of_cluster`.
    pub fn new(waiting_max: usize, of_cluster: Rc<WorkerCluster>) -> Self {
        Self {
            waiting: RefCell::default(),
            waiting_max,
            end: Cell::new(None),
            trailers: OnceCell::new(),
            changed: Event::default(),
            interrupt: RefCell::default(),
            of_cluster,
        }
    }

    /// A piece has come. Where too much waits then, the copy is given up.
    pub fn push(&self, piece: &[u8]) {
        if self.end.get().is_some() {
            return;
        }
        let mut waiting = self.waiting.borrow_mut();
        // A single piece is no sign of slowness, however little may wait.
        if !waiting.is_empty() && waiting.len() + piece.len() > self.waiting_max {
            drop(waiting);
            self.of_cluster.stats().retry_or_shadow_abandoned.inc();
            return self.give_up();
        }
        waiting.extend_from_slice(piece);
        self.changed.notify();
    }

    /// All of it has come.
    pub fn complete(&self, trailers: Option<&HeaderMap>) {
        if self.end.get().is_some() {
            return;
        }
        if let Some(trailers) = trailers {
            // A body ends once.
            let _first = self.trailers.set(Box::new(trailers.clone()));
        }
        self.end.set(Some(End::Complete));
        self.changed.notify();
    }

    /// The rest of it will not come, or is not wanted: what is incomplete ends here.
    pub fn give_up(&self) {
        if self.end.get().is_some() {
            return;
        }
        self.end.set(Some(End::GivenUp));
        self.waiting.take();
        if let Some(interrupt) = self.interrupt.take() {
            interrupt.fire();
        }
        self.changed.notify();
    }

    /// Whether the copy is given up.
    pub fn is_given_up(&self) -> bool {
        self.end.get() == Some(End::GivenUp)
    }

    /// Fires `interrupt` when the copy is given up, at once where it is already.
    pub fn interrupt_with(&self, interrupt: Interrupt) {
        if self.is_given_up() {
            return interrupt.fire();
        }
        self.interrupt.replace(Some(interrupt));
    }

    /// What has come since the last time.
    pub fn take(&self) -> Taken {
        let last = self.end.get() == Some(End::Complete);
        Taken { data: self.waiting.take(), last }
    }

    /// Waits for more; `None` where the copy is given up.
    pub async fn next(&self) -> Option<Taken> {
        let has_more = || self.end.get().is_some() || !self.waiting.borrow().is_empty();
        self.changed.wait_until(has_more).await;
        (!self.is_given_up()).then(|| self.take())
    }

    /// What is sent behind the last piece.
    pub fn ending(&self) -> Ending<'_> {
        Ending { trailers: self.trailers.get().map(Box::as_ref) }
    }
}
