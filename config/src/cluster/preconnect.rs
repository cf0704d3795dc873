//! Connections ahead of requests (`envoy.config.cluster.v3.Cluster.PreconnectPolicy`).

use envoy_types::pb::envoy::config::cluster::v3::cluster as wire;
use envoy_types::pb::google::protobuf::DoubleValue;

use super::LoadBalancing;
use crate::report::{At, Note};

/// `preconnect_policy`: for how many requests there are connections, as a multiple of those that are
/// under way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PreconnectPolicy {
    /// `per_upstream_preconnect_ratio`, default 1: of each host.
    pub per_upstream_ratio: f64,
    /// `predictive_preconnect_ratio`, default 1: of the cluster, at the hosts whose turn is next.
    pub predictive_ratio: f64,
}

impl PreconnectPolicy {
    /// Reads the field `preconnect_policy` of a cluster, which `at` stands for.
    pub(super) fn from_wire(
        wire: Option<&wire::PreconnectPolicy>,
        balancing: &LoadBalancing,
        at: &At<'_>,
    ) -> Self {
        // The field rules have seen to their range.
        let ratio = |ratio: Option<DoubleValue>| ratio.map_or(1.0, |ratio| ratio.value);
        let policy = Self {
            per_upstream_ratio: ratio(wire.and_then(|wire| wire.per_upstream_preconnect_ratio)),
            predictive_ratio: ratio(wire.and_then(|wire| wire.predictive_preconnect_ratio)),
        };
        if policy.predictive_ratio > 1.0 && !balancing.is_predictable() {
            let note = Note::from(
                "no effect: the hosts whose turn is next are known with \
                 ROUND_ROBIN and RANDOM, without subsets",
            )
            .help("use 'per_upstream_preconnect_ratio', which any policy takes");
            at.field("preconnect_policy").field("predictive_preconnect_ratio").warn(note);
        }
        policy
    }
}
