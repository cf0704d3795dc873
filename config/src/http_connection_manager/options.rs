//! What single fields of the connection manager may say.

use core::http_protocol_options::HeadersWithUnderscoresAction as WireUnderscores;
use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3 as wire;
use wire::http_connection_manager::{
    CodecType as WireCodec, ForwardClientCertDetails as WireForward,
    PathWithEscapedSlashesAction as WireSlashes, ServerHeaderTransformation as WireTransformation,
    StripPortMode,
};

use super::non_empty;
use crate::header_key_format::HeaderKeyFormat;
use crate::report::{At, Note};

/// `path_with_escaped_slashes_action`: what becomes of a path that holds `%2F` or `%5C`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathWithEscapedSlashesAction {
    /// `KEEP_UNCHANGED`, and `IMPLEMENTATION_SPECIFIC_DEFAULT`.
    KeepUnchanged,
    /// `REJECT_REQUEST`.
    RejectRequest,
    /// `UNESCAPE_AND_REDIRECT`.
    UnescapeAndRedirect,
    /// `UNESCAPE_AND_FORWARD`.
    UnescapeAndForward,
}

/// Which ports are stripped from `:authority`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StripHostPort {
    /// None.
    No,
    /// `strip_matching_host_port`: the listener's own.
    Matching,
    /// `strip_any_host_port`: all.
    Any,
}

/// `codec_type`: which HTTP versions the listener speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodecType {
    /// `AUTO`: what the client's first bytes say.
    Auto,
    /// `HTTP1`.
    Http1,
    /// `HTTP2`.
    Http2,
}

/// `forward_client_cert_details`: what becomes of `x-forwarded-client-cert`. Where the client has
/// shown no certificate, all but the last remove it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ForwardClientCertDetails {
    /// `SANITIZE`: it is removed.
    #[default]
    Sanitize,
    /// `FORWARD_ONLY`: it stays as it is.
    ForwardOnly,
    /// `APPEND_FORWARD`: the certificate is added.
    AppendForward,
    /// `SANITIZE_SET`: the certificate takes its place.
    SanitizeSet,
    /// `ALWAYS_FORWARD_ONLY`: it stays as it is, with a certificate or without.
    AlwaysForwardOnly,
}

/// `set_current_client_cert_details`, all off by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClientCertDetails {
    /// `cert`.
    pub cert: bool,
    /// `chain`.
    pub chain: bool,
    /// `subject`.
    pub subject: bool,
    /// `uri`.
    pub uri: bool,
    /// `dns`.
    pub dns: bool,
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

impl PathWithEscapedSlashesAction {
    pub(super) fn from_wire(wire: WireSlashes) -> Self {
        match wire {
            WireSlashes::ImplementationSpecificDefault | WireSlashes::KeepUnchanged => {
                Self::KeepUnchanged
            }
            WireSlashes::RejectRequest => Self::RejectRequest,
            WireSlashes::UnescapeAndRedirect => Self::UnescapeAndRedirect,
            WireSlashes::UnescapeAndForward => Self::UnescapeAndForward,
        }
    }
}

impl CodecType {
    pub(super) fn from_wire(wire: WireCodec) -> Self {
        match wire {
            WireCodec::Http1 => Self::Http1,
            WireCodec::Http2 => Self::Http2,
            _ => Self::Auto,
        }
    }
}

impl ForwardClientCertDetails {
    pub(super) fn from_wire(wire: WireForward) -> Self {
        match wire {
            WireForward::Sanitize => Self::Sanitize,
            WireForward::ForwardOnly => Self::ForwardOnly,
            WireForward::AppendForward => Self::AppendForward,
            WireForward::SanitizeSet => Self::SanitizeSet,
            WireForward::AlwaysForwardOnly => Self::AlwaysForwardOnly,
        }
    }
}

impl ServerHeaderTransformation {
    pub(super) fn from_wire(wire: WireTransformation) -> Self {
        match wire {
            WireTransformation::Overwrite => Self::Overwrite,
            WireTransformation::AppendIfAbsent => Self::AppendIfAbsent,
            WireTransformation::PassThrough => Self::PassThrough,
        }
    }
}

impl HeadersWithUnderscoresAction {
    pub(super) fn from_wire(wire: WireUnderscores) -> Self {
        match wire {
            WireUnderscores::Allow => Self::Allow,
            WireUnderscores::RejectRequest => Self::RejectRequest,
            WireUnderscores::DropHeader => Self::DropHeader,
        }
    }
}

impl StripHostPort {
    pub(super) fn from_wire(wire: &wire::HttpConnectionManager, at: &At<'_>) -> Self {
        let any = matches!(wire.strip_port_mode, Some(StripPortMode::StripAnyHostPort(true)));
        if any && wire.strip_matching_host_port {
            at.field("strip_matching_host_port").error_at_key(
                Note::from(
                    "'strip_matching_host_port' cannot be set together with 'strip_any_host_port'",
                )
                .help("remove one of the two"),
            );
        }
        match (any, wire.strip_matching_host_port) {
            (true, _) => Self::Any,
            (false, true) => Self::Matching,
            (false, false) => Self::No,
        }
    }
}

impl Http1ProtocolOptions {
    pub(super) fn from_wire(wire: Option<&core::Http1ProtocolOptions>, at: &At<'_>) -> Self {
        let header_key_format = HeaderKeyFormat::from_wire(wire, at);
        let wire = wire.cloned().unwrap_or_default();
        Self {
            accept_http_10: wire.accept_http_10,
            default_host_for_http_10: non_empty(&wire.default_host_for_http_10),
            allow_absolute_url: wire.allow_absolute_url.is_none_or(|allow| allow.value),
            enable_trailers: wire.enable_trailers,
            header_key_format,
        }
    }
}

impl ClientCertDetails {
    pub(super) fn from_wire(wire: &wire::HttpConnectionManager) -> Self {
        let details = wire.set_current_client_cert_details.unwrap_or_default();
        Self {
            cert: details.cert,
            chain: details.chain,
            subject: details.subject.is_some_and(|subject| subject.value),
            uri: details.uri,
            dns: details.dns,
        }
    }
}
