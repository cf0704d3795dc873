//! The downstream side of HTTP/1.1: one task a connection, one request after the other.

mod closing;
mod first_bytes;
mod request_body;
mod response;
mod waiting;

use std::cell::{Cell, RefCell};
use std::io;
use std::net::Shutdown;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringmain_proto_codec::RequestError;
use ringmain_proto_codec::h1::{BodyLength, HeadProgress};

use super::body::BodyReader;
use super::connection_record::ConnectionRecord;
pub use super::connection_record::End;
use super::downstream::{After, Codec, Downstream, Gone};
use super::downstream_h2;
use crate::http::exchange::Exchange;
use crate::http::header_bytes;
use crate::http::local_reply::{self, LocalReply};
use crate::http::{ConnectionManager, ResponseFlag};
use crate::listener::{ConnectionInfo, ConnectionSlot, NewConnection};
use crate::router;
use crate::runtime::{Buffer, Deadline, Interrupt, Patience, Stream};
use crate::server::Worker;
use crate::stats::scopes::HttpStats;
use crate::transport_socket::Transport;
use closing::Receiving;
use response::ResponsePlan;
use waiting::Waited;
pub use waiting::{Arrived, ParkedConnection};

/// A downstream connection, and of its request under way what the framing needs.
#[derive(Debug)]
pub struct Connection {
    transport: Transport,
    /// Ends reading: what is awaited from the client has not come.
    pub(super) read_deadline: Deadline,
    /// Ends both directions: the client does not take what we send.
    write_deadline: Deadline,
    /// Bytes received and not yet used.
    input: RefCell<Buffer>,
    patience: Patience,
    slot: ConnectionSlot,
    pub(super) record: ConnectionRecord,
    /// The body of the request under way.
    body: RefCell<BodyReader>,
    /// How its response goes out.
    plan: Cell<ResponsePlan>,
    /// Bytes of its body received and not yet told.
    body_wire_bytes: Cell<u64>,
    /// Bytes sent since it was begun.
    sent: Cell<u64>,
    /// Its client has said that nothing follows it.
    is_clients_last: Cell<bool>,
    receiving: Cell<Receiving>,
}

/// What came instead of a request.
enum Awaited {
    Request,
    Refused(RequestError),
    TimedOut(LocalReply),
    Closed,
}

/// What serving a connection came to.
#[derive(Debug)]
pub enum Served {
    /// It is over.
    Ended,
    /// It has waited for its next request so long that it is parked.
    Parked(ParkedConnection),
    /// It speaks HTTP/2.
    Http2(downstream_h2::Begun),
}

/// Serves a connection for as long as it speaks HTTP/1 and is not parked.
pub async fn serve(
    worker: &Rc<Worker>,
    manager: &Arc<ConnectionManager>,
    arrived: Arrived,
) -> Served {
    let connection = Connection::new(worker, manager, arrived);
    let mut after = After::KeepAlive;
    let mut client_is_done = false;
    while after == After::KeepAlive {
        if connection.input.borrow().is_empty() {
            match connection.await_first_bytes().await {
                Waited::Begun => {}
                Waited::Ended => break,
                Waited::Long => return Served::Parked(connection.park()),
            }
        }
        if connection.speaks_http2().await {
            return Served::Http2(connection.into_http2());
        }
        let mut exchange = worker.exchanges.take();
        after = connection.serve_next(&mut exchange).await;
        client_is_done = connection.client_is_done(&exchange);
        worker.exchanges.give_back(exchange);
    }
    if after == After::Close {
        connection.record.end.set(End::Local);
        if !client_is_done {
            connection.delayed_close().await;
        }
    }
    worker.buffers.give_back(connection.input.take());
    Served::Ended
}

/// Counts a connection that serves nothing: without a session, where it was to have TLS, or refused.
pub fn count_unserved(
    worker: &Rc<Worker>,
    manager: &Arc<ConnectionManager>,
    info: ConnectionInfo,
    is_tls: bool,
    end: End,
) {
    ConnectionRecord::count_unserved(worker, manager, info, is_tls, end);
}

