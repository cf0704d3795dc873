//! The stats that are compared: counts of what happened to connections and requests. Left out are
//! bytes and times, which differ from run to run, and what belongs to features a case does not use.

use crate::admin::Stats;

/// Compared under `http.<stat_prefix>.`.
const HTTP: &[&str] = &[
    "downstream_cx_total",
    "downstream_cx_active",
    "downstream_cx_http1_total",
    "downstream_cx_http1_active",
    "downstream_cx_destroy",
    "downstream_cx_destroy_active_rq",
    "downstream_cx_destroy_local_active_rq",
    "downstream_cx_destroy_remote_active_rq",
    "downstream_cx_idle_timeout",
    "downstream_cx_max_requests_reached",
    "downstream_cx_protocol_error",
    "downstream_cx_upgrades_total",
    "downstream_cx_upgrades_active",
    "downstream_rq_total",
    "downstream_rq_active",
    "downstream_rq_http1_total",
    "downstream_rq_1xx",
    "downstream_rq_2xx",
    "downstream_rq_3xx",
    "downstream_rq_4xx",
    "downstream_rq_5xx",
    "downstream_rq_completed",
    "downstream_rq_failed_path_normalization",
    "downstream_rq_header_timeout",
    "downstream_rq_idle_timeout",
    "downstream_rq_non_relative_path",
    "downstream_rq_redirected_with_normalized_path",
    "downstream_rq_response_before_rq_complete",
    "downstream_rq_rx_reset",
    "downstream_rq_timeout",
    "downstream_rq_too_large",
    "downstream_rq_tx_reset",
    "downstream_rq_ws_on_non_ws_route",
    "no_cluster",
    "passthrough_internal_redirect_bad_location",
    "passthrough_internal_redirect_no_route",
    "passthrough_internal_redirect_predicate",
    "passthrough_internal_redirect_too_many_redirects",
    "passthrough_internal_redirect_unsafe_scheme",
    "no_route",
    "rq_direct_response",
    "rq_redirect",
    "rq_reset_after_downstream_response_started",
    "rq_total",
];

/// Compared under `cluster.<name>.`, beside the counters by status.
const CLUSTER: &[&str] = &[
    "membership_healthy",
    "membership_total",
    "upstream_cx_connect_fail",
    "upstream_cx_destroy_local_with_active_rq",
    "upstream_cx_destroy_remote_with_active_rq",
    "upstream_cx_destroy_with_active_rq",
    "upstream_cx_http1_total",
    "upstream_cx_max_requests",
    "upstream_cx_none_healthy",
    "upstream_cx_protocol_error",
    "upstream_cx_total",
    "upstream_internal_redirect_failed_total",
    "upstream_internal_redirect_succeeded_total",
    "upstream_rq_active",
    "upstream_rq_cancelled",
    "upstream_rq_max_duration_reached",
    "upstream_rq_completed",
    "upstream_rq_pending_active",
    "upstream_rq_pending_failure_eject",
    "upstream_rq_pending_total",
    "retry.upstream_rq_completed",
    "retry.upstream_rq_5xx",
    "retry.upstream_rq_500",
    "retry_or_shadow_abandoned",
    "upstream_rq_per_try_idle_timeout",
    "upstream_rq_per_try_timeout",
    "upstream_rq_retry",
    "upstream_rq_retry_backoff_exponential",
    "upstream_rq_retry_limit_exceeded",
    "upstream_rq_retry_success",
    "upstream_rq_rx_reset",
    "upstream_rq_timeout",
    "upstream_rq_total",
    "upstream_rq_tx_reset",
];

/// Compared whatever follows under `http.<stat_prefix>.`: the stats of HTTP filters.
const HTTP_FILTERS: &[&str] =
    &["buffer.", "compressor.", "cors.", "fault.", "health_check.", "rbac.", "set_metadata."];

/// The same under `cluster.<name>.`
const CLUSTER_FEATURES: &[&str] = &["grpc.", "outlier_detection."];

/// Those of `stats` that are compared for the case `name`.
pub fn chosen(name: &str, stats: Stats) -> Stats {
    stats.into_iter().filter(|(stat, _)| is_chosen(name, stat)).collect()
}

fn is_chosen(name: &str, stat: &str) -> bool {
    // A virtual host is the case's own only if it has its name.
    if let Some(rest) = stat.strip_prefix("vhost.").and_then(|rest| rest.strip_prefix(name)) {
        return rest.starts_with('.') && !rest.ends_with(".upstream_rq_time");
    }
    if let Some(leaf) = stat.strip_prefix("http.").and_then(|rest| rest.strip_prefix(name)) {
        return leaf.strip_prefix('.').is_some_and(|leaf| {
            let of_filter = HTTP_FILTERS.iter().any(|filter| leaf.starts_with(filter));
            // No two implementations compress to the same size.
            HTTP.contains(&leaf) || of_filter && !leaf.ends_with(".total_compressed_bytes")
        });
    }
    let of_filter = stat.strip_prefix("http_filter_name.").and_then(|rest| rest.strip_prefix(name));
    if of_filter.is_some_and(|leaf| leaf.starts_with('.')) {
        return true;
    }
    if stat.strip_prefix(name).is_some_and(|leaf| leaf.starts_with(".http_local_rate_limit.")) {
        return true;
    }
    let cluster = stat.strip_prefix("cluster.").and_then(|rest| rest.strip_prefix(name));
    match cluster.and_then(|rest| rest.split_once('.')) {
        Some(("_cluster" | "_refused" | "_empty" | "_silent" | "_mirror", leaf)) => {
            CLUSTER.contains(&leaf)
                || is_by_status(leaf)
                || CLUSTER_FEATURES.iter().any(|feature| leaf.starts_with(feature))
        }
        _ => false,
    }
}

/// `upstream_rq_404`, `upstream_rq_4xx`, and the same under the request's origin.
fn is_by_status(leaf: &str) -> bool {
    let leaf =
        leaf.strip_prefix("external.").or_else(|| leaf.strip_prefix("internal.")).unwrap_or(leaf);
    let status = leaf.strip_prefix("upstream_rq_").unwrap_or_default();
    status == "completed"
        || (status.len() == 3 && status.starts_with(|digit: char| digit.is_ascii_digit()))
}
