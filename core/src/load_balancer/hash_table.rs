//! Consistent hashing: the same hash goes to the same host, and most hashes still do when hosts come
//! and go. Tables are built on the control thread, long before a request asks.

use std::sync::Arc;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use ringmain_config::cluster::{ConsistentHashing, LbPolicy};

use super::Hosts;
use super::maglev::MaglevTable;
use super::ring_hash::Ring;

/// A host in a table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WeightedHost<'a> {
    /// Its index among the members.
    pub index: u32,
    /// What it is known by.
    pub hash_key: &'a str,
    /// Its share of all requests; the shares add up to 1.
    pub weight: f64,
}

/// The hosts of a priority by hash.
#[derive(Debug)]
pub struct HashTable {
    kind: Kind,
    bounded: Option<Bounds>,
}

/// `hash_balance_factor`: how many requests each host may have.
#[derive(Debug)]
struct Bounds {
    /// In percent of the average.
    factor: u32,
    /// Each host with its share of all requests, by index.
    shares: Box<[(u32, f64)]>,
}

#[derive(Debug)]
enum Kind {
    Ring(Ring),
    Maglev(MaglevTable),
}

/// What a table tells of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TableSizes {
    /// Its entries.
    pub size: u64,
    /// The fewest and the most entries of a host.
    pub bounds: (u64, u64),
}

impl HashTable {
    /// The table that `policy` wants of `hosts`; none without hosts or where it wants none.
    pub fn new(policy: &LbPolicy, hosts: &[WeightedHost<'_>]) -> Option<Arc<Self>> {
        if hosts.is_empty() {
            return None;
        }
        let (kind, hashing) = match policy {
            LbPolicy::RingHash(config, hashing) => (Kind::Ring(Ring::new(hosts, config)), hashing),
            LbPolicy::Maglev(config, hashing) => {
                (Kind::Maglev(MaglevTable::new(hosts, config)), hashing)
            }
            LbPolicy::RoundRobin(_) | LbPolicy::LeastRequest(..) | LbPolicy::Random => return None,
        };
        Some(Arc::new(Self { kind, bounded: Bounds::new(hashing, hosts) }))
    }

    /// How large it is.
    pub fn sizes(&self) -> TableSizes {
        let (size, bounds) = match &self.kind {
            Kind::Ring(ring) => (ring.len(), ring.hashes_per_host),
            Kind::Maglev(table) => (table.len(), table.entries_per_host),
        };
        TableSizes { size: size as u64, bounds }
    }

    /// The host for `hash`; with each further `attempt` perhaps another one.
    pub fn choose(&self, hash: u64, attempt: u32, hosts: &impl Hosts) -> Option<u32> {
        let chosen = match &self.kind {
            Kind::Ring(ring) => ring.choose(hash, attempt)?,
            Kind::Maglev(table) => table.choose(hash, attempt),
        };
        Some(match &self.bounded {
            None => chosen,
            Some(bounds) => bounds.least_loaded(chosen, hash, hosts),
        })
    }
}

/// Other hosts looked at where the chosen one is full, at most.
const LOOKS_MAX: usize = 64;

impl Bounds {
    fn new(hashing: &ConsistentHashing, hosts: &[WeightedHost<'_>]) -> Option<Self> {
        let factor = hashing.hash_balance_factor?;
        let mut shares: Vec<(u32, f64)> =
            hosts.iter().map(|host| (host.index, host.weight)).collect();
        shares.sort_unstable_by_key(|(index, _)| *index);
        Some(Self { factor, shares: shares.into() })
    }

    /// `chosen` unless it has its share of requests already; else another host that has not, in an
    /// order by chance which is always the same for `hash` (Mirrokni et al., arXiv 1608.01350). Where
    /// all that are looked at are full, the least full one.
    fn least_loaded(&self, chosen: u32, hash: u64, hosts: &impl Hosts) -> u32 {
        let Self { factor, shares } = self;
        let slots = ((hosts.all_active_requests() + 1) * u64::from(*factor)).div_ceil(100);
        let load = |host: u32, share: f64| {
            // Counts of requests are far below 2^53.
            hosts.active_requests(host) as f64 / (slots as f64 * share).ceil().max(1.0)
        };
        let share = shares.binary_search_by_key(&chosen, |(index, _)| *index);
        let mut best = (chosen, load(chosen, share.map_or(1.0, |at| shares[at].1)));
        if best.1 <= 1.0 {
            return chosen;
        }
        let mut order = SmallRng::seed_from_u64(hash);
        for _ in 0..LOOKS_MAX {
            let (host, share) = shares[order.random_range(0..shares.len())];
            let other = (host, load(host, share));
            if other.1 <= 1.0 {
                return host;
            }
            if other.1 < best.1 {
                best = other;
            }
        }
        best.0
    }
}
