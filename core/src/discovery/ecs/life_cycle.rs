//! Which tasks get traffic, by their place in the ECS task life cycle.

use ringmain_config::ecs_cluster::UnknownHealth;

use super::task::{Health, Task};

/// What a task is to a load balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Takes requests.
    Ready,
    /// Running, but its container health check fails: a host that only panic may use.
    Unhealthy,
    /// Not there yet.
    Waiting(&'static str),
    /// On its way out: no new request; what runs may finish.
    Draining,
}

impl Standing {
    /// Why the task is in or out.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Ready => "in: RUNNING and not UNHEALTHY",
            Self::Unhealthy => "out: its container health check fails",
            Self::Waiting(reason) => reason,
            Self::Draining => "out: ECS is stopping it",
        }
    }
}

/// The standing of `task`, whose definition has or has not a container health check.
pub fn standing(task: &Task, has_health_check: bool, unknown_health: UnknownHealth) -> Standing {
    if task.desired_status == "STOPPED" {
        return Standing::Draining;
    }
    match task.last_status.as_str() {
        "RUNNING" => {}
        // What is beyond RUNNING never comes back, whatever is desired.
        "DEACTIVATING" | "STOPPING" | "DEPROVISIONING" | "STOPPED" | "DELETED" => {
            return Standing::Draining;
        }
        _ => return Standing::Waiting("out: not RUNNING yet"),
    }
    match task.health {
        Health::Healthy => Standing::Ready,
        Health::Unhealthy => Standing::Unhealthy,
        Health::Unknown if has_health_check && unknown_health == UnknownHealth::Reject => {
            Standing::Waiting("out: its health check has no result yet (unknown_health: reject)")
        }
        Health::Unknown => Standing::Ready,
    }
}

/// Whether the next answers about `task` are likely to say the same, so that it need not be
/// described in every poll.
pub fn is_settled(task: &Task, has_health_check: bool) -> bool {
    let known_health = match task.health {
        Health::Healthy => true,
        Health::Unhealthy => false,
        Health::Unknown => !has_health_check,
    };
    task.desired_status == "RUNNING" && task.last_status == "RUNNING" && known_health
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(desired: &str, last: &str, health: Health) -> Task {
        Task { desired_status: desired.into(), last_status: last.into(), health, ..Task::default() }
    }

    #[test]
    fn only_running_tasks_take_requests() {
        use Health::{Healthy, Unhealthy, Unknown};
        use Standing::{Draining, Ready, Waiting};
        let early = Waiting("out: not RUNNING yet");
        for (desired, last, health, expected) in [
            ("RUNNING", "PROVISIONING", Unknown, early),
            ("RUNNING", "PENDING", Unknown, early),
            ("RUNNING", "ACTIVATING", Healthy, early),
            ("RUNNING", "RUNNING", Healthy, Ready),
            ("RUNNING", "RUNNING", Unknown, Ready),
            ("RUNNING", "RUNNING", Unhealthy, Standing::Unhealthy),
            ("RUNNING", "DEACTIVATING", Healthy, Draining),
            ("RUNNING", "STOPPING", Healthy, Draining),
            ("RUNNING", "DEPROVISIONING", Unknown, Draining),
            ("RUNNING", "STOPPED", Unknown, Draining),
            ("STOPPED", "PENDING", Unknown, Draining),
            ("STOPPED", "RUNNING", Healthy, Draining),
            ("STOPPED", "RUNNING", Unhealthy, Draining),
            ("STOPPED", "STOPPED", Unknown, Draining),
            ("STOPPED", "DELETED", Unknown, Draining),
        ] {
            let standing = standing(&task(desired, last, health), false, UnknownHealth::Accept);
            assert_eq!(standing, expected, "{desired} {last} {health:?}");
        }
    }

    #[test]
    fn unknown_health_matters_where_there_is_a_check() {
        let task = task("RUNNING", "RUNNING", Health::Unknown);
        for (has_check, choice, ready) in [
            (false, UnknownHealth::Accept, true),
            (false, UnknownHealth::Reject, true),
            (true, UnknownHealth::Accept, true),
            (true, UnknownHealth::Reject, false),
        ] {
            assert_eq!(standing(&task, has_check, choice) == Standing::Ready, ready);
        }
    }

    #[test]
    fn a_task_settles_when_it_runs_and_its_health_is_known() {
        for (desired, last, health, has_check, settled) in [
            ("RUNNING", "RUNNING", Health::Healthy, true, true),
            ("RUNNING", "RUNNING", Health::Unknown, false, true),
            ("RUNNING", "RUNNING", Health::Unknown, true, false),
            ("RUNNING", "RUNNING", Health::Unhealthy, true, false),
            ("RUNNING", "PENDING", Health::Unknown, false, false),
            ("STOPPED", "RUNNING", Health::Healthy, true, false),
        ] {
            assert_eq!(is_settled(&task(desired, last, health), has_check), settled);
        }
    }
}
