//! HTTP/1 messages as they stood on the wire: the part of a parser that both scripted ends need to
//! know where a message ends. It judges nothing: a head is kept as it came.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};
use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};

use brotli::Decompressor;
use flate2::read::GzDecoder;

/// Longest body shown whole in a transcript, bytes.
const SHOWN_BODY: usize = 200;

/// How a stretch of reading ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The peer closed its side.
    Closed,
    /// The peer reset the connection.
    Reset,
    /// Nothing came for longer than the harness waits: always a failure of the test.
    TimedOut,
}

impl Display for End {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "closed",
            Self::Reset => "reset",
            Self::TimedOut => "TIMED OUT",
        })
    }
}

/// What tells where a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is none.
    None,
    /// `content-length`.
    Length(usize),
    /// `transfer-encoding: chunked`.
    Chunked,
    /// The end of the connection.
    UntilClose,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Start line and header lines, each with its CRLF, without the empty line.
    pub head: String,
    /// How the body was delimited.
    pub framing: Framing,
    /// The body; chunks are joined, since a proxy may cut them anew.
    pub body: Vec<u8>,
    /// The trailer lines, each with its CRLF.
    pub trailers: String,
    /// Set when the message broke off.
    pub cut_short: Option<End>,
}

impl Message {
    /// A message whose body has not been read.
    pub fn of_head(head: String, framing: Framing) -> Self {
        Self { head, framing, body: Vec::new(), trailers: String::new(), cut_short: None }
    }

    /// The request or status line.
    pub fn start_line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// The status of a response.
    pub fn status(&self) -> Option<u16> {
        self.start_line().split(' ').nth(1)?.parse().ok()
    }

    /// The values of all lines with this name, in order.
    pub fn header_values(&self, name: &str) -> Vec<&str> {
        header_values(&self.head, name)
    }

    /// The value of the first line with this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.header_values(name).first().copied()
    }

    /// The body as it was before it was compressed; as it is where it is not what its head says.
    pub fn decoded(&self) -> Cow<'_, [u8]> {
        let mut decoded = Vec::new();
        let result = match self.header("content-encoding") {
            Some("gzip") => GzDecoder::new(&*self.body).read_to_end(&mut decoded),
            Some("br") => Decompressor::new(&*self.body, 4096).read_to_end(&mut decoded),
            _ => return Cow::Borrowed(&self.body),
        };
        if result.is_ok() { Cow::Owned(decoded) } else { Cow::Borrowed(&self.body) }
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Display for Message {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        for line in self.head.split_terminator("\r\n") {
            writeln!(f, "{}", line.escape_debug())?;
        }
        let body = shown(&self.decoded());
        match self.framing {
            Framing::None => {}
            Framing::Length(_) => writeln!(f, "  body by length: {body}")?,
            Framing::Chunked => writeln!(f, "  body in chunks: {body}")?,
            Framing::UntilClose => writeln!(f, "  body until close: {body}")?,
        }
        for line in self.trailers.split_terminator("\r\n") {
            writeln!(f, "  trailer {}", line.escape_debug())?;
        }
        match self.cut_short {
            Some(end) => writeln!(f, "  [cut short: {end}]"),
            None => Ok(()),
        }
    }
}

/// A body for people: escaped, and beyond some length only its start, size and a checksum.
fn shown(body: &[u8]) -> String {
    if body.len() <= SHOWN_BODY {
        return format!("\"{}\"", body.escape_ascii());
    }
    // FNV-1a: any difference shows, nothing more is asked of it.
    let sum = body.iter().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("\"{}...\" {} bytes, sum {sum:016x}", body[..32].escape_ascii(), body.len())
}

/// The values of all header lines with this name, whatever its case.
pub fn header_values<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    head.lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .filter(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
        .collect()
}

/// Everything ever received on a connection; visible to others while its reader still waits.
#[derive(Debug, Clone, Default)]
pub struct Received(Arc<Mutex<Vec<u8>>>);

