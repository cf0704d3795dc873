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
    pub(super) max_headers_count: u32,
    pub(super) enable_trailers: bool,
    pub(super) upstream_protocol: UpstreamProtocol,
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
            Some(typed) => Self::from_parts(
                typed.common_http_protocol_options.as_ref(),
                explicit_http1(&typed),
                explicit_http2(&typed),
                &typed_at.key(HTTP_PROTOCOL_OPTIONS),
            ),
            None => Self::from_parts(
                wire.common_http_protocol_options.as_ref(),
                wire.http_protocol_options.as_ref(),
                wire.http2_protocol_options.as_ref(),
                at,
            ),
        }
    }

    fn from_parts(
        common: Option<&core::HttpProtocolOptions>,
        http1: Option<&core::Http1ProtocolOptions>,
        http2: Option<&core::Http2ProtocolOptions>,
        at: &At<'_>,
    ) -> Self {
        let wire = common.cloned().unwrap_or_default();
        let at = at.field("common_http_protocol_options");
        let idle_timeout = wire.idle_timeout.as_ref();
        Self {
            idle_timeout: duration::or_off(idle_timeout, Some(IDLE_TIMEOUT), &at, "idle_timeout"),
            max_requests_per_connection: wire.max_requests_per_connection.map(|max| max.value),
            max_headers_count: wire.max_headers_count.map_or(MAX_HEADERS_COUNT, |max| max.value),
            enable_trailers: http1.is_some_and(|http1| http1.enable_trailers),
            upstream_protocol: match http2 {
                Some(http2) => UpstreamProtocol::Http2(Http2ProtocolOptions::from_wire(http2)),
                None => UpstreamProtocol::Http1,
            },
        }
    }
}

fn explicit_http1(wire: &HttpProtocolOptions) -> Option<&core::Http1ProtocolOptions> {
    match explicit(wire)? {
        ProtocolConfig::HttpProtocolOptions(http1) => Some(http1),
        _ => None,
    }
}

fn explicit_http2(wire: &HttpProtocolOptions) -> Option<&core::Http2ProtocolOptions> {
    match explicit(wire)? {
        ProtocolConfig::Http2ProtocolOptions(http2) => Some(http2),
        _ => None,
    }
}

fn explicit(wire: &HttpProtocolOptions) -> Option<&ProtocolConfig> {
    match &wire.upstream_protocol_options {
        Some(UpstreamProtocolOptions::ExplicitHttpConfig(config)) => {
            config.protocol_config.as_ref()
        }
        _ => None,
    }
}
