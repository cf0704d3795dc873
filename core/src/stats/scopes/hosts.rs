//! Stats of how clusters come to their hosts and judge them. The control thread writes them.

use crate::stats::{Counter, Kind, Reading, stats_block};

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
