//! Picks against what the policies promise: seeded, so that every run sees the same ones.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngCore, SeedableRng};
use ringmain_config::cluster::{
    ConsistentHashing, HashFunction, LbPolicy, LeastRequest, LoadAssignment, LoadBalancing,
    LocalityLbConfig, LocalityLbEndpoints, Maglev, RingHash, SlowStart,
};
use ringmain_config::fraction::Fraction;

use super::member::tests::{member, zone};
use super::{Balancer, Health, Hosts, LbStats, Member, Pick, Plan, PlanContext, TableSizes};

const ROUND_ROBIN: LbPolicy = LbPolicy::RoundRobin(None);

/// Hosts that a test knows everything about.
struct Known {
    random: RefCell<SmallRng>,
    active: Vec<u64>,
    healthy_for: Vec<Duration>,
}

impl Known {
    fn new(seed: u64) -> Self {
        let random = RefCell::new(SmallRng::seed_from_u64(seed));
        Self { random, active: Vec::new(), healthy_for: Vec::new() }
    }
}

impl Hosts for Known {
    fn random(&self) -> u64 {
        self.random.borrow_mut().next_u64()
    }

    fn active_requests(&self, host: u32) -> u64 {
        self.active.get(host as usize).copied().unwrap_or(0)
    }

    fn all_active_requests(&self) -> u64 {
        self.active.iter().sum()
    }

    fn healthy_for(&self, host: u32) -> Duration {
        self.healthy_for.get(host as usize).copied().unwrap_or(Duration::MAX)
    }
}

fn assignment(localities: &[(&str, u32)]) -> LoadAssignment {
    let of_zone = |(name, weight): &(&str, u32)| LocalityLbEndpoints {
        locality: zone(name).clone(),
        priority: 0,
        load_balancing_weight: *weight,
        lb_endpoints: Vec::new(),
    };
    LoadAssignment {
        endpoints: localities.iter().map(of_zone).collect(),
        overprovisioning_factor: 140,
        drop_overload: Fraction::NONE,
        weighted_priority_health: false,
    }
}

fn plan_by(members: &[Member<'_>], config: &LoadBalancing, assignment: &LoadAssignment) -> Plan {
    let stats = LbStats::default();
    let context = PlanContext { config, assignment, here: None, local: None, stats: &stats };
    Plan::new(members, &context)
}

fn plan(members: &[Member<'_>], policy: LbPolicy) -> Plan {
    let config = LoadBalancing { policy, ..LoadBalancing::default() };
    plan_by(members, &config, &assignment(&[]))
}

/// How often each of `members` is picked of `count` times.
fn counts(plan: Plan, members: usize, count: usize, hosts: &Known) -> Vec<u32> {
    let mut balancer = Balancer::new(Arc::new(plan), None, hosts);
    let stats = LbStats::default();
    let mut counts = vec![0; members];
    for _ in 0..count {
        let host = balancer.choose(&Pick::default(), hosts, &stats).expect("a host");
        counts[host as usize] += 1;
    }
    counts
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|index| format!("10.0.{}.{}:80", index / 250, index % 250)).collect()
}

fn equal(names: &[String]) -> Vec<Member<'_>> {
    names.iter().map(|name| member(name)).collect()
}

#[test]
fn equal_hosts_take_turns_from_anywhere() {
    let names = names(3);
    let plan = Arc::new(plan(&equal(&names), ROUND_ROBIN));
    let mut firsts = [0; 3];
    for seed in 0..60 {
        let hosts = Known::new(seed);
        let mut balancer = Balancer::new(plan.clone(), None, &hosts);
        let stats = LbStats::default();
        let mut pick = || balancer.choose(&Pick::default(), &hosts, &stats).expect("a host");
        let picks: Vec<u32> = (0..6).map(|_| pick()).collect();
        assert_eq!(picks[..3], picks[3..]);
        let mut sorted = picks[..3].to_vec();
        sorted.sort_unstable();
        assert_eq!(sorted, [0, 1, 2]);
        firsts[picks[0] as usize] += 1;
    }
    assert!(firsts.iter().all(|count| *count > 8), "{firsts:?}");
}

#[test]
fn weights_share_out_exactly() {
    let weighted = |weight, name| Member { weight, ..member(name) };
    let members = [weighted(1, "a"), weighted(2, "b"), weighted(5, "c")];
    assert_eq!(counts(plan(&members, ROUND_ROBIN), 3, 800, &Known::new(1)), [100, 200, 500]);
}

#[test]
fn a_place_in_the_turn_outlives_a_change() {
    let names = names(4);
    let hosts = Known::new(2);
    let stats = LbStats::default();
    let first = Arc::new(plan(&equal(&names), ROUND_ROBIN));
    let mut balancer = Balancer::new(first.clone(), None, &hosts);
    let one = balancer.choose(&Pick::default(), &hosts, &stats).expect("a host");
    let mut next = Balancer::new(first, Some(&balancer), &hosts);
    let other = next.choose(&Pick::default(), &hosts, &stats).expect("a host");
    assert_eq!(other, (one + 1) % 4);
}

