//! One poller for each account, region and ECS cluster, which serves all clusters of the
//! configuration that are found there.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringmain_config::ecs_cluster::TasksOf;
use tokio::time::sleep;

use super::deployment;
use super::round::{Asker, Outcome};
use super::view::View;
use crate::discovery::aws::ErrorKind;
use crate::discovery::report::{PollerReport, unix_now};
use crate::discovery::schedule::Pace;
use crate::server::Control;

/// How often the hosts are looked at for refused connections, and for weights that change by and by.
const TICK: Duration = Duration::from_millis(100);

/// Polls one ECS cluster for ever.
#[derive(Debug)]
pub struct Poller {
    control: Arc<Control>,
    asker: Asker,
    views: Vec<View>,
    pace: Pace,
    /// Tasks to be described in the next poll.
    urgent: BTreeSet<String>,
    said: BTreeSet<String>,
    report: PollerReport,
}

impl Poller {
    /// Asks every `interval` where nothing is the matter.
    pub fn new(control: Arc<Control>, asker: Asker, views: Vec<View>, interval: Duration) -> Self {
        let report = PollerReport {
            kind: "ecs",
            source: asker.client.cluster().to_owned(),
            interval_ms: millis(interval),
            ..PollerReport::default()
        };
        Self {
            control,
            asker,
            views,
            pace: Pace::new(interval),
            urgent: BTreeSet::new(),
            said: BTreeSet::new(),
            report,
        }
    }

    /// Polls for ever.
    pub async fn run(mut self) {
        for view in &mut self.views {
            view.restore(&self.control).await;
        }
        let mut announced = false;
        loop {
            let begun = Instant::now();
            let outcome = self.poll().await;
            let pause = self.conclude(&outcome, begun).await;
            if !announced {
                announced = true;
                tracing::info!(
                    ecs_cluster = self.report.source,
                    region = self.report.region,
                    clusters = self.views.len(),
                    "polls every {:?}, {:.2} calls/s expected",
                    self.pace.interval(),
                    self.report.expected_calls_per_second,
                );
            }
            self.publish(pause);
            self.wait(begun, pause).await;
        }
    }

    /// Asks once, and keeps an eye on the hosts meanwhile: a call may take seconds.
    async fn poll(&mut self) -> Outcome {
        for arn in std::mem::take(&mut self.urgent) {
            self.asker.inventory.urge(&arn);
        }
        let Self { control, asker, views, urgent, .. } = self;
        let poll = asker.poll();
        tokio::pin!(poll);
        loop {
            tokio::select! {
                outcome = &mut poll => return outcome,
                () = sleep(TICK) => tend(control, views, urgent).await,
            }
        }
    }

    /// Hands out what the poll has found; how long to wait for the next one.
    async fn conclude(&mut self, outcome: &Outcome, begun: Instant) -> Duration {
        for view in &mut self.views {
            let complete = outcome.complete.contains(&view.config.tasks_of);
            view.take(&self.control, &self.asker.inventory, complete, begun).await;
            count(view, outcome, complete);
        }
        self.say(outcome);
        self.report.region = self.asker.client.region();
        self.report.last_poll = unix_now();
        if outcome.complete.len() == self.groups().len() {
            self.report.last_success = self.report.last_poll;
        }
        let chance = rand::random::<f64>();
        let pause = match outcome.setback() {
            None => {
                // Several services have several deployments; what counts is two of one service.
                let hurry = self.asker.is_unsettled()
                    || self.groups().iter().any(|group| {
                        let of_group = self.asker.inventory.tasks.values();
                        deployment::in_progress(
                            of_group
                                .filter(|known| known.belongs_to(group))
                                .filter_map(|known| known.task.as_ref())
                                .map(|task| task.started_by.as_str()),
                        )
                    });
                self.pace.after_success(hurry, chance)
            }
            Some(setback) => self.pace.after_setback(setback, chance),
        };
        self.report.throttled += u64::from(outcome.is_throttled());
        self.report.interval_ms = millis(self.pace.interval());
        self.report.expected_calls_per_second =
            self.asker.expected_calls() as f64 / self.pace.interval().as_secs_f64();
        pause
    }

    fn groups(&self) -> BTreeSet<&TasksOf> {
        self.views.iter().map(|view| &view.config.tasks_of).collect()
    }

    /// Says what went wrong once, and that it is over.
    fn say(&mut self, outcome: &Outcome) {
        let errors = outcome.errors.iter().chain(&outcome.put_off);
        let errors: BTreeSet<String> = errors.map(ToString::to_string).collect();
        let source = &self.report.source;
        for error in errors.difference(&self.said) {
            tracing::warn!(ecs_cluster = source, "{error}; the last hosts stay");
        }
        if errors.is_empty() && !self.said.is_empty() {
            tracing::info!(ecs_cluster = source, "ECS answers again");
        }
        self.report.errors = errors.iter().cloned().collect();
        self.said = errors;
    }

    /// Writes down what admin and stats show.
    fn publish(&mut self, pause: Duration) {
        self.report.next_poll = unix_now() + pause.as_secs();
        let whole = self.asker.lists_whole_cluster();
        self.report.listing = if whole { "the whole cluster" } else { "a service or family" };
        self.report.clusters = self.views.iter().map(View::report).collect();
        let role = &self.views[0].config.access.role_arn;
        let key = format!(
            "ecs {} {} {}",
            self.report.region,
            self.report.source,
            role.as_deref().unwrap_or_default()
        );
        self.control.publish_report(key, self.report.clone());
        let per_minute = (self.report.expected_calls_per_second * 60.0).round() as u64;
        for view in &self.views {
            view.stats().expected_calls_per_minute.set(per_minute);
        }
    }

    /// Waits for the next poll; a suspect brings it forward.
    async fn wait(&mut self, begun: Instant, pause: Duration) {
        let mut until = Instant::now() + pause;
        while Instant::now() < until {
            let left = until.saturating_duration_since(Instant::now());
            sleep(left.min(TICK)).await;
            tend(&self.control, &mut self.views, &mut self.urgent).await;
            if !self.urgent.is_empty()
                && let Some(gap) = self.pace.shortest_gap()
            {
                until = until.min(begun + gap);
            }
        }
    }
}

/// Between answers.
async fn tend(control: &Control, views: &mut [View], urgent: &mut BTreeSet<String>) {
    for view in views {
        view.go_on(control).await;
        urgent.extend(view.find_suspects(control).await);
        view.count_stale();
    }
}

fn count(view: &View, outcome: &Outcome, complete: bool) {
    let stats = view.stats();
    stats.poll_attempt.inc();
    if complete {
        stats.poll_success.inc();
    } else {
        stats.poll_failure.inc();
    }
    for error in &outcome.errors {
        match error.kind {
            ErrorKind::Throttled(_) => stats.throttled.inc(),
            ErrorKind::Credentials => stats.credentials_refresh_failure.inc(),
            _ => {}
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
