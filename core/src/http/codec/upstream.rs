//! One request's upstream side, whichever protocol the host speaks: the head and the pieces of the
//! body go out without framing, the response's come back so.

use std::rc::Rc;
use std::task::Context;

use ringmain_config::address::Address;
use ringmain_proto_codec::HeaderMap;
use ringmain_proto_codec::h1::{BodyLength, RequestKind, ResponseHead};
use ringmain_proto_codec::h2::client::{ReceivedHead, RequestHead};

use super::body::Ending;
use super::upstream_h1::H1Stream;
use super::upstream_h2::H2Stream;
use super::upstream_tunnel::TunnelStream;
use crate::cluster::{WorkerCluster, WorkerHost};
use crate::http::exchange::Exchange;
use crate::http::header_bytes;
use crate::http::stream::UpstreamConnectionInfo;
use crate::pool::{Acquired, TcpConnection};
use crate::runtime::{Buffer, Deadline, Interrupt};
use crate::server::Worker;
use crate::transport_socket::tls::TlsInfo;

/// Why there is no response head, or no whole body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseFailure {
    /// The connection ended before the response's first byte.
    ClosedSilent,
    /// The connection ended inside the response.
    ClosedPartial,
    /// What came is not the protocol or not allowed.
    Protocol,
    /// The host has reset the stream.
    RemoteReset,
    /// The host has not looked at the request (RFC 9113 §8.7).
    Refused,
}

/// A piece of a response's body, without framing.
#[derive(Debug)]
pub struct Piece {
    /// Its bytes, which may be none.
    pub data: Buffer,
    /// Whether the body ends with it.
    pub is_last: bool,
}

/// A request's head as it is sent.
#[derive(Debug)]
pub enum OutgoingHead {
    /// Its bytes.
    H1(Buffer),
    /// `None` where HTTP/2 cannot carry the request's target.
    H2(Option<Box<RequestHead>>),
    /// A tunnel has none.
    None,
}

/// One request on its way to a host and its response on the way back.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "HTTP/1 allocates nothing for a request")]
pub enum UpstreamStream {
    /// It has a connection of its own.
    H1(H1Stream),
    /// It is one of many on its connection.
    H2(Box<H2Stream>),
    /// It is no HTTP: what comes out of the client's tunnel.
    Tunnel(Box<TunnelStream>),
}

impl UpstreamStream {
    /// Begins a request with a body framed as `request` says. Where the protocol lets one choose,
    /// trailers pass in both directions if `keep_trailers`.
    pub fn begin(
        worker: &Rc<Worker>,
        acquired: Acquired,
        request: BodyLength,
        keep_trailers: bool,
    ) -> Self {
        match acquired {
            Acquired::Connection(connection) => {
                Self::H1(H1Stream::begin(worker, connection, request, keep_trailers))
            }
            Acquired::Slot(slot) => Self::H2(Box::new(H2Stream::begin(worker, slot))),
        }
    }

    /// Begins a tunnel on a connection just opened.
    pub fn tunnel(worker: &Rc<Worker>, connection: TcpConnection) -> Self {
        Self::Tunnel(Box::new(TunnelStream::begin(worker, connection)))
    }

    /// Whether the host gets bytes and no requests.
    pub fn is_tunnel(&self) -> bool {
        matches!(self, Self::Tunnel(_))
    }

    /// Whether the host speaks HTTP/1.
    pub fn is_http1(&self) -> bool {
        matches!(self, Self::H1(_))
    }

    /// The host at the other end.
    pub fn host(&self) -> &Rc<WorkerHost> {
        match self {
            Self::H1(stream) => stream.connection().host(),
            Self::H2(stream) => stream.connection().host(),
            Self::Tunnel(stream) => stream.connection().host(),
        }
    }

    /// The cluster of that host.
    pub fn cluster(&self) -> &WorkerCluster {
        match self {
            Self::H1(stream) => stream.connection().cluster(),
            Self::H2(stream) => stream.connection().cluster(),
            Self::Tunnel(stream) => stream.connection().cluster(),
        }
    }

    /// The connection's number and its beginning.
    pub fn info(&self) -> UpstreamConnectionInfo {
        match self {
            Self::H1(stream) => stream.connection().info(),
            Self::H2(stream) => stream.connection().info(),
            Self::Tunnel(stream) => stream.connection().info(),
        }
    }

