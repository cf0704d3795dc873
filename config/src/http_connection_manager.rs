//! The HTTP connection manager
//! (`envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`).
//! Durations of `None` mean "off"; Envoy's default is beside each field.

use std::time::Duration;

use crate::access_log::AccessLog;
use crate::address::CidrRange;
use crate::route::RouteConfiguration;

/// How HTTP is spoken and routed on a connection.
#[derive(Debug, Clone)]
pub struct HttpConnectionManager {
    /// `stat_prefix`, required.
    pub stat_prefix: String,
    /// `codec_type`, default AUTO.
    pub codec_type: CodecType,
    /// `route_config`.
    pub route_config: RouteConfiguration,
    /// `http_filters` before the router, in order.
    pub http_filters: Vec<HttpFilter>,
    /// The terminal `envoy.extensions.filters.http.router.v3.Router`.
    pub router: Router,
    /// `server_name`, default `envoy`.
    pub server_name: String,
    /// `server_header_transformation`, default OVERWRITE.
    pub server_header_transformation: ServerHeaderTransformation,
    /// `common_http_protocol_options.idle_timeout`, default 1 h.
    pub idle_timeout: Option<Duration>,
    /// `common_http_protocol_options.max_connection_duration`, default off.
    pub max_connection_duration: Option<Duration>,
    /// `common_http_protocol_options.max_stream_duration`, default off.
    pub max_stream_duration: Option<Duration>,
    /// `common_http_protocol_options.max_headers_count`, default 100.
    pub max_headers_count: u32,
    /// `common_http_protocol_options.max_requests_per_connection`, default off.
    pub max_requests_per_connection: Option<u32>,
    /// `common_http_protocol_options.headers_with_underscores_action`, default ALLOW.
    pub headers_with_underscores_action: HeadersWithUnderscoresAction,
    /// `max_request_headers_kb`, default 60 KiB; here in bytes.
    pub max_request_headers_bytes: u32,
    /// `stream_idle_timeout`, default 5 min.
    pub stream_idle_timeout: Option<Duration>,
    /// `request_timeout`, default off.
    pub request_timeout: Option<Duration>,
    /// `request_headers_timeout`, default off.
    pub request_headers_timeout: Option<Duration>,
    /// `drain_timeout`, default 5 s.
    pub drain_timeout: Duration,
    /// `delayed_close_timeout`, default 1 s.
    pub delayed_close_timeout: Option<Duration>,
    /// `use_remote_address`, default false.
    pub use_remote_address: bool,
    /// `xff_num_trusted_hops`, default 0.
    pub xff_num_trusted_hops: u32,
    /// `skip_xff_append`, default false.
    pub skip_xff_append: bool,
    /// `via`, default empty (none is added).
    pub via: String,
    /// `generate_request_id`, default true.
    pub generate_request_id: bool,
    /// `preserve_external_request_id`, default false.
    pub preserve_external_request_id: bool,
    /// `always_set_request_id_in_response`, default false.
    pub always_set_request_id_in_response: bool,
    /// `internal_address_config.cidr_ranges`, default none.
    pub internal_address_ranges: Vec<CidrRange>,
    /// `http_protocol_options`.
    pub http1: Http1ProtocolOptions,
    /// `access_log`.
    pub access_log: Vec<AccessLog>,
}

/// `codec_type`: which HTTP versions the listener speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodecType {
    /// `AUTO`.
    Auto,
    /// `HTTP1`.
    Http1,
}

/// `server_header_transformation`: what happens to the response's `server` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerHeaderTransformation {
    /// `OVERWRITE`.
    Overwrite,
    /// `APPEND_IF_ABSENT`.
    AppendIfAbsent,
    /// `PASS_THROUGH`.
    PassThrough,
}

/// `headers_with_underscores_action`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadersWithUnderscoresAction {
    /// `ALLOW`.
    Allow,
    /// `REJECT_REQUEST`.
    RejectRequest,
    /// `DROP_HEADER`.
    DropHeader,
}

/// `envoy.config.core.v3.Http1ProtocolOptions`, downstream side.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Http1ProtocolOptions {
    /// `accept_http_10`, default false.
    pub accept_http_10: bool,
    /// `default_host_for_http_10`, default none.
    pub default_host_for_http_10: Option<String>,
    /// `allow_absolute_url`, default true.
    pub allow_absolute_url: bool,
    /// `enable_trailers`, default false.
    pub enable_trailers: bool,
    /// `header_key_format`, default lower case.
    pub header_key_format: HeaderKeyFormat,
}

/// How header names are written to HTTP/1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HeaderKeyFormat {
    /// Lower case, Envoy's default.
    #[default]
    LowerCase,
    /// `proper_case_words`: `content-type` becomes `Content-Type`.
    ProperCaseWords,
}

/// An HTTP filter before the router, by its `typed_config` type. None is supported yet, so the
/// type has no values: adding a filter adds a variant, and the compiler shows where it must act.
#[derive(Debug, Clone)]
pub enum HttpFilter {}

/// `envoy.extensions.filters.http.router.v3.Router`.
#[derive(Debug, Clone, Default)]
pub struct Router {
    /// `suppress_envoy_headers`, default false.
    pub suppress_envoy_headers: bool,
}
