//! What becomes of a connection that a listener takes: its limits, its listener filters, its filter
//! chain, its handshake, and whatever serves it.
//!
//! An [`Acceptor`](super::Acceptor) hands over what comes to its socket, a listener with
//! `use_original_dst` what another one is for.

use std::net::{IpAddr, Shutdown};
use std::rc::Rc;
use std::time::{Duration, Instant};

use ringmain_config::address::Address;
use ringmain_config::overload::OverloadActionKind;

use super::{
    BalanceUnit, ConnectionInfo, ConnectionLog, ConnectionPermit, ConnectionUnit, FilterChainIndex,
    HandedOver, Listener, NewConnection, Overflow, TerminalFilter,
};
use crate::http::ResponseFlag;
use crate::http::codec::downstream_h1::{self, Arrived, End, ParkedConnection, Served};
use crate::http::codec::downstream_h2;
use crate::http::stream::millis;
use crate::network::{self, CountedConnection, Refused, Unserved};
use crate::runtime::{self, Buffer, Deadline, Interrupt, Stream};
use crate::server::{Worker, connection_ids};
use crate::transport_socket::tls::HandshakeFailure;
use crate::transport_socket::{Transport, tls};

/// Takes the connections of one listener on one worker.
#[derive(Debug)]
pub struct Intake {
    worker: Rc<Worker>,
    listener_index: usize,
}

impl Intake {
    /// For the listener at `listener_index`.
    pub fn new(worker: &Rc<Worker>, listener_index: usize) -> Self {
        Self { worker: worker.clone(), listener_index }
    }

    /// The worker.
    pub fn worker(&self) -> &Rc<Worker> {
        &self.worker
    }

    /// The listener.
    pub fn listener(&self) -> &Listener {
        &self.worker.compiled.listeners[self.listener_index]
    }

    /// Takes a connection that `address` has accepted, or hands it to the worker that is to have it;
    /// `descriptor` is its part of what clients may hold.
    pub fn accept(
        self: Rc<Self>,
        stream: Stream,
        peer: Option<Address>,
        address: &Address,
        descriptor: Option<ConnectionUnit>,
    ) {
        let Some(balance) = self.listener().balance.clone() else {
            return self.take(stream, peer, address, descriptor, None);
        };
        let balanced = balance.choose(self.worker.id);
        if balanced.worker == self.worker.id {
            return self.take(stream, peer, address, descriptor, Some(balanced));
        }
        let (listener, address) = (self.listener_index, address.clone());
        let socket = stream.into_descriptor();
        let handed = HandedOver { listener, socket, peer, address, descriptor, balanced };
        if let Err(handed) = self.worker.handover.give(handed) {
            let balanced = balance.unit(self.worker.id);
            self.take_over(HandedOver { balanced, ..handed });
        }
    }

    /// Takes a connection that another worker has accepted.
    pub fn take_over(self: Rc<Self>, connection: HandedOver) {
        let HandedOver { socket, peer, address, descriptor, balanced, .. } = connection;
        match Stream::adopt(socket) {
            Ok(stream) => self.take(stream, peer, &address, descriptor, Some(balanced)),
            Err(error) => tracing::debug!(%error, "a connection that was handed over is closed"),
        }
    }

    fn take(
        self: Rc<Self>,
        stream: Stream,
        peer: Option<Address>,
        address: &Address,
        descriptor: Option<ConnectionUnit>,
        balanced: Option<BalanceUnit>,
    ) {
        if self.worker.overloaded(OverloadActionKind::RejectIncomingConnections) {
            self.listener().stats.of(self.worker.id).downstream_cx_overload_reject.inc();
            return;
        }
        let Some(permit) = self.permit(descriptor) else { return };
        let permit = permit.with_place(balanced);
        // Every wake-up of ours takes one connection.
        let accepted = self.listener().histograms.connections_accepted_per_socket_event;
        self.worker.histograms.record(accepted, 1);
        let local = self.local_address(&stream, address);
        // The client of a Unix socket goes by the name of the listener, as with Envoy.
        let mut connection = ConnectionInfo::accepted(peer.unwrap_or_else(|| local.clone()), local);
        connection.log = ConnectionLog::begin(&self.worker, self.listener_index, &connection);
        let input = Buffer::default();
        self.begin(Accepted { stream, connection, input, permit }, Origin::Socket);
    }

    fn begin(self: Rc<Self>, accepted: Accepted, origin: Origin) {
        match self.listener().filters.filters.is_empty() {
            true => self.looked_at(accepted, origin),
            false => self.look_at(accepted, origin),
        }
    }

