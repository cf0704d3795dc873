//! A worker's balancer: its place in a plan, and the picks.

use std::sync::Arc;
use std::time::Duration;

use ringmain_config::cluster::{LbPolicy, LeastRequest, SlowStart};
use ringmain_config::match_criteria::MatchCriteria;

use super::LbStats;
use super::edf::EdfSchedule;
use super::plan::{LocalityChoice, Plan, Source};
use super::priority_load::{Availability, PriorityLoad};
use super::subset::{Subset, Subsets};

/// What picks ask about hosts, by their index among the members, and of chance.
pub trait Hosts {
    /// A number; all are equally likely.
    fn random(&self) -> u64;
    /// Requests that the host has from this worker.
    fn active_requests(&self, host: u32) -> u64;
    /// Requests that all hosts of the cluster have from this worker.
    fn all_active_requests(&self) -> u64;
    /// How long ago the host became healthy.
    fn healthy_for(&self, host: u32) -> Duration;
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pick<'a> {
    /// By its route's `hash_policy`; without it, chance.
    pub hash: Option<u64>,
    /// What the host's metadata must be, where the cluster has subsets.
    pub criteria: Option<&'a MatchCriteria>,
    /// How many hosts chosen before were not wanted.
    pub attempt: u32,
    /// The load of priorities, where it is another than the plan's.
    pub load: Option<&'a PriorityLoad>,
}

/// A worker's place in a plan and in those of the subsets.
#[derive(Debug)]
pub struct Balancer {
    all: Turns,
    subsets: Option<SubsetTurns>,
}

/// The subsets, and by the index of each plan whose turn it is there.
#[derive(Debug)]
struct SubsetTurns {
    subsets: Arc<Subsets>,
    turns: Box<[Turns]>,
}

impl Balancer {
    /// Goes on with `plan`; `before` is what was there until now. Where there was nothing, it begins
    /// anywhere, so that workers do not march in step.
    pub fn new(plan: Arc<Plan>, before: Option<&Self>, hosts: &impl Hosts) -> Self {
        let subsets = plan.subsets.clone().map(|subsets| {
            let before = before.and_then(|before| before.subsets.as_ref());
            SubsetTurns::new(subsets, before, hosts)
        });
        Self { all: Turns::new(plan, before.map(|before| &before.all), hosts), subsets }
    }

    /// The plan.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.all.plan
    }

    /// The host for a request; none where no host takes any.
    pub fn choose(&mut self, pick: &Pick<'_>, hosts: &impl Hosts, stats: &LbStats) -> Option<u32> {
        let Self { all, subsets } = self;
        let Some(SubsetTurns { subsets, turns }) = subsets else {
            return all.choose(pick, hosts, stats);
        };
        let mut choose_of = |subset| match subset {
            Subset::Any => all.choose(pick, hosts, stats),
            Subset::Plan(index) => turns[index as usize].choose(pick, hosts, stats),
            Subset::Host(host) => Some(host),
        };
        subsets.choose(pick.criteria, &mut choose_of, stats)
    }
}

impl SubsetTurns {
    fn new(subsets: Arc<Subsets>, before: Option<&Self>, hosts: &impl Hosts) -> Self {
        let plans = subsets.plans_since(before.map(|before| &*before.subsets));
        let turns = plans.into_iter().map(|(plan, at)| {
            let before = before.zip(at).and_then(|(before, at)| before.turns.get(at));
            Turns::new(plan.clone(), before, hosts)
        });
        let turns = turns.collect();
        Self { subsets, turns }
    }
}

/// A plan and a worker's place in it.
#[derive(Debug)]
struct Turns {
    plan: Arc<Plan>,
    /// By source.
    places: Box<[Place]>,
    /// By priority, for healthy and degraded hosts; empty where localities have no weights.
    localities: Box<[[EdfSchedule; 2]]>,
}

