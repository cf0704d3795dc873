//! A client that sends exactly the bytes it is told to and notes what comes back.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Duration;

use socket2::{Domain, SockAddr, SockRef, Socket, Type};

use crate::message::{End, Framing, Message, MessageReader, header_values};
use crate::wait::PATIENCE;

/// Pause between the pieces of one message, so that each is likely to arrive in a read of its own.
const PIECE_PAUSE: Duration = Duration::from_millis(3);

/// One connection.
pub struct Client {
    stream: TcpStream,
    reader: MessageReader,
}

impl Client {
    /// Connects to a port on loopback.
    #[track_caller]
    pub fn connect(port: u16) -> Self {
        Self::connect_between(Ipv4Addr::LOCALHOST, (Ipv4Addr::LOCALHOST, port))
    }

    /// Connects from an address of loopback to another.
    #[track_caller]
    pub fn connect_between(from: Ipv4Addr, to: (Ipv4Addr, u16)) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        // A bind takes a port from all that the address has, those in TIME_WAIT left out, and tests open tens of thousands of
        // connections. A connect alone needs one that is free towards this end only.
        if from != Ipv4Addr::LOCALHOST {
            socket.bind(&SocketAddr::from((from, 0)).into()).expect("an address of loopback");
        }
        let to = SocketAddr::from(to);
        socket.connect(&to.into()).unwrap_or_else(|error| panic!("connect to {to}: {error}"));
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true).expect("TCP_NODELAY");
        stream.set_read_timeout(Some(PATIENCE)).expect("SO_RCVTIMEO");
        stream.set_write_timeout(Some(PATIENCE)).expect("SO_SNDTIMEO");
        let reader = MessageReader::new(stream.try_clone().expect("a second handle"));
        Self { stream, reader }
    }

    /// Connects to a Unix socket, perhaps from one with a name of its own.
    #[track_caller]
    pub fn connect_pipe(path: &str, own: Option<&str>) -> Self {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket");
        if let Some(own) = own {
            let own = SockAddr::unix(own).expect("a short path");
            socket.bind(&own).expect("a path that is free");
        }
        let to = SockAddr::unix(path).expect("a short path");
        socket.connect(&to).unwrap_or_else(|error| panic!("connect to {path}: {error}"));
        // It is read and written like one of TCP.
        let stream = TcpStream::from(OwnedFd::from(socket));
        stream.set_read_timeout(Some(PATIENCE)).expect("SO_RCVTIMEO");
        stream.set_write_timeout(Some(PATIENCE)).expect("SO_SNDTIMEO");
        let reader = MessageReader::new(stream.try_clone().expect("a second handle"));
        Self { stream, reader }
    }

    /// Another hold on the same connection, to send while this one reads.
    pub fn second(&self) -> Self {
        let stream = self.stream.try_clone().expect("a second handle");
        let reader = MessageReader::new(stream.try_clone().expect("a third handle"));
        Self { stream, reader }
    }

    /// The address the proxy sees as its peer.
    pub fn local_address(&self) -> SocketAddr {
        self.stream.local_addr().expect("a connected socket has an address")
    }

    /// Sends bytes. A peer that has gone away is no failure here: reading will tell.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// The same; whether the proxy's side still takes them.
    pub fn is_taken(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    /// Waits until something can be read, and leaves it there.
    pub fn wait_for_bytes(&self) {
        let peeked = self.stream.peek(&mut [0]).expect("an answer");
        assert_eq!(peeked, 1, "the proxy says something");
    }

    /// Sends several pieces, each by itself.
    pub fn send_pieces(&mut self, pieces: &[impl AsRef<[u8]>]) {
        for piece in pieces {
            self.send(piece);
            std::thread::sleep(PIECE_PAUSE);
        }
    }

    /// Closes the sending side.
    pub fn half_close(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Ends the connection with a reset instead of an orderly close.
    pub fn reset(self) {
        // Zero linger turns the close into an RST.
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }

    /// Reads one head and nothing more, as that of a 1xx response.
    pub fn read_head(&mut self) -> Result<Message, End> {
        self.reader.head().map(|head| Message::of_head(head, Framing::None))
    }

    /// Reads one response to anything but HEAD.
    pub fn read_response(&mut self) -> Result<Message, End> {
        let head = self.reader.head()?;
        let framing = response_framing(&head);
        let mut message = Message::of_head(head, framing);
        self.reader.body(&mut message);
        Ok(message)
    }

    /// Reads exactly `length` bytes, or what comes before the end.
    pub fn read_bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        // A short read shows in the result's length.
        let _ = self.reader.exactly(length, &mut bytes);
        bytes
    }

    /// Reads until the proxy closes, and says how it did.
    pub fn read_to_end(&mut self) -> (Vec<u8>, End) {
        let mut bytes = Vec::new();
        let end = self.reader.to_end(&mut bytes);
        (bytes, end)
    }

    /// Everything received on this connection.
    pub fn received(&self) -> Vec<u8> {
        self.reader.received().bytes()
    }
}

