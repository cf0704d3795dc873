//! Subsets of a cluster's hosts by their metadata (`lb_subset_config`).
//!
//! The control thread sorts the hosts into subsets for each change of them, each with a plan of its
//! own. A request finds its subset by the key of what its route wants, which was written at load.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ringmain_config::cluster::{
    FallbackPolicy, LbSubsetConfig, LbSubsetSelector, SelectorFallback,
};
use ringmain_config::match_criteria::{Criterion, MatchCriteria};
use serde_json::Value;
use smallvec::SmallVec;

use super::LbStats;
use super::member::Member;
use super::plan::Plan;

/// The subsets of a cluster. None of them is without hosts.
#[derive(Debug)]
pub struct Subsets {
    config: LbSubsetConfig,
    by_key: HashMap<Box<str>, Subset>,
    plans: Box<[Arc<Plan>]>,
    /// The `default_subset`, by the index of its plan.
    default: Option<u32>,
    single_host_duplicates: u64,
}

/// Who serves a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subset {
    /// All hosts of the cluster.
    Any,
    /// The hosts of a subset, by the index of its plan.
    Plan(u32),
    /// The one host of a subset, whatever its health (`single_host_per_subset`).
    Host(u32),
}

/// The hosts of a subset, as they are found.
struct Group {
    is_single: bool,
    hosts: Vec<u32>,
}

impl Subsets {
    /// The subsets of `members` by `config`; `plan_of` makes a plan for some of them.
    pub(super) fn new(
        members: &[Member<'_>],
        config: &LbSubsetConfig,
        plan_of: impl Fn(&[u32]) -> Plan,
    ) -> Self {
        let (groups, single_host_duplicates) = groups(members, config);
        let mut plans = Vec::new();
        let mut planned = |hosts: &[u32]| {
            plans.push(Arc::new(plan_of(hosts)));
            // Not more than there are hosts and values of their metadata in memory.
            u32::try_from(plans.len() - 1).unwrap_or(u32::MAX)
        };
        let by_key = groups.into_iter().map(|(key, group)| {
            let subset = match group.is_single {
                true => Subset::Host(group.first(members)),
                false => Subset::Plan(planned(&group.hosts)),
            };
            (key.into_boxed_str(), subset)
        });
        let by_key = by_key.collect();
        let default = needs(config, FallbackPolicy::DefaultSubset).then(|| {
            let in_default = |(_, member): &(u32, &Member<'_>)| is_in_default(member, config);
            let hosts: Vec<u32> =
                (0..).zip(members).filter(in_default).map(|(host, _)| host).collect();
            planned(&hosts)
        });
        let config = config.clone();
        Self { config, by_key, plans: plans.into(), default, single_host_duplicates }
    }

    /// How many there are, but for the default.
    pub fn count(&self) -> usize {
        self.by_key.len()
    }

    /// `lb_subsets_single_host_per_subset_duplicate`: hosts that found their subset taken.
    pub fn single_host_duplicates(&self) -> u64 {
        self.single_host_duplicates
    }

    /// Counts what is new and what is gone since `before`, `times` over.
    pub fn count_changes(&self, before: Option<&Self>, times: u64, stats: &LbStats) {
        let missing_in = |of: Option<&Self>, from: Option<&Self>| {
            let keys = from.into_iter().flat_map(|subsets| subsets.by_key.keys());
            keys.filter(|key| of.is_none_or(|of| !of.by_key.contains_key(*key))).count() as u64
        };
        stats.lb_subsets_created.add(times * missing_in(before, Some(self)));
        stats.lb_subsets_removed.add(times * missing_in(Some(self), before));
    }

    /// The plans of the subsets.
    pub(super) fn plans(&self) -> impl Iterator<Item = &Plan> {
        self.plans.iter().map(Arc::as_ref)
    }

    /// Every plan with its index in `before`, if it was there.
    pub(super) fn plans_since<'a>(
        &'a self,
        before: Option<&Self>,
    ) -> Vec<(&'a Arc<Plan>, Option<usize>)> {
        let mut plans: Vec<_> = self.plans.iter().map(|plan| (plan, None)).collect();
        let Some(before) = before else { return plans };
        let pairs = self.by_key.iter().map(|(key, subset)| (*subset, before.by_key.get(key)));
        let default = self.default.zip(before.default);
        let pairs = pairs.filter_map(|(now, before)| match (now, before) {
            (Subset::Plan(now), Some(Subset::Plan(before))) => Some((now, *before)),
            _ => None,
        });
        for (now, before) in pairs.chain(default) {
            plans[now as usize].1 = Some(before as usize);
        }
        plans
    }

    /// Whether a request may be served by any host.
    pub(super) fn may_choose_any(&self) -> bool {
        self.config.panic_mode_any || needs(&self.config, FallbackPolicy::AnyEndpoint)
    }

    /// The host for a request that wants `criteria`; `pick` picks one of a subset.
    pub(super) fn choose<'a>(
        &'a self,
        criteria: Option<&'a MatchCriteria>,
        pick: &mut impl FnMut(Subset) -> Option<u32>,
        stats: &LbStats,
    ) -> Option<u32> {
        let Some(criteria) = criteria else { return self.fall_back(pick, stats) };
        match criteria.fallback_list().filter(|_| self.config.uses_fallback_list) {
            Some(list) => list.iter().find_map(|one| self.find(Asked::for_all(one), pick, stats)),
            None => self.find(Asked::for_all(criteria), pick, stats),
        }
    }

