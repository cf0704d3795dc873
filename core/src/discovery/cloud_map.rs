//! Hosts from AWS Cloud Map: the instances of a service, asked for by the API. A revision is asked
//! for in each poll; the instances only when it has changed, and now and then.

mod client;
mod host;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringmain_config::cloud_map_cluster::CloudMapCluster;
use ringmain_config::cluster::DiscoveryType;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use self::client::{CloudMapClient, Instance};
use super::aws::{ApiError, ErrorKind, SharedBudget};
use super::ecs::wait_for_first;
use super::membership::{Answer, owner};
use super::publish::Published;
use super::report::{ClusterReport, PollerReport, TaskReport, unix_now};
use super::schedule::{Pace, Setback};
use crate::cluster::Cluster;
use crate::server::Control;

/// The instances are asked for in every so many polls, whatever their revision: a change of health
/// need not change it.
const FULL_POLLS: u64 = 6;

/// How often the hosts are looked at for refused connections.
const TICK: Duration = Duration::from_millis(100);

/// Starts a poller for each Cloud Map cluster of the configuration.
pub fn start(control: &Arc<Control>, budget: &SharedBudget, first: &mpsc::Sender<()>) {
    for (index, cluster) in control.compiled.clusters.iter().enumerate() {
        if let DiscoveryType::CloudMap(config) = &cluster.config.discovery {
            let limit = config.limits.wait_for_first_discovery;
            let found = wait_for_first(limit, first.clone());
            let poller = Poller::new(control, index, config, budget.clone(), found);
            tokio::spawn(poller.run());
        }
    }
}

struct Poller {
    control: Arc<Control>,
    cluster: Arc<Cluster>,
    config: CloudMapCluster,
    asker: Asker,
    published: Published,
    pace: Pace,
    said: Option<String>,
    /// Reasons why instances cannot be hosts, each with one of those.
    complaints: BTreeMap<String, String>,
    report: PollerReport,
    /// What the last list of instances came to.
    rows: Vec<TaskReport>,
    first: Option<oneshot::Sender<()>>,
    /// When the last whole answer came; before the first, when it was first asked for.
    heard: Instant,
}

/// Asks about one service, poll after poll.
struct Asker {
    client: CloudMapClient,
    polls: u64,
    revision: Option<i64>,
}

impl Asker {
    /// The instances; `None` where nothing has changed and nobody wants to `look_again`.
    async fn poll(&mut self, look_again: bool) -> Result<Option<Vec<Instance>>, ApiError> {
        self.client.connect().await?;
        let revision = self.client.revision().await?;
        let due = self.polls.is_multiple_of(FULL_POLLS);
        if self.revision == Some(revision) && !due && !look_again {
            self.polls += 1;
            return Ok(None);
        }
        let instances = self.client.instances().await?;
        self.revision = Some(revision);
        self.polls += 1;
        Ok(Some(instances))
    }
}

impl Poller {
    fn new(
        control: &Arc<Control>,
        index: usize,
        config: &CloudMapCluster,
        budget: SharedBudget,
        first: oneshot::Sender<()>,
    ) -> Self {
        let cluster = control.compiled.clusters[index].clone();
        Self {
            asker: Asker {
                client: CloudMapClient::new(config.clone(), budget, cluster.clone()),
                polls: 0,
                revision: None,
            },
            published: Published::new(control, index, &config.limits),
            pace: Pace::new(config.limits.refresh_interval),
            report: PollerReport {
                kind: "cloud_map",
                listing: "a service",
                source: format!("{}.{}", config.service, config.namespace),
                ..PollerReport::default()
            },
            control: control.clone(),
            cluster,
            config: config.clone(),
            said: None,
            complaints: BTreeMap::new(),
            rows: Vec::new(),
            first: Some(first),
            heard: Instant::now(),
        }
    }

    async fn run(mut self) {
        self.published.tell(&self.control).await;
        loop {
            let begun = Instant::now();
            let result = self.poll().await;
            let pause = self.conclude(result).await;
            self.wait(begun, pause).await;
        }
    }

    /// Asks once, and keeps an eye on the hosts meanwhile: a call may take seconds.
    async fn poll(&mut self) -> Result<Option<Vec<Instance>>, ApiError> {
        let Self { control, asker, published, .. } = self;
        // What is held or empty is looked at each time, so that time can settle it.
        let poll = asker.poll(published.stale().is_some());
        tokio::pin!(poll);
        loop {
            tokio::select! {
                result = &mut poll => return result,
                () = sleep(TICK) => {
                    published.find_suspects(control).await;
                }
            }
        }
    }

    /// Waits for the next poll; a suspect brings it forward.
    async fn wait(&mut self, begun: Instant, pause: Duration) {
        let mut until = Instant::now() + pause;
        while Instant::now() < until {
            let left = until.saturating_duration_since(Instant::now());
            sleep(left.min(TICK)).await;
            let refusing = self.published.find_suspects(&self.control).await;
            if !refusing.is_empty()
                && let Some(gap) = self.pace.shortest_gap()
            {
                until = until.min(begun + gap);
            }
            self.cluster.aws_stats().stale_seconds.set(self.heard.elapsed().as_secs());
        }
    }