#[test]
fn chance_is_even() {
    let names = names(10);
    let counts = counts(plan(&equal(&names), LbPolicy::Random), 10, 10_000, &Known::new(3));
    assert!(counts.iter().all(|count| count.abs_diff(1000) < 150), "{counts:?}");
}

#[test]
fn the_less_busy_of_two_is_taken() {
    let names = names(4);
    let mut hosts = Known::new(4);
    hosts.active = vec![9, 9, 9, 0];
    let policy = LbPolicy::LeastRequest(LeastRequest::default(), None);
    let found = counts(plan(&equal(&names), policy), 4, 4000, &hosts);
    // It is taken unless chance names it neither time: 1 - (3/4)^2.
    assert!(found[3].abs_diff(1750) < 150, "{found:?}");
    let full_scan = LeastRequest { full_scan: true, ..LeastRequest::default() };
    let policy = LbPolicy::LeastRequest(full_scan, None);
    assert_eq!(counts(plan(&equal(&names), policy), 4, 100, &hosts), [0, 0, 0, 100]);
}

#[test]
fn requests_weigh_against_weights() {
    let members = [Member { weight: 4, ..member("a") }, member("b")];
    let mut hosts = Known::new(5);
    hosts.active = vec![1, 0];
    let policy = |active_request_bias| {
        let config = LeastRequest { active_request_bias, ..LeastRequest::default() };
        LbPolicy::LeastRequest(config, None)
    };
    assert_eq!(counts(plan(&members, policy(1.0)), 2, 300, &hosts), [200, 100]);
    assert_eq!(counts(plan(&members, policy(0.0)), 2, 300, &hosts), [240, 60]);
}

#[test]
fn a_new_host_starts_slowly() {
    let members = [member("a"), member("b")];
    let slow =
        SlowStart { window: Duration::from_secs(100), aggression: 1.0, min_weight_percent: 10.0 };
    let share = |seconds, aggression| {
        let mut hosts = Known::new(6);
        hosts.healthy_for = vec![Duration::from_secs(1000), Duration::from_secs(seconds)];
        let policy = LbPolicy::RoundRobin(Some(SlowStart { aggression, ..slow }));
        counts(plan(&members, policy), 2, 1100, &hosts)[1]
    };
    assert_eq!(share(1, 1.0), 100);
    assert!(share(50, 1.0).abs_diff(1100 / 3) <= 1);
    assert!(share(25, 2.0).abs_diff(1100 / 3) <= 1);
    assert_eq!(share(100, 1.0), 550);
}

#[test]
fn load_spills_to_the_next_priority_and_to_degraded_hosts() {
    let names = names(4);
    let mut members = equal(&names);
    members[1].health = Health::Unhealthy;
    (members[2].priority, members[3].priority) = (1, 1);
    let found = counts(plan(&members, ROUND_ROBIN), 4, 10_000, &Known::new(7));
    assert!(found[0].abs_diff(7000) < 200 && found[1] == 0, "{found:?}");
    assert!(found[2].abs_diff(found[3]) <= 1, "{found:?}");
    members[2].health = Health::Degraded;
    members[3].health = Health::Unhealthy;
    let found = counts(plan(&members, ROUND_ROBIN), 4, 10_000, &Known::new(8));
    assert!(found[2].abs_diff(3000) < 200 && found[3] == 0, "{found:?}");
}

#[test]
fn in_panic_all_hosts_are_asked() {
    let names = names(4);
    let mut members = equal(&names);
    for member in &mut members[1..] {
        member.health = Health::Unhealthy;
    }
    let hosts = Known::new(9);
    let mut balancer = Balancer::new(Arc::new(plan(&members, ROUND_ROBIN)), None, &hosts);
    let stats = LbStats::default();
    let mut seen: Vec<_> =
        (0..4).map(|_| balancer.choose(&Pick::default(), &hosts, &stats)).collect();
    seen.sort_unstable();
    assert_eq!(seen, [Some(0), Some(1), Some(2), Some(3)]);
    assert_eq!(stats.lb_healthy_panic.value(), 4);

    let config = LoadBalancing { healthy_panic_threshold: 0, ..LoadBalancing::default() };
    members[0].health = Health::Unhealthy;
    let without = plan_by(&members, &config, &assignment(&[]));
    let mut balancer = Balancer::new(Arc::new(without), None, &hosts);
    assert_eq!(balancer.choose(&Pick::default(), &hosts, &stats), None);
    assert_eq!(stats.lb_healthy_panic.value(), 4);
}

#[test]
fn localities_are_chosen_by_weight_and_health() {
    let names = names(4);
    let mut members = equal(&names);
    for (member, name) in members.iter_mut().zip(["a", "a", "b", "b"]) {
        member.locality = zone(name);
    }
    let config =
        LoadBalancing { locality: LocalityLbConfig::LocalityWeighted, ..LoadBalancing::default() };
    let assignment = assignment(&[("a", 1), ("b", 3)]);
    let found = |members: &[Member<'_>]| {
        counts(plan_by(members, &config, &assignment), 4, 4000, &Known::new(10))
    };
    assert_eq!(found(&members), [500, 500, 1500, 1500]);
    // Half of b is 70 % of it with overprovisioning: 1 to 2.1.
    members[3].health = Health::Unhealthy;
    let found = found(&members);
    assert!(found[2].abs_diff(4000 * 21 / 31) <= 2 && found[3] == 0, "{found:?}");
}

