//! Envoy's names of what cannot happen here. A dashboard or an alert made for Envoy looks for them
//! and finds zero, which is what they are. What is counted elsewhere under one of these names is
//! added to them when all stats are put together, so a name may stand here and there.

/// Names below a scope, separated by blanks.
#[derive(Debug)]
pub struct Names {
    /// Those that only grow.
    pub counters: &'static str,
    /// Those that rise and fall.
    pub gauges: &'static str,
}

/// `http1.`, and `cluster.<name>.http1.` of clusters that have spoken it.
pub const HTTP1: Names = Names {
    counters: "dropped_headers_with_underscores metadata_not_supported_error \
        requests_rejected_with_underscores_in_headers response_flood",
    gauges: "",
};

/// `<side>_ssl_socket_factory.`, with `<side>` `client` in a cluster and `server` in a listener: secrets are
/// there at start.
pub const SSL_SOCKET_FACTORY: Names = Names {
    counters: "downstream_context_secrets_not_ready upstream_context_secrets_not_ready",
    gauges: "",
};

/// `cluster.<name>.`
pub const CLUSTER: Names = Names {
    counters: "assignment_stale assignment_timeout_received assignment_use_cached \
        original_dst_host_invalid upstream_cx_connect_with_0_rtt upstream_cx_http3_total \
        upstream_cx_max_duration_reached upstream_cx_pool_overflow \
        upstream_cx_preconnect_skipped upstream_http3_broken upstream_rq_0rtt \
        upstream_rq_maintenance_mode upstream_rq_rx_reset_no_error",
    gauges: "circuit_breakers.default.cx_pool_open circuit_breakers.high.cx_pool_open \
        lb_subsets_active max_host_weight upstream_cx_rx_bytes_buffered \
        upstream_cx_tx_bytes_buffered upstream_queue_overloaded version warming_state",
};

/// Those that Envoy writes, if only a zero, as soon as it serves: `usedonly` shows them.
const WRITTEN: [&str; 15] = [
    "circuit_breakers.default.cx_pool_open",
    "compilation_settings.fips_mode",
    "default.total_match_count",
    "downstream_cx_rx_bytes_buffered",
    "downstream_pre_cx_active",
    "dynamic_unknown_fields",
    "main_thread.clusters_inflated",
    "static_unknown_fields",
    "stats_recent_lookups",
    "total_listeners_warming",
    "upstream_cx_rx_bytes_buffered",
    "warming_clusters",
    "warming_state",
    "wip_protos",
    "write_total_buffered",
];

/// Whether Envoy writes `name` as soon as it serves.
pub fn is_written(name: &str) -> bool {
    WRITTEN.contains(&name)
}

impl Names {
    /// Whether `name` is one of them.
    pub fn have(&self, name: &str) -> bool {
        self.counters
            .split_whitespace()
            .chain(self.gauges.split_whitespace())
            .any(|one| one == name)
    }
}

/// `http.<stat_prefix>.` of every connection manager, that of admin too.
pub const HTTP: Names = Names {
    counters: "downstream_cx_delayed_close_timeout downstream_cx_destroy \
        downstream_cx_destroy_active_rq downstream_cx_destroy_local \
        downstream_cx_destroy_local_active_rq downstream_cx_destroy_remote \
        downstream_cx_destroy_remote_active_rq downstream_cx_drain_close \
        downstream_cx_http1_total downstream_cx_http2_total \
        downstream_cx_http3_total downstream_cx_idle_timeout \
        downstream_cx_max_duration_reached downstream_cx_max_requests_reached \
        downstream_cx_overload_disable_keepalive downstream_cx_protocol_error \
        downstream_cx_rx_bytes_total downstream_cx_ssl_total downstream_cx_total \
        downstream_cx_tx_bytes_total downstream_cx_upgrades_total \
        downstream_flow_control_paused_reading_total \
        downstream_flow_control_resumed_reading_total downstream_rq_1xx downstream_rq_2xx \
        downstream_rq_3xx downstream_rq_4xx downstream_rq_5xx downstream_rq_completed \
        downstream_rq_failed_path_normalization downstream_rq_header_timeout \
        downstream_rq_http1_total downstream_rq_http2_total downstream_rq_http3_total \
        downstream_rq_idle_timeout downstream_rq_max_duration_reached \
        downstream_rq_non_relative_path downstream_rq_overload_close \
        downstream_rq_redirected_with_normalized_path downstream_rq_rejected_via_ip_detection \
        downstream_rq_response_before_rq_complete downstream_rq_rx_reset downstream_rq_timeout \
        downstream_rq_too_large downstream_rq_too_many_premature_resets downstream_rq_total \
        downstream_rq_tx_reset downstream_rq_ws_on_non_ws_route rs_too_large",
    gauges: "downstream_cx_active downstream_cx_http1_active downstream_cx_http1_soft_drain \
        downstream_cx_http2_active \
        downstream_cx_http3_active downstream_cx_rx_bytes_buffered downstream_cx_ssl_active \
        downstream_cx_tx_bytes_buffered downstream_cx_upgrades_active downstream_rq_active",
};

