//! From an instance of Cloud Map to a host.

use std::net::{IpAddr, SocketAddr};

use ringmain_config::cloud_map_cluster::{CloudMapCluster, CloudMapHealth};
use ringmain_config::cluster::HealthStatus;
use ringmain_config::locality::Locality;
use serde_json::Value;

use super::client::Instance;
use crate::cluster::HostDescription;
use crate::discovery::report::TaskReport;

/// The row for admin, and the host if the instance tells its address.
pub fn judge(
    instance: &Instance,
    config: &CloudMapCluster,
    region: &str,
) -> (TaskReport, Option<HostDescription>) {
    let attribute = |name: &str| instance.attributes.get(name).cloned().unwrap_or_default();
    let mut row = TaskReport {
        id: instance.id.clone(),
        zone: attribute("AVAILABILITY_ZONE"),
        revision: attribute("ECS_TASK_DEFINITION_FAMILY"),
        health_status: if instance.unhealthy { "UNHEALTHY" } else { "HEALTHY" }.to_owned(),
        ..TaskReport::default()
    };
    let address = match address(instance, config) {
        Ok(address) => address,
        Err(reason) => {
            row.reason = reason;
            return (row, None);
        }
    };
    // Asked for the healthy ones, Cloud Map tells of others only where there are no such.
    let is_out = instance.unhealthy && config.health_status == CloudMapHealth::All;
    row.address = Some(address.to_string());
    row.weight = 1;
    row.in_rotation = !is_out;
    row.reason = match is_out {
        true => "out: Cloud Map says that it is unhealthy".to_owned(),
        false => "in: Cloud Map names it".to_owned(),
    };
    let of_instance = attribute("REGION");
    let metadata = instance
        .attributes
        .iter()
        .map(|(name, value)| (name.clone(), Value::String(value.clone())))
        .collect();
    let host = HostDescription {
        identity: format!("{}#{}", instance.id, address.port()),
        health_status: if is_out { HealthStatus::Unhealthy } else { HealthStatus::Healthy },
        locality: Locality {
            region: if of_instance.is_empty() { region.to_owned() } else { of_instance },
            zone: row.zone.clone(),
            sub_zone: String::new(),
        },
        metadata,
        ..HostDescription::new(address)
    };
    (row, Some(host))
}

fn address(instance: &Instance, config: &CloudMapCluster) -> Result<SocketAddr, String> {
    let ip = instance
        .attributes
        .get("AWS_INSTANCE_IPV4")
        .or_else(|| instance.attributes.get("AWS_INSTANCE_IPV6"))
        .ok_or("out: it has neither AWS_INSTANCE_IPV4 nor AWS_INSTANCE_IPV6")?;
    let ip: IpAddr = ip.parse().map_err(|_| format!("out: '{ip}' is no address"))?;
    let of_instance = || instance.attributes.get("AWS_INSTANCE_PORT")?.parse().ok();
    let port = config
        .port
        .or_else(of_instance)
        .ok_or("out: it has no AWS_INSTANCE_PORT; write 'port' in the cluster")?;
    Ok(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ringmain_config::aws::{AwsAccess, DiscoveryLimits};

    use super::*;
    use crate::discovery::membership::owner;

    fn config(health_status: CloudMapHealth) -> CloudMapCluster {
        CloudMapCluster {
            namespace: "internal".to_owned(),
            service: "web".to_owned(),
            access: AwsAccess::default(),
            health_status,
            query_parameters: Default::default(),
            port: None,
            limits: DiscoveryLimits {
                refresh_interval: Duration::from_secs(5),
                empty_set_grace: Duration::from_secs(60),
                max_removal_percent: 50,
                snapshot_path: None,
                wait_for_first_discovery: Duration::from_secs(15),
            },
        }
    }

    #[test]
    fn an_unhealthy_instance_is_an_unhealthy_host_where_all_were_asked_for() {
        let attributes = [("AWS_INSTANCE_IPV4", "10.0.0.1"), ("AWS_INSTANCE_PORT", "80")];
        let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let instance = Instance { id: "a".into(), unhealthy: true, attributes: attributes.into() };
        for (asked, expected) in [
            (CloudMapHealth::All, HealthStatus::Unhealthy),
            (CloudMapHealth::HealthyOrElseAll, HealthStatus::Healthy),
        ] {
            let (row, host) = judge(&instance, &config(asked), "eu-west-1");
            let host = host.expect("it has an address");
            assert_eq!(host.health_status, expected);
            assert_eq!(row.in_rotation, expected == HealthStatus::Healthy);
            assert_eq!(owner(&host.identity), "a");
        }
    }
}
