//! What admin `/ecs` shows of discovery by AWS APIs: each poller as it stands after a poll.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::cluster::HostDescription;

/// Seconds since 1970, as reports and snapshots tell times.
pub fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// A poller.
#[derive(Debug, Clone, Default, Serialize)]
pub struct PollerReport {
    /// `ecs` or `cloud_map`.
    pub kind: &'static str,
    /// What it asks about: an ECS cluster, or a Cloud Map namespace and service.
    pub source: String,
    /// The region in use.
    pub region: String,
    /// What one listing covers.
    pub listing: &'static str,
    /// Unix time of the last poll, in seconds; 0 before the first.
    pub last_poll: u64,
    /// Unix time of the last poll that was answered whole; 0 before the first.
    pub last_success: u64,
    /// Unix time of the next poll.
    pub next_poll: u64,
    /// The interval as throttling has stretched it, in milliseconds.
    pub interval_ms: u64,
    /// Calls that are expected in each second.
    pub expected_calls_per_second: f64,
    /// Answers that told to ask less often.
    pub throttled: u64,
    /// What went wrong in the last poll.
    pub errors: Vec<String>,
    /// The clusters of the configuration that it serves.
    pub clusters: Vec<ClusterReport>,
}

/// A cluster of the configuration.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ClusterReport {
    /// Its name.
    pub name: String,
    /// The service or family.
    pub tasks_of: String,
    /// How many hosts the workers have.
    pub hosts: usize,
    /// Why the hosts may be out of date; absent where they are not.
    pub stale: Option<String>,
    /// The tasks or instances.
    pub tasks: Vec<TaskReport>,
}

/// A task of ECS, or an instance of Cloud Map.
#[derive(Debug, Clone, Default, Serialize)]
pub struct TaskReport {
    /// Its id.
    pub id: String,
    /// Where it takes requests, once that is known.
    pub address: Option<String>,
    /// Availability zone.
    pub zone: String,
    /// Family and revision.
    pub revision: String,
    /// Who started it: a deployment.
    pub deployment: String,
    /// `desiredStatus`.
    pub desired_status: String,
    /// `lastStatus`.
    pub last_status: String,
    /// `healthStatus`.
    pub health_status: String,
    /// Load balancing weight; 0 where it gets no requests.
    pub weight: u32,
    /// Whether requests go there.
    pub in_rotation: bool,
    /// Why or why not.
    pub reason: String,
}

impl TaskReport {
    /// Though the last answer says otherwise, or nothing, the task's `host` stays for now.
    pub fn keep(&mut self, host: &HostDescription) {
        self.address = Some(host.address.to_string());
        self.zone.clone_from(&host.locality.zone);
        self.weight = host.weight;
        self.in_rotation = true;
        self.reason = format!("in for now: {}", self.reason.trim_start_matches("out: "));
    }
}