    fn find<'a>(
        &'a self,
        asked: Asked<'a>,
        pick: &mut impl FnMut(Subset) -> Option<u32>,
        stats: &LbStats,
    ) -> Option<u32> {
        let selectors = &self.config.subset_selectors;
        let mut fitting = selectors.iter().filter(|_| self.config.allow_redundant_keys);
        let asked = match fitting.find(|selector| asked.has(&selector.keys)) {
            Some(selector) => asked.only(&selector.keys),
            None => asked,
        };
        if let Some(subset) = asked.with_key(|key| self.by_key.get(key)) {
            stats.lb_subsets_selected.inc();
            return pick(*subset);
        }
        match asked.selector(selectors).and_then(|selector| selector.fallback_policy.as_ref()) {
            None => self.fall_back(pick, stats),
            Some(SelectorFallback::KeysSubset(keys)) => self.find(asked.only(keys), pick, stats),
            Some(SelectorFallback::Policy(policy)) => pick(self.fallback(*policy)?),
        }
    }

    fn fall_back(
        &self,
        pick: &mut impl FnMut(Subset) -> Option<u32>,
        stats: &LbStats,
    ) -> Option<u32> {
        if self.config.fallback_policy == FallbackPolicy::NoFallback {
            return None;
        }
        let host = self.fallback(self.config.fallback_policy).and_then(&mut *pick);
        if host.is_some() {
            stats.lb_subsets_fallback.inc();
        } else if self.config.panic_mode_any {
            let any = pick(Subset::Any)?;
            stats.lb_subsets_fallback_panic.inc();
            return Some(any);
        }
        host
    }

    fn fallback(&self, policy: FallbackPolicy) -> Option<Subset> {
        match policy {
            FallbackPolicy::NoFallback => None,
            FallbackPolicy::AnyEndpoint => Some(Subset::Any),
            FallbackPolicy::DefaultSubset => self.default.map(Subset::Plan),
        }
    }
}

