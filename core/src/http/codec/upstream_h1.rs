//! The upstream side of one HTTP/1.1 request: its head and body go out framed, the response's come
//! back without framing. The router sees no more of the connection than this.

use std::cell::{Cell, OnceCell, RefCell};
use std::io;
use std::net::Shutdown;
use std::rc::Rc;
use std::time::Duration;

use ringmain_proto_codec::h1::{
    BodyLength, HeadProgress, KeyFormat, RequestKind, ResponseHead, ResponseOptions, encode_request,
};
use ringmain_proto_codec::h2::client::ReceivedHead;
use ringmain_proto_codec::limits::HeadLimits;
use ringmain_proto_codec::{HeaderMap, KnownHeader};

use super::body::{BodyReader, BodyWriter, Ending};
use super::upstream::{Piece, ResponseFailure, is_told};
use crate::http::exchange::Exchange;
use crate::http::{header_bytes, key_format};
use crate::pool::UpstreamConnection;
use crate::runtime::{
    Buffer, BufferPool, Deadline, Interrupt, LARGE_BUFFER_BYTES, Patience, SMALL_BUFFER_BYTES,
};
use crate::server::Worker;
use crate::stats::scopes::ClusterStats;

/// Whether a connection may serve another request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reuse {
    /// It closes.
    Never,
    /// More has come on it than was asked for: we close it.
    Spoilt,
    /// It may, for as long as the upstream has said in `Keep-Alive: timeout=`.
    For(Option<Duration>),
}

/// One request on its connection.
#[derive(Debug)]
pub struct H1Stream {
    worker: Rc<Worker>,
    connection: Box<UpstreamConnection>,
    writer: BodyWriter,
    /// How the names of the request's fields are written.
    key_format: KeyFormat,
    keep_trailers: bool,
    body: RefCell<BodyReader>,
    /// Bytes received and not yet looked at.
    received: RefCell<Buffer>,
    /// Whether anything has come.
    begun: Cell<bool>,
    /// Whether an interim response was told of.
    interim: Cell<bool>,
    reuse: Cell<Reuse>,
    /// The limit on how long a read that waits keeps its buffer, once HTTP is over.
    patience: OnceCell<Patience>,
    /// It is over by CONNECT.
    is_tunnel: Cell<bool>,
}

impl H1Stream {
    /// Begins a request with a body framed as `request` says. Trailers pass in both directions where
    /// `keep_trailers`.
    pub fn begin(
        worker: &Rc<Worker>,
        connection: Box<UpstreamConnection>,
        request: BodyLength,
        keep_trailers: bool,
    ) -> Self {
        connection.begin_request();
        let format = connection.cluster().shared.config.http1.header_key_format;
        let format = key_format::for_writing(format);
        Self {
            worker: worker.clone(),
            connection,
            writer: BodyWriter::new(request == BodyLength::Chunked, format),
            key_format: format,
            keep_trailers,
            body: RefCell::new(BodyReader::new(BodyLength::None, false)),
            received: RefCell::default(),
            begun: Cell::new(false),
            interim: Cell::new(false),
            reuse: Cell::new(Reuse::Never),
            patience: OnceCell::new(),
            is_tunnel: Cell::new(false),
        }
    }

    /// The connection.
    pub fn connection(&self) -> &UpstreamConnection {
        &self.connection
    }

    /// Ends the stream when the upstream takes too long.
    pub fn deadline(&self) -> &Deadline {
        self.connection.deadline()
    }

    /// Bytes of this request and its response on the connection.
    pub fn wire_bytes(&self) -> (u64, u64) {
        self.connection.request_bytes()
    }

    /// Whether the upstream may have closed the connection before the request came.
    pub fn is_reused(&self) -> bool {
        self.connection.is_reused()
    }

    /// Breaks the stream off.
    pub fn interrupt(&self) -> Interrupt {
        Interrupt::socket(self.connection.stream(), Shutdown::Both)
    }

