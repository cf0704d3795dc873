//! Clusters, endpoints and discovery.

use super::{Message, NONE};

pub(super) const MESSAGES: &[Message] = &[
    Message {
        name: "envoy.config.cluster.v3.Cluster",
        supported: "name alt_stat_name connect_timeout load_assignment metadata circuit_breakers \
                    ring_hash_lb_config maglev_lb_config least_request_lb_config \
                    round_robin_lb_config common_lb_config load_balancing_policy \
                    lb_subset_config upstream_bind_config upstream_connection_options preconnect_policy \
                    max_requests_per_connection \
                    common_http_protocol_options http_protocol_options \
                    http2_protocol_options typed_extension_protocol_options upstream_http_protocol_options dns_refresh_rate dns_lookup_family respect_dns_ttl transport_socket transport_socket_matches \
                    dns_failure_refresh_rate dns_jitter dns_resolvers use_tcp_for_dns_lookups \
                    dns_resolution_config typed_dns_resolver_config wait_for_warm_on_init \
                    cluster_type health_checks outlier_detection close_connections_on_host_health_failure",
        harmless: "per_connection_buffer_limit_bytes",
        limited: "type=STATIC|STRICT_DNS|LOGICAL_DNS \
                  lb_policy=ROUND_ROBIN|LEAST_REQUEST|RANDOM|RING_HASH|MAGLEV|LOAD_BALANCING_POLICY_CONFIG \
                  protocol_selection=USE_CONFIGURED_PROTOCOL \
                  ignore_health_on_host_removal=true",
    },
    Message {
        name: "envoy.config.cluster.v3.Cluster.PreconnectPolicy",
        supported: "per_upstream_preconnect_ratio predictive_preconnect_ratio",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.BindConfig",
        supported: "source_address extra_source_addresses freebind socket_options",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.ExtraSourceAddress",
        supported: "address socket_options",
        ..NONE
    },
    Message {
        name: "envoy.config.cluster.v3.UpstreamConnectionOptions",
        supported: "tcp_keepalive",
        ..NONE
    },
    Message {
        name: "envoy.config.cluster.v3.Cluster.TransportSocketMatch",
        supported: "name match transport_socket",
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
        name: "envoy.config.endpoint.v3.ClusterLoadAssignment",
        supported: "cluster_name endpoints policy",
        ..NONE
    },
    Message {
        name: "envoy.config.endpoint.v3.ClusterLoadAssignment.Policy",
        supported: "overprovisioning_factor weighted_priority_health drop_overloads",
        ..NONE
    },
    // `category` names the drops in load reports, which are refused; it is required, so a warning would
    // come with each.
    Message {
        name: "envoy.config.endpoint.v3.ClusterLoadAssignment.Policy.DropOverload",
        supported: "category drop_percentage",
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
];
