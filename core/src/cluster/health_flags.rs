//! What is known of a host's health, by who found it out (`Host::HealthFlag`).

use std::sync::atomic::{AtomicU32, Ordering};

use ringmain_config::cluster::HealthStatus;

use crate::load_balancer::Health;

/// A reason why a host gets fewer requests or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum HealthFlag {
    /// Active health checks fail.
    FailedActiveHc = 1,
    /// Outlier detection has ejected it.
    FailedOutlierCheck = 1 << 1,
    /// Discovery says that it is unhealthy.
    FailedEdsHealth = 1 << 2,
    /// Active health checks say that it is degraded.
    DegradedActiveHc = 1 << 3,
    /// Discovery says that it is degraded.
    DegradedEdsHealth = 1 << 4,
    /// Discovery no longer names it, but active health checks still pass.
    PendingDynamicRemoval = 1 << 5,
    /// It has not been checked yet.
    PendingActiveHc = 1 << 6,
    /// It has asked to be taken out, by `x-envoy-immediate-health-check-fail`.
    ExcludedViaImmediateHcFail = 1 << 7,
    /// Its last active health check was not answered in time.
    ActiveHcTimeout = 1 << 8,
    /// Discovery says that it is on its way out.
    EdsStatusDraining = 1 << 9,
}

/// Every flag, as `/clusters` writes it.
const TEXTS: [(HealthFlag, &str); 10] = [
    (HealthFlag::FailedActiveHc, "/failed_active_hc"),
    (HealthFlag::FailedOutlierCheck, "/failed_outlier_check"),
    (HealthFlag::FailedEdsHealth, "/failed_eds_health"),
    (HealthFlag::DegradedActiveHc, "/degraded_active_hc"),
    (HealthFlag::DegradedEdsHealth, "/degraded_eds_health"),
    (HealthFlag::PendingDynamicRemoval, "/pending_dynamic_removal"),
    (HealthFlag::PendingActiveHc, "/pending_active_hc"),
    (HealthFlag::ExcludedViaImmediateHcFail, "/excluded_via_immediate_hc_fail"),
    (HealthFlag::ActiveHcTimeout, "/active_hc_timeout"),
    (HealthFlag::EdsStatusDraining, "/eds_status_draining"),
];

const UNHEALTHY: u32 = HealthFlag::FailedActiveHc as u32
    | HealthFlag::FailedOutlierCheck as u32
    | HealthFlag::FailedEdsHealth as u32
    | HealthFlag::EdsStatusDraining as u32;
const DEGRADED: u32 = HealthFlag::DegradedActiveHc as u32 | HealthFlag::DegradedEdsHealth as u32;
const EXCLUDED: u32 = HealthFlag::PendingActiveHc as u32
    | HealthFlag::ExcludedViaImmediateHcFail as u32
    | HealthFlag::EdsStatusDraining as u32;
/// What discovery says.
const EDS: u32 = HealthFlag::FailedEdsHealth as u32
    | HealthFlag::DegradedEdsHealth as u32
    | HealthFlag::EdsStatusDraining as u32;

/// The flags of a host. The control thread writes them; workers are told of what follows.
#[derive(Debug, Default)]
pub struct HealthFlags(AtomicU32);

impl HealthFlags {
    /// Those that `status` means.
    pub fn new(status: HealthStatus) -> Self {
        Self(AtomicU32::new(eds_flags(status)))
    }

    /// Sets or clears `flag`; whether it was otherwise.
    pub fn set(&self, flag: HealthFlag, on: bool) -> bool {
        let bit = flag as u32;
        let before = match on {
            true => self.0.fetch_or(bit, Ordering::Relaxed),
            false => self.0.fetch_and(!bit, Ordering::Relaxed),
        };
        (before & bit != 0) != on
    }

    /// Takes over what discovery says; whether it said otherwise before.
    pub fn set_eds_status(&self, status: HealthStatus) -> bool {
        let eds = eds_flags(status);
        let update = |flags| Some(flags & !EDS | eds);
        let before = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, update);
        before.is_ok_and(|before| before & EDS != eds)
    }

    /// Whether `flag` is set.
    pub fn has(&self, flag: HealthFlag) -> bool {
        self.0.load(Ordering::Relaxed) & flag as u32 != 0
    }

    /// What all of them come to.
    pub fn health(&self) -> Health {
        let flags = self.0.load(Ordering::Relaxed);
        if flags & UNHEALTHY != 0 {
            Health::Unhealthy
        } else if flags & DEGRADED != 0 {
            Health::Degraded
        } else {
            Health::Healthy
        }
    }

    /// Whether the host counts neither for nor against the health of its priority.
    pub fn is_excluded(&self) -> bool {
        self.0.load(Ordering::Relaxed) & EXCLUDED != 0
    }

    /// What discovery says, by Envoy's name.
    pub fn eds_status(&self) -> &'static str {
        if self.has(HealthFlag::FailedEdsHealth) {
            "UNHEALTHY"
        } else if self.has(HealthFlag::DegradedEdsHealth) {
            "DEGRADED"
        } else if self.has(HealthFlag::EdsStatusDraining) {
            "DRAINING"
        } else {
            "HEALTHY"
        }
    }

    /// As `/clusters` writes them.
    pub fn text(&self) -> String {
        let set = TEXTS.iter().filter(|(flag, _)| self.has(*flag));
        let text: String = set.map(|(_, text)| *text).collect();
        if text.is_empty() { "healthy".to_owned() } else { text }
    }
}

fn eds_flags(status: HealthStatus) -> u32 {
    match status {
        HealthStatus::Healthy => 0,
        HealthStatus::Unhealthy => HealthFlag::FailedEdsHealth as u32,
        HealthStatus::Draining => HealthFlag::EdsStatusDraining as u32,
        HealthStatus::Degraded => HealthFlag::DegradedEdsHealth as u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_weigh_more_than_degradation() {
        let flags = HealthFlags::new(HealthStatus::Degraded);
        assert_eq!(
            (flags.health(), flags.text().as_str()),
            (Health::Degraded, "/degraded_eds_health")
        );
        assert!(flags.set(HealthFlag::FailedActiveHc, true));
        assert!(!flags.set(HealthFlag::FailedActiveHc, true));
        assert_eq!(flags.health(), Health::Unhealthy);
        assert_eq!(flags.text(), "/failed_active_hc/degraded_eds_health");
    }

    #[test]
    fn discovery_overrides_what_it_said_and_nothing_else() {
        let flags = HealthFlags::new(HealthStatus::Draining);
        assert!(flags.is_excluded());
        flags.set(HealthFlag::FailedOutlierCheck, true);
        assert!(flags.set_eds_status(HealthStatus::Healthy));
        assert!(!flags.set_eds_status(HealthStatus::Healthy));
        assert_eq!(flags.text(), "/failed_outlier_check");
        assert!(!flags.is_excluded());
    }
}
