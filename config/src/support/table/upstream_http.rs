//! The protocols spoken to upstreams.

use super::{Message, NONE};

pub(super) const MESSAGES: &[Message] = &[
    Message {
        name: "envoy.config.cluster.v3.Cluster.common_http_protocol_options",
        supported: "idle_timeout max_requests_per_connection max_stream_duration max_headers_count",
        ..NONE
    },
    Message {
        name: "envoy.config.cluster.v3.Cluster.http_protocol_options",
        supported: "enable_trailers header_key_format",
        ..NONE
    },
    Message {
        name: "envoy.config.cluster.v3.Cluster.http2_protocol_options",
        supported: "hpack_table_size max_concurrent_streams initial_stream_window_size \
                    initial_connection_window_size connection_keepalive",
        // Upgrades reach the hosts in any case, as in Envoy.
        harmless: "allow_connect",
        ..NONE
    },
    Message {
        name: "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        supported: "common_http_protocol_options explicit_http_config auto_config \
                    use_downstream_protocol_config upstream_http_protocol_options",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.UpstreamHttpProtocolOptions",
        supported: "auto_sni auto_san_validation override_auto_sni_header",
        ..NONE
    },
    Message {
        name: "envoy.extensions.upstreams.http.v3.HttpProtocolOptions.common_http_protocol_options",
        supported: "idle_timeout max_requests_per_connection max_stream_duration max_headers_count",
        ..NONE
    },
    Message {
        name: "envoy.extensions.upstreams.http.v3.HttpProtocolOptions.ExplicitHttpConfig",
        supported: "http_protocol_options http2_protocol_options",
        ..NONE
    },
    Message {
        name: "envoy.extensions.upstreams.http.v3.HttpProtocolOptions.ExplicitHttpConfig.\
               http2_protocol_options",
        supported: "hpack_table_size max_concurrent_streams initial_stream_window_size \
                    initial_connection_window_size connection_keepalive",
        // Upgrades reach the hosts in any case, as in Envoy.
        harmless: "allow_connect",
        ..NONE
    },
    Message {
        name: "envoy.extensions.upstreams.http.v3.HttpProtocolOptions.ExplicitHttpConfig.\
               http_protocol_options",
        supported: "enable_trailers header_key_format",
        ..NONE
    },
    Message {
        name: "envoy.extensions.upstreams.http.v3.HttpProtocolOptions.AutoHttpConfig",
        supported: "http_protocol_options http2_protocol_options",
        ..NONE
    },
    Message {
        name: "envoy.extensions.upstreams.http.v3.HttpProtocolOptions.AutoHttpConfig.\
               http2_protocol_options",
        supported: "hpack_table_size max_concurrent_streams initial_stream_window_size \
                    initial_connection_window_size connection_keepalive",
        // Upgrades reach the hosts in any case, as in Envoy.
        harmless: "allow_connect",
        ..NONE
    },
    Message {
        name: "envoy.extensions.upstreams.http.v3.HttpProtocolOptions.AutoHttpConfig.\
               http_protocol_options",
        supported: "enable_trailers header_key_format",
        ..NONE
    },
    Message {
        name: "envoy.extensions.upstreams.http.v3.HttpProtocolOptions.UseDownstreamHttpConfig",
        supported: "http_protocol_options http2_protocol_options",
        ..NONE
    },
    Message {
        name: "envoy.extensions.upstreams.http.v3.HttpProtocolOptions.UseDownstreamHttpConfig.\
               http2_protocol_options",
        supported: "hpack_table_size max_concurrent_streams initial_stream_window_size \
                    initial_connection_window_size connection_keepalive",
        // Upgrades reach the hosts in any case, as in Envoy.
        harmless: "allow_connect",
        ..NONE
    },
    Message {
        name: "envoy.extensions.upstreams.http.v3.HttpProtocolOptions.UseDownstreamHttpConfig.\
               http_protocol_options",
        supported: "enable_trailers header_key_format",
        ..NONE
    },
];
