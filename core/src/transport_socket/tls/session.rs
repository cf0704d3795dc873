//! One TLS session: bytes of the wire in, plain bytes out, and the other way round.
//!
//! No I/O here. rustls decrypts in the buffer that it is given, so what has come and is not yet
//! used stays in one place until it is used, see [`Session::begin_read`].

use std::io;

use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus, WriteTraffic,
};
use rustls::{Error, ProtocolVersion};

use crate::runtime::{Buffer, BufferPool, SMALL_BUFFER_BYTES};

/// Plain bytes in one record (RFC 8446 §5.1).
const FRAGMENT_BYTES_MAX: usize = 16 * 1024;
/// A record's head (RFC 8446 §5.1).
pub(super) const RECORD_HEAD_BYTES: usize = 5;
/// What may wait for the rest of a handshake message; rustls takes messages up to 64 KiB.
const UNUSED_BYTES_MAX: usize = 256 * 1024;

/// A session and the bytes on their way through it.
pub(super) struct Session {
    side: Side,
    /// From the peer, not yet decrypted.
    incoming: Buffer,
    /// Decrypted, not yet delivered: what did not fit where it was wanted.
    plain: Buffer,
    /// Handshake messages and alerts to be sent before anything else.
    outgoing: Vec<u8>,
    end: Option<End>,
}

/// Which part we play.
pub(super) enum Side {
    /// To a client.
    Server(Box<UnbufferedServerConnection>),
    /// To an upstream.
    Client(Box<UnbufferedClientConnection>),
}

/// How far a session has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reached {
    /// The peer's next handshake message is awaited.
    Handshaking,
    /// Data may be sent.
    Established,
}

/// Why nothing more comes.
#[derive(Debug)]
enum End {
    /// The peer has said so (close_notify).
    Closed,
    /// The socket's end came without that (RFC 8446 §6.1: a truncation).
    Truncated,
    /// The peer has broken the rules, or we may not go on.
    Failed,
}

impl Session {
    /// A session of which the peer's first bytes may have come.
    pub(super) fn new(side: Side, incoming: Buffer) -> Self {
        Self { side, incoming, plain: Buffer::default(), outgoing: Vec::new(), end: None }
    }

    /// Begins anew as `side`, which sees all of [`Session::received`]: no message has been used.
    pub(super) fn restart(&mut self, side: Side) {
        self.side = side;
    }

    /// What the handshake has come to.
    pub(super) fn connection(&self) -> &rustls::CommonState {
        match &self.side {
            Side::Server(connection) => connection,
            Side::Client(connection) => connection,
        }
    }

    /// What has come and is not used up.
    pub(super) fn received(&self) -> &[u8] {
        self.incoming.bytes()
    }

    /// Passes over a record of handshake messages without any; whether one comes next.
    pub(super) fn skip_empty_handshake_record(&mut self) -> bool {
        let is_one = matches!(self.incoming.bytes(), [22, 3, _, 0, 0, ..]);
        if is_one {
            self.incoming.consume(RECORD_HEAD_BYTES);
        }
        is_one
    }

    /// Goes as far as what has come allows. What there is to send is in [`Session::outgoing`], after
    /// an error too: an alert.
    pub(super) fn handshake(&mut self) -> Result<Reached, Error> {
        let plain = &mut Sink { wanted: Wanted::Nothing, rest: &mut self.plain };
        self.side.advance(&mut self.incoming, plain, &mut self.outgoing, &mut self.end, |_| {})
    }

