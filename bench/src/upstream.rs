//! The upstream: one thread, canned answers. It reads only as much of a
//! request as tells where it ends, so that the load's core spends its time on load.
//!
//! Beside `/bytes/N` it answers `/connections` with the number of connections accepted so far.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::rc::Rc;

use memchr::memmem;
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};

use crate::answers::{self, Answers};
use crate::error::Error;
use crate::event_loop::{self, LISTENER, Server};

/// One read; a request body of 1 MiB takes a few.
const READ_BYTES: usize = 256 << 10;
/// Longest request head; the proxies send less than 1 KiB.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// Serves on a free loopback port, which it prints, until the process ends.
pub fn serve() -> Result<(), Error> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::system("listen"))?;
    let port = listener.local_addr().map_err(Error::system("listen"))?.port();
    println!("{port}");
    event_loop::run(&listener, &mut Upstream::new()).map_err(Error::system("upstream"))
}

struct Upstream {
    connections: HashMap<u64, Connection>,
    answers: Answers,
    /// Accepted so far; the latest one's key.
    accepted: u64,
    buffer: Vec<u8>,
}

impl Upstream {
    fn new() -> Self {
        Self {
            connections: HashMap::new(),
            answers: Answers::default(),
            accepted: LISTENER,
            buffer: vec![0; READ_BYTES],
        }
    }
}

impl Server for Upstream {
    fn accept(&mut self, epoll: &Epoll, stream: TcpStream) -> io::Result<()> {
        self.accepted += 1;
        event_loop::watch_new(epoll, &stream, self.accepted)?;
        self.connections.insert(self.accepted, Connection::new(stream));
        Ok(())
    }

    /// Goes on with a connection; dropping it closes it and takes it out of the epoll set.
    fn drive(&mut self, epoll: &Epoll, key: u64, _: EpollFlags) -> io::Result<()> {
        let Some(connection) = self.connections.get_mut(&key) else { return Ok(()) };
        let was_writing = connection.answer.is_some();
        let outcome = connection.go_on(&mut self.buffer, &mut self.answers, self.accepted);
        let is_writing = connection.answer.is_some();
        match outcome {
            Ok(Peer::Open) if was_writing == is_writing => {}
            Ok(Peer::Open) => {
                let flags = if is_writing { EpollFlags::EPOLLOUT } else { EpollFlags::EPOLLIN };
                epoll.modify(&connection.stream, &mut EpollEvent::new(flags, key))?;
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
    stream: TcpStream,
    /// What has come of a request head; keeps its room from one request to the next.
    head: Vec<u8>,
    /// Bytes of the current request's body that are still to come.
    body_bytes_left: usize,
    /// The answer to the current request, once the request is read.
    after_body: Option<Rc<[u8]>>,
    /// An answer that the socket did not take whole, and how much it took.
    answer: Option<(Rc<[u8]>, usize)>,
}

impl Connection {
    fn new(stream: TcpStream) -> Self {
        Self { stream, head: Vec::new(), body_bytes_left: 0, after_body: None, answer: None }
    }

    /// Writes what is due, else reads once. An error is a peer that does not speak as our proxies do.
    fn go_on(
        &mut self,
        buffer: &mut [u8],
        answers: &mut Answers,
        accepted: u64,
    ) -> io::Result<Peer> {
        if let Some((answer, written)) = self.answer.take() {
            self.write(answer, written)?;
            return Ok(Peer::Open);
        }
        match self.stream.read(buffer) {
            Ok(0) => Ok(Peer::Gone),
            Ok(length) => self.take(&buffer[..length], answers, accepted).map(|()| Peer::Open),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Peer::Open),
            Err(error) => Err(error),
        }
    }

    fn take(&mut self, bytes: &[u8], answers: &mut Answers, accepted: u64) -> io::Result<()> {
        if self.after_body.is_some() {
            return self.take_body(bytes.len());
        }
        self.head.extend_from_slice(bytes);
        let Some(end) = memmem::find(&self.head, b"\r\n\r\n") else {
            return if self.head.len() <= HEAD_BYTES_MAX {
                Ok(())
            } else {
                Err(ErrorKind::InvalidData.into())
            };
        };
        let (head, body) = self.head.split_at(end + 4);
        let body_bytes_here = body.len();
        self.body_bytes_left = body_bytes(head)?;
        self.after_body = Some(answer(head, answers, accepted).ok_or(ErrorKind::InvalidData)?);
        self.head.clear();
        self.take_body(body_bytes_here)
    }

    /// Counts body bytes; after the last one the answer goes out. None of the sides pipelines, so
    /// more bytes than that are an error.
    fn take_body(&mut self, length: usize) -> io::Result<()> {
        self.body_bytes_left =
            self.body_bytes_left.checked_sub(length).ok_or(ErrorKind::InvalidData)?;
        match self.after_body.take_if(|_| self.body_bytes_left == 0) {
            Some(answer) => self.write(answer, 0),
            None => Ok(()),
        }
    }

    fn write(&mut self, answer: Rc<[u8]>, mut written: usize) -> io::Result<()> {
        while written < answer.len() {
            match self.stream.write(&answer[written..]) {
                Ok(length) => written += length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.answer = Some((answer, written));
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn answer(head: &[u8], answers: &mut Answers, accepted: u64) -> Option<Rc<[u8]>> {
    let target = head.split(|&byte| byte == b' ').nth(1)?;
    if target == b"/connections" {
        return Some(answers::whole(accepted.to_string().as_bytes()));
    }
    answers.to(target)
}

/// The `content-length` of a POST; no other method of the load has a body. Chunked bodies do not
/// occur: every side forwards the length that the load sends.
fn body_bytes(head: &[u8]) -> io::Result<usize> {
    if !head.starts_with(b"POST ") {
        return Ok(0);
    }
    let text = std::str::from_utf8(head).map_err(|_| ErrorKind::InvalidData)?;
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .ok_or_else(|| ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started() -> TcpStream {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || event_loop::run(&listener, &mut Upstream::new()));
        TcpStream::connect(address).unwrap()
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
        let mut stream = started();
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
    fn closes_on_what_no_proxy_of_ours_sends() {
        for request in [
            "GET /other HTTP/1.1\r\n\r\n",
            "POST /bytes/1 HTTP/1.1\r\n\r\n",
            "GET /bytes/1 HTTP/1.1\r\n\r\nmore",
        ] {
            let mut stream = started();
            stream.write_all(request.as_bytes()).unwrap();
            // Unread bytes turn the close into a reset.
            assert!(matches!(stream.read(&mut [0; 16]), Ok(0) | Err(_)), "{request}");
        }
    }
}
