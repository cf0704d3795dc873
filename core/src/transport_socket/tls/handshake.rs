//! The handshake: sequencing of what rustls wants to send and to read.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use ringmain_proto_codec::client_hello::{ClientHelloReader, Examined, Flaw, Progress};
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::{ServerConfig, UnbufferedServerConnection};
use rustls::{Error, HandshakeKind, InvalidMessage, PeerMisbehaved, ProtocolVersion};
use smallvec::SmallVec;

use super::alert;
use super::client_context::ClientContext;
use super::fault::Failed;
use super::info::TlsInfo;
use super::observed::{Observed, observing};
use super::server_context::ServerContext;
use super::session::{RECORD_HEAD_BYTES, Reached, Session, Side};
use super::stats::SslStats;
use super::verification::Refusal;
use super::{TlsStream, names, send};
use crate::runtime::{Buffer, BufferPool, SMALL_BUFFER_BYTES, Stream};

/// Empty records that a client may begin with, as BoringSSL has it.
const EMPTY_RECORDS_MAX: u32 = 32;

/// Why there is no session.
#[derive(Debug)]
pub struct HandshakeFailure {
    /// What a peer that was there has done wrong, as in Envoy's `%..._TRANSPORT_FAILURE_REASON%`; absent where
    /// it went away.
    pub reason: Option<Rc<str>>,
    /// What was agreed on and shown by then; absent before a version was.
    pub begun: Option<Rc<TlsInfo>>,
}

/// Serves the handshake of a client, whose first bytes may have come: `incoming`.
pub async fn accept(
    stream: Rc<Stream>,
    incoming: Buffer,
    context: &ServerContext,
    buffers: &Rc<BufferPool>,
    stats: &SslStats,
) -> Result<TlsStream, HandshakeFailure> {
    let hello = Some(Hello { reader: ClientHelloReader::default(), context });
    shake_hands(stream, incoming, server_side(&context.config), hello, buffers, stats).await
}

fn server_side(config: &Arc<ServerConfig>) -> Result<Side, Error> {
    let connection = UnbufferedServerConnection::new(config.clone())?;
    Ok(Side::Server(Box::new(connection)))
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
    side: Result<Side, Error>,
    hello: Option<Hello<'_>>,
    buffers: &Rc<BufferPool>,
    stats: &SslStats,
) -> Result<TlsStream, HandshakeFailure> {
    let side = side.map_err(|error| HandshakeFailure {
        reason: Some(error.to_string().into()),
        begun: None,
    })?;
    let mut handshake = Handshake {
        is_server: matches!(side, Side::Server(_)),
        session: Session::new(side, incoming),
        opening: Opening::default(),
        observed: Observed::default(),
        stream,
        hello,
        buffers,
        stats,
    };
    match handshake.run().await {
        Ok(()) => Ok(handshake.into_stream()),
        Err(reason) => {
            Err(HandshakeFailure { reason: reason.map(Rc::from), begun: handshake.into_begun() })
        }
    }
}

/// A handshake that goes on.
struct Handshake<'a> {
    stream: Rc<Stream>,
    session: Session,
    is_server: bool,
    /// Until there is a ClientHello.
    hello: Option<Hello<'a>>,
    opening: Opening,
    observed: Observed,
    buffers: &'a Rc<BufferPool>,
    stats: &'a SslStats,
}

/// Why a handshake ends; `None`: the peer went away.
type Reason = Option<String>;