    /// Bytes to be sent before anything else; taken once.
    pub(super) fn outgoing(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.outgoing)
    }

    /// Appends to `buffer` what can be read without the socket; `None` where more has to come.
    pub(super) fn deliver(&mut self, buffer: &mut Buffer) -> Option<io::Result<usize>> {
        let before = buffer.len();
        if !self.plain.is_empty() {
            let count = self.plain.len().min(buffer.room());
            let fits = buffer.append(&self.plain.bytes()[..count]);
            debug_assert!(fits, "no more than there is room for");
            self.plain.consume(count);
            return Some(Ok(count));
        }
        self.plain = Buffer::default();
        if !self.incoming.is_empty() && self.end.is_none() {
            let sink = &mut Sink { wanted: Wanted::Into(buffer), rest: &mut self.plain };
            let said = self.outgoing.len();
            let advanced = self.side.advance(
                &mut self.incoming,
                sink,
                &mut self.outgoing,
                &mut self.end,
                |_| {},
            );
            // In TLS 1.2 rustls has nothing to say of its own but that it does not renegotiate, which the
            // peer waits for.
            let refuses = self.outgoing.len() > said
                && self.connection().protocol_version() == Some(ProtocolVersion::TLSv1_2);
            if advanced.is_err() || refuses {
                self.end = Some(End::Failed);
            }
        }
        match (buffer.len() - before, &self.end) {
            (0, None) => None,
            (0, Some(End::Closed)) => Some(Ok(0)),
            (0, Some(End::Truncated)) => Some(Err(io::ErrorKind::UnexpectedEof.into())),
            (0, Some(End::Failed)) => Some(Err(io::ErrorKind::InvalidData.into())),
            (count, _) => Some(Ok(count)),
        }
    }

    /// Whether something can be read without the socket.
    pub(super) fn is_readable(&self) -> bool {
        !self.plain.is_empty() || self.end.is_some() || self.holds_whole_record()
    }

    /// A buffer to read into, as `wanted` bytes are asked for. The bytes of a record that has begun
    /// are in it, so that the rest comes behind them; but where rustls waits for the rest of a
    /// handshake message they must stay, as it remembers where they lie.
    pub(super) fn begin_read(&mut self, wanted: usize, pool: &BufferPool) -> Buffer {
        let large = wanted > SMALL_BUFFER_BYTES;
        if self.incoming.is_empty() || self.holds_whole_record() {
            return if large { pool.large() } else { pool.record() };
        }
        let mut incoming = std::mem::take(&mut self.incoming);
        incoming.compact();
        incoming
    }

    /// What the read came to, `ended`: the socket's end. The buffer goes back to `pool` where it is
    /// not needed.
    pub(super) fn end_read(&mut self, ended: bool, read: Buffer, pool: &BufferPool) {
        if ended && self.end.is_none() {
            self.end = Some(End::Truncated);
        }
        if self.incoming.is_empty() {
            pool.give_back(std::mem::replace(&mut self.incoming, read));
            return;
        }
        if self.incoming.len() + read.len() > UNUSED_BYTES_MAX {
            self.end = Some(End::Failed);
            return;
        }
        while !self.incoming.append(read.bytes()) {
            self.incoming = self.incoming.doubled();
        }
        pool.give_back(read);
    }

    /// Gives back what only holds room.
    pub(super) fn release(&mut self, pool: &BufferPool) {
        if self.incoming.is_empty() {
            pool.give_back(std::mem::take(&mut self.incoming));
        }
    }

    /// Appends `data`, encrypted, to `sealed` as far as it fits; how much of it was taken. What
    /// [`Session::outgoing`] has then is to be sent before.
    pub(super) fn seal(&mut self, data: &[u8], sealed: &mut Buffer) -> Result<usize, Error> {
        let mut taken = 0;
        self.write(|traffic| {
            while taken < data.len() {
                let fragment = &data[taken..data.len().min(taken + FRAGMENT_BYTES_MAX)];
                match traffic.seal(fragment, sealed) {
                    Ok(()) => taken += fragment.len(),
                    Err(EncryptError::InsufficientSize(_) | EncryptError::EncryptExhausted) => {
                        break;
                    }
                }
            }
        })?;
        match taken {
            0 => Err(Error::EncryptError),
            taken => Ok(taken),
        }
    }

    /// The bytes that say that we send no more.
    pub(super) fn close_notify(&mut self) -> Vec<u8> {
        let mut alert = Buffer::with_capacity(64);
        self.seal_close_notify(&mut alert);
        let mut bytes = self.outgoing();
        bytes.extend_from_slice(alert.bytes());
        bytes
    }

    /// Appends the same to `sealed`; whether it fits.
    pub(super) fn seal_close_notify(&mut self, sealed: &mut Buffer) -> bool {
        let before = sealed.len();
        let said = self.write(|traffic| traffic.close(sealed));
        said.is_ok() && sealed.len() > before
    }

    /// Calls `write` where data may be sent. What comes to light on the way is kept.
    fn write(&mut self, write: impl FnMut(&mut dyn Traffic)) -> Result<(), Error> {
        if matches!(self.end, Some(End::Failed)) {
            return Err(Error::EncryptError);
        }
        let plain = &mut Sink { wanted: Wanted::Aside, rest: &mut self.plain };
        let (incoming, outgoing) = (&mut self.incoming, &mut self.outgoing);
        let written = self.side.advance(incoming, plain, outgoing, &mut self.end, write);
        if written.is_err() {
            self.end = Some(End::Failed);
        }
        written.map(drop)
    }

    /// Whether the first record that has come is whole, but not used up.
    fn holds_whole_record(&self) -> bool {
        let bytes = self.incoming.bytes();
        let length = bytes.get(3..RECORD_HEAD_BYTES);
        length.is_some_and(|length| {
            let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
            bytes.len() >= RECORD_HEAD_BYTES + length
        })
    }
}

