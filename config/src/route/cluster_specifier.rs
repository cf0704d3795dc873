//! Which cluster a route forwards to.

use envoy_types::pb::envoy::config::route::v3 as wire;
use wire::route_action::ClusterSpecifier as WireSpecifier;

use super::Scope;
use super::weighted_clusters::WeightedClusters;
use crate::header_name::{is_token_byte, no_header_name};
use crate::match_criteria::MatchCriteria;
use crate::report::At;

/// `cluster_specifier` of a route action.
#[derive(Debug, Clone)]
pub enum ClusterSpecifier {
    /// `cluster`.
    Cluster(ClusterName),
    /// `cluster_header`, lower case: the request's first field of that name says the cluster.
    Header(String),
    /// `weighted_clusters`.
    Weighted(Box<WeightedClusters>),
}

/// A cluster by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterName {
    /// As written.
    pub name: String,
    /// Index into `Bootstrap::clusters`; `None` when the name is unknown and `validate_clusters` is
    /// false.
    pub index: Option<usize>,
}

/// One of several clusters that a route names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusterReference {
    /// `name` or `cluster`.
    Cluster(ClusterName),
    /// `cluster_header`, lower case: the request's first field of that name says the cluster.
    Header(String),
}

impl ClusterSpecifier {
    pub(super) fn from_wire(
        wire: Option<&WireSpecifier>,
        criteria: Option<&MatchCriteria>,
        scope: &Scope<'_>,
        at: &At<'_>,
    ) -> Option<Self> {
        match wire {
            Some(WireSpecifier::Cluster(name)) => {
                Some(Self::Cluster(ClusterName::from_wire(name, scope, &at.field("cluster"))))
            }
            Some(WireSpecifier::ClusterHeader(name)) => {
                header_name(name, &at.field("cluster_header")).map(Self::Header)
            }
            Some(WireSpecifier::WeightedClusters(clusters)) => {
                let at = at.field("weighted_clusters");
                WeightedClusters::from_wire(clusters, criteria, scope, &at)
                    .map(|clusters| Self::Weighted(Box::new(clusters)))
            }
            _ => {
                at.error_at_key("one of cluster, cluster_header, weighted_clusters is required");
                None
            }
        }
    }
}

impl ClusterName {
    pub(super) fn from_wire(name: &str, scope: &Scope<'_>, at: &At<'_>) -> Self {
        Self::named(name, "cluster", scope, at)
    }

    /// The cluster that a route has for `purpose`, as messages call it.
    pub(super) fn named(name: &str, purpose: &str, scope: &Scope<'_>, at: &At<'_>) -> Self {
        let index = scope.clusters.index(name);
        if index.is_none() && scope.validate_clusters {
            at.error(scope.clusters.unknown("route", purpose, name));
        }
        Self { name: name.to_owned(), index }
    }
}

/// The name of a header to look into, in lower case; may be a pseudo-header.
pub(super) fn header_name(name: &str, at: &At<'_>) -> Option<String> {
    if !name.strip_prefix(':').unwrap_or(name).bytes().all(is_token_byte) {
        at.error(no_header_name(name));
        return None;
    }
    Some(name.to_ascii_lowercase())
}
