//! Listening sockets: bound before any worker starts, accepted from on a worker each.
#![allow(unsafe_code)]

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use monoio::net::{TcpListener, UnixListener};
use ringmain_config::address::Address;
use ringmain_config::socket_option::{SocketOption, SocketState, TcpKeepalive};
use rustix::event::{PollFd, PollFlags, Timespec};
use socket2::{Domain, Protocol, SockFilter, SockRef, Socket, Type};

use super::fairness::Turn;
use super::{Engine, Stream, pipe, socket_options};

/// How a listening socket is set up. What is absent is left as the system has it.
#[derive(Debug, Clone)]
pub struct ListenOptions<'a> {
    /// Where to listen.
    pub address: Address,
    /// The permissions of a Unix socket's file; 0 leaves them to the process's mask.
    pub pipe_mode: u32,
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

impl ListenOptions<'_> {
    /// Listens on `address`, with everything else as the system has it.
    pub fn new(address: Address) -> Self {
        Self {
            address,
            pipe_mode: 0,
            reuse_port: false,
            backlog: None,
            freebind: None,
            transparent: None,
            fast_open_queue_length: None,
            keepalive: None,
            more: &[],
        }
    }
}

/// Binds and listens. Every worker binds the same address; the kernel spreads connections.
pub fn bind(options: &ListenOptions<'_>) -> io::Result<Socket> {
    let socket = match &options.address {
        Address::Socket(address) => bind_tcp(*address, options)?,
        Address::Pipe(path) => {
            let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
            socket_options::set_all(&socket, options.more, SocketState::Prebind)?;
            pipe::bind(&socket, path, options.pipe_mode)?;
            socket
        }
    };
    socket_options::set_all(&socket, options.more, SocketState::Bound)?;
    let backlog =
        options.backlog.map_or(i32::MAX, |length| i32::try_from(length).unwrap_or(i32::MAX));
    socket.listen(backlog)?;
    if let Some(length) =
        options.fast_open_queue_length.filter(|_| options.address.socket().is_some())
    {
        socket_options::set_fast_open(&socket, length)?;
    }
    socket_options::set_all(&socket, options.more, SocketState::Listening)?;
    Ok(socket)
}

fn bind_tcp(address: SocketAddr, options: &ListenOptions<'_>) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(options.reuse_port)?;
    // Accepted sockets inherit this on Linux, which saves a system call on each.
    socket.set_tcp_nodelay(true)?;
    set_address_options(&socket, address.is_ipv6(), options)?;
    if let Some(keepalive) = options.keepalive {
        socket_options::set_keepalive(&socket, keepalive)?;
    }
    socket_options::set_all(&socket, options.more, SocketState::Prebind)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn set_address_options(
    socket: &Socket,
    is_ipv6: bool,
    options: &ListenOptions<'_>,
) -> io::Result<()> {
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
    inner: Inner,
    accepting: Turn,
}

#[derive(Debug)]
enum Inner {
    Tcp(TcpListener),
    Pipe(UnixListener),
}

impl Listener {
    /// Brings a bound socket onto this worker.
    pub fn new(socket: Socket, engine: Engine) -> io::Result<Self> {
        // io_uring answers EAGAIN on a non-blocking socket instead of waiting; epoll needs one.
        socket.set_nonblocking(engine == Engine::Epoll)?;
        let is_pipe = socket.domain()? == Domain::UNIX;
        let socket = OwnedFd::from(socket);
        let inner = match is_pipe {
            true => Inner::Pipe(UnixListener::from_std(socket.into())?),
            false => Inner::Tcp(TcpListener::from_std(socket.into())?),
        };
        Ok(Self { inner, accepting: Turn::default() })
    }

    /// The next connection and its peer's address, which the client of a Unix socket does not have. The
    /// future must not be dropped while it waits: a connection accepted in that moment would be lost.
    pub async fn accept(&self) -> io::Result<(Stream, Option<Address>)> {
        let (stream, peer) = match &self.inner {
            Inner::Tcp(listener) => {
                let (stream, peer) = self.accepting.take(listener.accept()).await?;
                (stream, Some(peer.into()))
            }
            Inner::Pipe(listener) => {
                let (stream, _) = self.accepting.take(listener.accept()).await?;
                (pipe::accepted(stream)?, None)
            }
        };
        Ok((Stream::new(stream), peer))
    }

    /// Has the kernel drop new connections' first packets, so that their clients try again, at
    /// another socket of the group or after this one is closed. Handshakes under way are finished
    /// and accepted. An error says that the kernel does not filter. New clients of a Unix socket are
    /// refused.
    pub fn refuse_new(&self) -> io::Result<()> {
        let socket = self.descriptor();
        match self.inner {
            Inner::Tcp(_) => SockRef::from(&socket).attach_filter(&DROP_FIRST_PACKETS),
            Inner::Pipe(_) => Ok(rustix::net::shutdown(socket, rustix::net::Shutdown::Read)?),
        }
    }

    /// Whether connections wait to be accepted.
    pub fn has_waiting(&self) -> bool {
        let socket = self.descriptor();
        let mut polled = [PollFd::from_borrowed_fd(socket, PollFlags::IN)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        matches!(rustix::event::poll(&mut polled, Some(&now)), Ok(1))
    }

    /// Stops listening; the accept in flight completes with an error.
    pub fn close(&self) {
        let _already_closed = rustix::net::shutdown(self.descriptor(), rustix::net::Shutdown::Both);
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        let descriptor = match &self.inner {
            Inner::Tcp(listener) => listener.as_raw_fd(),
            Inner::Pipe(listener) => listener.as_raw_fd(),
        };
        // SAFETY: the descriptor is open as long as `self.inner`.
        unsafe { BorrowedFd::borrow_raw(descriptor) }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpStream};

    use super::*;
    use crate::runtime::{self, EngineChoice};

    #[test]
    fn what_waits_is_seen_until_it_is_accepted() {
        for choice in [EngineChoice::Epoll, EngineChoice::Auto] {
            let plan = runtime::plan(choice).expect("an engine");
            let engine = plan.engine;
            let waiting = runtime::run(&plan, async {
                let free = Address::Socket((Ipv4Addr::LOCALHOST, 0).into());
                let socket = bind(&ListenOptions::new(free)).expect("a free port");
                let address = socket.local_addr().expect("bound").as_socket().expect("of TCP");
                let listener = Listener::new(socket, engine).expect("a listening socket");
                let before = listener.has_waiting();
                let _client = TcpStream::connect(address).expect("it listens");
                let there = listener.has_waiting();
                let _accepted = listener.accept().await.expect("a connection");
                [before, there, listener.has_waiting()]
            });
            assert_eq!(waiting.expect("it runs"), [false, true, false], "{engine:?}");
        }
    }
}
