//! `connection_keepalive` of a connection of HTTP/2, on either side: PING is sent now and then, and the
//! connection given up when nothing comes behind one. Polled by whoever drives the connection's frames.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use ringmain_config::connection_keepalive::ConnectionKeepalive;
use ringmain_proto_codec::h2::ping::Pings;

use crate::runtime::{Deadline, Notify, Timers};
use crate::server::Worker;

/// One connection's pings.
#[derive(Debug)]
pub struct Keepalive {
    worker: Rc<Worker>,
    options: ConnectionKeepalive,
    pings: RefCell<Pings>,
    /// Told when a deadline passes.
    wake: Rc<Notify>,
    next: Deadline,
    /// Armed while a PING has no answer.
    timeout: Deadline,
    awaited: Cell<bool>,
    last_received: Cell<Instant>,
}

impl Keepalive {
    /// Begins with a connection.
    pub fn begin(worker: &Rc<Worker>, options: ConnectionKeepalive, pings: Pings) -> Self {
        let wake: Rc<Notify> = Rc::default();
        let timers: &Rc<Timers> = &worker.timers;
        let keepalive = Self {
            options,
            pings: RefCell::new(pings),
            next: Deadline::of_wait(timers, &wake),
            timeout: Deadline::of_wait(timers, &wake),
            wake,
            awaited: Cell::new(false),
            last_received: Cell::new(timers.coarse_now()),
            worker: worker.clone(),
        };
        keepalive.schedule();
        keepalive
    }

    fn schedule(&self) {
        self.next.arm(self.options.next_interval(self.worker.random.next()));
    }

    fn send(&self) {
        if self.pings.borrow_mut().send() {
            self.awaited.set(true);
            self.timeout.arm(Some(self.options.timeout));
        }
    }

    /// Something has come. As in Envoy, whatever it is shows that the peer is there.
    pub fn note_received(&self) {
        self.last_received.set(self.worker.timers.coarse_now());
        if self.awaited.get() {
            self.timeout.arm(Some(self.options.timeout));
        }
    }

    /// A request is about to be sent on the connection.
    pub fn note_request(&self) {
        let silence = self.worker.timers.coarse_now() - self.last_received.get();
        let too_long = |limit| silence > limit;
        if !self.awaited.get() && self.options.connection_idle_interval.is_some_and(too_long) {
            self.send();
        }
    }

    /// Sends what is due and takes what has come. Ready when the peer has not answered in time.
    pub fn poll_silent(&self, context: &mut Context<'_>) -> Poll<()> {
        while self.wake.poll_notified(context).is_ready() {
            if self.timeout.take_fired() && self.awaited.get() {
                return Poll::Ready(());
            }
            if self.next.take_fired() {
                self.send();
            }
        }
        if self.pings.borrow_mut().poll_answered(context).is_ready() {
            self.awaited.set(false);
            self.timeout.disarm();
            self.schedule();
        }
        Poll::Pending
    }
}
