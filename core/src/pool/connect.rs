//! Opening a connection to a host.

use std::io;
use std::net::Shutdown;
use std::rc::Rc;
use std::time::{Duration, Instant};

use ringmain_config::address::Address;
use ringmain_config::cluster::UpstreamProtocol;
use ringmain_proto_codec::auto::Protocol;

use super::permit::ConnectionPermit;
use super::{Acquire, AcquireFailure, UpstreamConnection, waiting};
use crate::cluster::{WorkerCluster, WorkerHost};
use crate::http::stream::{UpstreamConnectionInfo, millis};
use crate::runtime::{self, Buffer, ConnectError, Deadline, Stream};
use crate::server::connection_ids;
use crate::transport_socket::tls;
use crate::transport_socket::{Transport, TransportOptions};

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectFailure {
    /// The host did not answer within `connect_timeout`.
    Timeout,
    /// The host or the network refused; the error number where there is one.
    Refused(Option<i32>),
    /// No socket could be set up as the cluster asks for; why, where it is the source address.
    Local(Option<Rc<str>>),
    /// Nobody takes connections at a Unix socket; why.
    NoPipe(Rc<str>),
    /// The host does not agree to a tunnel; what it says, where it says something.
    NoTunnel(Option<Rc<str>>),
    /// There is no TLS session; why, where that is known.
    Handshake(Option<Rc<str>>),
    /// The process or the system has no descriptor for a socket, which is not the host's fault; the
    /// error number.
    NoDescriptor(i32),
}

impl From<ConnectError> for ConnectFailure {
    fn from(error: ConnectError) -> Self {
        let error = match error {
            ConnectError::TimedOut => return Self::Timeout,
            ConnectError::Local(reason) => return Self::Local(reason.map(Rc::from)),
            ConnectError::NoPipe(reason) => return Self::NoPipe(reason.into()),
            ConnectError::Failed(error) => error,
        };
        match error.raw_os_error() {
            _ if error.kind() == io::ErrorKind::TimedOut => Self::Timeout,
            Some(number @ (libc::EMFILE | libc::ENFILE)) => Self::NoDescriptor(number),
            number => Self::Refused(number),
        }
    }
}

impl ConnectFailure {
    /// Counts it.
    pub(super) fn count(&self, cluster: &WorkerCluster, host: &WorkerHost) {
        let stats = cluster.stats();
        stats.upstream_cx_connect_fail.inc();
        stats.upstream_rq_pending_failure_eject.inc();
        if self.is_of_host() {
            host.stats().cx_connect_fail.inc();
        }
        match self {
            Self::Timeout => {
                stats.upstream_cx_connect_timeout.inc();
                stats.upstream_cx_destroy_local.inc();
            }
            Self::Local(reason) => {
                stats.bind_errors.add(u64::from(reason.is_some()));
                stats.upstream_cx_destroy_local.inc();
            }
            Self::NoDescriptor(_) => stats.upstream_cx_destroy_local.inc(),
            Self::Refused(_) | Self::NoPipe(_) | Self::NoTunnel(_) | Self::Handshake(_) => {
                stats.upstream_cx_destroy_remote.inc();
            }
        }
    }

    /// Whether the host, or the way to it, is to blame.
    pub fn is_of_host(&self) -> bool {
        !matches!(self, Self::NoDescriptor(_))
    }

    /// `%UPSTREAM_TRANSPORT_FAILURE_REASON%`, with spaces.
    pub fn transport_reason(&self) -> Option<Rc<str>> {
        match self {
            Self::Refused(Some(libc::ECONNREFUSED)) => {
                Some("delayed connect error: Connection refused".into())
            }
            Self::Local(reason) | Self::NoTunnel(reason) | Self::Handshake(reason) => {
                reason.clone()
            }
            Self::NoPipe(reason) => Some(reason.clone()),
            Self::NoDescriptor(number) => {
                let error = io::Error::from_raw_os_error(*number);
                Some(format!("no descriptor for a socket: {error}").into())
            }
            Self::Timeout | Self::Refused(_) => None,
        }
    }
}

/// What is to be spoken on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// This.
    Protocol(Protocol),
    /// What is agreed on by ALPN (RFC 7301), HTTP/1.1 where nothing is.
    Agreed,
}

impl Wanted {
    /// For one request at a time, unless something else is agreed on.
    pub(super) fn single(cluster: &WorkerCluster) -> Self {
        Self::of(cluster, Protocol::Http1)
    }

    /// For many requests at once, unless something else is agreed on.
    pub(super) fn multiplexed(cluster: &WorkerCluster) -> Self {
        Self::of(cluster, Protocol::Http2)
    }

    fn of(cluster: &WorkerCluster, protocol: Protocol) -> Self {
        match cluster.shared.config.upstream_protocol {
            UpstreamProtocol::Auto(_) => Self::Agreed,
            _ => Self::Protocol(protocol),
        }
    }

    /// What is spoken now that the connection is open.
    fn on(self, transport: &Transport) -> Protocol {
        match self {
            Self::Protocol(protocol) => protocol,
            Self::Agreed => {
                let agreed = transport.tls().and_then(|tls| tls.alpn.as_deref());
                if agreed == Some(b"h2") { Protocol::Http2 } else { Protocol::Http1 }
            }
        }
    }
}

