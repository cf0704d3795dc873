//! A cluster of the configuration as an ECS poller serves it: its membership, its suspects, its
//! stats and what the log says of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use ringmain_config::ecs_cluster::{DeploymentWeights, EcsCluster, TasksOf};
use tokio::sync::oneshot;

use super::inventory::Inventory;
use super::judgement::{Judgement, judge, task_id};
use crate::cluster::Cluster;
use crate::discovery::membership::owner;
use crate::discovery::publish::Published;
use crate::discovery::report::{ClusterReport, TaskReport, unix_now};
use crate::server::Control;
use crate::stats::scopes::AwsStats;

/// A cluster of the configuration.
#[derive(Debug)]
pub struct View {
    pub config: EcsCluster,
    cluster: Arc<Cluster>,
    published: Published,
    complaints: BTreeSet<String>,
    /// Dropped when the first whole answer has come.
    first: Option<oneshot::Sender<()>>,
    /// When the last whole answer came; before the first, when it was first asked for.
    heard: Instant,
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
            complaints: BTreeSet::new(),
            first: Some(first),
            heard: Instant::now(),
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
        self.published.suspects.settle(|identity| inventory.tasks.get(owner(identity))?.asked);
        let judgement = judge(&self.config, inventory, &self.published.suspects, complete, begun);
        self.complain(&judgement);
        let Judgement { answer, tasks: mut rows, .. } = judgement;
        let seen = rows.len();
        self.published.apply(control, answer).await;
        self.published.explain(&mut rows, task_id);
        self.count(&rows, seen, complete);
        self.report.tasks = rows;
        if complete {
            self.first = None;
            self.heard = Instant::now();
            self.stats().last_success_unix.set(unix_now());
        }
    }

    /// Tells how long ago the last whole answer came.
    pub fn count_stale(&self) {
        self.stats().stale_seconds.set(self.heard.elapsed().as_secs());
    }

    /// Says once what someone must change.
    fn complain(&mut self, judgement: &Judgement) {
        for complaint in judgement.complaints.difference(&self.complaints) {
            tracing::error!(cluster = self.cluster.config.name, "{complaint}");
        }
        self.complaints.clone_from(&judgement.complaints);
    }

    /// Of `rows` so many were `seen`, the others are of hosts that stay all the same.
    fn count(&self, rows: &[TaskReport], seen: usize, complete: bool) {
        let stats = self.stats();
        let number =
            |wanted: &dyn Fn(&&TaskReport) -> bool| rows.iter().filter(wanted).count() as u64;
        stats.tasks_seen.set(seen as u64);
        stats.tasks_ready.set(number(&|row| row.in_rotation));
        stats.tasks_draining.set(number(&|row| row.desired_status == "STOPPED"));
        stats.tasks_unhealthy.set(number(&|row| row.health_status == "UNHEALTHY"));
        let discovery = &self.cluster.discovery;
        discovery.update_attempt.inc();
        if complete {
            discovery.update_success.inc();
            if seen == 0 {
                discovery.update_empty.inc();
            }
        } else {
            discovery.update_failure.inc();
        }
    }

    /// Goes on with a change of weights.
    pub async fn go_on(&mut self, control: &Control) {
        self.published.go_on(control).await;
    }

    /// Takes hosts that refuse connections out of the rotation; the tasks that have refused since the last
    /// look.
    pub async fn find_suspects(&mut self, control: &Control) -> Vec<String> {
        self.published.find_suspects(control).await
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
