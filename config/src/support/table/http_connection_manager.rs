//! The HTTP connection manager.

use super::{Message, NONE};

pub(super) const MESSAGES: &[Message] = &[
    Message {
        name: "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        supported: "stat_prefix drain_timeout route_config http_filters http_protocol_options server_name \
                    access_log use_remote_address generate_request_id \
                    forward_client_cert_details set_current_client_cert_details \
                    xff_num_trusted_hops skip_xff_append via stream_idle_timeout \
                    internal_address_config delayed_close_timeout request_timeout \
                    max_request_headers_kb preserve_external_request_id \
                    server_header_transformation common_http_protocol_options \
                    always_set_request_id_in_response request_headers_timeout \
                    scoped_routes normalize_path merge_slashes path_with_escaped_slashes_action \
                    strip_any_host_port strip_matching_host_port strip_trailing_host_dot \
                    access_log_options flush_access_log_on_new_request local_reply_config \
                    http2_protocol_options upgrade_configs original_ip_detection_extensions \
                    early_header_mutation_extensions add_user_agent scheme_header_transformation \
                    stream_error_on_invalid_http_message proxy_100_continue append_x_forwarded_port",
        limited: "codec_type=AUTO|HTTP1|HTTP2 \
                  add_proxy_protocol_connection_state=false",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.network.http_connection_manager.v3.\
               HttpConnectionManager.UpgradeConfig",
        supported: "upgrade_type enabled",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.network.http_connection_manager.v3.\
               HttpConnectionManager.HcmAccessLogOptions",
        supported: "flush_access_log_on_new_request",
        ..NONE
    },
    Message {
        name: "envoy.extensions.http.original_ip_detection.xff.v3.XffConfig",
        supported: "xff_num_trusted_hops xff_trusted_cidrs skip_xff_append",
        ..NONE
    },
    Message {
        name: "envoy.extensions.http.original_ip_detection.xff.v3.XffTrustedCidrs",
        supported: "cidrs",
        ..NONE
    },
    Message {
        name: "envoy.extensions.http.original_ip_detection.custom_header.v3.CustomHeaderConfig",
        supported: "header_name allow_extension_to_set_address_as_trusted reject_with_status",
        ..NONE
    },
    Message {
        name: "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
        supported: "mutations",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.network.http_connection_manager.v3.LocalReplyConfig",
        supported: "mappers body_format",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.network.http_connection_manager.v3.ResponseMapper",
        supported: "filter status_code body body_format_override headers_to_add",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.network.http_connection_manager.v3.\
               HttpConnectionManager.SetCurrentClientCertDetails",
        supported: "subject cert chain dns uri",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.network.http_connection_manager.v3.\
               HttpConnectionManager.InternalAddressConfig",
        supported: "cidr_ranges unix_sockets",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.network.http_connection_manager.v3.\
               HttpConnectionManager.common_http_protocol_options",
        supported: "idle_timeout max_connection_duration max_stream_duration max_headers_count \
                    max_requests_per_connection headers_with_underscores_action",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.network.http_connection_manager.v3.\
               HttpConnectionManager.http_protocol_options",
        supported: "allow_absolute_url accept_http_10 default_host_for_http_10 header_key_format \
                    enable_trailers override_stream_error_on_invalid_http_message",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.network.http_connection_manager.v3.\
               HttpConnectionManager.http2_protocol_options",
        supported: "hpack_table_size max_concurrent_streams initial_stream_window_size \
                    initial_connection_window_size \
                    max_consecutive_inbound_frames_with_empty_payload \
                    max_inbound_priority_frames_per_stream \
                    max_inbound_window_update_frames_per_data_frame_sent allow_connect \
                    connection_keepalive max_outbound_control_frames",
        limited: "allow_metadata=false \
                  override_stream_error_on_invalid_http_message=true",
        ..NONE
    },
    Message {
        name: "envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig",
        supported: "formatter_type_on_envoy_headers",
        limited: "forward_reason_phrase=false",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.KeepaliveSettings",
        supported: "interval timeout interval_jitter connection_idle_interval",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.Http1ProtocolOptions.HeaderKeyFormat",
        supported: "proper_case_words stateful_formatter",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.Http1ProtocolOptions.HeaderKeyFormat.ProperCaseWords",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter",
        supported: "name typed_config disabled",
        harmless: "is_optional",
        ..NONE
    },
];