/// RFC 9112 §6.3 for responses, as far as well-behaved ones go.
fn response_framing(head: &str) -> Framing {
    let status = head.split(' ').nth(1).unwrap_or_default();
    if status.starts_with('1') || status == "204" || status == "304" {
        return Framing::None;
    }
    if header_values(head, "transfer-encoding").iter().any(|value| value.ends_with("chunked")) {
        return Framing::Chunked;
    }
    match header_values(head, "content-length").first().and_then(|value| value.parse().ok()) {
        Some(length) => Framing::Length(length),
        None => Framing::UntilClose,
    }
}

/// One thing a scripted client does.
#[derive(Debug, Clone)]
pub enum Step {
    /// Sends bytes.
    Send(Vec<u8>),
    /// Sends bytes in separate pieces.
    SendPieces(Vec<Vec<u8>>),
    /// Reads one response with its body.
    Read,
    /// Reads a head alone: a 1xx response, or one to HEAD.
    ReadHead,
    /// Reads so many bytes of whatever they are.
    ReadBytes(usize),
    /// Reads until the proxy closes.
    ReadToEnd,
    /// Closes the sending side.
    HalfClose,
    /// Goes on with a new connection; the old one is closed.
    Reconnect,
    /// Resets the connection and goes on with a new one.
    Reset,
}

/// What a scripted client saw.
#[derive(Debug, Clone, Default)]
pub struct Transcript {
    /// Everything received, as text.
    pub text: String,
    /// The client's own ports, in the order of its connections.
    pub local_ports: Vec<u16>,
}

/// Plays `steps` against a port and closes every connection. When the last response announces
/// `connection: close`, waits for the proxy to close first.
pub fn play(port: u16, steps: &[Step]) -> Transcript {
    let mut transcript = Transcript::default();
    let mut client = opened(port, &mut transcript);
    let mut announced_close = false;
    for step in steps {
        match step {
            Step::Send(bytes) => client.send(bytes),
            Step::SendPieces(pieces) => client.send_pieces(pieces),
            Step::Read => announced_close = note_response(client.read_response(), &mut transcript),
            Step::ReadHead => announced_close = note_response(client.read_head(), &mut transcript),
            Step::ReadBytes(length) => {
                let bytes = client.read_bytes(*length);
                let _ = writeln!(transcript.text, "bytes \"{}\"", bytes.escape_ascii());
            }
            Step::ReadToEnd => {
                note_end(&mut client, &mut transcript);
                announced_close = false;
            }
            Step::HalfClose => client.half_close(),
            Step::Reconnect => client = opened(port, &mut transcript),
            Step::Reset => {
                client.reset();
                client = opened(port, &mut transcript);
            }
        }
    }
    if announced_close {
        note_end(&mut client, &mut transcript);
    }
    transcript
}

fn opened(port: u16, transcript: &mut Transcript) -> Client {
    let client = Client::connect(port);
    transcript.local_ports.push(client.local_address().port());
    if transcript.local_ports.len() > 1 {
        transcript.text.push_str("-- next connection\n");
    }
    client
}

/// Writes a response down and says whether it announced the connection's end.
fn note_response(response: Result<Message, End>, transcript: &mut Transcript) -> bool {
    match response {
        Ok(message) => {
            let _ = write!(transcript.text, "{message}");
            message.header("connection") == Some("close") && message.cut_short.is_none()
        }
        Err(end) => {
            let _ = writeln!(transcript.text, "[{end}]");
            false
        }
    }
}

fn note_end(client: &mut Client, transcript: &mut Transcript) {
    let (bytes, end) = client.read_to_end();
    if !bytes.is_empty() {
        let _ = writeln!(transcript.text, "bytes \"{}\"", bytes.escape_ascii());
    }
    let _ = writeln!(transcript.text, "[{end}]");
}
