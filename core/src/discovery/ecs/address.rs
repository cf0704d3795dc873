//! From a task to the address and port that takes its requests.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use ringmain_config::ecs_cluster::PortChoice;

use super::task::{Instance, NetworkMode, PortMapping, Task, TaskDefinition};

/// Why a task has no address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreachable {
    /// Not yet: ECS or EC2 will tell later.
    NotYet(&'static str),
    /// The configuration or the task definition must change; says what was asked, what was found
    /// and what to write.
    Never(String),
}

impl Unreachable {
    /// What to tell the user.
    pub fn message(&self) -> &str {
        match self {
            Self::NotYet(message) => message,
            Self::Never(message) => message,
        }
    }
}

/// The address of `task`. `instance` is that of its container instance, where it has one.
pub fn resolve(
    task: &Task,
    definition: &TaskDefinition,
    choice: &PortChoice,
    instance: Option<&Instance>,
) -> Result<SocketAddr, Unreachable> {
    let name = definition_name(definition);
    if definition.network_mode == NetworkMode::None {
        return Err(Unreachable::Never(format!(
            "task definition {name} has network mode 'none', in which nothing can reach its tasks; \
             use awsvpc, bridge or host"
        )));
    }
    let mapping = choose_port(definition, choice).map_err(Unreachable::Never)?;
    let (ip, port) = match definition.network_mode {
        NetworkMode::Awsvpc => (interface_address(task, &mapping, &name)?, mapping.port),
        NetworkMode::Host => (instance_address(instance)?, mapping.port),
        NetworkMode::Bridge => (instance_address(instance)?, host_port(task, &mapping)?),
        NetworkMode::None => unreachable!("refused above"),
    };
    let address: IpAddr = ip.parse().map_err(|_| {
        Unreachable::Never(format!("'{ip}', which AWS gives for a task of {name}, is no address"))
    })?;
    Ok(SocketAddr::new(address, port))
}

fn definition_name(definition: &TaskDefinition) -> String {
    format!("{}:{}", definition.family, definition.revision)
}

/// The port mapping that `choice` means, or what to write instead.
pub fn choose_port(
    definition: &TaskDefinition,
    choice: &PortChoice,
) -> Result<PortMapping, String> {
    let of_container: Vec<&PortMapping> = definition
        .port_mappings
        .iter()
        .filter(|mapping| {
            choice.container_name.as_ref().is_none_or(|name| *name == mapping.container)
        })
        .collect();
    let asked = asked_for(choice);
    let name = definition_name(definition);
    let found = || candidates(&definition.port_mappings);
    let matching: Vec<&PortMapping> = of_container
        .into_iter()
        .filter(|mapping| {
            choice.port.is_none_or(|port| port == mapping.port)
                && choice.port_name.as_ref().is_none_or(|name| Some(name) == mapping.name.as_ref())
        })
        .collect();
    match &matching[..] {
        [one] => Ok((*one).clone()),
        // A port that nothing maps is still the task's own in awsvpc and host mode.
        [] => match (choice.port, definition.network_mode) {
            (Some(port), NetworkMode::Awsvpc | NetworkMode::Host)
                if definition.port_mappings.is_empty() =>
            {
                Ok(PortMapping {
                    container: choice.container_name.clone().unwrap_or_default(),
                    port,
                    name: None,
                })
            }
            _ if definition.port_mappings.is_empty() => Err(format!(
                "task definition {name} has no TCP port mapping, {asked} was asked for; add \
                 'portMappings' to its container"
            )),
            _ => Err(format!(
                "task definition {name} has no TCP port mapping for {asked}; it has {}",
                found()
            )),
        },
        _ => Err(format!(
            "task definition {name} has more than one TCP port mapping for {asked}: {}; say which \
             with 'port_name', or with 'container_name' and 'port'",
            candidates(&matching.into_iter().cloned().collect::<Vec<_>>())
        )),
    }
}

fn asked_for(choice: &PortChoice) -> String {
    let mut text = match (&choice.port_name, choice.port) {
        (Some(name), _) => format!("port_name '{name}'"),
        (None, Some(port)) => format!("port {port}"),
        (None, None) => "any port".to_owned(),
    };
    if let Some(container) = &choice.container_name {
        write!(text, " of container '{container}'").expect("writing to memory does not fail");
    }
    text
}

fn candidates(mappings: &[PortMapping]) -> String {
    let listed: Vec<String> = mappings
        .iter()
        .map(|mapping| {
            let name = mapping.name.as_ref().map(|name| format!(" ('{name}')")).unwrap_or_default();
            format!("{}{name} of container '{}'", mapping.port, mapping.container)
        })
        .collect();
    listed.join(", ")
}

