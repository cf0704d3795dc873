//! The client's side of HTTP/2: one connection, many requests on it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes};
use h2::ext::Protocol;
use h2::{Reason, RecvStream, SendStream, client};
use http::{Method, StatusCode};

use super::header_conversion;
use super::io::MemoryIo;
use super::ping::Pings;
use super::room::poll_room;
use crate::h1::{BodyLength, RequestKind, ResponseHead, Version};
use crate::limits::HeadLimits;
use crate::{HeaderMap, KnownHeader};

/// What a connection is made with: `http2_protocol_options` in Envoy's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientOptions {
    /// `max_concurrent_streams`: how many requests we send at once, whatever the peer allows.
    pub max_concurrent_streams: u32,
    /// `initial_stream_window_size`, in bytes.
    pub initial_stream_window_size: u32,
    /// `initial_connection_window_size`, in bytes.
    pub initial_connection_window_size: u32,
    /// `hpack_table_size`, in bytes.
    pub hpack_table_size: u32,
    /// The largest field section that is accepted, in bytes as RFC 9113 §6.5.2 counts them.
    pub header_list_bytes_max: u32,
}

/// Why a request has no response, or no whole one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamFailure {
    /// The peer has reset the stream.
    RemoteReset,
    /// The peer has not looked at the request: REFUSED_STREAM, or beyond the last stream of a GOAWAY
    /// (RFC 9113 §8.7). It may be sent again.
    Refused,
    /// What came is not HTTP/2 or not allowed.
    Protocol,
    /// The connection has ended.
    ConnectionEnded,
}

/// Drives a connection's frames; ends with the connection. `D` is what bodies are sent in.
#[derive(Debug)]
pub struct ClientConnection<B: AsRef<[u8]>, D: Buf + 'static>(
    Box<client::Connection<MemoryIo<B>, D>>,
);

/// Opens streams on a connection, which ends when this and all streams are dropped.
pub struct ClientHandle<D: Buf> {
    requests: client::SendRequest<D>,
    streams_max: usize,
}

/// A request's head as HTTP/2 has it.
#[derive(Debug)]
pub struct RequestHead(http::Request<()>);

impl RequestHead {
    /// The head that `headers` describe, without what belongs to one HTTP/1 connection; `None` where
    /// its target is none that HTTP/2 can carry.
    pub fn new(headers: &HeaderMap) -> Option<Self> {
        header_conversion::request(headers).map(Self)
    }
}

/// One request.
#[derive(Debug)]
pub struct ClientStream<D: Buf> {
    sending: SendStream<D>,
    awaited: client::ResponseFuture,
    receiving: Option<RecvStream>,
    /// The protocol that was asked for.
    protocol: Option<Protocol>,
    request: RequestKind,
    /// Whether the response has no body, whatever the peer sends (RFC 9110 §6.4.1).
    bodiless: bool,
}

/// A head that has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceivedHead {
    /// That of an interim response (RFC 9110 §15.2).
    Interim,
    /// The final response.
    Final,
}

/// Begins a connection over `io`.
pub async fn connect<B: AsRef<[u8]>, D: Buf + 'static>(
    io: MemoryIo<B>,
    options: &ClientOptions,
) -> Result<(ClientHandle<D>, ClientConnection<B, D>), StreamFailure> {
    let streams_max = options.max_concurrent_streams as usize;
    let handshake = client::Builder::new()
        .initial_window_size(options.initial_stream_window_size)
        .initial_connection_window_size(options.initial_connection_window_size)
        .header_table_size(options.hpack_table_size)
        .max_header_list_size(options.header_list_bytes_max)
        // Until the peer's SETTINGS have come.
        .initial_max_send_streams(streams_max)
        .enable_push(false)
        .handshake(io);
    let (requests, connection) = Box::pin(handshake).await.map_err(|error| failure(&error))?;
    Ok((ClientHandle { requests, streams_max }, ClientConnection(Box::new(connection))))
}

impl<B: AsRef<[u8]>, D: Buf + 'static> ClientConnection<B, D> {
    /// The connection's pings; given once.
    pub fn pings(&mut self) -> Option<Pings> {
        self.0.ping_pong().map(Pings::new)
    }

    /// Handles what has come and writes what there is to send. Ready when the connection is over:
    /// with `Err` where it broke down.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<(), StreamFailure>> {
        Pin::new(&mut *self.0).poll(context).map_err(|error| failure(&error))
    }
}

