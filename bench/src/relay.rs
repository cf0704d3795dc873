//! The blind relay: the floor under every proxy. It opens one upstream connection per client
//! connection and copies bytes both ways, with one read and one write per event, and looks at none.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};

use crate::error::Error;
use crate::event_loop::{self, LISTENER, Server};

const READ_BYTES: usize = 64 << 10;
/// Connections come in pairs from here on: the client's key is even, the upstream's is the odd one
/// after it.
const FIRST_KEY: u64 = LISTENER + 2;

/// Relays between loopback ports until the process ends.
pub fn serve(listen_port: u16, upstream_port: u16) -> Result<(), Error> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, listen_port)).map_err(Error::system("listen"))?;
    event_loop::run(&listener, &mut Relay::new(upstream_port)).map_err(Error::system("relay"))
}

struct Relay {
    upstream_port: u16,
    sides: HashMap<u64, Side>,
    next_key: u64,
    buffer: Vec<u8>,
}

/// One end of a pair.
struct Side {
    stream: TcpStream,
    /// Bytes from the other end that this socket did not take; while there are any, the other end
    /// is not read.
    unsent: Vec<u8>,
}

impl Relay {
    fn new(upstream_port: u16) -> Self {
        let (sides, next_key) = (HashMap::new(), FIRST_KEY);
        Self { upstream_port, sides, next_key, buffer: vec![0; READ_BYTES] }
    }

    fn watch(&self, epoll: &Epoll, key: u64, flags: EpollFlags) -> io::Result<()> {
        let Some(side) = self.sides.get(&key) else { return Ok(()) };
        Ok(epoll.modify(&side.stream, &mut EpollEvent::new(flags, key))?)
    }
}

impl Server for Relay {
    fn accept(&mut self, epoll: &Epoll, client: TcpStream) -> io::Result<()> {
        // On loopback this does not wait; without an upstream the client is closed.
        let Ok(upstream) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.upstream_port)) else {
            return Ok(());
        };
        for (offset, stream) in [(0, client), (1, upstream)] {
            let key = self.next_key + offset;
            event_loop::watch_new(epoll, &stream, key)?;
            self.sides.insert(key, Side { stream, unsent: Vec::new() });
        }
        self.next_key += 2;
        Ok(())
    }

    /// Moves what can be moved; either end's end is the end of both.
    fn drive(&mut self, epoll: &Epoll, key: u64, ready: EpollFlags) -> io::Result<()> {
        let [Some(near), Some(far)] = self.sides.get_disjoint_mut([&key, &(key ^ 1)]) else {
            return Ok(());
        };
        let is_flush = ready.contains(EpollFlags::EPOLLOUT);
        let outcome = match is_flush {
            // Reported even for an end that is not read now.
            _ if ready.intersects(EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR) => {
                Err(ErrorKind::ConnectionReset.into())
            }
            true => near.flush(),
            false => near.copy_to(far, &mut self.buffer),
        };
        let (written, read) = if is_flush { (key, key ^ 1) } else { (key ^ 1, key) };
        match outcome {
            Ok(Room::Same) => Ok(()),
            Ok(Room::Full) => self.watch(epoll, written, EpollFlags::EPOLLOUT).and(self.watch(
                epoll,
                read,
                EpollFlags::empty(),
            )),
            Ok(Room::Again) => self.watch(epoll, written, EpollFlags::EPOLLIN).and(self.watch(
                epoll,
                read,
                EpollFlags::EPOLLIN,
            )),
            Err(_) => {
                self.sides.remove(&key);
                self.sides.remove(&(key ^ 1));
                Ok(())
            }
        }
    }
}

/// What became of the room in the socket that was written to.
enum Room {
    Same,
    Full,
    Again,
}

impl Side {
    fn copy_to(&mut self, far: &mut Side, buffer: &mut [u8]) -> io::Result<Room> {
        let length = match self.stream.read(buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Room::Same),
            Err(error) => return Err(error),
        };
        let sent = far.send(&buffer[..length])?;
        if sent == length {
            return Ok(Room::Same);
        }
        far.unsent = buffer[sent..length].to_vec();
        Ok(Room::Full)
    }

    fn flush(&mut self) -> io::Result<Room> {
        let unsent = std::mem::take(&mut self.unsent);
        let sent = self.send(&unsent)?;
        if sent == unsent.len() {
            return Ok(Room::Again);
        }
        self.unsent = unsent[sent..].to_vec();
        Ok(Room::Same)
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.stream.write(bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            outcome => outcome,
        }
    }
}
