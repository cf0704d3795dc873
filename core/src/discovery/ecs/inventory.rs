//! What is known of the tasks of one ECS cluster, and what is to be asked next.
//!
//! Pure: the poller asks and hands the answers in.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use ringmain_config::ecs_cluster::TasksOf;

use super::client::{DESCRIBE_BATCH, Described};
use super::deployment::Service;
use super::life_cycle::is_settled;
use super::task::{Health, Instance, NetworkMode, Task, TaskDefinition, id_of};
use crate::discovery::aws::Ec2Instance;

/// Everything known of an ECS cluster.
#[derive(Debug, Default)]
pub struct Inventory {
    /// Tasks by ARN.
    pub tasks: BTreeMap<String, KnownTask>,
    /// Task definitions by ARN; they never change.
    pub definitions: HashMap<String, Arc<TaskDefinition>>,
    /// Container instances by ARN.
    pub instances: HashMap<String, Instance>,
    /// Services by name.
    pub services: HashMap<String, Service>,
    /// Those of them that said in this poll that they have no tasks.
    pub empty_services: BTreeSet<String>,
}

/// A task, and how much of what is known of it still holds.
#[derive(Debug)]
pub struct KnownTask {
    /// Whose listings had it, which counts until it is described.
    listed_of: Vec<TasksOf>,
    /// The last description.
    pub task: Option<Task>,
    /// When that was asked for.
    pub asked: Option<Instant>,
    /// Whether its health checks have had a result.
    pub was_checked: bool,
    /// Whether the last complete listing had it.
    pub listed: bool,
    /// Whether ECS said that it does not know it.
    pub missing: bool,
    /// Whether it is to be described soon.
    pub urgent: bool,
}

impl KnownTask {
    fn new() -> Self {
        Self {
            listed_of: Vec::new(),
            task: None,
            asked: None,
            was_checked: false,
            listed: true,
            missing: false,
            urgent: false,
        }
    }

    /// Whether it is one of the tasks of `group`.
    pub fn belongs_to(&self, group: &TasksOf) -> bool {
        match (&self.task, group) {
            (None, group) => self.listed_of.contains(group),
            (Some(task), TasksOf::Service(service)) => {
                task.group.strip_prefix("service:") == Some(service)
            }
            (Some(task), TasksOf::Family(family)) => {
                let revision = id_of(&task.definition_arn);
                revision.rsplit_once(':').map_or(revision, |(family, _)| family) == family
            }
        }
    }

    fn belongs_to_any(&self, groups: &[TasksOf]) -> bool {
        groups.iter().any(|group| self.belongs_to(group))
    }
}

impl Inventory {
    /// Takes in a complete listing: of `of`, or of the whole cluster.
    pub fn listed(&mut self, of: Option<&TasksOf>, arns: &[String]) {
        let listed: BTreeSet<&String> = arns.iter().collect();
        for (arn, known) in &mut self.tasks {
            if of.is_none_or(|of| known.belongs_to(of)) {
                known.listed = listed.contains(arn);
            }
        }
        for arn in arns {
            let known = self.tasks.entry(arn.clone()).or_insert_with(KnownTask::new);
            known.listed = true;
            if let Some(of) = of
                && known.task.is_none()
                && !known.listed_of.contains(of)
            {
                known.listed_of.push(of.clone());
            }
        }
    }

    /// The tasks to describe now: what is new, unsettled, vanished from the listing or urgent, and as
    /// many of the others, longest not described first, as fill the last batch. `of` are the tasks
    /// that anyone asked for.
    pub fn to_describe(&self, of: &[TasksOf]) -> Vec<String> {
        let wanted = |known: &KnownTask| known.task.is_none() || known.belongs_to_any(of);
        let (due, mut rest): (Vec<_>, Vec<_>) = self
            .tasks
            .iter()
            .filter(|(_, known)| wanted(known))
            .partition(|(_, known)| known.urgent || !known.listed || !self.is_settled(known));
        rest.sort_by_key(|(_, known)| known.asked);
        let batches = due.len().div_ceil(DESCRIBE_BATCH).max(1);
        let room = batches * DESCRIBE_BATCH - due.len();
        due.iter().chain(rest.iter().take(room)).map(|(arn, _)| (*arn).clone()).collect()
    }

    fn is_settled(&self, known: &KnownTask) -> bool {
        known.task.as_ref().is_some_and(|task| {
            let definition = self.definitions.get(&task.definition_arn);
            is_settled(task, definition.is_some_and(|definition| definition.has_health_check))
        })
    }

    /// Whether any task of `of` is new, unsettled, vanished or urgent.
    pub fn is_unsettled(&self, of: &[TasksOf]) -> bool {
        self.tasks.values().any(|known| {
            known.belongs_to_any(of) && (known.urgent || !known.listed || !self.is_settled(known))
        })
    }

