//! TLS handshakes: each connection makes one, sends one request, and ends when the peer closes it. A
//! session is resumed with the ticket that the connection before it in the same lane was given, so that
//! every handshake is of the kind that the scenario asks for; another kind is an error.

use std::ffi::OsStr;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollTimeout};
use rustls::client::Resumption;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, StreamOwned};

use crate::error::Error;
use crate::loaded::{Latencies, Loaded};
use crate::scenario::{Protocol, Scenario};
use crate::tls::{self, Credentials};
use crate::{client, event_loop, generator, http1};

/// After the last start the rest must come within this.
const GRACE_MS: u16 = 5_000;
const READ_BYTES: usize = 64 << 10;
const EVENTS_MAX: usize = 256;
/// Tickets that a lane keeps; it needs one.
const TICKETS: usize = 8;

/// The generator's own command line.
#[derive(Debug, Args)]
pub struct Options {
    #[arg(long)]
    port: u16,
    #[arg(long)]
    path: String,
    /// Connections at a time.
    #[arg(long)]
    connections: u32,
    #[arg(long)]
    seconds: u32,
    /// Folder of the certificate to trust.
    #[arg(long)]
    credentials: PathBuf,
    /// Resumes the session of the connection before.
    #[arg(long)]
    resume: bool,
}

/// Runs the generator as a process on `core`; any failed request or other handshake is an error.
pub fn run(
    core: usize,
    port: u16,
    scenario: &Scenario,
    credentials: &Credentials,
    is_resumed: bool,
    seconds: u32,
) -> Result<Loaded, String> {
    let folder = credentials.folder.as_os_str();
    let mut more = vec![OsStr::new("--credentials"), folder];
    more.extend(is_resumed.then_some(OsStr::new("--resume")));
    generator::run(core, "handshakes", port, scenario, seconds, &more)
}

/// Sends the load and prints what came of it.
pub fn generate(options: &Options) -> Result<(), Error> {
    generator::print("handshakes", Generator::new(options).and_then(Generator::run))
}

struct Generator<'a> {
    options: &'a Options,
    epoll: Epoll,
    request: Vec<u8>,
    lanes: Vec<Lane>,
    latencies: Latencies,
}

/// One connection after the other.
struct Lane {
    /// Holds the tickets, if sessions are resumed.
    config: Arc<ClientConfig>,
    expected: HandshakeKind,
    connection: Option<Connection>,
}

struct Connection {
    stream: StreamOwned<ClientConnection, TcpStream>,
    received: Vec<u8>,
    started: Instant,
    /// When the answer was whole.
    answered: Option<Instant>,
}

impl<'a> Generator<'a> {
    fn new(options: &'a Options) -> io::Result<Self> {
        let config = Credentials::within(&options.credentials).client(Protocol::Http1.alpn())?;
        let lane = |_| {
            let mut config = config.clone();
            if options.resume {
                config.resumption = Resumption::in_memory_sessions(TICKETS);
            }
            Lane { config: config.into(), expected: HandshakeKind::Full, connection: None }
        };
        Ok(Self {
            options,
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
            request: format!(
                "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
                options.path,
                tls::HOST
            )
            .into(),
            lanes: (0..options.connections).map(lane).collect(),
            latencies: Latencies::new(),
        })
    }

    fn run(mut self) -> io::Result<Loaded> {
        let started = Instant::now();
        let end = started + Duration::from_secs(self.options.seconds.into());
        let (mut events, mut buffer) = (vec![EpollEvent::empty(); EVENTS_MAX], vec![0; READ_BYTES]);
        for index in 0..self.lanes.len() {
            self.start(index)?;
        }
        while self.lanes.iter().any(|lane| lane.connection.is_some()) {
            let ready = self.epoll.wait(&mut events, EpollTimeout::from(GRACE_MS))?;
            if ready == 0 {
                return Err(ErrorKind::TimedOut.into());
            }
            for event in &events[..ready] {
                let index = usize::try_from(event.data()).map_err(io::Error::other)?;
                if self.go_on(index, &mut buffer)? && Instant::now() < end {
                    self.start(index)?;
                }
            }
        }
        Ok(self.latencies.loaded(started.elapsed()))
    }

