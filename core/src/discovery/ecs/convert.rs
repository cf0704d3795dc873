//! From the SDK's types to ours. The SDK reads an object without its fields as one whose fields are empty or
//! 0: what lacks a field that AWS always sends is taken for an answer that was not whole.

use aws_sdk_ecs::types as sdk;

use super::deployment::{Deployment, Service, Traffic};
use super::task::{
    Binding, Container, Health, Instance, Interface, NetworkMode, PortMapping, Task, TaskDefinition,
};

fn text(value: Option<&str>) -> String {
    value.unwrap_or_default().to_owned()
}

fn port(value: Option<i32>) -> Option<u16> {
    value.and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0)
}

/// A task.
pub fn task(task: &sdk::Task) -> Option<Task> {
    Some(Task {
        arn: task.task_arn()?.to_owned(),
        group: task.group()?.to_owned(),
        started_by: text(task.started_by()),
        definition_arn: task.task_definition_arn()?.to_owned(),
        desired_status: task.desired_status()?.to_owned(),
        last_status: task.last_status()?.to_owned(),
        health: match task.health_status() {
            Some(sdk::HealthStatus::Healthy) => Health::Healthy,
            Some(sdk::HealthStatus::Unhealthy) => Health::Unhealthy,
            _ => Health::Unknown,
        },
        zone: task.availability_zone().map(str::to_owned),
        launch_type: task.launch_type().map(|kind| kind.as_str().to_owned()),
        capacity_provider: task.capacity_provider_name().map(str::to_owned),
        container_instance_arn: task.container_instance_arn().map(str::to_owned),
        interface: task.attachments().iter().find_map(interface),
        containers: task.containers().iter().map(container).collect(),
        tags: task.tags().iter().map(|tag| (text(tag.key()), text(tag.value()))).collect(),
        version: task.version(),
    })
}

/// Events call the type `eni`.
fn interface(attachment: &sdk::Attachment) -> Option<Interface> {
    if !matches!(attachment.r#type(), Some("ElasticNetworkInterface" | "eni")) {
        return None;
    }
    let detail = |name: &str| {
        let details = attachment.details().iter();
        let mut named = details.filter(|detail| detail.name() == Some(name));
        named.next().and_then(|detail| detail.value()).map(str::to_owned)
    };
    Some(Interface {
        attached: attachment.status() == Some("ATTACHED"),
        ipv4: detail("privateIPv4Address"),
        ipv6: detail("privateIPv6Address"),
    })
}

fn container(container: &sdk::Container) -> Container {
    Container {
        name: text(container.name()),
        bindings: container.network_bindings().iter().filter_map(binding).collect(),
        ipv4: container
            .network_interfaces()
            .first()
            .and_then(|interface| interface.private_ipv4_address())
            .map(str::to_owned),
    }
}

fn binding(binding: &sdk::NetworkBinding) -> Option<Binding> {
    if binding.protocol() == Some(&sdk::TransportProtocol::Udp) {
        return None;
    }
    let range = |range: Option<&str>| {
        let (first, last) = range?.split_once('-')?;
        Some((first.parse::<u16>().ok()?, last.parse::<u16>().ok()?))
    };
    match (range(binding.container_port_range()), range(binding.host_port_range())) {
        (Some((first, last)), Some((host_port, _))) => Some(Binding {
            container_port: first,
            host_port,
            count: last.checked_sub(first)?.saturating_add(1),
        }),
        _ => Some(Binding {
            container_port: port(binding.container_port())?,
            host_port: port(binding.host_port())?,
            count: 1,
        }),
    }
}

/// A task definition.
pub fn definition(definition: &sdk::TaskDefinition) -> Option<TaskDefinition> {
    let containers = definition.container_definitions.as_ref()?;
    Some(TaskDefinition {
        family: definition.family()?.to_owned(),
        revision: definition.revision(),
        network_mode: match definition.network_mode() {
            Some(sdk::NetworkMode::Awsvpc) => NetworkMode::Awsvpc,
            Some(sdk::NetworkMode::Host) => NetworkMode::Host,
            Some(sdk::NetworkMode::None) => NetworkMode::None,
            _ => NetworkMode::Bridge,
        },
        has_health_check: containers.iter().any(|container| container.health_check().is_some()),
        port_mappings: containers
            .iter()
            .flat_map(|container| {
                let mappings = container.port_mappings().iter();
                mappings.filter_map(|mapping| port_mapping(text(container.name()), mapping))
            })
            .collect(),
    })
}

fn port_mapping(container: String, mapping: &sdk::PortMapping) -> Option<PortMapping> {
    if mapping.protocol() == Some(&sdk::TransportProtocol::Udp) {
        return None;
    }
    let port = port(mapping.container_port())?;
    Some(PortMapping { container, port, name: mapping.name().map(str::to_owned) })
}

