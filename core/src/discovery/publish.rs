//! From answers to the workers: membership, snapshot, log lines and stats of a cluster.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringmain_config::aws::DiscoveryLimits;
use ringmain_config::cluster::HealthStatus;

use super::membership::{Answer, Guard, Membership, Outcome, owner};
use super::ramp::Ramp;
use super::report::TaskReport;
use super::snapshot;
use super::suspects::{Refusals, Suspects};
use crate::cluster::{Cluster, Host, HostDescription};
use crate::server::Control;

/// The hosts of one cluster as the workers know them.
#[derive(Debug)]
pub struct Published {
    index: usize,
    cluster: Arc<Cluster>,
    limits: DiscoveryLimits,
    membership: Membership,
    /// Out of the rotation, whatever the membership says of them.
    pub suspects: Suspects,
    refusals: Refusals,
    stale: Option<&'static str>,
    /// How long a change of weights takes.
    ramps_over: Option<Duration>,
    ramp: Option<Ramp>,
}

impl Published {
    /// The cluster at `index`, with the hosts of its snapshot if it has one.
    pub fn new(control: &Control, index: usize, limits: &DiscoveryLimits) -> Self {
        let cluster = control.compiled.clusters[index].clone();
        let guard = Guard {
            empty_set_grace: limits.empty_set_grace,
            max_removal_percent: limits.max_removal_percent,
        };
        let restored = restored(&cluster, limits);
        Self {
            index,
            stale: (!restored.is_empty()).then_some("from the snapshot of an earlier run"),
            membership: Membership::new(guard, restored),
            suspects: Suspects::default(),
            refusals: Refusals::default(),
            limits: limits.clone(),
            cluster,
            ramps_over: None,
            ramp: None,
        }
    }

    /// Has changes of weights take so long.
    pub fn ramping_over(self, interval: Duration) -> Self {
        Self { ramps_over: Some(interval), ..self }
    }

    /// How many hosts there are.
    pub fn count(&self) -> usize {
        self.membership.count()
    }

