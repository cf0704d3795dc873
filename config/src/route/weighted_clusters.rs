//! Sharing the requests of a route among clusters (`envoy.config.route.v3.WeightedCluster`).

use envoy_types::pb::envoy::config::route::v3 as wire;
use wire::weighted_cluster::cluster_weight::HostRewriteSpecifier;
use wire::weighted_cluster::{ClusterWeight as WireWeight, RandomValueSpecifier};

use super::cluster_specifier::{ClusterName, ClusterReference, header_name};
use super::{Scope, non_empty};
use crate::header_mutation::HeaderMutations;
use crate::http_filter::PerFilterConfigs;
use crate::match_criteria::MatchCriteria;
use crate::report::{At, Note};

/// `envoy.config.route.v3.WeightedCluster`.
#[derive(Debug, Clone)]
pub struct WeightedClusters {
    /// `clusters`, at least one.
    pub clusters: Vec<ClusterWeight>,
    /// The sum of the weights: 1 to `u32::MAX`.
    pub total_weight: u32,
    /// `random_value_specifier`: what the choice follows.
    pub random_value: RandomValue,
}

/// What a choice among weighted clusters follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RandomValue {
    /// A number drawn for each stream.
    Stream,
    /// `header_name`, lower case: the number in the field, where there is just one that is a number;
    /// else as `Stream`.
    Header(String),
    /// `use_hash_policy: true`: the hash by the route's `hash_policy`, where that finds anything; else as
    /// `Stream`.
    HashPolicy,
}

/// `envoy.config.route.v3.WeightedCluster.ClusterWeight`.
#[derive(Debug, Clone)]
pub struct ClusterWeight {
    /// `name` or `cluster_header`.
    pub cluster: ClusterReference,
    /// `weight`, or what the runtime has under `<runtime_key_prefix>.<name>`; 0 takes no requests.
    pub weight: u32,
    /// `metadata_match`, on top of the route's.
    pub metadata_match: Option<MatchCriteria>,
    /// `request_headers_to_add`, `request_headers_to_remove`.
    pub request_headers: HeaderMutations,
    /// `response_headers_to_add`, `response_headers_to_remove`.
    pub response_headers: HeaderMutations,
    /// `host_rewrite_literal`.
    pub host_rewrite_literal: Option<String>,
    /// `typed_per_filter_config`.
    pub per_filter_configs: PerFilterConfigs,
}

impl WeightedClusters {
    pub(super) fn from_wire(
        wire: &wire::WeightedCluster,
        criteria: Option<&MatchCriteria>,
        scope: &Scope<'_>,
        at: &At<'_>,
    ) -> Option<Self> {
        let at_list = at.field("clusters");
        let clusters: Vec<Option<ClusterWeight>> = wire
            .clusters
            .iter()
            .enumerate()
            .map(|(index, cluster)| {
                let at = at_list.index(index);
                let mut cluster = ClusterWeight::from_wire(cluster, criteria, scope, &at)?;
                if let Some(weight) = runtime_weight(wire, index, &at) {
                    cluster.weight = weight;
                }
                Some(cluster)
            })
            .collect();
        let random_value = match &wire.random_value_specifier {
            Some(RandomValueSpecifier::HeaderName(name)) if !name.is_empty() => {
                RandomValue::Header(header_name(name, &at.field("header_name"))?)
            }
            Some(RandomValueSpecifier::UseHashPolicy(use_hash)) if use_hash.value => {
                RandomValue::HashPolicy
            }
            _ => RandomValue::Stream,
        };
        let clusters = clusters.into_iter().collect::<Option<Vec<_>>>()?;
        let total: u64 = clusters.iter().map(|cluster| u64::from(cluster.weight)).sum();
        match u32::try_from(total) {
            Ok(0) => at_list.error_at_key(
                Note::from("the weights must not all be 0")
                    .help("give at least one cluster a 'weight' above 0"),
            ),
            Ok(total_weight) => return Some(Self { clusters, total_weight, random_value }),
            Err(_) => {
                at_list.error_at_key(
                    Note::from(format!("the sum of the weights exceeds {}", u32::MAX))
                        .help("divide all weights by the same number"),
                );
            }
        }
        None
    }
}

/// The weight under `<runtime_key_prefix>.<name>`.
fn runtime_weight(wire: &wire::WeightedCluster, index: usize, at: &At<'_>) -> Option<u32> {
    let (prefix, name) = (&wire.runtime_key_prefix, &wire.clusters[index].name);
    if prefix.is_empty() {
        return None;
    }
    at.runtime().integer_u32(&format!("{prefix}.{name}"))
}

impl ClusterWeight {
    fn from_wire(
        wire: &WireWeight,
        criteria: Option<&MatchCriteria>,
        scope: &Scope<'_>,
        at: &At<'_>,
    ) -> Option<Self> {
        let (request_headers, response_headers) = header_mutations!(wire, at);
        let cluster = match (wire.name.as_str(), wire.cluster_header.as_str()) {
            ("", "") => {
                at.error_at_key("one of name, cluster_header is required");
                None
            }
            (name, "") => Some(ClusterReference::Cluster(ClusterName::from_wire(
                name,
                scope,
                &at.field("name"),
            ))),
            ("", header) => {
                header_name(header, &at.field("cluster_header")).map(ClusterReference::Header)
            }
            _ => {
                at.field("cluster_header").error_at_key(
                    Note::from("'cluster_header' cannot be set together with 'name'")
                        .help("remove one of the two"),
                );
                None
            }
        };
        if wire.weight.is_none() {
            at.error_at_key("'weight' is required");
        }
        Some(Self {
            cluster: cluster?,
            weight: wire.weight?.value,
            metadata_match: MatchCriteria::from_wire(wire.metadata_match.as_ref(), criteria),
            request_headers,
            response_headers,
            host_rewrite_literal: match &wire.host_rewrite_specifier {
                Some(HostRewriteSpecifier::HostRewriteLiteral(host)) => non_empty(host),
                None => None,
            },
            per_filter_configs: scope.per_filter_configs(&wire.typed_per_filter_config, at),
        })
    }
}
