//! Network filters, but for the HTTP connection manager.

use super::{Message, NONE};

pub(super) const MESSAGES: &[Message] = &[
    Message {
        name: "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        supported: "stat_prefix cluster weighted_clusters idle_timeout max_connect_attempts \
                    max_downstream_connection_duration backoff_options hash_policy \
                    max_downstream_connection_duration_jitter_percentage access_log \
                    access_log_options metadata_match tunneling_config \
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
        name: "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.TunnelingConfig",
        supported: "hostname use_post post_path headers_to_add",
        harmless: "propagate_response_headers propagate_response_trailers",
        ..NONE
    },
    Message {
        name: "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.TcpAccessLogOptions",
        supported: "access_log_flush_interval flush_access_log_on_connected \
                    flush_access_log_on_start",
        ..NONE
    },
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
];
