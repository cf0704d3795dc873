//! The rig's own client: one connection to a side, with TLS where the setup has it, and one request on
//! it in the scenario's protocol.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::scenario::{Protocol, Scenario};
use crate::setup::Downstream;
use crate::tls::{self, Credentials};
use crate::{http1, http2};

/// For each read and write.
const TIMEOUT: Duration = Duration::from_secs(5);

/// An open connection of a scenario's client.
pub struct Client<'a> {
    scenario: &'a Scenario,
    stream: Stream,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl<'a> Client<'a> {
    /// On an open `socket`; the handshake comes with the request.
    pub fn new(
        socket: TcpStream,
        scenario: &'a Scenario,
        credentials: &Credentials,
    ) -> io::Result<Self> {
        // Else the request waits for the delayed acknowledgement of the handshake's last record, where the
        // peer has nothing to answer to that.
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(TIMEOUT))?;
        socket.set_write_timeout(Some(TIMEOUT))?;
        let stream = if scenario.setup.downstream == Downstream::Tls {
            let config = credentials.client(scenario.protocol.alpn())?;
            Stream::Tls(Box::new(StreamOwned::new(handshake(config.into())?, socket)))
        } else {
            Stream::Plain(socket)
        };
        Ok(Self { scenario, stream })
    }

    /// Sends the scenario's request; the answer must be a 200, and this is its body.
    pub fn exchange(&mut self) -> io::Result<Vec<u8>> {
        let Scenario { setup, request_bytes, .. } = self.scenario;
        let (host, path) = (setup.host(), self.scenario.path());
        match self.scenario.protocol {
            Protocol::Http1 => http1::exchange(&mut self.stream, &host, &path, *request_bytes),
            Protocol::Http2 => {
                http2::exchange(&mut self.stream, setup.downstream.scheme(), &host, &path)
            }
        }
    }

    /// The socket alone, still open.
    pub fn into_socket(self) -> TcpStream {
        match self.stream {
            Stream::Plain(socket) => socket,
            Stream::Tls(stream) => stream.sock,
        }
    }
}

/// A client's end of TLS that has yet to begin.
pub fn handshake(config: Arc<ClientConfig>) -> io::Result<ClientConnection> {
    let name = ServerName::try_from(tls::HOST).map_err(|_| ErrorKind::InvalidInput)?;
    ClientConnection::new(config, name).map_err(io::Error::other)
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