    /// Makes the request's head ready to be sent.
    pub fn encode_head(&self, exchange: &mut Exchange, records_bytes: bool) -> Buffer {
        let (encoded, chunked) = (&mut exchange.encoded, self.writer != BodyWriter::Plain);
        encoded.clear();
        encode_request(&exchange.request.headers, chunked, self.key_format, encoded);
        if records_bytes {
            exchange.info.upstream_bytes.headers_sent = header_bytes::sent(encoded);
        }
        self.worker.buffers.holding(encoded)
    }

    /// Sends `head`, where it has not been sent, a piece of the body, and the end behind it where
    /// `ending` says so: all in one send. The piece comes back as it was.
    pub async fn send(
        &self,
        head: Option<Buffer>,
        piece: Buffer,
        ending: Option<Ending<'_>>,
    ) -> (io::Result<()>, Buffer) {
        let length = piece.len();
        let (message, in_front) = self.message(head, piece, ending);
        let (result, mut message) = self.connection.write_all(message).await;
        message.consume(in_front);
        message.truncate(length);
        if ending.is_some() && self.patience.get().is_some() {
            // A client of HTTP/2 has ended its side (RFC 8441 §5).
            self.connection.transport().end_writing();
        }
        (result, message)
    }

    /// What is sent, and how many bytes of it stand in front of the piece.
    fn message(
        &self,
        head: Option<Buffer>,
        mut piece: Buffer,
        ending: Option<Ending<'_>>,
    ) -> (Buffer, usize) {
        let buffers = &self.worker.buffers;
        if ending.is_some() && piece.capacity() == 0 && self.writer != BodyWriter::Plain {
            piece = buffers.small();
        }
        let ending = ending.map(|Ending { trailers }| Ending {
            trailers: trailers.filter(|_| self.keep_trailers),
        });
        let in_front = self.writer.frame(&mut piece, ending);
        let Some(head) = head else { return (piece, in_front) };
        let head_bytes = head.len();
        if piece.is_empty() {
            buffers.give_back(piece);
            return (head, head_bytes);
        }
        let message = with_head(piece, head.bytes());
        buffers.give_back(head);
        (message, head_bytes + in_front)
    }

    /// The request will not be sent to its end.
    pub fn abort(&self) {
        self.connection.stream().shutdown(Shutdown::Both);
    }

    /// Reads the next head into `head`.
    pub async fn next_head(
        &self,
        head: &mut ResponseHead,
        request: RequestKind,
    ) -> Result<ReceivedHead, ResponseFailure> {
        let config = &self.connection.cluster().shared.config;
        let headers_max = config.max_response_headers_count;
        let options = ResponseOptions {
            limits: HeadLimits { bytes_max: RESPONSE_HEAD_BYTES_MAX, headers_max },
            preserve_case: key_format::kept_from_reading(config.http1.header_key_format),
        };
        let mut buffer = self.received.take();
        let result = self.await_head(&mut buffer, head, request, &options).await;
        if result == Ok(ReceivedHead::Interim) {
            self.received.replace(buffer);
        } else if result.is_ok() {
            self.body.replace(BodyReader::new(head.body, self.keep_trailers));
            self.reuse.set(match head.keep_alive {
                true => Reuse::For(keep_alive_timeout(&head.headers)),
                false => Reuse::Never,
            });
            self.received.replace(buffer);
            let leaves_http = matches!(request, RequestKind::Connect | RequestKind::Upgrade)
                && head.body == BodyLength::UntilClose;
            if leaves_http && (head.status == 101 || request == RequestKind::Connect) {
                let _first = self.patience.set(Patience::new(&self.worker.timers));
                self.is_tunnel.set(request == RequestKind::Connect);
            }
        } else {
            self.worker.buffers.give_back(buffer);
        }
        result
    }

