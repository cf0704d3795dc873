//! The names of each subsystem's stats, exactly as Envoy prints them behind the scope's prefix.

use super::{Counter, Kind, Pauses, Reading, stats_block};

stats_block! {
    /// `listener.<address>.`
    ListenerStats {
        counters {
            downstream_cx_destroy,
            downstream_cx_overflow,
            downstream_cx_overload_reject,
            downstream_cx_total,
            downstream_cx_transport_socket_connect_timeout,
            downstream_global_cx_overflow,
            downstream_listener_filter_error,
            downstream_listener_filter_remote_close,
            downstream_pre_cx_timeout,
            no_filter_chain_match,
        }
        gauges {
            downstream_cx_active,
            downstream_pre_cx_active,
        }
    }
}

stats_block! {
    /// `http.<stat_prefix>.` and `listener.<address>.http.<stat_prefix>.`: responses by class.
    ResponseClassStats {
        counters {
            downstream_rq_1xx,
            downstream_rq_2xx,
            downstream_rq_3xx,
            downstream_rq_4xx,
            downstream_rq_5xx,
            downstream_rq_completed,
        }
        gauges {}
    }
}

impl ResponseClassStats {
    /// Counts a finished response.
    pub fn count(&self, status: u16) {
        self.downstream_rq_completed.inc();
        match status / 100 {
            1 => self.downstream_rq_1xx.inc(),
            2 => self.downstream_rq_2xx.inc(),
            3 => self.downstream_rq_3xx.inc(),
            4 => self.downstream_rq_4xx.inc(),
            5 => self.downstream_rq_5xx.inc(),
            _ => {}
        }
    }
}

stats_block! {
    /// `http.<stat_prefix>.`
    HttpStats {
        counters {
            downstream_cx_delayed_close_timeout,
            downstream_cx_destroy,
            downstream_cx_destroy_active_rq,
            downstream_cx_destroy_local,
            downstream_cx_destroy_local_active_rq,
            downstream_cx_destroy_remote,
            downstream_cx_destroy_remote_active_rq,
            downstream_cx_drain_close,
            downstream_cx_http1_total,
            downstream_cx_http2_total,
            downstream_cx_idle_timeout,
            downstream_cx_max_duration_reached,
            downstream_cx_max_requests_reached,
            downstream_cx_overload_disable_keepalive,
            downstream_cx_protocol_error,
            downstream_cx_rx_bytes_total,
            downstream_cx_ssl_total,
            downstream_cx_total,
            downstream_cx_tx_bytes_total,
            downstream_cx_upgrades_total,
            downstream_flow_control_paused_reading_total,
            downstream_flow_control_resumed_reading_total,
            downstream_rq_failed_path_normalization,
            downstream_rq_header_timeout,
            downstream_rq_http1_total,
            downstream_rq_http2_total,
            downstream_rq_idle_timeout,
            downstream_rq_max_duration_reached,
            downstream_rq_non_relative_path,
            downstream_rq_overload_close,
            downstream_rq_redirected_with_normalized_path,
            downstream_rq_rejected_via_ip_detection,
            downstream_rq_response_before_rq_complete,
            downstream_rq_rx_reset,
            downstream_rq_timeout,
            downstream_rq_too_large,
            downstream_rq_too_many_premature_resets,
            downstream_rq_total,
            downstream_rq_tx_reset,
            downstream_rq_ws_on_non_ws_route,
            no_cluster,
            no_route,
            passthrough_internal_redirect_bad_location,
            passthrough_internal_redirect_no_route,
            passthrough_internal_redirect_predicate,
            passthrough_internal_redirect_too_many_redirects,
            passthrough_internal_redirect_unsafe_scheme,
            rq_direct_response,
            rq_redirect,
            rq_reset_after_downstream_response_started,
            rq_total,
        }
        gauges {
            downstream_cx_active,
            downstream_cx_http1_active,
            downstream_cx_http2_active,
            downstream_cx_ssl_active,
            downstream_cx_upgrades_active,
            downstream_rq_active,
        }
    }
}