/// Where decrypted bytes go: as long as there is room to where they are wanted, then aside.
struct Sink<'a> {
    wanted: Wanted<'a>,
    rest: &'a mut Buffer,
}

/// What is wanted of the bytes that have come.
enum Wanted<'a> {
    /// Plain bytes, here.
    Into(&'a mut Buffer),
    /// To write; rustls lets nobody who has not read what has come.
    Aside,
    /// Nothing but a session. Data behind it stay as they are, and are decrypted where they are wanted.
    Nothing,
}

impl Sink<'_> {
    fn is_full(&self) -> bool {
        match &self.wanted {
            Wanted::Into(wanted) => wanted.room() == 0 || !self.rest.is_empty(),
            Wanted::Aside | Wanted::Nothing => false,
        }
    }

    fn put(&mut self, mut bytes: &[u8]) {
        if let Wanted::Into(wanted) = &mut self.wanted
            && self.rest.is_empty()
        {
            let (now, later) = bytes.split_at(bytes.len().min(wanted.room()));
            let fits = wanted.append(now);
            debug_assert!(fits, "no more than there is room for");
            bytes = later;
        }
        if bytes.is_empty() {
            return;
        }
        if self.rest.capacity() == 0 {
            *self.rest = Buffer::with_capacity(FRAGMENT_BYTES_MAX);
        }
        while !self.rest.append(bytes) {
            *self.rest = self.rest.doubled();
        }
    }
}

impl Side {
    /// Uses what has come, until more has to come or `plain` is full; then, where data may be sent,
    /// calls `write`.
    fn advance(
        &mut self,
        incoming: &mut Buffer,
        plain: &mut Sink<'_>,
        outgoing: &mut Vec<u8>,
        end: &mut Option<End>,
        write: impl FnMut(&mut dyn Traffic),
    ) -> Result<Reached, Error> {
        match self {
            Self::Server(connection) => {
                advance(&mut **connection, incoming, plain, outgoing, end, write)
            }
            Self::Client(connection) => {
                advance(&mut **connection, incoming, plain, outgoing, end, write)
            }
        }
    }
}

/// A connection of either side.
trait Connection {
    type Data;
    /// Whether something waits to be encoded.
    fn has_output(&self) -> bool;
    /// Whether both sides may send data.
    fn has_session(&self) -> bool;
    fn process<'c, 'i>(
        &'c mut self,
        incoming: &'i mut [u8],
    ) -> UnbufferedStatus<'c, 'i, Self::Data>;
}

