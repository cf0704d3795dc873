//! The request's body as HTTP/1 brings it: its framing taken off.

use ringmain_proto_codec::{ChunkError, HeaderMap};

use super::Connection;
use super::closing::Receiving;
use crate::http::codec::downstream::{ReceiveError, Received};
use crate::runtime::{Buffer, Deadline};

impl Connection {
    /// What of the body has come with the head.
    pub fn body_at_hand(&self) -> Result<Received, ChunkError> {
        let pool = &self.record.worker.buffers;
        if self.body.borrow().is_complete() {
            return Ok(Received { data: pool.small(), last: true });
        }
        let data = self.input.replace(pool.small());
        let count = data.len();
        self.take_framing(data, count)
    }

    /// Waits for the next piece.
    pub async fn receive(&self) -> Result<Received, ReceiveError> {
        let buffer = self.body.borrow().next_buffer(&self.record.worker.buffers);
        let is_endless = self.body.borrow().is_endless();
        let read = match is_endless {
            true => self.read_lazily(buffer).await,
            false => self.read_body(buffer).await,
        };
        match read {
            (0, _) if self.request_deadline().fired() => Err(ReceiveError::TimedOut),
            (0, _) => Err(ReceiveError::Gone),
            (count, data) => self.take_framing(data, count).map_err(ReceiveError::Broken),
        }
    }

    /// Ends [`Connection::receive`]. The socket still takes what the client sends, until its response is there.
    pub fn request_deadline(&self) -> &Deadline {
        match self.body.borrow().is_endless() {
            true => &self.read_deadline,
            false => self.patience.deadline(),
        }
    }

    async fn read_body(&self, buffer: Buffer) -> (usize, Buffer) {
        if self.receiving.get() == Receiving::Waits {
            return (0, buffer);
        }
        self.patience.renew();
        match self.transport.read_patiently(buffer, &self.patience).await {
            (Some(read), buffer) => self.note_read(read, buffer),
            (None, buffer) => (0, buffer),
        }
    }

    /// Reduces `data`, of which `count` bytes are new, to the body's; what stands behind the body is
    /// the next request's.
    fn take_framing(&self, mut data: Buffer, count: usize) -> Result<Received, ChunkError> {
        let pool = &self.record.worker.buffers;
        let taken = self.body.borrow_mut().take(&mut data, pool);
        let mut wire = count;
        if taken.is_err() {
            self.body_wire_bytes.set(self.body_wire_bytes.get() + wire as u64);
        }
        let taken = taken?;
        if let Some(excess) = taken.excess {
            wire -= excess.len();
            pool.give_back(self.input.replace(excess));
        }
        self.body_wire_bytes.set(self.body_wire_bytes.get() + wire as u64);
        Ok(Received { data, last: taken.complete })
    }

    /// Bytes of a body that has come with its head, and that nobody has taken until the response was out. The
    /// connection ends then.
    pub(super) fn untaken_wire_bytes(&self) -> u64 {
        if self.body.borrow().is_complete() || self.input.borrow().is_empty() {
            return 0;
        }
        if let Ok(Received { data, .. }) = self.body_at_hand() {
            self.record.worker.buffers.give_back(data);
        }
        self.take_wire_bytes()
    }

    /// The trailers that have come and are passed on.
    pub fn take_trailers(&self) -> Option<Box<HeaderMap>> {
        self.body.borrow_mut().take_trailers()
    }

    /// Bytes of the body as they came since the last call.
    pub fn take_wire_bytes(&self) -> u64 {
        self.body_wire_bytes.take()
    }
}