    /// What is known of the connection's TLS, where it has any.
    pub fn tls(&self) -> Option<Rc<TlsInfo>> {
        let transport = match self {
            Self::H1(stream) => stream.connection().transport(),
            Self::H2(stream) => stream.connection().transport(),
            Self::Tunnel(stream) => stream.connection().transport(),
        };
        transport.tls().cloned()
    }

    /// Our end's address.
    pub fn local_addr(&self) -> Option<&Address> {
        match self {
            Self::H1(stream) => stream.connection().local_addr(),
            Self::H2(stream) => stream.connection().local_addr(),
            Self::Tunnel(stream) => stream.connection().local_addr(),
        }
    }

    /// Ends the stream when the upstream takes too long.
    pub fn deadline(&self) -> &Deadline {
        match self {
            Self::H1(stream) => stream.deadline(),
            Self::H2(stream) => stream.deadline(),
            Self::Tunnel(stream) => stream.deadline(),
        }
    }

    /// Bytes of this request and its response on the connection.
    pub fn wire_bytes(&self) -> (u64, u64) {
        match self {
            Self::H1(stream) => stream.wire_bytes(),
            Self::H2(stream) => stream.wire_bytes(),
            Self::Tunnel(stream) => stream.wire_bytes(),
        }
    }

    /// Whether the upstream may have closed the connection before the request came.
    pub fn is_reused(&self) -> bool {
        match self {
            Self::H1(stream) => stream.is_reused(),
            Self::H2(stream) => stream.is_reused(),
            Self::Tunnel(_) => false,
        }
    }

    /// Breaks the stream off.
    pub fn interrupt(&self) -> Interrupt {
        match self {
            Self::H1(stream) => stream.interrupt(),
            Self::H2(stream) => stream.interrupt(),
            Self::Tunnel(stream) => stream.interrupt(),
        }
    }

    /// Makes the request's head ready to be sent.
    pub fn encode_head(&self, exchange: &mut Exchange, records_bytes: bool) -> OutgoingHead {
        match self {
            Self::H1(stream) => OutgoingHead::H1(stream.encode_head(exchange, records_bytes)),
            Self::H2(_) => {
                let headers = &exchange.request.headers;
                if records_bytes {
                    exchange.info.upstream_bytes.headers_sent =
                        header_bytes::received_fields(headers);
                }
                OutgoingHead::H2(RequestHead::new(headers).map(Box::new))
            }
            Self::Tunnel(_) => OutgoingHead::None,
        }
    }

    /// Sends `head`, where it has not been sent, a piece of the body, and the end behind it where
    /// `ending` says so: all in one send where the protocol allows. The piece comes back as it was.
    pub async fn send(
        &self,
        head: Option<OutgoingHead>,
        piece: Buffer,
        ending: Option<Ending<'_>>,
    ) -> (Result<(), SendFailed>, Buffer) {
        match self {
            Self::H1(stream) => {
                let head = head.and_then(OutgoingHead::into_h1);
                let (sent, piece) = stream.send(head, piece, ending).await;
                (sent.map_err(|_| SendFailed), piece)
            }
            Self::H2(stream) => {
                let (sent, piece) = stream.send(head, piece, ending).await;
                (sent.map_err(|_| SendFailed), piece)
            }
            Self::Tunnel(stream) => stream.send(piece, ending).await,
        }
    }

    /// To be called where nobody asks for the response's head and something else is waited for: what a host sends
    /// before that is not to pile up. Of HTTP/1 nothing is read then.
    pub fn skim_interim(&self, context: &mut Context<'_>) {
        if let Self::H2(stream) = self {
            stream.skim_interim(context);
        }
    }

    /// Whether what is being sent waits for the host, which takes nothing.
    pub fn is_held_back(&self) -> bool {
        match self {
            Self::H1(stream) => stream.connection().stream().is_held_back(),
            Self::H2(stream) => stream.is_held_back(),
            Self::Tunnel(stream) => stream.connection().transport().stream().is_held_back(),
        }
    }

    /// The request will not be sent to its end.
    pub fn abort(&self) {
        match self {
            Self::H1(stream) => stream.abort(),
            Self::H2(stream) => stream.abort(),
            Self::Tunnel(stream) => stream.abort(),
        }
    }

