//! The extensions that fields may hold.

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
pub const EXTENSIONS: &[(&str, &[&str])] = &[
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
            "envoy.extensions.resource_monitors.cgroup_memory.v3.CgroupMemoryConfig",
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