    async fn await_head(
        &self,
        buffer: &mut Buffer,
        head: &mut ResponseHead,
        request: RequestKind,
        options: &ResponseOptions,
    ) -> Result<ReceivedHead, ResponseFailure> {
        let mut progress = HeadProgress::default();
        loop {
            if !buffer.is_empty() {
                match head.parse(buffer.bytes(), &mut progress, request, options) {
                    Ok(Some(consumed)) if is_interim(head.status) => {
                        // Any number, as in Envoy: the route's timeout bounds them.
                        buffer.consume(consumed);
                        if is_told(head.status) && !self.interim.replace(true) {
                            self.connection.count_interim(head.status);
                            return Ok(ReceivedHead::Interim);
                        }
                        head.clear();
                        progress = HeadProgress::default();
                        continue;
                    }
                    // Nothing was asked that 101 could answer, or it names no protocol.
                    Ok(Some(_)) if head.status == 101 && head.body.is_empty() => {
                        return Err(ResponseFailure::Protocol);
                    }
                    Ok(Some(consumed)) => {
                        buffer.consume(consumed);
                        return Ok(ReceivedHead::Final);
                    }
                    Ok(None) => {}
                    Err(_) => return Err(ResponseFailure::Protocol),
                }
            }
            let with_room = with_room(&self.worker.buffers, std::mem::take(buffer));
            let (count, returned) = self.connection.read(with_room).await;
            *buffer = returned;
            match count {
                0 if self.begun.get() => return Err(ResponseFailure::ClosedPartial),
                0 => return Err(ResponseFailure::ClosedSilent),
                _ => self.begun.set(true),
            }
        }
    }

    /// Whether the response has a body.
    pub fn has_body(&self) -> bool {
        !self.body.borrow().is_complete()
    }

    /// What of the response's body has come with its head.
    pub fn first_piece(&self) -> Result<Piece, ResponseFailure> {
        self.take_data(self.received.take())
    }

    /// The next piece of the response's body, which is not yet whole.
    pub async fn next_piece(&self) -> Result<Piece, ResponseFailure> {
        let wanted = self.body.borrow().next_buffer(&self.worker.buffers);
        if let Some(patience) = self.patience.get() {
            return self.next_beyond_http(wanted, patience).await;
        }
        let (count, buffer) = self.connection.read(wanted).await;
        if count > 0 {
            return self.take_data(buffer);
        }
        let cut_short = self.deadline().fired() || self.connection.is_truncated();
        if !cut_short && self.body.borrow_mut().end_of_stream() {
            return Ok(Piece { data: buffer, is_last: true });
        }
        self.worker.buffers.give_back(buffer);
        Err(ResponseFailure::ClosedPartial)
    }

    /// The next piece of what is no HTTP any more. Its end is the connection's, which Envoy does not
    /// take for a good one.
    async fn next_beyond_http(
        &self,
        buffer: Buffer,
        patience: &Patience,
    ) -> Result<Piece, ResponseFailure> {
        let (count, buffer) = self.connection.read_lazily(buffer, patience).await;
        if count > 0 {
            return self.take_data(buffer);
        }
        self.worker.buffers.give_back(buffer);
        Err(ResponseFailure::ClosedSilent)
    }

    /// Whether what follows a CONNECT has ended as it should: by the host's end of the connection.
    pub fn is_tunnel_closed(&self) -> bool {
        self.is_tunnel.get() && !self.deadline().fired() && !self.connection.is_broken()
    }

    fn take_data(&self, mut data: Buffer) -> Result<Piece, ResponseFailure> {
        let mut body = self.body.borrow_mut();
        let Ok(taken) = body.take(&mut data, &self.worker.buffers) else {
            self.worker.buffers.give_back(data);
            return Err(ResponseFailure::Protocol);
        };
        if let Some(excess) = taken.excess {
            // Nothing was asked that it could answer.
            self.connection.cluster().stats().upstream_cx_protocol_error.inc();
            self.reuse.set(Reuse::Spoilt);
            self.worker.buffers.give_back(excess);
        }
        Ok(Piece { data, is_last: body.is_complete() })
    }

    /// The response's trailers, once its last piece was taken.
    pub fn take_trailers(&self) -> Option<Box<HeaderMap>> {
        self.body.borrow_mut().take_trailers()
    }

    /// The response is whole: the connection may serve on. `sent`: so is the request.
    pub fn finish(self, sent: bool) {
        self.deadline().disarm();
        match self.reuse.get() {
            // The upstream still waits for the rest of the request.
            _ if !sent => self.count_cut_off(),
            // A limit that passed at the last moment has shut the connection down.
            Reuse::For(_) if self.deadline().fired() => {}
            Reuse::For(timeout) => self.connection.release(timeout),
            Reuse::Never => self.stats().upstream_cx_close_notify.inc(),
            Reuse::Spoilt => {}
        }
    }

