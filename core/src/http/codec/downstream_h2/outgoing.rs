//! A piece of a body on its way into frames.

use std::rc::Rc;

use bytes::Buf;

use super::{ClientState, Connection};
use crate::runtime::Buffer;

/// The piece; when all of it has been framed the stream is told, and its buffer goes back to the worker's pool.
#[derive(Debug)]
pub(super) struct Outgoing {
    buffer: Buffer,
    connection: Rc<Connection>,
    stream: Rc<ClientState>,
}

impl Outgoing {
    pub(super) fn new(
        buffer: Buffer,
        connection: &Rc<Connection>,
        stream: &Rc<ClientState>,
    ) -> Self {
        stream.unframed.add_piece();
        Self { buffer, connection: connection.clone(), stream: stream.clone() }
    }
}

impl Buf for Outgoing {
    fn remaining(&self) -> usize {
        self.buffer.len()
    }

    fn chunk(&self) -> &[u8] {
        self.buffer.bytes()
    }

    fn advance(&mut self, count: usize) {
        self.buffer.consume(count);
        let unframed = &self.stream.unframed;
        match unframed.is_left() {
            true => self.connection.tails.note_progress(),
            false => unframed.note_progress(self.connection.record.worker.timers.latest_now()),
        }
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        let unframed = &self.stream.unframed;
        unframed.remove_piece();
        if unframed.is_left() {
            self.connection.tails.remove_piece();
        }
        self.connection.record.worker.buffers.give_back(std::mem::take(&mut self.buffer));
    }
}