impl<D: Buf> ClientHandle<D> {
    /// How many streams may be open at once now; `None` where no more will be opened.
    pub fn streams_max(&mut self) -> Option<usize> {
        match self.requests.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => {}
            // A GOAWAY has come, or the connection has ended.
            Poll::Ready(Err(_)) => return None,
            // The last stream waits for the peer to allow it.
            Poll::Pending => return Some(0),
        }
        Some(self.requests.current_max_send_streams().min(self.streams_max))
    }

    /// Begins a request. `ends` where it has neither body nor trailers.
    pub fn request(
        &mut self,
        head: RequestHead,
        ends: bool,
    ) -> Result<ClientStream<D>, StreamFailure> {
        let protocol = head.0.extensions().get::<Protocol>().cloned();
        let request = match *head.0.method() {
            _ if protocol.is_some() => RequestKind::Upgrade,
            Method::CONNECT => RequestKind::Connect,
            Method::HEAD => RequestKind::Head,
            _ => RequestKind::Other,
        };
        match self.requests.send_request(head.0, ends) {
            Ok((awaited, sending)) => Ok(ClientStream {
                sending,
                awaited,
                receiving: None,
                protocol,
                request,
                bodiless: false,
            }),
            // The peer knows nothing of it.
            Err(_) => Err(StreamFailure::Refused),
        }
    }
}

impl<D: Buf> ClientStream<D> {
    /// Its number on the connection.
    pub fn id(&self) -> u32 {
        self.awaited.stream_id().as_u32()
    }

    /// Ready when the peer has room for some of `bytes`, and all that was sent before is on its way: for how
    /// many.
    pub fn poll_room(
        &mut self,
        context: &mut Context<'_>,
        bytes: usize,
    ) -> Poll<Result<usize, StreamFailure>> {
        poll_room(&mut self.sending, context, bytes).map(|room| match room {
            Some(room) => room.map_err(|error| failure(&error)),
            None => Err(StreamFailure::RemoteReset),
        })
    }

    /// Sends a piece of the request's body, the last one where `ends`. What the peer has no room for waits in
    /// memory, so [`Self::poll_room`] comes first. The piece is dropped once all of it is in frames, or the stream
    /// is over.
    pub fn send_data(&mut self, data: D, ends: bool) -> Result<(), StreamFailure> {
        self.sending.send_data(data, ends).map_err(|error| failure(&error))
    }

    /// Ends the request with `trailers`.
    pub fn send_trailers(&mut self, trailers: &HeaderMap) -> Result<(), StreamFailure> {
        let fields = header_conversion::fields(trailers);
        self.sending.send_trailers(fields).map_err(|error| failure(&error))
    }

    /// Gives the stream up; the peer is told.
    pub fn reset(&mut self) {
        self.sending.send_reset(Reason::CANCEL);
    }