    /// The response's head has come and is not wanted. The connection serves on where nothing more
    /// comes on it.
    pub fn discard(self, sent: bool) {
        self.deadline().disarm();
        let received = self.received.take();
        let ended = received.is_empty() && !self.has_body();
        self.worker.buffers.give_back(received);
        let usable = sent && ended && !self.deadline().fired();
        match self.reuse.get() {
            Reuse::For(_) if usable => self.connection.release(None),
            _ => self.count_cut_off(),
        }
    }

    /// Counts that we end the connection inside a request.
    pub fn count_cut_off(&self) {
        let stats = self.stats();
        stats.upstream_cx_destroy_with_active_rq.inc();
        stats.upstream_cx_destroy_local_with_active_rq.inc();
    }

    /// Counts that the connection has ended without a whole head.
    pub fn count_failure(self, failure: ResponseFailure) {
        if failure != ResponseFailure::ClosedSilent {
            // A head that breaks off is no HTTP, says Envoy.
            self.stats().upstream_cx_protocol_error.inc();
        }
        self.count_end(failure);
    }

    /// Counts that the connection has ended inside the response's body, or behind HTTP.
    pub fn count_broken_off(self, failure: ResponseFailure) {
        if self.patience.get().is_none() {
            self.stats().upstream_cx_protocol_error.inc();
        }
        self.count_end(failure);
    }

    /// What is no HTTP has us close, and so has the end of what follows a CONNECT, says Envoy; otherwise
    /// the upstream has.
    fn count_end(&self, failure: ResponseFailure) {
        if failure == ResponseFailure::Protocol || self.is_tunnel.get() {
            self.count_cut_off();
            return;
        }
        self.stats().upstream_cx_destroy_with_active_rq.inc();
        self.stats().upstream_cx_destroy_remote_with_active_rq.inc();
        self.connection.note_remote_close();
    }

    fn stats(&self) -> &ClusterStats {
        self.connection.cluster().stats()
    }
}

/// The largest response head; Envoy 1.40 passes 70,000 bytes by default.
const RESPONSE_HEAD_BYTES_MAX: u32 = 120 * 1024;

fn is_interim(status: u16) -> bool {
    (100..200).contains(&status) && status != 101
}

/// `Keep-Alive: timeout=N` of a response: how long the upstream keeps the connection.
fn keep_alive_timeout(headers: &HeaderMap) -> Option<Duration> {
    let value = std::str::from_utf8(headers.get(KnownHeader::KeepAlive)?).ok()?;
    let seconds = value.split(',').find_map(|part| part.trim().strip_prefix("timeout="))?;
    seconds.trim().parse().ok().map(Duration::from_secs)
}

/// `buffer`, or a small one where it is none, with room for more: a head that outgrows a small buffer moves to a large one.
fn with_room(buffers: &BufferPool, mut buffer: Buffer) -> Buffer {
    if buffer.capacity() == 0 {
        return buffers.small();
    }
    if buffer.room() > 0 {
        return buffer;
    }
    buffer.compact();
    if buffer.room() > 0 || buffer.capacity() > SMALL_BUFFER_BYTES {
        return buffer;
    }
    const { assert!(RESPONSE_HEAD_BYTES_MAX as usize * 2 < LARGE_BUFFER_BYTES) };
    let mut larger = buffers.large();
    let fits = larger.append(buffer.bytes());
    debug_assert!(fits, "a large buffer holds what a small one held");
    buffers.give_back(buffer);
    larger
}

/// `message` with `head` in front of it.
fn with_head(mut message: Buffer, head: &[u8]) -> Buffer {
    if message.prepend(head) {
        return message;
    }
    let mut longer = Buffer::with_capacity(head.len() + message.len());
    let fits = longer.append(head) && longer.append(message.bytes());
    debug_assert!(fits, "made to measure");
    longer
}