    /// Has the listener's filters look at a connection, in a task of its own.
    fn look_at(self: Rc<Self>, mut accepted: Accepted, origin: Origin) {
        runtime::spawn(async move {
            let listener = self.listener();
            let stats = listener.stats.of(self.worker.id);
            let Accepted { stream, connection, input, .. } = &mut accepted;
            let input = std::mem::take(input);
            let looking = listener.filters.run(&self.worker, stats, stream, connection, input);
            match runtime::catch_panic(looking).await {
                Ok(Some(input)) => {
                    accepted.input = input;
                    self.looked_at(accepted, origin);
                }
                Ok(None) => {
                    let failure = connection.transport_failure.take();
                    connection.note(|record| record.downstream_transport_failure = failure);
                }
                Err(_) => self.worker.stats().connection_panics.inc(),
            }
        });
    }

    /// The listener that is for where the client wanted to go takes the connection, if this one lets it.
    /// It goes on from there without a further look at that.
    fn looked_at(self: Rc<Self>, accepted: Accepted, origin: Origin) {
        let hands_over = self.listener().config.use_original_dst && origin == Origin::Socket;
        let wanted = accepted
            .connection
            .local_restored
            .then(|| accepted.connection.local.socket())
            .flatten();
        let compiled = &self.worker.compiled;
        let other = wanted.filter(|_| hands_over).and_then(|wanted| compiled.listener_at(wanted));
        match other.filter(|other| *other != self.listener_index) {
            Some(other) => {
                let Accepted { stream, mut connection, input, permit } = accepted;
                if let Some(log) = connection.log.take() {
                    log.cancel();
                }
                let other = Rc::new(Self::new(&self.worker, other));
                if let Some(permit) = other.permit(permit.into_descriptor()) {
                    // It stays here, as what filters have found does, and counts where others are placed.
                    let balance = other.listener().balance.as_ref();
                    let permit =
                        permit.with_place(balance.map(|balance| balance.unit(self.worker.id)));
                    let index = other.listener_index;
                    connection.log = ConnectionLog::begin(&self.worker, index, &connection);
                    other.begin(Accepted { stream, connection, input, permit }, Origin::Listener);
                }
            }
            None => self.choose_filter_chain(accepted),
        }
    }