impl Handshake<'_> {
    async fn run(&mut self) -> Result<(), Reason> {
        let mut begun = match self.is_server {
            true => self.begin().await?,
            false => Ok(()),
        };
        let mut staple = None;
        loop {
            let begun = std::mem::replace(&mut begun, Ok(())).and_then(|()| self.examine_hello());
            let session = &mut self.session;
            let advanced =
                begun.and_then(|()| observing(&mut self.observed, || session.handshake()));
            // It is asked for again where the client has to repeat its hello.
            if staple.is_none() {
                staple = self.observed.staple;
                staple.into_iter().for_each(|staple| self.stats.count_staple(staple));
            }
            match advanced {
                Err(error) => return Err(Some(self.refuse(&error).await)),
                // A server's last words in TLS 1.3 are session tickets: they go with the first response.
                Ok(Reached::Established)
                    if self.is_server && self.version() == Some(ProtocolVersion::TLSv1_3) =>
                {
                    return Ok(());
                }
                Ok(reached) => {
                    let outgoing = self.session.outgoing();
                    send(&self.stream, &outgoing).await.map_err(|_: io::Error| None)?;
                    if reached == Reached::Established {
                        return Ok(());
                    }
                }
            }
            self.receive().await?;
        }
    }

    /// Waits for more of the peer.
    async fn receive(&mut self) -> Result<(), Reason> {
        let incoming = self.session.begin_read(SMALL_BUFFER_BYTES, self.buffers);
        let (result, incoming) = self.stream.read(incoming).await;
        let ended = !matches!(result, Ok(1..));
        self.session.end_read(ended, incoming, self.buffers);
        match result {
            Ok(1..) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                Err(Some(names::reset()))
            }
            _ => Err(None),
        }
    }

    /// Waits for the first record of a client that holds something. Empty ones before are none of TLS (RFC
    /// 8446 §5.1), but BoringSSL passes some over.
    async fn begin(&mut self) -> Result<Result<(), Error>, Reason> {
        let mut empty_records = 0;
        loop {
            while self.session.received().len() < RECORD_HEAD_BYTES {
                self.receive().await?;
            }
            if !self.session.skip_empty_handshake_record() {
                return Ok(Ok(()));
            }
            empty_records += 1;
            if empty_records > EMPTY_RECORDS_MAX {
                return Ok(Err(PeerMisbehaved::TooManyEmptyFragments.into()));
            }
        }
    }

    /// Looks at a client's hello before rustls does, and chooses what it is served with.
    fn examine_hello(&mut self) -> Result<(), Error> {
        let Some(hello) = &mut self.hello else { return Ok(()) };
        let received = self.session.received();
        self.opening.note(received);
        let examined = match hello.reader.examine(received, &hello.context.server()) {
            Progress::Incomplete => return Ok(()),
            Progress::NotTls => None,
            Progress::Complete(examined) => Some(examined),
        };
        let context = hello.context;
        self.hello = None;
        let Some(Examined { requests_status, shares_no_protocol, flaw }) = examined else {
            return Ok(());
        };
        self.opening.is_hello = true;
        self.opening.flaw = flaw;
        self.observed.requests_status = requests_status;
        if shares_no_protocol {
            self.session.restart(server_side(&context.without_protocols)?);
        }
        match flaw {
            Some(_) => Err(InvalidMessage::MissingData("extension").into()),
            None => Ok(()),
        }
    }

    /// Tells the peer of `error` and counts it, as Envoy does: a certificate that was refused is no error of
    /// the connection. What there is to say of it.
    async fn refuse(&mut self, error: &Error) -> String {
        let mut outgoing = self.session.outgoing();
        let failed = Failed {
            error,
            refusal: self.observed.refusal.as_ref(),
            version: self.version(),
            opening: &self.opening.bytes,
            is_hello: self.opening.is_hello,
            flaw: self.opening.flaw,
        };
        alert::reword(&mut outgoing, &failed, self.is_plain());
        let counters = &self.stats.fixed;
        match (failed.refusal, error) {
            (Some(Refusal::Chain { .. }), _) => counters.fail_verify_error.inc(),
            (Some(Refusal::SubjectAltNames(_)), _) => counters.fail_verify_san.inc(),
            (Some(Refusal::Pins), _) => counters.fail_verify_cert_hash.inc(),
            (None, Error::NoCertificatesPresented) => counters.fail_verify_no_cert.inc(),
            (None, _) => counters.connection_error.inc(),
        }
        let told = failed.text();
        let _gone = send(&self.stream, &outgoing).await;
        told
    }

    fn version(&self) -> Option<ProtocolVersion> {
        self.session.connection().protocol_version()
    }

    /// Whether what we say is not encrypted yet.
    fn is_plain(&self) -> bool {
        let connection = self.session.connection();
        match self.version() {
            None => true,
            // Who resumes a session begins to encrypt before the client does.
            Some(ProtocolVersion::TLSv1_2) => {
                self.is_server
                    && connection.is_handshaking()
                    && connection.handshake_kind() != Some(HandshakeKind::Resumed)
            }
            Some(_) => false,
        }
    }

    fn into_begun(self) -> Option<Rc<TlsInfo>> {
        self.version()?;
        Some(Rc::new(TlsInfo::of(self.session.connection(), self.observed)))
    }

    fn into_stream(mut self) -> TlsStream {
        let info = TlsInfo::of(self.session.connection(), self.observed);
        self.stats.count_handshake(&info);
        self.session.release(self.buffers);
        TlsStream {
            stream: self.stream,
            buffers: self.buffers.clone(),
            session: RefCell::new(self.session),
            info: Rc::new(info),
            writing: Cell::new(false),
            ends: Cell::new(false),
            silent: Cell::new(false),
        }
    }
}

/// Reads what a client begins with, for who serves it.
struct Hello<'a> {
    reader: ClientHelloReader,
    context: &'a ServerContext,
}

/// What a client begins with.
#[derive(Default)]
struct Opening {
    /// A record's head, a message's head and a version, where it speaks TLS.
    bytes: SmallVec<[u8; OPENING_BYTES]>,
    /// Whether it is a whole ClientHello.
    is_hello: bool,
    /// What is wrong with that.
    flaw: Option<Flaw>,
}

const OPENING_BYTES: usize = 11;

impl Opening {
    fn note(&mut self, received: &[u8]) {
        if self.bytes.len() < OPENING_BYTES.min(received.len()) {
            self.bytes = received[..OPENING_BYTES.min(received.len())].into();
        }
    }
}