impl HttpStats {
    /// Times that a client is not read because the host takes nothing.
    pub fn reading_pauses(&self) -> Pauses<'_> {
        Pauses {
            begun: &self.downstream_flow_control_paused_reading_total,
            over: &self.downstream_flow_control_resumed_reading_total,
        }
    }
}

stats_block! {
    /// `tls_inspector.`
    TlsInspectorStats {
        counters {
            alpn_found,
            alpn_not_found,
            client_hello_too_large,
            sni_found,
            sni_not_found,
            tls_found,
            tls_not_found,
        }
        gauges {}
    }
}

stats_block! {
    /// `http_inspector.`
    HttpInspectorStats {
        counters {
            http10_found,
            http11_found,
            http2_found,
            http_not_found,
            /// Envoy's, of reads that fail, which are `downstream_listener_filter_error` here.
            read_error,
        }
        gauges {}
    }
}

stats_block! {
    /// `proxy_proto.`
    ProxyProtocolStats {
        counters {
            not_found_allowed,
            not_found_disallowed,
        }
        gauges {}
    }
}

stats_block! {
    /// `proxy_proto.versions.<version>.`
    ProxyProtocolVersionStats {
        counters {
            disallowed,
            error,
            found,
        }
        gauges {}
    }
}

stats_block! {
    /// `tcp.<stat_prefix>.`
    TcpProxyStats {
        counters {
            downstream_cx_no_route,
            downstream_cx_rx_bytes_total,
            downstream_cx_total,
            downstream_cx_tx_bytes_total,
            downstream_flow_control_paused_reading_total,
            downstream_flow_control_resumed_reading_total,
            idle_timeout,
            max_downstream_connection_duration,
        }
        gauges {}
    }
}

impl TcpProxyStats {
    /// Times that the client is not read because the host takes nothing.
    pub fn reading_pauses(&self) -> Pauses<'_> {
        Pauses {
            begun: &self.downstream_flow_control_paused_reading_total,
            over: &self.downstream_flow_control_resumed_reading_total,
        }
    }
}

stats_block! {
    /// `cluster.<name>.`
    ClusterStats {
        counters {
            bind_errors,
            upstream_cx_close_notify,
            upstream_cx_connect_attempts_exceeded,
            upstream_cx_connect_fail,
            upstream_cx_connect_timeout,
            upstream_cx_destroy,
            upstream_cx_destroy_local,
            upstream_cx_destroy_local_with_active_rq,
            upstream_cx_destroy_remote,
            upstream_cx_destroy_remote_with_active_rq,
            upstream_cx_destroy_with_active_rq,
            upstream_cx_http1_total,
            upstream_cx_http2_total,
            upstream_cx_idle_timeout,
            upstream_cx_max_requests,
            upstream_cx_none_healthy,
            upstream_cx_overflow,
            upstream_cx_protocol_error,
            upstream_cx_rx_bytes_total,
            upstream_cx_total,
            upstream_cx_tx_bytes_total,
            upstream_flow_control_backed_up_total,
            upstream_flow_control_drained_total,
            upstream_flow_control_paused_reading_total,
            upstream_flow_control_resumed_reading_total,
            retry_or_shadow_abandoned,
            upstream_internal_redirect_failed_total,
            upstream_internal_redirect_succeeded_total,
            upstream_rq_active_overflow,
            upstream_rq_cancelled,
            upstream_rq_completed,
            upstream_rq_max_duration_reached,
            upstream_rq_pending_failure_eject,
            upstream_rq_pending_overflow,
            upstream_rq_pending_total,
            upstream_rq_per_try_idle_timeout,
            upstream_rq_per_try_timeout,
            upstream_rq_retry,
            upstream_rq_retry_backoff_exponential,
            upstream_rq_retry_backoff_ratelimited,
            upstream_rq_retry_limit_exceeded,
            upstream_rq_retry_overflow,
            upstream_rq_retry_success,
            upstream_rq_rx_reset,
            upstream_rq_timeout,
            upstream_rq_total,
            upstream_rq_tx_reset,
            /// Ours: requests sent again on a fresh connection after a reused one had died.
            upstream_rq_replayed,
        }
        gauges {
            upstream_cx_active,
            upstream_rq_active,
            upstream_rq_pending_active,
        }
    }
}

