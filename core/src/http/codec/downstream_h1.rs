//! The downstream side of HTTP/1.1: one task a connection, one request after the other.

mod record;
mod waiting;

use std::cell::Cell;
use std::io;
use std::net::Shutdown;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringmain_config::overload::OverloadActionKind;
use ringmain_proto_codec::RequestError;
use ringmain_proto_codec::h1::HeadProgress;

use crate::access_log::{AccessLogType, Evaluator};
use crate::http::exchange::Exchange;
use crate::http::filter::FilterReply;
use crate::http::filter_chain;
use crate::http::header_bytes;
use crate::http::local_reply::{self, LocalReply, Reply};
use crate::http::stream::{StreamInfo, millis};
use crate::http::{ConnectionManager, ResponseFlag};
use crate::listener::{ConnectionSlot, NewConnection};
use crate::router;
use crate::runtime::{Buffer, Deadline, Patience, Stream};
use crate::server::Worker;
use crate::stats::scopes::HttpStats;
use crate::transport_socket::Transport;
use record::{ConnectionRecord, End};
use waiting::Waited;
pub use waiting::{Arrived, ParkedConnection};

/// A downstream connection and what its requests share.
#[derive(Debug)]
pub struct Downstream<'a> {
    /// The worker it lives on.
    pub worker: &'a Rc<Worker>,
    /// The connection manager of its filter chain.
    pub manager: &'a ConnectionManager,
    /// Its bytes.
    pub transport: Transport,
    /// Ends reading: what is awaited from the client has not come.
    pub read_deadline: Deadline,
    /// Ends both directions: the client does not take what we send.
    pub write_deadline: Deadline,
    /// Bytes received and not yet used.
    pub input: Buffer,
    patience: Patience,
    slot: ConnectionSlot,
    record: ConnectionRecord,
    /// Bytes sent since the request under way was begun.
    sent: Cell<u64>,
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

/// What came instead of a request.
enum Awaited {
    Request,
    Refused(RequestError),
    TimedOut(LocalReply),
    Closed,
}

/// Serves a connection until either side ends it, or until it has waited for its next request so
/// long that it is parked.
pub async fn serve(
    worker: &Rc<Worker>,
    manager: &Arc<ConnectionManager>,
    arrived: Arrived,
) -> Option<ParkedConnection> {
    let mut downstream = Downstream::new(worker, manager, arrived);
    let mut after = After::KeepAlive;
    while after == After::KeepAlive {
        if downstream.input.is_empty() {
            match downstream.await_first_bytes().await {
                Waited::Begun => {}
                Waited::Ended => break,
                Waited::Long => return Some(downstream.park()),
            }
        }
        let mut exchange = worker.exchanges.take();
        after = downstream.serve_next(&mut exchange).await;
        worker.exchanges.give_back(exchange);
    }
    if after == After::Close {
        downstream.record.end = End::Local;
        downstream.delayed_close().await;
    }
    worker.buffers.give_back(downstream.input);
    None
}

impl<'a> Downstream<'a> {
    fn new(worker: &'a Rc<Worker>, manager: &'a Arc<ConnectionManager>, arrived: Arrived) -> Self {
        let (parked, input) = match arrived {
            Arrived::Parked(parked) => (parked, Buffer::default()),
            Arrived::New(NewConnection { transport, info, input }) => {
                let stream = transport.stream();
                let parked = ParkedConnection {
                    read_deadline: Deadline::new(&worker.timers, stream, Shutdown::Read),
                    slot: worker.connections.register(stream.clone()),
                    record: ConnectionRecord::open(worker, manager, info),
                    transport,
                };
                (parked, input)
            }
        };
        let ParkedConnection { transport, read_deadline, slot, mut record } = parked;
        if !input.is_empty() {
            // The request has begun while listener filters looked.
            record.begin();
            let stats = manager.stats.of(worker.id);
            stats.downstream_cx_rx_bytes_total.add(input.len() as u64);
        }
        Self {
            worker,
            manager,
            read_deadline,
            write_deadline: Deadline::new(&worker.timers, transport.stream(), Shutdown::Both),
            patience: Patience::new(&worker.timers),
            transport,
            input,
            slot,
            record,
            sent: Cell::new(0),
        }
    }

