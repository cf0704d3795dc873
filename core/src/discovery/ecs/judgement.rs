//! From what is known of the tasks to the hosts of one cluster of the configuration.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::time::Instant;

use ringmain_config::cluster::HealthStatus;
use ringmain_config::ecs_cluster::{EcsCluster, TasksOf, UnknownHealth};
use ringmain_config::locality::Locality;
use serde_json::Value;

use super::address::{self, Unreachable};
use super::deployment;
use super::inventory::{Inventory, KnownTask};
use super::life_cycle::{Standing, standing};
use super::task::{Instance, Task, TaskDefinition, id_of, region_of};
use crate::cluster::HostDescription;
use crate::discovery::membership::{Answer, owner};
use crate::discovery::report::TaskReport;
use crate::discovery::suspects::Suspects;

/// What a poll means for a cluster.
#[derive(Debug, Default)]
pub struct Judgement {
    /// For the membership.
    pub answer: Answer,
    /// For admin, a row a task.
    pub tasks: Vec<TaskReport>,
    /// What someone must change in the configuration or in a task definition.
    pub complaints: BTreeSet<String>,
}

/// Judges the tasks of `config`. `complete` says that everything asked in the poll that began at
/// `begun` was answered.
pub fn judge(
    config: &EcsCluster,
    inventory: &Inventory,
    suspects: &Suspects,
    complete: bool,
    begun: Instant,
) -> Judgement {
    let mut judgement = Judgement::default();
    judgement.answer.complete = complete;
    judgement.answer.empty_is_meant = empty_is_meant(config, inventory);
    for (arn, known) in &inventory.tasks {
        if known.belongs_to(&config.tasks_of) {
            judgement.task(arn, known, config, inventory, begun);
        }
    }
    judgement.weigh(config, inventory, suspects);
    judgement
}

fn empty_is_meant(config: &EcsCluster, inventory: &Inventory) -> bool {
    match &config.tasks_of {
        TasksOf::Service(service) => inventory.empty_services.contains(service),
        TasksOf::Family(_) => false,
    }
}

impl Judgement {
    fn task(
        &mut self,
        arn: &str,
        known: &KnownTask,
        config: &EcsCluster,
        inventory: &Inventory,
        begun: Instant,
    ) {
        let mut row = TaskReport { id: id_of(arn).to_owned(), ..TaskReport::default() };
        let Some(task) = &known.task else {
            row.reason = "out: not described yet".to_owned();
            return self.tasks.push(row);
        };
        describe(&mut row, task);
        let definition = inventory.definitions.get(&task.definition_arn);
        let has_health_check = definition.is_some_and(|definition| definition.has_health_check);
        // Once there was a result, UNKNOWN says that ECS has lost sight of it, not that it is starting.
        let unknown_health =
            if known.was_checked { UnknownHealth::Accept } else { config.unknown_health };
        let standing = standing(task, has_health_check, unknown_health);
        let instance =
            task.container_instance_arn.as_ref().and_then(|arn| inventory.instances.get(arn));
        if let Some(zone) = instance.and_then(|instance| instance.zone.as_ref())
            && row.zone.is_empty()
        {
            row.zone.clone_from(zone);
        }
        row.reason = standing.reason().to_owned();
        // A description of this poll outweighs the listing, which may lag behind.
        let vanished = !known.listed && known.asked.is_none_or(|asked| asked < begun);
        let gone = known.missing || vanished && standing != Standing::Draining;
        if known.missing {
            self.answer.unknown.insert(task.arn.clone());
        }
        if gone {
            row.reason = "out: not listed any more".to_owned();
            return self.tasks.push(row);
        }
        let address = match definition {
            Some(definition) => address::resolve(task, definition, &config.port, instance)
                .map(|address| (address, definition)),
            None => Err(Unreachable::NotYet("out: its task definition is not known yet")),
        };
        match (standing, address) {
            (Standing::Ready | Standing::Unhealthy, Ok((address, definition))) => {
                let healthy = standing == Standing::Ready;
                self.host(row, task, definition, instance, config, address, healthy);
            }
            (Standing::Ready | Standing::Unhealthy, Err(unreachable)) => {
                if let Unreachable::Never(message) = &unreachable {
                    self.complaints.insert(message.clone());
                }
                // It runs; that this answer has no address of it takes away no host that it had.
                self.answer.staying.insert(task.arn.clone());
                row.reason = unreachable.message().to_owned();
                self.tasks.push(row);
            }
            (Standing::Draining | Standing::Waiting(_), address) => {
                row.address = address.ok().map(|(address, _)| address.to_string());
                // Whatever its port was: a task on its way out may have lost its interface.
                self.answer.leaving.insert(task.arn.clone(), standing.reason());
                self.tasks.push(row);
            }
        }
    }

