//! What ringmain does of Envoy's schema. Names are separated by blanks.
//!
//! A field that is not named here is refused. Fields that protobuf does not tell from absent when they
//! hold their default (`merge_slashes: false`) need no mention for that value.

/// What is done of one message.
pub(super) struct Message {
    /// The message's full name. Where the same message means less in some place, the full name
    /// of the field that holds it there stands before those.
    pub(super) name: &'static str,
    /// Fields that have their effect.
    pub(super) supported: &'static str,
    /// Fields without effect here, which the user is told of.
    pub(super) harmless: &'static str,
    /// Fields with the values that are supported: `field=VALUE|VALUE`.
    pub(super) limited: &'static str,
}

const NONE: Message = Message { name: "", supported: "", harmless: "", limited: "" };

pub(super) const MESSAGES: &[Message] = &[
    Message {
        name: "envoy.config.bootstrap.v3.Bootstrap",
        supported: "node static_resources admin overload_manager layered_runtime cluster_manager \
                    enable_dispatcher_stats",
        harmless: "stats_flush_interval",
        ..NONE
    },
    Message {
        name: "envoy.config.bootstrap.v3.Bootstrap.StaticResources",
        supported: "listeners clusters secrets",
        ..NONE
    },
    Message {
        name: "envoy.config.bootstrap.v3.ClusterManager",
        supported: "local_cluster_name outlier_detection",
        ..NONE
    },
    Message {
        name: "envoy.config.bootstrap.v3.ClusterManager.OutlierDetection",
        supported: "event_log_path",
        ..NONE
    },
    Message {
        name: "envoy.config.overload.v3.OverloadManager",
        supported: "refresh_interval resource_monitors actions",
        ..NONE
    },
    Message { name: "envoy.config.overload.v3.OverloadAction", supported: "name triggers", ..NONE },
    Message {
        name: "envoy.config.overload.v3.Trigger",
        supported: "name threshold scaled",
        ..NONE
    },
    Message { name: "envoy.config.overload.v3.ThresholdTrigger", supported: "value", ..NONE },
    Message {
        name: "envoy.config.overload.v3.ScaledTrigger",
        supported: "scaling_threshold saturation_threshold",
        ..NONE
    },
    Message {
        name: "envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig",
        supported: "max_heap_size_bytes",
        ..NONE
    },
    Message {
        name: "envoy.config.overload.v3.ResourceMonitor",
        supported: "name typed_config",
        ..NONE
    },
    Message {
        name: "envoy.extensions.resource_monitors.downstream_connections.v3.\
               DownstreamConnectionsConfig",
        supported: "max_active_downstream_connections",
        ..NONE
    },
    Message { name: "envoy.config.bootstrap.v3.LayeredRuntime", supported: "layers", ..NONE },
    Message {
        name: "envoy.config.bootstrap.v3.RuntimeLayer",
        supported: "name static_layer",
        ..NONE
    },
    Message {
        name: "envoy.config.bootstrap.v3.Admin",
        supported: "address",
        harmless: "access_log_path access_log profile_path ignore_global_conn_limit",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.Node",
        supported: "id cluster locality",
        harmless: "metadata user_agent_name user_agent_version user_agent_build_version",
        ..NONE
    },
    Message { name: "envoy.config.core.v3.Locality", supported: "region zone sub_zone", ..NONE },
    Message { name: "envoy.config.core.v3.Metadata", supported: "filter_metadata", ..NONE },
    Message { name: "envoy.config.core.v3.Address", supported: "socket_address", ..NONE },
    Message {
        name: "envoy.config.core.v3.SocketAddress",
        supported: "address port_value",
        limited: "protocol=TCP",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.CidrRange",
        supported: "address_prefix prefix_len",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.DataSource",
        supported: "filename inline_bytes inline_string environment_variable",
        ..NONE
    },
    Message {
        name: "envoy.config.listener.v3.Listener",
        supported: "name address additional_addresses stat_prefix filter_chains \
                    default_filter_chain metadata tcp_backlog_size tcp_keepalive \
                    tcp_fast_open_queue_length freebind transparent socket_options \
                    enable_reuse_port traffic_direction ignore_global_conn_limit listener_filters \
                    listener_filters_timeout continue_on_listener_filters_timeout bind_to_port \
                    use_original_dst",
        harmless: "per_connection_buffer_limit_bytes max_connections_to_accept_per_socket_event bypass_overload_manager",
        limited: "reuse_port=true",
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
    Message {
        name: "envoy.config.core.v3.TransportSocket",
        supported: "name typed_config",
        ..NONE
    },
    Message { name: "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer", ..NONE },
    Message {
        name: "envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport",
        supported: "config transport_socket",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.ProxyProtocolConfig",
        supported: "version pass_through_tlvs added_tlvs",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.ProxyProtocolPassThroughTLVs",
        supported: "match_type tlv_type",
        ..NONE
    },
    Message { name: "envoy.config.core.v3.TlvEntry", supported: "type value", ..NONE },
    Message {
        name: "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        supported: "stat_prefix cluster weighted_clusters idle_timeout max_connect_attempts \
                    max_downstream_connection_duration backoff_options hash_policy \
                    max_downstream_connection_duration_jitter_percentage access_log \
                    access_log_options metadata_match \
                    access_log_flush_interval flush_access_log_on_connected",
        limited: "upstream_connect_mode=IMMEDIATE check_drain_close=false",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster",
        supported: "clusters",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster.ClusterWeight",
        supported: "name weight metadata_match",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.TcpAccessLogOptions",
        supported: "access_log_flush_interval flush_access_log_on_connected \
                    flush_access_log_on_start",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.BackoffStrategy",
        supported: "base_interval max_interval",
        ..NONE
    },
    Message { name: "envoy.type.v3.HashPolicy", supported: "source_ip", ..NONE },
    Message { name: "envoy.type.v3.HashPolicy.SourceIp", ..NONE },
    Message {
        name: "envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit",
        supported: "stat_prefix max_connections delay runtime_enabled",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit",
        supported: "stat_prefix token_bucket runtime_enabled share_key",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.RuntimeFeatureFlag",
        supported: "default_value",
        harmless: "runtime_key",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.network.rbac.v3.RBAC",
        supported: "rules matcher shadow_rules shadow_matcher shadow_rules_stat_prefix stat_prefix \
                    delay_deny",
        limited: "enforcement_type=ONE_TIME_ON_FIRST_BYTE",
        ..NONE
    },
    Message { name: "envoy.extensions.filters.network.sni_cluster.v3.SniCluster", ..NONE },
    Message { name: "envoy.extensions.filters.network.echo.v3.Echo", ..NONE },
    Message {
        name: "envoy.extensions.filters.network.direct_response.v3.Config",
        supported: "response",
        ..NONE
    },
    Message {
        name: "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        supported: "common_tls_context require_client_certificate require_sni session_timeout \
                    session_ticket_keys session_ticket_keys_sds_secret_config \
                    disable_stateless_session_resumption \
                    full_scan_certs_on_sni_mismatch prefer_client_ciphers",
        limited: "disable_stateful_session_resumption=true ocsp_staple_policy=LENIENT_STAPLING",
        ..NONE
    },
    Message {
        name: "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        supported: "common_tls_context sni auto_host_sni auto_sni_san_validation max_session_keys",
        ..NONE
    },
    Message {
        name: "envoy.extensions.transport_sockets.tls.v3.CommonTlsContext",
        supported: "tls_params tls_certificates tls_certificate_sds_secret_configs \
                    validation_context validation_context_sds_secret_config \
                    combined_validation_context alpn_protocols",
        ..NONE
    },
    Message {
        name: "envoy.extensions.transport_sockets.tls.v3.Secret",
        supported: "name tls_certificate session_ticket_keys validation_context",
        ..NONE
    },
    Message {
        name: "envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig",
        supported: "name sds_config",
        ..NONE
    },
    Message {
        name: "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext.\
               session_ticket_keys_sds_secret_config",
        supported: "name",
        ..NONE
    },
    Message {
        name: "envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig.sds_config",
        supported: "path path_config_source",
        harmless: "initial_fetch_timeout",
        limited: "resource_api_version=V3",
    },
    Message {
        name: "envoy.config.core.v3.PathConfigSource",
        supported: "path watched_directory",
        ..NONE
    },
    Message { name: "envoy.config.core.v3.WatchedDirectory", supported: "path", ..NONE },
    Message {
        name: "envoy.service.discovery.v3.DiscoveryResponse",
        supported: "resources",
        harmless: "version_info type_url nonce",
        ..NONE
    },
    Message {
        name: "envoy.extensions.transport_sockets.tls.v3.CommonTlsContext.\
               CombinedCertificateValidationContext",
        supported: "default_validation_context validation_context_sds_secret_config",
        ..NONE
    },
    Message {
        name: "envoy.extensions.transport_sockets.tls.v3.TlsParameters",
        supported: "cipher_suites ecdh_curves",
        limited: "tls_minimum_protocol_version=TLS_AUTO|TLSv1_2|TLSv1_3 \
                  tls_maximum_protocol_version=TLS_AUTO|TLSv1_2|TLSv1_3",
        ..NONE
    },
    Message {
        name: "envoy.extensions.transport_sockets.tls.v3.TlsCertificate",
        supported: "certificate_chain private_key watched_directory",
        ..NONE
    },
    Message {
        name: "envoy.extensions.transport_sockets.tls.v3.TlsSessionTicketKeys",
        supported: "keys",
        ..NONE
    },
    Message {
        name: "envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext",
        supported: "trusted_ca verify_certificate_spki verify_certificate_hash \
                    match_typed_subject_alt_names match_subject_alt_names crl \
                    only_verify_leaf_cert_crl allow_expired_certificate trust_chain_verification \
                    suppress_client_ca_list watched_directory",
        ..NONE
    },
    Message {
        name: "envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher",
        supported: "matcher",
        limited: "san_type=EMAIL|DNS|URI|IP_ADDRESS",
        ..NONE
    },
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
                    stream_error_on_invalid_http_message",
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
        supported: "cidr_ranges",
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
                    connection_keepalive",
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
        name: "envoy.config.core.v3.SchemeHeaderTransformation",
        supported: "scheme_to_overwrite",
        limited: "match_upstream=false",
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
    Message {
        name: "envoy.extensions.filters.http.buffer.v3.Buffer",
        supported: "max_request_bytes",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.http.buffer.v3.BufferPerRoute",
        supported: "disabled buffer",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.http.basic_auth.v3.BasicAuth",
        supported: "users forward_username_header authentication_header allow_missing",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.http.basic_auth.v3.BasicAuthPerRoute",
        supported: "users",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.http.csrf.v3.CsrfPolicy",
        supported: "filter_enabled shadow_enabled additional_origins",
        ..NONE
    },
    Message { name: "envoy.extensions.filters.http.cors.v3.Cors", ..NONE },
    Message {
        name: "envoy.extensions.filters.http.cors.v3.CorsPolicy",
        supported: "allow_origin_string_match allow_methods allow_headers expose_headers max_age \
                    allow_credentials filter_enabled shadow_enabled allow_private_network_access \
                    forward_not_matching_preflights",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.http.fault.v3.HTTPFault",
        supported: "delay abort response_rate_limit upstream_cluster headers downstream_nodes \
                    max_active_faults",
        harmless: "delay_percent_runtime abort_percent_runtime delay_duration_runtime \
                   abort_http_status_runtime max_active_faults_runtime \
                   response_rate_limit_percent_runtime abort_grpc_status_runtime \
                   disable_downstream_cluster_stats",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.http.fault.v3.FaultAbort",
        supported: "http_status grpc_status header_abort percentage response_body",
        ..NONE
    },
    Message { name: "envoy.extensions.filters.http.fault.v3.FaultAbort.HeaderAbort", ..NONE },
    Message {
        name: "envoy.extensions.filters.common.fault.v3.FaultDelay",
        supported: "fixed_delay header_delay percentage",
        ..NONE
    },
    Message { name: "envoy.extensions.filters.common.fault.v3.FaultDelay.HeaderDelay", ..NONE },
    Message {
        name: "envoy.extensions.filters.common.fault.v3.FaultRateLimit",
        supported: "fixed_limit header_limit percentage",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.common.fault.v3.FaultRateLimit.FixedLimit",
        supported: "limit_kbps",
        ..NONE
    },
    Message { name: "envoy.extensions.filters.common.fault.v3.FaultRateLimit.HeaderLimit", ..NONE },
    Message {
        name: "envoy.extensions.filters.http.health_check.v3.HealthCheck",
        supported: "pass_through_mode cache_time headers cluster_min_healthy_percentages",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
        supported: "stat_prefix status token_bucket filter_enabled filter_enforced \
                    request_headers_to_add_when_not_enforced response_headers_to_add \
                    enable_x_ratelimit_headers rate_limited_as_resource_exhausted descriptors \
                    rate_limits stage vh_rate_limits always_consume_default_token_bucket \
                    local_rate_limit_per_downstream_connection enable_retry_after_header",
        ..NONE
    },
    Message {
        name: "envoy.extensions.common.ratelimit.v3.LocalRateLimitDescriptor",
        supported: "entries token_bucket",
        ..NONE
    },
    Message {
        name: "envoy.extensions.common.ratelimit.v3.RateLimitDescriptor.Entry",
        supported: "key value",
        ..NONE
    },
    Message { name: "envoy.config.route.v3.RateLimit", supported: "stage actions", ..NONE },
    Message {
        name: "envoy.config.route.v3.RateLimit.Action",
        supported: "source_cluster destination_cluster request_headers query_parameters \
                    remote_address masked_remote_address generic_key header_value_match \
                    query_parameter_value_match remote_address_match",
        ..NONE
    },
    Message { name: "envoy.config.route.v3.RateLimit.Action.SourceCluster", ..NONE },
    Message { name: "envoy.config.route.v3.RateLimit.Action.DestinationCluster", ..NONE },
    Message {
        name: "envoy.config.route.v3.RateLimit.Action.RequestHeaders",
        supported: "header_name descriptor_key skip_if_absent",
        ..NONE
    },
    Message {
        name: "envoy.config.route.v3.RateLimit.Action.QueryParameters",
        supported: "query_parameter_name descriptor_key skip_if_absent",
        ..NONE
    },
    Message { name: "envoy.config.route.v3.RateLimit.Action.RemoteAddress", ..NONE },
    Message {
        name: "envoy.config.route.v3.RateLimit.Action.MaskedRemoteAddress",
        supported: "v4_prefix_mask_len v6_prefix_mask_len",
        ..NONE
    },
    Message {
        name: "envoy.config.route.v3.RateLimit.Action.GenericKey",
        supported: "descriptor_value descriptor_key",
        ..NONE
    },
    Message {
        name: "envoy.config.route.v3.RateLimit.Action.HeaderValueMatch",
        supported: "descriptor_value descriptor_key expect_match headers",
        ..NONE
    },
    Message {
        name: "envoy.config.route.v3.RateLimit.Action.QueryParameterValueMatch",
        supported: "descriptor_value descriptor_key expect_match query_parameters",
        ..NONE
    },
    Message {
        name: "envoy.config.route.v3.RateLimit.Action.RemoteAddressMatch",
        supported: "descriptor_value descriptor_key address_matcher",
        ..NONE
    },
    Message {
        name: "envoy.type.matcher.v3.AddressMatcher",
        supported: "ranges invert_match",
        ..NONE
    },
    Message { name: "envoy.type.v3.HttpStatus", supported: "code", ..NONE },
    Message {
        name: "envoy.type.v3.TokenBucket",
        supported: "max_tokens tokens_per_fill fill_interval",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
        supported: "mutations most_specific_header_mutations_wins",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.http.header_mutation.v3.HeaderMutationPerRoute",
        supported: "mutations",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.http.header_mutation.v3.Mutations",
        supported: "request_mutations response_mutations",
        ..NONE
    },
    Message {
        name: "envoy.config.common.mutation_rules.v3.HeaderMutation",
        supported: "remove append remove_on_match",
        ..NONE
    },
    Message {
        name: "envoy.config.common.mutation_rules.v3.HeaderMutation.RemoveOnMatch",
        supported: "key_matcher",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.http.rbac.v3.RBAC",
        supported: "rules matcher rules_stat_prefix shadow_rules shadow_matcher \
                    shadow_rules_stat_prefix track_per_rule_stats",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.http.rbac.v3.RBACPerRoute",
        supported: "rbac",
        ..NONE
    },
    // Counted are the decisions of all routes as the filter's own.
    Message {
        name: "envoy.extensions.filters.http.rbac.v3.RBACPerRoute.rbac",
        supported: "rules matcher shadow_rules shadow_matcher",
        harmless: "rules_stat_prefix shadow_rules_stat_prefix",
        ..NONE
    },
    Message { name: "envoy.config.rbac.v3.RBAC", supported: "action policies", ..NONE },
    Message { name: "envoy.config.rbac.v3.Policy", supported: "permissions principals", ..NONE },
    Message {
        name: "envoy.config.rbac.v3.Permission",
        supported: "and_rules or_rules any header url_path destination_ip destination_port \
                    destination_port_range metadata not_rule requested_server_name \
                    sourced_metadata",
        ..NONE
    },
    Message { name: "envoy.config.rbac.v3.Permission.Set", supported: "rules", ..NONE },
    Message {
        name: "envoy.config.rbac.v3.Principal",
        supported: "and_ids or_ids any authenticated source_ip direct_remote_ip remote_ip header \
                    url_path metadata not_id sourced_metadata",
        ..NONE
    },
    Message { name: "envoy.config.rbac.v3.Principal.Set", supported: "ids", ..NONE },
    Message {
        name: "envoy.config.rbac.v3.Principal.Authenticated",
        supported: "principal_name",
        ..NONE
    },
    Message {
        name: "envoy.config.rbac.v3.SourcedMetadata",
        supported: "metadata_matcher metadata_source",
        ..NONE
    },
    Message { name: "envoy.config.rbac.v3.Action", supported: "name action", ..NONE },
    Message {
        name: "xds.type.matcher.v3.Matcher",
        supported: "matcher_list matcher_tree on_no_match",
        ..NONE
    },
    Message { name: "xds.type.matcher.v3.Matcher.OnMatch", supported: "matcher action", ..NONE },
    Message { name: "xds.type.matcher.v3.Matcher.MatcherList", supported: "matchers", ..NONE },
    Message {
        name: "xds.type.matcher.v3.Matcher.MatcherList.FieldMatcher",
        supported: "predicate on_match",
        ..NONE
    },
    Message {
        name: "xds.type.matcher.v3.Matcher.MatcherList.Predicate",
        supported: "single_predicate or_matcher and_matcher not_matcher",
        ..NONE
    },
    Message {
        name: "xds.type.matcher.v3.Matcher.MatcherList.Predicate.PredicateList",
        supported: "predicate",
        ..NONE
    },
    Message {
        name: "xds.type.matcher.v3.Matcher.MatcherList.Predicate.SinglePredicate",
        supported: "input value_match",
        ..NONE
    },
    Message {
        name: "xds.type.matcher.v3.Matcher.MatcherTree",
        supported: "input exact_match_map prefix_match_map custom_match",
        ..NONE
    },
    Message { name: "xds.type.matcher.v3.Matcher.MatcherTree.MatchMap", supported: "map", ..NONE },
    Message { name: "xds.type.matcher.v3.IPMatcher", supported: "range_matchers", ..NONE },
    Message {
        name: "xds.type.matcher.v3.IPMatcher.IPRangeMatcher",
        supported: "ranges on_match exclusive",
        ..NONE
    },
    Message {
        name: "xds.type.matcher.v3.StringMatcher",
        supported: "exact prefix suffix contains safe_regex ignore_case",
        ..NONE
    },
    Message { name: "xds.type.matcher.v3.RegexMatcher", supported: "regex google_re2", ..NONE },
    Message { name: "xds.type.matcher.v3.RegexMatcher.GoogleRE2", ..NONE },
    Message { name: "xds.core.v3.TypedExtensionConfig", supported: "name typed_config", ..NONE },
    Message { name: "xds.core.v3.CidrRange", supported: "address_prefix prefix_len", ..NONE },
    Message {
        name: "envoy.extensions.matching.common_inputs.network.v3.DestinationIPInput",
        ..NONE
    },
    Message {
        name: "envoy.extensions.matching.common_inputs.network.v3.DestinationPortInput",
        ..NONE
    },
    Message { name: "envoy.extensions.matching.common_inputs.network.v3.SourceIPInput", ..NONE },
    Message { name: "envoy.extensions.matching.common_inputs.network.v3.SourcePortInput", ..NONE },
    Message {
        name: "envoy.extensions.matching.common_inputs.network.v3.DirectSourceIPInput",
        ..NONE
    },
    Message { name: "envoy.extensions.matching.common_inputs.network.v3.ServerNameInput", ..NONE },
    Message { name: "envoy.extensions.matching.common_inputs.ssl.v3.UriSanInput", ..NONE },
    Message { name: "envoy.extensions.matching.common_inputs.ssl.v3.DnsSanInput", ..NONE },
    Message { name: "envoy.extensions.matching.common_inputs.ssl.v3.SubjectInput", ..NONE },
    Message {
        name: "envoy.type.matcher.v3.HttpRequestHeaderMatchInput",
        supported: "header_name",
        ..NONE
    },
    Message { name: "envoy.type.matcher.v3.PathMatcher", supported: "path", ..NONE },
    Message { name: "envoy.type.v3.Int32Range", supported: "start end", ..NONE },
    Message {
        name: "envoy.config.route.v3.FilterConfig",
        supported: "config disabled",
        harmless: "is_optional",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.http.router.v3.Router",
        supported: "suppress_envoy_headers",
        harmless: "start_child_span",
        limited: "dynamic_stats=true reject_connect_request_early_data=false",
        ..NONE
    },
    Message {
        name: "envoy.config.route.v3.RouteConfiguration",
        supported: "name virtual_hosts request_headers_to_add request_headers_to_remove \
                    response_headers_to_add response_headers_to_remove validate_clusters \
                    most_specific_header_mutations_wins max_direct_response_body_size_bytes metadata \
                    ignore_port_in_host_matching vhost_header \
                    ignore_path_parameters_in_path_matching typed_per_filter_config \
                    request_mirror_policies",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.network.http_connection_manager.v3.ScopedRoutes",
        supported: "name scope_key_builder scoped_route_configurations_list",
        harmless: "rds_config_source",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.network.http_connection_manager.v3.ScopedRoutes.\
               ScopeKeyBuilder",
        supported: "fragments",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.network.http_connection_manager.v3.ScopedRoutes.\
               ScopeKeyBuilder.FragmentBuilder",
        supported: "header_value_extractor",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.network.http_connection_manager.v3.ScopedRoutes.\
               ScopeKeyBuilder.FragmentBuilder.HeaderValueExtractor",
        supported: "name element_separator index element",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.network.http_connection_manager.v3.ScopedRoutes.\
               ScopeKeyBuilder.FragmentBuilder.HeaderValueExtractor.KvElement",
        supported: "separator key",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.network.http_connection_manager.v3.\
               ScopedRouteConfigurationsList",
        supported: "scoped_route_configurations",
        ..NONE
    },
    Message {
        name: "envoy.config.route.v3.ScopedRouteConfiguration",
        supported: "name key route_configuration",
        ..NONE
    },
    Message {
        name: "envoy.config.route.v3.ScopedRouteConfiguration.Key",
        supported: "fragments",
        ..NONE
    },
    Message {
        name: "envoy.config.route.v3.ScopedRouteConfiguration.Key.Fragment",
        supported: "string_key",
        ..NONE
    },
    Message {
        name: "envoy.config.route.v3.VirtualHost",
        supported: "name domains routes require_tls request_headers_to_add request_headers_to_remove \
                    response_headers_to_add response_headers_to_remove metadata \
                    include_request_attempt_count include_attempt_count_in_response retry_policy \
                    hedge_policy \
                    per_request_buffer_limit_bytes request_body_buffer_limit \
                    typed_per_filter_config virtual_clusters request_mirror_policies rate_limits",
        ..NONE
    },
    Message { name: "envoy.config.route.v3.VirtualCluster", supported: "name headers", ..NONE },
    Message {
        name: "envoy.config.route.v3.Route",
        supported: "name match route redirect direct_response non_forwarding_action metadata \
                    request_headers_to_add request_headers_to_remove response_headers_to_add \
                    response_headers_to_remove per_request_buffer_limit_bytes \
                    request_body_buffer_limit typed_per_filter_config \
                    stat_prefix",
        // They say something of traces, which there are none of without the manager's `tracing`.
        harmless: "decorator tracing",
        ..NONE
    },
    Message {
        name: "envoy.config.route.v3.RouteMatch",
        supported: "prefix path path_separated_prefix safe_regex path_match_policy connect_matcher \
                    case_sensitive headers query_parameters cookies grpc runtime_fraction tls_context \
                    dynamic_metadata",
        ..NONE
    },
    Message { name: "envoy.config.route.v3.RouteMatch.GrpcRouteMatchOptions", ..NONE },
    Message {
        name: "envoy.config.route.v3.RouteMatch.TlsContextMatchOptions",
        supported: "presented validated",
        ..NONE
    },
    Message { name: "envoy.config.route.v3.RouteMatch.ConnectMatcher", ..NONE },
    Message {
        name: "envoy.config.core.v3.TypedExtensionConfig",
        supported: "name typed_config",
        ..NONE
    },
    Message {
        name: "envoy.extensions.path.rewrite.uri_template.v3.UriTemplateRewriteConfig",
        supported: "path_template_rewrite",
        ..NONE
    },
    Message {
        name: "envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig",
        supported: "path_template",
        ..NONE
    },
    Message {
        name: "envoy.config.route.v3.HeaderMatcher",
        supported: "name exact_match safe_regex_match range_match present_match prefix_match \
                    suffix_match contains_match string_match invert_match \
                    treat_missing_header_as_empty",
        ..NONE
    },
    Message {
        name: "envoy.config.route.v3.QueryParameterMatcher",
        supported: "name string_match present_match",
        ..NONE
    },
    Message {
        name: "envoy.config.route.v3.CookieMatcher",
        supported: "name string_match invert_match",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.RuntimeFractionalPercent",
        supported: "default_value runtime_key",
        ..NONE
    },
    Message { name: "envoy.type.v3.FractionalPercent", supported: "numerator denominator", ..NONE },
    Message { name: "envoy.type.v3.Int64Range", supported: "start end", ..NONE },
    Message { name: "envoy.type.v3.DoubleRange", supported: "start end", ..NONE },
    Message {
        name: "envoy.type.matcher.v3.StringMatcher",
        supported: "exact prefix suffix contains safe_regex ignore_case",
        ..NONE
    },
    Message { name: "envoy.type.matcher.v3.RegexMatcher", supported: "regex google_re2", ..NONE },
    Message {
        name: "envoy.type.matcher.v3.RegexMatcher.GoogleRE2",
        harmless: "max_program_size",
        ..NONE
    },
    Message {
        name: "envoy.type.matcher.v3.MetadataMatcher",
        supported: "filter path value invert",
        ..NONE
    },
    Message { name: "envoy.type.matcher.v3.MetadataMatcher.PathSegment", supported: "key", ..NONE },
    Message {
        name: "envoy.type.matcher.v3.ValueMatcher",
        supported: "null_match double_match string_match bool_match present_match list_match or_match",
        ..NONE
    },
    Message { name: "envoy.type.matcher.v3.ValueMatcher.NullMatch", ..NONE },
    Message { name: "envoy.type.matcher.v3.DoubleMatcher", supported: "range exact", ..NONE },
    Message { name: "envoy.type.matcher.v3.ListMatcher", supported: "one_of", ..NONE },
    Message { name: "envoy.type.matcher.v3.OrMatcher", supported: "value_matchers", ..NONE },
    Message {
        name: "envoy.config.route.v3.RouteAction",
        supported: "cluster cluster_header weighted_clusters cluster_not_found_response_code timeout idle_timeout prefix_rewrite \
                    regex_rewrite path_rewrite host_rewrite_literal host_rewrite_header \
                    host_rewrite_path_regex host_rewrite append_x_forwarded_host retry_policy priority \
                    max_stream_duration auto_host_rewrite path_rewrite_policy hash_policy \
                    request_mirror_policies internal_redirect_policy internal_redirect_action \
                    max_internal_redirects metadata_match upgrade_configs rate_limits \
                    include_vh_rate_limits hedge_policy",
        ..NONE
    },
    Message {
        name: "envoy.config.route.v3.HedgePolicy",
        supported: "hedge_on_per_try_timeout",
        // Envoy does nothing by them either.
        harmless: "initial_requests additional_request_chance",
        ..NONE
    },
    Message {
        name: "envoy.config.route.v3.InternalRedirectPolicy",
        supported: "max_internal_redirects redirect_response_codes predicates \
                    allow_cross_scheme_redirect response_headers_to_copy",
        ..NONE
    },
    Message {
        name: "envoy.extensions.internal_redirect.previous_routes.v3.PreviousRoutesConfig",
        ..NONE
    },
    Message {
        name: "envoy.extensions.internal_redirect.allow_listed_routes.v3.AllowListedRoutesConfig",
        supported: "allowed_route_names",
        ..NONE
    },
    Message {
        name: "envoy.extensions.internal_redirect.safe_cross_scheme.v3.SafeCrossSchemeConfig",
        ..NONE
    },
    Message {
        name: "envoy.config.route.v3.RouteAction.RequestMirrorPolicy",
        supported: "cluster cluster_header runtime_fraction disable_shadow_host_suffix_append \
                    request_headers_mutations host_rewrite_literal",
        // There is no tracing that it could be sampled for.
        harmless: "trace_sampled",
        ..NONE
    },
    Message {
        name: "envoy.config.route.v3.RouteAction.UpgradeConfig",
        supported: "upgrade_type enabled connect_config",
        ..NONE
    },
    Message { name: "envoy.config.route.v3.RouteAction.UpgradeConfig.ConnectConfig", ..NONE },
    Message {
        name: "envoy.config.route.v3.RouteAction.HashPolicy",
        supported: "header cookie connection_properties query_parameter terminal",
        ..NONE
    },
    Message {
        name: "envoy.config.route.v3.RouteAction.HashPolicy.Header",
        supported: "header_name",
        ..NONE
    },
    Message {
        name: "envoy.config.route.v3.RouteAction.HashPolicy.Cookie",
        supported: "name ttl path attributes",
        ..NONE
    },
    Message {
        name: "envoy.config.route.v3.RouteAction.HashPolicy.CookieAttribute",
        supported: "name value",
        ..NONE
    },
    Message {
        name: "envoy.config.route.v3.RouteAction.HashPolicy.ConnectionProperties",
        supported: "source_ip",
        ..NONE
    },
    Message {
        name: "envoy.config.route.v3.RouteAction.HashPolicy.QueryParameter",
        supported: "name",
        ..NONE
    },
    Message {
        name: "envoy.config.route.v3.WeightedCluster",
        supported: "clusters header_name",
        harmless: "runtime_key_prefix total_weight",
        ..NONE
    },
    Message {
        name: "envoy.config.route.v3.WeightedCluster.ClusterWeight",
        supported: "name cluster_header weight request_headers_to_add request_headers_to_remove \
                    response_headers_to_add response_headers_to_remove host_rewrite_literal \
                    typed_per_filter_config metadata_match",
        ..NONE
    },
    Message {
        name: "envoy.config.route.v3.RetryPolicy",
        supported: "retry_on num_retries per_try_timeout per_try_idle_timeout \
                    retry_host_predicate host_selection_retry_max_attempts retry_priority \
                    retriable_status_codes retriable_headers retriable_request_headers \
                    retry_back_off rate_limited_retry_back_off",
        ..NONE
    },
    Message {
        name: "envoy.config.route.v3.RetryPolicy.RetryHostPredicate",
        supported: "name typed_config",
        ..NONE
    },
    Message {
        name: "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
        ..NONE
    },
    Message {
        name: "envoy.extensions.retry.host.omit_canary_hosts.v3.OmitCanaryHostsPredicate",
        ..NONE
    },
    Message {
        name: "envoy.extensions.retry.host.omit_host_metadata.v3.OmitHostMetadataConfig",
        supported: "metadata_match",
        ..NONE
    },
    Message {
        name: "envoy.config.route.v3.RetryPolicy.RetryPriority",
        supported: "name typed_config",
        ..NONE
    },
    Message {
        name: "envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig",
        supported: "update_frequency",
        ..NONE
    },
    Message {
        name: "envoy.config.route.v3.RetryPolicy.RetryBackOff",
        supported: "base_interval max_interval",
        ..NONE
    },
    Message {
        name: "envoy.config.route.v3.RetryPolicy.RateLimitedRetryBackOff",
        supported: "reset_headers max_interval",
        ..NONE
    },
    Message {
        name: "envoy.config.route.v3.RetryPolicy.ResetHeader",
        supported: "name format",
        ..NONE
    },
    Message {
        name: "envoy.config.route.v3.RouteAction.MaxStreamDuration",
        supported: "max_stream_duration grpc_timeout_header_max grpc_timeout_header_offset",
        ..NONE
    },
    Message {
        name: "envoy.config.route.v3.RedirectAction",
        supported: "https_redirect scheme_redirect host_redirect port_redirect path_redirect \
                    prefix_rewrite regex_rewrite path_rewrite strip_query response_code",
        ..NONE
    },
    Message {
        name: "envoy.type.matcher.v3.RegexMatchAndSubstitute",
        supported: "pattern substitution",
        ..NONE
    },
    Message {
        name: "envoy.config.route.v3.DirectResponseAction",
        supported: "status body",
        ..NONE
    },
    Message { name: "envoy.config.route.v3.NonForwardingAction", ..NONE },
    Message {
        name: "envoy.config.core.v3.HeaderValueOption",
        supported: "header append append_action keep_empty_value",
        ..NONE
    },
    Message { name: "envoy.config.core.v3.HeaderValue", supported: "key value", ..NONE },
    Message {
        name: "envoy.config.cluster.v3.Cluster",
        supported: "name alt_stat_name connect_timeout load_assignment metadata circuit_breakers \
                    ring_hash_lb_config maglev_lb_config least_request_lb_config \
                    round_robin_lb_config common_lb_config load_balancing_policy \
                    lb_subset_config \
                    max_requests_per_connection \
                    common_http_protocol_options http_protocol_options \
                    http2_protocol_options typed_extension_protocol_options upstream_http_protocol_options dns_refresh_rate dns_lookup_family respect_dns_ttl transport_socket transport_socket_matches \
                    dns_failure_refresh_rate dns_jitter dns_resolvers use_tcp_for_dns_lookups \
                    dns_resolution_config typed_dns_resolver_config wait_for_warm_on_init \
                    cluster_type health_checks outlier_detection",
        harmless: "per_connection_buffer_limit_bytes",
        limited: "type=STATIC|STRICT_DNS|LOGICAL_DNS \
                  lb_policy=ROUND_ROBIN|LEAST_REQUEST|RANDOM|RING_HASH|MAGLEV|LOAD_BALANCING_POLICY_CONFIG \
                  protocol_selection=USE_CONFIGURED_PROTOCOL",
    },
    Message {
        name: "envoy.config.cluster.v3.Cluster.TransportSocketMatch",
        supported: "name match transport_socket",
        ..NONE
    },
    Message {
        name: "envoy.config.cluster.v3.Cluster.CommonLbConfig",
        supported: "healthy_panic_threshold zone_aware_lb_config locality_weighted_lb_config \
                    consistent_hashing_lb_config ignore_new_hosts_until_first_hc \
                    close_connections_on_host_set_change",
        // Changes are told at once, however many there are.
        harmless: "update_merge_window",
        ..NONE
    },
    Message {
        name: "envoy.config.cluster.v3.Cluster.CommonLbConfig.ZoneAwareLbConfig",
        supported: "routing_enabled min_cluster_size fail_traffic_on_panic",
        ..NONE
    },
    Message {
        name: "envoy.config.cluster.v3.Cluster.CommonLbConfig.LocalityWeightedLbConfig",
        ..NONE
    },
    Message {
        name: "envoy.config.cluster.v3.Cluster.CommonLbConfig.ConsistentHashingLbConfig",
        supported: "use_hostname_for_hashing hash_balance_factor",
        ..NONE
    },
    Message {
        name: "envoy.config.cluster.v3.Cluster.LbSubsetConfig",
        supported: "fallback_policy default_subset subset_selectors locality_weight_aware \
                    scale_locality_weight panic_mode_any list_as_any metadata_fallback_policy",
        ..NONE
    },
    Message {
        name: "envoy.config.cluster.v3.Cluster.LbSubsetConfig.LbSubsetSelector",
        supported: "keys single_host_per_subset fallback_policy fallback_keys_subset",
        ..NONE
    },
    Message {
        name: "envoy.config.cluster.v3.Cluster.RingHashLbConfig",
        supported: "minimum_ring_size maximum_ring_size hash_function",
        ..NONE
    },
    Message {
        name: "envoy.config.cluster.v3.Cluster.MaglevLbConfig",
        supported: "table_size",
        ..NONE
    },
    Message {
        name: "envoy.config.cluster.v3.Cluster.LeastRequestLbConfig",
        supported: "choice_count active_request_bias slow_start_config",
        ..NONE
    },
    Message {
        name: "envoy.config.cluster.v3.Cluster.RoundRobinLbConfig",
        supported: "slow_start_config",
        ..NONE
    },
    Message {
        name: "envoy.config.cluster.v3.Cluster.SlowStartConfig",
        supported: "slow_start_window aggression min_weight_percent",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.RuntimeDouble",
        supported: "default_value",
        // A static runtime holds no such value.
        harmless: "runtime_key",
        ..NONE
    },
    Message { name: "envoy.config.cluster.v3.LoadBalancingPolicy", supported: "policies", ..NONE },
    Message {
        name: "envoy.config.cluster.v3.LoadBalancingPolicy.Policy",
        supported: "typed_extension_config",
        ..NONE
    },
    Message {
        name: "envoy.extensions.load_balancing_policies.round_robin.v3.RoundRobin",
        supported: "slow_start_config locality_lb_config",
        ..NONE
    },
    Message {
        name: "envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest",
        supported: "choice_count active_request_bias slow_start_config locality_lb_config \
                    enable_full_scan selection_method",
        ..NONE
    },
    Message {
        name: "envoy.extensions.load_balancing_policies.random.v3.Random",
        supported: "locality_lb_config",
        ..NONE
    },
    Message {
        name: "envoy.extensions.load_balancing_policies.ring_hash.v3.RingHash",
        supported: "hash_function minimum_ring_size maximum_ring_size use_hostname_for_hashing \
                    hash_balance_factor consistent_hashing_lb_config locality_weighted_lb_config",
        ..NONE
    },
    Message {
        name: "envoy.extensions.load_balancing_policies.maglev.v3.Maglev",
        supported: "table_size consistent_hashing_lb_config locality_weighted_lb_config",
        ..NONE
    },
    Message {
        name: "envoy.extensions.load_balancing_policies.subset.v3.Subset",
        supported: "fallback_policy default_subset subset_selectors allow_redundant_keys \
                    locality_weight_aware scale_locality_weight panic_mode_any list_as_any \
                    metadata_fallback_policy subset_lb_policy",
        ..NONE
    },
    Message {
        name: "envoy.extensions.load_balancing_policies.subset.v3.Subset.LbSubsetSelector",
        supported: "keys single_host_per_subset fallback_policy fallback_keys_subset",
        ..NONE
    },
    Message {
        name: "envoy.extensions.load_balancing_policies.common.v3.SlowStartConfig",
        supported: "slow_start_window aggression min_weight_percent",
        ..NONE
    },
    Message {
        name: "envoy.extensions.load_balancing_policies.common.v3.LocalityLbConfig",
        supported: "zone_aware_lb_config locality_weighted_lb_config",
        ..NONE
    },
    Message {
        name: "envoy.extensions.load_balancing_policies.common.v3.LocalityLbConfig.\
               LocalityWeightedLbConfig",
        ..NONE
    },
    Message {
        name: "envoy.extensions.load_balancing_policies.common.v3.LocalityLbConfig.\
               ZoneAwareLbConfig",
        supported: "routing_enabled min_cluster_size fail_traffic_on_panic \
                    force_locality_direct_routing",
        ..NONE
    },
    Message {
        name: "envoy.extensions.load_balancing_policies.common.v3.ConsistentHashingLbConfig",
        supported: "use_hostname_for_hashing hash_balance_factor",
        ..NONE
    },
    Message {
        name: "envoy.config.cluster.v3.Cluster.CustomClusterType",
        supported: "name typed_config",
        ..NONE
    },
    Message {
        name: "envoy.config.cluster.v3.Cluster.RefreshRate",
        supported: "base_interval max_interval",
        ..NONE
    },
    Message {
        name: "envoy.extensions.clusters.dns.v3.DnsCluster",
        supported: "dns_refresh_rate dns_failure_refresh_rate respect_dns_ttl dns_jitter \
                    typed_dns_resolver_config dns_lookup_family all_addresses_in_single_endpoint \
                    dns_min_refresh_rate",
        ..NONE
    },
    Message {
        name: "envoy.extensions.clusters.dns.v3.DnsCluster.RefreshRate",
        supported: "base_interval max_interval",
        ..NONE
    },
    Message {
        name: "envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig",
        supported: "resolvers use_resolvers_as_fallback dns_resolver_options \
                    query_timeout_seconds query_tries rotate_nameservers",
        // Each look-up has a socket of its own.
        harmless: "udp_max_queries",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.DnsResolutionConfig",
        supported: "resolvers dns_resolver_options",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.DnsResolverOptions",
        supported: "use_tcp_for_dns_lookups no_default_search_domain",
        ..NONE
    },
    Message {
        name: "ringmain.clusters.ecs.v1.EcsCluster",
        supported: "cluster service family region container_name port_name port role_arn \
                    external_id endpoint ec2_endpoint refresh_interval unknown_health \
                    deployment_weights empty_set_grace max_removal_percent snapshot_path \
                    wait_for_first_discovery metadata_tags",
        ..NONE
    },
    Message {
        name: "ringmain.clusters.cloud_map.v1.CloudMapCluster",
        supported: "namespace service region role_arn external_id endpoint refresh_interval \
                    health_status query_parameters port empty_set_grace max_removal_percent \
                    snapshot_path wait_for_first_discovery",
        ..NONE
    },
    Message {
        name: "envoy.config.cluster.v3.Cluster.common_http_protocol_options",
        supported: "idle_timeout max_requests_per_connection max_headers_count",
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
        supported: "idle_timeout max_requests_per_connection max_headers_count",
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
    Message {
        name: "envoy.config.cluster.v3.CircuitBreakers",
        supported: "thresholds per_host_thresholds",
        ..NONE
    },
    Message {
        name: "envoy.config.cluster.v3.CircuitBreakers.Thresholds",
        supported: "priority max_connections max_pending_requests max_requests max_retries \
                    retry_budget track_remaining",
        ..NONE
    },
    Message {
        name: "envoy.config.cluster.v3.CircuitBreakers.per_host_thresholds",
        supported: "priority max_connections",
        ..NONE
    },
    Message {
        name: "envoy.config.cluster.v3.CircuitBreakers.Thresholds.RetryBudget",
        supported: "budget_percent min_retry_concurrency",
        ..NONE
    },
    Message {
        name: "envoy.config.cluster.v3.OutlierDetection",
        supported: "consecutive_5xx interval base_ejection_time max_ejection_percent \
                    enforcing_consecutive_5xx enforcing_success_rate success_rate_minimum_hosts \
                    success_rate_request_volume success_rate_stdev_factor \
                    consecutive_gateway_failure enforcing_consecutive_gateway_failure \
                    split_external_local_origin_errors consecutive_local_origin_failure \
                    enforcing_consecutive_local_origin_failure \
                    enforcing_local_origin_success_rate failure_percentage_threshold \
                    enforcing_failure_percentage enforcing_failure_percentage_local_origin \
                    failure_percentage_minimum_hosts failure_percentage_request_volume \
                    max_ejection_time max_ejection_time_jitter \
                    successful_active_health_check_uneject_host always_eject_one_host",
        limited: "detect_degraded_hosts=false",
        ..NONE
    },
    Message { name: "envoy.type.v3.Percent", supported: "value", ..NONE },
    Message {
        name: "envoy.config.endpoint.v3.ClusterLoadAssignment",
        supported: "cluster_name endpoints policy",
        ..NONE
    },
    Message {
        name: "envoy.config.endpoint.v3.ClusterLoadAssignment.Policy",
        supported: "overprovisioning_factor weighted_priority_health",
        ..NONE
    },
    Message {
        name: "envoy.config.endpoint.v3.LocalityLbEndpoints",
        supported: "locality lb_endpoints metadata priority load_balancing_weight",
        harmless: "proximity",
        ..NONE
    },
    Message {
        name: "envoy.config.endpoint.v3.LbEndpoint",
        supported: "endpoint metadata load_balancing_weight health_status",
        ..NONE
    },
    Message {
        name: "envoy.config.endpoint.v3.Endpoint",
        supported: "address hostname health_check_config",
        ..NONE
    },
    Message {
        name: "envoy.config.endpoint.v3.Endpoint.HealthCheckConfig",
        supported: "port_value hostname address disable_active_health_check",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.HealthCheck",
        supported: "timeout interval initial_jitter interval_jitter interval_jitter_percent \
                    unhealthy_threshold healthy_threshold reuse_connection http_health_check \
                    tcp_health_check grpc_health_check no_traffic_interval \
                    no_traffic_healthy_interval unhealthy_interval unhealthy_edge_interval \
                    healthy_edge_interval event_log_path event_logger \
                    always_log_health_check_failures always_log_health_check_success tls_options",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.HealthCheck.HttpHealthCheck",
        supported: "host path send receive response_buffer_size request_headers_to_add \
                    request_headers_to_remove expected_statuses retriable_statuses \
                    service_name_matcher method",
        limited: "codec_client_type=HTTP1|HTTP2",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.HealthCheck.TcpHealthCheck",
        supported: "send receive",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.HealthCheck.GrpcHealthCheck",
        supported: "service_name authority initial_metadata",
        ..NONE
    },
    Message { name: "envoy.config.core.v3.HealthCheck.Payload", supported: "text binary", ..NONE },
    Message {
        name: "envoy.config.core.v3.HealthCheck.TlsOptions",
        supported: "alpn_protocols",
        ..NONE
    },
    Message {
        name: "envoy.extensions.health_check.event_sinks.file.v3.HealthCheckEventFileSink",
        supported: "event_log_path",
        ..NONE
    },
    Message {
        name: "envoy.config.accesslog.v3.AccessLog",
        supported: "name filter typed_config",
        ..NONE
    },
    Message {
        name: "envoy.config.accesslog.v3.AccessLogFilter",
        supported: "status_code_filter duration_filter not_health_check_filter traceable_filter \
                    runtime_filter and_filter or_filter header_filter response_flag_filter \
                    grpc_status_filter metadata_filter log_type_filter",
        ..NONE
    },
    Message { name: "envoy.config.accesslog.v3.StatusCodeFilter", supported: "comparison", ..NONE },
    Message { name: "envoy.config.accesslog.v3.DurationFilter", supported: "comparison", ..NONE },
    Message { name: "envoy.config.accesslog.v3.ComparisonFilter", supported: "op value", ..NONE },
    Message {
        name: "envoy.config.core.v3.RuntimeUInt32",
        supported: "default_value runtime_key",
        ..NONE
    },
    Message { name: "envoy.config.accesslog.v3.NotHealthCheckFilter", ..NONE },
    Message { name: "envoy.config.accesslog.v3.TraceableFilter", ..NONE },
    Message {
        name: "envoy.config.accesslog.v3.RuntimeFilter",
        supported: "runtime_key percent_sampled use_independent_randomness",
        ..NONE
    },
    Message { name: "envoy.config.accesslog.v3.AndFilter", supported: "filters", ..NONE },
    Message { name: "envoy.config.accesslog.v3.OrFilter", supported: "filters", ..NONE },
    Message { name: "envoy.config.accesslog.v3.HeaderFilter", supported: "header", ..NONE },
    Message { name: "envoy.config.accesslog.v3.ResponseFlagFilter", supported: "flags", ..NONE },
    Message {
        name: "envoy.config.accesslog.v3.GrpcStatusFilter",
        supported: "statuses exclude",
        ..NONE
    },
    Message {
        name: "envoy.config.accesslog.v3.MetadataFilter",
        supported: "matcher match_if_key_not_found",
        ..NONE
    },
    Message { name: "envoy.config.accesslog.v3.LogTypeFilter", supported: "types exclude", ..NONE },
    Message {
        name: "envoy.extensions.access_loggers.file.v3.FileAccessLog",
        supported: "path format json_format typed_json_format log_format",
        ..NONE
    },
    Message {
        name: "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
        supported: "log_format",
        ..NONE
    },
    Message {
        name: "envoy.extensions.access_loggers.stream.v3.StderrAccessLog",
        supported: "log_format",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.SubstitutionFormatString",
        supported: "text_format text_format_source json_format omit_empty_values formatters \
                    json_format_options",
        harmless: "content_type",
        ..NONE
    },
    Message { name: "envoy.config.core.v3.JsonFormatOptions", harmless: "sort_properties", ..NONE },
    Message { name: "envoy.extensions.formatter.req_without_query.v3.ReqWithoutQuery", ..NONE },
    Message { name: "envoy.extensions.formatter.metadata.v3.Metadata", ..NONE },
];

/// What a level of a route configuration may say of an HTTP filter.
const PER_ROUTE: &[&str] = &[
    "envoy.config.route.v3.FilterConfig",
    "envoy.extensions.filters.http.basic_auth.v3.BasicAuthPerRoute",
    "envoy.extensions.filters.http.buffer.v3.BufferPerRoute",
    "envoy.extensions.filters.http.cors.v3.CorsPolicy",
    "envoy.extensions.filters.http.csrf.v3.CsrfPolicy",
    "envoy.extensions.filters.http.fault.v3.HTTPFault",
    "envoy.extensions.filters.http.header_mutation.v3.HeaderMutationPerRoute",
    "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
    "envoy.extensions.filters.http.rbac.v3.RBACPerRoute",
];

/// The same, within a `FilterConfig`.
const PER_ROUTE_ITSELF: &[&str] = PER_ROUTE.split_at(1).1;

/// For each supported field that holds an extension (`google.protobuf.Any`), the messages it may hold.
pub(super) const EXTENSIONS: &[(&str, &[&str])] = &[
    (
        "envoy.config.core.v3.TypedExtensionConfig.typed_config",
        &[
            "envoy.extensions.formatter.metadata.v3.Metadata",
            "envoy.extensions.formatter.req_without_query.v3.ReqWithoutQuery",
            "envoy.extensions.health_check.event_sinks.file.v3.HealthCheckEventFileSink",
            "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
            "envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig",
            "envoy.extensions.http.original_ip_detection.custom_header.v3.CustomHeaderConfig",
            "envoy.extensions.http.original_ip_detection.xff.v3.XffConfig",
            "envoy.extensions.internal_redirect.allow_listed_routes.v3.AllowListedRoutesConfig",
            "envoy.extensions.internal_redirect.previous_routes.v3.PreviousRoutesConfig",
            "envoy.extensions.internal_redirect.safe_cross_scheme.v3.SafeCrossSchemeConfig",
            "envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest",
            "envoy.extensions.load_balancing_policies.maglev.v3.Maglev",
            "envoy.extensions.load_balancing_policies.random.v3.Random",
            "envoy.extensions.load_balancing_policies.ring_hash.v3.RingHash",
            "envoy.extensions.load_balancing_policies.round_robin.v3.RoundRobin",
            "envoy.extensions.load_balancing_policies.subset.v3.Subset",
            "envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig",
            "envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig",
            "envoy.extensions.path.rewrite.uri_template.v3.UriTemplateRewriteConfig",
        ],
    ),
    (
        "xds.core.v3.TypedExtensionConfig.typed_config",
        &[
            "envoy.config.rbac.v3.Action",
            "envoy.extensions.matching.common_inputs.network.v3.DestinationIPInput",
            "envoy.extensions.matching.common_inputs.network.v3.DestinationPortInput",
            "envoy.extensions.matching.common_inputs.network.v3.DirectSourceIPInput",
            "envoy.extensions.matching.common_inputs.network.v3.ServerNameInput",
            "envoy.extensions.matching.common_inputs.network.v3.SourceIPInput",
            "envoy.extensions.matching.common_inputs.network.v3.SourcePortInput",
            "envoy.extensions.matching.common_inputs.ssl.v3.DnsSanInput",
            "envoy.extensions.matching.common_inputs.ssl.v3.SubjectInput",
            "envoy.extensions.matching.common_inputs.ssl.v3.UriSanInput",
            "envoy.type.matcher.v3.HttpRequestHeaderMatchInput",
            "xds.type.matcher.v3.IPMatcher",
        ],
    ),
    (
        "envoy.config.overload.v3.ResourceMonitor.typed_config",
        &[
            "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
            "envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig",
        ],
    ),
    (
        "envoy.config.listener.v3.ListenerFilter.typed_config",
        &[
            "envoy.extensions.filters.listener.http_inspector.v3.HttpInspector",
            "envoy.extensions.filters.listener.original_dst.v3.OriginalDst",
            "envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol",
            "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
        ],
    ),
    (
        "envoy.config.listener.v3.Filter.typed_config",
        &[
            "envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit",
            "envoy.extensions.filters.network.direct_response.v3.Config",
            "envoy.extensions.filters.network.echo.v3.Echo",
            "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit",
            "envoy.extensions.filters.network.rbac.v3.RBAC",
            "envoy.extensions.filters.network.sni_cluster.v3.SniCluster",
            "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        ],
    ),
    (
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter.typed_config",
        &[
            "envoy.extensions.filters.http.basic_auth.v3.BasicAuth",
            "envoy.extensions.filters.http.buffer.v3.Buffer",
            "envoy.extensions.filters.http.cors.v3.Cors",
            "envoy.extensions.filters.http.csrf.v3.CsrfPolicy",
            "envoy.extensions.filters.http.fault.v3.HTTPFault",
            "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
            "envoy.extensions.filters.http.health_check.v3.HealthCheck",
            "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
            "envoy.extensions.filters.http.rbac.v3.RBAC",
            "envoy.extensions.filters.http.router.v3.Router",
        ],
    ),
    ("envoy.config.route.v3.RouteConfiguration.typed_per_filter_config", PER_ROUTE),
    ("envoy.config.route.v3.VirtualHost.typed_per_filter_config", PER_ROUTE),
    ("envoy.config.route.v3.Route.typed_per_filter_config", PER_ROUTE),
    ("envoy.config.route.v3.WeightedCluster.ClusterWeight.typed_per_filter_config", PER_ROUTE),
    ("envoy.config.route.v3.FilterConfig.config", PER_ROUTE_ITSELF),
    (
        "envoy.config.core.v3.TransportSocket.typed_config",
        &[
            "envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport",
            "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer",
            "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        ],
    ),
    (
        "envoy.config.cluster.v3.Cluster.typed_extension_protocol_options",
        &["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"],
    ),
    (
        "envoy.service.discovery.v3.DiscoveryResponse.resources",
        &["envoy.extensions.transport_sockets.tls.v3.Secret"],
    ),
    (
        "envoy.config.cluster.v3.Cluster.CustomClusterType.typed_config",
        &[
            "envoy.extensions.clusters.dns.v3.DnsCluster",
            "ringmain.clusters.cloud_map.v1.CloudMapCluster",
            "ringmain.clusters.ecs.v1.EcsCluster",
        ],
    ),
    (
        "envoy.config.route.v3.RetryPolicy.RetryHostPredicate.typed_config",
        &[
            "envoy.extensions.retry.host.omit_canary_hosts.v3.OmitCanaryHostsPredicate",
            "envoy.extensions.retry.host.omit_host_metadata.v3.OmitHostMetadataConfig",
            "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
        ],
    ),
    (
        "envoy.config.route.v3.RetryPolicy.RetryPriority.typed_config",
        &["envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig"],
    ),
    (
        "envoy.config.accesslog.v3.AccessLog.typed_config",
        &[
            "envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
            "envoy.extensions.access_loggers.stream.v3.StderrAccessLog",
        ],
    ),
];