/// ARNs of what ECS does not know (any more).
pub fn missing(failures: &[sdk::Failure]) -> impl Iterator<Item = &str> {
    let missing = failures.iter().filter(|failure| failure.reason() == Some("MISSING"));
    missing.filter_map(sdk::Failure::arn)
}

/// A container instance, by its ARN.
pub fn instance(instance: &sdk::ContainerInstance) -> Option<(String, Instance)> {
    let known = Instance {
        ec2_id: instance.ec2_instance_id()?.to_owned(),
        draining: instance.status() == Some("DRAINING"),
        ..Instance::default()
    };
    Some((instance.container_instance_arn()?.to_owned(), known))
}

/// A service, by its name. Task sets take the place of deployments where others deploy.
pub fn service(service: &sdk::Service) -> Option<(String, Service)> {
    service.status()?;
    let deployments = service.deployments().iter().map(|deployment| Deployment {
        id: text(deployment.id()),
        primary: deployment.status() == Some("PRIMARY"),
    });
    let task_sets = service.task_sets().iter().map(|set| Deployment {
        id: text(set.started_by().or(set.id())),
        primary: set.status() == Some("PRIMARY"),
    });
    let known = Service {
        desired: service.desired_count(),
        running: service.running_count(),
        deployments: deployments.chain(task_sets).collect(),
        traffic: None,
    };
    Some((service.service_name()?.to_owned(), known))
}

/// The production traffic weights of a deployment, where it has any.
pub fn traffic(deployment: &sdk::ServiceDeployment) -> Option<Traffic> {
    let weight =
        |revision: &sdk::ServiceRevisionSummary| revision.requested_production_traffic_weight();
    let target = deployment.target_service_revision().and_then(weight);
    let sources: Vec<f64> =
        deployment.source_service_revisions().iter().filter_map(weight).collect();
    if target.is_none() && sources.is_empty() {
        return None;
    }
    Some(Traffic { target: target.unwrap_or_default(), source: sources.iter().sum() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bindings_are_single_ports_or_ranges_and_udp_is_none() {
        let one = sdk::NetworkBinding::builder().container_port(80).host_port(32768).build();
        let range = sdk::NetworkBinding::builder()
            .container_port_range("8000-8099")
            .host_port_range("40000-40099")
            .build();
        let udp = sdk::NetworkBinding::builder()
            .container_port(53)
            .host_port(53)
            .protocol(sdk::TransportProtocol::Udp)
            .build();
        assert_eq!(binding(&one), Some(Binding { container_port: 80, host_port: 32768, count: 1 }));
        let expected = Binding { container_port: 8000, host_port: 40000, count: 100 };
        assert_eq!(binding(&range), Some(expected));
        assert_eq!(binding(&udp), None);
    }

    #[test]
    fn the_interface_is_that_of_the_attachment() {
        let detail =
            |name: &str, value: &str| sdk::KeyValuePair::builder().name(name).value(value).build();
        let eni = sdk::Attachment::builder()
            .r#type("ElasticNetworkInterface")
            .status("ATTACHED")
            .details(detail("subnetId", "subnet-1"))
            .details(detail("privateIPv4Address", "10.0.0.7"))
            .build();
        let volume = sdk::Attachment::builder().r#type("AmazonElasticBlockStorage").build();
        let told = sdk::Task::builder()
            .task_arn("arn:aws:ecs:eu-west-1:1:task/prod/a")
            .group("service:web")
            .task_definition_arn("arn:aws:ecs:eu-west-1:1:task-definition/web:1")
            .desired_status("RUNNING")
            .last_status("RUNNING");
        let known = task(&told.attachments(volume).attachments(eni).build());
        let expected = Interface { attached: true, ipv4: Some("10.0.0.7".into()), ipv6: None };
        assert_eq!(known.and_then(|known| known.interface), Some(expected));
    }

    #[test]
    fn what_lacks_its_fields_is_not_taken_at_its_word() {
        assert_eq!(task(&sdk::Task::builder().task_arn("a").build()), None);
        assert!(definition(&sdk::TaskDefinition::builder().family("web").build()).is_none());
        assert!(instance(&sdk::ContainerInstance::builder().status("ACTIVE").build()).is_none());
        assert_eq!(service(&sdk::Service::builder().service_name("web").build()), None);
    }

    #[test]
    fn weights_are_those_of_target_and_sources() {
        let revision = |weight: f64| {
            sdk::ServiceRevisionSummary::builder()
                .requested_production_traffic_weight(weight)
                .build()
        };
        let canary = sdk::ServiceDeployment::builder()
            .target_service_revision(revision(10.0))
            .source_service_revisions(revision(90.0))
            .build();
        assert_eq!(traffic(&canary), Some(Traffic { target: 10.0, source: 90.0 }));
        assert_eq!(traffic(&sdk::ServiceDeployment::builder().build()), None);
    }
}
