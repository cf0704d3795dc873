//! The server's side of HTTP/2: one connection, the requests that come on it.

use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h2::ext::Protocol;
use h2::{Reason, RecvStream, SendStream, server};
use http::header::HOST;
use http::{Method, Response, StatusCode};

use super::frame_fault::FrameFault;
use super::header_conversion;
use super::io::{MemoryIo, OUTPUT_BYTES_MAX};
use super::ping::Pings;
use super::room::poll_room;
use crate::h1::{BodyLength, RequestHead, ResponseHead, Version, is_authority};
use crate::header_map::is_token;
use crate::{HeaderMap, KnownHeader};

/// What a connection is made with: `http2_protocol_options` in Envoy's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerOptions {
    /// `max_concurrent_streams`.
    pub max_concurrent_streams: u32,
    /// `initial_stream_window_size`, in bytes.
    pub initial_stream_window_size: u32,
    /// `initial_connection_window_size`, in bytes.
    pub initial_connection_window_size: u32,
    /// `hpack_table_size`, in bytes.
    pub hpack_table_size: u32,
    /// The largest field section that is accepted, in bytes as RFC 9113 §6.5.2 counts them.
    pub header_list_bytes_max: u32,
    /// `allow_connect`: whether the peer may ask for another protocol (RFC 8441).
    pub allow_connect: bool,
}

/// Who ended a stream or a connection before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The peer has reset the stream.
    RemoteReset,
    /// What came is not HTTP/2 or not allowed.
    Protocol,
    /// The connection has ended.
    ConnectionEnded,
}

/// Drives a connection's frames. `B` is what input comes in, `D` what bodies go out in.
#[derive(Debug)]
pub struct ServerConnection<B: AsRef<[u8]>, D: Buf> {
    connection: Box<server::Connection<MemoryIo<B>, D>>,
    refused: u32,
}

/// A request that has begun.
#[derive(Debug)]
pub struct Incoming<D: Buf> {
    /// Its head.
    pub head: IncomingHead,
    /// Its body, and where the response goes.
    pub stream: ServerStream<D>,
}

/// A request's head as it came.
#[derive(Debug)]
pub struct IncomingHead {
    parts: http::request::Parts,
    body: BodyLength,
}

/// One request and its response.
#[derive(Debug)]
pub struct ServerStream<D: Buf> {
    receiving: RecvStream,
    sending: Sending<D>,
}

#[derive(Debug)]
enum Sending<D: Buf> {
    /// The response's head was not sent.
    Head(server::SendResponse<D>),
    /// It was.
    Body(SendStream<D>),
    /// All of the response was; not all of it need be on its way.
    Ended(SendStream<D>),
    /// The stream was given up.
    Nothing,
}

/// Begins a connection over `io`; ready when the client's preface has come.
pub async fn accept<B: AsRef<[u8]>, D: Buf + 'static>(
    io: MemoryIo<B>,
    options: &ServerOptions,
) -> Result<ServerConnection<B, D>, Ended> {
    let mut builder = server::Builder::new();
    if options.allow_connect {
        builder.enable_connect_protocol();
    }
    let handshake = builder
        .max_concurrent_streams(options.max_concurrent_streams)
        .initial_window_size(options.initial_stream_window_size)
        .initial_connection_window_size(options.initial_connection_window_size)
        .header_table_size(options.hpack_table_size)
        .max_header_list_size(options.header_list_bytes_max)
        // Of each stream as much as goes out at once may wait, and one piece behind it.
        .max_send_buffer_size(OUTPUT_BYTES_MAX)
        .handshake(io);
    // In memory of their own, and the handshake's only for as long as it takes: the task of a connection
    // has room for all that it ever holds by value, several times where that is moved.
    let connection = Box::pin(handshake).await.map_err(|error| ended(&error))?;
    Ok(ServerConnection { connection: Box::new(connection), refused: 0 })
}