/// Opens the connection that `permit` allows and counts what comes of it. Where it cannot be
/// opened, the requests that wait for the same host fail too.
pub(super) async fn connect(
    permit: ConnectionPermit,
    wanted: Wanted,
    asked: &Acquire<'_>,
) -> Result<Box<UpstreamConnection>, AcquireFailure> {
    let (cluster, host) = (permit.cluster.clone(), permit.host.clone());
    let stats = cluster.stats();
    let opening = open(&cluster, &host, asked.options.as_deref());
    let opened = match runtime::run_unless(opening, asked.given_up).await {
        Ok(opened) => opened,
        Err(failure) => {
            count_unopened(&cluster, &host, wanted);
            stats.upstream_cx_destroy_local.inc();
            stats.upstream_rq_cancelled.inc();
            return Err(failure);
        }
    };
    match opened {
        Ok(opened) => {
            let protocol = wanted.on(&opened.transport);
            Ok(UpstreamConnection::opened(opened, protocol, permit, asked))
        }
        Err(failure) => {
            count_unopened(&cluster, &host, wanted);
            failure.count(&cluster, &host);
            waiting::eject(&cluster, &host, permit.priority, &failure);
            Err(AcquireFailure::Connect(failure))
        }
    }
}

/// What [`open`] has opened.
pub(super) struct Opened {
    pub transport: Transport,
    /// Before it was begun.
    begun: Instant,
    /// When the socket was connected.
    connected: Instant,
    /// When all was done.
    pub at: Instant,
}

impl Opened {
    /// Records how long it took.
    pub fn record(&self, cluster: &WorkerCluster) {
        let took = millis(self.at.saturating_duration_since(self.begun));
        cluster.histograms.record(cluster.shared.histograms.upstream_cx_connect_ms, took);
    }

    /// What is to be told of the connection, which has a number now.
    pub fn info(&self, protocol: Option<&'static str>) -> UpstreamConnectionInfo {
        UpstreamConnectionInfo {
            id: connection_ids::next(),
            connect_begun: self.begun,
            connected: self.connected,
            handshake_ended: self.transport.tls().map(|_| self.at),
            protocol,
        }
    }
}

/// A socket to `host`, the PROXY header and the TLS session on it; all within `connect_timeout`.
pub(super) async fn open(
    cluster: &WorkerCluster,
    host: &WorkerHost,
    options: Option<&TransportOptions>,
) -> Result<Opened, ConnectFailure> {
    let (address, limit) = (&host.shared.address, cluster.shared.config.connect_timeout);
    let begun = Instant::now();
    let stream = Rc::new(open_socket(cluster, address, begun + limit).await?);
    let connected = Instant::now();
    let opened = |transport| Opened { transport, begun, connected, at: Instant::now() };
    let deadline = Deadline::new(&cluster.timers, &stream, Shutdown::Both);
    deadline.arm_at(begun + limit);
    if let (Some(config), Some(options)) = (cluster.shared.proxy_protocol(&host.shared), options) {
        let sent = send_proxy_header(cluster, &stream, options.proxy_header(config)).await;
        sent.map_err(|failure| match deadline.fired() {
            true => ConnectFailure::Timeout,
            false => failure,
        })?;
    }
    let place = cluster.shared.socket_place(&host.shared);
    let (Some(context), Some(stats)) = (cluster.client_context(place), &cluster.shared.ssl) else {
        return Ok(opened(Transport::Raw(stream)));
    };
    let own_name = options.and_then(TransportOptions::server_name);
    let name = context.server_name(own_name, &host.shared.hostname, address.ip());
    let stats = stats.of(cluster.worker);
    match tls::connect(stream, &context, name, &cluster.buffers, stats).await {
        Ok(tls) => Ok(opened(Transport::Tls(Box::new(tls)))),
        Err(_) if deadline.fired() => Err(ConnectFailure::Timeout),
        Err(failure) => Err(ConnectFailure::Handshake(failure.reason)),
    }
}

/// How long a connection for which there is no descriptor waits before it is tried again.
const DESCRIPTOR_PAUSE: Duration = Duration::from_millis(50);

/// A socket that is connected to `address`. Where there is no descriptor, idle connections are closed,
/// and it is tried again as long as there is time.
async fn open_socket(
    cluster: &WorkerCluster,
    address: &Address,
    until: Instant,
) -> Result<Stream, ConnectFailure> {
    let options = &cluster.shared.config.connect_options;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let failure = match Stream::connect(address, left, options).await {
            Ok(stream) => return Ok(stream),
            Err(error) => ConnectFailure::from(error),
        };
        if failure.is_of_host() || left <= DESCRIPTOR_PAUSE {
            return Err(failure);
        }
        cluster.want_descriptor();
        runtime::sleep(DESCRIPTOR_PAUSE).await;
    }
}

/// Says first whose connection it is.
async fn send_proxy_header(
    cluster: &WorkerCluster,
    stream: &Stream,
    header: Vec<u8>,
) -> Result<(), ConnectFailure> {
    let mut buffer = Buffer::with_capacity(header.len());
    let fits = buffer.append(&header);
    debug_assert!(fits, "made to measure");
    cluster.stats().upstream_cx_tx_bytes_total.add(header.len() as u64);
    let (sent, _) = stream.write_all(buffer).await;
    sent.map_err(|error| ConnectFailure::Refused(error.raw_os_error()))
}

/// Envoy counts a connection from its first attempt on.
fn count_unopened(cluster: &WorkerCluster, host: &WorkerHost, wanted: Wanted) {
    let stats = cluster.stats();
    stats.upstream_cx_total.inc();
    if let Wanted::Protocol(protocol) = wanted {
        count_protocol(cluster, protocol);
    }
    stats.upstream_cx_destroy.inc();
    host.stats().cx_total.inc();
}

/// Counts a connection by what is spoken on it.
pub(super) fn count_protocol(cluster: &WorkerCluster, protocol: Protocol) {
    let stats = cluster.stats();
    match protocol {
        Protocol::Http1 => stats.upstream_cx_http1_total.inc(),
        Protocol::Http2 => stats.upstream_cx_http2_total.inc(),
    }
}