    /// Why the hosts may be out of date.
    pub fn stale(&self) -> Option<&'static str> {
        self.stale
    }

    /// Takes an answer in and tells the workers what has changed.
    pub async fn apply(&mut self, control: &Control, answer: Answer) {
        let complete = answer.complete;
        let outcome = self.membership.apply(answer, Instant::now());
        self.note(&outcome);
        self.begin_ramp(control);
        let before = self.stale;
        self.stale = if outcome.empty_ignored {
            Some("the answer is empty; the last hosts stay for empty_set_grace")
        } else if outcome.removal_held {
            Some("more than max_removal_percent are missing; another poll must confirm it")
        } else if !complete {
            Some("the last poll was not answered whole")
        } else {
            None
        };
        if let Some(stale) = self.stale.filter(|_| outcome.held > 0 && self.stale != before) {
            tracing::warn!(cluster = self.cluster.config.name, hosts = outcome.held, "{stale}");
        }
        if self.tell(control).await || !outcome.changes.is_empty() {
            self.save();
        }
    }

    fn note(&self, outcome: &Outcome) {
        let stats = self.cluster.aws_stats();
        if outcome.empty_ignored {
            stats.empty_ignored.inc();
        }
        if outcome.removal_held {
            stats.mass_removal_held.inc();
        }
        for change in &outcome.changes {
            let what = if change.joined { "joins" } else { "leaves" };
            tracing::info!(
                cluster = self.cluster.config.name,
                host = change.identity,
                address = change.address,
                "host {what}: {}",
                change.cause
            );
        }
    }

    /// Tells the workers, where they know other hosts; whether they did.
    pub async fn tell(&self, control: &Control) -> bool {
        self.tell_hosts(control, self.hosts()).await
    }

    /// Goes on with a change of weights.
    pub async fn go_on(&mut self, control: &Control) {
        if self.ramp.as_mut().is_some_and(|ramp| ramp.advance(Instant::now())) {
            self.tell(control).await;
        }
        self.ramp.take_if(|ramp| ramp.is_over());
    }

    /// Looks for hosts that have refused connections since the last look and takes them out of the
    /// rotation, and puts those back that were out for long enough; the owners of those that have refused.
    pub async fn find_suspects(&mut self, control: &Control) -> Vec<String> {
        let now = Instant::now();
        let expired = self.suspects.expire(now);
        let hosts = control.hosts(self.index);
        let failing = self.refusals.look(&hosts);
        for host in &failing {
            let suspects = &mut self.suspects;
            let serves =
                |other: &&Arc<Host>| other.is_healthy() && !suspects.contains(&other.identity);
            // Were all suspect, none would be worth more than another.
            if hosts.hosts.iter().filter(serves).count() > 1 && !suspects.contains(&host.identity) {
                tracing::warn!(
                    cluster = self.cluster.config.name,
                    host = host.identity,
                    address = host.address_text,
                    "host is suspect: it refused a connection"
                );
                suspects.add(&host.identity, now);
            }
        }
        if expired || !failing.is_empty() {
            self.tell(control).await;
        }
        failing.iter().map(|host| owner(&host.identity).to_owned()).collect()
    }

    fn begin_ramp(&mut self, control: &Control) {
        let Some(over) = self.ramps_over else { return };
        let next = self.membership.hosts();
        if !self.ramp.as_ref().is_some_and(|ramp| ramp.leads_to(&next)) {
            let told = control.hosts(self.index);
            let told = told.hosts.iter().map(|host| (host.identity.as_str(), host.weight()));
            self.ramp = Ramp::new(told, &next, Instant::now(), over);
        }
    }

    /// With the weights of now, and the suspects out of the rotation.
    fn hosts(&self) -> Vec<HostDescription> {
        let mut hosts = self.membership.hosts();
        if let Some(ramp) = &self.ramp {
            ramp.weigh(&mut hosts);
        }
        for host in hosts.iter_mut().filter(|host| self.suspects.contains(&host.identity)) {
            host.health_status = HealthStatus::Unhealthy;
        }
        hosts
    }

    /// Has the rows for admin tell of every host, for some stay though the last answer did not name them.
    /// `id_of` takes the id of a row out of an identity.
    pub fn explain(&self, rows: &mut Vec<TaskReport>, id_of: impl Fn(&str) -> &str) {
        let known: HashMap<String, usize> =
            rows.iter().enumerate().map(|(at, row)| (row.id.clone(), at)).collect();
        for host in self.hosts() {
            let id = id_of(&host.identity);
            let at = known.get(id).copied().unwrap_or_else(|| {
                let reason = format!("out: {}", self.why_unnamed(&host.identity));
                rows.push(TaskReport { id: id.to_owned(), reason, ..TaskReport::default() });
                rows.len() - 1
            });
            if self.suspects.contains(&host.identity) && rows[at].in_rotation {
                rows[at].in_rotation = false;
                rows[at].reason = "out: suspect, it refused a connection".to_owned();
            } else if !rows[at].in_rotation && host.health_status == HealthStatus::Healthy {
                rows[at].keep(&host);
            }
        }
    }

    fn why_unnamed(&self, identity: &str) -> &'static str {
        if self.membership.is_restored(identity) {
            "of the snapshot"
        } else if self.membership.is_held(identity) {
            "no longer named, which is to be confirmed"
        } else {
            "not named"
        }
    }

    async fn tell_hosts(&self, control: &Control, hosts: Vec<HostDescription>) -> bool {
        let known = control.hosts(self.index);
        let stats = &self.cluster.discovery;
        let Some(hosts) = known.updated(hosts, control.compiled.workers) else {
            stats.update_no_rebuild.inc();
            return false;
        };
        stats.membership_change.inc();
        control.set_hosts(self.index, Arc::new(hosts)).await;
        true
    }

    fn save(&self) {
        let Some(path) = &self.limits.snapshot_path else { return };
        let name = &self.cluster.config.name;
        if let Err(error) = snapshot::save(path, name, &self.membership.hosts()) {
            tracing::warn!(cluster = name, path = %path.display(), %error, "cannot save the snapshot");
        }
    }
}

fn restored(cluster: &Cluster, limits: &DiscoveryLimits) -> Vec<HostDescription> {
    let Some(path) = &limits.snapshot_path else { return Vec::new() };
    let name = &cluster.config.name;
    match snapshot::load(path, name) {
        Ok(hosts) => hosts,
        Err(error) => {
            tracing::warn!(cluster = name, path = %path.display(), %error, "cannot use the snapshot");
            Vec::new()
        }
    }
}
