//! What a balancer is told of a host.

use std::collections::BTreeMap;

use ringmain_config::locality::Locality;
use serde_json::Value;

/// Whether a host takes requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Health {
    /// It does.
    #[default]
    Healthy,
    /// It does where healthy hosts do not suffice.
    Degraded,
    /// It does in panic only.
    Unhealthy,
}

/// A host as balancers see it. Its index in the list of members stands for it everywhere.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    /// `priority`: 0 is asked first.
    pub priority: u32,
    /// Where it runs.
    pub locality: &'a Locality,
    /// `load_balancing_weight`, at least 1.
    pub weight: u32,
    /// Whether it takes requests.
    pub health: Health,
    /// Whether it counts neither for nor against the health of its priority: nothing is known of it
    /// yet, or it is on its way out.
    pub excluded: bool,
    /// What consistent hashing knows it by: `hash_key` of its metadata, its hostname or its address.
    pub hash_key: &'a str,
    /// Its `envoy.lb` metadata, which say what subsets it is in.
    pub metadata: &'a BTreeMap<String, Value>,
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    static NO_METADATA: BTreeMap<String, Value> = BTreeMap::new();

    /// A locality of that zone; kept for good, as tests may.
    pub fn zone(zone: &str) -> &'static Locality {
        Box::leak(Box::new(Locality { zone: zone.to_owned(), ..Locality::default() }))
    }

    /// A healthy host of weight 1 in priority 0.
    pub fn member(hash_key: &str) -> Member<'_> {
        Member {
            priority: 0,
            locality: zone(""),
            weight: 1,
            health: Health::Healthy,
            excluded: false,
            hash_key,
            metadata: &NO_METADATA,
        }
    }
}
