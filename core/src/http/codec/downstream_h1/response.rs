//! The response as HTTP/1 sends it: what its head says of the connection and of the body's length,
//! and the framing that follows from it.

use std::time::Instant;

use ringmain_config::overload::OverloadActionKind;
use ringmain_proto_codec::h1::{Version, encode_response, encode_response_http_10};
use ringmain_proto_codec::{HeaderMap, KnownHeader};

use super::Connection;
use crate::http::ConnectionManager;
use crate::http::codec::body::{BodyWriter, Ending};
use crate::http::codec::connection_record::End;
use crate::http::codec::downstream::{After, Gone};
use crate::http::exchange::Exchange;
use crate::http::header_bytes;
use crate::http::local_reply::allows_body;
use crate::runtime::Buffer;

/// How the response under way goes out.
#[derive(Debug, Clone, Copy)]
pub(super) struct ResponsePlan {
    writer: BodyWriter,
    /// The connection's end is the body's.
    until_close: bool,
}

impl Default for ResponsePlan {
    fn default() -> Self {
        Self { writer: BodyWriter::Plain, until_close: false }
    }
}

impl Connection {
    /// Sends the head with the first piece of the body, in one send where they fit in one buffer.
    pub async fn send_head(
        &self,
        exchange: &mut Exchange,
        mut first: Buffer,
        ending: Option<Ending<'_>>,
    ) -> (Result<After, Gone>, Buffer) {
        let after = self.encode_head(exchange);
        let is_last = after == After::Close && ending.is_some() && !exchange.leaves_http();
        if first.capacity() == 0 {
            first = self.record.worker.buffers.small();
        }
        self.frame(&mut first, ending);
        let recorded = self.record.manager.recorded;
        if recorded.header_bytes {
            exchange.info.downstream_bytes.headers_sent = header_bytes::sent(&exchange.encoded);
        }
        exchange.info.times.downstream_tx_begin = recorded.times.then(Instant::now);
        if first.is_empty() {
            first = Buffer::holding(first, &exchange.encoded);
        } else if !first.prepend(&exchange.encoded) {
            let head = Buffer::holding(Buffer::default(), &exchange.encoded);
            if let (Err(gone), _) = self.write(head).await {
                return (Err(gone), first);
            }
        }
        if is_last {
            self.transport.end_with_next_write();
        }
        let (sent, first) = self.write(first).await;
        (sent.map(|()| after), first)
    }

    /// Sends the head of an interim response.
    pub async fn send_interim(&self, exchange: &mut Exchange) {
        encode(&self.record.manager, exchange, false);
        let buffers = &self.record.worker.buffers;
        let head = buffers.holding(&exchange.encoded);
        let (_sent, head) = self.write(head).await;
        buffers.give_back(head);
    }

    /// Sends the next piece of the body.
    pub async fn send_data(
        &self,
        mut piece: Buffer,
        ending: Option<Ending<'_>>,
    ) -> (Result<(), Gone>, Buffer) {
        self.frame(&mut piece, ending);
        if piece.is_empty() {
            return (Ok(()), piece);
        }
        self.write(piece).await
    }

    /// Where the connection's end is the body's, a plain close would be a good ending.
    pub fn break_off(&self) {
        self.record.end.set(End::Local);
        if self.plan.get().until_close {
            self.transport.reset_on_close();
        }
    }

    fn frame(&self, piece: &mut Buffer, ending: Option<Ending<'_>>) {
        let passed = self.record.manager.config.http1.enable_trailers;
        let ending =
            ending.map(|Ending { trailers }| Ending { trailers: trailers.filter(|_| passed) });
        self.plan.get().writer.frame(piece, ending);
    }

    /// Writes the head into `exchange.encoded`, and says what follows the response.
    fn encode_head(&self, exchange: &mut Exchange) -> After {
        let manager = &self.record.manager;
        let closes = self.closes_after(exchange);
        let leaves_http = exchange.leaves_http();
        let Exchange { request, response, .. } = exchange;
        let is_head = request.headers.get(KnownHeader::Method) == Some(b"HEAD");
        let has_body = !response.body.is_empty();
        let framing = match leaves_http {
            true => Framing::Said,
            false => {
                framing(response.status, &response.headers, is_head, has_body, request.version)
            }
        };
        let until_close = framing == Framing::UntilClose;
        let closes = closes || until_close;
        if !leaves_http {
            set_connection(&mut response.headers, request.version, closes);
        }
        if framing == Framing::Empty {
            response.headers.append_known(KnownHeader::ContentLength, b"0");
        }
        let chunked = framing == Framing::Chunked;
        encode(manager, exchange, chunked);
        let writer = BodyWriter::new(chunked && !is_head, manager.key_format);
        self.plan.set(ResponsePlan { writer, until_close });
        if closes { After::Close } else { After::KeepAlive }
    }

    /// Whether the connection ends with this response.
    fn closes_after(&self, exchange: &Exchange) -> bool {
        let manager = &self.record.manager;
        let config = &manager.config;
        let stats = self.stats();
        let requests = self.record.requests.get();
        let spent = config.max_requests_per_connection.is_some_and(|max| requests >= max);
        if spent {
            stats.downstream_cx_max_requests_reached.inc();
        }
        let expired = self.record.is_expired();
        if self.record.worker.drain.closes(manager.traffic_direction) {
            stats.downstream_cx_drain_close.inc();
            return true;
        }
        if self.record.worker.overloaded(OverloadActionKind::DisableHttpKeepalive) {
            stats.downstream_cx_overload_disable_keepalive.inc();
            return true;
        }
        let incomplete = exchange.info.request_received.is_none();
        if incomplete {
            stats.downstream_rq_response_before_rq_complete.inc();
        }
        spent || expired || incomplete || !exchange.request.keep_alive
    }
}

/// Says whether the connection goes on, where the version's default does not say it.
fn set_connection(headers: &mut HeaderMap, version: Version, closes: bool) {
    if closes {
        headers.append_known(KnownHeader::Connection, b"close");
    } else if version == Version::Http10 {
        headers.append_known(KnownHeader::Connection, b"keep-alive");
    }
}

/// What the client is told of the body's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// Nothing to say: the headers or the status say it.
    Said,
    /// `content-length: 0` is added.
    Empty,
    /// `transfer-encoding: chunked`.
    Chunked,
    /// The connection's end is the body's (HTTP/1.0 clients).
    UntilClose,
}

fn framing(
    status: u16,
    headers: &HeaderMap,
    is_head: bool,
    has_body: bool,
    version: Version,
) -> Framing {
    if !allows_body(status) || headers.contains(KnownHeader::ContentLength) {
        Framing::Said
    } else if !has_body && !is_head {
        Framing::Empty
    } else if version == Version::Http10 {
        if is_head { Framing::Said } else { Framing::UntilClose }
    } else {
        Framing::Chunked
    }
}

/// Writes the head into `exchange.encoded`, in the version that the client speaks.
fn encode(manager: &ConnectionManager, exchange: &mut Exchange, chunked: bool) {
    let Exchange { request, response, encoded, .. } = exchange;
    encoded.clear();
    let (status, headers, format) = (response.status, &response.headers, manager.key_format);
    match request.version {
        Version::Http10 => encode_response_http_10(status, headers, format, encoded),
        Version::Http11 | Version::Http2 => {
            encode_response(status, headers, chunked, format, encoded);
        }
    }
}
