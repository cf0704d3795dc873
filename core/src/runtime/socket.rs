//! Connected sockets: reading and writing whole buffers.
#![allow(unsafe_code)]

use std::cell::{Cell, OnceCell, UnsafeCell};
use std::future::Future;
use std::io;
use std::mem::ManuallyDrop;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use monoio::io::{AsyncReadRent, AsyncWriteRent, CancelableAsyncReadRent};
use monoio::net::TcpStream;
use ringmain_config::address::Address;
use ringmain_config::cluster::ConnectOptions;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use socket2::{SockRef, Socket};

use super::buffer::Outgoing;
use super::connect::{ConnectError, outgoing_socket};
use super::fairness::Turn;
use super::readiness::Place;
use super::{Buffer, Patience, engine, pipe, sleep};

/// Reads by [`Stream::read_when_ready`] in a row that need no operation of the engine.
const READS_AT_ONCE_MAX: u32 = 8;

/// A connected TCP or Unix socket. Reads and writes may run at the same time, one of each.
#[derive(Debug)]
pub struct Stream {
    inner: UnsafeCell<ManuallyDrop<TcpStream>>,
    reading: Turn,
    writing: Turn,
    held_back: Cell<bool>,
    /// Where it waits to receive, once it has other than by an operation; absent where the system has refused one.
    place: OnceCell<Option<Place>>,
}

impl Stream {
    pub(super) fn new(inner: TcpStream) -> Self {
        Self {
            inner: UnsafeCell::new(ManuallyDrop::new(inner)),
            reading: Turn::default(),
            writing: Turn::default(),
            held_back: Cell::default(),
            place: OnceCell::new(),
        }
    }

    /// Connects to `address` by a socket as `options` have it, giving up after `timeout`. They say
    /// nothing of Unix sockets.
    pub async fn connect(
        address: &Address,
        timeout: Duration,
        options: &ConnectOptions,
    ) -> Result<Self, ConnectError> {
        let connecting = async {
            match address {
                Address::Socket(address) => Self::connect_tcp(*address, options).await,
                Address::Pipe(path) => pipe::connect(path).await.map(Self::new),
            }
        };
        let connected = sleep::timeout(timeout, connecting).await;
        connected.map_err(|_| ConnectError::TimedOut)?
    }

    async fn connect_tcp(
        address: SocketAddr,
        options: &ConnectOptions,
    ) -> Result<Self, ConnectError> {
        let stream = match options.is_plain() {
            true => TcpStream::connect_addr(address).await.map(Self::new),
            false => Self::connect_socket(outgoing_socket(address, options)?, address).await,
        };
        let stream = stream.map_err(ConnectError::Failed)?;
        SockRef::from(&stream).set_tcp_nodelay(true).map_err(ConnectError::Failed)?;
        Ok(stream)
    }

    /// Connects a socket that does not block.
    async fn connect_socket(socket: Socket, address: SocketAddr) -> io::Result<Self> {
        match socket.connect(&address.into()) {
            Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => return Err(error),
            _ => {}
        }
        let stream = Self::new(TcpStream::from_std(socket.into())?);
        stream.wait_writable_in_turn().await?;
        let socket = SockRef::from(&stream);
        if let Some(error) = socket.take_error()? {
            return Err(error);
        }
        // io_uring answers EAGAIN on a non-blocking socket instead of waiting; epoll needs one.
        socket.set_nonblocking(engine::is_epoll())?;
        Ok(stream)
    }

    /// The socket, for another worker. Nothing may be under way on it.
    pub fn into_descriptor(self) -> OwnedFd {
        let mut this = ManuallyDrop::new(self);
        if let Some(place) = this.place.take().flatten() {
            place.leave(&*this);
        }
        // SAFETY: `drop`, the only other one that takes it, does not run.
        descriptor_of(unsafe { this.take_inner() })
    }

    /// # Safety
    ///
    /// To be called once, and last.
    unsafe fn take_inner(&mut self) -> TcpStream {
        // SAFETY: nobody uses it afterwards, as the caller promises.
        unsafe { ManuallyDrop::take(self.inner.get_mut()) }
    }

    /// A connected socket that another worker has let go of.
    pub fn adopt(descriptor: OwnedFd) -> io::Result<Self> {
        Ok(Self::new(TcpStream::from_std(descriptor.into())?))
    }

    /// Appends what arrives to `buffer`, which must have room. `Ok(0)` is the peer's end.
    pub async fn read(&self, buffer: Buffer) -> (io::Result<usize>, Buffer) {
        debug_assert!(buffer.room() > 0);
        // A ring makes all reads of a turn in one system call.
        match engine::is_epoll() {
            true => self.read_when_ready(|| buffer).await,
            false => self.reading.take(self.shared().read(buffer)).await,
        }
    }

