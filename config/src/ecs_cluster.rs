//! Clusters whose hosts are ECS tasks (`ringmain.clusters.ecs.v1`).

use std::time::Duration;

use crate::aws::wire::ecs as wire;
use crate::aws::{AwsAccess, DiscoveryLimits, WireLimits, optional};
use crate::report::{At, Note};

const REFRESH_INTERVAL: Duration = Duration::from_secs(10);

/// `ringmain.clusters.ecs.v1.EcsCluster`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EcsCluster {
    /// `cluster`: name or ARN of the ECS cluster.
    pub cluster: String,
    /// `service` or `family`.
    pub tasks_of: TasksOf,
    /// Region, role and endpoints.
    pub access: AwsAccess,
    /// `container_name`, `port_name` and `port`.
    pub port: PortChoice,
    /// `unknown_health`.
    pub unknown_health: UnknownHealth,
    /// `deployment_weights`.
    pub deployment_weights: DeploymentWeights,
    /// `metadata_tags`: tags that become endpoint metadata.
    pub metadata_tags: Vec<String>,
    /// When to ask, and how carefully to take a host away.
    pub limits: DiscoveryLimits,
}

/// Which tasks are hosts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TasksOf {
    /// `service`: a name.
    Service(String),
    /// `family` of task definitions.
    Family(String),
}

/// Which port of a task takes requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PortChoice {
    /// `container_name`; absent means any container.
    pub container_name: Option<String>,
    /// `port_name` of a port mapping.
    pub port_name: Option<String>,
    /// `port` of the container.
    pub port: Option<u16>,
}

/// What a task counts as while its health check has no result yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownHealth {
    /// `ACCEPT`: as healthy.
    Accept,
    /// `REJECT`: as not there yet.
    Reject,
}

/// How traffic is split over the deployments of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeploymentWeights {
    /// `TASKS`: every task alike.
    Tasks,
    /// `ECS`: by the production traffic weights that ECS sets.
    Ecs,
    /// `PRIMARY_ONLY`: tasks of the newest deployment only.
    PrimaryOnly,
}

impl EcsCluster {
    pub(crate) fn from_wire(wire: &wire::EcsCluster, at: &At<'_>) -> Self {
        let limits = WireLimits {
            refresh_interval: wire.refresh_interval.as_ref(),
            empty_set_grace: wire.empty_set_grace.as_ref(),
            max_removal_percent: wire.max_removal_percent,
            snapshot_path: &wire.snapshot_path,
            wait_for_first_discovery: wire.wait_for_first_discovery.as_ref(),
        };
        let cluster = Self {
            cluster: wire.cluster.clone(),
            tasks_of: TasksOf::from_wire(wire.tasks_of.as_ref()),
            access: AwsAccess {
                region: region(wire, at),
                role_arn: optional(&wire.role_arn),
                external_id: optional(&wire.external_id),
                endpoint: optional(&wire.endpoint),
                ec2_endpoint: optional(&wire.ec2_endpoint),
            },
            port: PortChoice::from_wire(wire, at),
            unknown_health: match wire.unknown_health() {
                wire::ecs_cluster::UnknownHealth::Accept => UnknownHealth::Accept,
                wire::ecs_cluster::UnknownHealth::Reject => UnknownHealth::Reject,
            },
            deployment_weights: match wire.deployment_weights() {
                wire::ecs_cluster::DeploymentWeights::Tasks => DeploymentWeights::Tasks,
                wire::ecs_cluster::DeploymentWeights::Ecs => DeploymentWeights::Ecs,
                wire::ecs_cluster::DeploymentWeights::PrimaryOnly => DeploymentWeights::PrimaryOnly,
            },
            metadata_tags: wire.metadata_tags.clone(),
            limits: DiscoveryLimits::from_wire(&limits, REFRESH_INTERVAL, at),
        };
        cluster.access.check(at);
        cluster.check_deployments(at);
        cluster
    }

    /// Only services have deployments.
    fn check_deployments(&self, at: &At<'_>) {
        if matches!(self.tasks_of, TasksOf::Family(_))
            && self.deployment_weights != DeploymentWeights::Tasks
        {
            at.field("deployment_weights").error_at_key(
                Note::from("a family has no deployments, only a 'service' has")
                    .help("leave 'deployment_weights' out".to_owned()),
            );
        }
    }
}

impl TasksOf {
    fn from_wire(wire: Option<&wire::ecs_cluster::TasksOf>) -> Self {
        match wire {
            // An ARN ends with the name that tasks carry in their group.
            Some(wire::ecs_cluster::TasksOf::Service(service)) => {
                let name = service.rsplit('/').next().unwrap_or_default();
                Self::Service(name.to_owned())
            }
            Some(wire::ecs_cluster::TasksOf::Family(family)) => Self::Family(family.clone()),
            None => Self::Service(String::new()),
        }
    }
}

impl PortChoice {
    fn from_wire(wire: &wire::EcsCluster, at: &At<'_>) -> Self {
        if wire.port.is_some() && !wire.port_name.is_empty() {
            at.field("port_name").error_at_key(
                Note::from("'port' and 'port_name' exclude each other").help("remove one of them"),
            );
        }
        Self {
            container_name: optional(&wire.container_name),
            port_name: optional(&wire.port_name),
            port: wire.port.and_then(|port| u16::try_from(port).ok()),
        }
    }
}

/// The region of the file, or that of the cluster's ARN.
fn region(wire: &wire::EcsCluster, at: &At<'_>) -> Option<String> {
    let of_arn = wire.cluster.strip_prefix("arn:").and_then(|arn| arn.split(':').nth(2));
    let region = optional(&wire.region);
    if let (Some(region), Some(of_arn)) = (&region, of_arn)
        && region != of_arn
    {
        at.field("region").error(
            Note::from(format!("'{region}' is not the region of the cluster's ARN, '{of_arn}'"))
                .help("remove 'region': the ARN tells it"),
        );
    }
    region.or_else(|| of_arn.map(str::to_owned))
}
