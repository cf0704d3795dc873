//! The HTTP options of a cluster, in their new place or in its own deprecated fields.

use std::time::Duration;

use envoy_types::pb::envoy::config::cluster::v3 as wire;
use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::extensions::upstreams::http::v3::HttpProtocolOptions;
use envoy_types::pb::envoy::extensions::upstreams::http::v3::http_protocol_options as upstream;
use upstream::UpstreamProtocolOptions;
use upstream::explicit_http_config::ProtocolConfig;

use super::{Http2ProtocolOptions, UpstreamProtocol};
use crate::duration;
use crate::header_key_format::HeaderKeyFormat;
use crate::report::{At, Note};
use crate::wire::unpack;

const IDLE_TIMEOUT: Duration = Duration::from_secs(3600);
const MAX_HEADERS_COUNT: u32 = 100;
/// The one key of `typed_extension_protocol_options` that means something to HTTP.
const HTTP_PROTOCOL_OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// What the HTTP options say, in their new place or in the cluster's own deprecated fields.
pub(super) struct HttpOptions {
    pub(super) idle_timeout: Option<Duration>,
    pub(super) max_requests_per_connection: Option<u32>,
    pub(super) max_stream_duration: Option<Duration>,
    pub(super) max_headers_count: u32,
    pub(super) http1: Http1ProtocolOptions,
    pub(super) upstream_protocol: UpstreamProtocol,
    pub(super) auto_sni: AutoSni,
}

/// `envoy.config.core.v3.Http1ProtocolOptions`, upstream side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Http1ProtocolOptions {
    /// `enable_trailers`, default false.
    pub enable_trailers: bool,
    /// `header_key_format`, default lower case.
    pub header_key_format: HeaderKeyFormat,
}

impl Http1ProtocolOptions {
    fn from_wire(wire: Option<&core::Http1ProtocolOptions>, at: &At<'_>) -> Self {
        Self {
            enable_trailers: wire.is_some_and(|wire| wire.enable_trailers),
            header_key_format: HeaderKeyFormat::from_wire(wire, at),
        }
    }
}

/// `envoy.config.core.v3.UpstreamHttpProtocolOptions`: the name that a request gives to the TLS of its
/// connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AutoSni {
    /// `auto_sni`, default false: the host that the request is for.
    pub auto_sni: bool,
    /// `auto_san_validation`, default false: the certificate has to be for that name.
    pub auto_san_validation: bool,
    /// `override_auto_sni_header`: the field that has the name, where the request has that field.
    pub override_header: Option<String>,
}

impl AutoSni {
    fn from_wire(wire: &core::UpstreamHttpProtocolOptions, at: &At<'_>) -> Self {
        let header = wire.override_auto_sni_header.to_ascii_lowercase();
        if wire.auto_san_validation && !wire.auto_sni {
            at.field("auto_san_validation").error_at_key(
                Note::from("needs 'auto_sni'").help("set 'auto_sni: true' beside it"),
            );
        }
        Self {
            auto_sni: wire.auto_sni,
            auto_san_validation: wire.auto_san_validation,
            override_header: Some(header).filter(|header| !header.is_empty()),
        }
    }
}

impl HttpOptions {
    #[allow(deprecated, reason = "common in files")]
    pub(super) fn from_wire(wire: &wire::Cluster, at: &At<'_>) -> Self {
        let typed_at = at.field("typed_extension_protocol_options");
        for key in wire.typed_extension_protocol_options.keys() {
            if key != HTTP_PROTOCOL_OPTIONS {
                typed_at.key(key).error_at_key(
                    Note::from(format!("'{key}' is no protocol of ours"))
                        .help(format!("the key must be {HTTP_PROTOCOL_OPTIONS}")),
                );
            }
        }
        let typed = wire.typed_extension_protocol_options.get(HTTP_PROTOCOL_OPTIONS);
        match typed.and_then(unpack::<HttpProtocolOptions>) {
            Some(typed) => {
                let at = typed_at.key(HTTP_PROTOCOL_OPTIONS);
                Self::from_parts(
                    typed.common_http_protocol_options.as_ref(),
                    http1_options(&typed, &at),
                    upstream_protocol(&typed, &at),
                    typed.upstream_http_protocol_options.as_ref(),
                    &at,
                )
            }
            None => {
                let http2 = wire.http2_protocol_options.as_ref();
                let http2_at = at.field("http2_protocol_options");
                Self::from_parts(
                    wire.common_http_protocol_options.as_ref(),
                    Http1ProtocolOptions::from_wire(wire.http_protocol_options.as_ref(), at),
                    http2.map_or(UpstreamProtocol::Http1, |http2| {
                        UpstreamProtocol::Http2(Http2ProtocolOptions::from_wire(http2, &http2_at))
                    }),
                    wire.upstream_http_protocol_options.as_ref(),
                    at,
                )
            }
        }
    }

