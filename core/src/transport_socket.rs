//! Between a socket and what is spoken on it: the bytes as they are, or within TLS.
//!
//! Codecs and proxies read and write a [`Transport`]. Deadlines, watches and everything else that
//! ends a connection work on the socket beneath, see [`Transport::stream`].

use std::io;
use std::net::Shutdown;
use std::rc::Rc;

use crate::runtime::{Buffer, Patience, Stream};

/// A connection's bytes. Reads and writes may run at the same time, one of each.
#[derive(Debug)]
pub struct Transport {
    stream: Rc<Stream>,
}

impl Transport {
    /// The bytes of `stream` as they are (`envoy.transport_sockets.raw_buffer`).
    pub fn raw(stream: Stream) -> Self {
        Self { stream: Rc::new(stream) }
    }

    /// The socket beneath.
    pub fn stream(&self) -> &Rc<Stream> {
        &self.stream
    }

    /// Appends what arrives to `buffer`, which must have room. `Ok(0)` is the peer's end.
    pub async fn read(&self, buffer: Buffer) -> (io::Result<usize>, Buffer) {
        self.stream.read(buffer).await
    }

    /// The same while `patience` lasts; `None` where it has ended and nothing has come.
    pub async fn read_patiently(
        &self,
        buffer: Buffer,
        patience: &Patience,
    ) -> (Option<io::Result<usize>>, Buffer) {
        self.stream.read_patiently(buffer, patience).await
    }

    /// Waits until a read would not block. An error is found again by the read.
    pub async fn readable(&self) {
        let _read_says_more = self.stream.readable().await;
    }

    /// Writes all of `buffer`, which comes back as it was.
    pub async fn write_all(&self, buffer: Buffer) -> (io::Result<()>, Buffer) {
        self.stream.write_all(buffer).await
    }

    /// Tells the peer that nothing more is written; it may still be read from.
    pub fn end_writing(&self) {
        self.stream.shutdown(Shutdown::Write);
    }
}