impl ClusterStats {
    /// Times that a host is not read because the client takes nothing.
    pub fn reading_pauses(&self) -> Pauses<'_> {
        Pauses {
            begun: &self.upstream_flow_control_paused_reading_total,
            over: &self.upstream_flow_control_resumed_reading_total,
        }
    }

    /// Times that a host takes nothing of a request.
    pub fn backlogs(&self) -> Pauses<'_> {
        Pauses {
            begun: &self.upstream_flow_control_backed_up_total,
            over: &self.upstream_flow_control_drained_total,
        }
    }
}

stats_block! {
    /// `cluster.<name>.` counters of load balancing.
    LbStats {
        counters {
            lb_healthy_panic,
            lb_local_cluster_not_ok,
            lb_recalculate_zone_structures,
            lb_subsets_created,
            lb_subsets_fallback,
            lb_subsets_fallback_panic,
            lb_subsets_removed,
            lb_subsets_selected,
            lb_zone_cluster_too_small,
            lb_zone_no_capacity_left,
            lb_zone_routing_all_directly,
            lb_zone_routing_cross_zone,
            lb_zone_routing_sampled,
        }
        gauges {}
    }
}

stats_block! {
    /// `vhost.<name>.vcluster.<name>.` and `vhost.<name>.route.<stat_prefix>.`
    RequestGroupStats {
        counters {
            upstream_rq_retry,
            upstream_rq_retry_limit_exceeded,
            upstream_rq_retry_overflow,
            upstream_rq_retry_success,
            upstream_rq_timeout,
            upstream_rq_total,
        }
        gauges {}
    }
}

stats_block! {
    /// A host's row in admin `/clusters`.
    HostStats {
        counters {
            cx_connect_fail,
            cx_total,
            rq_error,
            rq_success,
            rq_timeout,
            rq_total,
        }
        gauges {
            cx_active,
            rq_active,
            rq_pending_active,
        }
    }
}

stats_block! {
    /// `http2.`
    Http2Stats {
        counters {
            cookies_total_bytes_too_large,
            dropped_headers_with_underscores,
            goaway_sent,
            header_list_size_too_large,
            header_overflow,
            headers_cb_no_stream,
            inbound_empty_frames_flood,
            inbound_priority_frames_flood,
            inbound_window_update_frames_flood,
            keepalive_timeout,
            metadata_empty_frames,
            /// Connections that clients have opened.
            nghttp2_downstream_connections,
            nghttp2_upstream_connections,
            oghttp2_downstream_connections,
            oghttp2_upstream_connections,
            outbound_control_flood,
            outbound_flood,
            requests_rejected_with_underscores_in_headers,
            rx_messaging_error,
            rx_reset,
            stream_refused_errors,
            trailers,
            tx_flush_timeout,
            tx_reset,
        }
        gauges {
            deferred_stream_close,
            outbound_control_frames_active,
            outbound_frames_active,
            pending_send_bytes,
            streams_active,
        }
    }
}

stats_block! {
    /// `server.` counters that workers write.
    WorkerStats {
        counters {
            /// Ours: pauses of accepting for want of descriptors or memory.
            accept_pauses,
            /// Ours: connections closed because their task panicked.
            connection_panics,
            /// Ours: access log bytes dropped because the writer was behind.
            access_log_bytes_dropped,
        }
        gauges {}
    }
}

stats_block! {
    /// Ours, `server.`: what became of certificates whose files changed; the control thread writes.
    TlsReloadStats {
        counters {
            certificate_reload,
            certificate_reload_failure,
        }
        gauges {}
    }
}

