//! A client of HTTP/2 that sends exactly the frames it is told to and notes what comes back.

use std::io::{ErrorKind, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use crate::h2_frame::{
    ACK, END_STREAM, Frame, PREFACE, frame, headers, kind, settings, window_update,
};
use crate::wait::PATIENCE;

/// The pseudo-headers of a GET.
pub const GET: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a.example")];

/// The pseudo-headers of a POST.
pub const POST: [(&str, &str); 4] =
    [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "a.example")];

/// The widest window, and the one that a connection begins with (RFC 9113 §6.9).
const WINDOW_MAX: u32 = (1 << 31) - 1;
const DEFAULT_WINDOW: u32 = 65_535;

/// One connection.
pub struct H2Client {
    stream: TcpStream,
    /// What has come, SETTINGS and the like included.
    pub frames: Vec<Frame>,
    /// Whether PING is answered.
    pub answers_pings: bool,
}

impl H2Client {
    /// Connects to a port on loopback, and sends nothing yet.
    #[track_caller]
    pub fn connect(port: u16) -> Self {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .unwrap_or_else(|error| panic!("connect to port {port}: {error}"));
        stream.set_nodelay(true).expect("TCP_NODELAY");
        stream.set_read_timeout(Some(PATIENCE)).expect("SO_RCVTIMEO");
        stream.set_write_timeout(Some(PATIENCE)).expect("SO_SNDTIMEO");
        Self { stream, frames: Vec::new(), answers_pings: true }
    }

    /// Connects and sends the preface with `values` as its settings, by identifier.
    #[track_caller]
    pub fn open_with(port: u16, values: &[(u16, u32)]) -> Self {
        let mut client = Self::connect(port);
        client.send([PREFACE, &settings(values)].concat());
        client
    }

    /// Connects and sends the preface.
    #[track_caller]
    pub fn open(port: u16) -> Self {
        Self::open_with(port, &[])
    }

    /// Connects and lets the proxy send as much as it likes.
    #[track_caller]
    pub fn open_wide(port: u16) -> Self {
        // SETTINGS_INITIAL_WINDOW_SIZE.
        let mut client = Self::open_with(port, &[(4, WINDOW_MAX)]);
        client.send(window_update(0, WINDOW_MAX - DEFAULT_WINDOW));
        client
    }

    /// Sends bytes. A peer that has gone away is no failure here: reading will tell.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// Sends a request without a body.
    pub fn request(&mut self, stream: u32, fields: &[(&str, &str)]) {
        self.send(headers(stream, fields, END_STREAM));
    }

    /// Closes both sides.
    pub fn close(self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// The next frame but those that every connection has; settings are acknowledged. `None` when
    /// the proxy has closed.
    pub fn next_frame(&mut self) -> Option<Frame> {
        loop {
            let next = self.read_one()?;
            let is_ping = next.kind == kind::PING && next.flags & ACK == 0;
            if !is_ping && !matches!(next.kind, kind::SETTINGS | kind::WINDOW_UPDATE) {
                return Some(next);
            }
        }
    }

    /// The next frame, whatever it is; settings and, unless told otherwise, pings are answered.
    pub fn read_one(&mut self) -> Option<Frame> {
        let next = Frame::read(&mut self.stream).ok()?;
        self.frames.push(next.clone());
        match next.kind {
            kind::SETTINGS if next.flags & ACK == 0 => {
                self.send(frame(kind::SETTINGS, ACK, 0, b""));
            }
            kind::PING if next.flags & ACK == 0 && self.answers_pings => {
                self.send(frame(kind::PING, ACK, 0, &next.payload));
            }
            _ => {}
        }
        Some(next)
    }

    /// Reads, slower than any proxy sends, until a frame `is_it`.
    pub fn read_slowly_until(&mut self, is_it: impl Fn(&Frame) -> bool) -> Option<Frame> {
        loop {
            let next = self.next_frame()?;
            if is_it(&next) {
                return Some(next);
            }
            thread::sleep(Duration::from_micros(200));
        }
    }

    /// Reads until `stream` is over: how.
    pub fn outcome(&mut self, stream: u32) -> Outcome {
        let mut outcome = Outcome::default();
        while let Some(frame) = self.next_frame() {
            match frame.kind {
                kind::GOAWAY => {
                    outcome.goaway = Some(code_at(&frame, 4));
                    continue;
                }
                _ if frame.stream != stream => continue,
                kind::HEADERS if outcome.head.is_empty() => outcome.head = frame.payload.clone(),
                kind::HEADERS => outcome.has_trailers = true,
                kind::DATA => outcome.body.extend(&frame.payload),
                kind::RST_STREAM => {
                    outcome.reset = Some(code_at(&frame, 0));
                    return outcome;
                }
                _ => {}
            }
            if frame.ends_stream() {
                outcome.ended = true;
                return outcome;
            }
        }
        outcome.closed = true;
        outcome
    }

    /// Reads until the proxy closes. False where it does not.
    pub fn is_ended(&mut self) -> bool {
        loop {
            if let Err(error) = Frame::read(&mut self.stream) {
                return !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
            }
        }
    }

    /// Reads until the proxy closes: the code of its last GOAWAY.
    pub fn goaway(&mut self) -> Option<u32> {
        let mut code = None;
        while let Some(frame) = self.next_frame() {
            if frame.kind == kind::GOAWAY {
                code = Some(code_at(&frame, 4));
            }
        }
        code
    }
}

/// How a stream ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The response's field block, as it came (RFC 7541).
    pub head: Vec<u8>,
    /// The body.
    pub body: Vec<u8>,
    /// Whether trailers came.
    pub has_trailers: bool,
    /// Whether the response is whole.
    pub ended: bool,
    /// The code of a RST_STREAM.
    pub reset: Option<u32>,
    /// The code of a GOAWAY.
    pub goaway: Option<u32>,
    /// Whether the connection was closed before.
    pub closed: bool,
}

impl Outcome {
    /// The status, where it is one of those that HPACK has in its static table.
    pub fn status(&self) -> Option<u16> {
        let statuses = [200, 204, 206, 304, 400, 404, 500];
        let index = usize::from(self.head.first()?.checked_sub(0x88)?);
        statuses.get(index).copied()
    }
}

fn code_at(frame: &Frame, at: usize) -> u32 {
    let code = frame.payload.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
    code.map_or(u32::MAX, u32::from_be_bytes)
}
