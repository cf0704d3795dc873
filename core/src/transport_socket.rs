//! Between a socket and what is spoken on it: the bytes as they are, or within TLS.
//!
//! Codecs and proxies read and write a [`Transport`]. Deadlines, watches and everything else that
//! ends a connection work on the socket beneath, see [`Transport::stream`].

mod options;
pub mod tls;

use std::io;
use std::net::Shutdown;
use std::rc::Rc;
use std::time::Duration;

pub use self::options::{Tlvs, TransportOptions};
use self::tls::{TlsInfo, TlsStream};
use crate::runtime::{Buffer, BufferPool, Patience, Stream};

/// How long a read that waits keeps its buffer.
const PATIENCE: Duration = Duration::from_secs(1);

/// A connection's bytes. Reads and writes may run at the same time, one of each.
#[derive(Debug)]
pub enum Transport {
    /// As they are (`envoy.transport_sockets.raw_buffer`).
    Raw(Rc<Stream>),
    /// Within TLS (`envoy.transport_sockets.tls`).
    Tls(Box<TlsStream>),
}

impl Transport {
    /// The socket beneath.
    pub fn stream(&self) -> &Rc<Stream> {
        match self {
            Self::Raw(stream) => stream,
            Self::Tls(tls) => tls.stream(),
        }
    }

    /// What is known of its TLS, where it has any.
    pub fn tls(&self) -> Option<&Rc<TlsInfo>> {
        match self {
            Self::Raw(_) => None,
            Self::Tls(tls) => Some(tls.info()),
        }
    }

    /// Appends what arrives to `buffer`, which must have room. `Ok(0)` is the peer's end; where TLS
    /// ends without saying so, that is an error of kind `UnexpectedEof`.
    pub async fn read(&self, buffer: Buffer) -> (io::Result<usize>, Buffer) {
        match self {
            Self::Raw(stream) => stream.read(buffer).await,
            Self::Tls(tls) => tls.read(buffer).await,
        }
    }

    /// The same while `patience` lasts; `None` where it has ended and nothing has come.
    pub async fn read_patiently(
        &self,
        buffer: Buffer,
        patience: &Patience,
    ) -> (Option<io::Result<usize>>, Buffer) {
        match self {
            Self::Raw(stream) => stream.read_patiently(buffer, patience).await,
            Self::Tls(tls) => tls.read_patiently(buffer, patience).await,
        }
    }

    /// Appends what arrives to `buffer`, or to one of `buffers` where that has no memory. A wait that is
    /// long gives the buffer back until something has come.
    pub async fn read_lazily(
        &self,
        mut buffer: Buffer,
        buffers: &BufferPool,
        patience: &Patience,
    ) -> (io::Result<usize>, Buffer) {
        loop {
            if buffer.capacity() == 0 {
                buffer = buffers.small();
            }
            patience.arm(PATIENCE);
            let (read, returned) = self.read_patiently(buffer, patience).await;
            patience.disarm();
            match read {
                Some(read) => return (read, returned),
                None => {
                    buffers.give_back(returned);
                    self.readable().await;
                    buffer = Buffer::default();
                }
            }
        }
    }

    /// Waits until a read would not block. An error is found again by the read.
    pub async fn readable(&self) {
        match self {
            Self::Raw(stream) => {
                let _read_says_more = stream.readable().await;
            }
            Self::Tls(tls) => tls.readable().await,
        }
    }

    /// Whether there are bytes to be read that the kernel does not know of.
    pub fn holds_bytes(&self) -> bool {
        match self {
            Self::Raw(_) => false,
            Self::Tls(tls) => tls.holds_bytes(),
        }
    }

    /// Writes all of `buffer`, which comes back as it was.
    pub async fn write_all(&self, buffer: Buffer) -> (io::Result<()>, Buffer) {
        match self {
            Self::Raw(stream) => stream.write_all(buffer).await,
            Self::Tls(tls) => tls.write_all(buffer).await,
        }
    }

    /// The same by a system call as far as the peer takes it at once, where there is no TLS.
    pub async fn write_all_at_once(&self, buffer: Buffer) -> (io::Result<()>, Buffer) {
        match self {
            Self::Raw(stream) => stream.write_all_at_once(buffer).await,
            Self::Tls(tls) => tls.write_all(buffer).await,
        }
    }

    /// Tells the peer that nothing more is written; it may still be read from.
    pub fn end_writing(&self) {
        match self {
            Self::Raw(stream) => stream.shutdown(Shutdown::Write),
            Self::Tls(tls) => tls.end_writing(),
        }
    }

    /// The same with the next write, where TLS has a word for it.
    pub fn end_with_next_write(&self) {
        if let Self::Tls(tls) = self {
            tls.end_with_next_write();
        }
    }

    /// The same without a last word of TLS (close_notify): the peer is to see that something may be missing (RFC 8446
    /// §6.1). Without TLS nothing could tell.
    pub fn break_off_writing(&self) {
        if let Self::Tls(tls) = self {
            tls.keep_silent();
        }
        self.stream().shutdown(Shutdown::Write);
    }

    /// Makes the end that follows a reset, so that the peer cannot take it for a good one.
    pub fn reset_on_close(&self) {
        if let Self::Tls(tls) = self {
            tls.keep_silent();
        }
        self.stream().reset_on_close();
    }

    /// Resets the connection at once, without a last word of TLS.
    pub fn reset(&self) {
        if let Self::Tls(tls) = self {
            tls.keep_silent();
        }
        self.stream().reset();
    }
}
