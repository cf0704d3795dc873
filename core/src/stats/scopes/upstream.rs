//! Stats of clusters and their hosts, as requests count them, and of groups of requests.

use crate::stats::{Pauses, stats_block};

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
