//! The blind relay: the floor under every proxy. It opens one upstream connection per client
//! connection and copies bytes both ways, with one read and one write per event, and looks at none.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::error::Error;

const READ_BYTES: usize = 64 << 10;
const EVENTS_MAX: usize = 256;
/// Key of the listening socket. Connections come in pairs from 2 on: the client's is even, the
/// upstream's is the odd one after it.
const LISTENER: u64 = 0;

/// Relays between loopback ports until the process ends.
pub fn serve(listen_port: u16, upstream_port: u16) -> Result<(), Error> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, listen_port)).map_err(Error::system("listen"))?;
    Relay::new(listener, upstream_port).and_then(Relay::run).map_err(Error::system("relay"))
}

struct Relay {
    epoll: Epoll,
    listener: TcpListener,
    upstream_port: u16,
    sides: HashMap<u64, Side>,
    next_key: u64,
}

/// One end of a pair.
struct Side {
    stream: TcpStream,
    /// Bytes from the other end that this socket did not take; while there are any, the other end
    /// is not read.
    unsent: Vec<u8>,
}

impl Relay {
    fn new(listener: TcpListener, upstream_port: u16) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        listener.set_nonblocking(true)?;
        epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER))?;
        Ok(Self { epoll, listener, upstream_port, sides: HashMap::new(), next_key: 2 })
    }

    fn run(mut self) -> io::Result<()> {
        let mut events = vec![EpollEvent::empty(); EVENTS_MAX];
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let ready = match self.epoll.wait(&mut events, EpollTimeout::NONE) {
                Ok(ready) => ready,
                Err(nix::Error::EINTR) => continue,
                Err(error) => return Err(error.into()),
            };
            for event in &events[..ready] {
                match event.data() {
                    LISTENER => self.accept()?,
                    key => self.drive(key, event.events(), &mut buffer)?,
                }
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        let Ok((client, _)) = self.listener.accept() else { return Ok(()) };
        // On loopback this does not wait; without an upstream the client is closed.
        let Ok(upstream) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.upstream_port)) else {
            return Ok(());
        };
        for (offset, stream) in [(0, client), (1, upstream)] {
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let key = self.next_key + offset;
            self.epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, key))?;
            self.sides.insert(key, Side { stream, unsent: Vec::new() });
        }
        self.next_key += 2;
        Ok(())
    }

    /// Moves what can be moved; either end's end is the end of both.
    fn drive(&mut self, key: u64, ready: EpollFlags, buffer: &mut [u8]) -> io::Result<()> {
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
            false => near.copy_to(far, buffer),
        };
        let (written, read) = if is_flush { (key, key ^ 1) } else { (key ^ 1, key) };
        match outcome {
            Ok(Room::Same) => Ok(()),
            Ok(Room::Full) => {
                self.watch(written, EpollFlags::EPOLLOUT).and(self.watch(read, EpollFlags::empty()))
            }
            Ok(Room::Again) => {
                self.watch(written, EpollFlags::EPOLLIN).and(self.watch(read, EpollFlags::EPOLLIN))
            }
            Err(_) => {
                self.sides.remove(&key);
                self.sides.remove(&(key ^ 1));
                Ok(())
            }
        }
    }

    fn watch(&self, key: u64, flags: EpollFlags) -> io::Result<()> {
        let Some(side) = self.sides.get(&key) else { return Ok(()) };
        Ok(self.epoll.modify(&side.stream, &mut EpollEvent::new(flags, key))?)
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
