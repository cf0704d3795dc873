//! Accepting: one task a listener and worker, alive as long as the listener.

use std::cell::Cell;
use std::fmt::Display;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use ringmain_config::overload::OverloadActionKind;

use super::{
    ConnectionInfo, ConnectionPermit, ConnectionUnit, FilterChainIndex, Listener, NewConnection,
    Overflow, TerminalFilter,
};
use crate::http::codec::downstream_h1::{self, Arrived, End, ParkedConnection, Served};
use crate::http::codec::downstream_h2;
use crate::http::stream::millis;
use crate::network::{self, CountedConnection, Refused, Unserved};
use crate::runtime::{self, Buffer, Deadline, Engine, Interrupt, Stream};
use crate::server::{ListeningSocket, Worker};
use crate::transport_socket::{Transport, tls};

/// How long accepting pauses when the process or the system is out of descriptors or memory.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(50);

/// How often an acceptor that holds back asks whether it still has to.
const OVERLOADED_PAUSE: Duration = Duration::from_millis(50);

/// A listener that closes has seen the last of its connections when none came for so long: a
/// handshake that the kernel has answered is over by then.
const QUIET_LOOK: Duration = Duration::from_millis(100);
/// It does not wait for quiet longer than this many looks.
const QUIET_LOOKS_MAX: u32 = 20;

