//! Load balancing.

use super::{Message, NONE};

pub(super) const MESSAGES: &[Message] = &[
    Message {
        name: "envoy.config.cluster.v3.Cluster.CommonLbConfig",
        supported: "healthy_panic_threshold zone_aware_lb_config locality_weighted_lb_config \
                    consistent_hashing_lb_config ignore_new_hosts_until_first_hc \
                    close_connections_on_host_set_change",
        // Changes are told at once, however many there are.
        harmless: "update_merge_window",
        ..NONE
    },
    Message {
        name: "envoy.config.cluster.v3.Cluster.CommonLbConfig.ZoneAwareLbConfig",
        supported: "routing_enabled min_cluster_size fail_traffic_on_panic",
        ..NONE
    },
    Message {
        name: "envoy.config.cluster.v3.Cluster.CommonLbConfig.LocalityWeightedLbConfig",
        ..NONE
    },
    Message {
        name: "envoy.config.cluster.v3.Cluster.CommonLbConfig.ConsistentHashingLbConfig",
        supported: "use_hostname_for_hashing hash_balance_factor",
        ..NONE
    },
    Message {
        name: "envoy.config.cluster.v3.Cluster.LbSubsetConfig",
        supported: "fallback_policy default_subset subset_selectors locality_weight_aware \
                    scale_locality_weight panic_mode_any list_as_any metadata_fallback_policy",
        ..NONE
    },
    Message {
        name: "envoy.config.cluster.v3.Cluster.LbSubsetConfig.LbSubsetSelector",
        supported: "keys single_host_per_subset fallback_policy fallback_keys_subset",
        ..NONE
    },
    Message {
        name: "envoy.config.cluster.v3.Cluster.RingHashLbConfig",
        supported: "minimum_ring_size maximum_ring_size hash_function",
        ..NONE
    },
    Message {
        name: "envoy.config.cluster.v3.Cluster.MaglevLbConfig",
        supported: "table_size",
        ..NONE
    },
    Message {
        name: "envoy.config.cluster.v3.Cluster.LeastRequestLbConfig",
        supported: "choice_count active_request_bias slow_start_config",
        ..NONE
    },
    Message {
        name: "envoy.config.cluster.v3.Cluster.RoundRobinLbConfig",
        supported: "slow_start_config",
        ..NONE
    },
    Message {
        name: "envoy.config.cluster.v3.Cluster.SlowStartConfig",
        supported: "slow_start_window aggression min_weight_percent",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.RuntimeDouble",
        supported: "default_value runtime_key",
        ..NONE
    },
    Message { name: "envoy.config.cluster.v3.LoadBalancingPolicy", supported: "policies", ..NONE },
    Message {
        name: "envoy.config.cluster.v3.LoadBalancingPolicy.Policy",
        supported: "typed_extension_config",
        ..NONE
    },
    Message {
        name: "envoy.extensions.load_balancing_policies.round_robin.v3.RoundRobin",
        supported: "slow_start_config locality_lb_config",
        ..NONE
    },
    Message {
        name: "envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest",
        supported: "choice_count active_request_bias slow_start_config locality_lb_config \
                    enable_full_scan selection_method",
        ..NONE
    },
    Message {
        name: "envoy.extensions.load_balancing_policies.random.v3.Random",
        supported: "locality_lb_config",
        ..NONE
    },
    Message {
        name: "envoy.extensions.load_balancing_policies.ring_hash.v3.RingHash",
        supported: "hash_function minimum_ring_size maximum_ring_size use_hostname_for_hashing \
                    hash_balance_factor consistent_hashing_lb_config locality_weighted_lb_config",
        ..NONE
    },
    Message {
        name: "envoy.extensions.load_balancing_policies.maglev.v3.Maglev",
        supported: "table_size consistent_hashing_lb_config locality_weighted_lb_config",
        ..NONE
    },
    Message {
        name: "envoy.extensions.load_balancing_policies.subset.v3.Subset",
        supported: "fallback_policy default_subset subset_selectors allow_redundant_keys \
                    locality_weight_aware scale_locality_weight panic_mode_any list_as_any \
                    metadata_fallback_policy subset_lb_policy",
        ..NONE
    },
    Message {
        name: "envoy.extensions.load_balancing_policies.subset.v3.Subset.LbSubsetSelector",
        supported: "keys single_host_per_subset fallback_policy fallback_keys_subset",
        ..NONE
    },
    Message {
        name: "envoy.extensions.load_balancing_policies.common.v3.SlowStartConfig",
        supported: "slow_start_window aggression min_weight_percent",
        ..NONE
    },
    Message {
        name: "envoy.extensions.load_balancing_policies.common.v3.LocalityLbConfig",
        supported: "zone_aware_lb_config locality_weighted_lb_config",
        ..NONE
    },
    Message {
        name: "envoy.extensions.load_balancing_policies.common.v3.LocalityLbConfig.\
               LocalityWeightedLbConfig",
        ..NONE
    },
    Message {
        name: "envoy.extensions.load_balancing_policies.common.v3.LocalityLbConfig.\
               ZoneAwareLbConfig",
        supported: "routing_enabled min_cluster_size fail_traffic_on_panic \
                    force_locality_direct_routing",
        ..NONE
    },
    Message {
        name: "envoy.extensions.load_balancing_policies.common.v3.ConsistentHashingLbConfig",
        supported: "use_hostname_for_hashing hash_balance_factor",
        ..NONE
    },
];