impl Received {
    /// The bytes so far.
    pub fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn push(&self, bytes: &[u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
    }
}

/// Reads messages off a connection and keeps every byte it saw.
pub struct MessageReader {
    stream: TcpStream,
    /// Received and not yet taken.
    pending: Vec<u8>,
    received: Received,
}

impl MessageReader {
    /// Reads from `stream`, whose read timeout is the caller's.
    pub fn new(stream: TcpStream) -> Self {
        Self { stream, pending: Vec::new(), received: Received::default() }
    }

    /// Every byte received, now and later.
    pub fn received(&self) -> &Received {
        &self.received
    }

    /// The next head, without its empty line.
    pub fn head(&mut self) -> Result<String, End> {
        self.fill_until(|pending| find(pending, b"\r\n\r\n").is_some())?;
        let end = find(&self.pending, b"\r\n\r\n").expect("just found") + 2;
        let head = self.take(end);
        self.take(2);
        Ok(String::from_utf8_lossy(&head).into_owned())
    }

    /// Fills `message` with the body that its framing promises.
    pub fn body(&mut self, message: &mut Message) {
        let result = match message.framing {
            Framing::None => Ok(()),
            Framing::Length(length) => self.exactly(length, &mut message.body),
            Framing::Chunked => self.chunks(message),
            Framing::UntilClose => match self.to_end(&mut message.body) {
                End::Closed => Ok(()),
                end => Err(end),
            },
        };
        message.cut_short = result.err();
    }

    /// Everything until the peer closes, resets or stays silent.
    pub fn to_end(&mut self, body: &mut Vec<u8>) -> End {
        let end = loop {
            if let Err(end) = self.fill() {
                break end;
            }
        };
        body.append(&mut self.pending);
        end
    }

    /// What comes next, at least a byte.
    pub fn some(&mut self) -> Result<Vec<u8>, End> {
        self.fill_until(|pending| !pending.is_empty())?;
        Ok(std::mem::take(&mut self.pending))
    }

    /// `length` more bytes; what there is when the peer breaks off.
    pub fn exactly(&mut self, length: usize, body: &mut Vec<u8>) -> Result<(), End> {
        let result = self.fill_until(|pending| pending.len() >= length);
        let taken = self.take(length);
        body.extend_from_slice(&taken);
        result
    }

    fn chunks(&mut self, message: &mut Message) -> Result<(), End> {
        loop {
            let line = self.line()?;
            let size = line.split(';').next().unwrap_or_default().trim();
            // A line that is no size shows up as a cut message, with the line in the body.
            let Ok(size) = usize::from_str_radix(size, 16) else {
                message.body.extend_from_slice(line.as_bytes());
                return Err(End::Closed);
            };
            if size == 0 {
                break;
            }
            self.exactly(size, &mut message.body)?;
            self.line()?;
        }
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok(());
            }
            message.trailers.push_str(&line);
            message.trailers.push_str("\r\n");
        }
    }

    fn line(&mut self) -> Result<String, End> {
        self.fill_until(|pending| find(pending, b"\r\n").is_some())?;
        let end = find(&self.pending, b"\r\n").expect("just found");
        let line = self.take(end);
        self.take(2);
        Ok(String::from_utf8_lossy(&line).into_owned())
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        let length = length.min(self.pending.len());
        self.pending.drain(..length).collect()
    }

    fn fill_until(&mut self, enough: impl Fn(&[u8]) -> bool) -> Result<(), End> {
        while !enough(&self.pending) {
            self.fill()?;
        }
        Ok(())
    }

    fn fill(&mut self) -> Result<(), End> {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => Err(End::Closed),
            Ok(length) => {
                self.pending.extend_from_slice(&buffer[..length]);
                self.received.push(&buffer[..length]);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Err(End::TimedOut)
            }
            Err(_) => Err(End::Reset),
        }
    }
}

/// Where `needle` starts in `haystack`.
fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
