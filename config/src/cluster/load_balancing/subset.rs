//! `lb_subset_config` and `envoy.extensions.load_balancing_policies.subset.v3.Subset`: choosing among
//! the hosts whose metadata are those that the route wants.

use envoy_types::pb::envoy::config::cluster::v3::cluster::LbSubsetConfig as WireLegacy;
use envoy_types::pb::envoy::extensions::load_balancing_policies::subset::v3 as wire;
use prost::Message;
use wire::Subset;
use wire::subset::lb_subset_selector::LbSubsetSelectorFallbackPolicy as WireSelectorFallback;
use wire::subset::{
    LbSubsetFallbackPolicy as WireFallback, LbSubsetMetadataFallbackPolicy,
    LbSubsetSelector as WireSelector,
};

use crate::match_criteria::MatchCriteria;
use crate::metadata::fields_of;
use crate::report::{At, Note};

/// `LbSubsetConfig`.
#[derive(Debug, Clone, PartialEq)]
pub struct LbSubsetConfig {
    /// `fallback_policy`, default `NO_FALLBACK`.
    pub fallback_policy: FallbackPolicy,
    /// `default_subset`.
    pub default_subset: MatchCriteria,
    /// `subset_selectors`; with `allow_redundant_keys` those of most keys come first.
    pub subset_selectors: Vec<LbSubsetSelector>,
    /// `locality_weight_aware`, default false: the weights of localities count within subsets.
    pub locality_weight_aware: bool,
    /// `scale_locality_weight`, default false: they shrink with the number of hosts left of each.
    pub scale_locality_weight: bool,
    /// `panic_mode_any`, default false: where the fallback has no host, any one is taken.
    pub panic_mode_any: bool,
    /// `list_as_any`, default false: a host with a list is in the subsets of all its values.
    pub list_as_any: bool,
    /// `allow_redundant_keys`, default false: a route may ask for more than a selector has keys.
    pub allow_redundant_keys: bool,
    /// `metadata_fallback_policy` is `FALLBACK_LIST`, default `METADATA_NO_FALLBACK`.
    pub uses_fallback_list: bool,
}

/// `LbSubsetFallbackPolicy`: who serves where no subset fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FallbackPolicy {
    /// `NO_FALLBACK`.
    NoFallback,
    /// `ANY_ENDPOINT`.
    AnyEndpoint,
    /// `DEFAULT_SUBSET`.
    DefaultSubset,
}

/// `LbSubsetSelector`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LbSubsetSelector {
    /// `keys`, in order and each once.
    pub keys: Vec<String>,
    /// `single_host_per_subset`, default false.
    pub single_host_per_subset: bool,
    /// `fallback_policy`; absent means that of the whole.
    pub fallback_policy: Option<SelectorFallback>,
}

/// `LbSubsetSelectorFallbackPolicy`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SelectorFallback {
    /// `NO_FALLBACK`, `ANY_ENDPOINT` or `DEFAULT_SUBSET`.
    Policy(FallbackPolicy),
    /// `KEYS_SUBSET` with its `fallback_keys_subset`: only these count.
    KeysSubset(Vec<String>),
}

impl LbSubsetConfig {
    /// Reads `lb_subset_config`, which is off without selectors.
    pub(super) fn from_legacy(wire: Option<&WireLegacy>, at: &At<'_>) -> Option<Self> {
        let wire = wire.filter(|wire| !wire.subset_selectors.is_empty())?;
        // The two messages have the same fields under the same numbers.
        let wire = Subset::decode(&*wire.encode_to_vec()).unwrap_or_default();
        Some(Self::from_wire(&wire, at))
    }

    pub(super) fn from_wire(wire: &Subset, at: &At<'_>) -> Self {
        let at = at.field("subset_selectors");
        let selectors = wire.subset_selectors.iter().enumerate();
        let selectors = selectors.map(|(index, wire)| selector(wire, &at.index(index)));
        let mut subset_selectors: Vec<LbSubsetSelector> = selectors.collect();
        if wire.allow_redundant_keys {
            subset_selectors.sort_by_key(|selector| std::cmp::Reverse(selector.keys.len()));
        }
        Self {
            fallback_policy: match wire.fallback_policy() {
                WireFallback::NoFallback => FallbackPolicy::NoFallback,
                WireFallback::AnyEndpoint => FallbackPolicy::AnyEndpoint,
                WireFallback::DefaultSubset => FallbackPolicy::DefaultSubset,
            },
            default_subset: MatchCriteria::new(
                wire.default_subset.as_ref().map(fields_of).unwrap_or_default(),
            ),
            subset_selectors,
            locality_weight_aware: wire.locality_weight_aware,
            scale_locality_weight: wire.scale_locality_weight,
            panic_mode_any: wire.panic_mode_any,
            list_as_any: wire.list_as_any,
            allow_redundant_keys: wire.allow_redundant_keys,
            uses_fallback_list: wire.metadata_fallback_policy()
                == LbSubsetMetadataFallbackPolicy::FallbackList,
        }
    }
}

fn selector(wire: &WireSelector, at: &At<'_>) -> LbSubsetSelector {
    let keys = sorted(&wire.keys);
    let fallback_keys = sorted(&wire.fallback_keys_subset);
    let policy = wire.fallback_policy();
    if policy == WireSelectorFallback::KeysSubset {
        check_fallback_keys(&fallback_keys, &keys, at);
    } else if !fallback_keys.is_empty() {
        at.field("fallback_keys_subset").error_at_key(
            Note::from("it has a meaning only beside 'fallback_policy: KEYS_SUBSET'")
                .help("set 'fallback_policy: KEYS_SUBSET', or remove it"),
        );
    }
    LbSubsetSelector {
        keys,
        single_host_per_subset: wire.single_host_per_subset,
        fallback_policy: match policy {
            WireSelectorFallback::NotDefined => None,
            WireSelectorFallback::NoFallback => {
                Some(SelectorFallback::Policy(FallbackPolicy::NoFallback))
            }
            WireSelectorFallback::AnyEndpoint => {
                Some(SelectorFallback::Policy(FallbackPolicy::AnyEndpoint))
            }
            WireSelectorFallback::DefaultSubset => {
                Some(SelectorFallback::Policy(FallbackPolicy::DefaultSubset))
            }
            WireSelectorFallback::KeysSubset => Some(SelectorFallback::KeysSubset(fallback_keys)),
        },
    }
}

/// Fewer keys, so that falling back comes to an end.
fn check_fallback_keys(fallback_keys: &[String], keys: &[String], at: &At<'_>) {
    if fallback_keys.is_empty() {
        at.error_at_key("'fallback_keys_subset' is required beside 'fallback_policy: KEYS_SUBSET'");
    } else if let Some(foreign) = fallback_keys.iter().find(|key| !keys.contains(key)) {
        let at = at.field("fallback_keys_subset");
        at.error_at_key(
            Note::from(format!("'{foreign}' is not among 'keys'")).help("name some of 'keys' only"),
        );
    } else if fallback_keys.len() == keys.len() {
        at.field("fallback_keys_subset")
            .error_at_key("at least one of 'keys' must be missing here");
    }
}

fn sorted(keys: &[String]) -> Vec<String> {
    let mut keys = keys.to_vec();
    keys.sort_unstable();
    keys.dedup();
    keys
}
