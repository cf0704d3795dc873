//! The request's body on its way upstream, beside the response.

use std::cell::{Cell, RefCell};
use std::net::Shutdown;
use std::time::Instant;

use ringmain_proto_codec::ChunkError;
use ringmain_proto_codec::h1::{BodyLength, KeyFormat};

use super::timeout::{Expired, StreamTimeouts};
use crate::http::codec::body::{BodyReader, BodyWriter};
use crate::http::codec::downstream_h1::Downstream;
use crate::pool::UpstreamConnection;
use crate::runtime::{Buffer, Watch};

/// How the request's body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestEnd {
    /// All of it was sent.
    Complete,
    /// The client closed inside it.
    ClientGone,
    /// Its framing is broken.
    Broken(ChunkError),
    /// It took too long.
    Expired(Expired),
    /// The upstream takes no more of it.
    UpstreamGone,
}

/// What the two halves of an exchange tell each other.
#[derive(Debug, Default)]
pub struct RequestProgress {
    /// Set when the body has ended in whatever way.
    pub end: Cell<Option<RequestEnd>>,
    /// Body bytes received after the first message.
    pub bytes: Cell<u64>,
    /// When the last byte came.
    pub received_at: Cell<Option<Instant>>,
    /// The response's head has come.
    pub responding: Cell<bool>,
    /// The client left before the response's head had come.
    pub client_gone: Cell<bool>,
    /// The response is over: what still comes is thrown away.
    discarding: Cell<bool>,
    /// Set while the request is complete and its response has not begun.
    watch: RefCell<Option<Watch>>,
}

impl RequestProgress {
    /// All of the request was sent: from now on nothing but a watch tells whether the client stays.
    fn complete(&self, downstream: &Downstream<'_>, connection: &UpstreamConnection) {
        self.received_at.set(Some(Instant::now()));
        self.end.set(Some(RequestEnd::Complete));
        if !self.responding.get() {
            let watches = &downstream.worker.watches;
            self.watch.replace(Some(watches.watch(&downstream.stream, connection.stream())));
        }
    }

    /// The response's head has come, or never will.
    pub fn end_watch(&self) {
        self.responding.set(true);
        self.client_gone.set(self.watch.take().is_some_and(|watch| watch.client_gone()));
    }

    /// The response is over and the body is not: the connection ends, but slowly where the client
    /// has a response to read (RFC 9112 §9.6).
    pub fn stop(
        &self,
        downstream: &Downstream<'_>,
        connection: &UpstreamConnection,
        answered: bool,
    ) {
        self.discarding.set(true);
        connection.stream().shutdown(Shutdown::Both);
        match downstream.manager.config.delayed_close_timeout {
            Some(limit) if answered => {
                downstream.stream.shutdown(Shutdown::Write);
                downstream.read_deadline.arm(Some(limit));
            }
            None if answered => downstream.stream.shutdown(Shutdown::Both),
            _ => downstream.stream.shutdown(Shutdown::Read),
        }
    }
}

/// Sends `message` and then the rest of the body as it comes. Returns what came behind its end.
pub async fn pump(
    downstream: &Downstream<'_>,
    connection: &UpstreamConnection,
    message: Buffer,
    mut body: BodyReader,
    framing: BodyLength,
    progress: &RequestProgress,
    timeouts: &StreamTimeouts,
) -> Option<Buffer> {
    let writer = BodyWriter::new(framing == BodyLength::Chunked, KeyFormat::LowerCase);
    let mut outgoing = message;
    let mut behind = None;
    loop {
        let whole = body.is_complete();
        let sent = send(connection, outgoing, whole, progress, timeouts).await;
        outgoing = sent.1;
        if let Err(end) = sent.0 {
            progress.end.set(end);
            if end.is_some() || whole {
                break;
            }
        } else if whole {
            progress.complete(downstream, connection);
            break;
        }
        let wanted = body.next_buffer(&downstream.worker.buffers);
        downstream.worker.buffers.give_back(std::mem::replace(&mut outgoing, wanted));
        match receive(downstream, outgoing, &mut body, progress, timeouts).await {
            Ok((buffer, excess)) => {
                outgoing = buffer;
                progress.bytes.set(progress.bytes.get() + outgoing.len() as u64);
                writer.frame(&mut outgoing, &body);
                behind = excess;
            }
            Err(end) => {
                progress.end.set(Some(end));
                connection.stream().shutdown(Shutdown::Both);
                return None;
            }
        }
    }
    downstream.worker.buffers.give_back(outgoing);
    behind
}

/// Sends a piece of the request, the last one where it is `whole` with it. An error says how the
/// request ended, or nothing where the response is over and nobody waits for the rest.
async fn send(
    connection: &UpstreamConnection,
    piece: Buffer,
    whole: bool,
    progress: &RequestProgress,
    timeouts: &StreamTimeouts,
) -> (Result<(), Option<RequestEnd>>, Buffer) {
    let deadline = connection.deadline();
    // An upstream that takes nothing ends by the same limits as a client that sends nothing.
    if whole {
        timeouts.request_received(Instant::now());
        timeouts.arm_response(deadline);
    } else {
        timeouts.arm_request(deadline);
    }
    let (sent, piece) = connection.write_all(piece).await;
    if sent.is_ok() {
        if whole || progress.responding.get() {
            timeouts.arm_response(deadline);
        } else {
            // The limits are the client's now.
            deadline.disarm();
        }
        return (Ok(()), piece);
    }
    let end = match deadline.fired() {
        true if !whole => Some(RequestEnd::Expired(timeouts.expired_request())),
        _ if progress.discarding.get() => None,
        _ => Some(RequestEnd::UpstreamGone),
    };
    (Err(end), piece)
}

/// The next piece of the body, and what came behind its end.
async fn receive(
    downstream: &Downstream<'_>,
    buffer: Buffer,
    body: &mut BodyReader,
    progress: &RequestProgress,
    timeouts: &StreamTimeouts,
) -> Result<(Buffer, Option<Buffer>), RequestEnd> {
    if !progress.discarding.get() {
        timeouts.arm_request(&downstream.read_deadline);
    }
    let (count, mut buffer) = downstream.read(buffer).await;
    if count == 0 {
        return Err(match downstream.read_deadline.fired() && !progress.discarding.get() {
            true => RequestEnd::Expired(timeouts.expired_request()),
            false => RequestEnd::ClientGone,
        });
    }
    if !progress.discarding.get() {
        downstream.read_deadline.disarm();
    }
    let taken = body.take(&mut buffer, &downstream.worker.buffers).map_err(RequestEnd::Broken)?;
    Ok((buffer, taken.excess))
}
