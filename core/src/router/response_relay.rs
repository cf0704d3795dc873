//! The response on its way back: head prepared and sent with what has come of the body, then the
//! rest as it comes.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::time::{Duration, Instant};

use ringmain_proto_codec::h1::BodyLength;
use ringmain_proto_codec::{HeaderMap, KnownHeader};

use super::header_mutation::{Direction, apply_header_mutations};
use super::request_body::{RequestBody, RequestEnd};
use super::timeout::StreamTimeouts;
use crate::http::codec::body::Ending;
use crate::http::codec::downstream::{After, Downstream};
use crate::http::codec::upstream::{Piece, ResponseFailure, UpstreamStream};
use crate::http::exchange::Exchange;
use crate::http::filter_chain;
use crate::http::local_reply::{self, LocalReply};
use crate::http::response_headers::prepare_response;
use crate::http::stream::millis;
use crate::runtime::Buffer;
use crate::stats::counting_pauses;

/// What became of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relayed {
    /// The client got all of it; what follows on its connection.
    Whole(After),
    /// The client got a head instead of the protocol that it asked for.
    Unswitched(After),
    /// The body breaks its framing before anything was sent: the client gets a reply instead.
    Refused(LocalReply),
    /// The upstream broke off after the head was sent: the client must see that by a close.
    BrokenOff(ResponseFailure),
    /// The client has left, or takes no more.
    ClientGone,
}

/// Sends the response whose head is in `exchange`, and its body as it comes from `upstream`.
/// `request`: the body on its way in the other direction.
pub async fn relay(
    downstream: &Downstream<'_>,
    exchange: &mut Exchange,
    upstream: &UpstreamStream,
    request: &RequestBody,
    timeouts: &StreamTimeouts,
) -> Relayed {
    let Piece { data, is_last } = match upstream.first_piece() {
        Ok(piece) => piece,
        Err(ResponseFailure::Protocol) => return Relayed::Refused(local_reply::PROTOCOL_ERROR),
        // The head came well; the failure comes again when the next piece is asked for.
        Err(_) => Piece { data: Buffer::default(), is_last: false },
    };
    prepare_head(downstream, exchange);
    let data = filter_chain::on_response_data(downstream.worker, exchange, data, is_last);
    let trailers = note_piece(&data, is_last, upstream, exchange);
    let ending = is_last.then_some(Ending { trailers: trailers.as_deref() });
    let (sent, spare) = downstream.send_head(exchange, data, ending).await;
    exchange.response_trailers = trailers;
    let Ok(after) = sent else { return Relayed::ClientGone };
    downstream.worker.buffers.give_back(spare);
    if is_last {
        let times = downstream.manager.recorded.times;
        exchange.info.times.downstream_tx_end = times.then(Instant::now);
        exchange.info.response_received = exchange.info.response_started;
        return Relayed::Whole(after);
    }
    match relay_rest(downstream, exchange, upstream, request, timeouts).await {
        Rest::Whole => Relayed::Whole(after),
        Rest::BrokenOff(failure) => {
            downstream.break_off().await;
            Relayed::BrokenOff(failure)
        }
        Rest::ClientGone => Relayed::ClientGone,
    }
}

/// Sends the response's head alone. Envoy takes a host that does not switch to WebSocket for one that
/// has nothing more to say.
pub async fn relay_unswitched(downstream: &Downstream<'_>, exchange: &mut Exchange) -> Relayed {
    exchange.response.headers.remove(KnownHeader::ContentLength);
    exchange.response.body = BodyLength::None;
    prepare_head(downstream, exchange);
    exchange.info.details = "websocket_handshake_unsuccessful";
    let ending = Some(Ending { trailers: None });
    let (sent, spare) = downstream.send_head(exchange, Buffer::default(), ending).await;
    downstream.worker.buffers.give_back(spare);
    sent.map_or(Relayed::ClientGone, Relayed::Unswitched)
}

