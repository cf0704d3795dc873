//! `STATIC`: the endpoints are the hosts.

use std::sync::Arc;

use ringmain_config::cluster::Cluster;

use crate::cluster::{Host, HostDescription, HostSet};

/// The hosts that `cluster` lists.
pub fn hosts(cluster: &Cluster, workers: usize) -> HostSet {
    let mut hosts = Vec::new();
    for group in &cluster.load_assignment.endpoints {
        for endpoint in &group.lb_endpoints {
            // A checked configuration has no names in a STATIC cluster.
            if let Some(address) = endpoint.address.known() {
                let description = HostDescription {
                    hostname: endpoint.hostname.clone(),
                    weight: endpoint.load_balancing_weight,
                    health_status: endpoint.health_status,
                    priority: group.priority,
                    locality: group.locality.clone(),
                    metadata: endpoint.metadata.clone(),
                    socket_labels: endpoint.socket_labels.clone(),
                    health_check_config: endpoint.health_check_config.clone(),
                    ..HostDescription::new(address)
                };
                hosts.push(Arc::new(Host::new(description, workers)));
            }
        }
    }
    HostSet { hosts }
}