impl Connection {
    fn new(worker: &Rc<Worker>, manager: &Arc<ConnectionManager>, arrived: Arrived) -> Self {
        let (parked, input) = match arrived {
            Arrived::Parked(parked) => (parked, Buffer::default()),
            Arrived::New(NewConnection { transport, info, input, .. }) => {
                let stream = transport.stream();
                let parked = ParkedConnection {
                    read_deadline: Deadline::new(&worker.timers, stream, Shutdown::Read),
                    slot: worker.connections.register(Interrupt::socket(stream, Shutdown::Read)),
                    record: ConnectionRecord::open(worker, manager, info, transport.tls().cloned()),
                    transport,
                };
                (parked, input)
            }
        };
        let ParkedConnection { transport, read_deadline, slot, record } = parked;
        if !input.is_empty() {
            // The request has begun while listener filters looked.
            record.count_received(input.len());
        }
        Self {
            read_deadline,
            write_deadline: Deadline::new(&worker.timers, transport.stream(), Shutdown::Both),
            patience: Patience::new(&worker.timers),
            transport,
            input: RefCell::new(input),
            slot,
            record,
            body: RefCell::new(BodyReader::new(BodyLength::None, false)),
            plan: Cell::default(),
            body_wire_bytes: Cell::new(0),
            sent: Cell::new(0),
            is_clients_last: Cell::new(false),
            receiving: Cell::default(),
        }
    }

    fn stats(&self) -> &HttpStats {
        self.record.manager.stats.of(self.record.worker.id)
    }

    /// The socket.
    pub(super) fn stream(&self) -> &Rc<Stream> {
        self.transport.stream()
    }

