//! The endpoints of a cluster (`envoy.config.endpoint.v3`).

use std::collections::BTreeMap;

use endpoint::cluster_load_assignment::Policy as WirePolicy;
use endpoint::lb_endpoint::HostIdentifier;
use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::config::endpoint::v3 as endpoint;
use serde_json::Value;

use super::{EndpointHealthCheckConfig, SocketLabels};
use crate::address::{Address, EndpointAddress};
use crate::fraction::Fraction;
use crate::locality::Locality;
use crate::metadata::lb_metadata;
use crate::report::{At, Note};

const OVERPROVISIONING_FACTOR: u32 = 140;

/// `envoy.config.endpoint.v3.ClusterLoadAssignment`.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadAssignment {
    /// `endpoints`.
    pub endpoints: Vec<LocalityLbEndpoints>,
    /// `policy.overprovisioning_factor` in percent, default 140.
    pub overprovisioning_factor: u32,
    /// `policy.drop_overloads`, default none: the share of requests that reach no host.
    pub drop_overload: Fraction,
    /// `policy.weighted_priority_health`: hosts count by weight in the health of their priority.
    pub weighted_priority_health: bool,
}

impl LoadAssignment {
    pub(super) fn from_wire(
        wire: Option<&endpoint::ClusterLoadAssignment>,
        dns: bool,
        at: &At<'_>,
    ) -> Self {
        let policy = wire.and_then(|wire| wire.policy.as_ref());
        let factor = policy.and_then(|policy| policy.overprovisioning_factor);
        Self {
            endpoints: LocalityLbEndpoints::list_from_wire(wire, dns, at),
            overprovisioning_factor: factor.map_or(OVERPROVISIONING_FACTOR, |factor| factor.value),
            drop_overload: drop_overload(policy, &at.field("policy")),
            weighted_priority_health: policy.is_some_and(|policy| policy.weighted_priority_health),
        }
    }

    /// The `load_balancing_weight` of a locality: that of the last entry for it, 0 where it has none.
    pub fn locality_weight(&self, priority: u32, locality: &Locality) -> u32 {
        let mut entries = self.endpoints.iter().rev();
        entries
            .find(|entry| entry.priority == priority && entry.locality == *locality)
            .map_or(0, |entry| entry.load_balancing_weight)
    }
}

/// `envoy.config.endpoint.v3.LocalityLbEndpoints`.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalityLbEndpoints {
    /// `locality`.
    pub locality: Locality,
    /// `priority`, default 0, which is asked first.
    pub priority: u32,
    /// `load_balancing_weight` with `locality_weighted_lb_config`, default 0: no requests.
    pub load_balancing_weight: u32,
    /// `lb_endpoints`.
    pub lb_endpoints: Vec<LbEndpoint>,
}

/// `envoy.config.endpoint.v3.LbEndpoint`.
#[derive(Debug, Clone, PartialEq)]
pub struct LbEndpoint {
    /// `endpoint.address`.
    pub address: EndpointAddress,
    /// `endpoint.hostname`, default empty.
    pub hostname: String,
    /// `endpoint.health_check_config`.
    pub health_check_config: EndpointHealthCheckConfig,
    /// `load_balancing_weight`, default 1.
    pub load_balancing_weight: u32,
    /// `health_status`.
    pub health_status: HealthStatus,
    /// `metadata.filter_metadata."envoy.lb"`.
    pub metadata: BTreeMap<String, Value>,
    /// `envoy.transport_socket_match` of its metadata and its locality's.
    pub socket_labels: SocketLabels,
}

/// `envoy.config.core.v3.HealthStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HealthStatus {
    /// `HEALTHY`, and `UNKNOWN`, which is taken for it.
    #[default]
    Healthy,
    /// `UNHEALTHY`, and `TIMEOUT`, which is taken for it.
    Unhealthy,
    /// `DRAINING`.
    Draining,
    /// `DEGRADED`.
    Degraded,
}

impl HealthStatus {
    fn from_wire(wire: core::HealthStatus) -> Self {
        match wire {
            core::HealthStatus::Unknown | core::HealthStatus::Healthy => Self::Healthy,
            core::HealthStatus::Unhealthy | core::HealthStatus::Timeout => Self::Unhealthy,
            core::HealthStatus::Draining => Self::Draining,
            core::HealthStatus::Degraded => Self::Degraded,
        }
    }
}

fn drop_overload(policy: Option<&WirePolicy>, at: &At<'_>) -> Fraction {
    let drops = policy.map_or(&[][..], |policy| &policy.drop_overloads);
    if drops.len() > 1 {
        at.field("drop_overloads").index(1).error(
            Note::from("Envoy takes one category of requests to drop")
                .help("keep one, with the sum of the percentages"),
        );
    }
    let share = drops.first().and_then(|first| first.drop_percentage);
    share.map_or(Fraction::NONE, Fraction::of_percent)
}

impl LocalityLbEndpoints {
    fn list_from_wire(
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
        let endpoint = |(index, endpoint)| {
            LbEndpoint::from_wire(endpoint, wire.metadata.as_ref(), dns, &at.index(index))
        };
        Self {
            locality: wire.locality.as_ref().map(Locality::from_wire).unwrap_or_default(),
            priority: wire.priority,
            load_balancing_weight: wire.load_balancing_weight.map_or(0, |weight| weight.value),
            lb_endpoints: wire.lb_endpoints.iter().enumerate().filter_map(endpoint).collect(),
        }
    }
}

impl LbEndpoint {
    fn from_wire(
        wire: &endpoint::LbEndpoint,
        locality: Option<&core::Metadata>,
        dns: bool,
        at: &At<'_>,
    ) -> Option<Self> {
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
            health_check_config: health_check_config(
                endpoint.health_check_config.as_ref(),
                &at.field("health_check_config"),
            ),
            load_balancing_weight: wire.load_balancing_weight.map_or(1, |weight| weight.value),
            health_status: HealthStatus::from_wire(wire.health_status()),
            metadata: lb_metadata(wire.metadata.as_ref()),
            socket_labels: SocketLabels::from_wire(wire.metadata.as_ref(), locality),
        })
    }
}

fn health_check_config(
    wire: Option<&endpoint::endpoint::HealthCheckConfig>,
    at: &At<'_>,
) -> EndpointHealthCheckConfig {
    let Some(wire) = wire else { return EndpointHealthCheckConfig::default() };
    EndpointHealthCheckConfig {
        // The field rules have seen to its range.
        port_value: u16::try_from(wire.port_value).unwrap_or_default(),
        address: own_address(wire, at),
        hostname: wire.hostname.clone(),
        disable_active_health_check: wire.disable_active_health_check,
    }
}

/// Where the checks go; a `port_value` can only be that of an IP address.
fn own_address(wire: &endpoint::endpoint::HealthCheckConfig, at: &At<'_>) -> Option<Address> {
    let address = Address::to_connect(wire.address.as_ref()?, &at.field("address"))?;
    if wire.port_value != 0 && address.socket().is_none() {
        at.field("port_value")
            .error(Note::from("a Unix socket has no port").help("remove 'port_value'"));
        return None;
    }
    Some(address)
}
