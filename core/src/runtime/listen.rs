//! Listening sockets: bound before any worker starts, accepted from on a worker each.
#![allow(unsafe_code)]

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

use monoio::net::TcpListener;
use ringmain_config::socket_option::{SocketOption, SocketState, TcpKeepalive};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use super::fairness::Turn;
use super::{Engine, Stream, socket_options};

/// How a listening socket is set up. What is absent is left as the system has it.
#[derive(Debug, Clone)]
pub struct ListenOptions<'a> {
    /// Where to listen.
    pub address: SocketAddr,
    /// Whether further sockets may be bound to the address (`SO_REUSEPORT`).
    pub reuse_port: bool,
    /// Length of the accept queue; absent means the kernel's `somaxconn`.
    pub backlog: Option<u32>,
    /// Whether the address need not be this machine's (`IP_FREEBIND`).
    pub freebind: Option<bool>,
    /// Whether connections to other addresses are taken (`IP_TRANSPARENT`).
    pub transparent: Option<bool>,
    /// How many connections may bring data in their first packet (`TCP_FASTOPEN`).
    pub fast_open_queue_length: Option<u32>,
    /// Probes of accepted connections.
    pub keepalive: Option<TcpKeepalive>,
    /// Further options.
    pub more: &'a [SocketOption],
}

/// Binds and listens. Every worker binds the same address; the kernel spreads connections.
pub fn bind(options: &ListenOptions<'_>) -> io::Result<std::net::TcpListener> {
    let socket =
        Socket::new(Domain::for_address(options.address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(options.reuse_port)?;
    // Accepted sockets inherit this on Linux, which saves a system call on each.
    socket.set_tcp_nodelay(true)?;
    set_address_options(&socket, options)?;
    if let Some(keepalive) = options.keepalive {
        socket_options::set_keepalive(&socket, keepalive)?;
    }
    socket_options::set_all(&socket, options.more, SocketState::Prebind)?;
    socket.bind(&options.address.into())?;
    socket_options::set_all(&socket, options.more, SocketState::Bound)?;
    let backlog =
        options.backlog.map_or(i32::MAX, |length| i32::try_from(length).unwrap_or(i32::MAX));
    socket.listen(backlog)?;
    if let Some(length) = options.fast_open_queue_length {
        socket_options::set_fast_open(&socket, length)?;
    }
    socket_options::set_all(&socket, options.more, SocketState::Listening)?;
    Ok(socket.into())
}

fn set_address_options(socket: &Socket, options: &ListenOptions<'_>) -> io::Result<()> {
    let is_ipv6 = options.address.is_ipv6();
    if is_ipv6 {
        socket.set_only_v6(true)?;
    }
    match (options.freebind, is_ipv6) {
        (Some(on), false) => socket.set_freebind_v4(on)?,
        (Some(on), true) => socket.set_freebind_v6(on)?,
        (None, _) => {}
    }
    match (options.transparent, is_ipv6) {
        (Some(on), false) => socket.set_ip_transparent_v4(on),
        (Some(on), true) => socket.set_ip_transparent_v6(on),
        (None, _) => Ok(()),
    }
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
