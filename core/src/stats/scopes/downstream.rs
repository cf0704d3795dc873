//! Stats of listeners, their filters and what they serve.

use crate::stats::{Pauses, stats_block};

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
