//! PING (RFC 9113 §6.7), one at a time: whether the peer still answers.

use std::task::{Context, Poll};

use h2::{Ping, PingPong};

/// Sends pings on a connection and waits for their answers.
#[derive(Debug)]
pub struct Pings(PingPong);

impl Pings {
    pub(super) fn new(pings: PingPong) -> Self {
        Self(pings)
    }

    /// Sends one, unless the last has no answer yet or the connection is over.
    pub fn send(&mut self) -> bool {
        self.0.send_ping(Ping::opaque()).is_ok()
    }

    /// Ready when the peer has answered.
    pub fn poll_answered(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match self.0.poll_pong(context) {
            Poll::Ready(Ok(_)) => Poll::Ready(()),
            // The connection is over, which whoever drives it finds out.
            Poll::Ready(Err(_)) | Poll::Pending => Poll::Pending,
        }
    }
}