stats_block! {
    /// `cluster.<name>.` counters of discovery; the control thread writes them.
    DiscoveryStats {
        counters {
            membership_change,
            update_attempt,
            update_empty,
            update_failure,
            update_no_rebuild,
            update_success,
        }
        gauges {}
    }
}

stats_block! {
    /// `cluster.<name>.dns.`; the control thread writes them.
    DnsStats {
        counters {}
        gauges {
            // Names whose last look-up brought nothing, so that an earlier answer stands.
            stale_names,
        }
    }
}

stats_block! {
    /// `cluster.<name>.health_check.` counters; the control thread writes them.
    HealthCheckStats {
        counters {
            attempt,
            failure,
            network_failure,
            passive_failure,
            success,
            verify_cluster,
        }
        gauges {}
    }
}

stats_block! {
    /// `cluster.<name>.outlier_detection.`; the control thread writes them.
    OutlierStats {
        counters {
            ejections_consecutive_5xx,
            ejections_detected_consecutive_5xx,
            ejections_detected_consecutive_gateway_failure,
            ejections_detected_consecutive_local_origin_failure,
            /// Envoy's, of `detect_degraded_hosts`.
            ejections_detected_degradation,
            ejections_detected_failure_percentage,
            ejections_detected_local_origin_failure_percentage,
            ejections_detected_local_origin_success_rate,
            ejections_detected_success_rate,
            ejections_enforced_consecutive_5xx,
            ejections_enforced_consecutive_gateway_failure,
            ejections_enforced_consecutive_local_origin_failure,
            ejections_enforced_failure_percentage,
            ejections_enforced_local_origin_failure_percentage,
            ejections_enforced_local_origin_success_rate,
            ejections_enforced_success_rate,
            ejections_enforced_total,
            ejections_overflow,
            ejections_success_rate,
            ejections_total,
        }
        gauges {
            ejections_active,
        }
    }
}

stats_block! {
    /// `cluster.<name>.ecs.` and `cluster.<name>.cloud_map.`; the control thread writes them.
    AwsStats {
        counters {
            credentials_refresh_failure,
            empty_ignored,
            mass_removal_held,
            poll_attempt,
            poll_failure,
            poll_success,
            throttled,
        }
        gauges {
            /// Calls to AWS that the poller is expected to make; it may serve other clusters too.
            expected_calls_per_minute,
            last_success_unix,
            /// Since the last poll that was answered whole.
            stale_seconds,
            tasks_draining,
            tasks_ready,
            tasks_seen,
            tasks_unhealthy,
        }
    }
}

/// The calls that discovery makes, as they stand in stats.
const API_CALLS: [&str; 10] = [
    "api_calls.DescribeContainerInstances",
    "api_calls.DescribeInstances",
    "api_calls.DescribeServiceDeployments",
    "api_calls.DescribeServices",
    "api_calls.DescribeTaskDefinition",
    "api_calls.DescribeTasks",
    "api_calls.DiscoverInstances",
    "api_calls.DiscoverInstancesRevision",
    "api_calls.ListServiceDeployments",
    "api_calls.ListTasks",
];

/// `cluster.<name>.ecs.api_calls.<action>`; the control thread writes them.
#[derive(Debug, Default)]
pub struct ApiCallStats([Counter; API_CALLS.len()]);

impl ApiCallStats {
    /// Counts a call.
    pub fn count(&self, action: &str) {
        let name = |name: &str| name.strip_prefix("api_calls.") == Some(action);
        if let Some(index) = API_CALLS.iter().position(|call| name(call)) {
            self.0[index].inc();
        }
    }

    /// Calls `each` with every call that was made.
    pub fn visit(&self, each: &mut dyn FnMut(Reading)) {
        for (name, counter) in API_CALLS.into_iter().zip(&self.0) {
            let value = counter.value().cast_signed();
            if value > 0 {
                each(Reading { name, kind: Kind::Counter, value, used: true });
            }
        }
    }
}