/// IPv4, or IPv6 where that is all there is.
fn interface_address(
    task: &Task,
    mapping: &PortMapping,
    name: &str,
) -> Result<String, Unreachable> {
    if let Some(interface) = &task.interface {
        if !interface.attached {
            return Err(Unreachable::NotYet("out: its network interface is not ATTACHED yet"));
        }
        if let Some(ip) = interface.ipv4.as_ref().or(interface.ipv6.as_ref()) {
            return Ok(ip.clone());
        }
    }
    let container = task.containers.iter().find(|container| container.name == mapping.container);
    let ipv4 = container.or(task.containers.first()).and_then(|container| container.ipv4.clone());
    ipv4.ok_or_else(|| match task.interface {
        None => Unreachable::NotYet("out: ECS tells no network interface of it yet"),
        Some(_) => Unreachable::Never(format!(
            "the network interface of a task of {name} has neither an IPv4 nor an IPv6 address"
        )),
    })
}

fn instance_address(instance: Option<&Instance>) -> Result<String, Unreachable> {
    let instance =
        instance.ok_or(Unreachable::NotYet("out: its container instance is not known yet"))?;
    if instance.ec2_id.starts_with("mi-") {
        return Err(Unreachable::Never(format!(
            "instance {} is managed by ECS Anywhere, which is not supported yet; leave its tasks to \
             a STRICT_DNS cluster",
            instance.ec2_id
        )));
    }
    let ip = instance.ip.clone();
    ip.ok_or(Unreachable::NotYet("out: EC2 has not told the address of its instance yet"))
}

/// The port of the instance that leads to the mapped port.
fn host_port(task: &Task, mapping: &PortMapping) -> Result<u16, Unreachable> {
    let container = task.containers.iter().find(|container| container.name == mapping.container);
    let bindings = container.map(|container| &container.bindings[..]).unwrap_or_default();
    bindings
        .iter()
        .find_map(|binding| {
            let offset = mapping.port.checked_sub(binding.container_port)?;
            (offset < binding.count).then(|| binding.host_port.checked_add(offset))?
        })
        .ok_or(Unreachable::NotYet("out: ECS tells no host port for it yet"))
}

#[cfg(test)]
mod tests {
    use super::super::task::{Binding, Container, Interface};
    use super::*;

    fn mapping(container: &str, port: u16, name: Option<&str>) -> PortMapping {
        PortMapping { container: container.into(), port, name: name.map(Into::into) }
    }

    fn definition(mode: NetworkMode, mappings: &[PortMapping]) -> TaskDefinition {
        TaskDefinition {
            family: "web".into(),
            revision: 3,
            network_mode: mode,
            port_mappings: mappings.to_vec(),
            ..TaskDefinition::default()
        }
    }

    fn choice(container: Option<&str>, name: Option<&str>, port: Option<u16>) -> PortChoice {
        PortChoice {
            container_name: container.map(Into::into),
            port_name: name.map(Into::into),
            port,
        }
    }

    fn on_interface(attached: bool, ipv4: Option<&str>, ipv6: Option<&str>) -> Task {
        let interface =
            Interface { attached, ipv4: ipv4.map(Into::into), ipv6: ipv6.map(Into::into) };
        Task { interface: Some(interface), ..Task::default() }
    }

    fn bound(container: &str, bindings: &[(u16, u16, u16)]) -> Task {
        let bindings = bindings
            .iter()
            .map(|&(container_port, host_port, count)| Binding { container_port, host_port, count })
            .collect();
        let container = Container { name: container.into(), bindings, ipv4: None };
        Task { containers: vec![container], ..Task::default() }
    }

    fn instance(ip: &str) -> Instance {
        Instance { ec2_id: "i-1".into(), ip: Some(ip.into()), ..Instance::default() }
    }

    #[test]
    fn the_port_is_the_one_that_the_configuration_names() {
        let sidecar = [
            mapping("app", 80, Some("http")),
            mapping("app", 81, None),
            mapping("envoy", 80, None),
        ];
        let sidecar = definition(NetworkMode::Awsvpc, &sidecar);
        let one = definition(NetworkMode::Awsvpc, &[mapping("app", 80, None)]);
        for (definition, choice, expected) in [
            (&one, choice(None, None, None), ("app", 80)),
            (&sidecar, choice(None, Some("http"), None), ("app", 80)),
            (&sidecar, choice(None, None, Some(81)), ("app", 81)),
            (&sidecar, choice(Some("envoy"), None, None), ("envoy", 80)),
            (&sidecar, choice(Some("app"), None, Some(80)), ("app", 80)),
        ] {
            let chosen = choose_port(definition, &choice).expect("one fits");
            assert_eq!((chosen.container.as_str(), chosen.port), expected);
        }
    }

