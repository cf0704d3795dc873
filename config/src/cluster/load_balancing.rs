//! How a cluster's hosts are chosen: `lb_policy` with its options and `common_lb_config`, or the
//! first of `load_balancing_policy`.

mod legacy;
mod subset;
mod typed;

use std::time::Duration;

use envoy_types::pb::envoy::config::cluster::v3 as wire;
use envoy_types::pb::envoy::config::core::v3::RuntimeDouble;
use envoy_types::pb::envoy::r#type::v3::Percent;

pub use self::subset::{FallbackPolicy, LbSubsetConfig, LbSubsetSelector, SelectorFallback};
use crate::report::{At, Note};
use crate::runtime;

const HEALTHY_PANIC_THRESHOLD: u32 = 50;
const MIN_CLUSTER_SIZE: u64 = 6;
const MINIMUM_RING_SIZE: u64 = 1024;
const MAXIMUM_RING_SIZE: u64 = 8 * 1024 * 1024;
const TABLE_SIZE: u64 = 65_537;
const CHOICE_COUNT: u32 = 2;
const AGGRESSION: f64 = 1.0;
const MIN_WEIGHT_PERCENT: f64 = 10.0;

/// How a cluster's hosts are chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadBalancing {
    /// `lb_policy` and its options.
    pub policy: LbPolicy,
    /// `lb_subset_config` or the extension `subset`.
    pub subset: Option<LbSubsetConfig>,
    /// `healthy_panic_threshold` in whole percent, default 50; 0 is off. The runtime key
    /// `upstream.healthy_panic_threshold` goes before it.
    pub healthy_panic_threshold: u32,
    /// `zone_aware_lb_config` or `locality_weighted_lb_config`.
    pub locality: LocalityLbConfig,
}

/// `lb_policy`.
#[derive(Debug, Clone, PartialEq)]
pub enum LbPolicy {
    /// `ROUND_ROBIN`.
    RoundRobin(Option<SlowStart>),
    /// `LEAST_REQUEST`.
    LeastRequest(LeastRequest, Option<SlowStart>),
    /// `RANDOM`.
    Random,
    /// `RING_HASH`.
    RingHash(RingHash, ConsistentHashing),
    /// `MAGLEV`.
    Maglev(Maglev, ConsistentHashing),
}

/// `LeastRequestLbConfig`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LeastRequest {
    /// `choice_count`, default 2: of so many hosts, chosen at random, the one with the fewest
    /// requests is taken.
    pub choice_count: u32,
    /// `active_request_bias`, default 1: how much requests weigh against weights, where those differ.
    pub active_request_bias: f64,
    /// `selection_method: FULL_SCAN` or `enable_full_scan`: all hosts are looked at.
    pub full_scan: bool,
}

impl Default for LeastRequest {
    fn default() -> Self {
        Self { choice_count: CHOICE_COUNT, active_request_bias: 1.0, full_scan: false }
    }
}

/// `SlowStartConfig`: a host that has become healthy gets its share of requests step by step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SlowStart {
    /// `slow_start_window`.
    pub window: Duration,
    /// `aggression`, above 0, default 1: how the share grows; 1 is evenly.
    pub aggression: f64,
    /// `min_weight_percent`, default 10: the least share.
    pub min_weight_percent: f64,
}

/// `RingHashLbConfig`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RingHash {
    /// `hash_function`.
    pub hash_function: HashFunction,
    /// `minimum_ring_size`, default 1024 entries.
    pub minimum_ring_size: u64,
    /// `maximum_ring_size`, default 8 Mi entries.
    pub maximum_ring_size: u64,
}

/// `RingHashLbConfig.HashFunction`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashFunction {
    /// `XX_HASH`.
    XxHash,
    /// `MURMUR_HASH_2`.
    MurmurHash2,
}

/// `MaglevLbConfig`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Maglev {
    /// `table_size`, a prime, default 65537.
    pub table_size: u64,
}

/// `ConsistentHashingLbConfig`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ConsistentHashing {
    /// `use_hostname_for_hashing`, default false: hosts are known by their address.
    pub use_hostname_for_hashing: bool,
    /// `hash_balance_factor`, at least 100: the most requests that a host has at once, in percent of
    /// the average. Absent means no limit.
    pub hash_balance_factor: Option<u32>,
}

/// Whether and how localities matter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LocalityLbConfig {
    /// `zone_aware_lb_config`, which is the default too.
    ZoneAware(ZoneAwareLbConfig),
    /// `locality_weighted_lb_config`.
    LocalityWeighted,
}

/// `ZoneAwareLbConfig`. Without effect unless `cluster_manager.local_cluster_name` is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZoneAwareLbConfig {
    /// `routing_enabled` in whole percent, default 100. The runtime key `upstream.zone_routing.enabled` goes before
    /// it.
    pub routing_enabled: u32,
    /// `min_cluster_size`, default 6 healthy hosts. The runtime key `upstream.zone_routing.min_cluster_size` goes
    /// before it.
    pub min_cluster_size: u64,
    /// `fail_traffic_on_panic`, default false.
    pub fail_traffic_on_panic: bool,
    /// `force_locality_direct_routing`, default false.
    pub force_locality_direct_routing: bool,
}

impl Default for ZoneAwareLbConfig {
    fn default() -> Self {
        Self {
            routing_enabled: 100,
            min_cluster_size: MIN_CLUSTER_SIZE,
            fail_traffic_on_panic: false,
            force_locality_direct_routing: false,
        }
    }
}

