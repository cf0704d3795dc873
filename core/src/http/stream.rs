//! The record of one stream: what access logs, stats and header formats say about it.

use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime};

use ringmain_config::address::Address;

use super::ResponseFlags;
use super::dynamic_metadata::DynamicMetadata;
use super::filter::ConnectionBuckets;
use super::request_id::UUID_BYTES;
use super::stream_objects::StreamObjects;
use crate::cluster::WorkerHost;
use crate::listener::{ConnectionInfo, TlsFingerprints};
use crate::router::RouteRef;
use crate::transport_socket::Tlvs;
use crate::transport_socket::tls::TlsInfo;

/// Bytes of a message on one connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WireBytes {
    /// Bytes received, framing included.
    pub received: u64,
    /// Bytes sent, framing included.
    pub sent: u64,
    /// Names, values and three bytes for each field line received, trailers not included; 0 unless
    /// [recorded](crate::access_log::Recorded).
    pub headers_received: u64,
    /// Field lines sent, trailers not included; 0 unless recorded.
    pub headers_sent: u64,
}

/// Moments of sending; absent unless [recorded](crate::access_log::Recorded).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SendTimes {
    /// Before the request's first byte went upstream.
    pub upstream_tx_begin: Option<Instant>,
    /// When the request's last byte had gone upstream.
    pub upstream_tx_end: Option<Instant>,
    /// Before the response's first byte went downstream.
    pub downstream_tx_begin: Option<Instant>,
    /// When the response's last byte had gone downstream.
    pub downstream_tx_end: Option<Instant>,
}

/// What a record keeps of an upstream connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpstreamConnectionInfo {
    /// Its number in the process.
    pub id: u64,
    /// When it was begun.
    pub connect_begun: Instant,
    /// When its socket was connected.
    pub connected: Instant,
    /// When its TLS handshake was done; absent without TLS.
    pub handshake_ended: Option<Instant>,
    /// `%UPSTREAM_PROTOCOL%`; absent where the proxy only passes bytes.
    pub protocol: Option<&'static str>,
}

/// One request from its first byte to the response's last.
#[derive(Debug)]
pub struct StreamInfo {
    /// Wall clock at the request's first byte.
    pub started_at: SystemTime,
    /// The same moment on the monotonic clock.
    pub started: Instant,
    /// When the request's last byte had come.
    pub request_received: Option<Instant>,
    /// When the response's first byte came from upstream.
    pub response_started: Option<Instant>,
    /// When the response's last byte came from upstream.
    pub response_received: Option<Instant>,
    /// The status sent downstream; 0 when nothing was sent.
    pub response_code: u16,
    /// `%RESPONSE_CODE_DETAILS%`.
    pub details: &'static str,
    /// `%CONNECTION_TERMINATION_DETAILS%`: why a filter closed the connection; empty where none did.
    pub termination_details: &'static str,
    /// `%RESPONSE_FLAGS%`.
    pub flags: ResponseFlags,
    /// Body bytes from downstream.
    pub bytes_received: u64,
    /// Body bytes to downstream.
    pub bytes_sent: u64,
    /// Whether the request is a health check, which is not counted by its status.
    pub health_check: bool,
    /// Whether the client may leave HTTP with this request, by `upgrade_configs`.
    pub upgrade: bool,
    /// Whether the stream was cut short by either peer.
    pub reset: bool,
    /// Whether the request line could be read: else the log shows no method, path or protocol.
    pub request_parsed: bool,
    /// The host that the last attempt went to.
    pub upstream_host: Option<Rc<WorkerHost>>,
    /// The connection to it, once there was one.
    pub upstream_connection: Option<UpstreamConnectionInfo>,
    /// Our end of that connection.
    pub upstream_local: Option<Address>,
    /// `%UPSTREAM_TRANSPORT_FAILURE_REASON%`: why there was none, with spaces.
    pub transport_failure: Option<Rc<str>>,
    /// `%DOWNSTREAM_TRANSPORT_FAILURE_REASON%`: why the client's handshake has failed, with spaces.
    pub downstream_transport_failure: Option<Rc<str>>,
    /// How often the request was sent upstream.
    pub attempts: u32,
    /// The route taken.
    pub route: Option<RouteRef>,
    /// The cluster it named.
    pub cluster: Option<usize>,
    /// Which of the route's `weighted_clusters` was chosen.
    pub weighted_cluster: Option<u32>,
    /// Which virtual cluster of the virtual host counts it.
    pub virtual_cluster: Option<u32>,
    /// What choices of this stream follow, once one was made: see [`StreamInfo::random`].
    random: Cell<Option<u64>>,
    /// The connection's other end.
    pub direct_remote: Address,
    /// The client as the connection tells: its other end, or whom a PROXY header names.
    pub connection_remote: Address,
    /// What else the PROXY header said that is kept.
    pub proxy_tlvs: Option<Tlvs>,
    /// What filters have noted; of a connection that is not HTTP, a PROXY header's vectors.
    pub dynamic_metadata: DynamicMetadata,
    /// What filters have put here for others.
    pub objects: StreamObjects,
    /// The client's address as far as it can be trusted.
    pub remote: Address,
    /// Where the client wanted to go: our end of the downstream connection, or what a PROXY header
    /// names.
    pub local: Address,
    /// Our end of the downstream connection.
    pub direct_local: Address,
    /// The name in the connection's ClientHello, where one was looked for.
    pub requested_server_name: Option<Rc<str>>,
    /// Fingerprints of that ClientHello, where some are taken.
    pub tls_fingerprints: Option<Rc<TlsFingerprints>>,
    /// The downstream connection's number in the process.
    pub connection_id: u64,
    /// `%STREAM_ID%` of a connection that a TCP proxy serves; requests have theirs in a header.
    pub stream_id: Option<Box<[u8; UUID_BYTES]>>,
    /// What is known of the downstream connection's TLS, where it has any.
    pub downstream_tls: Option<Rc<TlsInfo>>,
    /// The same of the upstream connection, once there was one.
    pub upstream_tls: Option<Rc<TlsInfo>>,
    /// What the downstream connection has of rate limits of its own.
    pub connection_buckets: Option<ConnectionBuckets>,
    /// What went over the downstream connection.
    pub downstream_bytes: WireBytes,
    /// What went over the upstream connection.
    pub upstream_bytes: WireBytes,
    /// When what was sent was sent.
    pub times: SendTimes,
    /// Whether the client is inside `internal_address_config`.
    pub internal: bool,
}

