//! One poll of an ECS cluster: what is asked, in which order, and what an error stops.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use ringmain_config::ecs_cluster::TasksOf;

use super::client::{DESCRIBE_BATCH, EcsClient};
use super::deployment::Traffic;
use super::inventory::Inventory;
use crate::discovery::aws::{Action, ApiError, Category, ErrorKind};
use crate::discovery::schedule::{BackOff, Setback};

/// Instances begin to drain, and clusters grow: looked at again every so many polls.
const REVIEW_POLLS: u64 = 30;

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
    /// What has failed, and when to ask again; of tasks only those of groups that are not there: without the
    /// others there is no poll, so that it is put off as a whole.
    put_off: HashMap<Subject, (BackOff, ApiError)>,
}

/// What is put off by itself: all calls of a category, or those about one group.
type Subject = (Category, Option<TasksOf>);

/// What a poll came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Groups of which everything is known.
    pub complete: Vec<TasksOf>,
    /// What failed.
    pub errors: Vec<ApiError>,
    /// What failed earlier and was not asked again yet.
    pub put_off: Vec<ApiError>,
}

impl Outcome {
    /// How the next poll is to be put off; `None` where its tasks were told well enough.
    pub fn setback(&self) -> Option<Setback> {
        let severity = |setback: &Setback| match setback {
            Setback::Lasting => 0,
            Setback::Passing => 1,
            Setback::Throttled(_) => 2,
        };
        let of_tasks =
            self.errors.iter().filter(|error| error.action.category() == Category::Tasks);
        let worst = of_tasks.map(ApiError::setback).max_by_key(severity)?;
        // One service that is not there must not slow the others down.
        (worst != Setback::Lasting || self.complete.is_empty()).then_some(worst)
    }

