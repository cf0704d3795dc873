//! `lb_policy` with its options, `lb_subset_config` and `common_lb_config`.

use envoy_types::pb::envoy::config::cluster::v3 as wire;
use wire::cluster::common_lb_config::LocalityConfigSpecifier;
use wire::cluster::ring_hash_lb_config::HashFunction as WireHashFunction;
use wire::cluster::{CommonLbConfig, LbConfig, LbPolicy as WirePolicy, SlowStartConfig};

use super::{
    ConsistentHashing, HashFunction, LbPolicy, LbSubsetConfig, LeastRequest, LoadBalancing,
    LocalityLbConfig, MIN_CLUSTER_SIZE, SlowStart, ZoneAwareLbConfig, aggression, maglev,
    min_weight_percent, ring_hash, whole_percent,
};
use crate::duration;
use crate::report::{At, Note};
use crate::runtime;

pub(super) fn load_balancing(
    wire: &wire::Cluster,
    common: &CommonLbConfig,
    at: &At<'_>,
) -> LoadBalancing {
    let at_subset = at.field("lb_subset_config");
    let chosen = LoadBalancing {
        policy: policy(wire, at),
        locality: locality(common),
        subset: LbSubsetConfig::from_legacy(wire.lb_subset_config.as_ref(), &at_subset),
        ..LoadBalancing::default()
    };
    let is_aware = chosen.subset.as_ref().is_some_and(|subset| subset.locality_weight_aware);
    if is_aware && !chosen.is_locality_weighted() {
        at_subset
            .field("locality_weight_aware")
            .error("'common_lb_config.locality_weighted_lb_config' is required beside it");
    }
    chosen
}

fn policy(wire: &wire::Cluster, at: &At<'_>) -> LbPolicy {
    let hashing = || hashing(wire.common_lb_config.as_ref());
    match (wire.lb_policy(), &wire.lb_config) {
        (WirePolicy::RoundRobin, None) => LbPolicy::RoundRobin(None),
        (WirePolicy::RoundRobin, Some(LbConfig::RoundRobinLbConfig(config))) => {
            let at = at.field("round_robin_lb_config");
            LbPolicy::RoundRobin(slow_start(config.slow_start_config.as_ref(), &at))
        }
        (WirePolicy::LeastRequest, None) => LbPolicy::LeastRequest(LeastRequest::default(), None),
        (WirePolicy::LeastRequest, Some(LbConfig::LeastRequestLbConfig(config))) => {
            let at = at.field("least_request_lb_config");
            LbPolicy::LeastRequest(
                least_request(config, &at),
                slow_start(config.slow_start_config.as_ref(), &at),
            )
        }
        (WirePolicy::Random, None) => LbPolicy::Random,
        (WirePolicy::RingHash, None) => {
            LbPolicy::RingHash(ring_hash(HashFunction::XxHash, None, None, at), hashing())
        }
        (WirePolicy::RingHash, Some(LbConfig::RingHashLbConfig(config))) => {
            let function = match config.hash_function() {
                WireHashFunction::XxHash => HashFunction::XxHash,
                WireHashFunction::MurmurHash2 => HashFunction::MurmurHash2,
            };
            let minimum = config.minimum_ring_size.map(|size| size.value);
            let maximum = config.maximum_ring_size.map(|size| size.value);
            let at = at.field("ring_hash_lb_config");
            LbPolicy::RingHash(ring_hash(function, minimum, maximum, &at), hashing())
        }
        (WirePolicy::Maglev, None) => LbPolicy::Maglev(maglev(None, at), hashing()),
        (WirePolicy::Maglev, Some(LbConfig::MaglevLbConfig(config))) => {
            let table_size = config.table_size.map(|size| size.value);
            LbPolicy::Maglev(maglev(table_size, &at.field("maglev_lb_config")), hashing())
        }
        (WirePolicy::LoadBalancingPolicyConfig, _) => {
            at.field("lb_policy").error("'load_balancing_policy' is required beside it");
            LbPolicy::RoundRobin(None)
        }
        (policy, Some(config)) => {
            at.field(option_name(config)).error_at_key(
                Note::from(format!("it has no meaning beside lb_policy {}", policy.as_str_name()))
                    .help("remove it, or set the 'lb_policy' that it is for"),
            );
            LbPolicy::RoundRobin(None)
        }
        // Refused by the gate.
        (WirePolicy::ClusterProvided, None) => LbPolicy::RoundRobin(None),
    }
}

fn option_name(config: &LbConfig) -> &'static str {
    match config {
        LbConfig::RingHashLbConfig(_) => "ring_hash_lb_config",
        LbConfig::MaglevLbConfig(_) => "maglev_lb_config",
        LbConfig::OriginalDstLbConfig(_) => "original_dst_lb_config",
        LbConfig::LeastRequestLbConfig(_) => "least_request_lb_config",
        LbConfig::RoundRobinLbConfig(_) => "round_robin_lb_config",
    }
}

fn least_request(wire: &wire::cluster::LeastRequestLbConfig, at: &At<'_>) -> LeastRequest {
    let default = LeastRequest::default();
    LeastRequest {
        choice_count: wire.choice_count.map_or(default.choice_count, |count| count.value),
        active_request_bias: runtime::double(
            wire.active_request_bias.as_ref(),
            default.active_request_bias,
            at,
        ),
        full_scan: false,
    }
}

fn slow_start(wire: Option<&SlowStartConfig>, at: &At<'_>) -> Option<SlowStart> {
    let wire = wire?;
    let at = at.field("slow_start_config");
    Some(SlowStart {
        window: duration::or_off(wire.slow_start_window.as_ref(), None, &at, "slow_start_window")?,
        aggression: aggression(wire.aggression.as_ref(), &at),
        min_weight_percent: min_weight_percent(wire.min_weight_percent.as_ref()),
    })
}

fn hashing(wire: Option<&CommonLbConfig>) -> ConsistentHashing {
    let wire = wire.and_then(|common| common.consistent_hashing_lb_config.as_ref());
    wire.map_or_else(ConsistentHashing::default, |wire| ConsistentHashing {
        use_hostname_for_hashing: wire.use_hostname_for_hashing,
        hash_balance_factor: wire.hash_balance_factor.map(|factor| factor.value),
    })
}

fn locality(wire: &CommonLbConfig) -> LocalityLbConfig {
    match &wire.locality_config_specifier {
        None => LocalityLbConfig::default(),
        Some(LocalityConfigSpecifier::LocalityWeightedLbConfig(_)) => {
            LocalityLbConfig::LocalityWeighted
        }
        Some(LocalityConfigSpecifier::ZoneAwareLbConfig(wire)) => {
            LocalityLbConfig::ZoneAware(ZoneAwareLbConfig {
                routing_enabled: whole_percent(wire.routing_enabled.as_ref(), 100),
                min_cluster_size: wire.min_cluster_size.map_or(MIN_CLUSTER_SIZE, |min| min.value),
                fail_traffic_on_panic: wire.fail_traffic_on_panic,
                force_locality_direct_routing: false,
            })
        }
    }
}
