//! The response on its way back: head prepared and sent with what has come of the body, then the
//! rest as it comes.

use std::io::Write;
use std::time::{Duration, Instant};

use ringmain_proto_codec::h1::Version;
use ringmain_proto_codec::{HeaderMap, KnownHeader};
use smallvec::SmallVec;

use super::header_mutation::{Direction, apply_header_mutations};
use super::timeout::StreamTimeouts;
use crate::http::codec::body::{BodyWriter, Ending};
use crate::http::codec::downstream_h1::{After, Downstream};
use crate::http::codec::upstream::{Piece, ResponseFailure, UpstreamStream};
use crate::http::exchange::Exchange;
use crate::http::filter_chain;
use crate::http::header_bytes;
use crate::http::local_reply::{self, LocalReply, allows_body};
use crate::http::response_headers::{encode_response_head, prepare_response, set_connection};
use crate::http::stream::millis;
use crate::runtime::Buffer;

/// What became of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relayed {
    /// The client got all of it; what follows on its connection.
    Whole(After),
    /// The body breaks its framing before anything was sent: the client gets a reply instead.
    Refused(LocalReply),
    /// The upstream broke off after the head was sent: the client must see that by a close.
    BrokenOff(ResponseFailure),
    /// The client takes no more.
    ClientGone,
}

/// Sends the response whose head is in `exchange`, and its body as it comes from `upstream`.
pub async fn relay(
    downstream: &Downstream<'_>,
    exchange: &mut Exchange,
    upstream: &UpstreamStream,
    timeouts: &StreamTimeouts,
) -> Relayed {
    let has_body = upstream.has_body();
    let Ok(mut piece) = upstream.first_piece() else {
        return Relayed::Refused(local_reply::PROTOCOL_ERROR);
    };
    let closes = downstream.closes_after(exchange);
    let plan = prepare_head(downstream, exchange, closes, has_body);
    let after = if plan.closes { After::Close } else { After::KeepAlive };
    let recorded = downstream.manager.recorded;
    if recorded.header_bytes {
        exchange.info.downstream_bytes.headers_sent = header_bytes::sent(&exchange.encoded);
    }
    exchange.info.times.downstream_tx_begin = recorded.times.then(Instant::now);
    frame(&mut piece, plan.writer, upstream, exchange);
    let Ok(spare) = send_first(downstream, exchange, piece.data).await else {
        return Relayed::ClientGone;
    };
    downstream.worker.buffers.give_back(spare);
    if piece.is_last {
        exchange.info.times.downstream_tx_end = recorded.times.then(Instant::now);
        exchange.info.response_received = exchange.info.response_started;
        return Relayed::Whole(after);
    }
    let rest = RestOfBody { upstream, timeouts, writer: plan.writer };
    match rest.relay(downstream, exchange).await {
        Rest::Whole => Relayed::Whole(after),
        Rest::BrokenOff(failure) => {
            // Where the connection's end is the body's, a plain close would be a good ending.
            if plan.until_close {
                downstream.stream().reset_on_close();
            }
            Relayed::BrokenOff(failure)
        }
        Rest::ClientGone => Relayed::ClientGone,
    }
}

/// Counts a piece of the body and frames it for the client, behind the last one the end.
fn frame(
    piece: &mut Piece,
    writer: BodyWriter,
    upstream: &UpstreamStream,
    exchange: &mut Exchange,
) {
    exchange.info.bytes_sent += piece.data.len() as u64;
    if piece.is_last {
        exchange.response_trailers = upstream.take_trailers();
    }
    let trailers = exchange.response_trailers.as_deref();
    writer.frame(&mut piece.data, piece.is_last.then_some(Ending { trailers }));
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
    for cookie in exchange.set_cookies.drain(..) {
        exchange.response.headers.append(b"set-cookie", &cookie);
    }
    if let Some(route) = exchange.info.route {
        if manager.routes.virtual_host(route).config.include_attempt_count_in_response {
            set_attempt_count(exchange);
        }
        let compiled = &downstream.worker.compiled;
        apply_header_mutations(manager, compiled, route, Direction::Response, exchange);
    }
    filter_chain::on_response(manager, downstream.worker, exchange);
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
    upstream: &'a UpstreamStream,
    timeouts: &'a StreamTimeouts,
    writer: BodyWriter,
}

/// How the rest of a body ended.
enum Rest {
    Whole,
    BrokenOff(ResponseFailure),
    ClientGone,
}

impl RestOfBody<'_> {
    /// Passes on what comes until the body is whole.
    async fn relay(self, downstream: &Downstream<'_>, exchange: &mut Exchange) -> Rest {
        loop {
            self.timeouts.arm_response(self.upstream.deadline());
            let mut piece = match self.upstream.next_piece().await {
                Ok(piece) => piece,
                Err(failure) => return Rest::BrokenOff(failure),
            };
            frame(&mut piece, self.writer, self.upstream, exchange);
            let Piece { data, is_last } = piece;
            let (sent, spare) = match data.is_empty() {
                true => (Ok(()), data),
                false => downstream.write(data).await,
            };
            downstream.worker.buffers.give_back(spare);
            if sent.is_err() {
                return Rest::ClientGone;
            }
            if is_last {
                break;
            }
        }
        let now = Instant::now();
        exchange.info.times.downstream_tx_end = downstream.manager.recorded.times.then_some(now);
        exchange.info.response_received = Some(now);
        Rest::Whole
    }
}