impl<B: AsRef<[u8]>, D: Buf> ServerConnection<B, D> {
    /// Handles what has come, writes what there is to send, and gives the next request. `None` when
    /// the connection is over.
    pub fn poll_request(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Incoming<D>, Ended>>> {
        loop {
            let (request, mut respond) = match ready!(self.connection.poll_accept(context)) {
                Some(Ok(next)) => next,
                Some(Err(error)) => return Poll::Ready(Some(Err(ended(&error)))),
                None => return Poll::Ready(None),
            };
            let (parts, receiving) = request.into_parts();
            if let Some(head) = IncomingHead::new(parts, receiving.is_end_stream()) {
                let stream = ServerStream { receiving, sending: Sending::Head(respond) };
                return Poll::Ready(Some(Ok(Incoming { head, stream })));
            }
            // As the crate does with what it refuses itself.
            respond.send_reset(Reason::PROTOCOL_ERROR);
            self.refused = self.refused.saturating_add(1);
        }
    }

    /// How many malformed requests were refused here since the last call; those that the crate refuses
    /// it counts itself.
    pub fn take_refused(&mut self) -> u32 {
        std::mem::take(&mut self.refused)
    }

    /// The connection's pings; given once.
    pub fn pings(&mut self) -> Option<Pings> {
        self.connection.ping_pong().map(Pings::new)
    }

    /// Ends the connection when its streams are over (RFC 9113 §6.8): says first that no more are
    /// wanted, and after a round trip which was the last.
    pub fn shut_down(&mut self) {
        self.connection.graceful_shutdown();
    }

    /// Ends the connection and its streams at once: the peer asks too much of us, or `fault` is in what it sends.
    pub fn refuse(&mut self, fault: Option<FrameFault>) {
        self.connection.abrupt_shutdown(match fault {
            None => Reason::ENHANCE_YOUR_CALM,
            Some(FrameFault::Size) => Reason::FRAME_SIZE_ERROR,
            Some(FrameFault::WindowSize) => Reason::FLOW_CONTROL_ERROR,
        });
    }
}

impl IncomingHead {
    /// `None` where the request is malformed (RFC 9113 §8.1.1), in the strict reading that HTTP/1 has,
    /// which the next hop may speak.
    fn new(parts: http::request::Parts, ends: bool) -> Option<Self> {
        let framing = header_conversion::framing(&parts.headers).ok()?;
        if parts.method == Method::CONNECT && framing.announces_body() {
            // RFC 9110 §9.3.6: it has no content; a length would end the tunnel at a place of the client's.
            return None;
        }
        let body = match ends {
            true => BodyLength::None,
            false if parts.method == Method::CONNECT => BodyLength::UntilClose,
            false => framing.body_length(BodyLength::Chunked),
        };
        let head = Self { parts, body };
        (head.has_valid_authority() && head.has_valid_protocol()).then_some(head)
    }

    /// A name, and behind a slash a version (RFC 9110 §7.8), or none. The `h2` crate takes any text, lines of
    /// HTTP/1 included.
    fn has_valid_protocol(&self) -> bool {
        let protocol = self.parts.extensions.get::<Protocol>();
        protocol.is_none_or(|it| it.as_str().splitn(2, '/').all(|part| is_token(part.as_bytes())))
    }

    /// One `uri-host [":" port]` (RFC 9110 §7.2), or none.
    fn has_valid_authority(&self) -> bool {
        let is_single = self.parts.uri.authority().is_some()
            || self.parts.headers.get_all(HOST).iter().count() <= 1;
        is_single && self.authority().is_none_or(|it| it.is_empty() || is_authority(it))
    }

    /// `:authority`, or `host` where that is missing (RFC 9113 §8.3.1).
    fn authority(&self) -> Option<&[u8]> {
        let host = || self.parts.headers.get(HOST).map(http::HeaderValue::as_bytes);
        self.parts.uri.authority().map(|it| it.as_str().as_bytes()).or_else(host)
    }

