//! Accepting: one task a listener and worker, alive as long as the listener.

use std::cell::Cell;
use std::io;
use std::net::{SocketAddr, TcpListener as StdTcpListener};
use std::rc::Rc;
use std::time::Duration;

use super::{Listener, NetworkFilter};
use crate::http::codec::downstream_h1;
use crate::runtime::{self, Engine, Stream};
use crate::server::Worker;
use crate::stats::scopes::ListenerStats;

/// How long accepting pauses when the process or the system is out of descriptors or memory.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(50);

/// Takes connections off one listening socket.
#[derive(Debug)]
pub struct Acceptor {
    worker: Rc<Worker>,
    listener_index: usize,
    socket: runtime::Listener,
    closed: Cell<bool>,
}

impl Acceptor {
    /// Brings `socket`, bound for the listener at `listener_index`, onto `worker`.
    pub fn new(
        worker: &Rc<Worker>,
        listener_index: usize,
        socket: StdTcpListener,
        engine: Engine,
    ) -> io::Result<Self> {
        Ok(Self {
            worker: worker.clone(),
            listener_index,
            socket: runtime::Listener::new(socket, engine)?,
            closed: Cell::new(false),
        })
    }

    /// Accepts until closed. Every connection gets a task of its own.
    pub async fn run(self: Rc<Self>) {
        while !self.closed.get() {
            match self.socket.accept().await {
                Ok((stream, peer)) => self.clone().start(stream, peer),
                Err(_) if self.closed.get() => return,
                Err(error) => self.pause_after(&error).await,
            }
        }
    }

    /// Stops accepting.
    pub fn close(&self) {
        self.closed.set(true);
        self.socket.close();
    }

    /// A peer that is gone before it was accepted is no reason to wait; anything else is.
    async fn pause_after(&self, error: &io::Error) {
        if error.kind() == io::ErrorKind::ConnectionAborted {
            return;
        }
        let listener = &self.listener().name;
        tracing::warn!(listener, %error, "cannot accept; trying again in {EXHAUSTED_PAUSE:?}");
        runtime::sleep(EXHAUSTED_PAUSE).await;
    }

    fn listener(&self) -> &Listener {
        &self.worker.compiled.listeners[self.listener_index]
    }

    fn start(self: Rc<Self>, stream: Stream, peer: SocketAddr) {
        runtime::spawn(async move {
            let served = runtime::catch_panic(self.serve(stream, peer)).await;
            if served.is_err() {
                self.worker.stats().connection_panics.inc();
            }
        });
    }

    async fn serve(&self, stream: Stream, peer: SocketAddr) {
        let listener = self.listener();
        let _counted = Counted::new(listener.stats.of(self.worker.id));
        match &listener.filter {
            NetworkFilter::Http(manager) => {
                downstream_h1::serve(&self.worker, manager, stream, peer, listener.address).await;
            }
        }
    }
}

/// A connection in its listener's counters, until dropped.
struct Counted<'a>(&'a ListenerStats);

impl<'a> Counted<'a> {
    fn new(stats: &'a ListenerStats) -> Self {
        stats.downstream_cx_total.inc();
        stats.downstream_cx_active.inc();
        Self(stats)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.downstream_cx_active.dec();
        self.0.downstream_cx_destroy.inc();
    }
}
