//! Ports for the proxies under test.
//!
//! They come from below the kernel's usual ephemeral range (32768 and up), so that no outgoing
//! connection of a neighbouring test takes one between the moment it is found free and the moment
//! the proxy binds it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

const FIRST: u32 = 12_000;
const COUNT: u32 = 20_000;

/// A loopback port that nobody listens on and that this process never hands out twice in a row.
pub fn free() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Processes that run side by side start at different places.
    let start = std::process::id().wrapping_mul(997);
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = (FIRST + start.wrapping_add(step) % COUNT) as u16;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no free port between {FIRST} and {}", FIRST + COUNT);
}

/// A port that refuses connections for as long as this value lives: bound, never listened on.
pub struct RefusingPort {
    address: SocketAddr,
    socket: Socket,
}

impl RefusingPort {
    /// Takes one.
    pub fn bind() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a TCP socket");
        let any: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
        socket.bind(&any.into()).expect("bind on loopback");
        let address = socket.local_addr().expect("a bound socket has an address");
        Self { address: address.as_socket().expect("an IPv4 address"), socket }
    }

    /// Where nobody answers.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Refuses no more.
    pub fn listen(self) -> TcpListener {
        self.socket.listen(128).expect("listen on loopback");
        self.socket.into()
    }
}

/// A port that answers no attempt to connect for as long as this value lives: it listens, but its
/// queue is full.
pub struct SilentPort {
    address: SocketAddr,
    _listener: Socket,
    _queued: Vec<Socket>,
}

impl SilentPort {
    /// Takes one.
    pub fn bind() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a TCP socket");
        let any: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
        listener.bind(&any.into()).expect("bind on loopback");
        listener.listen(0).expect("listen on loopback");
        let address = listener.local_addr().expect("a bound socket has an address");
        let connect = || {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a TCP socket");
            socket.connect_timeout(&address, Duration::from_millis(200)).ok().map(|()| socket)
        };
        let queued: Vec<Socket> = std::iter::from_fn(connect).take(16).collect();
        assert!(queued.len() < 16, "a queue of one does not fill");
        Self {
            address: address.as_socket().expect("an IPv4 address"),
            _listener: listener,
            _queued: queued,
        }
    }

    /// Where nobody answers.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
