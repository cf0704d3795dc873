//! One poll of an ECS cluster: what is asked, in which order, and what an error stops.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use ringmain_config::ecs_cluster::TasksOf;

use super::client::{DESCRIBE_BATCH, EcsClient};
use super::inventory::Inventory;
use crate::discovery::aws::{ApiError, ErrorKind};
use crate::discovery::schedule::Setback;

/// Instances begin to drain, and clusters grow: looked at again every so many polls.
const REVIEW_POLLS: u64 = 30;
/// How soon a service or cluster that is not there is asked for again.
const LASTING_PAUSE: Duration = Duration::from_secs(60);

/// Asks about one ECS cluster, poll after poll.
#[derive(Debug)]
pub struct Asker {
    pub client: EcsClient,
    pub inventory: Inventory,
    /// What is asked for.
    groups: Vec<TasksOf>,
    /// Those of them whose deployments matter.
    deployments_of: BTreeSet<String>,
    polls: u64,
    /// Whether one listing of the whole cluster is cheaper than one for each group.
    whole: bool,
    /// Groups that are not there, and when to look again.
    absent_until: HashMap<TasksOf, Instant>,
}

/// What a poll came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Groups of which everything is known.
    pub complete: Vec<TasksOf>,
    /// What failed.
    pub errors: Vec<ApiError>,
}

impl Outcome {
    /// How the next poll is to be put off; `None` where this one went well enough.
    pub fn setback(&self) -> Option<Setback> {
        let severity = |setback: &Setback| match setback {
            Setback::Lasting => 0,
            Setback::Passing => 1,
            Setback::Throttled(_) => 2,
        };
        let worst = self.errors.iter().map(ApiError::setback).max_by_key(severity)?;
        // One service that is not there must not slow the others down.
        (worst != Setback::Lasting || self.complete.is_empty()).then_some(worst)
    }
}

impl Asker {
    /// Asks for `groups`; `deployments_of` are services.
    pub fn new(client: EcsClient, groups: Vec<TasksOf>, deployments_of: BTreeSet<String>) -> Self {
        Self {
            client,
            inventory: Inventory::default(),
            groups,
            deployments_of,
            polls: 0,
            whole: false,
            absent_until: HashMap::new(),
        }
    }

    /// Whether one listing serves all groups.
    pub fn lists_whole_cluster(&self) -> bool {
        self.whole
    }

    /// Calls that a poll is expected to take when nothing happens.
    pub fn expected_calls(&self) -> usize {
        let pages = |tasks: usize| tasks.div_ceil(DESCRIBE_BATCH).max(1);
        let listings: usize = if self.whole {
            pages(self.inventory.tasks.len())
        } else {
            self.groups.iter().map(|group| pages(self.inventory.listed_count(group))).sum()
        };
        listings + 1 + self.deployments_of.len().div_ceil(10)
    }

    /// Whether tasks are on their way in or out.
    pub fn is_unsettled(&self) -> bool {
        self.inventory.is_unsettled(&self.groups)
    }

    /// Asks once. What was answered is in the inventory, whatever failed beside it.
    pub async fn poll(&mut self) -> Outcome {
        let mut outcome = Outcome::default();
        self.inventory.forget_ended(&self.groups);
        self.inventory.empty_services.clear();
        if let Err(error) = self.client.connect().await {
            outcome.errors.push(error);
            return outcome;
        }
        let listed = self.list(&mut outcome).await;
        let mut whole = self.describe_tasks(&mut outcome).await;
        whole &= self.describe_definitions(&mut outcome).await;
        whole &= self.describe_instances(&mut outcome).await;
        self.describe_services(&listed, &mut outcome).await;
        if whole {
            outcome.complete = listed;
        }
        if outcome.errors.iter().any(|error| error.kind == ErrorKind::Credentials) {
            self.client.disconnect();
        }
        self.polls += 1;
        outcome
    }