impl LoadBalancing {
    /// Whether the next choices can be told ahead, as `predictive_preconnect_ratio` needs it.
    pub fn is_predictable(&self) -> bool {
        matches!(self.policy, LbPolicy::RoundRobin(_) | LbPolicy::Random) && self.subset.is_none()
    }
}

impl LbPolicy {
    /// Whether hosts are chosen by a hash of the request.
    pub fn hashes(&self) -> bool {
        matches!(self, Self::RingHash(..) | Self::Maglev(..))
    }

    /// Whether hosts are known by their name rather than their address.
    pub fn hashes_hostnames(&self) -> bool {
        match self {
            Self::RingHash(_, hashing) | Self::Maglev(_, hashing) => {
                hashing.use_hostname_for_hashing
            }
            Self::RoundRobin(_) | Self::LeastRequest(..) | Self::Random => false,
        }
    }
}

impl Default for LocalityLbConfig {
    fn default() -> Self {
        Self::ZoneAware(ZoneAwareLbConfig::default())
    }
}

impl Default for LoadBalancing {
    fn default() -> Self {
        Self {
            policy: LbPolicy::RoundRobin(None),
            subset: None,
            healthy_panic_threshold: HEALTHY_PANIC_THRESHOLD,
            locality: LocalityLbConfig::default(),
        }
    }
}

impl LoadBalancing {
    pub(super) fn from_wire(wire: &wire::Cluster, at: &At<'_>) -> Self {
        let common = wire.common_lb_config.clone().unwrap_or_default();
        let chosen = match &wire.load_balancing_policy {
            Some(policy) => {
                if wire.lb_subset_config.is_some() {
                    at.field("lb_subset_config").error_at_key(
                        Note::from("it has no meaning beside load_balancing_policy")
                            .help("use the Subset policy within 'load_balancing_policy'"),
                    );
                }
                typed::load_balancing(policy, &at.field("load_balancing_policy"))
            }
            None => legacy::load_balancing(wire, &common, at),
        };
        let of_runtime = |key| at.runtime().integer_u32(key);
        let mut locality = chosen.locality;
        if let LocalityLbConfig::ZoneAware(zones) = &mut locality {
            if let Some(percent) = of_runtime("upstream.zone_routing.enabled") {
                zones.routing_enabled = percent.min(100);
            }
            if let Some(size) = of_runtime("upstream.zone_routing.min_cluster_size") {
                zones.min_cluster_size = size.into();
            }
        }
        let panic_threshold =
            whole_percent(common.healthy_panic_threshold.as_ref(), HEALTHY_PANIC_THRESHOLD);
        Self {
            healthy_panic_threshold: of_runtime("upstream.healthy_panic_threshold")
                .map_or(panic_threshold, |percent| percent.min(100)),
            locality,
            ..chosen
        }
    }

    /// Whether localities have weights that count.
    pub fn is_locality_weighted(&self) -> bool {
        self.locality == LocalityLbConfig::LocalityWeighted
    }
}

/// Rounded, as Envoy does; the field rules have seen to it that it is 100 at most.
fn whole_percent(wire: Option<&Percent>, default: u32) -> u32 {
    // Saturates, and is small.
    wire.map_or(default, |percent| percent.value.round() as u32)
}

fn aggression(wire: Option<&RuntimeDouble>, at: &At<'_>) -> f64 {
    let aggression = runtime::double(wire, AGGRESSION, at);
    // As in Envoy. The field rules look at the default value only.
    if aggression > 0.0 { aggression } else { AGGRESSION }
}

/// The table is walked in steps of any size, which reach every place only if its size is prime.
fn maglev(table_size: Option<u64>, at: &At<'_>) -> Maglev {
    let table_size = table_size.unwrap_or(TABLE_SIZE);
    if !is_prime(table_size) {
        at.field("table_size").error(
            Note::from(format!("{table_size} is no prime number"))
                .help("such are 251, 2039, 65537"),
        );
    }
    Maglev { table_size }
}

fn is_prime(number: u64) -> bool {
    let divisors = (2..).take_while(|divisor| divisor * divisor <= number);
    number >= 2 && divisors.into_iter().all(|divisor| !number.is_multiple_of(divisor))
}

fn ring_hash(
    hash_function: HashFunction,
    minimum: Option<u64>,
    maximum: Option<u64>,
    at: &At<'_>,
) -> RingHash {
    let minimum_ring_size = minimum.unwrap_or(MINIMUM_RING_SIZE);
    let maximum_ring_size = maximum.unwrap_or(MAXIMUM_RING_SIZE);
    if minimum_ring_size > maximum_ring_size {
        at.error(
            Note::from(format!(
                "minimum_ring_size ({minimum_ring_size}) exceeds maximum_ring_size \
             ({maximum_ring_size})"
            ))
            .help("lower 'minimum_ring_size' or raise 'maximum_ring_size'"),
        );
    }
    RingHash { hash_function, minimum_ring_size, maximum_ring_size }
}

/// The least share, where the file says nothing of it.
fn min_weight_percent(wire: Option<&Percent>) -> f64 {
    wire.map_or(MIN_WEIGHT_PERCENT, |percent| percent.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primes() {
        let primes: Vec<u64> = (0..30).filter(|number| is_prime(*number)).collect();
        assert_eq!(primes, [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]);
        assert!(is_prime(65_537) && is_prime(5_000_011) && !is_prime(65_537 * 3));
    }
}
