//! What a route does with a request.

use super::{Message, NONE};

pub(super) const MESSAGES: &[Message] = &[
    Message {
        name: "envoy.extensions.path.rewrite.uri_template.v3.UriTemplateRewriteConfig",
        supported: "path_template_rewrite",
        ..NONE
    },
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
        supported: "header cookie connection_properties query_parameter filter_state terminal",
        ..NONE
    },
    Message {
        name: "envoy.config.route.v3.RouteAction.HashPolicy.Header",
        supported: "header_name regex_rewrite",
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
        name: "envoy.config.route.v3.RouteAction.HashPolicy.FilterState",
        supported: "key",
        ..NONE
    },
    Message {
        name: "envoy.config.route.v3.WeightedCluster",
        supported: "clusters header_name use_hash_policy runtime_key_prefix",
        harmless: "total_weight",
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
        name: "envoy.config.route.v3.DirectResponseAction",
        supported: "status body",
        ..NONE
    },
    Message { name: "envoy.config.route.v3.NonForwardingAction", ..NONE },
];