    async fn conclude(&mut self, result: Result<Option<Vec<Instance>>, ApiError>) -> Duration {
        let stats = self.cluster.aws_stats();
        let discovery = &self.cluster.discovery;
        stats.poll_attempt.inc();
        discovery.update_attempt.inc();
        let chance = rand::random::<f64>();
        self.report.last_poll = unix_now();
        let pause = match result {
            Ok(instances) => {
                stats.poll_success.inc();
                discovery.update_success.inc();
                if instances.as_ref().is_some_and(Vec::is_empty) {
                    discovery.update_empty.inc();
                }
                if let Some(instances) = instances {
                    self.take(&instances).await;
                }
                self.heard = Instant::now();
                self.report.last_success = self.report.last_poll;
                self.first = None;
                self.say(None);
                self.pace.after_success(false, chance)
            }
            Err(error) => {
                stats.poll_failure.inc();
                discovery.update_failure.inc();
                self.published.apply(&self.control, Answer::default()).await;
                let setback = error.setback();
                self.fail(&error);
                if matches!(setback, Setback::Throttled(_)) {
                    self.report.throttled += 1;
                }
                self.say(Some(error.to_string()));
                self.pace.after_setback(setback, chance)
            }
        };
        self.publish(pause);
        pause
    }

    fn fail(&mut self, error: &ApiError) {
        let stats = self.cluster.aws_stats();
        match error.kind {
            ErrorKind::Throttled(_) => stats.throttled.inc(),
            ErrorKind::Credentials => {
                stats.credentials_refresh_failure.inc();
                self.asker.client.disconnect();
            }
            _ => {}
        }
    }

    async fn take(&mut self, instances: &[Instance]) {
        // There is no second page: beyond so many, instances are left out.
        let complete = instances.len() < client::MAX_RESULTS;
        let mut answer = Answer { complete, ..Answer::default() };
        self.rows.clear();
        let mut complaints = BTreeMap::new();
        let region = self.asker.client.region();
        for instance in instances {
            let (row, found) = host::judge(instance, &self.config, &region);
            match found {
                Some(host) => answer.found.push(host),
                None => {
                    complaints.entry(row.reason.clone()).or_insert_with(|| instance.id.clone());
                    answer.staying.insert(instance.id.clone());
                }
            }
            self.rows.push(row);
        }
        self.complain(complaints);
        self.published.apply(&self.control, answer).await;
        self.cluster.aws_stats().tasks_seen.set(instances.len() as u64);
    }

    /// Says once of each reason why an instance cannot be a host, and of which one.
    fn complain(&mut self, complaints: BTreeMap<String, String>) {
        for (reason, instance) in &complaints {
            if !self.complaints.contains_key(reason) {
                tracing::error!(cluster = self.cluster.config.name, instance, "{reason}");
            }
        }
        self.complaints = complaints;
    }

    /// Says what went wrong once, and that it is over.
    fn say(&mut self, error: Option<String>) {
        if error != self.said {
            let cluster = &self.cluster.config.name;
            match &error {
                Some(error) => tracing::warn!(cluster, "{error}; the last hosts stay"),
                None => tracing::info!(cluster, "Cloud Map answers again"),
            }
        }
        self.report.errors = error.iter().cloned().collect();
        self.said = error;
    }

    fn publish(&mut self, pause: Duration) {
        let mut rows = self.rows.clone();
        self.published.explain(&mut rows, owner);
        let stats = self.cluster.aws_stats();
        stats.tasks_ready.set(rows.iter().filter(|row| row.in_rotation).count() as u64);
        let unhealthy = rows.iter().filter(|row| row.health_status == "UNHEALTHY");
        stats.tasks_unhealthy.set(unhealthy.count() as u64);
        let report = &mut self.report;
        report.region = self.asker.client.region();
        report.next_poll = unix_now() + pause.as_secs();
        report.interval_ms = u64::try_from(self.pace.interval().as_millis()).unwrap_or(u64::MAX);
        report.expected_calls_per_second =
            (1.0 + 1.0 / FULL_POLLS as f64) / self.pace.interval().as_secs_f64();
        report.clusters = vec![ClusterReport {
            name: self.cluster.config.name.clone(),
            tasks_of: format!("service {}", self.config.service),
            hosts: self.published.count(),
            stale: self.published.stale().map(str::to_owned),
            tasks: rows,
        }];
        stats.expected_calls_per_minute.set((report.expected_calls_per_second * 60.0) as u64);
        stats.last_success_unix.set(report.last_success);
        let key = format!("cloud_map {} {}", report.source, self.cluster.config.name);
        self.control.publish_report(key, report.clone());
    }
}