    /// The same while `patience` lasts; `None` where it has ended and nothing has come. Once the socket has
    /// [stopped blocking](Stream::stop_blocking) on io_uring, that is at once.
    pub async fn read_patiently(
        &self,
        buffer: Buffer,
        patience: &Patience,
    ) -> (Option<io::Result<usize>>, Buffer) {
        if engine::is_epoll() {
            return self.receive_patiently(buffer, patience).await;
        }
        if patience.has_ended() {
            return (None, buffer);
        }
        let read = self.shared().cancelable_read(buffer, patience.handle());
        let (result, buffer) = self.reading.take(read).await;
        match result {
            Err(error) if error.raw_os_error() == Some(libc::ECANCELED) => (None, buffer),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => (None, buffer),
            result => (Some(result), buffer),
        }
    }

    /// Waits until something has come, then appends it to the buffer that `buffer` gives, which must have room.
    /// `Ok(0)` is the peer's end.
    ///
    /// For who waits often and long and gets little: the wait holds no memory, so nobody has to end it, and the buffer
    /// is the one that was used last. All who wait so share one operation of the engine; each read is a system call.
    pub async fn read_when_ready(
        &self,
        buffer: impl FnOnce() -> Buffer,
    ) -> (io::Result<usize>, Buffer) {
        self.wait_to_receive().await;
        let mut buffer = buffer();
        loop {
            match self.receive_at_once(&mut buffer) {
                Err(Errno::AGAIN | Errno::INTR) => self.wait_to_receive().await,
                read => return (read.map_err(Into::into), buffer),
            }
        }
    }