    /// Lists the tasks; the groups whose listing is complete.
    async fn list(&mut self, outcome: &mut Outcome) -> Vec<TasksOf> {
        let review = self.groups.len() > 1 && self.polls % REVIEW_POLLS == 1;
        if self.whole || review {
            match self.client.list_tasks(None).await {
                Ok(arns) => {
                    self.inventory.listed(None, &arns);
                    let pages = |tasks: usize| tasks.div_ceil(DESCRIBE_BATCH).max(1);
                    let apart: usize = self
                        .groups
                        .iter()
                        .map(|group| pages(self.inventory.listed_count(group)))
                        .sum();
                    self.whole = pages(arns.len()) < apart;
                    return self.groups.clone();
                }
                Err(error) => {
                    outcome.errors.push(error);
                    return Vec::new();
                }
            }
        }
        let mut listed = Vec::new();
        let now = Instant::now();
        for group in self.groups.clone() {
            if self.absent_until.get(&group).is_some_and(|until| *until > now) {
                continue;
            }
            match self.client.list_tasks(Some(&group)).await {
                Ok(arns) => {
                    self.absent_until.remove(&group);
                    self.inventory.listed(Some(&group), &arns);
                    listed.push(group);
                }
                Err(error) => {
                    if error.setback() == Setback::Lasting {
                        self.absent_until.insert(group, now + LASTING_PAUSE);
                    }
                    outcome.errors.push(error);
                }
            }
        }
        listed
    }

    async fn describe_tasks(&mut self, outcome: &mut Outcome) -> bool {
        let mut whole = true;
        for batch in self.inventory.to_describe(&self.groups).chunks(DESCRIBE_BATCH) {
            let asked = Instant::now();
            match self.client.describe_tasks(batch).await {
                Ok(answer) => {
                    if !self.inventory.described(batch, answer, asked) {
                        whole = false;
                    }
                }
                Err(error) => {
                    outcome.errors.push(error);
                    // The next batch would meet the same.
                    return false;
                }
            }
        }
        whole
    }

    async fn describe_definitions(&mut self, outcome: &mut Outcome) -> bool {
        for arn in self.inventory.missing_definitions(&self.groups) {
            match self.client.describe_definition(&arn).await {
                Ok(definition) => {
                    self.inventory.definitions.insert(arn, definition.into());
                }
                Err(error) => {
                    outcome.errors.push(error);
                    return false;
                }
            }
        }
        true
    }

    async fn describe_instances(&mut self, outcome: &mut Outcome) -> bool {
        let review = self.polls.is_multiple_of(REVIEW_POLLS);
        let arns = self.inventory.missing_instances(&self.groups, review);
        if !arns.is_empty() {
            match self.client.describe_container_instances(&arns).await {
                Ok(instances) => self.inventory.put_instances(instances),
                Err(error) => {
                    outcome.errors.push(error);
                    return false;
                }
            }
        }
        let ids = self.inventory.unaddressed_instances();
        if ids.is_empty() {
            return true;
        }
        match self.client.describe_instances(&ids).await {
            Ok(found) => {
                self.inventory.put_addresses(found);
                true
            }
            Err(error) => {
                outcome.errors.push(error);
                false
            }
        }
    }

    /// Asks about services whose deployments matter, or that seem to be empty.
    async fn describe_services(&mut self, listed: &[TasksOf], outcome: &mut Outcome) {
        let mut names = self.deployments_of.clone();
        for group in listed {
            if let TasksOf::Service(name) = group
                && self.inventory.listed_count(group) == 0
            {
                names.insert(name.clone());
            }
        }
        if names.is_empty() {
            return;
        }
        let names: Vec<String> = names.into_iter().collect();
        let services = match self.client.describe_services(&names).await {
            Ok(services) => services,
            Err(error) => return outcome.errors.push(error),
        };
        let known: BTreeSet<&String> = services.iter().map(|(name, _)| name).collect();
        for name in names.iter().filter(|name| !known.contains(name)) {
            outcome.errors.push(ApiError::of(
                crate::discovery::aws::Action::DescribeServices,
                ErrorKind::NotFound,
                format!(
                    "ECS has no service '{name}' in cluster '{}' in region {}; check name, region \
                     and account",
                    self.client.cluster(),
                    self.client.region()
                ),
            ));
        }
        for (name, mut service) in services {
            if self.deployments_of.contains(&name) && service.deployments.len() > 1 {
                match self.client.traffic(&name).await {
                    Ok(traffic) => service.traffic = traffic,
                    Err(error) => {
                        // The weights as they were are better than none.
                        service.traffic =
                            self.inventory.services.get(&name).and_then(|known| known.traffic);
                        outcome.errors.push(error);
                    }
                }
            }
            if service.is_empty() {
                self.inventory.empty_services.insert(name.clone());
            }
            self.inventory.services.insert(name, service);
        }
    }
}