/// rustls has the same methods for both sides, but no trait.
macro_rules! connection {
    ($connection:ty, $data:ty) => {
        impl Connection for $connection {
            type Data = $data;

            fn has_output(&self) -> bool {
                self.wants_write()
            }

            fn has_session(&self) -> bool {
                !self.is_handshaking()
            }

            fn process<'c, 'i>(
                &'c mut self,
                incoming: &'i mut [u8],
            ) -> UnbufferedStatus<'c, 'i, Self::Data> {
                self.process_tls_records(incoming)
            }
        }
    };
}

connection!(UnbufferedServerConnection, ServerConnectionData);
connection!(UnbufferedClientConnection, ClientConnectionData);

/// What may be written by a connection of either side.
trait Traffic {
    fn seal(&mut self, data: &[u8], sealed: &mut Buffer) -> Result<(), EncryptError>;
    fn close(&mut self, sealed: &mut Buffer);
}

impl<Data> Traffic for WriteTraffic<'_, Data> {
    fn seal(&mut self, data: &[u8], sealed: &mut Buffer) -> Result<(), EncryptError> {
        let count = self.encrypt(data, sealed.spare_mut())?;
        sealed.extend(count);
        Ok(())
    }

    fn close(&mut self, sealed: &mut Buffer) {
        if let Ok(count) = self.queue_close_notify(sealed.spare_mut()) {
            sealed.extend(count);
        }
    }
}

fn advance<C: Connection>(
    connection: &mut C,
    incoming: &mut Buffer,
    plain: &mut Sink<'_>,
    outgoing: &mut Vec<u8>,
    end: &mut Option<End>,
    mut write: impl FnMut(&mut dyn Traffic),
) -> Result<Reached, Error> {
    loop {
        let UnbufferedStatus { mut discard, state } = connection.process(incoming.bytes_mut());
        let reached = match state {
            Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                while let Some(record) = traffic.next_record() {
                    let record = record?;
                    discard += record.discard;
                    plain.put(record.payload);
                }
                plain.is_full().then_some(Reached::Established)
            }
            Ok(ConnectionState::EncodeTlsData(mut data)) => {
                encode(&mut data, outgoing)?;
                None
            }
            // It is sent in its order, which is all that rustls asks.
            Ok(ConnectionState::TransmitTlsData(data)) => {
                data.done();
                None
            }
            Ok(ConnectionState::PeerClosed) => {
                *end = Some(End::Closed);
                None
            }
            Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                write(&mut traffic);
                Some(Reached::Established)
            }
            Ok(ConnectionState::Closed) => Some(Reached::Established),
            Ok(ConnectionState::BlockedHandshake) => Some(Reached::Handshaking),
            // Early data is never allowed, and further states do not exist today.
            Ok(_) => return Err(Error::HandshakeNotComplete),
            Err(error) => {
                incoming.consume(discard);
                take_alert(connection, outgoing);
                return Err(error);
            }
        };
        incoming.consume(discard);
        if let Some(reached) = reached {
            return Ok(reached);
        }
        let wants_session = matches!(plain.wanted, Wanted::Nothing);
        if wants_session && connection.has_session() && !connection.has_output() {
            return Ok(Reached::Established);
        }
    }
}

/// After an error: the alert that tells the peer. What has come must not be looked at again.
fn take_alert<C: Connection>(connection: &mut C, outgoing: &mut Vec<u8>) {
    while connection.has_output()
        && let UnbufferedStatus { state: Ok(ConnectionState::EncodeTlsData(mut data)), .. } =
            connection.process(&mut [])
    {
        if encode(&mut data, outgoing).is_err() {
            return;
        }
    }
}

fn encode<Data>(data: &mut EncodeTlsData<'_, Data>, outgoing: &mut Vec<u8>) -> Result<(), Error> {
    let before = outgoing.len();
    let required = match data.encode(&mut []) {
        Err(EncodeError::InsufficientSize(needed)) => needed.required_size,
        Ok(_) | Err(EncodeError::AlreadyEncoded) => return Ok(()),
    };
    outgoing.resize(before + required, 0);
    data.encode(&mut outgoing[before..]).map(drop).map_err(|_| Error::EncryptError)
}
