//! Clusters whose hosts AWS Cloud Map knows (`ringmain.clusters.cloud_map.v1`).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::aws::wire::cloud_map as wire;
use crate::aws::{AwsAccess, DiscoveryLimits, WireLimits, optional};
use crate::report::At;

/// Asking costs one cheap call of a large budget.
const REFRESH_INTERVAL: Duration = Duration::from_secs(5);

/// `ringmain.clusters.cloud_map.v1.CloudMapCluster`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudMapCluster {
    /// `namespace`, by name.
    pub namespace: String,
    /// `service`, by name.
    pub service: String,
    /// Region, role and endpoint.
    pub access: AwsAccess,
    /// `health_status`.
    pub health_status: CloudMapHealth,
    /// `query_parameters`: attributes that instances must have.
    pub query_parameters: BTreeMap<String, String>,
    /// `port`; absent means that of the instance.
    pub port: Option<u16>,
    /// When to ask, and how carefully to take a host away.
    pub limits: DiscoveryLimits,
}

/// Which instances are hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloudMapHealth {
    /// `HEALTHY_OR_ELSE_ALL`: the healthy ones; all while none is.
    HealthyOrElseAll,
    /// `HEALTHY`.
    Healthy,
    /// `ALL`; those that are not healthy are unhealthy hosts.
    All,
}

impl CloudMapCluster {
    pub(crate) fn from_wire(wire: &wire::CloudMapCluster, at: &At<'_>) -> Self {
        let limits = WireLimits {
            refresh_interval: wire.refresh_interval.as_ref(),
            empty_set_grace: wire.empty_set_grace.as_ref(),
            max_removal_percent: wire.max_removal_percent,
            snapshot_path: &wire.snapshot_path,
            wait_for_first_discovery: wire.wait_for_first_discovery.as_ref(),
        };
        let access = AwsAccess {
            region: optional(&wire.region),
            role_arn: optional(&wire.role_arn),
            external_id: optional(&wire.external_id),
            endpoint: optional(&wire.endpoint),
            ec2_endpoint: None,
        };
        access.check(at);
        let parameters = wire.query_parameters.iter();
        Self {
            namespace: wire.namespace.clone(),
            service: wire.service.clone(),
            access,
            health_status: match wire.health_status() {
                wire::cloud_map_cluster::HealthStatus::HealthyOrElseAll => {
                    CloudMapHealth::HealthyOrElseAll
                }
                wire::cloud_map_cluster::HealthStatus::Healthy => CloudMapHealth::Healthy,
                wire::cloud_map_cluster::HealthStatus::All => CloudMapHealth::All,
            },
            query_parameters: parameters.map(|(key, value)| (key.clone(), value.clone())).collect(),
            port: wire.port.and_then(|port| u16::try_from(port).ok()),
            limits: DiscoveryLimits::from_wire(&limits, REFRESH_INTERVAL, at),
        }
    }
}
