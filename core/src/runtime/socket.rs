//! TCP sockets: listening, connecting, reading and writing whole buffers.
#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use monoio::io::{AsyncReadRent, AsyncWriteRent, CancelableAsyncReadRent};
use monoio::net::{TcpListener, TcpStream};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::SendFlags;
use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use super::buffer::Outgoing;
use super::fairness::Turn;
use super::{Buffer, Engine, Patience};

/// A connected TCP socket. Reads and writes may run at the same time, one of each.
#[derive(Debug)]
pub struct Stream {
    inner: UnsafeCell<TcpStream>,
    reading: Turn,
    writing: Turn,
}

impl Stream {
    fn new(inner: TcpStream) -> Self {
        Self { inner: UnsafeCell::new(inner), reading: Turn::default(), writing: Turn::default() }
    }

    /// Connects to `address`, giving up after `timeout` with `ErrorKind::TimedOut`.
    pub async fn connect(address: SocketAddr, timeout: Duration) -> io::Result<Self> {
        let stream = monoio::time::timeout(timeout, TcpStream::connect_addr(address))
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        stream.set_nodelay(true)?;
        Ok(Self::new(stream))
    }

    /// Appends what arrives to `buffer`, which must have room. `Ok(0)` is the peer's end.
    pub async fn read(&self, buffer: Buffer) -> (io::Result<usize>, Buffer) {
        debug_assert!(buffer.room() > 0);
        self.reading.take(self.shared().read(buffer)).await
    }

    /// The same while `patience` lasts; `None` where it has ended and nothing has come.
    pub async fn read_patiently(
        &self,
        buffer: Buffer,
        patience: &Patience,
    ) -> (Option<io::Result<usize>>, Buffer) {
        let read = self.shared().cancelable_read(buffer, patience.handle());
        match self.reading.take(read).await {
            (Err(error), buffer) if error.raw_os_error() == Some(libc::ECANCELED) => (None, buffer),
            (result, buffer) => (Some(result), buffer),
        }
    }

    /// Writes all of `buffer`, which comes back as it was.
    pub async fn write_all(&self, buffer: Buffer) -> (io::Result<()>, Buffer) {
        let length = buffer.len();
        let mut outgoing = Outgoing { buffer, sent: 0 };
        while outgoing.sent < length {
            let (result, returned) = self.writing.take(self.shared().write(outgoing)).await;
            outgoing = returned;
            match result {
                Ok(0) => return (Err(io::ErrorKind::WriteZero.into()), outgoing.buffer),
                Ok(count) => outgoing.sent += count,
                Err(error) => return (Err(error), outgoing.buffer),
            }
        }
        (Ok(()), outgoing.buffer)
    }

    /// Sends what the kernel takes of `bytes` at once. Not beside a write in flight, whose bytes these
    /// would come between.
    pub fn send_at_once(&self, bytes: &[u8]) {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        // For last words only: a peer that does not take them misses nothing that it waits for.
        let _sent = rustix::net::send(self, bytes, flags);
    }

    /// Waits until a read would not block.
    pub async fn readable(&self) -> io::Result<()> {
        // SAFETY: `readable` takes a shared reference; see `shared` for why that may stand beside
        // an operation in flight.
        unsafe { &*self.inner.get() }.readable(false).await
    }

    /// Ends one or both directions. An operation in flight in such a direction completes at once,
    /// which is how deadlines end it. A socket that is no longer connected is fine.
    pub fn shutdown(&self, how: Shutdown) {
        let how = match how {
            Shutdown::Read => rustix::net::Shutdown::Read,
            Shutdown::Write => rustix::net::Shutdown::Write,
            Shutdown::Both => rustix::net::Shutdown::Both,
        };
        // ENOTCONN: the peer was faster; the operation in flight completes for that reason.
        let _already_disconnected = rustix::net::shutdown(self, how);
    }

    /// Makes the close that follows a reset, so that the peer cannot take it for a good ending.
    pub fn reset_on_close(&self) {
        // A socket that refuses is no longer connected, and its peer knows.
        let _refused = rustix::net::sockopt::set_socket_linger(self, Some(Duration::ZERO));
    }

    /// Whether the peer has closed its side.
    pub fn is_peer_gone(&self) -> bool {
        let mut polled = [PollFd::new(self, PollFlags::RDHUP)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        matches!(rustix::event::poll(&mut polled, Some(&now)), Ok(1))
    }

    /// Where the client wanted to go before the kernel sent it here (`SO_ORIGINAL_DST`), if it did.
    pub fn original_destination(&self) -> Option<SocketAddr> {
        let socket = socket2::SockRef::from(self);
        socket.original_dst_v4().or_else(|_| socket.original_dst_v6()).ok()?.as_socket()
    }

    /// This end's address.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(rustix::net::getsockname(self)?.try_into()?)
    }