    /// Takes in what DescribeTasks, called at `now`, said of `asked`; whether it said something of every
    /// one.
    pub fn described(&mut self, asked: &[String], answer: Described, now: Instant) -> bool {
        let mut told: BTreeSet<String> = answer.missing.iter().cloned().collect();
        for arn in &answer.missing {
            if let Some(known) = self.tasks.get_mut(arn) {
                known.missing = true;
                known.urgent = false;
                known.asked = Some(now);
            }
        }
        for task in answer.tasks {
            told.insert(task.arn.clone());
            let Some(known) = self.tasks.get_mut(&task.arn) else { continue };
            known.missing = false;
            known.urgent = false;
            known.asked = Some(now);
            known.was_checked |= task.health != Health::Unknown;
            // Answers may overtake each other.
            if known.task.as_ref().is_none_or(|before| task.version >= before.version) {
                known.task = Some(task);
            }
        }
        asked.iter().all(|arn| told.contains(arn))
    }

    /// Forgets tasks that are over, once everyone was told, and those that nobody asked for.
    pub fn forget_ended(&mut self, of: &[TasksOf]) {
        self.tasks.retain(|_, known| {
            let stopped = known
                .task
                .as_ref()
                .is_some_and(|task| matches!(task.last_status.as_str(), "STOPPED" | "DELETED"));
            known.listed || known.belongs_to_any(of) && !(known.missing || stopped)
        });
        let tasks = self.tasks.values().filter_map(|known| known.task.as_ref());
        let used: BTreeSet<&String> =
            tasks.filter_map(|task| task.container_instance_arn.as_ref()).collect();
        self.instances.retain(|arn, _| used.contains(arn));
    }

    /// How many tasks of `group` were listed last.
    pub fn listed_count(&self, group: &TasksOf) -> usize {
        self.tasks.values().filter(|known| known.listed && known.belongs_to(group)).count()
    }

    /// Task definitions that are used and not known.
    pub fn missing_definitions(&self, of: &[TasksOf]) -> BTreeSet<String> {
        let tasks = self.tasks.values().filter(|known| known.belongs_to_any(of));
        let arns = tasks.filter_map(|known| known.task.as_ref()).map(|task| &task.definition_arn);
        arns.filter(|arn| !self.definitions.contains_key(*arn)).cloned().collect()
    }

    /// Container instances that are used and not known; `all` asks for those that are known too, as
    /// they may be draining by now.
    pub fn missing_instances(&self, of: &[TasksOf], all: bool) -> Vec<String> {
        let tasks = self.tasks.values().filter(|known| known.belongs_to_any(of));
        let arns: BTreeSet<&String> = tasks
            .filter_map(|known| known.task.as_ref())
            .filter(|task| self.is_on_instance(task))
            .filter_map(|task| task.container_instance_arn.as_ref())
            .filter(|arn| all || !self.instances.contains_key(*arn))
            .collect();
        arns.into_iter().cloned().collect()
    }

    /// Whether the address of `task` is that of its instance.
    fn is_on_instance(&self, task: &Task) -> bool {
        let definition = self.definitions.get(&task.definition_arn);
        definition.is_some_and(|definition| {
            matches!(definition.network_mode, NetworkMode::Bridge | NetworkMode::Host)
        })
    }

    /// Takes in container instances; what EC2 has told of them stays.
    pub fn put_instances(&mut self, instances: Vec<(String, Instance)>) {
        for (arn, instance) in instances {
            let known = self.instances.entry(arn).or_default();
            known.draining = instance.draining;
            if known.ec2_id != instance.ec2_id {
                *known = instance;
            }
        }
    }

    /// EC2 ids whose address is not known.
    pub fn unaddressed_instances(&self) -> Vec<String> {
        let ids: BTreeSet<&String> = self
            .instances
            .values()
            .filter(|instance| instance.ip.is_none() && instance.ec2_id.starts_with("i-"))
            .map(|instance| &instance.ec2_id)
            .collect();
        ids.into_iter().cloned().collect()
    }

    /// Takes in addresses.
    pub fn put_addresses(&mut self, found: Vec<Ec2Instance>) {
        for found in found {
            for instance in self.instances.values_mut().filter(|known| known.ec2_id == found.id) {
                instance.ip.clone_from(&found.ip);
                instance.zone.clone_from(&found.zone);
            }
        }
    }

