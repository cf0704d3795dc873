//! One request on a connection of HTTP/2, in a task of its own.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use ringmain_proto_codec::h1::UnderscoreAction;
use ringmain_proto_codec::h2::server::{Ended, Incoming, IncomingHead, ServerStream};
use ringmain_proto_codec::h2::stream_meter::StreamBytes;
use ringmain_proto_codec::{HeaderMap, KnownHeader};

use super::framing::Unframed;
use super::{Connection, Outgoing};
use crate::http::ResponseFlag;
use crate::http::codec::connection_record::ConnectionRecord;
use crate::http::codec::downstream::{After, Codec, Downstream};
use crate::http::exchange::Exchange;
use crate::http::local_reply;
use crate::router;
use crate::runtime::{Deadline, Interrupt, Notify};

/// A request and its response.
#[derive(Debug)]
pub struct Stream {
    pub(in crate::http::codec) connection: Rc<Connection>,
    pub(super) inner: RefCell<ServerStream<Outgoing>>,
    /// Wakes the task when a deadline fires or receiving ends.
    pub(super) wake: Rc<Notify>,
    /// Ends receiving: what is awaited of the request has not come.
    pub(in crate::http::codec) request_deadline: Deadline,
    /// Ends sending: the client grants no room.
    pub(super) send_deadline: Deadline,
    pub(in crate::http::codec) client: Rc<ClientState>,
    pub(super) trailers: RefCell<Option<Box<HeaderMap>>>,
    /// The rest of the request is not wanted.
    pub(super) stopped: Cell<bool>,
    /// Whether what is sent waits for the client to grant room.
    pub(in crate::http::codec) held_back: Cell<bool>,
    /// Whether what goes over the stream is no HTTP any more.
    pub(super) tunnel: Cell<bool>,
}

/// What is known of a stream's client: whether it is still there, and what is not on its way to it yet.
#[derive(Debug)]
pub struct ClientState {
    /// The stream's number on the connection.
    pub(super) stream: u32,
    pub(super) unframed: Unframed,
    ended: Cell<Option<Ended>>,
    interrupt: RefCell<Option<Interrupt>>,
}

impl ClientState {
    pub(super) fn of(stream: u32) -> Self {
        Self {
            stream,
            unframed: Unframed::default(),
            ended: Cell::default(),
            interrupt: RefCell::default(),
        }
    }

    /// Whether the client has reset the stream or its connection is gone.
    pub fn is_gone(&self) -> bool {
        self.ended.get().is_some()
    }

    /// What ends when the client goes, at once where it has gone already.
    pub fn set_interrupt(&self, interrupt: Option<Interrupt>) {
        match interrupt {
            Some(interrupt) if self.is_gone() => interrupt.fire(),
            interrupt => drop(self.interrupt.replace(interrupt)),
        }
    }

    fn note_ended(&self, ended: Ended) {
        self.ended.set(Some(ended));
        // The crate has forgotten it.
        self.unframed.tell();
        if let Some(interrupt) = self.interrupt.take() {
            interrupt.fire();
        }
    }
}

/// Serves a request to its end.
pub(super) async fn serve(
    connection: &Rc<Connection>,
    Incoming { head, stream: inner }: Incoming<Outgoing>,
) {
    let worker = connection.record.worker.clone();
    let mut exchange = worker.exchanges.take();
    let stream = Stream::new(connection, inner);
    let crumbs = stream.begin(&head, &mut exchange);
    drop(head);
    let after = stream.watched(pin!(stream.answer(crumbs, &mut exchange))).await;
    stream.end(after, &mut exchange).await;
    connection.tails.leave(&stream.client.unframed);
    worker.exchanges.give_back(exchange);
}

impl Stream {
    fn new(connection: &Rc<Connection>, inner: ServerStream<Outgoing>) -> Self {
        let timers = &connection.record.worker.timers;
        let wake = Rc::new(Notify::default());
        Self {
            client: Rc::new(ClientState::of(inner.id())),
            inner: RefCell::new(inner),
            request_deadline: Deadline::of_wait(timers, &wake),
            send_deadline: Deadline::of_wait(timers, &wake),
            wake,
            trailers: RefCell::default(),
            stopped: Cell::new(false),
            held_back: Cell::new(false),
            tunnel: Cell::new(false),
            connection: connection.clone(),
        }
    }

