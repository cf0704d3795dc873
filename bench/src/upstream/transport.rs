//! What carries a connection's bytes: its socket, or TLS on it.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::{ServerConfig, ServerConnection, Stream};

/// First byte of a TLS connection: a handshake record (RFC 8446 §5.1).
const HANDSHAKE: u8 = 22;

/// A socket that does not block, and what is on it.
pub struct Transport {
    pub socket: TcpStream,
    security: Security,
}

enum Security {
    /// Nothing has come yet.
    Unknown(Arc<ServerConfig>),
    None,
    Tls(Box<ServerConnection>),
}

impl Transport {
    /// On a fresh connection, with what it takes if that turns out to be TLS.
    pub fn new(socket: TcpStream, tls: Arc<ServerConfig>) -> Self {
        Self { socket, security: Security::Unknown(tls) }
    }

    /// Has TLS bytes to send that the socket did not take?
    pub fn has_unsent(&self) -> bool {
        matches!(&self.security, Security::Tls(tls) if tls.wants_write())
    }

    /// Looks at the first byte, which stays.
    fn know(&mut self) -> io::Result<()> {
        let Security::Unknown(config) = &self.security else { return Ok(()) };
        let mut first = [0];
        self.socket.peek(&mut first)?;
        self.security = if first == [HANDSHAKE] {
            let tls = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
            Security::Tls(Box::new(tls))
        } else {
            Security::None
        };
        Ok(())
    }
}

impl Read for Transport {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.know()?;
        match &mut self.security {
            Security::Tls(tls) => Stream::new(&mut **tls, &mut self.socket).read(buffer),
            _ => self.socket.read(buffer),
        }
    }
}

impl Write for Transport {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.security {
            Security::Tls(tls) => Stream::new(&mut **tls, &mut self.socket).write(bytes),
            _ => self.socket.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.security {
            Security::Tls(tls) => Stream::new(&mut **tls, &mut self.socket).flush(),
            _ => Ok(()),
        }
    }
}