    #[allow(clippy::too_many_arguments, reason = "one caller, which has taken them apart")]
    fn host(
        &mut self,
        mut row: TaskReport,
        task: &Task,
        definition: &TaskDefinition,
        instance: Option<&Instance>,
        config: &EcsCluster,
        address: SocketAddr,
        healthy: bool,
    ) {
        row.address = Some(address.to_string());
        row.in_rotation = healthy;
        // Its replacements come before it goes: prefer those.
        let weight = if instance.is_some_and(|instance| instance.draining) { 1 } else { PREFERRED };
        row.weight = weight;
        self.answer.found.push(HostDescription {
            identity: identity(task, address),
            weight,
            // A suspect is out for now, by `Published`, and in again when that ends, whoever answers.
            health_status: match healthy {
                true => HealthStatus::Healthy,
                false => HealthStatus::Unhealthy,
            },
            locality: Locality {
                region: region_of(&task.arn).to_owned(),
                zone: row.zone.clone(),
                sub_zone: String::new(),
            },
            metadata: metadata(task, definition, config, &row.zone),
            ..HostDescription::new(address)
        });
        self.tasks.push(row);
    }

    /// Gives the hosts their weights; what gets none leaves.
    fn weigh(&mut self, config: &EcsCluster, inventory: &Inventory, suspects: &Suspects) {
        let is_ready = |host: &HostDescription| {
            host.health_status == HealthStatus::Healthy && !suspects.contains(&host.identity)
        };
        let service = match &config.tasks_of {
            TasksOf::Service(service) => inventory.services.get(service),
            TasksOf::Family(_) => None,
        };
        let by_id: HashMap<&str, &str> =
            self.tasks.iter().map(|row| (row.id.as_str(), row.deployment.as_str())).collect();
        let ready: Vec<(&str, &str)> = self
            .answer
            .found
            .iter()
            .filter(|host| is_ready(host))
            .map(|host| {
                let deployment = by_id.get(task_id(&host.identity)).copied().unwrap_or_default();
                (host.identity.as_str(), deployment)
            })
            .collect();
        let split = deployment::weights(config.deployment_weights, service, &ready);
        let mut weightless = BTreeMap::new();
        let alike = self.answer.found.iter().all(|host| host.weight == PREFERRED);
        for host in &mut self.answer.found {
            match &split {
                Some(split) => match split.get(&host.identity) {
                    Some(weight) if alike => host.weight = *weight,
                    Some(weight) => host.weight = (weight * host.weight / PREFERRED).max(1),
                    None if is_ready(host) => {
                        weightless.insert(host.identity.clone(), ());
                    }
                    None => {}
                },
                None if alike => host.weight = 1,
                None => {}
            }
        }
        self.answer.found.retain(|host| !weightless.contains_key(&host.identity));
        for identity in weightless.into_keys() {
            let reason = "out: its deployment has no production traffic";
            for row in self.tasks.iter_mut().filter(|row| row.id == task_id(&identity)) {
                row.in_rotation = false;
                row.weight = 0;
                row.reason = reason.to_owned();
            }
            self.answer.leaving.insert(identity, reason);
        }
        let weights: HashMap<&str, u32> =
            self.answer.found.iter().map(|host| (task_id(&host.identity), host.weight)).collect();
        for row in self.tasks.iter_mut() {
            row.weight = weights.get(row.id.as_str()).copied().unwrap_or(0);
        }
    }
}

/// The weight of a task whose instance is not DRAINING, where another's is.
const PREFERRED: u32 = 10;

/// Another task may get the address of one that has ended.
fn identity(task: &Task, address: SocketAddr) -> String {
    format!("{}#{}", task.arn, address.port())
}

/// The id of the task in a host's identity.
pub fn task_id(identity: &str) -> &str {
    id_of(owner(identity))
}