    fn from_parts(
        common: Option<&core::HttpProtocolOptions>,
        http1: Http1ProtocolOptions,
        upstream_protocol: UpstreamProtocol,
        upstream: Option<&core::UpstreamHttpProtocolOptions>,
        at: &At<'_>,
    ) -> Self {
        let auto_sni = upstream.map(|upstream| {
            AutoSni::from_wire(upstream, &at.field("upstream_http_protocol_options"))
        });
        let wire = common.cloned().unwrap_or_default();
        let at = at.field("common_http_protocol_options");
        let idle_timeout = wire.idle_timeout.as_ref();
        let duration_max = wire.max_stream_duration.as_ref();
        Self {
            idle_timeout: duration::or_off(idle_timeout, Some(IDLE_TIMEOUT), &at, "idle_timeout"),
            max_requests_per_connection: wire.max_requests_per_connection.map(|max| max.value),
            max_stream_duration: duration::or_off(duration_max, None, &at, "max_stream_duration"),
            max_headers_count: wire.max_headers_count.map_or(MAX_HEADERS_COUNT, |max| max.value),
            http1,
            upstream_protocol,
            auto_sni: auto_sni.unwrap_or_default(),
        }
    }
}

/// Without TLS there is no ALPN to choose by.
pub(super) fn refuse_auto_config(at: &At<'_>) {
    let note = Note::from("'auto_config' chooses by ALPN, so the transport socket must be TLS")
        .help("add a 'transport_socket' with an UpstreamTlsContext, or use 'explicit_http_config'");
    at.field("typed_extension_protocol_options")
        .key(HTTP_PROTOCOL_OPTIONS)
        .field("auto_config")
        .error_at_key(note);
}

/// The options of HTTP/1, wherever they stand.
fn http1_options(wire: &HttpProtocolOptions, at: &At<'_>) -> Http1ProtocolOptions {
    let (http1, holder) = match &wire.upstream_protocol_options {
        Some(UpstreamProtocolOptions::ExplicitHttpConfig(explicit)) => {
            let http1 = match &explicit.protocol_config {
                Some(ProtocolConfig::HttpProtocolOptions(http1)) => Some(http1),
                _ => None,
            };
            (http1, "explicit_http_config")
        }
        Some(UpstreamProtocolOptions::AutoConfig(auto)) => {
            (auto.http_protocol_options.as_ref(), "auto_config")
        }
        Some(UpstreamProtocolOptions::UseDownstreamProtocolConfig(downstream)) => {
            (downstream.http_protocol_options.as_ref(), "use_downstream_protocol_config")
        }
        None => return Http1ProtocolOptions::default(),
    };
    Http1ProtocolOptions::from_wire(http1, &at.field(holder))
}

fn upstream_protocol(wire: &HttpProtocolOptions, at: &At<'_>) -> UpstreamProtocol {
    let http2 = |wire: &core::Http2ProtocolOptions, holder| {
        Http2ProtocolOptions::from_wire(wire, &at.field(holder).field("http2_protocol_options"))
    };
    match &wire.upstream_protocol_options {
        Some(UpstreamProtocolOptions::ExplicitHttpConfig(explicit)) => {
            match &explicit.protocol_config {
                Some(ProtocolConfig::Http2ProtocolOptions(wire)) => {
                    UpstreamProtocol::Http2(http2(wire, "explicit_http_config"))
                }
                _ => UpstreamProtocol::Http1,
            }
        }
        Some(UpstreamProtocolOptions::AutoConfig(auto)) => {
            // Absent means the defaults.
            let options = auto.http2_protocol_options.clone().unwrap_or_default();
            UpstreamProtocol::Auto(http2(&options, "auto_config"))
        }
        Some(UpstreamProtocolOptions::UseDownstreamProtocolConfig(downstream)) => {
            match &downstream.http2_protocol_options {
                Some(wire) => {
                    UpstreamProtocol::Downstream(http2(wire, "use_downstream_protocol_config"))
                }
                None => UpstreamProtocol::Http1,
            }
        }
        None => UpstreamProtocol::Http1,
    }
}
