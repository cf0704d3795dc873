//! Operators without parameters.

macro_rules! plain_operators {
    ($($(#[$doc:meta])+ $variant:ident = $name:literal,)+) => {
        /// An operator that takes neither parameter nor length.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum PlainOperator {
            $($(#[$doc])+ $variant,)+
        }

        impl PlainOperator {
            const ALL: &[(&str, Self)] = &[$(($name, Self::$variant),)+];

            /// As it is written between percent signs.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

plain_operators! {
    /// Why and when a line is written.
    AccessLogType = "ACCESS_LOG_TYPE",
    /// Body bytes from downstream.
    BytesReceived = "BYTES_RECEIVED",
    /// QUIC only: 0.
    BytesRetransmitted = "BYTES_RETRANSMITTED",
    /// Body bytes to downstream.
    BytesSent = "BYTES_SENT",
    /// The downstream connection's number.
    ConnectionId = "CONNECTION_ID",
    /// Why a network filter closed the connection.
    ConnectionTerminationDetails = "CONNECTION_TERMINATION_DETAILS",
    /// What extensions add: empty.
    CustomFlags = "CUSTOM_FLAGS",
    /// HTTP/1 does not compress: the header bytes.
    DownstreamDecompressedHeaderBytesReceived = "DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED",
    /// HTTP/1 does not compress: the header bytes.
    DownstreamDecompressedHeaderBytesSent = "DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_SENT",
    /// Names, values and three bytes a line; no request line.
    DownstreamHeaderBytesReceived = "DOWNSTREAM_HEADER_BYTES_RECEIVED",
    /// Field lines and trailers, without the status line.
    DownstreamHeaderBytesSent = "DOWNSTREAM_HEADER_BYTES_SENT",
    /// Why the client's handshake has failed.
    DownstreamTransportFailureReason = "DOWNSTREAM_TRANSPORT_FAILURE_REASON",
    /// The request's bytes, framing included.
    DownstreamWireBytesReceived = "DOWNSTREAM_WIRE_BYTES_RECEIVED",
    /// The response's bytes, framing included.
    DownstreamWireBytesSent = "DOWNSTREAM_WIRE_BYTES_SENT",
    /// From the request's first byte until now, ms.
    Duration = "DURATION",
    /// `filter_chains.name`.
    FilterChainName = "FILTER_CHAIN_NAME",
    /// The gRPC status as a number.
    GrpcStatusNumber = "GRPC_STATUS_NUMBER",
    /// This machine's name.
    Hostname = "HOSTNAME",
    /// `listener.name`.
    ListenerName = "LISTENER_NAME",
    /// The body of a local reply, in the formats of local replies; elsewhere empty.
    LocalReplyBody = "LOCAL_REPLY_BODY",
    /// QUIC only: 0.
    PacketsRetransmitted = "PACKETS_RETRANSMITTED",
    /// `HTTP/1.1`, `HTTP/1.0`.
    Protocol = "PROTOCOL",
    /// From the request's first byte to its last, ms.
    RequestDuration = "REQUEST_DURATION",
    /// Names and values as sent upstream.
    RequestHeadersBytes = "REQUEST_HEADERS_BYTES",
    /// From the request's first byte until its last was sent upstream, ms.
    RequestTxDuration = "REQUEST_TX_DURATION",
    /// The status; 0 when nothing was sent.
    ResponseCode = "RESPONSE_CODE",
    /// From the request's first byte to the response's first, ms.
    ResponseDuration = "RESPONSE_DURATION",
    /// Flags by their short names.
    ResponseFlags = "RESPONSE_FLAGS",
    /// Flags by their long names.
    ResponseFlagsLong = "RESPONSE_FLAGS_LONG",
    /// Names and values as sent downstream.
    ResponseHeadersBytes = "RESPONSE_HEADERS_BYTES",
    /// Names and values of the response's trailers.
    ResponseTrailersBytes = "RESPONSE_TRAILERS_BYTES",
    /// From the response's first byte to its last, ms.
    ResponseTxDuration = "RESPONSE_TX_DURATION",
    /// `route.name`.
    RouteName = "ROUTE_NAME",
    /// `x-request-id`; of a connection that a TCP proxy serves, a UUID of its own.
    StreamId = "STREAM_ID",
    /// What the client offers in TLS, where `tls_inspector` takes that: by JA3.
    TlsJa3Fingerprint = "TLS_JA3_FINGERPRINT",
    /// The same by JA4.
    TlsJa4Fingerprint = "TLS_JA4_FINGERPRINT",
    /// A UUID of its own for each place it is written.
    UniqueId = "UNIQUE_ID",
    /// `alt_stat_name`, else `name` of the cluster.
    UpstreamCluster = "UPSTREAM_CLUSTER",
    /// `name` of the cluster.
    UpstreamClusterRaw = "UPSTREAM_CLUSTER_RAW",
    /// The upstream connection's number; 0 without one.
    UpstreamConnectionId = "UPSTREAM_CONNECTION_ID",
    /// HTTP/1 does not compress: the header bytes without trailers.
    UpstreamDecompressedHeaderBytesReceived = "UPSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED",
    /// HTTP/1 does not compress: the header bytes.
    UpstreamDecompressedHeaderBytesSent = "UPSTREAM_DECOMPRESSED_HEADER_BYTES_SENT",
    /// Names, values and three bytes a line, trailers included; no status line.
    UpstreamHeaderBytesReceived = "UPSTREAM_HEADER_BYTES_RECEIVED",
    /// Field lines, without the request line.
    UpstreamHeaderBytesSent = "UPSTREAM_HEADER_BYTES_SENT",
    /// The host's address.
    UpstreamHost = "UPSTREAM_HOST",
    /// The host's name, else its address.
    UpstreamHostName = "UPSTREAM_HOST_NAME",
    /// The same without a port.
    UpstreamHostNameWithoutPort = "UPSTREAM_HOST_NAME_WITHOUT_PORT",
    /// `HTTP/1.1`; absent where no connection was had.
    UpstreamProtocol = "UPSTREAM_PROTOCOL",
    /// How often the request was sent.
    UpstreamRequestAttemptCount = "UPSTREAM_REQUEST_ATTEMPT_COUNT",
    /// Why the connection could not be opened.
    UpstreamTransportFailureReason = "UPSTREAM_TRANSPORT_FAILURE_REASON",
    /// The response's bytes, framing included.
    UpstreamWireBytesReceived = "UPSTREAM_WIRE_BYTES_RECEIVED",
    /// The request's bytes, framing included.
    UpstreamWireBytesSent = "UPSTREAM_WIRE_BYTES_SENT",
    /// The name of the virtual cluster that counts the request.
    VirtualClusterName = "VIRTUAL_CLUSTER_NAME",
}

/// Operators that never have a value here, as what they tell of is not there: tracing, QUIC.
const ABSENT: &str = "ROUNDTRIP_DURATION SPAN_ID TRACE_ID";

/// Operators of Envoy 1.40 that would have a value, which is not told here.
const ENVOYS_ALONE: &str = "\
    CEL COALESCE DOWNSTREAM_CX_RTT DOWNSTREAM_DETECTED_CLOSE_TYPE DOWNSTREAM_HANDSHAKE_DURATION \
    DOWNSTREAM_LOCAL_CLOSE_REASON DOWNSTREAM_PEER_ISSUER_FINGERPRINT_256 DOWNSTREAM_PEER_ISSUER_SERIAL \
    DOWNSTREAM_TLS_SESSION_ID TYPED_CEL UPSTREAM_CONNECTION_IDS_ATTEMPTED UPSTREAM_CONNECTION_POOL_READY_DURATION \
    UPSTREAM_DETECTED_CLOSE_TYPE UPSTREAM_HOSTS_ATTEMPTED UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT \
    UPSTREAM_HOST_NAMES_ATTEMPTED UPSTREAM_HOST_NAMES_ATTEMPTED_WITHOUT_PORT \
    UPSTREAM_LOCAL_CLOSE_REASON UPSTREAM_METADATA UPSTREAM_TLS_SESSION_ID";

impl PlainOperator {
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().map(|(name, _)| *name)
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, operator)| *operator)
    }
}

/// The name of an operator that is always absent.
pub(super) fn absent_operator(name: &str) -> Option<&'static str> {
    ABSENT.split_ascii_whitespace().find(|known| *known == name)
}

/// Whether Envoy knows the operator and ringmain does not.
pub(super) fn is_envoys_alone(name: &str) -> bool {
    ENVOYS_ALONE.split_ascii_whitespace().any(|known| known == name)
}
