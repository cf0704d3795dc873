//! A piece of a body on its way into frames.

use std::rc::Rc;

use bytes::Buf;

use super::ClientState;
use crate::runtime::Buffer;
use crate::server::Worker;

/// The piece; when all of it has been framed the stream is told, and its buffer goes back to the worker's pool.
#[derive(Debug)]
pub(super) struct Outgoing {
    buffer: Buffer,
    worker: Rc<Worker>,
    stream: Rc<ClientState>,
}

impl Outgoing {
    pub(super) fn new(buffer: Buffer, worker: &Rc<Worker>, stream: &Rc<ClientState>) -> Self {
        stream.unframed.add_piece();
        Self { buffer, worker: worker.clone(), stream: stream.clone() }
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
        self.stream.unframed.note_progress();
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.stream.unframed.remove_piece();
        self.worker.buffers.give_back(std::mem::take(&mut self.buffer));
    }
}