    #[allow(clippy::mut_from_ref)]
    fn shared(&self) -> &mut TcpStream {
        // SAFETY: monoio marks `TcpStream` as `Split`: its read and write may be in flight at the
        // same time. Both only clone the descriptor into the operation before they return their
        // future, so no two of these references are used at once; `Stream` is neither Send nor
        // Sync, so all of this is one thread.
        unsafe { &mut *self.inner.get() }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor stays open as long as the `TcpStream` inside `self`.
        unsafe { BorrowedFd::borrow_raw((*self.inner.get()).as_raw_fd()) }
    }
}

/// Says for each stream whether the kernel has bytes or an end for it; one poll(2) for all.
pub fn closed_or_readable<'a>(
    streams: impl Iterator<Item = &'a Stream>,
    mut found: impl FnMut(usize),
) {
    let streams: smallvec::SmallVec<[&Stream; 16]> = streams.collect();
    let interest = PollFlags::IN | PollFlags::RDHUP;
    let mut polled: smallvec::SmallVec<[PollFd<'_>; 16]> =
        streams.iter().map(|stream| PollFd::new(*stream, interest)).collect();
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    if !matches!(rustix::event::poll(&mut polled, Some(&now)), Ok(count) if count > 0) {
        return;
    }
    for (index, entry) in polled.iter().enumerate() {
        if !entry.revents().is_empty() {
            found(index);
        }
    }
}

/// How a listening socket is set up.
#[derive(Debug, Clone, Copy)]
pub struct ListenOptions {
    /// Where to listen.
    pub address: SocketAddr,
    /// Length of the accept queue; absent means the kernel's `somaxconn`.
    pub backlog: Option<u32>,
}

/// Binds and listens. Every worker binds the same address; the kernel spreads connections.
pub fn bind(options: &ListenOptions) -> io::Result<std::net::TcpListener> {
    let socket =
        Socket::new(Domain::for_address(options.address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    // Accepted sockets inherit this on Linux, which saves a system call on each.
    socket.set_tcp_nodelay(true)?;
    if options.address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&options.address.into())?;
    let backlog =
        options.backlog.map_or(i32::MAX, |length| i32::try_from(length).unwrap_or(i32::MAX));
    socket.listen(backlog)?;
    Ok(socket.into())
}

/// A classic BPF program, run on each packet from its TCP header on: with SYN and without ACK, no
/// byte of the packet is taken; of any other packet all are.
const DROP_FIRST_PACKETS: [SockFilter; 5] = {
    const LOAD_BYTE: u16 = 0x30;
    const AND: u16 = 0x54;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const FLAGS_OFFSET: u32 = 13;
    const SYN: u32 = 0x02;
    const SYN_OR_ACK: u32 = 0x12;
    [
        SockFilter::new(LOAD_BYTE, 0, 0, FLAGS_OFFSET),
        SockFilter::new(AND, 0, 0, SYN_OR_ACK),
        SockFilter::new(JUMP_IF_EQUAL, 0, 1, SYN),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ]
};

/// A worker's listening socket.
#[derive(Debug)]
pub struct Listener {
    inner: TcpListener,
    accepting: Turn,
}

impl Listener {
    /// Brings a bound socket onto this worker.
    pub fn new(socket: std::net::TcpListener, engine: Engine) -> io::Result<Self> {
        // io_uring answers EAGAIN on a non-blocking socket instead of waiting; epoll needs one.
        socket.set_nonblocking(engine == Engine::Epoll)?;
        Ok(Self { inner: TcpListener::from_std(socket)?, accepting: Turn::default() })
    }

    /// The next connection and its peer's address. The future must not be dropped while it waits:
    /// a connection accepted in that moment would be lost.
    pub async fn accept(&self) -> io::Result<(Stream, SocketAddr)> {
        let (stream, peer) = self.accepting.take(self.inner.accept()).await?;
        Ok((Stream::new(stream), peer))
    }

    /// Has the kernel drop new connections' first packets, so that their clients try again, at
    /// another socket of the group or after this one is closed. Handshakes under way are finished
    /// and accepted. An error says that the kernel does not filter.
    pub fn refuse_new(&self) -> io::Result<()> {
        // SAFETY: the descriptor is open as long as `self.inner`.
        let socket = unsafe { BorrowedFd::borrow_raw(self.inner.as_raw_fd()) };
        socket2::SockRef::from(&socket).attach_filter(&DROP_FIRST_PACKETS)
    }

    /// Stops listening; the accept in flight completes with an error.
    pub fn close(&self) {
        // SAFETY: the descriptor is open as long as `self.inner`.
        let socket = unsafe { BorrowedFd::borrow_raw(self.inner.as_raw_fd()) };
        let _already_closed = rustix::net::shutdown(socket, rustix::net::Shutdown::Both);
    }
}
