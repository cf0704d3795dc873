//! The upstream: one thread, canned answers. It reads only as much of a request as tells where it ends,
//! so that the load's core spends its time on load. The first bytes of a connection tell whether it is
//! TLS, HTTP/2 or HTTP/1, so one port serves every setup.

mod http1;
mod http2;
mod transport;

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use rustls::ServerConfig;
use socket2::{Domain, Socket, Type};

use crate::answers::Answers;
use crate::error::Error;
use crate::event_loop::{self, LISTENER, Server};
use crate::http2::PREFACE;
use crate::tls::Credentials;
use transport::Transport;

/// One read; a request body of 1 MiB takes a few.
const READ_BYTES: usize = 256 << 10;
/// Connections that are not accepted yet.
const BACKLOG: i32 = 4096;

/// Serves on a free port of all of 127.0.0.0/8, which it prints, until the process ends; `credentials` is the folder
/// of what it shows in TLS.
pub fn serve(credentials: &Path) -> Result<(), Error> {
    let tls = Credentials::within(credentials).server().map_err(Error::system("certificate"))?;
    let listener = listen().map_err(Error::system("listen"))?;
    let port = listener.local_addr().map_err(Error::system("listen"))?.port();
    println!("{port}");
    event_loop::run(&listener, &mut Upstream::new(tls)).map_err(Error::system("upstream"))
}

/// The hosts of a cluster have addresses of their own; nobody from elsewhere may reach them.
fn listen() -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind_device(Some(b"lo"))?;
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)).into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

struct Upstream {
    connections: HashMap<u64, Connection>,
    canned: Canned,
    tls: Arc<ServerConfig>,
    buffer: Vec<u8>,
}

/// What every connection answers from.
struct Canned {
    http1: Answers,
    http2: http2::Answer,
    /// Connections accepted so far; the latest one's key.
    accepted: u64,
}

impl Upstream {
    fn new(tls: Arc<ServerConfig>) -> Self {
        let canned =
            Canned { http1: Answers::default(), http2: http2::Answer::new(), accepted: LISTENER };
        Self { connections: HashMap::new(), canned, tls, buffer: vec![0; READ_BYTES] }
    }
}

impl Server for Upstream {
    fn accept(&mut self, epoll: &Epoll, stream: TcpStream) -> io::Result<()> {
        self.canned.accepted += 1;
        let key = self.canned.accepted;
        event_loop::watch_new(epoll, &stream, key)?;
        self.connections.insert(key, Connection::new(stream, Arc::clone(&self.tls)));
        Ok(())
    }

    /// Goes on with a connection; dropping it closes it and takes it out of the epoll set.
    fn drive(&mut self, epoll: &Epoll, key: u64, _: EpollFlags) -> io::Result<()> {
        let Some(connection) = self.connections.get_mut(&key) else { return Ok(()) };
        let was_writing = connection.is_writing();
        match connection.go_on(&mut self.buffer, &mut self.canned) {
            Ok(Peer::Open) if was_writing == connection.is_writing() => {}
            Ok(Peer::Open) => {
                let is_writing = connection.is_writing();
                let flags = if is_writing { EpollFlags::EPOLLOUT } else { EpollFlags::EPOLLIN };
                epoll.modify(&connection.transport.socket, &mut EpollEvent::new(flags, key))?;
            }
            Ok(Peer::Gone) | Err(_) => drop(self.connections.remove(&key)),
        }
        Ok(())
    }
}

enum Peer {
    Open,
    Gone,
}

struct Connection {
    transport: Transport,
    protocol: Protocol,
    unsent: Unsent,
}

enum Protocol {
    Http1(http1::Connection),
    Http2(http2::Connection),
}

impl Connection {
    fn new(stream: TcpStream, tls: Arc<ServerConfig>) -> Self {
        let protocol = Protocol::Http1(http1::Connection::default());
        Self { transport: Transport::new(stream, tls), protocol, unsent: Unsent::default() }
    }

