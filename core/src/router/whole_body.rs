//! Waiting for all of a request's body before the request is passed on, as an HTTP filter may want.

use std::time::Instant;

use ringmain_config::route::Action;

use super::mirror::Mirrors;
use super::request_body::{RequestBody, Unreceived};
use super::stream_duration::stream_limit;
use super::timeout::StreamTimeouts;
use crate::http::codec::downstream::{After, Downstream};
use crate::http::exchange::{Exchange, WholeBody};
use crate::http::local_reply;

/// Receives the body into `exchange.body`, unless it is longer than `bytes_max`. `Some`: the request is
/// over.
pub async fn receive_whole_body(
    bytes_max: usize,
    downstream: &Downstream<'_>,
    exchange: &mut Exchange,
) -> Option<After> {
    let timeouts = timeouts(downstream, exchange);
    let body = RequestBody::new(Some(bytes_max), false, Mirrors::default(), None);
    let received = body.receive_whole(downstream, &timeouts).await;
    exchange.info.downstream_bytes.received += downstream.take_wire_bytes();
    let unreceived = match received {
        Ok(data) => {
            exchange.info.request_received = Some(Instant::now());
            exchange.body = Some(WholeBody { data, trailers: body.copy_of_trailers() });
            return None;
        }
        Err(unreceived) => unreceived,
    };
    exchange.info.bytes_received += body.bytes();
    let reply = match unreceived {
        Unreceived::TooLong => {
            downstream.stats().downstream_rq_too_large.inc();
            Some(local_reply::PAYLOAD_TOO_LARGE)
        }
        Unreceived::Ended(end) => end.reply(downstream),
    };
    Some(match reply {
        Some(reply) => downstream.reply(&reply, exchange).await,
        None => downstream.client_gone(exchange),
    })
}

/// The limits of a request that has come so far.
fn timeouts(downstream: &Downstream<'_>, exchange: &Exchange) -> StreamTimeouts {
    let manager = downstream.manager;
    let route = exchange.info.route.map(|route| &manager.routes.route(route).action);
    let action = match route {
        Some(Action::Route(action)) => Some(&**action),
        _ => None,
    };
    // Nobody is told of the limit before the request goes upstream.
    let headers = &mut exchange.request.headers.clone();
    let max_duration = action.and_then(|action| action.max_stream_duration.as_ref());
    let stream = stream_limit(max_duration, manager.config.max_stream_duration, headers);
    StreamTimeouts::while_receiving(action, &manager.config, stream, exchange.info.started)
}
