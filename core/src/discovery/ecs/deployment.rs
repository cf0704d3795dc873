//! How traffic is split over the deployments of a service.

use std::collections::{HashMap, HashSet};

use ringmain_config::ecs_cluster::DeploymentWeights;

/// A service as DescribeServices tells it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Service {
    /// `desiredCount`.
    pub desired: i32,
    /// `runningCount`.
    pub running: i32,
    /// Ids of `deployments` with whether each is PRIMARY, or of `taskSets`.
    pub deployments: Vec<Deployment>,
    /// Production traffic weights of a deployment in progress, where ECS sets them.
    pub traffic: Option<Traffic>,
}

/// A deployment or task set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deployment {
    /// What its tasks have in `startedBy`.
    pub id: String,
    /// `status` is PRIMARY: the newest one.
    pub primary: bool,
}

/// `requestedProductionTrafficWeight` of both sides of a deployment, in percent.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Traffic {
    /// Of the target service revision.
    pub target: f64,
    /// Of all source service revisions together.
    pub source: f64,
}

impl Service {
    /// Whether the service itself says that it has no tasks.
    pub fn is_empty(&self) -> bool {
        self.desired == 0 || self.running == 0
    }

    fn is_primary(&self, id: &str) -> bool {
        self.deployments.iter().any(|deployment| deployment.primary && deployment.id == id)
    }
}

/// A weight of 100 % on one task alone.
const WHOLE: f64 = 100_000.0;

/// The load balancing weight of each of `tasks` (identity and `startedBy`) that are ready; a task
/// that is not in the result gets no requests. `None` where all are alike.
pub fn weights(
    mode: DeploymentWeights,
    service: Option<&Service>,
    tasks: &[(&str, &str)],
) -> Option<HashMap<String, u32>> {
    let service = service?;
    let (primary, others): (Vec<_>, Vec<_>) =
        tasks.iter().partition(|(_, started_by)| service.is_primary(started_by));
    let split = match mode {
        DeploymentWeights::Tasks => return None,
        DeploymentWeights::PrimaryOnly => Traffic { target: 100.0, source: 0.0 },
        DeploymentWeights::Ecs => service.traffic?,
    };
    let mut weights = HashMap::new();
    for (side, percent) in [(&primary, split.target), (&others, split.source)] {
        for (identity, _) in side.iter().filter(|_| percent > 0.0) {
            let weight = (WHOLE * percent / 100.0 / side.len() as f64).round();
            weights.insert((*identity).to_owned(), (weight as u32).max(1));
        }
    }
    // Traffic for a side that has no ready task goes where there are some: a wrong weight is better
    // than no service.
    (!weights.is_empty()).then_some(weights)
}

/// Whether `started_by` of the tasks tells that a deployment is in progress.
pub fn in_progress<'a>(started_by: impl Iterator<Item = &'a str>) -> bool {
    let ids: HashSet<&str> = started_by.filter(|id| id.starts_with("ecs-svc/")).collect();
    ids.len() > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const TASKS: [(&str, &str); 4] =
        [("a", "ecs-svc/1"), ("b", "ecs-svc/1"), ("c", "ecs-svc/1"), ("d", "ecs-svc/2")];

    fn service(traffic: Option<(f64, f64)>) -> Service {
        let deployment = |id: &str, primary| Deployment { id: id.into(), primary };
        Service {
            desired: 3,
            running: 4,
            deployments: vec![deployment("ecs-svc/2", true), deployment("ecs-svc/1", false)],
            traffic: traffic.map(|(target, source)| Traffic { target, source }),
        }
    }

    fn of(mode: DeploymentWeights, service: &Service) -> Option<Vec<Option<u32>>> {
        let weights = weights(mode, Some(service), &TASKS)?;
        Some(TASKS.iter().map(|(name, _)| weights.get(*name).copied()).collect())
    }

    #[test]
    fn tasks_are_alike_unless_told_otherwise() {
        use DeploymentWeights::{Ecs, PrimaryOnly, Tasks};
        let rolling = service(None);
        let canary = service(Some((10.0, 90.0)));
        let waiting = service(Some((0.0, 100.0)));
        let shifted = service(Some((100.0, 0.0)));
        let old = Some(30_000);
        for (mode, service, expected) in [
            (Tasks, &canary, None),
            (Ecs, &rolling, None),
            (Ecs, &canary, Some(vec![old, old, old, Some(10_000)])),
            (Ecs, &waiting, Some(vec![Some(33_333), Some(33_333), Some(33_333), None])),
            (Ecs, &shifted, Some(vec![None, None, None, Some(100_000)])),
            (PrimaryOnly, &rolling, Some(vec![None, None, None, Some(100_000)])),
        ] {
            assert_eq!(of(mode, service), expected, "{mode:?} {:?}", service.traffic);
        }
    }

    #[test]
    fn a_side_without_tasks_does_not_take_the_service_down() {
        let shifted = service(Some((100.0, 0.0)));
        let weights = weights(DeploymentWeights::Ecs, Some(&shifted), &TASKS[..3]);
        assert_eq!(weights, None);
    }

    #[test]
    fn two_deployments_among_the_tasks_are_one_in_progress() {
        assert!(in_progress(["ecs-svc/1", "ecs-svc/2"].into_iter()));
        assert!(!in_progress(["ecs-svc/1", "ecs-svc/1", "someone"].into_iter()));
    }
}
