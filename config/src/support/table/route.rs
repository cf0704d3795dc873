//! Route configurations: virtual hosts, routes and what they match.

use super::{Message, NONE};

pub(super) const MESSAGES: &[Message] = &[
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
                    include_request_attempt_count include_is_timeout_retry_header \
                    include_attempt_count_in_response retry_policy hedge_policy \
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
];
