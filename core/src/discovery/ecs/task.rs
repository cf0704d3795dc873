//! What the ECS API says, in the words that discovery needs.

use std::collections::BTreeMap;

/// A task as DescribeTasks tells it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Task {
    /// `taskArn`.
    pub arn: String,
    /// `group`: `service:<name>` or `family:<family>`.
    pub group: String,
    /// `startedBy`: the deployment's id where a service started it.
    pub started_by: String,
    /// `taskDefinitionArn`.
    pub definition_arn: String,
    /// `desiredStatus`.
    pub desired_status: String,
    /// `lastStatus`.
    pub last_status: String,
    /// `healthStatus`.
    pub health: Health,
    /// `availabilityZone`.
    pub zone: Option<String>,
    /// `launchType`.
    pub launch_type: Option<String>,
    /// `capacityProviderName`.
    pub capacity_provider: Option<String>,
    /// `containerInstanceArn`, unless on Fargate.
    pub container_instance_arn: Option<String>,
    /// `privateIPv4Address` and `privateIPv6Address` of an elastic network interface.
    pub interface: Option<Interface>,
    /// `containers`.
    pub containers: Vec<Container>,
    /// `tags`.
    pub tags: BTreeMap<String, String>,
    /// `version`: of two answers the higher one is newer.
    pub version: i64,
}

/// An elastic network interface of a task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interface {
    /// Whether it is `ATTACHED`.
    pub attached: bool,
    /// `privateIPv4Address`.
    pub ipv4: Option<String>,
    /// `privateIPv6Address`.
    pub ipv6: Option<String>,
}

/// A container of a task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Container {
    /// `name`.
    pub name: String,
    /// `networkBindings`, TCP ones only.
    pub bindings: Vec<Binding>,
    /// `networkInterfaces[0].privateIpv4Address`.
    pub ipv4: Option<String>,
}

/// A port of a container on its instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// `containerPort`, or the first of `containerPortRange`.
    pub container_port: u16,
    /// `hostPort`, or the first of `hostPortRange`.
    pub host_port: u16,
    /// How many ports follow each other; 1 where there is no range.
    pub count: u16,
}

/// `healthStatus`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Health {
    /// `HEALTHY`.
    Healthy,
    /// `UNHEALTHY`.
    Unhealthy,
    /// `UNKNOWN`: no container health check, or none has a result yet.
    #[default]
    Unknown,
}

impl Health {
    /// As ECS writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Healthy => "HEALTHY",
            Self::Unhealthy => "UNHEALTHY",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// A task definition as DescribeTaskDefinition tells it. It never changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskDefinition {
    /// `family`.
    pub family: String,
    /// `revision`.
    pub revision: i32,
    /// `networkMode`.
    pub network_mode: NetworkMode,
    /// Whether any container has a `healthCheck`.
    pub has_health_check: bool,
    /// TCP `portMappings` of all containers.
    pub port_mappings: Vec<PortMapping>,
}

/// `networkMode`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NetworkMode {
    /// `awsvpc`: the task has an address of its own.
    Awsvpc,
    /// `bridge`: the instance's address, with ports of the instance. What ECS does without a mode.
    #[default]
    Bridge,
    /// `host`: the instance's address and ports.
    Host,
    /// `none`: not reachable.
    None,
}

/// A TCP port mapping of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PortMapping {
    /// The container's name.
    pub container: String,
    /// `containerPort`.
    pub port: u16,
    /// `name` of the mapping.
    pub name: Option<String>,
}

/// Where the tasks of a container instance can be reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Instance {
    /// `ec2InstanceId`.
    pub ec2_id: String,
    /// The instance's `privateIpAddress`, once EC2 has told it.
    pub ip: Option<String>,
    /// The instance's availability zone.
    pub zone: Option<String>,
    /// Whether the instance's `status` is DRAINING.
    pub draining: bool,
}

/// The last part of an ARN: a task's id, a service's name.
pub fn id_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// The region in an ARN.
pub fn region_of(arn: &str) -> &str {
    arn.split(':').nth(3).unwrap_or_default()
}
