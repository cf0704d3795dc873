//! The response on its way back: head prepared and sent with what has come of the body, then the
//! rest as it comes.

use std::io::Write;
use std::time::{Duration, Instant};

use ringmain_proto_codec::h1::Version;
use ringmain_proto_codec::{HeaderMap, KnownHeader};
use smallvec::SmallVec;

use super::header_mutation::{Direction, apply_header_mutations};
use super::timeout::StreamTimeouts;
use super::upstream_request::keeps_trailers;
use crate::http::codec::body::{BodyReader, BodyWriter};
use crate::http::codec::downstream_h1::{After, Downstream};
use crate::http::exchange::Exchange;
use crate::http::header_bytes;
use crate::http::local_reply::{self, LocalReply, allows_body};
use crate::http::response_headers::{encode_response_head, prepare_response, set_connection};
use crate::http::stream::millis;
use crate::pool::UpstreamConnection;
use crate::runtime::Buffer;

/// What became of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relayed {
    /// The client got all of it.
    Whole {
        /// What follows on the downstream connection.
        after: After,
        /// Whether the upstream connection may serve another request.
        reuse: Reuse,
    },
    /// The body breaks its framing before anything was sent: the client gets a reply instead.
    Refused(LocalReply),
    /// The upstream broke off after the head was sent: the client must see that by a close.
    BrokenOff,
    /// The client takes no more.
    ClientGone,
}

/// Whether an upstream connection may serve another request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// It closes.
    Never,
    /// It may, for as long as the upstream has said in `Keep-Alive: timeout=`.
    For(Option<Duration>),
}

/// Sends the response whose head is in `exchange`; `received` holds what came behind the head.
pub async fn relay(
    downstream: &Downstream<'_>,
    exchange: &mut Exchange,
    connection: &UpstreamConnection,
    timeouts: &StreamTimeouts,
    mut received: Buffer,
) -> Relayed {
    let keep_trailers = keeps_trailers(downstream, connection.cluster());
    let mut body = BodyReader::new(exchange.response.body, keep_trailers);
    let has_body = !body.is_complete();
    let Ok(taken) = body.take(&mut received, &downstream.worker.buffers) else {
        return Relayed::Refused(local_reply::PROTOCOL_ERROR);
    };
    let reuse = match exchange.response.keep_alive && taken.excess.is_none() {
        true => Reuse::For(keep_alive_timeout(&exchange.response.headers)),
        false => Reuse::Never,
    };
    if let Some(excess) = taken.excess {
        connection.cluster().stats().upstream_cx_protocol_error.inc();
        downstream.worker.buffers.give_back(excess);
    }
    let closes = downstream.closes_after(exchange);
    let plan = prepare_head(downstream, exchange, closes, has_body);
    exchange.info.bytes_sent += received.len() as u64;
    plan.writer.frame(&mut received, &body);
    let after = if plan.closes { After::Close } else { After::KeepAlive };
    let recorded = downstream.manager.recorded;
    if recorded.header_bytes {
        exchange.info.downstream_bytes.headers_sent = header_bytes::sent(&exchange.encoded);
    }
    exchange.info.times.downstream_tx_begin = recorded.times.then(Instant::now);
    let sent = send_first(downstream, exchange, received).await;
    let Ok(spare) = sent else { return Relayed::ClientGone };
    if !body.is_complete() {
        let rest = RestOfBody { connection, timeouts, body, writer: plan.writer };
        return match rest.relay(downstream, exchange, spare).await {
            Rest::Whole => Relayed::Whole { after, reuse },
            Rest::WholeWithExcess => {
                connection.cluster().stats().upstream_cx_protocol_error.inc();
                Relayed::Whole { after, reuse: Reuse::Never }
            }
            Rest::BrokenOff => {
                // Where the connection's end is the body's, a plain close would be a good ending.
                if plan.until_close {
                    downstream.stream().reset_on_close();
                }
                Relayed::BrokenOff
            }
            Rest::ClientGone => Relayed::ClientGone,
        };
    }
    downstream.worker.buffers.give_back(spare);
    exchange.response_trailers = body.take_trailers();
    exchange.info.times.downstream_tx_end = recorded.times.then(Instant::now);
    exchange.info.response_received = exchange.info.response_started;
    Relayed::Whole { after, reuse }
}

/// How the response goes out.
struct ResponsePlan {
    writer: BodyWriter,
    closes: bool,
    until_close: bool,
}