/// Takes connections off one listening socket.
#[derive(Debug)]
pub struct Acceptor {
    worker: Rc<Worker>,
    listener_index: usize,
    address: SocketAddr,
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
            worker: worker.clone(),
            listener_index: bound.listener,
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
                    self.clone().accepted(stream, peer, descriptor);
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
            let listener = self.listener();
            let accepted = || listener.stats.of(self.worker.id).downstream_cx_total.value();
            let mut before = u64::MAX;
            for _ in 0..QUIET_LOOKS_MAX {
                if std::mem::replace(&mut before, accepted()) == before {
                    break;
                }
                runtime::sleep(QUIET_LOOK).await;
            }
        }
        self.closed.set(true);
        self.socket.close();
        self.listener().sockets_closed.of(self.worker.id).inc();
    }

    /// A peer that is gone before it was accepted is no reason to wait; anything else is.
    async fn pause_after(&self, error: &io::Error) {
        if error.kind() == io::ErrorKind::ConnectionAborted {
            return;
        }
        self.pause(error).await;
    }

    async fn pause(&self, reason: &dyn Display) {
        self.worker.stats().accept_pauses.inc();
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
        let limit = self.worker.client_descriptors.as_ref()?;
        loop {
            if let Some(unit) = limit.try_take(self.worker.id) {
                return Some(unit);
            }
            self.pause(&"the other descriptors are kept for upstreams").await;
        }
    }

    /// `envoy.overload_actions.stop_accepting_connections`: the connection in hand waits, those behind
    /// it stay in the kernel's queue.
    async fn wait_while_overloaded(&self) {
        let overload = &self.worker.compiled.overload;
        while overload.is_saturated(OverloadActionKind::StopAcceptingConnections) {
            runtime::sleep(OVERLOADED_PAUSE).await;
        }
    }

    /// The listener that it accepts for.
    pub fn listener(&self) -> &Listener {
        &self.worker.compiled.listeners[self.listener_index]
    }

    fn accepted(
        self: Rc<Self>,
        stream: Stream,
        peer: SocketAddr,
        descriptor: Option<ConnectionUnit>,
    ) {
        if self.worker.overloaded(OverloadActionKind::RejectIncomingConnections) {
            self.listener().stats.of(self.worker.id).downstream_cx_overload_reject.inc();
            return;
        }
        let permit = match self.permit(descriptor) {
            Ok(permit) => permit,
            Err(overflow) => return self.count_refused(overflow),
        };
        let listener = self.listener();
        // Every wake-up of ours takes one connection.
        let accepted = listener.histograms.connections_accepted_per_socket_event;
        self.worker.histograms.record(accepted, 1);
        let connection = ConnectionInfo::accepted(peer, self.local_address(&stream));
        let input = Buffer::default();
        let accepted = Accepted { stream, connection, input, permit };
        match listener.filters.filters.is_empty() {
            true => self.choose_filter_chain(accepted),
            false => self.look_at(accepted),
        }
    }

    /// Has the listener's filters look at a connection, in a task of its own.
    fn look_at(self: Rc<Self>, mut accepted: Accepted) {
        runtime::spawn(async move {
            let listener = self.listener();
            let stats = listener.stats.of(self.worker.id);
            let (stream, connection) = (&accepted.stream, &mut accepted.connection);
            let looking = listener.filters.run(&self.worker, stats, stream, connection);
            match runtime::catch_panic(looking).await {
                Ok(Some(input)) => {
                    accepted.input = input;
                    self.choose_filter_chain(accepted);
                }
                Ok(None) => {}
                Err(_) => self.worker.stats().connection_panics.inc(),
            }
        });
    }

    fn choose_filter_chain(self: Rc<Self>, accepted: Accepted) {
        let listener = self.listener();
        let Accepted { stream, connection, input, permit } = accepted;
        match listener.find_filter_chain(&connection) {
            Some(chain) => {
                let counted = Counted::new(&self, chain, permit);
                let transport = Transport::Raw(Rc::new(stream));
                let info = connection;
                self.admit(NewConnection { transport, info, input, cluster: None }, counted);
            }
            None => listener.stats.of(self.worker.id).no_filter_chain_match.inc(),
        }
    }

    /// Asks the network filters before the last whether there may be another connection.
    fn admit(self: Rc<Self>, mut connection: NewConnection, mut counted: Counted) {
        let chain = &self.listener().filter_chains[counted.chain];
        match network::admit(&chain.filters, self.worker.id, &mut connection) {
            Ok(held) => {
                counted.held = held;
                match &chain.tls {
                    None => self.authorize(connection, counted),
                    Some(_) => self.shake_hands(connection, counted),
                }
            }
            Err(refused) => self.refuse(connection, counted, refused),
        }
    }

    /// Asks them whether the client may connect.
    fn authorize(self: Rc<Self>, connection: NewConnection, counted: Counted) {
        let filters = &self.listener().filter_chains[counted.chain].filters;
        match network::authorize(filters, self.worker.id, &connection) {
            Ok(()) => self.connected(connection, counted),
            Err(refused) => self.refuse(connection, counted, refused),
        }
    }

    /// Closes a connection, perhaps after a while.
    fn refuse(self: Rc<Self>, connection: NewConnection, counted: Counted, refused: Refused) {
        let NewConnection { transport, info, .. } = connection;
        let tls = transport.tls().cloned();
        let unserved = Unserved { info, tls, refused: Some(refused) };
        self.count_unserved(unserved, counted.chain, End::Local);
        let Some(delay) = refused.delay else { return };
        runtime::spawn(async move {
            runtime::sleep(delay).await;
            drop((transport, counted));
        });
    }

    /// Counts a connection that its chain's last filter does not get to serve.
    fn count_unserved(&self, connection: Unserved, chain: FilterChainIndex, end: End) {
        let (worker, chain) = (&self.worker, &self.listener().filter_chains[chain]);
        match &chain.terminal {
            TerminalFilter::Http(manager) => {
                let is_tls = chain.tls.is_some();
                downstream_h1::count_unserved(worker, manager, connection.info, is_tls, end);
            }
            TerminalFilter::Bytes(filter) => network::count_unserved(worker, filter, &connection),
        }
    }

    /// Hands a connection over once it has a TLS session.
    fn shake_hands(self: Rc<Self>, connection: NewConnection, counted: Counted) {
        runtime::spawn(async move {
            match runtime::catch_panic(self.with_tls(connection, counted.chain)).await {
                Ok(Some(connection)) => self.authorize(connection, counted),
                Ok(None) => {}
                Err(_) => self.worker.stats().connection_panics.inc(),
            }
        });
    }

    async fn with_tls(
        &self,
        connection: NewConnection,
        chain: FilterChainIndex,
    ) -> Option<NewConnection> {
        let (worker, listener) = (&self.worker, self.listener());
        let tls = listener.filter_chains[chain].tls.as_ref()?;
        let ssl = listener.ssl.as_ref()?.of(worker.id);
        let NewConnection { transport, info, input, cluster } = connection;
        let stream = transport.stream().clone();
        let deadline = Deadline::new(&worker.timers, &stream, Shutdown::Both);
        deadline.arm(tls.connect_timeout);
        // A drain ends a handshake that gets nowhere like a connection without a request.
        let slot = worker.connections.register(Interrupt::socket(&stream, Shutdown::Both));
        slot.set_idle(true);
        let context = worker.server_contexts.get(tls.context);
        let failure = match tls::accept(stream, input, &context, &worker.buffers, ssl).await {
            Ok(tls) => {
                let transport = Transport::Tls(Box::new(tls));
                return Some(NewConnection { transport, info, input: Buffer::default(), cluster });
            }
            Err(failure) => failure,
        };
        tracing::debug!(listener = listener.name, ?failure, "no TLS session");
        let mut end = End::Remote;
        if deadline.fired() {
            let stats = listener.stats.of(worker.id);
            stats.downstream_cx_transport_socket_connect_timeout.inc();
            end = End::Local;
        }
        self.count_unserved(Unserved { info, tls: None, refused: None }, chain, end);
        None
    }

    /// On the unspecified address, or where the kernel brings connections to others, each connection
    /// has its own local address.
    fn local_address(&self, stream: &Stream) -> SocketAddr {
        let is_certain =
            !self.address.ip().is_unspecified() && self.listener().config.transparent != Some(true);
        match is_certain {
            true => self.address,
            false => stream.local_addr().unwrap_or(self.address),
        }
    }

    /// Hands a connection to the last filter of its chain.
    fn connected(self: Rc<Self>, connection: NewConnection, counted: Counted) {
        match &self.listener().filter_chains[counted.chain].terminal {
            TerminalFilter::Http(_) => self.start(Arrived::New(connection), counted),
            TerminalFilter::Bytes(_) => self.serve_bytes(connection, counted),
        }
    }

    fn serve_bytes(self: Rc<Self>, connection: NewConnection, counted: Counted) {
        runtime::spawn(async move {
            let chain = &self.listener().filter_chains[counted.chain];
            let TerminalFilter::Bytes(filter) = &chain.terminal else { return };
            let serving = network::serve(&self.worker, filter, connection);
            if runtime::catch_panic(serving).await.is_err() {
                self.worker.stats().connection_panics.inc();
            }
            drop(counted);
        });
    }

    /// Serves HTTP in a task of its own. A connection that is parked waits in a smaller one, and HTTP/2
    /// goes on in one that holds nothing of HTTP/1.
    fn start(self: Rc<Self>, connection: Arrived, counted: Counted) {
        runtime::spawn(async move {
            match runtime::catch_panic(self.serve(connection, counted.chain)).await {
                Ok(Served::Parked(parked)) => self.park(parked, counted),
                Ok(Served::Http2(begun)) => self.serve_http2(begun, counted),
                Ok(Served::Ended) => {}
                Err(_) => self.worker.stats().connection_panics.inc(),
            }
        });
    }

    fn serve_http2(self: Rc<Self>, begun: downstream_h2::Begun, counted: Counted) {
        runtime::spawn(async move {
            if runtime::catch_panic(downstream_h2::serve(begun)).await.is_err() {
                self.worker.stats().connection_panics.inc();
            }
            drop(counted);
        });
    }

    fn park(self: Rc<Self>, parked: ParkedConnection, counted: Counted) {
        runtime::spawn(async move {
            parked.stirred().await;
            self.start(Arrived::Parked(parked), counted);
        });
    }

    async fn serve(&self, connection: Arrived, chain: FilterChainIndex) -> Served {
        match &self.listener().filter_chains[chain].terminal {
            TerminalFilter::Http(manager) => {
                downstream_h1::serve(&self.worker, manager, connection).await
            }
            TerminalFilter::Bytes(_) => Served::Ended,
        }
    }
}

