//! What follows from the members of a cluster, worked out once for each change on the control thread:
//! which hosts each priority offers, how load is shared among priorities and localities, and the
//! tables of consistent hashing. Workers share it and keep only their place in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use ringmain_config::cluster::{LbPolicy, LoadBalancing, LocalityLbConfig};
use ringmain_config::locality::Locality;

use super::LbStats;
use super::hash_table::{HashTable, TableSizes, WeightedHost};
use super::member::{Health, Member};
use super::priority_load::{Availability, Distribution, LevelCounts};
use super::subset::Subsets;
use super::zone_aware::{LocalCluster, ZoneRouting};

/// What a plan is made of beside the members.
#[derive(Debug, Clone, Copy)]
pub struct PlanContext<'a> {
    /// How to choose.
    pub config: &'a LoadBalancing,
    /// The weights of localities and how health counts.
    pub assignment: &'a ringmain_config::cluster::LoadAssignment,
    /// Where this proxy is, if it knows.
    pub here: Option<&'a Locality>,
    /// The proxies beside this one, where `local_cluster_name` is set.
    pub local: Option<&'a LocalCluster>,
    /// What is counted on the way.
    pub stats: &'a LbStats,
}

/// See the module. Indices are those of the members.
#[derive(Debug)]
pub struct Plan {
    pub(super) policy: LbPolicy,
    pub(super) distribution: Distribution,
    pub(super) levels: Box<[Level]>,
    pub(super) sources: Box<[Source]>,
    pub(super) zone: ZoneRules,
    /// Where the cluster has subsets; the rest is then of all its hosts.
    pub(super) subsets: Option<Arc<Subsets>>,
}

/// How the weights of localities count.
#[derive(Debug, Clone, Copy)]
pub(super) enum LocalityWeights<'a> {
    /// As assigned.
    Assigned,
    /// Not at all (`locality_weight_aware`).
    Ignored,
    /// By how many of these hosts of each priority and locality there are
    /// (`scale_locality_weight`).
    Scaled(&'a HostCounts<'a>),
}

/// How many hosts each locality of each priority has.
pub(super) type HostCounts<'a> = BTreeMap<(u32, &'a Locality), u32>;

/// The rules of `zone_aware_lb_config` that each pick asks about.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ZoneRules {
    pub(super) routing_enabled: u32,
    pub(super) fail_traffic_on_panic: bool,
    /// The proxies beside this one are in panic: nothing is known of zones.
    pub(super) local_panic: bool,
}

/// A priority. Numbers are those of sources.
#[derive(Debug)]
pub(super) struct Level {
    pub(super) all: usize,
    pub(super) healthy: usize,
    pub(super) degraded: usize,
    pub(super) localities: Option<Localities>,
    pub(super) table: Option<Arc<HashTable>>,
}

/// The localities of a priority, this proxy's own first.
#[derive(Debug)]
pub(super) struct Localities {
    /// The sources of each: healthy and degraded.
    pub(super) sources: Box<[[usize; 2]]>,
    pub(super) choice: LocalityChoice,
}

#[derive(Debug)]
pub(super) enum LocalityChoice {
    /// The weight of each, for its healthy and its degraded hosts.
    Weighted([Box<[f64]>; 2]),
    Zone(ZoneRouting),
}

/// Hosts to choose among.
#[derive(Debug, Default)]
pub(super) struct Source {
    pub(super) hosts: Box<[u32]>,
    /// Their weights, where they differ.
    pub(super) weights: Option<Box<[u32]>>,
}

