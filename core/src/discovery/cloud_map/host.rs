//! From an instance of Cloud Map to a host.

use std::net::{IpAddr, SocketAddr};

use ringmain_config::bootstrap::Locality;
use ringmain_config::cloud_map_cluster::CloudMapCluster;
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
    row.address = Some(address.to_string());
    row.weight = 1;
    row.in_rotation = true;
    row.reason = "in: Cloud Map names it".to_owned();
    let of_instance = attribute("REGION");
    let metadata = instance
        .attributes
        .iter()
        .map(|(name, value)| (name.clone(), Value::String(value.clone())))
        .collect();
    let host = HostDescription {
        identity: format!("{}#{}", instance.id, address.port()),
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