/// Makes the headers what the client gets, in Envoy's order, and encodes the head.
fn prepare_head(
    downstream: &Downstream<'_>,
    exchange: &mut Exchange,
    closes: bool,
    has_body: bool,
) -> ResponsePlan {
    let manager = downstream.manager;
    let suppress = manager.config.router.suppress_envoy_headers;
    let status = exchange.response.status;
    exchange.info.response_code = status;
    exchange.info.details = "via_upstream";
    if !suppress && let Some(received) = exchange.info.request_received {
        set_service_time(exchange, received);
    }
    if let Some(route) = exchange.info.route {
        if manager.routes.virtual_host(route).config.include_attempt_count_in_response {
            set_attempt_count(exchange);
        }
        let compiled = &downstream.worker.compiled;
        apply_header_mutations(manager, compiled, route, Direction::Response, exchange);
    }
    let headers = &mut exchange.response.headers;
    prepare_response(manager, headers, &exchange.request.headers, &downstream.worker.clock);
    let is_head = exchange.request.headers.get(KnownHeader::Method) == Some(b"HEAD");
    let framing = downstream_framing(status, headers, is_head, has_body, exchange.request.version);
    let until_close = framing == Framing::UntilClose;
    let closes = closes || until_close;
    set_connection(headers, exchange.request.version, closes);
    if framing == Framing::Empty {
        headers.append_known(KnownHeader::ContentLength, b"0");
    }
    let chunked = framing == Framing::Chunked;
    encode_response_head(manager, exchange, chunked);
    let writer = BodyWriter::new(chunked && !is_head, manager.key_format);
    ResponsePlan { writer, closes, until_close }
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

fn downstream_framing(
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

/// `x-envoy-upstream-service-time`: from the request's end to the response's beginning, so a
/// response that comes earlier has none.
fn set_service_time(exchange: &mut Exchange, from: Instant) {
    let info = &exchange.info;
    let service_time =
        info.response_started.map_or(Duration::ZERO, |at| at.saturating_duration_since(from));
    let mut value: SmallVec<[u8; 24]> = SmallVec::new();
    write!(value, "{}", millis(service_time)).expect("writing to memory does not fail");
    exchange.response.headers.set(KnownHeader::XEnvoyUpstreamServiceTime, &value);
}

fn set_attempt_count(exchange: &mut Exchange) {
    let attempts = exchange.info.attempts;
    let headers = &mut exchange.response.headers;
    headers.remove(KnownHeader::XEnvoyAttemptCount);
    headers.append_with(KnownHeader::XEnvoyAttemptCount, |value| {
        write!(value, "{attempts}").expect("writing to memory does not fail");
    });
}

/// Sends the head in front of the body's first part: in one send where it fits.
async fn send_first(
    downstream: &Downstream<'_>,
    exchange: &Exchange,
    mut body: Buffer,
) -> Result<Buffer, ()> {
    if !body.prepend(&exchange.encoded) {
        let mut head = Buffer::with_capacity(exchange.encoded.len());
        let fits = head.append(&exchange.encoded);
        debug_assert!(fits, "made to measure");
        downstream.write(head).await.0.map_err(|_| ())?;
    }
    if body.is_empty() {
        return Ok(body);
    }
    let (sent, body) = downstream.write(body).await;
    sent.map(|()| body).map_err(|_| ())
}

/// A body that is still coming.
struct RestOfBody<'a> {
    connection: &'a UpstreamConnection,
    timeouts: &'a StreamTimeouts,
    body: BodyReader,
    writer: BodyWriter,
}

/// How the rest of a body ended.
enum Rest {
    Whole,
    /// Whole, but the upstream sent more than it had announced.
    WholeWithExcess,
    BrokenOff,
    ClientGone,
}

impl RestOfBody<'_> {
    /// Passes on what comes until the body is whole.
    async fn relay(
        mut self,
        downstream: &Downstream<'_>,
        exchange: &mut Exchange,
        spare: Buffer,
    ) -> Rest {
        let buffers = &downstream.worker.buffers;
        let mut buffer = spare;
        let mut excess = false;
        while !self.body.is_complete() {
            let wanted = self.body.next_buffer(buffers);
            buffers.give_back(std::mem::replace(&mut buffer, wanted));
            self.timeouts.arm_response(self.connection.deadline());
            let (count, returned) = self.connection.read(buffer).await;
            buffer = returned;
            let went_well = match count {
                0 => !self.connection.deadline().fired() && self.body.end_of_stream(),
                _ => match self.body.take(&mut buffer, buffers) {
                    Ok(taken) => {
                        excess = taken.excess.is_some();
                        true
                    }
                    Err(_) => false,
                },
            };
            if !went_well {
                return Rest::BrokenOff;
            }
            exchange.info.bytes_sent += buffer.len() as u64;
            self.writer.frame(&mut buffer, &self.body);
            if buffer.is_empty() {
                continue;
            }
            let (sent, returned) = downstream.write(buffer).await;
            buffer = returned;
            if sent.is_err() {
                return Rest::ClientGone;
            }
        }
        buffers.give_back(buffer);
        exchange.response_trailers = self.body.take_trailers();
        let now = Instant::now();
        exchange.info.times.downstream_tx_end = downstream.manager.recorded.times.then_some(now);
        exchange.info.response_received = Some(now);
        if excess { Rest::WholeWithExcess } else { Rest::Whole }
    }
}

/// `Keep-Alive: timeout=N` of a response: how long the upstream keeps the connection.
fn keep_alive_timeout(headers: &HeaderMap) -> Option<Duration> {
    let value = std::str::from_utf8(headers.get(KnownHeader::KeepAlive)?).ok()?;
    let seconds = value.split(',').find_map(|part| part.trim().strip_prefix("timeout="))?;
    seconds.trim().parse().ok().map(Duration::from_secs)
}