    /// Has the task `arn` described soon.
    pub fn urge(&mut self, arn: &str) {
        if let Some(known) = self.tasks.get_mut(arn) {
            known.urgent = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service() -> TasksOf {
        TasksOf::Service("web".into())
    }

    fn arn(name: &str) -> String {
        format!("arn:aws:ecs:eu-west-1:1:task/prod/{name}")
    }

    fn arns(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| arn(name)).collect()
    }

    fn task(name: &str, last_status: &str) -> Task {
        Task {
            arn: arn(name),
            group: "service:web".into(),
            desired_status: "RUNNING".into(),
            last_status: last_status.into(),
            definition_arn: "arn:aws:ecs:eu-west-1:1:task-definition/web:1".into(),
            ..Task::default()
        }
    }

    fn with(tasks: &[(&str, &str)]) -> Inventory {
        let mut inventory = Inventory::default();
        let names: Vec<&str> = tasks.iter().map(|(name, _)| *name).collect();
        inventory.listed(Some(&service()), &arns(&names));
        let tasks = tasks.iter().map(|(name, status)| task(name, status)).collect();
        let answer = Described { tasks, missing: Vec::new() };
        assert!(inventory.described(&arns(&names), answer, Instant::now()));
        inventory
    }

    #[test]
    fn one_batch_describes_the_new_first_and_then_the_oldest() {
        let mut inventory = with(&[("a", "RUNNING"), ("b", "RUNNING")]);
        inventory.listed(Some(&service()), &arns(&["a", "b", "c"]));
        let due = inventory.to_describe(&[service()]);
        assert_eq!(due.len(), 3);
        assert_eq!(due[0], arn("c"));
    }

    #[test]
    fn a_thousand_settled_tasks_cost_one_batch_a_poll() {
        let names: Vec<String> = (0..1000).map(|index| format!("t{index:04}")).collect();
        let tasks: Vec<(&str, &str)> =
            names.iter().map(|name| (name.as_str(), "RUNNING")).collect();
        let mut inventory = with(&tasks);
        let first = inventory.to_describe(&[service()]);
        assert_eq!(first.len(), DESCRIBE_BATCH);
        let told = first.iter().map(|arn| task(id_of(arn), "RUNNING")).collect();
        let later = Instant::now() + std::time::Duration::from_secs(1);
        inventory.described(&first, Described { tasks: told, missing: Vec::new() }, later);
        let second = inventory.to_describe(&[service()]);
        assert!(second.iter().all(|arn| !first.contains(arn)));
    }

    #[test]
    fn what_vanishes_from_the_listing_is_asked_for() {
        let mut inventory = with(&[("a", "RUNNING"), ("b", "RUNNING")]);
        inventory.listed(Some(&service()), &arns(&["b"]));
        assert!(inventory.is_unsettled(&[service()]));
        assert_eq!(inventory.to_describe(&[service()])[0], arn("a"));
        let stopped = Task { desired_status: "STOPPED".into(), ..task("a", "STOPPED") };
        let answer = Described { tasks: vec![stopped], missing: Vec::new() };
        inventory.described(&arns(&["a"]), answer, Instant::now());
        inventory.forget_ended(&[service()]);
        assert_eq!(inventory.tasks.len(), 1);
    }

    #[test]
    fn an_answer_that_leaves_a_task_out_is_not_whole() {
        let mut inventory = with(&[("a", "RUNNING"), ("b", "RUNNING")]);
        let asked = arns(&["a", "b"]);
        let partial = Described { tasks: vec![task("a", "RUNNING")], missing: Vec::new() };
        assert!(!inventory.described(&asked, partial, Instant::now()));
        let whole = Described { tasks: vec![task("a", "RUNNING")], missing: arns(&["b"]) };
        assert!(inventory.described(&asked, whole, Instant::now()));
        assert!(inventory.tasks[&arn("b")].missing);
    }

    #[test]
    fn an_older_answer_does_not_overwrite_a_newer_one() {
        let mut inventory = with(&[("a", "PENDING")]);
        for (version, status) in [(5, "RUNNING"), (4, "PENDING")] {
            let told = Task { version, ..task("a", status) };
            let answer = Described { tasks: vec![told], missing: Vec::new() };
            inventory.described(&arns(&["a"]), answer, Instant::now());
        }
        let known = inventory.tasks[&arn("a")].task.as_ref().expect("described");
        assert_eq!(known.last_status, "RUNNING");
    }

    #[test]
    fn tasks_of_others_are_described_once() {
        let mut inventory = Inventory::default();
        inventory.listed(None, &arns(&["a", "b"]));
        assert_eq!(inventory.to_describe(&[service()]).len(), 2);
        let foreign = Task { group: "service:other".into(), ..task("b", "PENDING") };
        let tasks = vec![task("a", "RUNNING"), foreign];
        inventory.described(
            &arns(&["a", "b"]),
            Described { tasks, missing: Vec::new() },
            Instant::now(),
        );
        assert_eq!(inventory.to_describe(&[service()]), arns(&["a"]));
    }
}
