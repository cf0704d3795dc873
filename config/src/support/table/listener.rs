//! Listeners, filter chains and listener filters.

use super::{Message, NONE};

pub(super) const MESSAGES: &[Message] = &[
    Message {
        name: "envoy.config.listener.v3.Listener",
        supported: "name address additional_addresses stat_prefix filter_chains \
                    default_filter_chain metadata tcp_backlog_size tcp_keepalive \
                    tcp_fast_open_queue_length freebind transparent socket_options \
                    enable_reuse_port traffic_direction ignore_global_conn_limit listener_filters \
                    listener_filters_timeout continue_on_listener_filters_timeout bind_to_port \
                    use_original_dst access_log connection_balance_config",
        harmless: "per_connection_buffer_limit_bytes max_connections_to_accept_per_socket_event bypass_overload_manager",
        limited: "reuse_port=true",
    },
    Message {
        name: "envoy.config.listener.v3.Listener.ConnectionBalanceConfig",
        supported: "exact_balance",
        ..NONE
    },
    Message {
        name: "envoy.config.listener.v3.Listener.ConnectionBalanceConfig.ExactBalance",
        ..NONE
    },
    Message {
        name: "envoy.config.listener.v3.AdditionalAddress",
        supported: "address socket_options tcp_keepalive",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.SocketOptionsOverride",
        supported: "socket_options",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.SocketOption",
        supported: "description level name int_value buf_value state",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.TcpKeepalive",
        supported: "keepalive_probes keepalive_time keepalive_interval",
        ..NONE
    },
    Message {
        name: "envoy.config.listener.v3.ListenerFilter",
        supported: "name typed_config",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
        supported: "max_client_hello_size close_connection_on_client_hello_parsing_errors \
                    enable_ja3_fingerprinting enable_ja4_fingerprinting",
        harmless: "initial_read_buffer_size",
        ..NONE
    },
    Message { name: "envoy.extensions.filters.listener.http_inspector.v3.HttpInspector", ..NONE },
    Message {
        name: "envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol",
        supported: "allow_requests_without_proxy_protocol disallowed_versions stat_prefix \
                    pass_through_tlvs rules",
        limited: "tlv_location=DYNAMIC_METADATA",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol.Rule",
        supported: "tlv_type on_tlv_present",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol.KeyValuePair",
        supported: "metadata_namespace key",
        ..NONE
    },
    Message { name: "envoy.extensions.filters.listener.original_dst.v3.OriginalDst", ..NONE },
    Message {
        name: "envoy.config.listener.v3.FilterChain",
        supported: "name filter_chain_match filters metadata transport_socket \
                    transport_socket_connect_timeout",
        limited: "use_proxy_proto=false",
        ..NONE
    },
    Message {
        name: "envoy.config.listener.v3.FilterChainMatch",
        supported: "destination_port prefix_ranges server_names transport_protocol \
                    application_protocols direct_source_prefix_ranges source_type \
                    source_prefix_ranges source_ports",
        ..NONE
    },
    Message { name: "envoy.config.listener.v3.Filter", supported: "name typed_config", ..NONE },
];
