//! Which hosts a cluster has after an answer, be it whole, partial or none: an answer that failed
//! never takes a host away.
//!
//! Pure: time is handed in.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};

use crate::cluster::HostDescription;

/// What one poll said. A host's owner is its task or instance.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The hosts that it named, in rotation or unhealthy.
    pub found: Vec<HostDescription>,
    /// Hosts that it said are leaving, by identity or owner, and why.
    pub leaving: HashMap<String, &'static str>,
    /// Owners that it said are there without saying where: their hosts stay as they are.
    pub staying: HashSet<String>,
    /// Owners that it said are not known.
    pub unknown: HashSet<String>,
    /// Whether it is whole: every page and every batch has come. Only then absence means anything.
    pub complete: bool,
    /// Whether the service itself says that it has no tasks, so that an empty answer is no mistake.
    pub empty_is_meant: bool,
}

/// What keeps hosts from being taken away by mistake.
#[derive(Debug, Clone, Copy)]
pub struct Guard {
    /// How long a cluster that is told to be empty keeps its hosts.
    pub empty_set_grace: Duration,
    /// A loss of more of the hosts than this is confirmed by another poll.
    pub max_removal_percent: u32,
}

impl Guard {
    /// Whether `lost` of so many hosts are more than one answer may take away.
    fn is_too_many(&self, lost: usize, hosts: usize) -> bool {
        lost * 100 > hosts * self.max_removal_percent as usize
    }
}

/// A change of the membership, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Identity of the host.
    pub identity: String,
    /// Its address as text.
    pub address: String,
    /// Whether it came.
    pub joined: bool,
    /// Why.
    pub cause: &'static str,
}

/// What an answer came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Who came and who left.
    pub changes: Vec<Change>,
    /// Hosts that stay though a complete answer did not name them.
    pub held: usize,
    /// Whether they are held because the answer was empty.
    pub empty_ignored: bool,
    /// Whether they are held because too many were missing at once.
    pub removal_held: bool,
}

/// The part of a host's identity before its port: the ARN of a task, the id of an instance.
pub(super) fn owner(identity: &str) -> &str {
    identity.rsplit_once('#').map_or(identity, |(owner, _)| owner)
}

#[derive(Debug)]
struct Member {
    host: HostDescription,
    /// Came from a snapshot; no answer has named it yet.
    restored: bool,
}

/// The hosts of one cluster.
#[derive(Debug)]
pub struct Membership {
    guard: Guard,
    members: BTreeMap<String, Member>,
    /// When answers began to be empty.
    empty_since: Option<Instant>,
    /// Hosts that were missing in the last complete answer and await confirmation.
    missing: BTreeSet<String>,
    /// Identities of hosts that stay though the last complete answer did not name them.
    held: BTreeSet<String>,
}

impl Membership {
    /// A cluster with the hosts of a snapshot, or none.
    pub fn new(guard: Guard, restored: Vec<HostDescription>) -> Self {
        let members = restored
            .into_iter()
            .map(|host| (host.identity.clone(), Member { host, restored: true }))
            .collect();
        Self { guard, members, empty_since: None, missing: BTreeSet::new(), held: BTreeSet::new() }
    }

    /// The hosts, in the order of their identity.
    pub fn hosts(&self) -> Vec<HostDescription> {
        self.members.values().map(|member| member.host.clone()).collect()
    }

    /// How many hosts there are.
    pub fn count(&self) -> usize {
        self.members.len()
    }

    /// Whether the host stays only until its absence is confirmed.
    pub fn is_held(&self, identity: &str) -> bool {
        self.held.contains(identity)
    }

    /// Whether the host came from a snapshot and was not seen since.
    pub fn is_restored(&self, identity: &str) -> bool {
        self.members.get(identity).is_some_and(|member| member.restored)
    }

