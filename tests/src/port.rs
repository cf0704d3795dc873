//! Ports for the proxies under test.
//!
//! They come from below the kernel's usual ephemeral range (32768 and up), so that no outgoing
//! connection of a neighbouring test takes one between the moment it is found free and the moment
//! the proxy binds it. Nor does another test process: each has a block of its own.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixListener};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

const FIRST: u16 = 12_000;
const BLOCK_PORTS: u16 = 1000;
const BLOCKS: u16 = 20;

/// The ports of this process, of which no other test process of the machine takes one.
struct Block {
    first: u16,
    /// Holds the block's name as long as the process lives, however it ends.
    _held: UnixListener,
}

impl Block {
    fn take() -> Self {
        let take = |number: u16| {
            let name = format!("ringmain-tests/ports/{number}");
            let name = UnixAddress::from_abstract_name(name).expect("a short name");
            let held = UnixListener::bind_addr(&name).ok()?;
            Some(Self { first: FIRST + number * BLOCK_PORTS, _held: held })
        };
        (0..BLOCKS).find_map(take).expect("fewer test processes at once than there are blocks")
    }
}

/// A loopback port that nobody listens on and that this process has not handed out for long.
pub fn free() -> u16 {
    static BLOCK: LazyLock<Block> = LazyLock::new(Block::take);
    static NEXT: AtomicU16 = AtomicU16::new(0);
    for _ in 0..BLOCK_PORTS {
        let step = NEXT.fetch_add(1, Ordering::Relaxed) % BLOCK_PORTS;
        let port = BLOCK.first + step;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no free port of the {BLOCK_PORTS} from {}", BLOCK.first);
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