/// Counts a piece of the body as the client gets it; the trailers behind the last one.
fn note_piece(
    data: &Buffer,
    is_last: bool,
    upstream: &UpstreamStream,
    exchange: &mut Exchange,
) -> Option<Box<HeaderMap>> {
    exchange.info.bytes_sent += data.len() as u64;
    if is_last { upstream.take_trailers() } else { None }
}

/// Makes the headers what the client gets, in Envoy's order.
fn prepare_head(downstream: &Downstream<'_>, exchange: &mut Exchange) {
    let manager = downstream.manager;
    let suppress = manager.config.router.suppress_envoy_headers;
    exchange.info.response_code = exchange.response.status;
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
    let leaves_http = exchange.leaves_http();
    let Exchange { request, response, .. } = exchange;
    let clock = &downstream.worker.clock;
    prepare_response(manager, &mut response.headers, &request.headers, clock, leaves_http);
}

/// `x-envoy-upstream-service-time`: from the request's end to the response's beginning, so a
/// response that comes earlier has none.
fn set_service_time(exchange: &mut Exchange, from: Instant) {
    let info = &exchange.info;
    let service_time =
        info.response_started.map_or(Duration::ZERO, |at| at.saturating_duration_since(from));
    let headers = &mut exchange.response.headers;
    headers.set_number(KnownHeader::XEnvoyUpstreamServiceTime, millis(service_time));
}

fn set_attempt_count(exchange: &mut Exchange) {
    let attempts = exchange.info.attempts;
    let headers = &mut exchange.response.headers;
    headers.remove(KnownHeader::XEnvoyAttemptCount);
    headers.append_number(KnownHeader::XEnvoyAttemptCount, attempts.into());
}

/// How the rest of a body ended.
enum Rest {
    Whole,
    BrokenOff(ResponseFailure),
    ClientGone,
}

/// Passes on what comes until the body is whole.
async fn relay_rest(
    downstream: &Downstream<'_>,
    exchange: &mut Exchange,
    upstream: &UpstreamStream,
    request: &RequestBody,
    timeouts: &StreamTimeouts,
) -> Rest {
    let pauses = [upstream.cluster().stats().reading_pauses()];
    loop {
        timeouts.arm_response(upstream.deadline());
        let leaves_http = exchange.leaves_http();
        let awaited = await_piece(downstream, upstream, request, leaves_http).await;
        let Piece { data, is_last } = match awaited {
            Ok(piece) => piece,
            Err(rest) => return rest,
        };
        let data = filter_chain::on_response_data(downstream.worker, exchange, data, is_last);
        exchange.response_trailers = note_piece(&data, is_last, upstream, exchange);
        let trailers = exchange.response_trailers.as_deref();
        let ending = is_last.then_some(Ending { trailers });
        let pace = exchange.filters.pace.as_deref();
        let sending = downstream.send_data(pace, data, ending);
        let is_held_back = || downstream.is_held_back();
        let (sent, spare) = counting_pauses(sending, is_held_back, pauses).await;
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

/// The next piece, as long as there is a client for it.
async fn await_piece(
    downstream: &Downstream<'_>,
    upstream: &UpstreamStream,
    request: &RequestBody,
    leaves_http: bool,
) -> Result<Piece, Rest> {
    let mut watch = None;
    let mut next = pin!(upstream.next_piece());
    let next = poll_fn(|context| {
        let polled = next.as_mut().poll(context);
        if polled.is_pending() && watch.is_none() {
            // As long as a body or a tunnel is read from an HTTP/1 client, that tells of its end.
            let received = request.ended() == Some(RequestEnd::Complete) && !leaves_http;
            watch =
                (received || downstream.is_http2()).then(|| downstream.watch(upstream.interrupt()));
        }
        polled
    })
    .await;
    match next {
        // The upstream's end was our doing, even where it looks like a good one.
        next if watch.is_some_and(|watch| watch.client_gone()) => {
            if let Ok(Piece { data, .. }) = next {
                downstream.worker.buffers.give_back(data);
            }
            Err(Rest::ClientGone)
        }
        next => next.map_err(Rest::BrokenOff),
    }
}
