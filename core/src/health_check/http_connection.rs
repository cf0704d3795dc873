//! An HTTP connection for checks, HTTP/1 or HTTP/2, one request at a time.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::client::conn::{http1, http2};
use hyper::header::HeaderMap;
use hyper::{Request, Response, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo};
use ringmain_config::cluster::CodecClientType;

use super::connection::Target;
use super::state::FailureType;
use super::task::OwnedTask;

/// A body that is here whole.
#[derive(Debug, Clone, Default)]
pub struct Payload(Bytes);

impl Payload {
    /// `bytes`; empty is no body.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into())
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let bytes = std::mem::take(&mut self.0);
        Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.len() as u64)
    }
}

/// An open connection.
#[derive(Debug)]
pub struct HttpConnection {
    sender: Sender,
    _driver: OwnedTask,
}

#[derive(Debug)]
enum Sender {
    Http1(http1::SendRequest<Payload>),
    Http2(http2::SendRequest<Payload>),
}

impl HttpConnection {
    async fn open(target: &Target, codec: CodecClientType) -> Result<Self, FailureType> {
        let socket = target.connect().await.map_err(|_| FailureType::Network)?;
        let io = TokioIo::new(socket);
        let opened = match codec {
            CodecClientType::Http1 => http1::handshake(io)
                .await
                .map(|(sender, connection)| (Sender::Http1(sender), OwnedTask::spawn(connection))),
            CodecClientType::Http2 => {
                let handshake = http2::handshake(TokioExecutor::new(), io).await;
                handshake.map(|(sender, connection)| {
                    (Sender::Http2(sender), OwnedTask::spawn(connection))
                })
            }
        };
        let (sender, driver) = opened.map_err(|_| FailureType::Network)?;
        Ok(Self { sender, _driver: driver })
    }

    /// The connection in `slot` while it is open, else another one.
    pub async fn reuse_or_open<'s>(
        slot: &'s mut Option<Self>,
        target: &Target,
        codec: CodecClientType,
    ) -> Result<&'s mut Self, FailureType> {
        let is_open = match slot.as_mut() {
            Some(connection) => connection.is_open().await,
            None => false,
        };
        let connection = match slot.take().filter(|_| is_open) {
            Some(connection) => connection,
            None => Self::open(target, codec).await?,
        };
        Ok(slot.insert(connection))
    }

    /// Whether another request may be sent.
    async fn is_open(&mut self) -> bool {
        match &mut self.sender {
            Sender::Http1(sender) => sender.ready().await.is_ok(),
            Sender::Http2(sender) => sender.ready().await.is_ok(),
        }
    }

    /// Sends a request and reads the response's head.
    pub async fn ask(
        &mut self,
        request: Request<Payload>,
    ) -> Result<Response<Incoming>, FailureType> {
        let response = match &mut self.sender {
            Sender::Http1(sender) => sender.send_request(request).await,
            Sender::Http2(sender) => sender.send_request(request).await,
        };
        response.map_err(|_| FailureType::Network)
    }
}

/// Reads a body to its end, and keeps the first `max` bytes; with the trailers, if there are any.
pub async fn read_body(
    body: &mut Incoming,
    max: usize,
) -> Result<(Vec<u8>, Option<HeaderMap>), FailureType> {
    let (mut kept, mut trailers) = (Vec::new(), None);
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
        let frame = frame.map_err(|_| FailureType::Network)?;
        match frame.into_data() {
            Ok(data) => kept.extend_from_slice(&data[..data.len().min(max - kept.len())]),
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    Ok((kept, trailers))
}

/// Where a request to `authority` goes: in HTTP/1 the path alone. In HTTP/2 a name that cannot stand
/// in a URI is left to the `host` field (RFC 9113 §8.3.1).
pub fn uri(codec: CodecClientType, scheme: &str, authority: &str, path: &str) -> Option<Uri> {
    let whole = || format!("{scheme}://{authority}{path}").parse().ok();
    match codec {
        CodecClientType::Http1 => path.parse().ok(),
        CodecClientType::Http2 => whole().or_else(|| path.parse().ok()),
    }
}