    /// Whether an answer told to ask less often.
    pub fn is_throttled(&self) -> bool {
        self.errors.iter().any(|error| matches!(error.kind, ErrorKind::Throttled(_)))
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
            put_off: HashMap::new(),
        }
    }

    fn may_ask(&self, subject: &Subject, outcome: &mut Outcome) -> bool {
        let put_off = self.put_off.get(subject);
        let waiting = put_off.filter(|(back_off, _)| !back_off.is_over(Instant::now()));
        outcome.put_off.extend(waiting.map(|(_, error)| error.clone()));
        waiting.is_none()
    }

    /// Notes what became of a call about `subject`; what it told.
    fn heed<T>(
        &mut self,
        subject: Subject,
        told: Result<T, ApiError>,
        outcome: &mut Outcome,
    ) -> Option<T> {
        match told {
            Ok(told) => {
                self.put_off.remove(&subject);
                Some(told)
            }
            Err(error) => {
                self.put_off(subject, error.clone());
                outcome.errors.push(error);
                None
            }
        }
    }

    fn put_off(&mut self, subject: Subject, error: ApiError) {
        let before = self.put_off.remove(&subject);
        let mut back_off = before.map(|(back_off, _)| back_off).unwrap_or_default();
        back_off.extend(error.setback(), Instant::now(), rand::random());
        self.put_off.insert(subject, (back_off, error));
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
                    let mut is_there = |group: &&TasksOf| {
                        self.may_ask(&(Category::Tasks, Some((*group).clone())), outcome)
                    };
                    return self.groups.iter().filter(&mut is_there).cloned().collect();
                }
                Err(error) => {
                    outcome.errors.push(error);
                    return Vec::new();
                }
            }
        }
        let mut listed = Vec::new();
        for group in self.groups.clone() {
            let subject = (Category::Tasks, Some(group.clone()));
            if !self.may_ask(&subject, outcome) {
                continue;
            }
            match self.client.list_tasks(Some(&group)).await {
                Err(error) if error.setback() != Setback::Lasting => outcome.errors.push(error),
                told => {
                    if let Some(arns) = self.heed(subject, told, outcome) {
                        self.inventory.listed(Some(&group), &arns);
                        listed.push(group);
                    }
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
        const DEFINITIONS: Subject = (Category::TaskDefinitions, None);
        for arn in self.inventory.missing_definitions(&self.groups) {
            if !self.may_ask(&DEFINITIONS, outcome) {
                return false;
            }
            let told = self.client.describe_definition(&arn).await;
            let Some(definition) = self.heed(DEFINITIONS, told, outcome) else {
                return false;
            };
            self.inventory.definitions.insert(arn, definition.into());
        }
        true
    }

    async fn describe_instances(&mut self, outcome: &mut Outcome) -> bool {
        const INSTANCES: Subject = (Category::Instances, None);
        const ADDRESSES: Subject = (Category::Ec2, None);
        let review = self.polls.is_multiple_of(REVIEW_POLLS);
        let arns = self.inventory.missing_instances(&self.groups, review);
        if !arns.is_empty() {
            if !self.may_ask(&INSTANCES, outcome) {
                return false;
            }
            let told = self.client.describe_container_instances(&arns).await;
            let Some(instances) = self.heed(INSTANCES, told, outcome) else {
                return false;
            };
            self.inventory.put_instances(instances);
        }
        let ids = self.inventory.unaddressed_instances();
        if ids.is_empty() {
            return true;
        }
        if !self.may_ask(&ADDRESSES, outcome) {
            return false;
        }
        let told = self.client.describe_instances(&ids).await;
        let Some(found) = self.heed(ADDRESSES, told, outcome) else { return false };
        self.inventory.put_addresses(found);
        true
    }

    /// Asks about services whose deployments matter, or that seem to be empty.
    async fn describe_services(&mut self, listed: &[TasksOf], outcome: &mut Outcome) {
        const SERVICES: Subject = (Category::Services, None);
        let mut names = self.deployments_of.clone();
        for group in listed {
            if let TasksOf::Service(name) = group
                && self.inventory.listed_count(group) == 0
            {
                names.insert(name.clone());
            }
        }
        names.retain(|name| self.may_ask(&(Category::Services, Some(service_of(name))), outcome));
        if names.is_empty() || !self.may_ask(&SERVICES, outcome) {
            return;
        }
        let names: Vec<String> = names.into_iter().collect();
        let told = self.client.describe_services(&names).await;
        for (name, service) in self.heed(SERVICES, told, outcome).unwrap_or_default() {
            let told = service.ok_or_else(|| self.no_such_service(&name));
            let subject = (Category::Services, Some(service_of(&name)));
            let Some(mut service) = self.heed(subject, told, outcome) else { continue };
            if self.deployments_of.contains(&name) && service.deployments.len() > 1 {
                service.traffic = self.traffic(&name, outcome).await;
            }
            if service.is_empty() {
                self.inventory.empty_services.insert(name.clone());
            }
            self.inventory.services.insert(name, service);
        }
    }

    fn no_such_service(&self, name: &str) -> ApiError {
        let (cluster, region) = (self.client.cluster(), self.client.region());
        ApiError::of(
            Action::DescribeServices,
            ErrorKind::NotFound,
            format!(
                "ECS has no service '{name}' in cluster '{cluster}' in region {region}; check name, \
                 region and account"
            ),
        )
    }

    /// How traffic is split over the deployments of `service`: as it was, where that cannot be asked.
    async fn traffic(&mut self, service: &str, outcome: &mut Outcome) -> Option<Traffic> {
        let subject = (Category::Deployments, Some(service_of(service)));
        if self.may_ask(&subject, outcome) {
            let told = self.client.traffic(service).await;
            if let Some(traffic) = self.heed(subject, told, outcome) {
                return traffic;
            }
        }
        self.inventory.services.get(service)?.traffic
    }
}

fn service_of(name: &str) -> TasksOf {
    TasksOf::Service(name.to_owned())
}