impl Source {
    fn new(hosts: &[u32], members: &[Member<'_>]) -> Self {
        let weight = |host: &u32| members[*host as usize].weight;
        let differ = hosts.windows(2).any(|pair| weight(&pair[0]) != weight(&pair[1]));
        Self { hosts: hosts.into(), weights: differ.then(|| hosts.iter().map(weight).collect()) }
    }
}

/// The source without hosts.
const NOBODY: usize = 0;

impl Plan {
    /// For `members`.
    pub fn new(members: &[Member<'_>], context: &PlanContext<'_>) -> Self {
        let all: Vec<u32> = (0..).take(members.len()).collect();
        let priorities =
            members.iter().map(|member| member.priority as usize + 1).max().unwrap_or(1);
        let Some(config) = &context.config.subset else {
            return Self::of(members, &all, priorities, LocalityWeights::Assigned, context);
        };
        let mut counts = HostCounts::new();
        for member in members {
            *counts.entry((member.priority, member.locality)).or_default() += 1;
        }
        let weights = match (config.locality_weight_aware, config.scale_locality_weight) {
            (false, _) => LocalityWeights::Ignored,
            (true, false) => LocalityWeights::Assigned,
            (true, true) => LocalityWeights::Scaled(&counts),
        };
        let plan_of = |hosts: &[u32]| Self::of(members, hosts, priorities, weights, context);
        let subsets = Subsets::new(members, config, plan_of);
        // Whom no request falls back to needs no tables.
        let all = if subsets.may_choose_any() { &all[..] } else { &[] };
        Self { subsets: Some(Arc::new(subsets)), ..plan_of(all) }
    }

    /// For the hosts that `chosen` names of `members`, which have so many `priorities`.
    fn of(
        members: &[Member<'_>],
        chosen: &[u32],
        priorities: usize,
        weights: LocalityWeights<'_>,
        context: &PlanContext<'_>,
    ) -> Self {
        let mut builder = Builder { members, context, weights, sources: vec![Source::default()] };
        let mut of_priority = vec![Vec::new(); priorities];
        for host in chosen {
            of_priority[members[*host as usize].priority as usize].push(*host);
        }
        let counts: Vec<LevelCounts> =
            of_priority.iter().map(|hosts| builder.count(hosts)).collect();
        let distribution = Distribution::new(
            &counts,
            context.assignment.overprovisioning_factor,
            context.config.healthy_panic_threshold,
        );
        let levels = of_priority
            .iter()
            .enumerate()
            .map(|(priority, hosts)| builder.level(priority, hosts, distribution.panic[priority]))
            .collect();
        Self {
            policy: context.config.policy.clone(),
            distribution,
            levels,
            sources: builder.sources.into(),
            zone: zone_rules(context),
            subsets: None,
        }
    }

    /// The sizes of the tables, by priority; those of subsets last.
    pub fn table_sizes(&self) -> impl Iterator<Item = TableSizes> {
        let subsets = self.subsets.iter().flat_map(|subsets| subsets.plans());
        let levels = std::iter::once(self).chain(subsets).flat_map(|plan| &plan.levels);
        levels.filter_map(|level| level.table.as_ref()).map(|table| table.sizes())
    }

    /// The subsets, where the cluster has such.
    pub fn subsets(&self) -> Option<&Subsets> {
        self.subsets.as_deref()
    }

    /// How load is shared among the priorities.
    pub fn distribution(&self) -> &Distribution {
        &self.distribution
    }
}

impl Default for Plan {
    /// A plan without hosts.
    fn default() -> Self {
        let level =
            Level { all: NOBODY, healthy: NOBODY, degraded: NOBODY, localities: None, table: None };
        Self {
            policy: LbPolicy::Random,
            distribution: Distribution::new(&[LevelCounts::default()], 100, 0),
            levels: Box::new([level]),
            sources: Box::new([Source::default()]),
            zone: ZoneRules::default(),
            subsets: None,
        }
    }
}

fn zone_rules(context: &PlanContext<'_>) -> ZoneRules {
    let LocalityLbConfig::ZoneAware(config) = context.config.locality else {
        return ZoneRules::default();
    };
    let threshold = context.config.healthy_panic_threshold;
    ZoneRules {
        routing_enabled: config.routing_enabled,
        fail_traffic_on_panic: config.fail_traffic_on_panic,
        local_panic: context.local.is_some_and(|local| local.counts.is_in_panic(threshold)),
    }
}

/// Counts `members` as one priority does.
pub fn count_members<'a, 'm: 'a>(
    members: impl Iterator<Item = &'a Member<'m>>,
    by_weight: bool,
) -> LevelCounts {
    let mut counts = LevelCounts::default();
    for member in members {
        let weight = if by_weight { u64::from(member.weight) } else { 1 };
        counts.hosts += 1;
        if member.excluded {
            counts.excluded += 1;
        } else {
            counts.weights[0] += weight;
        }
        match member.health {
            Health::Healthy => {
                counts.healthy += 1;
                counts.weights[1] += weight;
            }
            Health::Degraded => {
                counts.degraded += 1;
                counts.weights[2] += weight;
            }
            Health::Unhealthy => {}
        }
    }
    counts
}

struct Builder<'a> {
    members: &'a [Member<'a>],
    context: &'a PlanContext<'a>,
    weights: LocalityWeights<'a>,
    sources: Vec<Source>,
}

