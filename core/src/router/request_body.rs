//! The request's body on its way upstream, beside the response.

use std::cell::Cell;
use std::net::Shutdown;
use std::time::Instant;

use ringmain_proto_codec::ChunkError;
use ringmain_proto_codec::h1::{BodyLength, KeyFormat};

use super::timeout::{Expired, StreamTimeouts};
use crate::http::codec::body::{BodyReader, BodyWriter};
use crate::http::codec::downstream_h1::Downstream;
use crate::pool::UpstreamConnection;
use crate::runtime::Buffer;

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
    /// The response is over: what still comes is thrown away.
    discarding: Cell<bool>,
}

impl RequestProgress {
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
        if answered {
            downstream.stream.shutdown(Shutdown::Write);
            downstream.read_deadline.arm(downstream.manager.config.delayed_close_timeout);
        } else {
            downstream.stream.shutdown(Shutdown::Read);
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
    loop {
        let sent = connection.write_all(outgoing).await;
        outgoing = sent.1;
        if sent.0.is_err() && !progress.discarding.get() {
            progress.end.set(Some(RequestEnd::UpstreamGone));
            break;
        }
        if body.is_complete() {
            let now = Instant::now();
            progress.received_at.set(Some(now));
            progress.end.set(Some(RequestEnd::Complete));
            timeouts.request_received(now);
            timeouts.arm_response(connection.deadline());
            break;
        }
        let wanted = body.next_buffer(&downstream.worker.buffers);
        downstream.worker.buffers.give_back(std::mem::replace(&mut outgoing, wanted));
        match receive(downstream, outgoing, &mut body, progress, timeouts).await {
            Ok((buffer, excess)) => {
                outgoing = buffer;
                progress.bytes.set(progress.bytes.get() + outgoing.len() as u64);
                writer.frame(&mut outgoing, &body);
                if excess.is_some() {
                    let _sent = connection.write_all(outgoing).await;
                    let now = Instant::now();
                    progress.received_at.set(Some(now));
                    progress.end.set(Some(RequestEnd::Complete));
                    timeouts.request_received(now);
                    timeouts.arm_response(connection.deadline());
                    return excess;
                }
            }
            Err(end) => {
                progress.end.set(Some(end));
                connection.stream().shutdown(Shutdown::Both);
                return None;
            }
        }
    }
    downstream.worker.buffers.give_back(outgoing);
    None
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
