//! Outlier detection (`envoy.config.cluster.v3.OutlierDetection`): which hosts are ejected for what
//! they answer, and for how long.

use std::time::Duration;

use envoy_types::pb::envoy::config::cluster::v3 as wire;
use envoy_types::pb::google::protobuf::Duration as WireDuration;

use crate::duration;
use crate::report::{At, Note};
use crate::wire::or;

const INTERVAL: Duration = Duration::from_secs(10);
/// The field rules see to it that a field is more than 0, nobody sees to runtime values.
const INTERVAL_MIN: Duration = Duration::from_millis(1);
const BASE_EJECTION_TIME: Duration = Duration::from_secs(30);
const MAX_EJECTION_TIME: Duration = Duration::from_secs(300);

/// `envoy.config.cluster.v3.OutlierDetection`. An `enforcing` value is how many of a hundred
/// findings eject. The runtime keys `outlier_detection.<field>`, with `_ms` behind the names of times, go before what is
/// configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutlierDetection {
    /// `consecutive_5xx`, default 5.
    pub consecutive_5xx: u32,
    /// `enforcing_consecutive_5xx`, default 100.
    pub enforcing_consecutive_5xx: u32,
    /// `consecutive_gateway_failure`, default 5: statuses 502, 503 and 504.
    pub consecutive_gateway_failure: u32,
    /// `enforcing_consecutive_gateway_failure`, default 0.
    pub enforcing_consecutive_gateway_failure: u32,
    /// `split_external_local_origin_errors`, default false: what fails before an answer counts as a
    /// 503 or 504.
    pub split_external_local_origin_errors: bool,
    /// `consecutive_local_origin_failure`, default 5.
    pub consecutive_local_origin_failure: u32,
    /// `enforcing_consecutive_local_origin_failure`, default 100.
    pub enforcing_consecutive_local_origin_failure: u32,
    /// `interval`, default 10 s: between two looks at rates and at who may come back.
    pub interval: Duration,
    /// How long hosts stay out, and how many of them.
    pub ejection: EjectionLimits,
    /// Hosts far below the average.
    pub success_rate: SuccessRate,
    /// Hosts that fail too often.
    pub failure_percentage: FailurePercentage,
    /// `successful_active_health_check_uneject_host`, default true.
    pub successful_active_health_check_uneject_host: bool,
}

/// How long hosts stay out, and how many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EjectionLimits {
    /// `base_ejection_time`, default 30 s: times how often in a row the host was ejected.
    pub base_ejection_time: Duration,
    /// `max_ejection_time`, default 300 s or `base_ejection_time`, whichever is longer.
    pub max_ejection_time: Duration,
    /// `max_ejection_time_jitter`, default 0: up to so much longer, at random.
    pub max_ejection_time_jitter: Duration,
    /// `max_ejection_percent`, default 10.
    pub max_ejection_percent: u32,
    /// `always_eject_one_host`. Absent means: where another healthy host is left.
    pub always_eject_one_host: Option<bool>,
}

/// The `success_rate_` fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SuccessRate {
    /// `success_rate_minimum_hosts`, default 5.
    pub minimum_hosts: u32,
    /// `success_rate_request_volume`, default 100 in an interval.
    pub request_volume: u32,
    /// `success_rate_stdev_factor`, default 1900: thousandths of the standard deviation.
    pub stdev_factor: u32,
    /// `enforcing_success_rate`, default 100.
    pub enforcing: u32,
    /// `enforcing_local_origin_success_rate`, default 100.
    pub enforcing_local_origin: u32,
}

/// The `failure_percentage_` fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailurePercentage {
    /// `failure_percentage_threshold`, default 85.
    pub threshold: u32,
    /// `failure_percentage_minimum_hosts`, default 5.
    pub minimum_hosts: u32,
    /// `failure_percentage_request_volume`, default 50 in an interval.
    pub request_volume: u32,
    /// `enforcing_failure_percentage`, default 0.
    pub enforcing: u32,
    /// `enforcing_failure_percentage_local_origin`, default 0.
    pub enforcing_local_origin: u32,
}