    async fn receive_patiently(
        &self,
        mut buffer: Buffer,
        patience: &Patience,
    ) -> (Option<io::Result<usize>>, Buffer) {
        while patience.outlasts(self.wait_to_receive()).await {
            match self.receive_at_once(&mut buffer) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                read => return (Some(read.map_err(Into::into)), buffer),
            }
        }
        (None, buffer)
    }

    async fn wait_to_receive(&self) {
        match self.entered() {
            Some(place) if engine::is_epoll() || self.reading.at_once() < READS_AT_ONCE_MAX => {
                self.reading.take(place.readable()).await;
            }
            // Also for a socket that always has bytes: only operations let a ring look at what others have.
            _ => {
                // An error of a wait is found again by the read.
                let _read_says_more = self.wait_readable_in_turn().await;
            }
        }
    }

    /// Its place, which it takes where it has none yet.
    fn entered(&self) -> Option<&Place> {
        self.place.get_or_init(|| Place::enter(self)).as_ref()
    }

    /// Its place, if it has one.
    fn place(&self) -> Option<&Place> {
        self.place.get().and_then(Option::as_ref)
    }

    fn receive_at_once(&self, buffer: &mut Buffer) -> Result<usize, Errno> {
        let room = buffer.room();
        let spare = &mut buffer.spare_mut()[..room];
        let read = rustix::net::recv(self, spare, RecvFlags::DONTWAIT).map(|(count, _)| count);
        if let Some(place) = self.place() {
            place.note(read, room);
        }
        read.inspect(|&count| buffer.extend(count))
    }

    /// Writes all of `buffer`, which comes back as it was.
    pub async fn write_all(&self, buffer: Buffer) -> (io::Result<()>, Buffer) {
        self.write_rest(Outgoing { buffer, sent: 0 }).await
    }

    /// The same by a system call as far as the peer takes it at once: for who goes on only when it has been written.
    pub async fn write_all_at_once(&self, buffer: Buffer) -> (io::Result<()>, Buffer) {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        let sent = match rustix::net::send(self, buffer.bytes(), flags) {
            Ok(sent) => sent,
            Err(Errno::AGAIN | Errno::INTR) => 0,
            Err(error) => return (Err(error.into()), buffer),
        };
        match sent == buffer.len() {
            true => (Ok(()), buffer),
            false => {
                self.note_held_back(true);
                self.write_rest(Outgoing { buffer, sent }).await
            }
        }
    }

    async fn write_rest(&self, mut outgoing: Outgoing) -> (io::Result<()>, Buffer) {
        let length = outgoing.buffer.len();
        while outgoing.sent < length {
            let (result, returned) = self.writing.take(self.shared().write(outgoing)).await;
            outgoing = returned;
            match result {
                Ok(0) => return (Err(io::ErrorKind::WriteZero.into()), outgoing.buffer),
                Ok(count) => {
                    outgoing.sent += count;
                    self.note_held_back(outgoing.sent < length);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.note_held_back(true);
                    if let Err(error) = self.wait_writable_in_turn().await {
                        return (Err(error), outgoing.buffer);
                    }
                }
                Err(error) => return (Err(error), outgoing.buffer),
            }
        }
        (Ok(()), outgoing.buffer)
    }

    /// Whether a write under way waits for the peer: the kernel has not taken all of it.
    pub fn is_held_back(&self) -> bool {
        self.held_back.get()
    }

    pub(super) fn note_held_back(&self, held_back: bool) {
        self.held_back.set(held_back);
    }

    /// Sends what the kernel takes of `bytes` at once. Not beside a write in flight, whose bytes these
    /// would come between.
    pub fn send_at_once(&self, bytes: &[u8]) {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        // For last words only: a peer that does not take them misses nothing that it waits for.
        let _sent = rustix::net::send(self, bytes, flags);
    }

    /// Waits until a read would not block. On epoll that may be in vain.
    pub async fn readable(&self) -> io::Result<()> {
        if engine::is_epoll()
            && let Some(place) = self.entered()
        {
            self.reading.count(place.readable()).await;
            return Ok(());
        }
        // SAFETY: `readable` takes a shared reference; see `shared` for why that may stand beside
        // an operation in flight.
        self.reading.count(unsafe { &*self.inner.get() }.readable(false)).await
    }

    /// The same as an operation among the reads, which gives way to other sockets now and then.
    pub(super) async fn wait_readable_in_turn(&self) -> io::Result<()> {
        let wait = async {
            // epoll is asked first: that takes back the event of what was read, so that one of its own is waited
            // for instead of a read that is tried in vain. A ring has no such state.
            if engine::is_epoll() && self.is_readable_now() {
                return Ok(());
            }
            // SAFETY: as in `readable`. On epoll the event is proof enough: the kernel has been asked just now.
            unsafe { &*self.inner.get() }.readable(true).await
        };
        self.reading.take(wait).await
    }

    /// Waits until a write would not block, as an operation among the writes.
    pub(super) async fn wait_writable_in_turn(&self) -> io::Result<()> {
        // SAFETY: as in `readable`.
        self.writing.take(unsafe { &*self.inner.get() }.writable(false)).await
    }

    /// From now on the kernel answers at once where it would wait, which [`Stream::splice`] needs. Of the rest only
    /// reads by [`Stream::read_when_ready`] or [`Stream::read_patiently`] and writes may be used then. Operations that
    /// wait already go on to.
    pub fn stop_blocking(&self) -> io::Result<()> {
        Ok(rustix::io::ioctl_fionbio(self, true)?)
    }

    /// Whether something, or the peer's end, has come that nobody has read.
    pub fn has_stirred(&self) -> bool {
        // The event loop's last turn tells of nothing; the kernel need not be asked.
        if self.place().is_some_and(|place| !place.is_told()) {
            return false;
        }
        let mut stirred = false;
        closed_or_readable(std::iter::once(self), |_| stirred = true);
        stirred
    }

    /// For epoll only: a ring would keep the operation that this lets go of.
    fn is_readable_now(&self) -> bool {
        // SAFETY: as in `readable`.
        let readable = pin!(unsafe { &*self.inner.get() }.readable(false));
        readable.poll(&mut Context::from_waker(Waker::noop())).is_ready()
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

    /// Resets the connection at once, and ends the operations in flight. A socket that knows no reset is shut down.
    pub fn reset(&self) {
        // connect(2) to no address (AF_UNSPEC) is what dissolves a TCP connection. Unlike a shutdown it tells the peer
        // of no end, and unlike a close it does not wait for who uses the socket.
        if rustix::net::connect_unspec(self).is_err() {
            self.shutdown(Shutdown::Both);
        }
    }

    /// Whether one of the two sides has not ended yet: for who cannot find out by reading. A Unix socket's end is
    /// not seen so.
    pub fn is_connected(&self) -> bool {
        rustix::net::getpeername(self).is_ok()
    }

    /// Whether the peer has closed its side.
    pub fn is_peer_gone(&self) -> bool {
        let mut polled = [PollFd::new(self, PollFlags::RDHUP)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        matches!(rustix::event::poll(&mut polled, Some(&now)), Ok(1))
    }

    /// Where the client wanted to go before the kernel sent it here (`SO_ORIGINAL_DST`), if it did.
    pub fn original_destination(&self) -> Option<SocketAddr> {
        let socket = SockRef::from(self);
        socket.original_dst_v4().or_else(|_| socket.original_dst_v6()).ok()?.as_socket()
    }

    /// This end's address.
    pub fn local_addr(&self) -> io::Result<Address> {
        pipe::local_address(self)
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

impl Drop for Stream {
    fn drop(&mut self) {
        // SAFETY: the first and last time: who calls `into_descriptor` has no stream left to drop.
        let inner = unsafe { self.take_inner() };
        // A ring's close is an operation, and monoio cancels what nobody waits for: three times the work of
        // close(2). Only where the kernel may still be at something on the socket that has to come after it.
        if !engine::is_epoll() && self.reading.is_at_rest() && self.writing.is_at_rest() {
            drop(descriptor_of(inner));
        }
    }
}

/// The descriptor of a socket on which nothing is under way.
fn descriptor_of(inner: TcpStream) -> OwnedFd {
    // SAFETY: the socket has let go of its descriptor, and nobody else has it.
    unsafe { OwnedFd::from_raw_fd(inner.into_raw_fd()) }
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

#[cfg(test)]
mod tests;