/// `http.<stat_prefix>.` of the connection managers that route.
pub const ROUTER: Names = Names {
    counters: "no_cluster no_route passthrough_internal_redirect_bad_location \
        passthrough_internal_redirect_no_route passthrough_internal_redirect_predicate \
        passthrough_internal_redirect_too_many_redirects \
        passthrough_internal_redirect_unsafe_scheme rq_direct_response \
        rq_overload_local_reply rq_redirect rq_reset_after_downstream_response_started rq_total \
        tracing.client_enabled tracing.health_check tracing.not_traceable \
        tracing.random_sampling tracing.service_forced",
    gauges: "",
};

/// `tcp.<stat_prefix>.`
pub const TCP_PROXY: Names = Names {
    counters: "downstream_cx_drain_close downstream_cx_overload_close \
        early_data_received_count_total \
        route_delayed_total upstream_flush_total",
    gauges: "downstream_cx_rx_bytes_buffered downstream_cx_tx_bytes_buffered \
        upstream_flush_active",
};

/// `listener.<address>.`, and `listener.admin.` of the admin listener.
pub const LISTENER: Names = Names {
    counters: "downstream_cx_destroy downstream_cx_overflow downstream_cx_overload_reject \
        downstream_cx_total downstream_cx_transport_socket_connect_timeout \
        downstream_global_cx_overflow downstream_listener_filter_error \
        downstream_listener_filter_remote_close downstream_pre_cx_timeout no_filter_chain_match",
    gauges: "downstream_cx_active downstream_pre_cx_active",
};

/// `listener.<address>.` of listeners with filters.
pub const LISTENER_FILTERS: Names =
    Names { counters: "extension_config_missing network_extension_config_missing", gauges: "" };

/// Names of the process, without a scope of their own.
pub const PROCESS: [(&str, Names); 9] = [
    (
        "cluster_manager",
        Names {
            counters: "cluster_modified cluster_removed cluster_updated \
                cluster_updated_via_merge update_merge_cancelled update_out_of_merge_window",
            gauges: "warming_clusters",
        },
    ),
    ("envoy", Names { counters: "overload_actions.reset_high_memory_stream.count", gauges: "" }),
    ("filesystem", Names { counters: "", gauges: "write_total_buffered" }),
    (
        "listener_manager",
        Names {
            counters: "listener_create_failure listener_in_place_updated listener_modified \
                listener_removed listener_stopped",
            gauges: "total_filter_chains_draining total_listeners_draining \
                total_listeners_warming workers_pinned",
        },
    ),
    ("main_thread", Names { counters: "watchdog_mega_miss watchdog_miss", gauges: "" }),
    (
        "runtime",
        Names {
            counters: "deprecated_feature_use load_error override_dir_exists",
            gauges: "admin_overrides_active deprecated_feature_seen_since_process_start",
        },
    ),
    (
        "server",
        Names {
            counters: "debug_assertion_failures dropped_stat_flushes dynamic_unknown_fields \
                envoy_bug_failures envoy_notifications main_thread.watchdog_mega_miss \
                main_thread.watchdog_miss static_unknown_fields wip_protos",
            gauges: "compilation_settings.fips_mode parent_connections stats_recent_lookups",
        },
    ),
    ("workers", Names { counters: "watchdog_mega_miss watchdog_miss", gauges: "" }),
    (
        "thread_local_cluster_manager",
        Names { counters: "", gauges: "main_thread.clusters_inflated" },
    ),
];

/// `server.worker_<n>.`
pub const SERVER_WORKER: Names = Names { counters: "watchdog_mega_miss watchdog_miss", gauges: "" };