const UNKNOWN_ADDRESS: Address =
    Address::Socket(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0));

/// The start of a stream that has not begun; a constant, because reading the clock is not free.
static LONG_AGO: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Default for StreamInfo {
    fn default() -> Self {
        Self {
            started_at: SystemTime::UNIX_EPOCH,
            started: *LONG_AGO,
            request_received: None,
            response_started: None,
            response_received: None,
            response_code: 0,
            details: "",
            termination_details: "",
            flags: ResponseFlags::default(),
            bytes_received: 0,
            bytes_sent: 0,
            health_check: false,
            upgrade: false,
            reset: false,
            request_parsed: false,
            upstream_host: None,
            upstream_connection: None,
            upstream_local: None,
            transport_failure: None,
            downstream_transport_failure: None,
            attempts: 0,
            route: None,
            cluster: None,
            weighted_cluster: None,
            virtual_cluster: None,
            random: Cell::default(),
            direct_remote: UNKNOWN_ADDRESS,
            connection_remote: UNKNOWN_ADDRESS,
            proxy_tlvs: None,
            dynamic_metadata: DynamicMetadata::default(),
            objects: StreamObjects::default(),
            remote: UNKNOWN_ADDRESS,
            local: UNKNOWN_ADDRESS,
            direct_local: UNKNOWN_ADDRESS,
            requested_server_name: None,
            tls_fingerprints: None,
            connection_id: 0,
            stream_id: None,
            downstream_tls: None,
            connection_buckets: None,
            upstream_tls: None,
            downstream_bytes: WireBytes::default(),
            upstream_bytes: WireBytes::default(),
            times: SendTimes::default(),
            internal: false,
        }
    }
}

impl StreamInfo {
    /// The record of a stream that begins now.
    pub fn begin(connection: &ConnectionInfo) -> Self {
        Self {
            started_at: SystemTime::now(),
            started: Instant::now(),
            connection_id: connection.id,
            direct_remote: connection.direct_remote.clone(),
            connection_remote: connection.remote.clone(),
            proxy_tlvs: connection.proxy_tlvs.clone(),
            remote: connection.remote.clone(),
            local: connection.local.clone(),
            direct_local: connection.direct_local.clone(),
            requested_server_name: connection.requested_server_name.clone(),
            tls_fingerprints: connection.tls_fingerprints.clone(),
            objects: StreamObjects::of_connection(connection),
            ..Self::default()
        }
    }

    /// The record of a connection, from its first moment on.
    pub fn of_connection(connection: &ConnectionInfo) -> Self {
        let begun = Self::begin(connection);
        Self {
            started: connection.accepted,
            started_at: begun.started_at
                - begun.started.saturating_duration_since(connection.accepted),
            dynamic_metadata: connection.dynamic_metadata.clone().into(),
            downstream_transport_failure: connection.transport_failure.clone(),
            ..begun
        }
    }

    /// A record that says no more than who the client is.
    pub fn of_same_client(&self) -> Self {
        Self {
            remote: self.remote.clone(),
            direct_remote: self.direct_remote.clone(),
            connection_remote: self.connection_remote.clone(),
            local: self.local.clone(),
            direct_local: self.direct_local.clone(),
            proxy_tlvs: self.proxy_tlvs.clone(),
            ..Self::default()
        }
    }

    /// The record of the next hop of the request, which is here whole, from one that has just `begun`.
    pub fn next_hop(&self, begun: Self) -> Self {
        Self {
            request_parsed: true,
            request_received: Some(begun.started),
            internal: self.internal,
            bytes_received: self.bytes_received,
            downstream_bytes: self.downstream_bytes,
            ..begun
        }
    }

    /// The stream's random number: drawn when first asked for, and the same from then on.
    pub fn random(&self, draw: impl FnOnce() -> u64) -> u64 {
        let random = self.random.get().unwrap_or_else(draw);
        self.random.set(Some(random));
        random
    }

    /// Time since the request's first byte.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

/// Whole milliseconds.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
