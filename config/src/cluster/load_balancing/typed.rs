//! `load_balancing_policy`: the first of its policies counts.

use envoy_types::pb::envoy::config::cluster::v3::LoadBalancingPolicy;
use envoy_types::pb::envoy::extensions::load_balancing_policies as policies;
use envoy_types::pb::google::protobuf::Any;
use policies::common::v3::locality_lb_config::LocalityConfigSpecifier;
use policies::common::v3::{
    ConsistentHashingLbConfig, LocalityLbConfig as WireLocality, SlowStartConfig,
};
use policies::least_request::v3::LeastRequest as WireLeastRequest;
use policies::least_request::v3::least_request::SelectionMethod;
use policies::maglev::v3::Maglev as WireMaglev;
use policies::random::v3::Random;
use policies::ring_hash::v3::RingHash as WireRingHash;
use policies::ring_hash::v3::ring_hash::HashFunction as WireHashFunction;
use policies::round_robin::v3::RoundRobin;
use policies::subset::v3::Subset;

use super::{
    ConsistentHashing, HashFunction, LbPolicy, LbSubsetConfig, LeastRequest, LoadBalancing,
    LocalityLbConfig, MIN_CLUSTER_SIZE, SlowStart, ZoneAwareLbConfig, aggression, maglev,
    min_weight_percent, ring_hash, whole_percent,
};
use crate::duration;
use crate::report::{At, Note};
use crate::runtime;
use crate::wire::unpack;

pub(super) fn load_balancing(wire: &LoadBalancingPolicy, at: &At<'_>) -> LoadBalancing {
    let at = at.field("policies");
    let Some(first) = wire.policies.first() else {
        at.error_at_key(Note::from("at least one policy is required").help(
            "add such as envoy.extensions.load_balancing_policies.round_robin.v3.RoundRobin",
        ));
        return LoadBalancing::default();
    };
    let at = at.index(0);
    let at = at.field("typed_extension_config");
    let at = at.field("typed_config");
    let extension = first.typed_extension_config.as_ref();
    match extension.and_then(|extension| extension.typed_config.as_ref()) {
        Some(typed_config) => of_extension(typed_config, &at).unwrap_or_else(|| {
            at.error(
                Note::from("it is no load balancing policy")
                    .help("use a message of envoy.extensions.load_balancing_policies"),
            );
            LoadBalancing::default()
        }),
        None => {
            at.error_at_key(Note::typed_config_required());
            LoadBalancing::default()
        }
    }
}

/// What the extension says; `None` where it is something else.
fn of_extension(any: &Any, at: &At<'_>) -> Option<LoadBalancing> {
    if let Some(wire) = unpack::<Subset>(any) {
        return Some(of_subset(&wire, at));
    }
    let (policy, locality) = policy_and_locality(any, at)?;
    Some(LoadBalancing { policy, locality, ..LoadBalancing::default() })
}

fn of_subset(wire: &Subset, at: &At<'_>) -> LoadBalancing {
    let Some(within) = &wire.subset_lb_policy else {
        at.error_at_key("'subset_lb_policy' is required");
        return LoadBalancing::default();
    };
    let at_within = at.field("subset_lb_policy");
    let within = load_balancing(within, &at_within);
    if within.subset.is_some() {
        at_within.error_at_key(
            Note::from("subsets within subsets are not supported by ringmain")
                .help("put all keys into one Subset policy"),
        );
    }
    LoadBalancing { subset: Some(LbSubsetConfig::from_wire(wire, at)), ..within }
}