impl Group {
    /// The first host of the first priority.
    fn first(&self, members: &[Member<'_>]) -> u32 {
        let first = self.hosts.iter().min_by_key(|host| members[**host as usize].priority);
        *first.expect("a group begins with a host")
    }
}

/// The hosts of each subset by its key, and how many hosts found theirs taken.
fn groups(members: &[Member<'_>], config: &LbSubsetConfig) -> (BTreeMap<String, Group>, u64) {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    let mut duplicates = 0;
    for (host, member) in (0_u32..).zip(members) {
        for selector in &config.subset_selectors {
            for key in keys_of(member, selector, config.list_as_any) {
                let is_single = selector.single_host_per_subset;
                let new = || Group { is_single, hosts: Vec::new() };
                let group = groups.entry(key).or_insert_with(new);
                let of_priority =
                    |other: &u32| members[*other as usize].priority == member.priority;
                if group.is_single && group.hosts.iter().any(of_priority) {
                    duplicates += 1;
                } else if group.hosts.last() != Some(&host) {
                    group.hosts.push(host);
                }
            }
        }
    }
    (groups, duplicates)
}

/// The keys of the subsets of `selector` that a host is in: one, several where it has lists, or none
/// where it lacks a key.
fn keys_of(member: &Member<'_>, selector: &LbSubsetSelector, list_as_any: bool) -> Vec<String> {
    let mut keys = match selector.keys[..] {
        [] => Vec::new(),
        _ => vec![String::new()],
    };
    for name in &selector.keys {
        let values = match member.metadata.get(name) {
            None => &[][..],
            Some(Value::Array(values)) if list_as_any => values,
            Some(value) => std::slice::from_ref(value),
        };
        let parts: Vec<Criterion> =
            values.iter().map(|value| Criterion::new(name, value)).collect();
        let with_parts = |key: String| parts.iter().map(move |part| key.clone() + part.key_part());
        keys = keys.into_iter().flat_map(with_parts).collect();
    }
    keys
}

fn is_in_default(member: &Member<'_>, config: &LbSubsetConfig) -> bool {
    config.default_subset.criteria().iter().all(|wanted| match member.metadata.get(&wanted.name) {
        None => false,
        Some(Value::Array(values)) if config.list_as_any => values.contains(&wanted.value),
        Some(value) => *value == wanted.value,
    })
}

/// Whether anything may fall back so.
fn needs(config: &LbSubsetConfig, policy: FallbackPolicy) -> bool {
    let falls = |selector: &LbSubsetSelector| {
        selector.fallback_policy == Some(SelectorFallback::Policy(policy))
    };
    config.fallback_policy == policy || config.subset_selectors.iter().any(falls)
}

/// The criteria that count at the moment.
#[derive(Clone, Copy)]
struct Asked<'a> {
    criteria: &'a MatchCriteria,
    /// The names of those that count; absent means all.
    names: Option<&'a [String]>,
}

impl<'a> Asked<'a> {
    fn for_all(criteria: &'a MatchCriteria) -> Self {
        Self { criteria, names: None }
    }

    fn only(self, names: &'a [String]) -> Self {
        Self { names: Some(names), ..self }
    }

    fn counting(&self) -> impl Iterator<Item = &'a Criterion> {
        let names = self.names;
        let counts =
            move |criterion: &&Criterion| names.is_none_or(|names| names.contains(&criterion.name));
        self.criteria.criteria().iter().filter(counts)
    }

    fn has(&self, names: &[String]) -> bool {
        names.iter().all(|name| self.counting().any(|criterion| criterion.name == *name))
    }

    fn with_key<T>(&self, look_up: impl FnOnce(&str) -> T) -> T {
        if self.names.is_none() {
            return look_up(self.criteria.key());
        }
        let mut key = SmallVec::<[u8; 256]>::new();
        self.counting().for_each(|part| key.extend_from_slice(part.key_part().as_bytes()));
        look_up(std::str::from_utf8(&key).expect("texts one after the other are text"))
    }

    /// The selector of just these keys whose fallback counts. Envoy keeps selectors in a tree and sees
    /// only what the first to reach a node says: one whose keys begin the keys of an earlier one has
    /// no say.
    fn selector(&self, selectors: &'a [LbSubsetSelector]) -> Option<&'a LbSubsetSelector> {
        let names = || self.counting().map(|criterion| &criterion.name);
        let reaches = |selector: &&LbSubsetSelector| {
            let mut keys = selector.keys.iter();
            names().all(|name| keys.next() == Some(name))
        };
        let first = selectors.iter().find(reaches)?;
        (!first.keys.is_empty() && first.keys.len() == names().count()).then_some(first)
    }
}

#[cfg(test)]
mod tests;
