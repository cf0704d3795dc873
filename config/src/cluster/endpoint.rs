//! The endpoints of a cluster (`envoy.config.endpoint.v3`).

use endpoint::lb_endpoint::HostIdentifier;
use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::config::endpoint::v3 as endpoint;

use crate::address::EndpointAddress;
use crate::bootstrap::Locality;
use crate::report::At;

/// `envoy.config.endpoint.v3.LocalityLbEndpoints`.
#[derive(Debug, Clone)]
pub struct LocalityLbEndpoints {
    /// `locality`.
    pub locality: Locality,
    /// `lb_endpoints`.
    pub lb_endpoints: Vec<LbEndpoint>,
}

/// `envoy.config.endpoint.v3.LbEndpoint`.
#[derive(Debug, Clone)]
pub struct LbEndpoint {
    /// `endpoint.address`.
    pub address: EndpointAddress,
    /// `endpoint.hostname`, default empty.
    pub hostname: String,
    /// `load_balancing_weight`, default 1.
    pub load_balancing_weight: u32,
    /// `health_status`: false for UNHEALTHY, DRAINING and TIMEOUT.
    pub healthy: bool,
}

impl LocalityLbEndpoints {
    pub(super) fn list_from_wire(
        wire: Option<&endpoint::ClusterLoadAssignment>,
        dns: bool,
        at: &At<'_>,
    ) -> Vec<Self> {
        let at = at.field("endpoints");
        let localities = wire.into_iter().flat_map(|wire| &wire.endpoints);
        localities
            .enumerate()
            .map(|(index, locality)| Self::from_wire(locality, dns, &at.index(index)))
            .collect()
    }

    fn from_wire(wire: &endpoint::LocalityLbEndpoints, dns: bool, at: &At<'_>) -> Self {
        let at = at.field("lb_endpoints");
        let endpoint = |(index, endpoint)| LbEndpoint::from_wire(endpoint, dns, &at.index(index));
        Self {
            locality: wire.locality.as_ref().map(Locality::from_wire).unwrap_or_default(),
            lb_endpoints: wire.lb_endpoints.iter().enumerate().filter_map(endpoint).collect(),
        }
    }
}

impl LbEndpoint {
    fn from_wire(wire: &endpoint::LbEndpoint, dns: bool, at: &At<'_>) -> Option<Self> {
        let Some(HostIdentifier::Endpoint(endpoint)) = &wire.host_identifier else {
            at.error_at_key("'endpoint' is required");
            return None;
        };
        let at = at.field("endpoint");
        let address =
            EndpointAddress::from_wire(endpoint.address.as_ref(), dns, &at.field("address"));
        Some(Self {
            address: address?,
            hostname: endpoint.hostname.clone(),
            load_balancing_weight: wire.load_balancing_weight.map_or(1, |weight| weight.value),
            healthy: !matches!(
                wire.health_status(),
                core::HealthStatus::Unhealthy
                    | core::HealthStatus::Draining
                    | core::HealthStatus::Timeout
            ),
        })
    }
}
