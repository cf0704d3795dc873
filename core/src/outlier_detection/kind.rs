//! Why a host is found to be an outlier (`envoy.data.cluster.v3.OutlierEjectionType`).

use ringmain_config::cluster::OutlierDetection;

use super::monitor::{Concern, Origin};
use crate::stats::Counter;
use crate::stats::scopes::OutlierStats;

/// The ways to be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Answers with a 5xx in a row.
    Consecutive5xx,
    /// The same, with 502, 503 or 504.
    ConsecutiveGatewayFailure,
    /// Failures in a row to get an answer.
    ConsecutiveLocalOriginFailure,
    /// Far below the average of the cluster.
    SuccessRate(Origin),
    /// Too many failures.
    FailurePercentage(Origin),
}

impl Kind {
    /// What a concern of a worker's is.
    pub fn of_concern(concern: Concern) -> Option<Self> {
        match concern {
            Concern::Consecutive5xx => Some(Self::Consecutive5xx),
            Concern::ConsecutiveGatewayFailure => Some(Self::ConsecutiveGatewayFailure),
            Concern::ConsecutiveLocalOriginFailure => Some(Self::ConsecutiveLocalOriginFailure),
            Concern::CheckSucceeded => None,
        }
    }

    /// How many of a hundred such findings eject.
    pub fn enforcing(self, config: &OutlierDetection) -> u32 {
        match self {
            Self::Consecutive5xx => config.enforcing_consecutive_5xx,
            Self::ConsecutiveGatewayFailure => config.enforcing_consecutive_gateway_failure,
            Self::ConsecutiveLocalOriginFailure => {
                config.enforcing_consecutive_local_origin_failure
            }
            Self::SuccessRate(Origin::External) => config.success_rate.enforcing,
            Self::SuccessRate(Origin::Local) => config.success_rate.enforcing_local_origin,
            Self::FailurePercentage(Origin::External) => config.failure_percentage.enforcing,
            Self::FailurePercentage(Origin::Local) => {
                config.failure_percentage.enforcing_local_origin
            }
        }
    }

    /// What counts such findings.
    pub fn detected(self, stats: &OutlierStats) -> &Counter {
        match self {
            Self::Consecutive5xx => &stats.ejections_detected_consecutive_5xx,
            Self::ConsecutiveGatewayFailure => {
                &stats.ejections_detected_consecutive_gateway_failure
            }
            Self::ConsecutiveLocalOriginFailure => {
                &stats.ejections_detected_consecutive_local_origin_failure
            }
            Self::SuccessRate(Origin::External) => &stats.ejections_detected_success_rate,
            Self::SuccessRate(Origin::Local) => &stats.ejections_detected_local_origin_success_rate,
            Self::FailurePercentage(Origin::External) => {
                &stats.ejections_detected_failure_percentage
            }
            Self::FailurePercentage(Origin::Local) => {
                &stats.ejections_detected_local_origin_failure_percentage
            }
        }
    }

    /// What counts ejections for it.
    pub fn enforced(self, stats: &OutlierStats) -> &Counter {
        match self {
            Self::Consecutive5xx => &stats.ejections_enforced_consecutive_5xx,
            Self::ConsecutiveGatewayFailure => {
                &stats.ejections_enforced_consecutive_gateway_failure
            }
            Self::ConsecutiveLocalOriginFailure => {
                &stats.ejections_enforced_consecutive_local_origin_failure
            }
            Self::SuccessRate(Origin::External) => &stats.ejections_enforced_success_rate,
            Self::SuccessRate(Origin::Local) => &stats.ejections_enforced_local_origin_success_rate,
            Self::FailurePercentage(Origin::External) => {
                &stats.ejections_enforced_failure_percentage
            }
            Self::FailurePercentage(Origin::Local) => {
                &stats.ejections_enforced_local_origin_failure_percentage
            }
        }
    }

    /// As the event log names it.
    pub fn event_type(self) -> &'static str {
        match self {
            Self::Consecutive5xx => "CONSECUTIVE_5XX",
            Self::ConsecutiveGatewayFailure => "CONSECUTIVE_GATEWAY_FAILURE",
            Self::ConsecutiveLocalOriginFailure => "CONSECUTIVE_LOCAL_ORIGIN_FAILURE",
            Self::SuccessRate(Origin::External) => "SUCCESS_RATE",
            Self::SuccessRate(Origin::Local) => "SUCCESS_RATE_LOCAL_ORIGIN",
            Self::FailurePercentage(Origin::External) => "FAILURE_PERCENTAGE",
            Self::FailurePercentage(Origin::Local) => "FAILURE_PERCENTAGE_LOCAL_ORIGIN",
        }
    }
}