    /// This worker's counters of the connection manager.
    pub fn stats(&self) -> &'a HttpStats {
        self.manager.stats.of(self.worker.id)
    }

    /// The socket.
    pub fn stream(&self) -> &Rc<Stream> {
        self.transport.stream()
    }

    /// Appends what arrives to `buffer`. An error is told as the end, and so is anything once the
    /// deadline for reading has passed.
    pub async fn read(&self, buffer: Buffer) -> (usize, Buffer) {
        let (result, buffer) = self.transport.read(buffer).await;
        let count = result.unwrap_or(0);
        self.stats().downstream_cx_rx_bytes_total.add(count as u64);
        // A socket that is shut down still yields what keeps coming.
        if self.read_deadline.fired() { (0, buffer) } else { (count, buffer) }
    }

    /// Sends all of `buffer`.
    pub async fn write(&self, buffer: Buffer) -> (Result<(), Gone>, Buffer) {
        self.write_deadline.arm(self.manager.config.stream_idle_timeout);
        let (result, buffer) = self.transport.write_all(buffer).await;
        self.write_deadline.disarm();
        self.sent.set(self.sent.get() + buffer.len() as u64);
        self.stats().downstream_cx_tx_bytes_total.add(buffer.len() as u64);
        (result.map_err(|_: io::Error| Gone), buffer)
    }

    /// Reads more into `input`, which grows where a head needs it.
    async fn fill(&mut self) -> usize {
        let mut input = std::mem::take(&mut self.input);
        if input.room() == 0 {
            input.compact();
        }
        if input.room() == 0 {
            input = input.doubled();
        }
        let (count, input) = self.read(input).await;
        self.input = input;
        count
    }

    async fn serve_next(&mut self, exchange: &mut Exchange) -> After {
        exchange.info = StreamInfo::begin(self.record.id, &self.record.info);
        let awaited = self.await_head(exchange).await;
        self.record.requests += 1;
        let stats = self.stats();
        stats.downstream_rq_total.inc();
        stats.downstream_rq_http1_total.inc();
        stats.downstream_rq_active.inc();
        let after = match awaited {
            Awaited::Request => self.serve_request(exchange).await,
            Awaited::Refused(error) => self.refuse(&error, exchange).await,
            Awaited::TimedOut(reply) => self.reply_and_close(&reply, exchange).await,
            Awaited::Closed => {
                exchange.info.flags.set(ResponseFlag::DownstreamConnectionTermination);
                exchange.info.details = "downstream_remote_disconnect";
                stats.downstream_cx_destroy_active_rq.inc();
                stats.downstream_cx_destroy_remote_active_rq.inc();
                exchange.request.clear();
                After::Abort
            }
        };
        stats.downstream_rq_active.dec();
        self.finish(exchange);
        after
    }

    /// Reads until the head is complete.
    async fn await_head(&mut self, exchange: &mut Exchange) -> Awaited {
        let mut progress = HeadProgress::default();
        let mut armed = false;
        let mut arrived_at_once = true;
        loop {
            let options = &self.manager.request_options;
            match exchange.request.parse(self.input.bytes(), &mut progress, options) {
                Ok(Some(consumed)) => {
                    let received = &mut exchange.info.downstream_bytes;
                    received.received += consumed as u64;
                    if self.manager.recorded.header_bytes {
                        let head = &self.input.bytes()[..consumed];
                        received.headers_received = header_bytes::received(head);
                    }
                    self.input.consume(consumed);
                    self.read_deadline.disarm();
                    exchange.info.request_parsed = true;
                    if exchange.request.body.is_empty() {
                        let started = exchange.info.started;
                        let received = if arrived_at_once { started } else { Instant::now() };
                        exchange.info.request_received = Some(received);
                    }
                    return Awaited::Request;
                }
                Ok(None) => {}
                Err(error) => return Awaited::Refused(error),
            }
            if !armed {
                self.read_deadline.arm(self.head_limit());
                armed = true;
            }
            arrived_at_once = false;
            if self.fill().await == 0 {
                return if self.read_deadline.fired() {
                    self.head_timed_out()
                } else {
                    Awaited::Closed
                };
            }
        }
    }

    fn head_limit(&self) -> Option<Duration> {
        let config = &self.manager.config;
        [config.request_headers_timeout, config.request_timeout, config.stream_idle_timeout]
            .into_iter()
            .flatten()
            .min()
    }

    fn head_timed_out(&self) -> Awaited {
        let config = &self.manager.config;
        let limit = self.head_limit();
        if limit == config.request_headers_timeout {
            self.stats().downstream_rq_header_timeout.inc();
            Awaited::TimedOut(local_reply::REQUEST_HEADER_TIMEOUT)
        } else if limit == config.request_timeout {
            self.stats().downstream_rq_timeout.inc();
            Awaited::TimedOut(local_reply::REQUEST_TIMEOUT)
        } else {
            self.stats().downstream_rq_idle_timeout.inc();
            Awaited::TimedOut(local_reply::REQUEST_IDLE)
        }
    }

    async fn refuse(&mut self, error: &RequestError, exchange: &mut Exchange) -> After {
        exchange.info.downstream_bytes.received += self.input.len() as u64;
        let stats = self.stats();
        if error.is_codec_error() {
            stats.downstream_cx_protocol_error.inc();
        } else {
            exchange.info.request_received = Some(exchange.info.started);
        }
        if *error == RequestError::FragmentInTarget {
            stats.downstream_rq_failed_path_normalization.inc();
        }
        let reply = LocalReply {
            status: error.status(),
            body: error.body(),
            details: error.details(),
            flag: error.is_codec_error().then_some(ResponseFlag::DownstreamProtocolError),
        };
        // What Envoy finds after its codec is answered and logged like a request.
        exchange.info.request_parsed = !error.is_codec_error();
        if error.is_codec_error() {
            exchange.request.clear();
        }
        self.reply_and_close(&reply, exchange).await
    }

    async fn reply_and_close(&mut self, reply: &LocalReply, exchange: &mut Exchange) -> After {
        exchange.request.keep_alive = false;
        self.reply(reply, exchange).await
    }

    /// Sends a reply of our own.
    pub async fn reply(&mut self, reply: &LocalReply, exchange: &mut Exchange) -> After {
        exchange.info.details = reply.details;
        reply.flag_into(&mut exchange.info.flags);
        let parts = Reply { status: reply.status, body: reply.body.as_bytes(), location: None };
        self.reply_with(&parts, exchange).await
    }

    /// Sends a reply of an HTTP filter.
    pub async fn reply_of_filter(
        &mut self,
        made: &FilterReply<'_>,
        exchange: &mut Exchange,
    ) -> After {
        let reply = &made.reply;
        exchange.info.details = reply.details;
        reply.flag_into(&mut exchange.info.flags);
        let body = if made.body.is_empty() { reply.body } else { made.body };
        let parts = Reply { status: reply.status, body: body.as_bytes(), location: None };
        self.send_reply(&parts, Some(made), exchange).await
    }

    /// Sends a reply whose parts come from the configuration.
    pub async fn reply_with(&mut self, reply: &Reply<'_>, exchange: &mut Exchange) -> After {
        self.send_reply(reply, None, exchange).await
    }

    async fn send_reply(
        &mut self,
        reply: &Reply<'_>,
        of_filter: Option<&FilterReply<'_>>,
        exchange: &mut Exchange,
    ) -> After {
        if reply.status == 400 {
            // As in Envoy: who sends what is no good request may have lost the thread.
            exchange.request.keep_alive = false;
        }
        let closes = self.closes_after(exchange);
        local_reply::compose(self.manager, self.worker, reply, of_filter, exchange, closes);
        let mut buffer = self.worker.buffers.small();
        if !buffer.append(&exchange.encoded) {
            buffer = Buffer::with_capacity(exchange.encoded.len());
            let fits = buffer.append(&exchange.encoded);
            debug_assert!(fits, "made to measure");
        }
        let recorded = self.manager.recorded;
        if recorded.header_bytes {
            exchange.info.downstream_bytes.headers_sent = header_bytes::sent(&exchange.encoded);
        }
        exchange.info.times.downstream_tx_begin = recorded.times.then(Instant::now);
        let (written, buffer) = self.write(buffer).await;
        exchange.info.times.downstream_tx_end = recorded.times.then(Instant::now);
        self.worker.buffers.give_back(buffer);
        match written {
            Err(Gone) => After::Abort,
            Ok(()) if closes => After::Close,
            Ok(()) => After::KeepAlive,
        }
    }

    /// Whether the connection ends with this response.
    pub fn closes_after(&self, exchange: &Exchange) -> bool {
        let config = &self.manager.config;
        let spent =
            config.max_requests_per_connection.is_some_and(|max| self.record.requests >= max);
        if spent {
            self.stats().downstream_cx_max_requests_reached.inc();
        }
        let expired = self.is_expired();
        if self.worker.drain.closes(self.manager.traffic_direction) {
            self.stats().downstream_cx_drain_close.inc();
            return true;
        }
        if self.worker.overloaded(OverloadActionKind::DisableHttpKeepalive) {
            self.stats().downstream_cx_overload_disable_keepalive.inc();
            return true;
        }
        let incomplete = exchange.info.request_received.is_none();
        if incomplete {
            self.stats().downstream_rq_response_before_rq_complete.inc();
        }
        spent || expired || incomplete || !exchange.request.keep_alive
    }

    async fn serve_request(&mut self, exchange: &mut Exchange) -> After {
        let waits = exchange.request.expect_continue && !exchange.request.body.is_empty();
        if waits && !self.send_continue().await {
            return After::Abort;
        }
        router::serve(self, exchange).await
    }

    /// RFC 9110 §10.1.1: the client waits for this before it sends the body.
    async fn send_continue(&self) -> bool {
        let mut buffer = self.worker.buffers.small();
        let fits = buffer.append(b"HTTP/1.1 100 Continue\r\n\r\n");
        debug_assert!(fits, "a small buffer holds it");
        let (result, buffer) = self.write(buffer).await;
        self.worker.buffers.give_back(buffer);
        self.manager.responses.of(self.worker.id).count(100);
        result.is_ok()
    }

    /// Notes that nobody waits for the response any more.
    pub fn client_gone(&self, exchange: &mut Exchange) -> After {
        let stats = self.stats();
        stats.downstream_cx_destroy_active_rq.inc();
        stats.downstream_cx_destroy_remote_active_rq.inc();
        exchange.info.reset = true;
        exchange.info.flags.set(ResponseFlag::DownstreamConnectionTermination);
        exchange.info.details = "downstream_remote_disconnect";
        After::Abort
    }

    /// Counts and logs a request that is over.
    fn finish(&self, exchange: &mut Exchange) {
        filter_chain::on_end(self.manager, self.worker, exchange);
        exchange.info.downstream_bytes.sent = self.sent.take();
        let info = &exchange.info;
        let stats = self.stats();
        if info.request_received.is_none() || info.reset {
            stats.downstream_rq_rx_reset.inc();
        }
        if info.response_code != 0 && !info.health_check {
            let worker = self.worker.id;
            self.manager.responses.of(worker).count(info.response_code);
            self.manager.listener_responses.of(worker).count(info.response_code);
        }
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

    /// After a response that ends the connection: says so, then waits a little for the client to
    /// close first, so that what it still sends does not destroy the response on its way
    /// (RFC 9112 §9.6).
    async fn delayed_close(&mut self) {
        self.transport.end_writing();
        let Some(limit) = self.manager.config.delayed_close_timeout else { return };
        self.read_deadline.arm(Some(limit));
        loop {
            let mut input = std::mem::take(&mut self.input);
            input.clear();
            let (count, input) = self.read(input).await;
            self.input = input;
            if count == 0 {
                break;
            }
        }
        if self.read_deadline.fired() {
            self.stats().downstream_cx_delayed_close_timeout.inc();
        }
    }
}