    /// Reads the next head into `head`; the final response's is held to `limits`.
    pub fn poll_head(
        &mut self,
        context: &mut Context<'_>,
        head: &mut ResponseHead,
        limits: &HeadLimits,
    ) -> Poll<Result<ReceivedHead, StreamFailure>> {
        if let Poll::Ready(Some(interim)) = self.poll_interim(context, head) {
            return Poll::Ready(interim.map(|()| ReceivedHead::Interim));
        }
        let response = match Pin::new(&mut self.awaited).poll(context) {
            Poll::Ready(Ok(response)) => response,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(failure(&error))),
            Poll::Pending => return Poll::Pending,
        };
        let (parts, body) = response.into_parts();
        fill(head, parts.status, &parts.headers);
        if let Some(protocol) = self.protocol.take()
            && head.status == 200
        {
            // RFC 8441 §5: what is 200 here is 101 in HTTP/1.
            head.status = 101;
            head.headers.append_known(KnownHeader::Upgrade, protocol.as_str().as_bytes());
            head.headers.append_known(KnownHeader::Connection, b"upgrade");
        }
        head.body = if body.is_end_stream() { BodyLength::None } else { BodyLength::UntilClose };
        self.receiving = Some(body);
        if exceeds(&parts.headers, limits) {
            self.sending.send_reset(Reason::INTERNAL_ERROR);
            // Envoy's word for it.
            return Poll::Ready(Err(StreamFailure::RemoteReset));
        }
        let Ok(framing) = header_conversion::framing(&parts.headers) else {
            return Poll::Ready(Err(self.refuse()));
        };
        let is_empty = head.status == 204 && self.request != RequestKind::Connect;
        if is_empty && framing.announces_body() {
            return Poll::Ready(Err(self.refuse()));
        }
        if is_empty {
            // RFC 9110 §8.6 forbids even a length of zero.
            head.headers.remove(KnownHeader::ContentLength);
        }
        self.bodiless = is_empty || head.status == 304 || self.request == RequestKind::Head;
        Poll::Ready(Ok(ReceivedHead::Final))
    }

    /// Reads an interim response's head into `head` where one has come, and leaves the final one where it is.
    pub fn poll_interim(
        &mut self,
        context: &mut Context<'_>,
        head: &mut ResponseHead,
    ) -> Poll<Option<Result<(), StreamFailure>>> {
        if self.receiving.is_some() {
            return Poll::Ready(None);
        }
        self.awaited.poll_informational(context).map(|interim| {
            let interim = interim?.map_err(|error| failure(&error));
            Some(interim.map(|interim| fill(head, interim.status(), interim.headers())))
        })
    }

    /// Resets the stream for a malformed response (RFC 9113 §8.1.1).
    fn refuse(&mut self) -> StreamFailure {
        self.sending.send_reset(Reason::PROTOCOL_ERROR);
        StreamFailure::Protocol
    }

    /// Whether all of the response's body has come. Trailers may still follow.
    pub fn has_ended(&self) -> bool {
        self.receiving.as_ref().is_none_or(RecvStream::is_end_stream)
    }

    /// The next bytes of the response's body; `None` behind the last. They count against the peer's
    /// windows until they are [released](Self::release).
    pub fn poll_data(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, StreamFailure>>> {
        let Some(body) = &mut self.receiving else { return Poll::Ready(None) };
        let data = body.poll_data(context).map_err(|error| failure(&error));
        match data {
            // To an HTTP/1 client it would be the next response.
            Poll::Ready(Some(Ok(bytes))) if self.bodiless && !bytes.is_empty() => {
                self.release(bytes.len());
                Poll::Ready(Some(Err(self.refuse())))
            }
            data => data,
        }
    }

    /// Lets the peer send `bytes` more.
    pub fn release(&mut self, bytes: usize) {
        if let Some(body) = &mut self.receiving {
            // Fails only where more is released than came.
            let released = body.flow_control().release_capacity(bytes);
            debug_assert!(released.is_ok(), "no more is released than was received");
        }
    }

    /// The response's trailers, behind the last of its body.
    pub fn poll_trailers(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Box<HeaderMap>>, StreamFailure>> {
        let Some(body) = &mut self.receiving else { return Poll::Ready(Ok(None)) };
        let trailers = ready!(body.poll_trailers(context)).map_err(|error| failure(&error))?;
        let Some(fields) = trailers else { return Poll::Ready(Ok(None)) };
        if fields.contains_key(http::header::CONTENT_LENGTH) {
            // RFC 9110 §6.5.1: a length behind the content says something else to who merges them.
            return Poll::Ready(Err(self.refuse()));
        }
        let mut trailers = Box::<HeaderMap>::default();
        header_conversion::append(&fields, &mut trailers);
        Poll::Ready(Ok(Some(trailers)))
    }
}

/// Makes `head` one of `status` and `fields`.
fn fill(head: &mut ResponseHead, status: StatusCode, fields: &http::HeaderMap) {
    head.clear();
    head.status = status.as_u16();
    head.version = Version::Http11;
    header_conversion::append(fields, &mut head.headers);
}

/// Whether `fields`, and `:status` before them, are more than `limits` allow.
fn exceeds(fields: &http::HeaderMap, limits: &HeadLimits) -> bool {
    let bytes: usize = fields.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    fields.len() >= limits.headers_max as usize || bytes > limits.bytes_max as usize
}

fn failure(error: &h2::Error) -> StreamFailure {
    if error.is_reset() && error.is_remote() {
        match error.reason() {
            Some(Reason::REFUSED_STREAM) => StreamFailure::Refused,
            _ => StreamFailure::RemoteReset,
        }
    } else if error.is_go_away() && error.is_remote() {
        StreamFailure::Refused
    } else if error.is_reset() || error.is_go_away() {
        StreamFailure::Protocol
    } else {
        StreamFailure::ConnectionEnded
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn fields_are_held_to_number_and_bytes() {
        let mut fields = http::HeaderMap::new();
        fields.append("x", HeaderValue::from_static("1234"));
        let limits = |headers_max, bytes_max| HeadLimits { bytes_max, headers_max };
        assert!(!exceeds(&fields, &limits(2, 5)));
        assert!(exceeds(&fields, &limits(2, 4)));
        // `:status` is the other one.
        assert!(exceeds(&fields, &limits(1, 5)));
    }
}
