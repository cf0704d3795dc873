//! Format strings with `%OPERATORS%`, as used in access logs and header values
//! (Envoy "substitution formatter").

/// A parsed format string. Literal text and operators in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SubstitutionFormat {
    /// What is written, in order. Adjacent literals are joined.
    pub parts: Vec<FormatPart>,
}

/// One piece of a format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormatPart {
    /// Text as it stands; `%%` has become `%`.
    Literal(String),
    /// An operator, and the greatest length of its value in bytes (`%REQ(X):10%`).
    Operator {
        /// What to write.
        operator: Operator,
        /// `:N` after the closing parenthesis.
        max_length: Option<usize>,
    },
}

/// The operators that have a meaning for HTTP/1 over TCP without TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operator {
    /// `START_TIME` without a format: `%Y-%m-%dT%H:%M:%S.%3fZ`, UTC.
    StartTime,
    /// `REQ(NAME?ALTERNATIVE)`; names lower case, may be pseudo-headers.
    RequestHeader(HeaderOperand),
    /// `RESP(NAME?ALTERNATIVE)`.
    ResponseHeader(HeaderOperand),
    /// `PROTOCOL`.
    Protocol,
    /// `RESPONSE_CODE`.
    ResponseCode,
    /// `RESPONSE_CODE_DETAILS`.
    ResponseCodeDetails,
    /// `RESPONSE_FLAGS`.
    ResponseFlags,
    /// `BYTES_RECEIVED`.
    BytesReceived,
    /// `BYTES_SENT`.
    BytesSent,
    /// `DURATION`, ms.
    Duration,
    /// `REQUEST_DURATION`, ms.
    RequestDuration,
    /// `RESPONSE_DURATION`, ms.
    ResponseDuration,
    /// `RESPONSE_TX_DURATION`, ms.
    ResponseTxDuration,
    /// `UPSTREAM_HOST`.
    UpstreamHost,
    /// `UPSTREAM_CLUSTER`.
    UpstreamCluster,
    /// `UPSTREAM_LOCAL_ADDRESS`.
    UpstreamLocalAddress,
    /// `UPSTREAM_REQUEST_ATTEMPT_COUNT`.
    UpstreamRequestAttemptCount,
    /// `DOWNSTREAM_REMOTE_ADDRESS` and its `_WITHOUT_PORT`, `_PORT`.
    DownstreamRemoteAddress(AddressPart),
    /// `DOWNSTREAM_DIRECT_REMOTE_ADDRESS` and its `_WITHOUT_PORT`, `_PORT`.
    DownstreamDirectRemoteAddress(AddressPart),
    /// `DOWNSTREAM_LOCAL_ADDRESS` and its `_WITHOUT_PORT`, `_PORT`.
    DownstreamLocalAddress(AddressPart),
    /// `UPSTREAM_REMOTE_ADDRESS` and its `_WITHOUT_PORT`, `_PORT`.
    UpstreamRemoteAddress(AddressPart),
    /// `ROUTE_NAME`.
    RouteName,
    /// `HOSTNAME`.
    Hostname,
}

/// `NAME?ALTERNATIVE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderOperand {
    /// The header looked up first.
    pub name: String,
    /// The header used where the first is absent.
    pub alternative: Option<String>,
}

/// Which part of a socket address is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressPart {
    /// `ip:port`.
    Whole,
    /// `ip`.
    WithoutPort,
    /// `port`.
    Port,
}

/// Envoy's default access log format, with its line end.
pub const DEFAULT_ACCESS_LOG_FORMAT: &str = "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" \
%RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \
\"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\"\n";
