//! Replies that we make ourselves.

mod replies;
mod rewrite;

use std::borrow::Cow;
use std::io::Write;

use ringmain_proto_codec::h1::BodyLength;
use ringmain_proto_codec::{HeaderMap, KnownHeader};

use super::exchange::Exchange;
use super::filter::{FilterReply, ReplyHeaders};
use super::filter_chain;
use super::header_matching::is_grpc;
use super::response_headers::prepare_response;
use super::{ConnectionManager, ResponseFlag, ResponseFlags};
use crate::router::{Direction, RouteRef, add_headers, apply_header_mutations};
use crate::server::Worker;

pub use replies::*;
pub use rewrite::LocalReplies;

/// A reply and what the log says about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalReply {
    /// The status.
    pub status: u16,
    /// The body, text/plain; may be empty.
    pub body: &'static str,
    /// `%RESPONSE_CODE_DETAILS%`.
    pub details: &'static str,
    /// `%RESPONSE_FLAGS%`.
    pub flag: Option<ResponseFlag>,
}

impl LocalReply {
    const fn new(
        status: u16,
        body: &'static str,
        details: &'static str,
        flag: Option<ResponseFlag>,
    ) -> Self {
        Self { status, body, details, flag }
    }

    /// The same reply where earlier attempts had failed too, which its body then says.
    pub fn after_retry(mut self) -> Self {
        let known = replies::RESET_BODIES.iter().find(|(first, _)| *first == self.body);
        if let Some((_, retried)) = known {
            self.body = retried;
        }
        self
    }

    /// Adds this reply's flag to `flags`.
    pub fn flag_into(&self, flags: &mut ResponseFlags) {
        if let Some(flag) = self.flag {
            flags.set(flag);
        }
    }
}

/// What a reply says, from whatever source.
#[derive(Debug, Clone, Copy)]
pub struct Reply<'a> {
    /// The status.
    pub status: u16,
    /// The body; may be empty.
    pub body: &'a [u8],
    /// Where a redirect leads.
    pub location: Option<&'a [u8]>,
}

/// The header that says that the request was dropped, as its flags have it.
fn drop_header(flags: ResponseFlags) -> Option<&'static [u8]> {
    let headers: [(_, &[u8]); 2] = [
        (ResponseFlag::DropOverload, b"x-envoy-drop-overload"),
        (ResponseFlag::UnconditionalDropOverload, b"x-envoy-unconditional-drop-overload"),
    ];
    headers.into_iter().find(|(flag, _)| flags.has(*flag)).map(|(_, header)| header)
}

/// Writes the reply's head into `exchange.response` and gives the body that is sent with it. `of_filter`
/// is what the HTTP filter that makes it says beyond `reply`.
pub fn compose<'r>(
    manager: &'r ConnectionManager,
    worker: &Worker,
    reply: &Reply<'r>,
    of_filter: Option<&FilterReply<'_>>,
    exchange: &mut Exchange,
) -> Cow<'r, [u8]> {
    let own_headers = of_filter.map(|made| made.headers).unwrap_or_default();
    let is_ready = matches!(own_headers, ReplyHeaders::Ready);
    let request = &exchange.request.headers;
    let is_grpc = is_grpc(request) && !is_ready;
    let is_head = request.get(KnownHeader::Method) == Some(b"HEAD");
    if !is_ready {
        exchange.response.clear();
    }
    exchange.response.status = reply.status;
    let headers = &mut exchange.response.headers;
    let tells = !manager.config.router.suppress_envoy_headers;
    if tells && exchange.info.details == UPSTREAM_OVERFLOW.details {
        headers.append_known(KnownHeader::XEnvoyOverloaded, b"true");
    }
    if let Some(location) = reply.location {
        headers.append_known(KnownHeader::Location, location);
    }
    // To what a filter says only routes that forward add something, as in Envoy.
    let adds = |route: &RouteRef| {
        !is_ready && (of_filter.is_none() || manager.routes.route(*route).forwards())
    };
    if let Some(route) = exchange.info.route.filter(adds) {
        apply_header_mutations(manager, &worker.compiled, route, Direction::Response, exchange);
    }
    // Behind what routes add, as Envoy has it.
    if tells && let Some(name) = drop_header(exchange.info.flags) {
        exchange.response.headers.append(name, b"true");
    }
    if let ReplyHeaders::And { options, field } = own_headers {
        add_headers(options, manager, &worker.compiled, Direction::Response, exchange);
        if let Some((name, start)) = field {
            let value = exchange.filters.text_from(start);
            exchange.response.headers.append_known(name, value);
        }
    }
    let content = match is_ready {
        true => Content::as_made(reply),
        false => content_of(reply, manager, worker, exchange),
    };
    let headers = &mut exchange.response.headers;
    if is_grpc {
        exchange.response.status = 200;
        let status = of_filter.and_then(|made| made.grpc_status);
        describe_grpc(headers, &content, status, is_head);
    } else if !(is_ready && content.body.is_empty()) {
        describe_body(headers, &content);
    }
    let body = if is_grpc || is_head { Cow::Borrowed(&b""[..]) } else { content.body };
    exchange.response.body = BodyLength::Length(body.len() as u64);
    // Filters may tell of it.
    exchange.info.response_code = exchange.response.status;
    filter_chain::on_response(manager, worker, exchange);
    let headers = &mut exchange.response.headers;
    prepare_response(manager, headers, &exchange.request.headers, &worker.clock, false);
    body
}