    /// Writes the request into `head`, with the fields of one name together and crumbs of `cookie`
    /// joined (RFC 9113 §8.2.3). An extended CONNECT becomes what HTTP/1 has for it: GET with `upgrade`
    /// (RFC 8441 §5). Where it `proxies_continue`, `expect: 100-continue` is the upstream's to meet.
    /// Returns how many crumbs there were.
    pub fn write_to(&self, head: &mut RequestHead, proxies_continue: bool) -> usize {
        let (uri, method) = (&self.parts.uri, &self.parts.method);
        head.clear();
        head.version = Version::Http2;
        head.keep_alive = true;
        let protocol = self.parts.extensions.get::<Protocol>();
        head.upgrade = protocol.is_some();
        let headers = &mut head.headers;
        let method = if head.upgrade { &Method::GET } else { method };
        headers.append_known(KnownHeader::Method, method.as_str().as_bytes());
        if method != Method::CONNECT {
            let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
            headers.append_known(KnownHeader::Path, path.as_bytes());
        }
        if let Some(authority) = self.authority() {
            headers.append_known(KnownHeader::Authority, authority);
        }
        if let Some(scheme) = uri.scheme_str() {
            headers.append_known(KnownHeader::Scheme, scheme.as_bytes());
        }
        for (name, value) in &self.parts.headers {
            if name == http::header::EXPECT
                && !proxies_continue
                && value.as_bytes().eq_ignore_ascii_case(b"100-continue")
            {
                head.expect_continue = true;
            } else if !matches!(*name, http::header::COOKIE | HOST) {
                headers.append(name.as_str().as_bytes(), value.as_bytes());
            }
        }
        let crumbs = join_cookies(&self.parts.headers, headers);
        if let Some(protocol) = protocol {
            headers.append_known(KnownHeader::Upgrade, protocol.as_str().as_bytes());
            headers.append_known(KnownHeader::Connection, b"upgrade");
        }
        head.body = self.body;
        crumbs
    }
}

/// Returns in how many fields `cookie` has come.
fn join_cookies(fields: &http::HeaderMap, headers: &mut HeaderMap) -> usize {
    let mut crumbs = fields.get_all(http::header::COOKIE).iter();
    let Some(first) = crumbs.next() else { return 0 };
    let mut count = 1;
    headers.append_with(KnownHeader::Cookie, |value| {
        value.extend_from_slice(first.as_bytes());
        for crumb in crumbs {
            value.extend_from_slice(b"; ");
            value.extend_from_slice(crumb.as_bytes());
            count += 1;
        }
    });
    count
}

impl<D: Buf> ServerStream<D> {
    /// Its number on the connection.
    pub fn id(&self) -> u32 {
        self.receiving.stream_id().as_u32()
    }

    /// Whether the request is over, trailers included.
    pub fn has_ended(&self) -> bool {
        self.receiving.is_end_stream()
    }

