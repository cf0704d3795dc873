//! Accepting: one task a listener and worker, alive as long as the listener.

use std::cell::Cell;
use std::fmt::Display;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use ringmain_config::address::Address;
use ringmain_config::overload::OverloadActionKind;

use super::{ConnectionUnit, Intake, Listener};
use crate::runtime::{self, Engine};
use crate::server::{ListeningSocket, Worker};

/// How long accepting pauses when the process or the system is out of descriptors or memory.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(50);

/// How often an acceptor that holds back asks whether it still has to.
const OVERLOADED_PAUSE: Duration = Duration::from_millis(50);

/// A listener that closes has seen the last of its connections when none came for so long: a
/// handshake that the kernel has answered is over by then.
const QUIET_LOOK: Duration = Duration::from_millis(100);
/// It gives up connections that so many looks found waiting, without one that could be accepted.
const STUCK_LOOKS_MAX: u32 = 20;

/// Takes connections off one listening socket.
#[derive(Debug)]
pub struct Acceptor {
    intake: Rc<Intake>,
    address: Address,
    socket: runtime::Listener,
    leaving: Cell<bool>,
    closed: Cell<bool>,
    /// The last connection had to wait for want of descriptors or memory.
    exhausted: Cell<bool>,
}

impl Acceptor {
    /// Brings `bound` onto `worker`.
    pub fn new(worker: &Rc<Worker>, bound: ListeningSocket, engine: Engine) -> io::Result<Self> {
        Ok(Self {
            intake: Rc::new(Intake::new(worker, bound.listener)),
            address: bound.address,
            socket: runtime::Listener::new(bound.socket, engine)?,
            leaving: Cell::new(false),
            closed: Cell::new(false),
            exhausted: Cell::new(false),
        })
    }

    /// Accepts until closed. Every connection gets a task of its own.
    pub async fn run(self: Rc<Self>) {
        while !self.closed.get() {
            match self.socket.accept().await {
                Ok((stream, peer)) => {
                    self.wait_while_overloaded().await;
                    let descriptor = self.descriptor().await;
                    self.exhausted.set(false);
                    self.intake.clone().accept(stream, peer, &self.address, descriptor);
                }
                Err(_) if self.closed.get() => return,
                // Another worker has closed the socket that all share.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => return,
                Err(error) => self.pause_after(&error).await,
            }
        }
    }

    /// Stops accepting once what has arrived is accepted: closing the socket would reset the
    /// connections in its queue, so new ones are kept away first.
    pub async fn leave(self: Rc<Self>) {
        if self.leaving.replace(true) {
            return;
        }
        if let Err(error) = self.socket.refuse_new() {
            tracing::debug!(%error, "connections that come while the listener closes are reset");
        } else {
            self.take_the_last().await;
        }
        self.closed.set(true);
        self.socket.close();
        self.listener().sockets_closed.of(self.worker().id).inc();
    }

    /// Waits until a look finds that none came since the last one and none waits. A worker that has
    /// more to do than it can may not have accepted for a while what waits.
    async fn take_the_last(&self) {
        let listener = self.listener();
        let accepted = || listener.stats.of(self.worker().id).downstream_cx_total.value();
        let (mut before, mut stuck) = (accepted(), 0);
        while stuck < STUCK_LOOKS_MAX {
            runtime::sleep(QUIET_LOOK).await;
            let came = std::mem::replace(&mut before, accepted()) != before;
            match (came, self.socket.has_waiting()) {
                (false, false) => return,
                (false, true) => stuck += 1,
                (true, _) => stuck = 0,
            }
        }
    }

    /// A peer that is gone before it was accepted is no reason to wait; anything else is.
    async fn pause_after(&self, error: &io::Error) {
        if error.kind() == io::ErrorKind::ConnectionAborted {
            return;
        }
        self.pause(error).await;
    }

    async fn pause(&self, reason: &dyn Display) {
        self.worker().stats().accept_pauses.inc();
        if !self.exhausted.replace(true) {
            let listener = &self.listener().name;
            tracing::warn!(
                listener,
                %reason,
                "cannot accept; trying again every {EXHAUSTED_PAUSE:?} until it succeeds"
            );
        }
        runtime::sleep(EXHAUSTED_PAUSE).await;
    }

    /// The right to hold one of the descriptors that are for clients; the connection in hand waits for
    /// it, those behind it in the kernel's queue.
    async fn descriptor(&self) -> Option<ConnectionUnit> {
        let limit = self.worker().client_descriptors.as_ref()?;
        loop {
            if let Some(unit) = limit.try_take(self.worker().id) {
                return Some(unit);
            }
            self.pause(&"the other descriptors are kept for upstreams").await;
        }
    }

    /// `envoy.overload_actions.stop_accepting_connections`: the connection in hand waits, those behind
    /// it stay in the kernel's queue.
    async fn wait_while_overloaded(&self) {
        let overload = &self.worker().compiled.overload;
        while overload.is_saturated(OverloadActionKind::StopAcceptingConnections) {
            runtime::sleep(OVERLOADED_PAUSE).await;
        }
    }

    /// The listener that it accepts for.
    pub fn listener(&self) -> &Listener {
        self.intake.listener()
    }

    fn worker(&self) -> &Worker {
        self.intake.worker()
    }
}