/// What a reply says in the end.
struct Content<'a> {
    status: u16,
    body: Cow<'a, [u8]>,
    content_type: &'a str,
    /// The type of the body is no longer that of the reply as it was made.
    retyped: bool,
}

impl<'a> Content<'a> {
    fn as_made(reply: &Reply<'a>) -> Self {
        let (status, body) = (reply.status, Cow::Borrowed(reply.body));
        Self { status, body, content_type: rewrite::TEXT, retyped: false }
    }
}

/// The content of `reply` as `local_reply_config` wants it.
fn content_of<'a>(
    reply: &Reply<'a>,
    manager: &'a ConnectionManager,
    worker: &Worker,
    exchange: &mut Exchange,
) -> Content<'a> {
    let Some(replies) = &manager.local_replies else {
        return Content::as_made(reply);
    };
    let type_of = |exchange: &Exchange| {
        exchange.response.headers.get(KnownHeader::ContentType).map(<[u8]>::to_vec)
    };
    let routes_type = type_of(exchange);
    let rewritten = replies.rewrite(reply, manager, worker, exchange);
    // A type that a mapper's headers name stays.
    let retyped = rewritten.body != reply.body && type_of(exchange) == routes_type;
    Content {
        status: rewritten.status,
        body: Cow::Owned(rewritten.body),
        content_type: rewritten.content_type,
        retyped,
    }
}

/// Whether a response of `status` has a body at all (RFC 9110 §6.4.1).
pub fn allows_body(status: u16) -> bool {
    !matches!(status, 100..=199 | 204 | 304)
}

fn describe_body(headers: &mut HeaderMap, content: &Content<'_>) {
    headers.remove(KnownHeader::ContentLength);
    if content.body.is_empty() {
        headers.remove(KnownHeader::ContentType);
        return;
    }
    headers.append_number(KnownHeader::ContentLength, content.body.len() as u64);
    if content.retyped || !headers.contains(KnownHeader::ContentType) {
        headers.set(KnownHeader::ContentType, content.content_type.as_bytes());
    }
}

/// A gRPC client reads the status from headers (a "trailers-only" response).
fn describe_grpc(
    headers: &mut HeaderMap,
    content: &Content<'_>,
    status: Option<u32>,
    is_head: bool,
) {
    headers.remove(KnownHeader::ContentLength);
    headers.set(KnownHeader::ContentType, b"application/grpc");
    if headers.get(KnownHeader::GrpcStatus).unwrap_or_default().is_empty() {
        headers.remove(KnownHeader::GrpcStatus);
        let status = status.unwrap_or_else(|| grpc_status(content.status).into());
        headers.append_number(KnownHeader::GrpcStatus, status.into());
    }
    // JSON is written as a line, which no header value is.
    let is_json = content.content_type == rewrite::JSON;
    let message = match content.body.strip_suffix(b"\n") {
        Some(line) if is_json => line,
        _ => &content.body,
    };
    if !message.is_empty() && !is_head {
        headers.remove(KnownHeader::GrpcMessage);
        headers.append_with(KnownHeader::GrpcMessage, |value| percent_encode(message, value));
    }
}

/// The gRPC status that stands for an HTTP status.
pub fn grpc_status(status: u16) -> u8 {
    match status {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502 | 503 | 504 => 14,
        _ => 2,
    }
}

/// The status of HTTP that a gRPC status stands for; none where it is no number.
pub fn http_status(grpc_status: &[u8]) -> Option<u16> {
    Some(match std::str::from_utf8(grpc_status).ok()?.parse().ok()? {
        0_u32 => 200,
        1 => 499,
        3 | 9 | 11 => 400,
        4 => 504,
        5 => 404,
        6 | 10 => 409,
        7 => 403,
        8 => 429,
        12 => 501,
        14 => 503,
        16 => 401,
        _ => 500,
    })
}

fn percent_encode(text: &[u8], value: &mut Vec<u8>) {
    for byte in text {
        match byte {
            b'%' | 0..=0x1f | 0x7f.. => {
                write!(value, "%{byte:02X}").expect("writing to memory does not fail");
            }
            _ => value.push(*byte),
        }
    }
}