    /// The client's side of the request under way.
    fn downstream(&self) -> Downstream<'_> {
        let ConnectionRecord { worker, manager, .. } = &self.record;
        Downstream { worker, manager, codec: Codec::Http1(self) }
    }

    /// Appends what arrives to `buffer`. An error is told as the end, and so is anything once the
    /// deadline for reading has passed.
    async fn read(&self, buffer: Buffer) -> (usize, Buffer) {
        let (result, buffer) = self.transport.read(buffer).await;
        self.note_read(result, buffer)
    }

    /// The same for what may take long to come: a long wait holds no buffer.
    async fn read_lazily(&self, buffer: Buffer) -> (usize, Buffer) {
        let buffers = &self.record.worker.buffers;
        let (result, buffer) = self.transport.read_lazily(buffer, buffers, &self.patience).await;
        self.note_read(result, buffer)
    }

    fn note_read(&self, result: io::Result<usize>, buffer: Buffer) -> (usize, Buffer) {
        let count = result.unwrap_or(0);
        self.record.count_received(count);
        // A socket that is shut down still yields what keeps coming.
        if self.read_deadline.fired() { (0, buffer) } else { (count, buffer) }
    }

    /// Sends all of `buffer`.
    async fn write(&self, buffer: Buffer) -> (Result<(), Gone>, Buffer) {
        self.write_deadline.arm(self.record.manager.config.stream_idle_timeout);
        let (result, buffer) = self.transport.write_all(buffer).await;
        self.write_deadline.disarm();
        self.sent.set(self.sent.get() + buffer.len() as u64);
        self.record.count_sent(buffer.len());
        (result.map_err(|_: io::Error| Gone), buffer)
    }

    /// Reads more into `input`, which grows where a head needs it.
    async fn fill(&self) -> usize {
        let mut input = self.input.take();
        if input.room() == 0 {
            input.compact();
        }
        if input.room() == 0 {
            input = input.doubled();
        }
        let (count, input) = self.read(input).await;
        self.input.replace(input);
        count
    }

    async fn serve_next(&self, exchange: &mut Exchange) -> After {
        let record = &self.record;
        exchange.info = self.downstream().new_record();
        let awaited = self.await_head(exchange).await;
        // Later the field also says that we close.
        let is_whole_head = matches!(awaited, Awaited::Request);
        self.is_clients_last.set(is_whole_head && !exchange.request.keep_alive);
        record.requests.set(record.requests.get() + 1);
        record.note_version(exchange.request.version);
        self.downstream().count_request();
        let after = match awaited {
            Awaited::Request => self.serve_request(exchange).await,
            Awaited::Refused(error) => self.refuse(&error, exchange).await,
            Awaited::TimedOut(reply) => {
                self.note_unfinished_head(exchange);
                self.reply_and_close(&reply, exchange).await
            }
            Awaited::Closed => {
                self.note_unfinished_head(exchange);
                self.downstream().note_gone(exchange);
                exchange.request.clear();
                After::Abort
            }
        };
        exchange.info.downstream_bytes.sent = self.sent.take();
        exchange.info.downstream_bytes.received += self.untaken_wire_bytes();
        self.downstream().finish(exchange);
        after
    }

    /// Reads until the head is complete.
    async fn await_head(&self, exchange: &mut Exchange) -> Awaited {
        let mut progress = HeadProgress::default();
        let mut armed = false;
        let mut arrived_at_once = true;
        loop {
            if let Some(awaited) = self.parse_head(exchange, &mut progress, arrived_at_once) {
                return awaited;
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

    /// Takes the head out of what has come, where it is complete or can never be.
    fn parse_head(
        &self,
        exchange: &mut Exchange,
        progress: &mut HeadProgress,
        arrived_at_once: bool,
    ) -> Option<Awaited> {
        let manager = &self.record.manager;
        let mut input = self.input.borrow_mut();
        let parsed = exchange.request.parse(input.bytes(), progress, &manager.request_options);
        let (consumed, refused) = match parsed {
            Ok(consumed) => (consumed?, None),
            Err(error) if error.is_codec_error() => return Some(Awaited::Refused(error)),
            // Where such a head ends is known.
            Err(error) => (progress.head_end(), Some(error)),
        };
        let info = &mut exchange.info;
        info.downstream_bytes.received += consumed as u64;
        if manager.recorded.header_bytes {
            let head = &input.bytes()[..consumed];
            info.downstream_bytes.headers_received = header_bytes::received(head);
        }
        input.consume(consumed);
        self.read_deadline.disarm();
        info.request_parsed = true;
        if exchange.request.body.is_empty() {
            let received = if arrived_at_once { info.started } else { Instant::now() };
            info.request_received = Some(received);
        }
        Some(refused.map_or(Awaited::Request, Awaited::Refused))
    }

    fn head_limit(&self) -> Option<Duration> {
        let config = &self.record.manager.config;
        let limits = [
            config.request_headers_timeout,
            config.request_timeout,
            config.max_stream_duration,
            config.stream_idle_timeout,
        ];
        limits.into_iter().flatten().min()
    }

    fn head_timed_out(&self) -> Awaited {
        let config = &self.record.manager.config;
        let limit = self.head_limit();
        if limit == config.request_headers_timeout {
            self.stats().downstream_rq_header_timeout.inc();
            Awaited::TimedOut(local_reply::REQUEST_HEADER_TIMEOUT)
        } else if limit == config.request_timeout {
            self.stats().downstream_rq_timeout.inc();
            Awaited::TimedOut(local_reply::REQUEST_TIMEOUT)
        } else if limit == config.max_stream_duration {
            self.stats().downstream_rq_max_duration_reached.inc();
            Awaited::TimedOut(local_reply::REQUEST_DURATION)
        } else {
            self.stats().downstream_rq_idle_timeout.inc();
            Awaited::TimedOut(local_reply::REQUEST_IDLE)
        }
    }

    fn note_unfinished_head(&self, exchange: &mut Exchange) {
        exchange.info.downstream_bytes.received += self.input.borrow().len() as u64;
    }

    async fn refuse(&self, error: &RequestError, exchange: &mut Exchange) -> After {
        let stats = self.stats();
        if error.is_codec_error() {
            self.note_unfinished_head(exchange);
            self.record.count_protocol_error();
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
            return self.reply_and_close(&reply, exchange).await;
        }
        self.downstream().reply(&reply, exchange).await
    }

    async fn reply_and_close(&self, reply: &LocalReply, exchange: &mut Exchange) -> After {
        exchange.request.keep_alive = false;
        self.downstream().reply(reply, exchange).await
    }

    async fn serve_request(&self, exchange: &mut Exchange) -> After {
        let waits = exchange.request.expect_continue && !exchange.request.body.is_empty();
        if waits && !self.send_continue().await {
            return After::Abort;
        }
        let keep_trailers = self.record.manager.config.http1.enable_trailers;
        self.body.replace(BodyReader::new(exchange.request.body, keep_trailers));
        router::serve(&self.downstream(), exchange).await
    }

    /// RFC 9110 §10.1.1: the client waits for this before it sends the body.
    async fn send_continue(&self) -> bool {
        let mut buffer = self.record.worker.buffers.small();
        let fits = buffer.append(b"HTTP/1.1 100 Continue\r\n\r\n");
        debug_assert!(fits, "a small buffer holds it");
        let (result, buffer) = self.write(buffer).await;
        self.record.worker.buffers.give_back(buffer);
        self.downstream().count_interim(100);
        result.is_ok()
    }

    /// Whether the client has said that nothing follows this request, and all of it has come: then no
    /// close can destroy the response on its way.
    fn client_is_done(&self, exchange: &Exchange) -> bool {
        let is_complete = exchange.info.request_received.is_some();
        let says_so = self.is_clients_last.get() && !exchange.leaves_http();
        says_so && is_complete && self.input.borrow().is_empty()
    }
}