    /// The next bytes of the request's body; `None` behind the last. They count against our windows
    /// until they are [released](Self::release).
    pub fn poll_data(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Ended>>> {
        self.receiving.poll_data(context).map_err(|error| ended(&error))
    }

    /// Lets the peer send `bytes` more.
    pub fn release(&mut self, bytes: usize) {
        // Fails only where more is released than came.
        let released = self.receiving.flow_control().release_capacity(bytes);
        debug_assert!(released.is_ok(), "no more is released than was received");
    }

    /// The request's trailers, behind the last of its body.
    pub fn poll_trailers(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Box<HeaderMap>>, Ended>> {
        let trailers =
            ready!(self.receiving.poll_trailers(context)).map_err(|error| ended(&error))?;
        let Some(fields) = trailers else { return Poll::Ready(Ok(None)) };
        if fields.contains_key(http::header::CONTENT_LENGTH) {
            // RFC 9110 §6.5.1: a length behind the content says something else to who merges them.
            self.refuse();
            return Poll::Ready(Err(Ended::Protocol));
        }
        let mut trailers = Box::<HeaderMap>::default();
        header_conversion::append(&fields, &mut trailers);
        Poll::Ready(Ok(Some(trailers)))
    }

    /// Resets the stream for a malformed request (RFC 9113 §8.1.1).
    fn refuse(&mut self) {
        match &mut self.sending {
            Sending::Head(respond) => respond.send_reset(Reason::PROTOCOL_ERROR),
            Sending::Body(body) => body.send_reset(Reason::PROTOCOL_ERROR),
            Sending::Ended(_) | Sending::Nothing => {}
        }
    }

    /// Ready when the peer has reset the stream or the connection has ended.
    pub fn poll_reset(&mut self, context: &mut Context<'_>) -> Poll<Ended> {
        let reset = match &mut self.sending {
            Sending::Head(respond) => respond.poll_reset(context),
            Sending::Body(body) | Sending::Ended(body) => body.poll_reset(context),
            Sending::Nothing => return Poll::Pending,
        };
        reset.map(|reset| match reset {
            // The crate resets a stream so that breaks a rule; peers hardly do.
            Ok(Reason::PROTOCOL_ERROR | Reason::FLOW_CONTROL_ERROR | Reason::STREAM_CLOSED) => {
                Ended::Protocol
            }
            Ok(_) => Ended::RemoteReset,
            Err(error) => ended(&error),
        })
    }

    /// Sends the head of an interim response.
    pub fn send_interim(&mut self, status: u16, headers: &HeaderMap) -> Result<(), Ended> {
        let Sending::Head(respond) = &mut self.sending else { return Ok(()) };
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::from_u16(status).map_err(|_| Ended::Protocol)?;
        *response.headers_mut() = header_conversion::fields(headers);
        respond.send_informational(response).map_err(|error| ended(&error))
    }

    /// Sends the response's head; `ends` where nothing follows it.
    pub fn send_head(&mut self, head: &ResponseHead, ends: bool) -> Result<(), Ended> {
        let Sending::Head(mut respond) = std::mem::replace(&mut self.sending, Sending::Nothing)
        else {
            return Err(Ended::Protocol);
        };
        let mut response = Response::new(());
        // RFC 8441 §5: HTTP/2 opens another protocol with 200, and knows no 101 (RFC 9113 §8.6).
        let status = if head.status == 101 { 200 } else { head.status };
        *response.status_mut() = StatusCode::from_u16(status).map_err(|_| Ended::Protocol)?;
        *response.headers_mut() = header_conversion::fields(&head.headers);
        let body = respond.send_response(response, ends).map_err(|error| ended(&error))?;
        self.sending = if ends { Sending::Ended(body) } else { Sending::Body(body) };
        Ok(())
    }

    /// Ready when the peer has room for some of `bytes`, and all that was sent before is on its way: for how
    /// many.
    pub fn poll_room(
        &mut self,
        context: &mut Context<'_>,
        bytes: usize,
    ) -> Poll<Result<usize, Ended>> {
        let Sending::Body(body) = &mut self.sending else {
            return Poll::Ready(Err(Ended::ConnectionEnded));
        };
        poll_room(body, context, bytes).map(|room| match room {
            Some(room) => room.map_err(|error| ended(&error)),
            None => Err(Ended::RemoteReset),
        })
    }

    /// Sends a piece of the response's body, the last one where `ends`. What the peer has no room
    /// for waits in memory, so [`Self::poll_room`] comes first.
    pub fn send_data(&mut self, data: D, ends: bool) -> Result<(), Ended> {
        let Sending::Body(body) = &mut self.sending else { return Err(Ended::ConnectionEnded) };
        let sent = body.send_data(data, ends).map_err(|error| ended(&error));
        if ends {
            self.note_ended();
        }
        sent
    }

    /// Ends the response with `trailers`.
    pub fn send_trailers(&mut self, trailers: &HeaderMap) -> Result<(), Ended> {
        let Sending::Body(body) = &mut self.sending else { return Err(Ended::ConnectionEnded) };
        let fields = header_conversion::fields(trailers);
        let sent = body.send_trailers(fields).map_err(|error| ended(&error));
        self.note_ended();
        sent
    }

    fn note_ended(&mut self) {
        self.sending = match std::mem::replace(&mut self.sending, Sending::Nothing) {
            Sending::Body(body) => Sending::Ended(body),
            other => other,
        };
    }

    /// Breaks the response off where all of it was not sent, so that the peer cannot take what it has for
    /// the whole: a `tunnel` with CONNECT_ERROR (RFC 9113 §8.5), anything else with INTERNAL_ERROR (§7).
    pub fn break_off(&mut self, tunnel: bool) {
        if !matches!(self.sending, Sending::Ended(_)) {
            self.give_up(tunnel);
        }
    }

    /// The same where all of it was sent and the peer does not take it.
    pub fn give_up(&mut self, tunnel: bool) {
        let reason = if tunnel { Reason::CONNECT_ERROR } else { Reason::INTERNAL_ERROR };
        match std::mem::replace(&mut self.sending, Sending::Nothing) {
            Sending::Head(mut respond) => respond.send_reset(reason),
            Sending::Body(mut body) | Sending::Ended(mut body) => body.send_reset(reason),
            Sending::Nothing => {}
        }
    }
}

fn ended(error: &h2::Error) -> Ended {
    if error.is_reset() && error.is_remote() {
        Ended::RemoteReset
    } else if error.is_reset() || error.is_go_away() && !error.is_remote() {
        Ended::Protocol
    } else {
        Ended::ConnectionEnded
    }
}