/// The policy and what it does about localities; `None` where it is something else.
fn policy_and_locality(any: &Any, at: &At<'_>) -> Option<(LbPolicy, LocalityLbConfig)> {
    if let Some(wire) = unpack::<RoundRobin>(any) {
        let policy = LbPolicy::RoundRobin(slow_start(wire.slow_start_config.as_ref(), at));
        return Some((policy, locality(wire.locality_lb_config.as_ref())));
    }
    if let Some(wire) = unpack::<WireLeastRequest>(any) {
        let slow_start = slow_start(wire.slow_start_config.as_ref(), at);
        let policy = LbPolicy::LeastRequest(least_request(&wire, at), slow_start);
        return Some((policy, locality(wire.locality_lb_config.as_ref())));
    }
    if let Some(wire) = unpack::<Random>(any) {
        return Some((LbPolicy::Random, locality(wire.locality_lb_config.as_ref())));
    }
    if let Some(wire) = unpack::<WireRingHash>(any) {
        let locality = weighted(wire.locality_weighted_lb_config.is_some());
        return Some((of_ring_hash(&wire, at), locality));
    }
    let wire = unpack::<WireMaglev>(any)?;
    let hashing = hashing(wire.consistent_hashing_lb_config.as_ref());
    let policy = LbPolicy::Maglev(maglev(wire.table_size.map(|size| size.value), at), hashing);
    Some((policy, weighted(wire.locality_weighted_lb_config.is_some())))
}

fn weighted(is_weighted: bool) -> LocalityLbConfig {
    if is_weighted { LocalityLbConfig::LocalityWeighted } else { LocalityLbConfig::default() }
}

#[allow(deprecated, reason = "the two fields of before `consistent_hashing_lb_config` still count")]
fn of_ring_hash(wire: &WireRingHash, at: &At<'_>) -> LbPolicy {
    let function = match wire.hash_function() {
        WireHashFunction::DefaultHash | WireHashFunction::XxHash => HashFunction::XxHash,
        WireHashFunction::MurmurHash2 => HashFunction::MurmurHash2,
    };
    let minimum = wire.minimum_ring_size.map(|size| size.value);
    let maximum = wire.maximum_ring_size.map(|size| size.value);
    let hashing = match &wire.consistent_hashing_lb_config {
        Some(config) => hashing(Some(config)),
        None => ConsistentHashing {
            use_hostname_for_hashing: wire.use_hostname_for_hashing,
            hash_balance_factor: wire.hash_balance_factor.map(|factor| factor.value),
        },
    };
    LbPolicy::RingHash(ring_hash(function, minimum, maximum, at), hashing)
}

#[allow(deprecated, reason = "`enable_full_scan` still counts")]
fn least_request(wire: &WireLeastRequest, at: &At<'_>) -> LeastRequest {
    let default = LeastRequest::default();
    LeastRequest {
        choice_count: wire.choice_count.map_or(default.choice_count, |count| count.value),
        active_request_bias: runtime::double(
            wire.active_request_bias.as_ref(),
            default.active_request_bias,
            at,
        ),
        full_scan: wire.selection_method() == SelectionMethod::FullScan
            || wire.enable_full_scan.is_some_and(|full_scan| full_scan.value),
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

fn hashing(wire: Option<&ConsistentHashingLbConfig>) -> ConsistentHashing {
    wire.map_or_else(ConsistentHashing::default, |wire| ConsistentHashing {
        use_hostname_for_hashing: wire.use_hostname_for_hashing,
        hash_balance_factor: wire.hash_balance_factor.map(|factor| factor.value),
    })
}

#[allow(deprecated, reason = "`force_locality_direct_routing` still counts")]
fn locality(wire: Option<&WireLocality>) -> LocalityLbConfig {
    match wire.and_then(|wire| wire.locality_config_specifier.as_ref()) {
        None => LocalityLbConfig::default(),
        Some(LocalityConfigSpecifier::LocalityWeightedLbConfig(_)) => {
            LocalityLbConfig::LocalityWeighted
        }
        Some(LocalityConfigSpecifier::ZoneAwareLbConfig(wire)) => {
            LocalityLbConfig::ZoneAware(ZoneAwareLbConfig {
                routing_enabled: whole_percent(wire.routing_enabled.as_ref(), 100),
                min_cluster_size: wire.min_cluster_size.map_or(MIN_CLUSTER_SIZE, |min| min.value),
                fail_traffic_on_panic: wire.fail_traffic_on_panic,
                force_locality_direct_routing: wire.force_locality_direct_routing,
            })
        }
    }
}