    /// Writes what is due, else reads once. An error is a peer that does not speak as our proxies do.
    fn go_on(&mut self, buffer: &mut [u8], canned: &mut Canned) -> io::Result<Peer> {
        if !self.is_writing() {
            match self.transport.read(buffer) {
                Ok(0) => return Ok(Peer::Gone),
                Ok(length) => self.take(&buffer[..length], canned)?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        self.write().map(|()| Peer::Open)
    }

    fn take(&mut self, bytes: &[u8], canned: &mut Canned) -> io::Result<()> {
        // Every side sends the preface in one piece; nothing else of HTTP/1 begins so.
        if bytes.starts_with(PREFACE) {
            self.protocol = Protocol::Http2(http2::Connection::new(&mut self.unsent.frames));
            return self.take(&bytes[PREFACE.len()..], canned);
        }
        match &mut self.protocol {
            Protocol::Http1(connection) => self.unsent.answer = connection.take(bytes, canned)?,
            Protocol::Http2(connection) => {
                connection.take(bytes, &canned.http2, &mut self.unsent.frames)?;
            }
        }
        Ok(())
    }

    fn is_writing(&self) -> bool {
        !self.unsent.bytes().is_empty() || self.transport.has_unsent()
    }

    fn write(&mut self) -> io::Result<()> {
        match self.unsent.write_to(&mut self.transport).and_then(|()| self.transport.flush()) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }
}

/// What goes out: an answer of HTTP/1 as it lies in memory, or frames.
#[derive(Default)]
struct Unsent {
    answer: Option<Rc<[u8]>>,
    /// Keeps its room from one answer to the next.
    frames: Vec<u8>,
    /// How much of them has been written.
    written: usize,
}

impl Unsent {
    fn bytes(&self) -> &[u8] {
        &self.answer.as_deref().unwrap_or(&self.frames)[self.written..]
    }

    fn write_to(&mut self, transport: &mut Transport) -> io::Result<()> {
        while !self.bytes().is_empty() {
            self.written += transport.write(self.bytes())?;
        }
        self.answer = None;
        self.frames.clear();
        self.written = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Client;
    use crate::scenario;
    use crate::{answers, check, tls};

    /// A running upstream's port, and what it shows in TLS.
    fn started() -> (u16, &'static Credentials) {
        let credentials = tls::for_tests();
        let tls = credentials.server().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || event_loop::run(&listener, &mut Upstream::new(tls)));
        (port, credentials)
    }

    fn exchange(stream: &mut TcpStream, parts: &[&[u8]], body: &[u8]) {
        for part in parts {
            stream.write_all(part).unwrap();
        }
        let expected = answers::whole(body);
        let mut got = vec![0; expected.len()];
        stream.read_exact(&mut got).unwrap();
        assert!(got[..] == expected[..], "{}", String::from_utf8_lossy(&got));
    }

    #[test]
    fn serves_several_requests_on_a_connection_in_any_pieces() {
        let mut stream = check::connect(started().0).unwrap();
        exchange(&mut stream, &[b"GET /bytes/5 HTTP/1.1\r\n\r\n"], &answers::body(5));
        exchange(
            &mut stream,
            &[b"GET /bytes/70", b" HTTP/1.1\r", b"\n\r", b"\n"],
            &answers::body(70),
        );
        exchange(
            &mut stream,
            &[b"POST /bytes/2 HTTP/1.1\r\nContent-Length: 4\r\n\r\nab", b"cd"],
            &answers::body(2),
        );
        exchange(&mut stream, &[b"GET /bytes/4000000 HTTP/1.1\r\n\r\n"], &answers::body(4_000_000));
        exchange(&mut stream, &[b"GET /connections HTTP/1.1\r\n\r\n"], b"1");
    }

    #[test]
    fn one_port_answers_in_tls_and_http2() {
        let (port, credentials) = started();
        let names = ["small", "tls-h1", "tls-1m", "h2c-h2c", "tls-h2"].map(String::from);
        for scenario in scenario::by_names(&names).unwrap() {
            for _ in 0..2 {
                let socket = check::connect(port).unwrap();
                let mut client = Client::new(socket, scenario, credentials).unwrap();
                let body = client.exchange().unwrap();
                assert!(body == answers::body(scenario.response_bytes), "{}", scenario.name);
            }
        }
    }

    #[test]
    fn closes_on_what_no_proxy_of_ours_sends() {
        let (port, _) = started();
        for request in [
            "GET /other HTTP/1.1\r\n\r\n",
            "POST /bytes/1 HTTP/1.1\r\n\r\n",
            "GET /bytes/1 HTTP/1.1\r\n\r\nmore",
        ] {
            let mut stream = check::connect(port).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            // Unread bytes turn the close into a reset.
            assert!(matches!(stream.read(&mut [0; 16]), Ok(0) | Err(_)), "{request}");
        }
    }
}
