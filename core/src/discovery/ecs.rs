//! Hosts from Amazon ECS: the running tasks of a service or of a family.
//!
//! Rules first: `task` is what the API says, `life_cycle` which tasks get traffic, `address`
//! where a task listens, `deployment` how traffic is split, `inventory` what to ask next, and
//! `judgement` what it all means for a cluster. Then sequencing: `client` makes the calls,
//! `round` is one poll, `poller` polls for ever, and a `view` hands a cluster its hosts.

pub mod address;
mod client;
mod convert;
pub mod deployment;
mod inventory;
mod judgement;
pub mod life_cycle;
mod poller;
mod round;
pub mod task;
mod view;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use ringmain_config::aws::AwsAccess;
use ringmain_config::cluster::DiscoveryType;
use ringmain_config::ecs_cluster::{DeploymentWeights, EcsCluster, TasksOf};
use tokio::sync::{mpsc, oneshot};

use self::client::EcsClient;
use self::poller::Poller;
use self::round::Asker;
use self::view::View;
use super::aws::SharedBudget;
use crate::server::Control;

/// Starts a poller for each account, region and ECS cluster of the configuration.
pub fn start(control: &Arc<Control>, budget: &SharedBudget, first: &mpsc::Sender<()>) {
    let mut sources: HashMap<(&AwsAccess, &str), Vec<(usize, &EcsCluster)>> = HashMap::new();
    for (index, cluster) in control.compiled.clusters.iter().enumerate() {
        if let DiscoveryType::Ecs(ecs) = &cluster.config.discovery {
            sources.entry((&ecs.access, &ecs.cluster)).or_default().push((index, ecs));
        }
    }
    for ((access, ecs_cluster), members) in sources {
        let client = EcsClient::new(
            access.clone(),
            ecs_cluster.to_owned(),
            budget.clone(),
            members.iter().map(|(index, _)| control.compiled.clusters[*index].clone()).collect(),
        );
        let asker = Asker::new(client, groups(&members), deployments_of(&members));
        let intervals = members.iter().map(|(_, ecs)| ecs.limits.refresh_interval);
        let interval = intervals.min().unwrap_or(Duration::MAX);
        let views = members
            .into_iter()
            .map(|(index, ecs)| {
                let found = wait_for_first(ecs.limits.wait_for_first_discovery, first.clone());
                View::new(control, index, ecs.clone(), found)
            })
            .collect();
        tokio::spawn(Poller::new(control.clone(), asker, views, interval).run());
    }
}

/// Lets go of `first` when what is returned is dropped, or after `limit`.
pub fn wait_for_first(limit: Duration, first: mpsc::Sender<()>) -> oneshot::Sender<()> {
    let (found, wait) = oneshot::channel();
    tokio::spawn(async move {
        // Whoever waits for the first answer does not mind what it was, or whether it came.
        let _found_or_late = tokio::time::timeout(limit, wait).await;
        drop(first);
    });
    found
}

fn groups(members: &[(usize, &EcsCluster)]) -> Vec<TasksOf> {
    let groups: BTreeSet<&TasksOf> = members.iter().map(|(_, ecs)| &ecs.tasks_of).collect();
    groups.into_iter().cloned().collect()
}

/// The services whose deployments say how traffic is split.
fn deployments_of(members: &[(usize, &EcsCluster)]) -> BTreeSet<String> {
    let split: BTreeMap<&TasksOf, &EcsCluster> = members
        .iter()
        .filter(|(_, ecs)| ecs.deployment_weights != DeploymentWeights::Tasks)
        .map(|(_, ecs)| (&ecs.tasks_of, *ecs))
        .collect();
    split
        .into_keys()
        .filter_map(|group| match group {
            TasksOf::Service(service) => Some(service.clone()),
            TasksOf::Family(_) => None,
        })
        .collect()
}
