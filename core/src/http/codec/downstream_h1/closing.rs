//! The end of a connection whose client may still be sending.

use std::net::Shutdown;
use std::time::Duration;

use super::Connection;
use crate::runtime::{self, TICK};

/// What becomes of what the client sends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Receiving {
    /// It is read.
    #[default]
    Reads,
    /// It is thrown away, for as long as the client has to take its response.
    Discards,
    /// Nothing reads it until the response is out; then it is thrown away.
    Waits,
    /// The socket takes nothing more.
    Refuses,
}

impl Connection {
    /// The connection ends, as the body is not over, but slowly where the client has a response to
    /// read (RFC 9112 §9.6).
    pub fn stop_receiving(&self, answered: bool) {
        match self.record.manager.config.delayed_close_timeout {
            Some(limit) if answered => {
                self.receiving.set(Receiving::Discards);
                self.request_deadline().disarm();
                self.transport.end_writing();
                self.read_deadline.arm(Some(limit));
            }
            None if answered => self.stream().shutdown(Shutdown::Both),
            // A response is still to come. Who sends more to a socket that refuses it is reset once we have ended
            // our side, and may lose that response.
            _ if !self.body.borrow().is_endless() => {
                self.receiving.set(Receiving::Waits);
                self.patience.end();
            }
            _ => {
                self.receiving.set(Receiving::Refuses);
                self.stream().shutdown(Shutdown::Read);
            }
        }
    }

    /// After a response that ends the connection: says so, then waits a little for the client to
    /// close first, so that what it still sends does not destroy the response on its way
    /// (RFC 9112 §9.6).
    pub(super) async fn delayed_close(&self) {
        self.transport.end_writing();
        let Some(limit) = self.record.manager.config.delayed_close_timeout else { return };
        let is_there = match (self.receiving.get(), self.read_deadline.fired()) {
            (Receiving::Refuses, _) | (Receiving::Reads | Receiving::Waits, true) => {
                self.is_there_after(limit).await
            }
            (_, false) => self.discard_for(limit).await,
            (Receiving::Discards, true) => true,
        };
        if is_there {
            self.stats().downstream_cx_delayed_close_timeout.inc();
            // A client that waits for room would learn nothing from a socket that has none and no bytes to lose.
            self.stream().reset_on_close();
        }
    }

    /// Throws away what comes; whether the client is still there after `limit`.
    async fn discard_for(&self, limit: Duration) -> bool {
        self.read_deadline.arm(Some(limit));
        loop {
            let mut input = self.input.take();
            input.clear();
            let (count, input) = self.read(input).await;
            self.input.replace(input);
            if count == 0 {
                return self.read_deadline.fired();
            }
        }
    }

    /// The same where the socket takes nothing more: its reads say nothing of the client.
    async fn is_there_after(&self, limit: Duration) -> bool {
        let until = self.read_deadline.coarse_now() + limit;
        while self.stream().is_connected() {
            if self.read_deadline.coarse_now() >= until {
                return true;
            }
            runtime::sleep(TICK).await;
        }
        false
    }
}
