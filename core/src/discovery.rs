//! Finding the hosts of clusters, on the control thread. Every kind produces a [`HostSet`] and
//! never removes a host because it failed to look.
//!
//! [`HostSet`]: crate::cluster::HostSet

#[cfg(feature = "aws")]
pub mod aws;
#[cfg(feature = "aws")]
mod cloud_map;
mod dns;
#[cfg(feature = "aws")]
pub mod ecs;
#[cfg(feature = "aws")]
pub mod membership;
#[cfg(feature = "aws")]
mod publish;
#[cfg(feature = "aws")]
mod ramp;
pub mod report;
#[cfg(feature = "aws")]
pub mod schedule;
#[cfg(feature = "aws")]
mod snapshot;
mod static_hosts;
#[cfg(feature = "aws")]
mod suspects;

use std::sync::Arc;

use ringmain_config::cluster::{self as config, DiscoveryType};
use tokio::sync::mpsc;

use crate::server::Control;

/// What `clusters` need that this build does not have.
pub fn missing(clusters: &[config::Cluster]) -> Option<String> {
    if cfg!(feature = "aws") {
        return None;
    }
    let cluster = clusters.iter().find(|cluster| cluster.discovery.aws_limits().is_some())?;
    Some(format!("cluster '{}' is found by an AWS API, which this build cannot", cluster.name))
}

/// Starts the discovery of every cluster; each reports on `first` when its first look is over,
/// whatever it found.
pub async fn start(control: &Arc<Control>, first: &mpsc::Sender<()>) {
    for (index, cluster) in control.compiled.clusters.iter().enumerate() {
        match &cluster.config.discovery {
            DiscoveryType::Static => {
                let hosts = static_hosts::hosts(&cluster.config, control.compiled.workers);
                cluster.discovery.membership_change.inc();
                control.set_hosts(index, Arc::new(hosts)).await;
            }
            DiscoveryType::Dns(options) => {
                let options = options.as_ref().clone();
                tokio::spawn(dns::run(control.clone(), index, options, first.clone()));
            }
            // Shared by clusters: started below.
            DiscoveryType::Ecs(_) | DiscoveryType::CloudMap(_) => {}
        }
    }
    #[cfg(feature = "aws")]
    {
        let budget = aws::SharedBudget::full();
        ecs::start(control, &budget, first);
        cloud_map::start(control, &budget, first);
    }
}