/// Where a worker is among the hosts of a source.
#[derive(Debug, Default)]
struct Place {
    next: usize,
    /// Where weights differ or hosts are in slow start.
    schedule: Option<EdfSchedule>,
}

impl Turns {
    fn new(plan: Arc<Plan>, before: Option<&Self>, hosts: &impl Hosts) -> Self {
        let seed = hosts.random() as usize;
        let places = plan.sources.iter().enumerate().map(|(index, source)| {
            let before = before.and_then(|before| before.places.get(index));
            let next = before.map_or(seed, |place| place.next);
            let needs_schedule = needs_schedule(&plan.policy, source, hosts);
            let schedule = needs_schedule.then(|| schedule(&plan.policy, source, next, hosts));
            Place { next, schedule }
        });
        Self { places: places.collect(), localities: locality_schedules(&plan, seed), plan }
    }

    fn choose(&mut self, pick: &Pick<'_>, hosts: &impl Hosts, stats: &LbStats) -> Option<u32> {
        let Self { plan, places, localities } = self;
        let load = pick.load.unwrap_or(&plan.distribution.load);
        if plan.policy.hashes() {
            let hash = pick.hash.unwrap_or_else(|| hosts.random());
            let (priority, _) = load.choose(hash);
            if plan.distribution.panic[priority] {
                stats.lb_healthy_panic.inc();
            }
            return plan.levels[priority].table.as_ref()?.choose(hash, pick.attempt, hosts);
        }
        let random = hosts.random();
        let index = choose_source(plan, localities, load.choose(random), hosts, stats)?;
        let (source, place) = (&plan.sources[index], &mut places[index]);
        let at = match (&plan.policy, &mut place.schedule) {
            (LbPolicy::Random, _) => nth(random, source),
            (policy, Some(schedule)) => {
                schedule.pick(|at| weight(policy, source, at as usize, hosts)).map(|at| at as usize)
            }
            (policy, None) => pick_equal(policy, source, &mut place.next, hosts),
        };
        Some(source.hosts[at?])
    }
}

/// The number of the source to choose from.
fn choose_source(
    plan: &Plan,
    schedules: &mut [[EdfSchedule; 2]],
    (priority, availability): (usize, Availability),
    hosts: &impl Hosts,
    stats: &LbStats,
) -> Option<usize> {
    let (level, zone) = (&plan.levels[priority], &plan.zone);
    if plan.distribution.panic[priority] {
        stats.lb_healthy_panic.inc();
        return (!zone.fail_traffic_on_panic).then_some(level.all);
    }
    let anywhere = level.source(availability);
    let Some(localities) = &level.localities else { return Some(anywhere) };
    let locality = match &localities.choice {
        LocalityChoice::Weighted(weights) => {
            let weights = &weights[availability as usize];
            let schedule = &mut schedules[priority][availability as usize];
            schedule.pick(|at| weights[at as usize]).map(|at| at as usize)
        }
        LocalityChoice::Zone(_) if hosts.random() % 100 >= u64::from(zone.routing_enabled) => None,
        LocalityChoice::Zone(_) if zone.local_panic => {
            stats.lb_local_cluster_not_ok.inc();
            if zone.fail_traffic_on_panic {
                return None;
            }
            None
        }
        LocalityChoice::Zone(routing) => Some(routing.choose(|| hosts.random(), stats)),
    };
    Some(locality.map_or(anywhere, |at| localities.sources[at][availability as usize]))
}

fn locality_schedules(plan: &Plan, seed: usize) -> Box<[[EdfSchedule; 2]]> {
    let localities = plan.levels.iter().filter_map(|level| level.localities.as_ref());
    let weights = localities.filter_map(|localities| match &localities.choice {
        LocalityChoice::Weighted(weights) => Some(weights),
        LocalityChoice::Zone(_) => None,
    });
    let schedule = |weights: &[f64]| {
        let mut schedule = EdfSchedule::new(weights.iter().copied());
        for _ in 0..seed.checked_rem(weights.len()).unwrap_or(0) {
            schedule.pick(|at| weights[at as usize]);
        }
        schedule
    };
    weights.map(|weights| weights.each_ref().map(|weights| schedule(weights))).collect()
}