    /// Reads the final response's head into `head`.
    pub async fn read_head(
        &self,
        head: &mut ResponseHead,
        request: RequestKind,
    ) -> Result<(), ResponseFailure> {
        while self.next_head(head, request).await? == ReceivedHead::Interim {}
        Ok(())
    }

    /// Reads the next head into `head`; of interim ones, the first that Envoy tells of.
    pub async fn next_head(
        &self,
        head: &mut ResponseHead,
        request: RequestKind,
    ) -> Result<ReceivedHead, ResponseFailure> {
        match self {
            Self::H1(stream) => stream.next_head(head, request).await,
            Self::H2(stream) => stream.next_head(head).await,
            Self::Tunnel(_) => {
                TunnelStream::answer(head);
                Ok(ReceivedHead::Final)
            }
        }
    }

    /// What of the response's body has come with its head.
    pub fn first_piece(&self) -> Result<Piece, ResponseFailure> {
        match self {
            Self::H1(stream) => stream.first_piece(),
            Self::H2(stream) => stream.first_piece(),
            Self::Tunnel(_) => Ok(Piece { data: Buffer::default(), is_last: false }),
        }
    }

    /// The next piece of the response's body, which is not yet whole.
    pub async fn next_piece(&self) -> Result<Piece, ResponseFailure> {
        match self {
            Self::H1(stream) => stream.next_piece().await,
            Self::H2(stream) => stream.next_piece().await,
            Self::Tunnel(stream) => stream.next_piece().await,
        }
    }

    /// Whether a tunnel that has told of no last piece has ended as it should all the same: HTTP/1 has
    /// no other end for it than the connection's.
    pub fn is_tunnel_closed(&self) -> bool {
        match self {
            Self::H1(stream) => stream.is_tunnel_closed(),
            Self::H2(_) | Self::Tunnel(_) => false,
        }
    }

    /// The response's trailers, once its last piece was taken.
    pub fn take_trailers(&self) -> Option<Box<HeaderMap>> {
        match self {
            Self::H1(stream) => stream.take_trailers(),
            Self::H2(stream) => stream.take_trailers(),
            Self::Tunnel(_) => None,
        }
    }

    /// The response is whole: the connection may serve on. `sent`: so is the request.
    pub fn finish(self, sent: bool) {
        match self {
            Self::H1(stream) => stream.finish(sent),
            // The host still waits for the rest of the request.
            Self::H2(stream) if !sent => stream.count_reset(),
            Self::H2(_) | Self::Tunnel(_) => {}
        }
    }

    /// The response's head has come and is not wanted.
    pub fn discard(self, sent: bool) {
        match self {
            Self::H1(stream) => stream.discard(sent),
            Self::H2(stream) => stream.discard(),
            Self::Tunnel(_) => {}
        }
    }

    /// Counts that we end the stream: the client has gone or has got all it will get, or a limit has
    /// passed.
    pub fn count_cut_off(&self) {
        match self {
            Self::H1(stream) => stream.count_cut_off(),
            Self::H2(stream) => stream.count_reset(),
            // Its connection counts its end.
            Self::Tunnel(_) => {}
        }
    }

    /// Counts that there was no whole head.
    pub fn count_failure(self, failure: ResponseFailure) {
        match self {
            Self::H1(stream) => stream.count_failure(failure),
            Self::H2(stream) => stream.count_failure(failure),
            Self::Tunnel(stream) => stream.count_broken_off(),
        }
    }

    /// Counts that the upstream has broken off inside the response's body.
    pub fn count_broken_off(self, failure: ResponseFailure) {
        match self {
            Self::H1(stream) => stream.count_broken_off(failure),
            Self::H2(stream) => stream.count_failure(failure),
            Self::Tunnel(stream) => stream.count_broken_off(),
        }
    }
}

/// Whether Envoy tells of an interim response with this status.
pub(super) fn is_told(status: u16) -> bool {
    matches!(status, 100 | 102..=104)
}

/// The host takes no more of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendFailed;

impl OutgoingHead {
    fn into_h1(self) -> Option<Buffer> {
        match self {
            Self::H1(head) => Some(head),
            Self::H2(_) | Self::None => None,
        }
    }
}
