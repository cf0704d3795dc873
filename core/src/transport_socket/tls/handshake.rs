//! The handshake: sequencing of what rustls wants to send and to read.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;

use ringmain_proto_codec::client_hello::{ClientHelloReader, Progress};
use rustls::ProtocolVersion;
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::UnbufferedServerConnection;
use smallvec::SmallVec;

use super::alert;
use super::client_context::ClientContext;
use super::info::TlsInfo;
use super::observed::{Observed, observing};
use super::server_context::ServerContext;
use super::session::{RECORD_HEAD_BYTES, Reached, Session, Side};
use super::stats::SslStats;
use super::verification::Refusal;
use super::{TlsStream, names, send};
use crate::runtime::{Buffer, BufferPool, SMALL_BUFFER_BYTES, Stream};

/// Why there is no session.
#[derive(Debug)]
pub enum HandshakeFailure {
    /// The peer went away.
    Closed,
    /// What was said does not fit together; as Envoy's `%UPSTREAM_TRANSPORT_FAILURE_REASON%`.
    Failed(String),
}

impl HandshakeFailure {
    /// The peer's end came instead of its next message.
    fn of_end(read: io::Result<usize>) -> Self {
        match read {
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                Self::Failed(names::reset())
            }
            _ => Self::Closed,
        }
    }

    /// What a peer that was there has done wrong.
    pub fn into_reason(self) -> Option<Rc<str>> {
        match self {
            Self::Closed => None,
            Self::Failed(reason) => Some(reason.into()),
        }
    }
}

/// Serves the handshake of a client, whose first bytes may have come: `incoming`.
pub async fn accept(
    stream: Rc<Stream>,
    incoming: Buffer,
    context: &ServerContext,
    buffers: &Rc<BufferPool>,
    stats: &SslStats,
) -> Result<TlsStream, HandshakeFailure> {
    let connection = UnbufferedServerConnection::new(context.config.clone());
    let side = connection.map(|it| Side::Server(Box::new(it)));
    let hello = Some(ClientHelloReader::of_status());
    shake_hands(stream, incoming, side, hello, buffers, stats).await
}

/// Begins a handshake with an upstream, which is known as `name`.
pub async fn connect(
    stream: Rc<Stream>,
    context: &ClientContext,
    name: ServerName<'static>,
    buffers: &Rc<BufferPool>,
    stats: &SslStats,
) -> Result<TlsStream, HandshakeFailure> {
    let connection = UnbufferedClientConnection::new(context.config.clone(), name);
    let side = connection.map(|it| Side::Client(Box::new(it)));
    shake_hands(stream, Buffer::default(), side, None, buffers, stats).await
}

async fn shake_hands(
    stream: Rc<Stream>,
    incoming: Buffer,
    side: Result<Side, rustls::Error>,
    mut hello: Option<ClientHelloReader>,
    buffers: &Rc<BufferPool>,
    stats: &SslStats,
) -> Result<TlsStream, HandshakeFailure> {
    let side = side.map_err(|error| HandshakeFailure::Failed(error.to_string()))?;
    let is_server = matches!(side, Side::Server(_));
    let mut session = Session::new(side, incoming);
    let mut observed = Observed::default();
    let mut staple = None;
    let mut opening = Opening::new();
    while is_server && session.received().len() < RECORD_HEAD_BYTES {
        receive(&stream, &mut session, buffers).await?;
    }
    loop {
        if is_server {
            note_opening(&mut opening, session.received());
        }
        read_hello(&mut hello, session.received(), &mut observed);
        let advanced = observing(&mut observed, || session.handshake());
        // It is asked for again where the client has to repeat its hello.
        if staple.is_none() {
            staple = observed.staple;
            staple.into_iter().for_each(|staple| stats.count_staple(staple));
        }
        let version = session.connection().protocol_version();
        let done = matches!(advanced, Ok(Reached::Established));
        // A server's last words in TLS 1.3 are session tickets: they go with the first response.
        let may_wait = done && is_server && version == Some(ProtocolVersion::TLSv1_3);
        let sent = match may_wait {
            true => Ok(()),
            false => {
                let mut outgoing = session.outgoing();
                if let Err(error) = &advanced {
                    alert::reword(&mut outgoing, error, version, &opening);
                }
                send(&stream, &outgoing).await
            }
        };
        if let Err(error) = advanced {
            return Err(refused(&error, &observed, &opening, stats));
        }
        sent.map_err(|_: io::Error| HandshakeFailure::Closed)?;
        if done {
            break;
        }
        receive(&stream, &mut session, buffers).await?;
    }
    let info = TlsInfo::of(session.connection(), observed);
    stats.count_handshake(&info);
    session.release(buffers);
    Ok(TlsStream {
        stream,
        buffers: buffers.clone(),
        session: RefCell::new(session),
        info: Rc::new(info),
        writing: Cell::new(false),
        silent: Cell::new(false),
    })
}

/// Waits for more of the peer.
async fn receive(
    stream: &Stream,
    session: &mut Session,
    buffers: &Rc<BufferPool>,
) -> Result<(), HandshakeFailure> {
    let incoming = session.begin_read(SMALL_BUFFER_BYTES, buffers);
    let (result, incoming) = stream.read(incoming).await;
    let ended = !matches!(result, Ok(1..));
    session.end_read(ended, incoming, buffers);
    match ended {
        true => Err(HandshakeFailure::of_end(result)),
        false => Ok(()),
    }
}

/// What a client begins with: a record's head, a message's head and a version, where it speaks TLS.
type Opening = SmallVec<[u8; OPENING_BYTES]>;
const OPENING_BYTES: usize = 11;

fn note_opening(opening: &mut Opening, received: &[u8]) {
    if opening.len() < OPENING_BYTES.min(received.len()) {
        *opening = received[..OPENING_BYTES.min(received.len())].into();
    }
}

/// Notes what rustls does not tell of a ClientHello, of which `received` has come.
fn read_hello(hello: &mut Option<ClientHelloReader>, received: &[u8], observed: &mut Observed) {
    let Some(reader) = hello else { return };
    match reader.read(received) {
        Progress::Incomplete => return,
        Progress::Complete(read) => observed.requests_status = read.requests_status,
        Progress::NotTls => {}
    }
    *hello = None;
}

/// Counts a handshake that failed, as Envoy does: a certificate that was refused is no error of the
/// connection.
fn refused(
    error: &rustls::Error,
    observed: &Observed,
    opening: &[u8],
    stats: &SslStats,
) -> HandshakeFailure {
    match (&observed.refusal, error) {
        (Some(Refusal::Chain { .. }), _) => stats.fixed.fail_verify_error.inc(),
        (Some(Refusal::SubjectAltNames(_)), _) => stats.fixed.fail_verify_san.inc(),
        (Some(Refusal::Pins), _) => stats.fixed.fail_verify_cert_hash.inc(),
        (None, rustls::Error::NoCertificatesPresented) => stats.fixed.fail_verify_no_cert.inc(),
        (None, _) => stats.fixed.connection_error.inc(),
    }
    HandshakeFailure::Failed(names::failure(error, observed.refusal.as_ref(), opening))
}