    #[test]
    fn an_ambiguous_or_absent_port_names_the_candidates() {
        let two = [mapping("app", 80, Some("http")), mapping("app", 81, None)];
        let two = definition(NetworkMode::Bridge, &two);
        let none = definition(NetworkMode::Bridge, &[]);
        for (definition, choice, expected) in [
            (
                &two,
                choice(None, None, None),
                "task definition web:3 has more than one TCP port mapping for any port: 80 ('http') \
                 of container 'app', 81 of container 'app'; say which with 'port_name', or with \
                 'container_name' and 'port'",
            ),
            (
                &two,
                choice(None, Some("grpc"), None),
                "task definition web:3 has no TCP port mapping for port_name 'grpc'; it has 80 \
                 ('http') of container 'app', 81 of container 'app'",
            ),
            (
                &two,
                choice(Some("web"), None, Some(80)),
                "task definition web:3 has no TCP port mapping for port 80 of container 'web'; it \
                 has 80 ('http') of container 'app', 81 of container 'app'",
            ),
            (
                &none,
                choice(None, None, Some(80)),
                "task definition web:3 has no TCP port mapping, port 80 was asked for; add \
                 'portMappings' to its container",
            ),
        ] {
            assert_eq!(choose_port(definition, &choice).expect_err("none fits"), expected);
        }
    }

    #[test]
    fn awsvpc_uses_the_interface_and_the_container_port() {
        let definition = definition(NetworkMode::Awsvpc, &[mapping("app", 8080, None)]);
        let any = PortChoice::default();
        let resolve = |task: &Task| resolve(task, &definition, &any, None);
        let address = resolve(&on_interface(true, Some("10.0.0.7"), Some("fd00::7")));
        assert_eq!(address.expect("IPv4 first").to_string(), "10.0.0.7:8080");
        let address = resolve(&on_interface(true, None, Some("fd00::7")));
        assert_eq!(address.expect("IPv6 alone").to_string(), "[fd00::7]:8080");
        let early = resolve(&on_interface(false, Some("10.0.0.7"), None));
        assert!(matches!(early, Err(Unreachable::NotYet(_))));
        assert!(matches!(resolve(&Task::default()), Err(Unreachable::NotYet(_))));
        let none = resolve(&on_interface(true, None, None));
        assert!(matches!(none, Err(Unreachable::Never(_))));
        let container =
            Container { name: "app".into(), ipv4: Some("10.0.0.8".into()), ..Container::default() };
        let task = Task { containers: vec![container], ..Task::default() };
        assert_eq!(resolve(&task).expect("from the container").to_string(), "10.0.0.8:8080");
    }

    #[test]
    fn bridge_uses_the_instance_and_its_dynamic_port() {
        let definition = definition(NetworkMode::Bridge, &[mapping("app", 8080, None)]);
        let any = PortChoice::default();
        let host = instance("10.0.1.1");
        let at = |task: &Task| resolve(task, &definition, &any, Some(&host));
        let address = at(&bound("app", &[(9090, 40000, 1), (8080, 49153, 1)]));
        assert_eq!(address.expect("bound").to_string(), "10.0.1.1:49153");
        let address = at(&bound("app", &[(8000, 40000, 100)]));
        assert_eq!(address.expect("in a range").to_string(), "10.0.1.1:40080");
        for unbound in [bound("app", &[(8000, 40000, 80)]), bound("other", &[(8080, 1, 1)])] {
            assert!(matches!(at(&unbound), Err(Unreachable::NotYet(_))));
        }
        let task = bound("app", &[(8080, 49153, 1)]);
        let unknown = resolve(&task, &definition, &any, None);
        assert!(matches!(unknown, Err(Unreachable::NotYet(_))));
    }

    #[test]
    fn host_mode_uses_the_instance_and_the_container_port() {
        let definition = definition(NetworkMode::Host, &[mapping("app", 8080, None)]);
        let host = instance("10.0.1.1");
        let address = resolve(&Task::default(), &definition, &PortChoice::default(), Some(&host));
        assert_eq!(address.expect("reachable").to_string(), "10.0.1.1:8080");
        let anywhere = Instance { ec2_id: "mi-1".into(), ..Instance::default() };
        let address =
            resolve(&Task::default(), &definition, &PortChoice::default(), Some(&anywhere));
        assert!(address.expect_err("no EC2 record").message().contains("ECS Anywhere"));
    }

    #[test]
    fn nothing_reaches_network_mode_none() {
        let definition = definition(NetworkMode::None, &[mapping("app", 8080, None)]);
        let address = resolve(&Task::default(), &definition, &PortChoice::default(), None);
        assert!(address.expect_err("none").message().contains("network mode 'none'"));
    }
}
