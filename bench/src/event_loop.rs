//! A single-threaded, level-triggered epoll server, which upstream and relay share.

use std::io;
use std::net::{TcpListener, TcpStream};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

const EVENTS_MAX: usize = 256;
/// Key of the listening socket; connections have others.
pub const LISTENER: u64 = 0;

/// What is done with the connections.
pub trait Server {
    /// Takes a new connection into `epoll` under a key other than [`LISTENER`]. An error ends the server.
    fn accept(&mut self, epoll: &Epoll, stream: TcpStream) -> io::Result<()>;

    /// Goes on with the connection under `key`, which is `ready`. An error ends the server.
    fn drive(&mut self, epoll: &Epoll, key: u64, ready: EpollFlags) -> io::Result<()>;
}

/// Serves the connections of `listener` until an error.
pub fn run(listener: &TcpListener, server: &mut impl Server) -> io::Result<()> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    listener.set_nonblocking(true)?;
    epoll.add(listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER))?;
    let mut events = vec![EpollEvent::empty(); EVENTS_MAX];
    loop {
        let ready = match epoll.wait(&mut events, EpollTimeout::NONE) {
            Ok(ready) => ready,
            Err(nix::Error::EINTR) => continue,
            Err(error) => return Err(error.into()),
        };
        for event in &events[..ready] {
            if event.data() != LISTENER {
                server.drive(&epoll, event.data(), event.events())?;
            // Else the peer left already; an exhausted file table, too, must not end the server.
            } else if let Ok((stream, _)) = listener.accept() {
                server.accept(&epoll, stream)?;
            }
        }
    }
}

/// Watches `stream` under `key` for bytes to read, after making it ready for that.
pub fn watch_new(epoll: &Epoll, stream: &TcpStream, key: u64) -> io::Result<()> {
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    Ok(epoll.add(stream, EpollEvent::new(EpollFlags::EPOLLIN, key))?)
}
