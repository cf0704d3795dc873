//! Waiting for a request to begin, and parking a connection that waits long.
//!
//! A busy connection reads straight into a buffer. One that waits for longer than [`PATIENCE`]
//! gives its buffer and its task back: a parked connection is little more than its socket.

use std::time::Duration;

use super::Connection;
use crate::http::codec::connection_record::{ConnectionRecord, End};
use crate::listener::{ConnectionSlot, NewConnection};
use crate::runtime::Deadline;
use crate::transport_socket::Transport;

/// How long a connection that waits for a request keeps a buffer.
const PATIENCE: Duration = Duration::from_secs(1);

/// A connection to be served.
#[derive(Debug)]
pub enum Arrived {
    /// Just accepted.
    New(NewConnection),
    /// It was parked, and something has come.
    Parked(ParkedConnection),
}

/// A connection that waits for its next request.
#[derive(Debug)]
pub struct ParkedConnection {
    pub(super) transport: Transport,
    pub(super) read_deadline: Deadline,
    pub(super) slot: ConnectionSlot,
    pub(super) record: ConnectionRecord,
}

impl ParkedConnection {
    /// Waits until a request, the client's end, or the end of patience has come.
    pub async fn stirred(&self) {
        self.transport.readable().await;
    }
}

/// What waiting for a request came to.
pub(super) enum Waited {
    /// One begins.
    Begun,
    /// None will come.
    Ended,
    /// None has come for a while.
    Long,
}

impl Connection {
    /// Waits for a request to begin.
    pub(super) async fn await_first_bytes(&self) -> Waited {
        self.slot.set_idle(true);
        self.read_deadline.arm(self.idle_limit());
        let mut input = self.input.take();
        if input.capacity() == 0 {
            input = self.record.worker.buffers.small();
        }
        self.patience.arm(PATIENCE);
        let (read, input) = self.transport.read_patiently(input, &self.patience).await;
        self.patience.disarm();
        self.input.replace(input);
        let Some(read) = read else { return Waited::Long };
        // An error is an end too.
        let count = read.unwrap_or(0);
        self.slot.set_idle(false);
        self.read_deadline.disarm();
        self.record.count_received(count);
        if count > 0 {
            return Waited::Begun;
        }
        if self.read_deadline.fired() {
            match self.record.is_expired() {
                true => self.stats().downstream_cx_max_duration_reached.inc(),
                false => self.stats().downstream_cx_idle_timeout.inc(),
            }
            self.record.end.set(End::Local);
        }
        Waited::Ended
    }

    /// The connection's idle timeout, shortened where `max_connection_duration` and the
    /// `drain_timeout` after it end first: until then a request is still answered, with
    /// `connection: close`.
    fn idle_limit(&self) -> Option<Duration> {
        let config = &self.record.manager.config;
        let left = config
            .max_connection_duration
            .map(|max| (max + config.drain_timeout).saturating_sub(self.record.opened.elapsed()));
        match (config.idle_timeout, left) {
            (Some(idle), Some(left)) => Some(idle.min(left)),
            (idle, left) => idle.or(left),
        }
    }

    /// Gives everything back that a waiting connection does not need. Its limit goes on.
    pub(super) fn park(self) -> ParkedConnection {
        let Self { transport, read_deadline, slot, record, input, .. } = self;
        record.worker.buffers.give_back(input.into_inner());
        ParkedConnection { transport, read_deadline, slot, record }
    }
}