fn describe(row: &mut TaskReport, task: &Task) {
    row.zone = task.zone.clone().unwrap_or_default();
    row.revision = id_of(&task.definition_arn).to_owned();
    row.deployment.clone_from(&task.started_by);
    row.desired_status.clone_from(&task.desired_status);
    row.last_status.clone_from(&task.last_status);
    row.health_status = task.health.name().to_owned();
}

fn metadata(
    task: &Task,
    definition: &TaskDefinition,
    config: &EcsCluster,
    zone: &str,
) -> BTreeMap<String, Value> {
    let container = address::choose_port(definition, &config.port).map(|port| port.container);
    let service = task.group.strip_prefix("service:").unwrap_or_default();
    let mut metadata: BTreeMap<String, Value> = [
        ("ecs.service", service.to_owned()),
        ("ecs.cluster", id_of(&config.cluster).to_owned()),
        ("ecs.task_id", id_of(&task.arn).to_owned()),
        ("ecs.task_definition", id_of(&task.definition_arn).to_owned()),
        ("ecs.family", definition.family.clone()),
        ("ecs.revision", definition.revision.to_string()),
        ("ecs.deployment", task.started_by.clone()),
        ("ecs.container", container.unwrap_or_default()),
        ("ecs.launch_type", task.launch_type.clone().unwrap_or_default()),
        ("ecs.capacity_provider", task.capacity_provider.clone().unwrap_or_default()),
        ("ecs.az", zone.to_owned()),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(key, value)| (key.to_owned(), Value::String(value)))
    .collect();
    for tag in &config.metadata_tags {
        if let Some(value) = task.tags.get(tag) {
            metadata.insert(format!("tag.{tag}"), Value::String(value.clone()));
        }
    }
    metadata
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ringmain_config::aws::{AwsAccess, DiscoveryLimits};
    use ringmain_config::ecs_cluster::{DeploymentWeights, PortChoice};

    use super::super::client::Described;
    use super::super::task::{Health, Interface, NetworkMode, PortMapping};
    use super::*;

    const ARN: &str = "arn:aws:ecs:eu-west-1:1:task/prod/a";
    const DEFINITION: &str = "arn:aws:ecs:eu-west-1:1:task-definition/web:1";

    fn config() -> EcsCluster {
        EcsCluster {
            cluster: "prod".into(),
            tasks_of: TasksOf::Service("web".into()),
            access: AwsAccess::default(),
            port: PortChoice::default(),
            unknown_health: UnknownHealth::Accept,
            deployment_weights: DeploymentWeights::Tasks,
            metadata_tags: Vec::new(),
            limits: DiscoveryLimits {
                refresh_interval: Duration::from_secs(10),
                empty_set_grace: Duration::from_secs(60),
                max_removal_percent: 50,
                snapshot_path: None,
                wait_for_first_discovery: Duration::from_secs(15),
            },
        }
    }

    /// A healthy task at 10.0.0.1:80.
    fn inventory() -> Inventory {
        let interface =
            Interface { attached: true, ipv4: Some("10.0.0.1".into()), ..Interface::default() };
        let task = Task {
            arn: ARN.into(),
            group: "service:web".into(),
            desired_status: "RUNNING".into(),
            last_status: "RUNNING".into(),
            health: Health::Healthy,
            definition_arn: DEFINITION.into(),
            interface: Some(interface),
            ..Task::default()
        };
        let mapping = PortMapping { port: 80, ..PortMapping::default() };
        let definition = TaskDefinition {
            network_mode: NetworkMode::Awsvpc,
            port_mappings: vec![mapping],
            ..TaskDefinition::default()
        };
        let (mut inventory, arns) = (Inventory::default(), [ARN.to_owned()]);
        inventory.listed(Some(&config().tasks_of), &arns);
        let answer = Described { tasks: vec![task], missing: Vec::new() };
        inventory.described(&arns, answer, Instant::now());
        inventory.definitions.insert(DEFINITION.into(), definition.into());
        inventory
    }

    #[test]
    fn a_suspect_is_as_healthy_as_ecs_says() {
        let mut suspects = Suspects::default();
        suspects.add(&format!("{ARN}#80"), Instant::now());
        let judgement = judge(&config(), &inventory(), &suspects, true, Instant::now());
        assert_eq!(judgement.answer.found[0].health_status, HealthStatus::Healthy);
    }
}
