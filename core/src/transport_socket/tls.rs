//! TLS over a socket: the handshake, and reading and writing what is plain to us.

mod alert;
mod certificate;
mod certificate_selection;
mod client_context;
mod contexts;
mod distinguished_name;
mod fault;
mod handshake;
mod info;
mod names;
mod observed;
mod other_name;
mod possession;
mod presented;
mod server_context;
mod session;
mod stapling;
mod stats;
mod tickets;
mod verification;

use std::cell::{Cell, RefCell};
use std::fmt::{self, Debug, Formatter};
use std::io;
use std::net::Shutdown;
use std::rc::Rc;

pub use self::certificate::{Certificate, hex};
pub use self::client_context::ClientContext;
pub use self::contexts::ServerContexts;
pub use self::fault::not_tls;
pub use self::handshake::{HandshakeFailure, accept, connect};
pub use self::info::TlsInfo;
pub use self::server_context::ServerContext;
use self::session::Session;
pub use self::stats::SslStats;
use crate::runtime::{
    Buffer, BufferPool, LARGE_BUFFER_BYTES, Patience, SMALL_BUFFER_BYTES, Stream,
};

/// A socket with an established TLS session. Reads and writes may run at the same time, one of each.
pub struct TlsStream {
    stream: Rc<Stream>,
    buffers: Rc<BufferPool>,
    session: RefCell<Session>,
    info: Rc<TlsInfo>,
    writing: Cell<bool>,
    /// The next write is the last one, and says so.
    ends: Cell<bool>,
    /// Nothing may be said any more: a write has failed, or the peer must not take the end for a
    /// good one.
    silent: Cell<bool>,
}

impl TlsStream {
    /// The socket beneath.
    pub fn stream(&self) -> &Rc<Stream> {
        &self.stream
    }

    /// What the handshake came to.
    pub fn info(&self) -> &Rc<TlsInfo> {
        &self.info
    }

    /// Appends what arrives to `buffer`, which must have room. `Ok(0)` is the peer's orderly end; an
    /// end that the peer did not announce is `UnexpectedEof`.
    pub async fn read(&self, mut buffer: Buffer) -> (io::Result<usize>, Buffer) {
        loop {
            if let Some(delivered) = self.deliver(&mut buffer) {
                return (delivered, buffer);
            }
            let incoming = self.session.borrow_mut().begin_read(buffer.room(), &self.buffers);
            let (result, incoming) = self.stream.read(incoming).await;
            let ended = !matches!(result, Ok(1..));
            self.session.borrow_mut().end_read(ended, incoming, &self.buffers);
        }
    }

    /// The same while `patience` lasts; `None` where it has ended and nothing has come.
    pub async fn read_patiently(
        &self,
        mut buffer: Buffer,
        patience: &Patience,
    ) -> (Option<io::Result<usize>>, Buffer) {
        loop {
            if let Some(delivered) = self.deliver(&mut buffer) {
                return (Some(delivered), buffer);
            }
            let incoming = self.session.borrow_mut().begin_read(buffer.room(), &self.buffers);
            let (result, incoming) = self.stream.read_patiently(incoming, patience).await;
            let mut session = self.session.borrow_mut();
            let Some(result) = result else {
                session.end_read(false, incoming, &self.buffers);
                session.release(&self.buffers);
                return (None, buffer);
            };
            session.end_read(!matches!(result, Ok(1..)), incoming, &self.buffers);
        }
    }

    /// Waits until a read would not block.
    pub async fn readable(&self) {
        if !self.session.borrow().is_readable() {
            // An error is found again by the read that follows.
            let _read_says_more = self.stream.readable().await;
        }
    }

    /// Whether bytes of the peer are here that the kernel does not know of any more.
    pub fn holds_bytes(&self) -> bool {
        self.session.borrow().is_readable()
    }

    /// Writes all of `buffer`, which comes back as it was.
    pub async fn write_all(&self, buffer: Buffer) -> (io::Result<()>, Buffer) {
        let mut taken = 0;
        self.writing.set(true);
        while taken < buffer.len() {
            match self.write_some(&buffer.bytes()[taken..]).await {
                Ok(count) => taken += count,
                Err(error) => {
                    self.silent.set(true);
                    self.writing.set(false);
                    return (Err(error), buffer);
                }
            }
        }
        self.writing.set(false);
        (Ok(()), buffer)
    }

    /// Has the next write tell that nothing more is written, in the same send where that fits.
    pub fn end_with_next_write(&self) {
        self.ends.set(true);
    }

    async fn write_some(&self, data: &[u8]) -> io::Result<usize> {
        let large = data.len() > SMALL_BUFFER_BYTES;
        let mut sealed = if large { self.buffers.large() } else { self.buffers.record() };
        const { assert!(LARGE_BUFFER_BYTES > 2 * SMALL_BUFFER_BYTES) };
        let (taken, before) = {
            let mut session = self.session.borrow_mut();
            let taken = session.seal(data, &mut sealed).map_err(io::Error::other)?;
            if self.ends.get() && taken == data.len() && session.seal_close_notify(&mut sealed) {
                self.silent.set(true);
            }
            (taken, session.outgoing())
        };
        if !before.is_empty() && !sealed.prepend(&before) {
            self.send(&before).await?;
        }
        let (result, sealed) = self.stream.write_all(sealed).await;
        self.buffers.give_back(sealed);
        result.map(|()| taken)
    }

    /// Tells the peer that nothing more is written; it may still be read from.
    pub fn end_writing(&self) {
        self.say_goodbye();
        self.stream.shutdown(Shutdown::Write);
    }

    /// The peer must see that something is missing: there will be no orderly end.
    pub fn keep_silent(&self) {
        self.silent.set(true);
    }

    fn say_goodbye(&self) {
        if !self.silent.replace(true) && !self.writing.get() {
            let alert = self.session.borrow_mut().close_notify();
            self.stream.send_at_once(&alert);
        }
    }

    fn deliver(&self, buffer: &mut Buffer) -> Option<io::Result<usize>> {
        let mut session = self.session.borrow_mut();
        let delivered = session.deliver(buffer)?;
        session.release(&self.buffers);
        let is_truncated = |error: &io::Error| error.kind() == io::ErrorKind::UnexpectedEof;
        if delivered.as_ref().is_err_and(|error| !is_truncated(error)) {
            // An alert, where we are the one who found fault.
            let alert = session.outgoing();
            if !self.silent.replace(true) && !self.writing.get() {
                self.stream.send_at_once(&alert);
            }
        }
        Some(delivered)
    }

    async fn send(&self, bytes: &[u8]) -> io::Result<()> {
        send(&self.stream, bytes).await
    }
}

/// Sends all of `bytes`.
async fn send(stream: &Stream, bytes: &[u8]) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    let mut buffer = Buffer::with_capacity(bytes.len());
    let fits = buffer.append(bytes);
    debug_assert!(fits, "made to measure");
    stream.write_all(buffer).await.0
}

impl Drop for TlsStream {
    fn drop(&mut self) {
        self.say_goodbye();
    }
}

impl Debug for TlsStream {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream").field("info", &self.info).finish_non_exhaustive()
    }
}