    fn start(&mut self, index: usize) -> io::Result<()> {
        let lane = &mut self.lanes[index];
        let mut tls = client::handshake(Arc::clone(&lane.config))?;
        // Waits within TLS for the end of the handshake.
        tls.writer().write_all(&self.request)?;
        let started = Instant::now();
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, self.options.port))?;
        event_loop::watch_new(&self.epoll, &socket, index as u64)?;
        let stream = StreamOwned::new(tls, socket);
        let connection = Connection { stream, received: Vec::new(), started, answered: None };
        // What is to be sent fits into a fresh socket, so that from here on it is enough to read.
        lane.connection.insert(connection).read(&mut [])?;
        Ok(())
    }

    /// Has the connection of this lane come to its end?
    fn go_on(&mut self, index: usize, buffer: &mut [u8]) -> io::Result<bool> {
        let lane = &mut self.lanes[index];
        let Some(connection) = &mut lane.connection else { return Ok(false) };
        if connection.read(buffer)? == End::Open {
            return Ok(false);
        }
        let answered = connection.answered.ok_or(ErrorKind::UnexpectedEof)?;
        let kind = connection.stream.conn.handshake_kind();
        if kind != Some(lane.expected) {
            return Err(io::Error::other(format!(
                "the handshake was {kind:?} instead of {:?}",
                lane.expected
            )));
        }
        self.latencies.record(answered - connection.started);
        if self.options.resume {
            lane.expected = HandshakeKind::Resumed;
        }
        lane.connection = None;
        Ok(true)
    }
}

#[derive(PartialEq)]
enum End {
    Open,
    Closed,
}

impl Connection {
    /// Reads what is there.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<End> {
        loop {
            match self.stream.read(buffer) {
                Ok(0) if buffer.is_empty() => return Ok(End::Open),
                Ok(0) => return Ok(End::Closed),
                Ok(length) => self.received.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(End::Open),
                // The answer has a length, so that its end is known without TLS's own.
                Err(error) if self.answered.is_some() && is_close(&error) => {
                    return Ok(End::Closed);
                }
                Err(error) => return Err(error),
            }
            if http1::body_of_whole(&self.received)?.is_some() {
                self.answered.get_or_insert_with(Instant::now);
            }
        }
    }
}

fn is_close(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    use rustls::{ServerConnection, Stream};

    /// Loads a server that gives so many tickets with each connection.
    fn load(tickets: usize, resume: bool) -> io::Result<Loaded> {
        let credentials = tls::for_tests();
        let mut config = (*credentials.server().unwrap()).clone();
        config.send_tls13_tickets = tickets;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let config = Arc::new(config);
            while let Ok((socket, _)) = listener.accept() {
                // The generator leaves when it finds an error.
                let _ = serve(&config, socket);
            }
        });
        let options = Options {
            port,
            path: "/".into(),
            connections: 2,
            seconds: 1,
            credentials: credentials.folder.clone(),
            resume,
        };
        Generator::new(&options)?.run()
    }

    fn serve(config: &Arc<rustls::ServerConfig>, mut socket: TcpStream) -> io::Result<()> {
        let mut tls = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
        let mut stream = Stream::new(&mut tls, &mut socket);
        let length = stream.read(&mut [0; 1024])?;
        assert!(length > 0);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab")?;
        stream.conn.send_close_notify();
        stream.flush()
    }

    #[test]
    fn sessions_are_resumed_only_where_that_is_asked_for() {
        for resume in [false, true] {
            assert!(load(1, resume).unwrap().requests > 2, "{resume}");
        }
    }

    #[test]
    fn a_session_that_is_not_resumed_is_an_error() {
        let error = load(0, true).unwrap_err();
        assert_eq!(error.to_string(), "the handshake was Some(Full) instead of Resumed");
    }
}