impl<'a> Builder<'a> {
    fn member(&self, host: u32) -> &'a Member<'a> {
        &self.members[host as usize]
    }

    fn count(&self, hosts: &[u32]) -> LevelCounts {
        let members = hosts.iter().map(|host| self.member(*host));
        count_members(members, self.context.assignment.weighted_priority_health)
    }

    /// The number of a source of those of `hosts` that are `health`.
    fn source(&mut self, hosts: &[u32], health: Health) -> usize {
        let hosts = self.those(hosts, health);
        if hosts.is_empty() {
            return NOBODY;
        }
        self.add(&hosts)
    }

    fn add(&mut self, hosts: &[u32]) -> usize {
        self.sources.push(Source::new(hosts, self.members));
        self.sources.len() - 1
    }

    fn those(&self, hosts: &[u32], health: Health) -> Vec<u32> {
        hosts.iter().copied().filter(|host| self.member(*host).health == health).collect()
    }

    fn level(&mut self, priority: usize, hosts: &[u32], in_panic: bool) -> Level {
        let all = if hosts.is_empty() { NOBODY } else { self.add(hosts) };
        let all_healthy = hosts.iter().all(|host| self.member(*host).health == Health::Healthy);
        let groups = self.by_locality(hosts);
        Level {
            all,
            healthy: if all_healthy { all } else { self.source(hosts, Health::Healthy) },
            degraded: self.source(hosts, Health::Degraded),
            table: self.table(priority, hosts, &groups, in_panic),
            localities: self.localities(priority, &groups),
        }
    }

    /// Grouped by locality, this proxy's own first, the others in order.
    fn by_locality(&self, hosts: &[u32]) -> Vec<(&'a Locality, Vec<u32>)> {
        let mut groups = BTreeMap::<&'a Locality, Vec<u32>>::new();
        for host in hosts {
            groups.entry(self.members[*host as usize].locality).or_default().push(*host);
        }
        let here = self.context.here.and_then(|here| groups.remove_entry(here));
        here.into_iter().chain(groups).collect()
    }

    fn is_locality_weighted(&self) -> bool {
        !matches!(self.weights, LocalityWeights::Ignored)
            && self.context.config.is_locality_weighted()
    }

    /// The weight of a locality of which `hosts` are left.
    fn weight_of(&self, priority: usize, locality: &Locality, hosts: usize) -> f64 {
        let priority = u32::try_from(priority).unwrap_or(u32::MAX);
        let weight = f64::from(self.context.assignment.locality_weight(priority, locality));
        match self.weights {
            LocalityWeights::Scaled(counts) => {
                let all = counts.get(&(priority, locality)).copied().unwrap_or(1);
                // Counts of hosts are far below 2^53.
                (weight * hosts as f64 / f64::from(all)).round()
            }
            LocalityWeights::Assigned | LocalityWeights::Ignored => weight,
        }
    }

