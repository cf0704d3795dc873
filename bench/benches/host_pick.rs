//! What it costs to choose a host, for one host and for thousands.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion};
use ringmain::load_balancer::{Balancer, Health, Hosts, LbStats, Member, Pick, Plan, PlanContext};
use ringmain::random::Random;
use ringmain_config::cluster::{
    ConsistentHashing, HashFunction, LbPolicy, LeastRequest, LoadAssignment, LoadBalancing, Maglev,
    RingHash,
};
use ringmain_config::fraction::Fraction;
use ringmain_config::locality::Locality;

#[derive(Default)]
struct Idle(Random);

impl Hosts for Idle {
    fn random(&self) -> u64 {
        self.0.next()
    }

    fn active_requests(&self, host: u32) -> u64 {
        u64::from(host % 3)
    }

    fn all_active_requests(&self) -> u64 {
        0
    }

    fn healthy_for(&self, _: u32) -> Duration {
        Duration::MAX
    }
}

fn policies() -> [(&'static str, LbPolicy, bool); 6] {
    let hashing = ConsistentHashing::default();
    let ring = RingHash {
        hash_function: HashFunction::XxHash,
        minimum_ring_size: 1024,
        maximum_ring_size: 8 << 20,
    };
    let maglev = Maglev { table_size: 65_537 };
    [
        ("round_robin", LbPolicy::RoundRobin(None), false),
        ("round_robin_weighted", LbPolicy::RoundRobin(None), true),
        ("least_request", LbPolicy::LeastRequest(LeastRequest::default(), None), false),
        ("random", LbPolicy::Random, false),
        ("ring_hash", LbPolicy::RingHash(ring, hashing), false),
        ("maglev", LbPolicy::Maglev(maglev, hashing), false),
    ]
}

fn balancer(policy: LbPolicy, count: u32, weighted: bool, hosts: &Idle) -> Balancer {
    let (locality, stats) = (Locality::default(), LbStats::default());
    let metadata = BTreeMap::new();
    let names: Vec<String> = (0..count).map(|number| format!("10.0.0.1:{number}")).collect();
    let members: Vec<Member<'_>> = names
        .iter()
        .zip(0_u32..)
        .map(|(name, number)| Member {
            priority: 0,
            locality: &locality,
            weight: if weighted { 1 + number % 5 } else { 1 },
            health: Health::Healthy,
            excluded: false,
            hash_key: name,
            metadata: &metadata,
        })
        .collect();
    let config = LoadBalancing { policy, ..LoadBalancing::default() };
    let assignment = LoadAssignment {
        endpoints: Vec::new(),
        overprovisioning_factor: 140,
        drop_overload: Fraction::NONE,
        weighted_priority_health: false,
    };
    let context = PlanContext {
        config: &config,
        assignment: &assignment,
        here: None,
        local: None,
        stats: &stats,
    };
    Balancer::new(Arc::new(Plan::new(&members, &context)), None, hosts)
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let (hosts, stats) = (Idle::default(), LbStats::default());
    for (name, policy, weighted) in policies() {
        let mut group = criterion.benchmark_group(name);
        for count in [1, 100, 5000] {
            let mut balancer = balancer(policy.clone(), count, weighted, &hosts);
            let id = BenchmarkId::from_parameter(count);
            group.bench_function(id, |bencher| {
                bencher.iter(|| {
                    let pick = Pick { hash: Some(hosts.random()), ..Pick::default() };
                    black_box(balancer.choose(&pick, &hosts, &stats))
                });
            });
        }
    }
    criterion.final_summary();
}
