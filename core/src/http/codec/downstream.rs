//! A request's client as filters and the router see it, whatever version of HTTP it speaks.
//!
//! A codec reads the request's head and makes a [`Downstream`] for the time that the request lasts.
//! Who serves the request takes its body from there, piece by piece and without framing, and sends
//! the response there: framing, keep-alive and resets are the codec's own affair.

use std::rc::Rc;
use std::time::Instant;

use ringmain_proto_codec::h1::Version;
use ringmain_proto_codec::{ChunkError, HeaderMap};

use super::body::Ending;
use super::downstream_h1;
use super::downstream_h2::{self, ClientState};
use crate::access_log::{AccessLogType, Evaluator};
use crate::http::exchange::Exchange;
use crate::http::filter::FilterReply;
use crate::http::filter_chain;
use crate::http::local_reply::{self, LocalReply, Reply};
use crate::http::response_headers::prepare_interim;
use crate::http::response_pace::ResponsePace;
use crate::http::stream::{StreamInfo, millis};
use crate::http::{ConnectionManager, ResponseFlag};
use crate::runtime::{Buffer, Deadline, Interrupt, Watch};
use crate::server::Worker;
use crate::stats::scopes::HttpStats;

/// The client's side of one request.
#[derive(Debug, Clone, Copy)]
pub struct Downstream<'a> {
    /// The worker it is served on.
    pub worker: &'a Rc<Worker>,
    /// The connection manager of its filter chain.
    pub manager: &'a ConnectionManager,
    pub(super) codec: Codec<'a>,
}

/// What the client speaks.
#[derive(Debug, Clone, Copy)]
pub(super) enum Codec<'a> {
    Http1(&'a downstream_h1::Connection),
    Http2(&'a downstream_h2::Stream),
}

/// What follows a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// The next request.
    KeepAlive,
    /// We close: the response said so.
    Close,
    /// The client is gone, or must see that the response is broken.
    Abort,
}

/// The client does not take what we send, or is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

/// A piece of the request's body.
#[derive(Debug)]
pub struct Received {
    /// Its bytes, without framing; may be none.
    pub data: Buffer,
    /// Whether the body ends with it; trailers are then in [`Downstream::take_trailers`].
    pub last: bool,
}

/// Why there is no next piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiveError {
    /// The client ended the request before its end.
    Gone,
    /// The framing is broken.
    Broken(ChunkError),
    /// [`Downstream::request_deadline`] has fired.
    TimedOut,
}

/// A client being watched.
#[derive(Debug)]
pub enum ClientWatch {
    /// It has the connection to itself.
    Socket(Watch),
    /// It has a stream of a connection.
    Stream(Rc<ClientState>),
}

impl ClientWatch {
    /// Whether the client has gone.
    pub fn client_gone(&self) -> bool {
        match self {
            Self::Socket(watch) => watch.client_gone(),
            Self::Stream(client) => client.is_gone(),
        }
    }
}

impl Drop for ClientWatch {
    fn drop(&mut self) {
        if let Self::Stream(client) = self {
            client.set_interrupt(None);
        }
    }
}

impl<'a> Downstream<'a> {
    /// Whether the client speaks HTTP/2.
    pub fn is_http2(&self) -> bool {
        matches!(self.codec, Codec::Http2(_))
    }