    fn localities(
        &mut self,
        priority: usize,
        groups: &[(&Locality, Vec<u32>)],
    ) -> Option<Localities> {
        let choice = match self.context.config.locality {
            LocalityLbConfig::LocalityWeighted if !self.is_locality_weighted() => return None,
            LocalityLbConfig::LocalityWeighted => LocalityChoice::Weighted([
                self.effective_weights(priority, groups, Health::Healthy),
                self.effective_weights(priority, groups, Health::Degraded),
            ]),
            LocalityLbConfig::ZoneAware(config) if priority == 0 => {
                let local = self.context.local?;
                let count = |hosts| {
                    u32::try_from(self.those(hosts, Health::Healthy).len()).unwrap_or(u32::MAX)
                };
                let counted: Vec<(&Locality, u32)> =
                    groups.iter().map(|(locality, hosts)| (*locality, count(hosts))).collect();
                let is_local = counted.first().map(|(at, _)| *at) == self.context.here
                    && self.context.here.is_some();
                let stats = self.context.stats;
                LocalityChoice::Zone(ZoneRouting::new(&counted, is_local, local, &config, stats)?)
            }
            LocalityLbConfig::ZoneAware(_) => return None,
        };
        let sources = groups
            .iter()
            .map(|(_, hosts)| {
                [self.source(hosts, Health::Healthy), self.source(hosts, Health::Degraded)]
            })
            .collect();
        Some(Localities { sources, choice })
    }

    /// The weight of each locality, less what its health takes of it beyond the overprovisioning.
    fn effective_weights(
        &self,
        priority: usize,
        groups: &[(&Locality, Vec<u32>)],
        health: Health,
    ) -> Box<[f64]> {
        let factor = f64::from(self.context.assignment.overprovisioning_factor) / 100.0;
        let weight = |(locality, hosts): &(&Locality, Vec<u32>)| {
            let counted = hosts.iter().filter(|host| !self.member(**host).excluded).count();
            let able = self.those(hosts, health).len();
            // Counts of hosts are far below 2^53.
            let ratio = if counted == 0 { 0.0 } else { able as f64 / counted as f64 };
            self.weight_of(priority, locality, hosts.len()) * (factor * ratio).min(1.0)
        };
        groups.iter().map(weight).collect()
    }

    fn table(
        &self,
        priority: usize,
        hosts: &[u32],
        groups: &[(&Locality, Vec<u32>)],
        in_panic: bool,
    ) -> Option<Arc<HashTable>> {
        let policy = &self.context.config.policy;
        if !policy.hashes() {
            return None;
        }
        let able = |hosts: &[u32]| {
            if in_panic { hosts.to_vec() } else { self.those(hosts, Health::Healthy) }
        };
        let mut weighted = Vec::with_capacity(hosts.len());
        if self.is_locality_weighted() {
            let weight = |(locality, hosts): &(&Locality, Vec<u32>)| {
                self.weight_of(priority, locality, hosts.len())
            };
            let sum: f64 = groups.iter().map(weight).sum();
            for group @ (_, hosts) in groups {
                let share = weight(group) / sum;
                if share > 0.0 {
                    self.add_shares(&able(hosts), share, &mut weighted);
                }
            }
        } else {
            self.add_shares(&able(hosts), 1.0, &mut weighted);
        }
        HashTable::new(policy, &weighted)
    }

    /// Adds each of `hosts` with its part of `share` by weight.
    fn add_shares(&self, hosts: &[u32], share: f64, to: &mut Vec<WeightedHost<'a>>) {
        let weight = |host: u32| f64::from(self.member(host).weight);
        let sum: f64 = hosts.iter().map(|host| weight(*host)).sum();
        to.extend(hosts.iter().map(|host| WeightedHost {
            index: *host,
            hash_key: self.member(*host).hash_key,
            weight: weight(*host) * share / sum,
        }));
    }
}

impl Level {
    /// The source of the hosts that are meant.
    pub(super) fn source(&self, availability: Availability) -> usize {
        match availability {
            Availability::Healthy => self.healthy,
            Availability::Degraded => self.degraded,
        }
    }
}
