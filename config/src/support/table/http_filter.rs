//! HTTP filters and what levels of a route configuration say of them.

use super::{Message, NONE};

pub(super) const MESSAGES: &[Message] = &[
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
    Message {
        name: "envoy.extensions.filters.http.compressor.v3.Compressor",
        supported: "content_length content_type disable_on_etag_header \
                    remove_accept_encoding_header runtime_enabled compressor_library \
                    request_direction_config response_direction_config choose_first",
        ..NONE
    },
    // Supported where it says that requests are not compressed.
    Message {
        name: "envoy.extensions.filters.http.compressor.v3.Compressor.RequestDirectionConfig",
        supported: "common_config",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.http.compressor.v3.Compressor.ResponseDirectionConfig",
        supported: "common_config disable_on_etag_header weaken_etag_on_compress \
                    remove_accept_encoding_header uncompressible_response_codes \
                    status_header_enabled",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.http.compressor.v3.Compressor.CommonDirectionConfig",
        supported: "enabled min_content_length content_type content_type_matcher",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.http.compressor.v3.CompressorPerRoute",
        supported: "disabled overrides",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.http.compressor.v3.CompressorOverrides",
        supported: "response_direction_config compressor_library",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.http.compressor.v3.ResponseDirectionOverrides",
        supported: "remove_accept_encoding_header",
        ..NONE
    },
    // What takes memory is the library's own affair, and pieces leave as they come.
    Message {
        name: "envoy.extensions.compression.gzip.compressor.v3.Gzip",
        supported: "compression_level window_bits",
        harmless: "memory_level chunk_size",
        limited: "compression_strategy=DEFAULT_STRATEGY",
    },
    Message {
        name: "envoy.extensions.compression.brotli.compressor.v3.Brotli",
        supported: "quality encoder_mode window_bits input_block_bits \
                    disable_literal_context_modeling",
        harmless: "chunk_size",
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
                    max_active_faults delay_percent_runtime abort_percent_runtime \
                    delay_duration_runtime abort_http_status_runtime max_active_faults_runtime \
                    response_rate_limit_percent_runtime abort_grpc_status_runtime",
        harmless: "disable_downstream_cluster_stats",
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
        name: "envoy.extensions.filters.http.grpc_stats.v3.FilterConfig",
        supported: "emit_filter_state individual_method_stats_allowlist stats_for_all_methods \
                    replace_dots_in_grpc_service_name",
        limited: "enable_upstream_stats=false",
        ..NONE
    },
    Message { name: "envoy.config.core.v3.GrpcMethodList", supported: "services", ..NONE },
    Message {
        name: "envoy.config.core.v3.GrpcMethodList.Service",
        supported: "name method_names",
        ..NONE
    },
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
        name: "envoy.extensions.filters.http.header_to_metadata.v3.Config",
        supported: "request_rules response_rules stat_prefix",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.http.header_to_metadata.v3.Config.Rule",
        supported: "header cookie on_header_present on_header_missing remove",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.http.header_to_metadata.v3.Config.KeyValuePair",
        supported: "metadata_namespace key value regex_value_rewrite type encode",
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
    Message {
        name: "envoy.extensions.filters.http.set_filter_state.v3.Config",
        supported: "on_request_headers",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.common.set_filter_state.v3.FilterStateValue",
        supported: "object_key factory_key format_string skip_if_empty",
        harmless: "read_only",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.http.set_metadata.v3.Config",
        supported: "metadata_namespace value metadata",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.http.set_metadata.v3.Metadata",
        supported: "metadata_namespace allow_overwrite value",
        ..NONE
    },
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
    },
];
