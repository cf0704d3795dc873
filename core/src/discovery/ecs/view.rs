//! A cluster of the configuration as an ECS poller serves it: its membership, its suspects, its
//! stats and what the log says of it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use ringmain_config::ecs_cluster::{DeploymentWeights, EcsCluster, TasksOf};
use tokio::sync::oneshot;

use super::inventory::Inventory;
use super::judgement::{Judgement, Suspects, judge, task_arn};
use crate::cluster::{Cluster, Host};
use crate::discovery::publish::Published;
use crate::discovery::report::ClusterReport;
use crate::server::Control;
use crate::stats::scopes::AwsStats;

/// A cluster of the configuration.
#[derive(Debug)]
pub struct View {
    pub config: EcsCluster,
    cluster: Arc<Cluster>,
    published: Published,
    suspects: Suspects,
    /// Failed connections of each host as last seen, by the host's id.
    failures: HashMap<u64, u64>,
    complaints: BTreeSet<String>,
    /// Dropped when the first whole answer has come.
    first: Option<oneshot::Sender<()>>,
    report: ClusterReport,
}

impl View {
    /// The cluster at `index`, with the hosts of its snapshot if it has one.
    pub fn new(
        control: &Control,
        index: usize,
        config: EcsCluster,
        first: oneshot::Sender<()>,
    ) -> Self {
        let cluster = control.compiled.clusters[index].clone();
        let report = ClusterReport {
            name: cluster.config.name.clone(),
            tasks_of: match &config.tasks_of {
                TasksOf::Service(service) => format!("service {service}"),
                TasksOf::Family(family) => format!("family {family}"),
            },
            ..ClusterReport::default()
        };
        let mut published = Published::new(control, index, &config.limits);
        if config.deployment_weights == DeploymentWeights::Ecs {
            published = published.ramping_over(config.limits.refresh_interval);
        }
        Self {
            published,
            config,
            cluster,
            suspects: Suspects::new(),
            failures: HashMap::new(),
            complaints: BTreeSet::new(),
            first: Some(first),
            report,
        }
    }

    /// Its stats.
    pub fn stats(&self) -> &AwsStats {
        self.cluster.aws_stats()
    }

    /// Gives the workers the hosts of a snapshot.
    pub async fn restore(&mut self, control: &Control) {
        self.published.tell(control).await;
    }

    /// Takes in what a poll has found. `complete` says that it was answered whole.
    pub async fn take(
        &mut self,
        control: &Control,
        inventory: &Inventory,
        complete: bool,
        begun: Instant,
    ) {
        // A description that came after the failure decides anew.
        self.suspects.retain(|identity, since| {
            let known = inventory.tasks.get(task_arn(identity));
            known.is_some_and(|known| known.described.is_none_or(|described| described < *since))
        });
        let judgement = judge(&self.config, inventory, &self.suspects, complete, begun);
        self.complain(&judgement);
        self.count(&judgement, complete);
        self.report.tasks = judgement.tasks;
        self.published.apply(control, judgement.answer).await;
        if complete {
            self.first = None;
        }
    }

    /// Says once what someone must change.
    fn complain(&mut self, judgement: &Judgement) {
        for complaint in judgement.complaints.difference(&self.complaints) {
            tracing::error!(cluster = self.cluster.config.name, "{complaint}");
        }
        self.complaints.clone_from(&judgement.complaints);
    }

    fn count(&self, judgement: &Judgement, complete: bool) {
        let stats = self.stats();
        let rows = &judgement.tasks;
        let number = |wanted: &dyn Fn(&&crate::discovery::report::TaskReport) -> bool| {
            rows.iter().filter(wanted).count() as u64
        };
        stats.tasks_seen.set(rows.len() as u64);
        stats.tasks_ready.set(number(&|row| row.in_rotation));
        stats.tasks_draining.set(number(&|row| row.desired_status == "STOPPED"));
        stats.tasks_unhealthy.set(number(&|row| row.health_status == "UNHEALTHY"));
        let discovery = &self.cluster.discovery;
        discovery.update_attempt.inc();
        if complete {
            discovery.update_success.inc();
            if rows.is_empty() {
                discovery.update_empty.inc();
            }
        } else {
            discovery.update_failure.inc();
        }
    }

    /// Goes on with a change of weights.
    pub async fn go_on(&mut self, control: &Control) {
        self.published.go_on(control, &self.suspects).await;
    }

    /// Looks for hosts that have refused connections since the last look and takes them out of the
    /// rotation; the tasks that they belong to.
    pub async fn find_suspects(&mut self, control: &Control) -> Vec<String> {
        let hosts = control.hosts(self.published.index());
        let failing: Vec<&Arc<Host>> =
            hosts.hosts.iter().filter(|host| self.has_failed_anew(host)).collect();
        let mut tasks = Vec::new();
        for host in failing {
            let serving = hosts
                .hosts
                .iter()
                .filter(|other| other.is_healthy() && !self.suspects.contains_key(&other.identity));
            // Were all suspect, none would be worth more than another.
            if serving.count() > 1 && !self.suspects.contains_key(&host.identity) {
                tracing::warn!(
                    cluster = self.cluster.config.name,
                    task = task_arn(&host.identity),
                    address = host.address_text,
                    "host is suspect: it refused a connection; asking ECS about it"
                );
                self.suspects.insert(host.identity.clone(), Instant::now());
            }
            tasks.push(task_arn(&host.identity).to_owned());
        }
        if !tasks.is_empty() {
            self.published.suspect(control, &self.suspects).await;
        }
        tasks
    }

    fn has_failed_anew(&mut self, host: &Host) -> bool {
        let failures = host.stats.iter().map(|stats| stats.cx_connect_fail.value()).sum();
        self.failures.insert(host.id, failures).is_some_and(|before| before < failures)
    }

    /// For admin.
    pub fn report(&self) -> ClusterReport {
        ClusterReport {
            hosts: self.published.count(),
            stale: self.published.stale().map(str::to_owned),
            ..self.report.clone()
        }
    }
}