    fn downstream(&self) -> Downstream<'_> {
        let ConnectionRecord { worker, manager, .. } = &self.connection.record;
        Downstream { worker, manager, codec: Codec::Http2(self) }
    }

    fn note_wire_bytes(&self, exchange: &mut Exchange) {
        if let Some(meter) = self.connection.guard.borrow_mut().meter() {
            let StreamBytes { received, sent } = meter.end(self.client.stream);
            exchange.info.downstream_bytes.received = received;
            exchange.info.downstream_bytes.sent = sent;
        }
    }

    /// Notes and counts that a request has begun. Returns the crumbs of its `cookie`.
    fn begin(&self, head: &IncomingHead, exchange: &mut Exchange) -> usize {
        if let Some(meter) = self.connection.guard.borrow_mut().meter() {
            meter.begin(self.client.stream);
        }
        let record = &self.connection.record;
        exchange.info = self.downstream().new_record();
        let proxies_continue = record.manager.config.proxy_100_continue;
        let crumbs = head.write_to(&mut exchange.request, proxies_continue);
        exchange.info.request_parsed = true;
        if exchange.request.body.is_empty() {
            exchange.info.request_received = Some(exchange.info.started);
        }
        record.requests.set(record.requests.get() + 1);
        self.downstream().count_request();
        crumbs
    }

    /// Serves the request, whose `cookie` had so many `crumbs`.
    async fn answer(&self, crumbs: usize, exchange: &mut Exchange) -> After {
        if let Err(details) = self.check_fields(crumbs, exchange) {
            exchange.info.details = details;
            exchange.info.flags.set(ResponseFlag::DownstreamProtocolError);
            exchange.info.reset = true;
            return After::Abort;
        }
        let headers = &exchange.request.headers;
        if headers.get(KnownHeader::Authority).is_none_or(<[u8]>::is_empty) {
            return self.downstream().reply(&local_reply::MISSING_HOST, exchange).await;
        }
        if exchange.request.expect_continue
            && !exchange.request.body.is_empty()
            && self.send_interim_head(100, &HeaderMap::default()).is_ok()
        {
            self.downstream().count_interim(100);
        }
        router::serve(&self.downstream(), exchange).await
    }

    /// The limits on fields that a codec enforces in Envoy; breaking one resets the stream.
    fn check_fields(&self, crumbs: usize, exchange: &mut Exchange) -> Result<(), &'static str> {
        let stats = self.connection.record.worker.http2_stats();
        let options = &self.connection.record.manager.request_options;
        let headers = &mut exchange.request.headers;
        // As they came: joining many crumbs costs as much as many fields do.
        let fields = headers.len() + crumbs.saturating_sub(1);
        if fields > options.limits.headers_max as usize {
            stats.header_overflow.inc();
            return Err("http2.too_many_headers");
        }
        let has_underscore = |headers: &HeaderMap| {
            headers.fields().any(|field| field.known.is_none() && field.name.contains(&b'_'))
        };
        match options.headers_with_underscores {
            UnderscoreAction::Reject if has_underscore(headers) => {
                stats.requests_rejected_with_underscores_in_headers.inc();
                Err("http2.unexpected_underscore")
            }
            UnderscoreAction::Drop if has_underscore(headers) => {
                let before = headers.len();
                headers.retain(|field| !field.name.contains(&b'_'));
                stats.dropped_headers_with_underscores.add((before - headers.len()) as u64);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Does `part` of the work, and notes meanwhile when the client resets the stream. It is pinned where it lies: to
    /// hand it over would copy all of it, and keep room for it twice.
    async fn watched<T>(&self, mut part: Pin<&mut impl Future<Output = T>>) -> T {
        poll_fn(|context| {
            self.note_reset(context);
            part.as_mut().poll(context)
        })
        .await
    }

    /// Asks whether the client has reset the stream.
    fn note_reset(&self, context: &mut Context<'_>) {
        if !self.client.is_gone()
            && let Poll::Ready(ended) = self.inner.borrow_mut().poll_reset(context)
        {
            if ended == Ended::RemoteReset {
                self.connection.record.worker.http2_stats().rx_reset.inc();
            }
            self.client.note_ended(ended);
        }
    }

    /// Says in the record why the client is gone.
    pub fn note_gone(&self, exchange: &mut Exchange) {
        let stats = self.connection.stats();
        let (details, flag) = match self.client.ended.get() {
            None if self.send_deadline.fired() => {
                stats.downstream_rq_idle_timeout.inc();
                ("stream_idle_timeout", ResponseFlag::StreamIdleTimeout)
            }
            // Envoy's words for both.
            Some(Ended::Protocol) => ("http2.remote_reset", ResponseFlag::DownstreamProtocolError),
            None | Some(Ended::RemoteReset) => {
                ("http2.remote_reset", ResponseFlag::DownstreamRemoteReset)
            }
            Some(Ended::ConnectionEnded) => {
                stats.downstream_cx_destroy_active_rq.inc();
                stats.downstream_cx_destroy_remote_active_rq.inc();
                ("downstream_remote_disconnect", ResponseFlag::DownstreamConnectionTermination)
            }
        };
        exchange.info.details = details;
        exchange.info.flags.set(flag);
    }

    /// Counts and logs the request.
    async fn end(&self, after: After, exchange: &mut Exchange) {
        if after == After::Abort && !self.client.is_gone() {
            self.reset();
        }
        if self.connection.record.manager.recorded.wire_bytes {
            if after != After::Abort && !self.client.is_gone() {
                self.watched(pin!(self.connection.all_framed(&self.client))).await;
            }
            self.note_wire_bytes(exchange);
        }
        self.connection.framing.forget(self.client.stream);
        self.downstream().finish(exchange);
        let by_client = self.client.ended.get() == Some(Ended::RemoteReset)
            || exchange.info.flags.has(ResponseFlag::DownstreamProtocolError);
        let lifetime = self.connection.record.manager.config.http2.premature_reset_lifetime;
        self.connection.note_stream_over(by_client && exchange.info.elapsed() < lifetime);
    }
}