    fn choose_filter_chain(self: Rc<Self>, accepted: Accepted) {
        let listener = self.listener();
        let Accepted { stream, connection: mut info, input, permit } = accepted;
        let chain = listener.find_filter_chain(&info);
        info.id = chain.map_or(0, |_| connection_ids::next());
        if let Some(log) = &info.log {
            log.choose(chain, &info);
        }
        match chain {
            Some(chain) => {
                let counted = Counted::new(&self, chain, permit);
                let transport = Transport::Raw(Rc::new(stream));
                self.admit(NewConnection { transport, info, input }, counted);
            }
            None => {
                listener.stats.of(self.worker.id).no_filter_chain_match.inc();
                info.note(|record| {
                    record.flags.set(ResponseFlag::NoRouteFound);
                    record.details = "filter_chain_not_found";
                });
            }
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
    fn authorize(self: Rc<Self>, mut connection: NewConnection, counted: Counted) {
        let filters = &self.listener().filter_chains[counted.chain].filters;
        match network::authorize(filters, self.worker.id, &mut connection) {
            Ok(()) => self.connected(connection, counted),
            Err(refused) => self.refuse(connection, counted, refused),
        }
    }

    /// Closes a connection, perhaps after a while.
    fn refuse(self: Rc<Self>, connection: NewConnection, counted: Counted, refused: Refused) {
        let NewConnection { transport, info, .. } = connection;
        let tls = transport.tls().cloned();
        let unserved = Unserved { info, tls, refused: Some(refused), transport_failure: None };
        self.count_unserved(unserved, counted.chain, End::Local);
        let Some(delay) = refused.delay else { return };
        runtime::spawn(async move {
            self.hold(transport.stream(), delay).await;
            drop((transport, counted));
        });
    }

    /// Keeps a refused client waiting, unless it leaves. What it says is not looked at.
    async fn hold(&self, stream: &Rc<Stream>, delay: Duration) {
        const READ_BYTES: usize = 512;
        let deadline = Deadline::new(&self.worker.timers, stream, Shutdown::Read);
        deadline.arm(Some(delay));
        let slot = self.worker.connections.register(Interrupt::socket(stream, Shutdown::Both));
        slot.set_idle(true);
        let mut buffer = Buffer::with_capacity(READ_BYTES);
        loop {
            let (read, returned) = stream.read(buffer).await;
            if !matches!(read, Ok(1..)) {
                break;
            }
            buffer = returned;
            buffer.clear();
        }
    }

    /// Counts a connection that its chain's last filter does not get to serve.
    fn count_unserved(&self, connection: Unserved, chain: FilterChainIndex, end: End) {
        let (worker, chain) = (&self.worker, &self.listener().filter_chains[chain]);
        connection.info.note(|record| connection.tell(record));
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
        let NewConnection { transport, info, input } = connection;
        let stream = transport.stream().clone();
        let deadline = Deadline::new(&worker.timers, &stream, Shutdown::Both);
        deadline.arm(tls.connect_timeout);
        // A drain ends a handshake that gets nowhere like a connection without a request.
        let slot = worker.connections.register(Interrupt::socket(&stream, Shutdown::Both));
        slot.set_idle(true);
        let context = worker.server_contexts.get(tls.context);
        let failure = match tls::accept(stream, input, &context, &worker.buffers, ssl).await {
            Ok(tls) => {
                info.note(|record| record.downstream_tls = Some(tls.info().clone()));
                let transport = Transport::Tls(Box::new(tls));
                return Some(NewConnection { transport, info, input: Buffer::default() });
            }
            Err(failure) => failure,
        };
        tracing::debug!(listener = listener.name, ?failure, "no TLS session");
        let timed_out = deadline.fired();
        if timed_out {
            listener.stats.of(worker.id).downstream_cx_transport_socket_connect_timeout.inc();
        }
        let refused = timed_out.then_some(Refused::BY_TIMEOUT);
        let HandshakeFailure { reason: transport_failure, begun: tls } = failure;
        let unserved = Unserved { info, tls, refused, transport_failure };
        self.count_unserved(unserved, chain, if timed_out { End::Local } else { End::Remote });
        None
    }

    /// On the unspecified address, or where the kernel brings connections to others, each connection
    /// has its own local address.
    fn local_address(&self, stream: &Stream, address: &Address) -> Address {
        let has_others =
            |ip: IpAddr| ip.is_unspecified() || self.listener().config.transparent == Some(true);
        match address.ip().is_some_and(has_others) {
            true => stream.local_addr().unwrap_or_else(|_| address.clone()),
            false => address.clone(),
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
        runtime::spawn_large(|| async move {
            match runtime::catch_panic(self.serve(connection, counted.chain)).await {
                Ok(Served::Parked(parked)) => self.park(parked, counted),
                Ok(Served::Http2(begun)) => self.serve_http2(begun, counted),
                Ok(Served::Ended) => {}
                Err(_) => self.worker.stats().connection_panics.inc(),
            }
        });
    }

    fn serve_http2(self: Rc<Self>, begun: downstream_h2::Begun, counted: Counted) {
        let connection = begun.begin();
        runtime::spawn(async move {
            if runtime::catch_panic(connection.serve()).await.is_err() {
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
impl Intake {
    fn permit(&self, descriptor: Option<ConnectionUnit>) -> Option<ConnectionPermit> {
        let listener = self.listener();
        let global = self.worker.compiled.connection_limit.as_ref();
        let global = global.filter(|_| !listener.config.ignore_global_conn_limit);
        let own = listener.connection_limit.as_ref();
        ConnectionPermit::try_take(global, own, descriptor, self.worker.id)
            .map_err(|overflow| self.count_refused(overflow))
            .ok()
    }

    fn count_refused(&self, overflow: Overflow) {
        let stats = self.listener().stats.of(self.worker.id);
        match overflow {
            Overflow::Global => stats.downstream_global_cx_overflow.inc(),
            Overflow::Listener => stats.downstream_cx_overflow.inc(),
        }
    }
}

/// Where a connection comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// The listener's own socket.
    Socket,
    /// A listener that was not the one for it.
    Listener,
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
    intake: Rc<Intake>,
    /// Which filter chain serves it.
    chain: FilterChainIndex,
    opened: Instant,
    /// Given back before the connection leaves the counters: who sees it gone finds room.
    permit: Option<ConnectionPermit>,
    /// Its part of the limits of network filters; given back at the same moment.
    held: Vec<CountedConnection>,
}

impl Counted {
    fn new(intake: &Rc<Intake>, chain: FilterChainIndex, permit: ConnectionPermit) -> Self {
        let (listener, worker) = (intake.listener(), &intake.worker);
        let stats = listener.stats.of(worker.id);
        stats.downstream_cx_total.inc();
        stats.downstream_cx_active.inc();
        Self {
            intake: intake.clone(),
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
        let (listener, worker) = (self.intake.listener(), &self.intake.worker);
        let stats = listener.stats.of(worker.id);
        stats.downstream_cx_active.dec();
        stats.downstream_cx_destroy.inc();
        let length_ms = millis(self.opened.elapsed());
        worker.histograms.record(listener.histograms.downstream_cx_length_ms, length_ms);
    }
}