fn needs_schedule(policy: &LbPolicy, source: &Source, hosts: &impl Hosts) -> bool {
    let slow_start = match policy {
        LbPolicy::RoundRobin(slow_start) | LbPolicy::LeastRequest(_, slow_start) => slow_start,
        _ => return false,
    };
    let is_slow =
        |slow: &SlowStart| source.hosts.iter().any(|host| hosts.healthy_for(*host) < slow.window);
    source.hosts.len() > 1 && (source.weights.is_some() || slow_start.as_ref().is_some_and(is_slow))
}

/// A schedule that begins anywhere, by `seed`.
fn schedule(policy: &LbPolicy, source: &Source, seed: usize, hosts: &impl Hosts) -> EdfSchedule {
    let weights = (0..source.hosts.len()).map(|at| weight(policy, source, at, hosts));
    EdfSchedule::begun(&weights.collect::<Vec<_>>(), seed)
}

/// What the host at `at` of a source weighs now.
fn weight(policy: &LbPolicy, source: &Source, at: usize, hosts: &impl Hosts) -> f64 {
    let host = source.hosts[at];
    let weight = source.weights.as_ref().map_or(1.0, |weights| f64::from(weights[at]));
    match policy {
        LbPolicy::RoundRobin(slow) => weight * slow_start_factor(slow.as_ref(), host, hosts),
        LbPolicy::LeastRequest(config, slow) => {
            // Counts of requests are far below 2^53.
            let requests = (hosts.active_requests(host) + 1) as f64;
            let bias = requests.powf(config.active_request_bias);
            weight / bias * slow_start_factor(slow.as_ref(), host, hosts)
        }
        LbPolicy::Random | LbPolicy::RingHash(..) | LbPolicy::Maglev(..) => weight,
    }
}

fn slow_start_factor(slow: Option<&SlowStart>, host: u32, hosts: &impl Hosts) -> f64 {
    let Some(slow) = slow else { return 1.0 };
    let healthy_for = hosts.healthy_for(host).max(Duration::from_millis(1));
    if healthy_for >= slow.window {
        return 1.0;
    }
    let grown = healthy_for.div_duration_f64(slow.window).powf(1.0 / slow.aggression);
    grown.max(slow.min_weight_percent / 100.0)
}

fn nth(number: u64, source: &Source) -> Option<usize> {
    // Less than the number of hosts.
    number.checked_rem(source.hosts.len() as u64).map(|at| at as usize)
}

/// Among hosts of equal weight.
fn pick_equal(
    policy: &LbPolicy,
    source: &Source,
    next: &mut usize,
    hosts: &impl Hosts,
) -> Option<usize> {
    if let LbPolicy::LeastRequest(config, _) = policy {
        return least_requests(config, source, hosts);
    }
    let at = next.checked_rem(source.hosts.len())?;
    *next = next.wrapping_add(1);
    Some(at)
}

/// The host with the fewest requests of some that chance names, or of all. Of equals the first that
/// was named stays; of all, chance decides.
fn least_requests(config: &LeastRequest, source: &Source, hosts: &impl Hosts) -> Option<usize> {
    let requests = |at: usize| hosts.active_requests(source.hosts[at]);
    if config.full_scan {
        let offset = nth(hosts.random(), source)?;
        let all = (offset..source.hosts.len()).chain(0..offset);
        return all.min_by_key(|at| requests(*at));
    }
    let mut best = nth(hosts.random(), source)?;
    for _ in 1..config.choice_count {
        let other = nth(hosts.random(), source)?;
        if requests(other) < requests(best) {
            best = other;
        }
    }
    Some(best)
}