    /// Takes an answer in.
    pub fn apply(&mut self, answer: Answer, now: Instant) -> Outcome {
        let mut outcome = Outcome::default();
        let Answer { found, leaving, staying, unknown, complete, empty_is_meant } = answer;
        let named: HashSet<String> = found.iter().map(|host| host.identity.clone()).collect();
        let nothing_named = named.is_empty() && leaving.is_empty() && staying.is_empty();
        if !nothing_named {
            self.empty_since = None;
        }
        for host in found {
            self.put(host, &mut outcome);
        }
        for identity in self.those(|_| true) {
            let cause = leaving.get(&identity).or_else(|| leaving.get(owner(&identity)));
            if let Some(cause) = cause {
                self.remove(&identity, cause, &mut outcome);
            }
        }
        let is_named =
            |identity: &str| named.contains(identity) || staying.contains(owner(identity));
        if complete {
            self.held.clear();
            let absent = self.those(|identity| !is_named(identity));
            self.settle_absent(absent, nothing_named, empty_is_meant, now, &mut outcome);
        } else {
            let absent = self.those(|identity| unknown.contains(owner(identity)));
            if !self.guard.is_too_many(absent.len(), self.members.len()) {
                self.remove_all(&absent, "gone: not known any more", &mut outcome);
            }
        }
        outcome
    }

    /// The identities that `fit`.
    fn those(&self, fit: impl Fn(&str) -> bool) -> BTreeSet<String> {
        self.members.keys().filter(|identity| fit(identity)).cloned().collect()
    }

    fn settle_absent(
        &mut self,
        absent: BTreeSet<String>,
        nothing_named: bool,
        empty_is_meant: bool,
        now: Instant,
        outcome: &mut Outcome,
    ) {
        if absent.is_empty() {
            self.missing.clear();
            return;
        }
        if nothing_named && !empty_is_meant {
            let since = *self.empty_since.get_or_insert(now);
            if now.duration_since(since) < self.guard.empty_set_grace {
                outcome.empty_ignored = true;
                return self.hold(absent, outcome);
            }
            return self.remove_all(&absent, "gone: no task for empty_set_grace", outcome);
        }
        if nothing_named {
            return self.remove_all(&absent, "gone: the service has no tasks", outcome);
        }
        // Hosts of a snapshot may be long gone; the first complete answer decides.
        let (restored, lost): (BTreeSet<String>, BTreeSet<String>) =
            absent.into_iter().partition(|identity| self.members[identity].restored);
        let known = self.members.values().filter(|member| !member.restored).count();
        let unconfirmed: BTreeSet<String> = match self.guard.is_too_many(lost.len(), known) {
            true => lost.difference(&self.missing).cloned().collect(),
            false => BTreeSet::new(),
        };
        self.remove_all(&restored, "gone: not listed", outcome);
        self.remove_all(&(&lost - &unconfirmed), "gone: not listed", outcome);
        self.missing.clone_from(&unconfirmed);
        outcome.removal_held = !unconfirmed.is_empty();
        self.hold(unconfirmed, outcome);
    }

    fn hold(&mut self, absent: BTreeSet<String>, outcome: &mut Outcome) {
        outcome.held = absent.len();
        self.held = absent;
    }

    fn put(&mut self, host: HostDescription, outcome: &mut Outcome) {
        self.missing.remove(&host.identity);
        self.held.remove(&host.identity);
        let known = self.members.get(&host.identity);
        let moved = known.is_some_and(|member| member.host.address != host.address);
        if known.is_none() || moved {
            outcome.changes.push(Change {
                identity: host.identity.clone(),
                address: host.address.to_string(),
                joined: true,
                cause: if moved { "its address has changed" } else { "ready" },
            });
        }
        self.members.insert(host.identity.clone(), Member { host, restored: false });
    }

    fn remove_all(
        &mut self,
        identities: &BTreeSet<String>,
        cause: &'static str,
        outcome: &mut Outcome,
    ) {
        for identity in identities {
            self.remove(identity, cause, outcome);
        }
    }

    fn remove(&mut self, identity: &str, cause: &'static str, outcome: &mut Outcome) {
        self.held.remove(identity);
        self.missing.remove(identity);
        if let Some(member) = self.members.remove(identity) {
            outcome.changes.push(Change {
                identity: identity.to_owned(),
                address: member.host.address.to_string(),
                joined: false,
                cause,
            });
        }
    }
}

#[cfg(test)]
mod tests;