fn hashing(balance: Option<u32>) -> ConsistentHashing {
    ConsistentHashing { hash_balance_factor: balance, ..ConsistentHashing::default() }
}

fn ring(balance: Option<u32>) -> LbPolicy {
    let config = RingHash {
        hash_function: HashFunction::XxHash,
        minimum_ring_size: 100_000,
        maximum_ring_size: 8 << 20,
    };
    LbPolicy::RingHash(config, hashing(balance))
}

fn maglev(balance: Option<u32>) -> LbPolicy {
    LbPolicy::Maglev(Maglev { table_size: 65_537 }, hashing(balance))
}

/// Whom each of many hashes goes to, by name.
fn owners(names: &[String], policy: LbPolicy) -> Vec<String> {
    let (hosts, stats) = (Known::new(11), LbStats::default());
    let mut balancer = Balancer::new(Arc::new(plan(&equal(names), policy)), None, &hosts);
    let mut owner = |hash| {
        let pick = Pick { hash: Some(hash), ..Pick::default() };
        let host = balancer.choose(&pick, &hosts, &stats).expect("a host");
        names[host as usize].clone()
    };
    let mut random = SmallRng::seed_from_u64(12);
    (0..20_000).map(|_| owner(random.next_u64())).collect()
}

#[test]
fn a_host_that_leaves_moves_few_hashes_of_others() {
    for policy in [ring(None), maglev(None)] {
        let all = names(20);
        let before = owners(&all, policy.clone());
        let mut shares: HashMap<&str, u32> = HashMap::new();
        before.iter().for_each(|owner| *shares.entry(owner).or_default() += 1);
        assert!(shares.values().all(|share| share.abs_diff(1000) < 200), "{shares:?}");

        let mut fewer = all.clone();
        let gone = fewer.remove(7);
        fewer.reverse();
        let after = owners(&fewer, policy);
        let moved = before.iter().zip(&after).filter(|(before, after)| before != after);
        let others = moved.filter(|(before, _)| **before != gone).count();
        // A ring fills up again with points of the others, a table with their places.
        assert!(others <= 20_000 / 20, "{others}");
    }
}

#[test]
fn tables_follow_weights() {
    for policy in [ring(None), maglev(None)] {
        let members = [Member { weight: 3, ..member("a:1") }, member("b:1")];
        let plan = plan(&members, policy);
        let TableSizes { size, bounds: (min, max) } = plan.table_sizes().next().expect("a table");
        assert!([100_000, 65_537].contains(&size));
        assert!((3 * min).abs_diff(max) <= 3, "{min} {max}");
    }
}

#[test]
fn a_host_that_is_not_wanted_is_passed_over() {
    for policy in [ring(None), maglev(None)] {
        let names = names(10);
        let (hosts, stats) = (Known::new(13), LbStats::default());
        let mut balancer = Balancer::new(Arc::new(plan(&equal(&names), policy)), None, &hosts);
        let mut chosen: Vec<_> = (0..30)
            .map(|attempt| {
                let pick = Pick { hash: Some(77), attempt, ..Pick::default() };
                balancer.choose(&pick, &hosts, &stats)
            })
            .collect();
        chosen.sort_unstable();
        chosen.dedup();
        assert!(chosen.len() > 5, "{chosen:?}");
    }
}

#[test]
fn a_full_host_passes_its_hashes_on_and_always_to_the_same() {
    for policy in [ring(Some(120)), maglev(Some(120))] {
        let names = names(4);
        let mut hosts = Known::new(14);
        let stats = LbStats::default();
        let mut balancer = Balancer::new(Arc::new(plan(&equal(&names), policy)), None, &hosts);
        let pick = Pick { hash: Some(5), ..Pick::default() };
        hosts.active = vec![1; 4];
        let home = balancer.choose(&pick, &hosts, &stats).expect("a host");
        hosts.active[home as usize] = 10;
        let other = balancer.choose(&pick, &hosts, &stats).expect("a host");
        assert_ne!(home, other);
        assert_eq!(balancer.choose(&pick, &hosts, &stats), Some(other));
    }
}

#[test]
fn without_hosts_nobody_is_chosen() {
    for policy in [ROUND_ROBIN, LbPolicy::Random, ring(None), maglev(None)] {
        let (hosts, stats) = (Known::new(15), LbStats::default());
        let mut balancer = Balancer::new(Arc::new(plan(&[], policy)), None, &hosts);
        assert_eq!(balancer.choose(&Pick::default(), &hosts, &stats), None);
    }
    let hosts = Known::new(16);
    let mut balancer = Balancer::new(Arc::default(), None, &hosts);
    assert_eq!(balancer.choose(&Pick::default(), &hosts, &LbStats::default()), None);
}