impl OutlierDetection {
    /// Reads the field `outlier_detection`, at `at`.
    pub(super) fn from_wire(wire: &wire::OutlierDetection, at: &At<'_>) -> Self {
        macro_rules! number {
            ($field:ident, $default:literal) => {
                at.runtime()
                    .integer_u32(concat!("outlier_detection.", stringify!($field)))
                    .unwrap_or_else(|| or(wire.$field, $default))
            };
        }
        Self {
            consecutive_5xx: number!(consecutive_5xx, 5),
            enforcing_consecutive_5xx: number!(enforcing_consecutive_5xx, 100),
            consecutive_gateway_failure: number!(consecutive_gateway_failure, 5),
            enforcing_consecutive_gateway_failure: number!(
                enforcing_consecutive_gateway_failure,
                0
            ),
            split_external_local_origin_errors: wire.split_external_local_origin_errors,
            consecutive_local_origin_failure: number!(consecutive_local_origin_failure, 5),
            enforcing_consecutive_local_origin_failure: number!(
                enforcing_consecutive_local_origin_failure,
                100
            ),
            interval: time("interval", wire.interval.as_ref(), INTERVAL, at).max(INTERVAL_MIN),
            ejection: EjectionLimits::from_wire(wire, at),
            success_rate: SuccessRate {
                minimum_hosts: number!(success_rate_minimum_hosts, 5),
                request_volume: number!(success_rate_request_volume, 100),
                stdev_factor: number!(success_rate_stdev_factor, 1900),
                enforcing: number!(enforcing_success_rate, 100),
                enforcing_local_origin: number!(enforcing_local_origin_success_rate, 100),
            },
            failure_percentage: FailurePercentage {
                threshold: number!(failure_percentage_threshold, 85),
                minimum_hosts: number!(failure_percentage_minimum_hosts, 5),
                request_volume: number!(failure_percentage_request_volume, 50),
                enforcing: number!(enforcing_failure_percentage, 0),
                enforcing_local_origin: number!(enforcing_failure_percentage_local_origin, 0),
            },
            successful_active_health_check_uneject_host: wire
                .successful_active_health_check_uneject_host
                .is_none_or(|uneject| uneject.value),
        }
    }
}

impl EjectionLimits {
    fn from_wire(wire: &wire::OutlierDetection, at: &At<'_>) -> Self {
        let or_default = |wire: &Option<_>, default, name| time(name, wire.as_ref(), default, at);
        let base = or_default(&wire.base_ejection_time, BASE_EJECTION_TIME, "base_ejection_time");
        let longest = MAX_EJECTION_TIME.max(base);
        let max = or_default(&wire.max_ejection_time, longest, "max_ejection_time");
        if max < base {
            at.field("max_ejection_time").error(
                Note::from("must not be below base_ejection_time")
                    .help("raise it, or lower 'base_ejection_time'"),
            );
        }
        Self {
            base_ejection_time: base,
            max_ejection_time: max,
            max_ejection_time_jitter: or_default(
                &wire.max_ejection_time_jitter,
                Duration::ZERO,
                "max_ejection_time_jitter",
            ),
            max_ejection_percent: at
                .runtime()
                .integer_u32("outlier_detection.max_ejection_percent")
                .unwrap_or_else(|| or(wire.max_ejection_percent, 10))
                .min(100),
            always_eject_one_host: wire.always_eject_one_host.map(|always| always.value),
        }
    }
}

/// The runtime key `outlier_detection.<name>_ms`, else the field, else `default`.
fn time(name: &str, wire: Option<&WireDuration>, default: Duration, at: &At<'_>) -> Duration {
    let of_runtime = at.runtime().integer(&format!("outlier_detection.{name}_ms"));
    match of_runtime {
        Some(milliseconds) => Duration::from_millis(milliseconds),
        None => duration::or(wire, default, at, name),
    }
}
