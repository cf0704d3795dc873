//! The request's body as HTTP/2 brings it.

use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

use ringmain_proto_codec::HeaderMap;

use super::Stream;
use crate::http::codec::downstream::{ReceiveError, Received};
use crate::runtime::{Buffer, LARGE_BUFFER_BYTES};

impl Stream {
    /// What of the body has come with the head.
    pub fn body_at_hand(&self) -> Received {
        let pool = &self.connection.record.worker.buffers;
        if self.inner.borrow().has_ended() {
            return Received { data: pool.small(), last: true };
        }
        match self.poll_piece(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(received)) => received,
            // Where the client has gone the next look tells.
            Poll::Ready(Err(_)) | Poll::Pending => Received { data: pool.small(), last: false },
        }
    }

    /// Waits for the next piece.
    pub async fn receive(&self) -> Result<Received, ReceiveError> {
        poll_fn(|context| {
            // Whatever it was woken for is looked at below.
            while self.wake.poll_notified(context).is_ready() {}
            if self.stopped.get() {
                return Poll::Ready(Err(ReceiveError::Gone));
            }
            if self.request_deadline.fired() {
                return Poll::Ready(Err(ReceiveError::TimedOut));
            }
            self.poll_piece(context)
        })
        .await
    }

    /// All that has come, as far as a large buffer holds it. Taking it lets the client send as much
    /// again, so what is not taken holds it back.
    fn poll_piece(&self, context: &mut Context<'_>) -> Poll<Result<Received, ReceiveError>> {
        let pool = &self.connection.record.worker.buffers;
        let mut inner = self.inner.borrow_mut();
        let mut data = Buffer::default();
        while data.len() < LARGE_BUFFER_BYTES / 2 {
            match inner.poll_data(context) {
                Poll::Ready(Some(Ok(bytes))) => {
                    inner.release(bytes.len());
                    pool.append(&mut data, &bytes);
                    if inner.has_ended() {
                        return Poll::Ready(Ok(Received { data, last: true }));
                    }
                }
                Poll::Ready(Some(Err(_))) => return Poll::Ready(Err(ReceiveError::Gone)),
                Poll::Ready(None) => match inner.poll_trailers(context) {
                    Poll::Ready(Ok(trailers)) => {
                        if trailers.is_some() {
                            self.connection.record.worker.http2_stats().trailers.inc();
                        }
                        self.trailers.replace(trailers);
                        return Poll::Ready(Ok(Received { data, last: true }));
                    }
                    Poll::Ready(Err(_)) => return Poll::Ready(Err(ReceiveError::Gone)),
                    Poll::Pending => break,
                },
                Poll::Pending => break,
            }
        }
        match data.is_empty() {
            true => Poll::Pending,
            false => Poll::Ready(Ok(Received { data, last: false })),
        }
    }

    /// The trailers that have come.
    pub fn take_trailers(&self) -> Option<Box<HeaderMap>> {
        self.trailers.take()
    }

    /// The rest is not wanted: the stream is reset when the response is out (RFC 9113 §8.1).
    pub fn stop_receiving(&self) {
        self.stopped.set(true);
        self.wake.notify();
    }
}