    /// This worker's counters of the connection manager.
    pub fn stats(&self) -> &'a HttpStats {
        self.manager.stats.of(self.worker.id)
    }

    /// Counts a client that breaks the rules of its protocol, and notes it of its connection.
    pub fn count_protocol_error(&self) {
        let record = match self.codec {
            Codec::Http1(connection) => &connection.record,
            Codec::Http2(stream) => &stream.connection.record,
        };
        record.count_protocol_error();
    }

    /// Sends a reply of our own.
    pub async fn reply(&self, reply: &LocalReply, exchange: &mut Exchange) -> After {
        exchange.info.details = reply.details;
        reply.flag_into(&mut exchange.info.flags);
        let parts = Reply { status: reply.status, body: reply.body.as_bytes(), location: None };
        self.reply_with(&parts, exchange).await
    }

    /// Sends a reply of an HTTP filter.
    pub async fn reply_of_filter(&self, made: &FilterReply<'_>, exchange: &mut Exchange) -> After {
        let reply = &made.reply;
        exchange.info.details = reply.details;
        reply.flag_into(&mut exchange.info.flags);
        let body = if made.body.is_empty() { reply.body } else { made.body };
        let parts = Reply { status: reply.status, body: body.as_bytes(), location: None };
        self.send_reply(&parts, Some(made), exchange).await
    }

    /// Sends a reply whose parts come from the configuration.
    pub async fn reply_with(&self, reply: &Reply<'_>, exchange: &mut Exchange) -> After {
        self.send_reply(reply, None, exchange).await
    }

    async fn send_reply(
        &self,
        reply: &Reply<'_>,
        of_filter: Option<&FilterReply<'_>>,
        exchange: &mut Exchange,
    ) -> After {
        if reply.status == 400 && !self.manager.config.stream_error_on_invalid_http_message {
            // As in Envoy: who sends what is no good request may have lost the thread.
            exchange.request.keep_alive = false;
        }
        let body = local_reply::compose(self.manager, self.worker, reply, of_filter, exchange);
        let buffer = self.worker.buffers.holding(&body);
        let buffer = match body.is_empty() {
            true => buffer,
            false => filter_chain::on_response_data(self.worker, exchange, buffer, true),
        };
        exchange.info.bytes_sent += buffer.len() as u64;
        let (sent, buffer) =
            self.send_head(exchange, buffer, Some(Ending { trailers: None })).await;
        self.worker.buffers.give_back(buffer);
        if self.manager.recorded.times {
            exchange.info.times.downstream_tx_end = Some(Instant::now());
        }
        match sent {
            // Other replies are sent at once, and nobody waits for what becomes of them.
            Err(Gone) if exchange.filters.pace.is_some() => self.client_gone(exchange),
            sent => sent.unwrap_or(After::Abort),
        }
    }

    /// Sends the interim response (RFC 9110 §15.2) in `exchange.response`. Whether the client is still there
    /// is found out by the next look.
    pub async fn send_interim(&self, exchange: &mut Exchange) {
        if exchange.request.version == Version::Http10 {
            // RFC 9110 §15.2: it knows none.
            return;
        }
        prepare_interim(&mut exchange.response.headers);
        self.count_interim(exchange.response.status);
        match self.codec {
            Codec::Http1(connection) => connection.send_interim(exchange).await,
            Codec::Http2(stream) => stream.send_interim(&exchange.response),
        }
    }

    /// Counts an interim response.
    pub(super) fn count_interim(&self, status: u16) {
        let worker = self.worker.id;
        self.manager.responses.of(worker).count(status);
        self.manager.listener_responses.of(worker).count(status);
    }

    /// Sends the head in `exchange.response`, whose headers are those of every version, with the
    /// first piece of its body, and its end behind that where `ending` says so. Says what follows the
    /// response. A buffer comes back for others to use.
    pub async fn send_head(
        &self,
        exchange: &mut Exchange,
        first: Buffer,
        ending: Option<Ending<'_>>,
    ) -> (Result<After, Gone>, Buffer) {
        match exchange.filters.pace.clone().filter(|_| !first.is_empty()) {
            // Its own memory: it is rare, and each connection would hold room for it.
            Some(pace) => Box::pin(self.send_paced_head(exchange, &pace, first, ending)).await,
            None => self.send_head_at_once(exchange, first, ending).await,
        }
    }

    pub(super) async fn send_head_at_once(
        &self,
        exchange: &mut Exchange,
        first: Buffer,
        ending: Option<Ending<'_>>,
    ) -> (Result<After, Gone>, Buffer) {
        match self.codec {
            Codec::Http1(connection) => connection.send_head(exchange, first, ending).await,
            Codec::Http2(stream) => stream.send_head(exchange, first, ending).await,
        }
    }

    /// Sends the next piece of the response's body, and its end behind it where `ending` says so. `pace` is
    /// that of the exchange.
    pub async fn send_data(
        &self,
        pace: Option<&ResponsePace>,
        piece: Buffer,
        ending: Option<Ending<'_>>,
    ) -> (Result<(), Gone>, Buffer) {
        match pace {
            // As above.
            Some(pace) => Box::pin(self.send_paced_data(pace, piece, ending)).await,
            None => self.send_data_at_once(piece, ending).await,
        }
    }

    pub(super) async fn send_data_at_once(
        &self,
        piece: Buffer,
        ending: Option<Ending<'_>>,
    ) -> (Result<(), Gone>, Buffer) {
        match self.codec {
            Codec::Http1(connection) => connection.send_data(piece, ending).await,
            Codec::Http2(stream) => stream.send_data(piece, ending).await,
        }
    }

    /// Whether what is being sent waits for the client, which takes nothing.
    pub fn is_held_back(&self) -> bool {
        match self.codec {
            Codec::Http1(connection) => connection.stream().is_held_back(),
            Codec::Http2(stream) => stream.held_back.get(),
        }
    }

    /// The rest of the response will not come: the client must see that.
    pub async fn break_off(&self) {
        match self.codec {
            Codec::Http1(connection) => connection.break_off(),
            Codec::Http2(stream) => stream.break_off().await,
        }
    }

    /// What follows a response that was broken off. Where HTTP was over there is nothing that the
    /// client could take for whole, so its connection may end well.
    pub fn after_broken_off(&self, exchange: &Exchange) -> After {
        match self.codec {
            Codec::Http1(_) if exchange.leaves_http() => After::Close,
            Codec::Http1(_) | Codec::Http2(_) => After::Abort,
        }
    }

    /// What of the request's body has come with its head.
    pub fn body_at_hand(&self) -> Result<Received, ChunkError> {
        match self.codec {
            Codec::Http1(connection) => connection.body_at_hand(),
            Codec::Http2(stream) => Ok(stream.body_at_hand()),
        }
    }

    /// Waits for the next piece of the request's body, which is not over.
    pub async fn receive(&self) -> Result<Received, ReceiveError> {
        match self.codec {
            Codec::Http1(connection) => connection.receive().await,
            Codec::Http2(stream) => stream.receive().await,
        }
    }

    /// The request's trailers, where they have come and are passed on.
    pub fn take_trailers(&self) -> Option<Box<HeaderMap>> {
        match self.codec {
            Codec::Http1(connection) => connection.take_trailers(),
            Codec::Http2(stream) => stream.take_trailers(),
        }
    }

    /// Bytes of the request's body as they came, framing included, since the last call; none in HTTP/2, where
    /// the connection counts them.
    pub fn take_wire_bytes(&self) -> u64 {
        match self.codec {
            Codec::Http1(connection) => connection.take_wire_bytes(),
            Codec::Http2(_) => 0,
        }
    }

    /// Ends [`Downstream::receive`].
    pub fn request_deadline(&self) -> &'a Deadline {
        match self.codec {
            Codec::Http1(connection) => connection.request_deadline(),
            Codec::Http2(stream) => &stream.request_deadline,
        }
    }

    /// The response is over and the request's body is not. `answered`: the client has a response to
    /// read. Receiving ends soon; what comes until then is to be thrown away.
    pub fn stop_receiving(&self, answered: bool) {
        match self.codec {
            Codec::Http1(connection) => connection.stop_receiving(answered),
            Codec::Http2(stream) => stream.stop_receiving(),
        }
    }

    /// Whether the client has gone.
    pub fn is_gone(&self) -> bool {
        match self.codec {
            Codec::Http1(connection) => connection.stream().is_peer_gone(),
            Codec::Http2(stream) => stream.client.is_gone(),
        }
    }

    /// Fires `interrupt` when the client goes, as long as the guard lives.
    pub fn watch(&self, interrupt: Interrupt) -> ClientWatch {
        match self.codec {
            Codec::Http1(connection) => {
                ClientWatch::Socket(self.worker.watches.watch(connection.stream(), interrupt))
            }
            Codec::Http2(stream) => {
                stream.client.set_interrupt(Some(interrupt));
                ClientWatch::Stream(stream.client.clone())
            }
        }
    }

    /// Notes that nobody waits for the response any more.
    pub fn client_gone(&self, exchange: &mut Exchange) -> After {
        exchange.info.reset = true;
        self.note_gone(exchange);
        After::Abort
    }

    /// Notes that the client has gone before the end of its response.
    pub fn note_gone(&self, exchange: &mut Exchange) {
        match self.codec {
            Codec::Http1(_) => {
                let stats = self.stats();
                stats.downstream_cx_destroy_active_rq.inc();
                stats.downstream_cx_destroy_remote_active_rq.inc();
                exchange.info.flags.set(ResponseFlag::DownstreamConnectionTermination);
                exchange.info.details = "downstream_remote_disconnect";
            }
            Codec::Http2(stream) => stream.note_gone(exchange),
        }
    }

    /// The record of a request that begins now.
    pub fn new_record(&self) -> StreamInfo {
        let record = match self.codec {
            Codec::Http1(connection) => &connection.record,
            Codec::Http2(stream) => &stream.connection.record,
        };
        let mut info = StreamInfo::begin(&record.info);
        info.downstream_tls.clone_from(&record.tls);
        info.connection_buckets = Some(record.buckets.clone());
        info
    }

    /// Counts a request that begins.
    pub fn count_request(&self) {
        let stats = self.stats();
        stats.downstream_rq_total.inc();
        match self.codec {
            Codec::Http1(_) => stats.downstream_rq_http1_total.inc(),
            Codec::Http2(_) => stats.downstream_rq_http2_total.inc(),
        }
        stats.downstream_rq_active.inc();
    }

    /// Counts and logs a request that is over.
    pub(super) fn finish(&self, exchange: &mut Exchange) {
        let info = &exchange.info;
        let stats = self.stats();
        if info.upgrade {
            stats.downstream_cx_upgrades_active.dec();
        }
        if info.request_received.is_none() || info.reset {
            stats.downstream_rq_rx_reset.inc();
        }
        if info.response_code != 0 && !info.health_check {
            let worker = self.worker.id;
            self.manager.responses.of(worker).count(info.response_code);
            self.manager.listener_responses.of(worker).count(info.response_code);
        }
        self.finish_hop(exchange);
    }

    /// Counts and logs a request as far as there may be more of it, under another name.
    pub fn finish_hop(&self, exchange: &mut Exchange) {
        filter_chain::on_end(self.manager, self.worker, exchange);
        self.stats().downstream_rq_active.dec();
        let info = &exchange.info;
        self.worker
            .histograms
            .record(self.manager.histograms.downstream_rq_time, millis(info.elapsed()));
        self.log(exchange, AccessLogType::DownstreamEnd);
    }

    /// Writes a line to each access log.
    pub fn log(&self, exchange: &Exchange, log_type: AccessLogType) {
        if self.manager.access_logs.is_empty() {
            return;
        }
        let compiled = &self.worker.compiled;
        let evaluator = Evaluator::new(exchange, self.manager, compiled, log_type);
        for log in &self.manager.access_logs {
            log.log(&evaluator, self.worker);
        }
    }
}
