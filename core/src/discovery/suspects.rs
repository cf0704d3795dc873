//! Hosts that refused a connection: out of the rotation until an answer that was asked for later
//! decides anew. Where none comes they get another chance by and by, so that an API that fails
//! cannot take one host after the other away.
//!
//! Pure: time is handed in.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cluster::{Host, HostSet};

/// As long as Envoy ejects an outlier at first.
const SUSPECT_MAX: Duration = Duration::from_secs(30);

/// The suspects of one cluster, by identity.
#[derive(Debug, Default)]
pub struct Suspects(HashMap<String, Instant>);

impl Suspects {
    /// Whether the host is one.
    pub fn contains(&self, identity: &str) -> bool {
        self.0.contains_key(identity)
    }

    /// The host has refused a connection.
    pub fn add(&mut self, identity: &str, now: Instant) {
        self.0.insert(identity.to_owned(), now);
    }

    /// Lets go of those of which something is known that was asked for after they refused; `asked` says
    /// when that was, if at all.
    pub fn settle(&mut self, asked: impl Fn(&str) -> Option<Instant>) {
        self.0.retain(|identity, since| asked(identity).is_none_or(|asked| asked < *since));
    }

    /// Lets go of those that were suspect for long enough; whether there were any.
    pub fn expire(&mut self, now: Instant) -> bool {
        let before = self.0.len();
        self.0.retain(|_, since| now.saturating_duration_since(*since) < SUSPECT_MAX);
        self.0.len() < before
    }
}

/// Failed connections of each host as last seen, by the host's id.
#[derive(Debug, Default)]
pub struct Refusals(HashMap<u64, u64>);

impl Refusals {
    /// Those of `hosts` that have refused connections since the last look.
    pub fn look<'h>(&mut self, hosts: &'h HostSet) -> Vec<&'h Arc<Host>> {
        let failing = hosts.hosts.iter().filter(|host| self.has_grown(host)).collect();
        if self.0.len() > hosts.hosts.len() {
            let there: HashSet<u64> = hosts.hosts.iter().map(|host| host.id).collect();
            self.0.retain(|id, _| there.contains(id));
        }
        failing
    }

    fn has_grown(&mut self, host: &Host) -> bool {
        let failures = host.stats.iter().map(|stats| stats.cx_connect_fail.value()).sum();
        let before = self.0.insert(host.id, failures);
        before.unwrap_or_default() < failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_before_the_failure_settles_nothing() {
        let (mut suspects, start) = (Suspects::default(), Instant::now());
        let at = |second| start + Duration::from_secs(second);
        suspects.add("a", at(10));
        suspects.settle(|_| None);
        suspects.settle(|_| Some(at(9)));
        assert!(suspects.contains("a"));
        suspects.settle(|_| Some(at(11)));
        assert!(!suspects.contains("a"));
    }

    #[test]
    fn without_an_answer_they_come_back_by_and_by() {
        let (mut suspects, start) = (Suspects::default(), Instant::now());
        suspects.add("a", start);
        suspects.add("b", start + Duration::from_secs(1));
        assert!(!suspects.expire(start + Duration::from_secs(29)));
        assert!(suspects.expire(start + SUSPECT_MAX));
        assert!(!suspects.contains("a") && suspects.contains("b"));
    }
}