/// Limits. What they refuse is closed as soon as it is accepted.
impl Acceptor {
    fn permit(&self, descriptor: Option<ConnectionUnit>) -> Result<ConnectionPermit, Overflow> {
        let listener = self.listener();
        let global = self.worker.compiled.connection_limit.as_ref();
        let global = global.filter(|_| !listener.config.ignore_global_conn_limit);
        let own = listener.connection_limit.as_ref();
        ConnectionPermit::try_take(global, own, descriptor, self.worker.id)
    }

    fn count_refused(&self, overflow: Overflow) {
        let stats = self.listener().stats.of(self.worker.id);
        match overflow {
            Overflow::Global => stats.downstream_global_cx_overflow.inc(),
            Overflow::Listener => stats.downstream_cx_overflow.inc(),
        }
    }
}

/// A connection that is not yet in its listener's counters.
struct Accepted {
    stream: Stream,
    connection: ConnectionInfo,
    /// What came while filters looked at it.
    input: Buffer,
    permit: ConnectionPermit,
}

/// A connection in its listener's counters, until dropped.
struct Counted {
    acceptor: Rc<Acceptor>,
    /// Which filter chain serves it.
    chain: FilterChainIndex,
    opened: Instant,
    /// Given back before the connection leaves the counters: who sees it gone finds room.
    permit: Option<ConnectionPermit>,
    /// Its part of the limits of network filters; given back at the same moment.
    held: Vec<CountedConnection>,
}

impl Counted {
    fn new(acceptor: &Rc<Acceptor>, chain: FilterChainIndex, permit: ConnectionPermit) -> Self {
        let (listener, worker) = (acceptor.listener(), &acceptor.worker);
        let stats = listener.stats.of(worker.id);
        stats.downstream_cx_total.inc();
        stats.downstream_cx_active.inc();
        Self {
            acceptor: acceptor.clone(),
            chain,
            opened: Instant::now(),
            permit: Some(permit),
            held: Vec::new(),
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        drop(self.permit.take());
        self.held.clear();
        let (listener, worker) = (self.acceptor.listener(), &self.acceptor.worker);
        let stats = listener.stats.of(worker.id);
        stats.downstream_cx_active.dec();
        stats.downstream_cx_destroy.inc();
        let length_ms = millis(self.opened.elapsed());
        worker.histograms.record(listener.histograms.downstream_cx_length_ms, length_ms);
    }
}
