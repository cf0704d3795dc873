//! What decisions are counted in, of HTTP and of network filters.

use super::Decision;
use crate::stats::{Counter, Scope, stats_block};

stats_block! {
    /// `<scope>.rbac.<rules_stat_prefix>`
    EnforcedStats {
        counters {
            allowed,
            denied,
        }
        gauges {}
    }
}

stats_block! {
    /// `<scope>.rbac.<shadow_rules_stat_prefix>`
    ShadowStats {
        counters {
            shadow_allowed,
            shadow_denied,
        }
        gauges {}
    }
}

impl EnforcedStats {
    /// Counts what rules have decided.
    pub fn count(&self, decision: Decision) {
        count(decision, &self.allowed, &self.denied);
    }
}

impl ShadowStats {
    /// Counts what shadow rules have decided.
    pub fn count(&self, decision: Decision) {
        count(decision, &self.shadow_allowed, &self.shadow_denied);
    }
}

/// Counts `decision` in one of the two.
pub fn count(decision: Decision, allowed: &Counter, denied: &Counter) {
    if decision.allowed { allowed.inc() } else { denied.inc() }
}

/// `rbac`, and below it the prefix of the rules.
pub fn prefixed(rbac: Scope, prefix: &str) -> Scope {
    match prefix.trim_end_matches('.') {
        "" => rbac,
        prefix => rbac.within(prefix),
    }
}
