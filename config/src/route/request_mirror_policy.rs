//! Copies of requests for other clusters.

use envoy_types::pb::envoy::config::route::v3 as wire;
use wire::route_action::RequestMirrorPolicy as WirePolicy;

use super::cluster_specifier::{ClusterName, ClusterReference, header_name};
use super::{Scope, non_empty};
use crate::fraction::Fraction;
use crate::header_mutation::HeaderValueOption;
use crate::http_filter::Mutation;
use crate::report::{At, Note};

/// `envoy.config.route.v3.RouteAction.RequestMirrorPolicy`.
#[derive(Debug, Clone)]
pub struct RequestMirrorPolicy {
    /// `cluster` or `cluster_header`.
    pub cluster: ClusterReference,
    /// `runtime_fraction`, default all: how many requests are copied.
    pub runtime_fraction: Fraction,
    /// `disable_shadow_host_suffix_append` and `host_rewrite_literal`: the copy's host.
    pub host: MirrorHost,
    /// `request_headers_mutations`: what is changed in the copy's headers, in order.
    pub request_headers_mutations: Vec<Mutation>,
}

/// The host of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MirrorHost {
    /// The request's, with `-shadow` behind the name.
    Suffixed,
    /// The request's (`disable_shadow_host_suffix_append`).
    Same,
    /// `host_rewrite_literal`.
    Literal(String),
}

impl RequestMirrorPolicy {
    /// Reads the field `request_mirror_policies`.
    pub(super) fn list_from_wire(wire: &[WirePolicy], scope: &Scope<'_>, at: &At<'_>) -> Vec<Self> {
        let at = at.field("request_mirror_policies");
        let policies = wire.iter().enumerate();
        policies
            .filter_map(|(index, wire)| Self::from_wire(wire, scope, &at.index(index)))
            .collect()
    }

    fn from_wire(wire: &WirePolicy, scope: &Scope<'_>, at: &At<'_>) -> Option<Self> {
        let fraction_at = at.field("runtime_fraction");
        let mutations_at = at.field("request_headers_mutations");
        Some(Self {
            cluster: cluster(wire, scope, at)?,
            runtime_fraction: Fraction::or(
                wire.runtime_fraction.as_ref(),
                Fraction::ALL,
                &fraction_at,
            ),
            host: match non_empty(&wire.host_rewrite_literal) {
                Some(literal) => MirrorHost::Literal(literal),
                None if wire.disable_shadow_host_suffix_append => MirrorHost::Same,
                None => MirrorHost::Suffixed,
            },
            request_headers_mutations: Mutation::list_from_wire(
                &wire.request_headers_mutations,
                &mutations_at,
            ),
        })
    }

    /// What it adds to headers.
    pub fn header_options(&self) -> impl Iterator<Item = &HeaderValueOption> {
        self.request_headers_mutations.iter().filter_map(Mutation::header_option)
    }
}

fn cluster(wire: &WirePolicy, scope: &Scope<'_>, at: &At<'_>) -> Option<ClusterReference> {
    match (wire.cluster.as_str(), wire.cluster_header.as_str()) {
        ("", "") => {
            at.error_at_key("one of cluster, cluster_header is required");
            None
        }
        (name, "") => {
            let at = at.field("cluster");
            Some(ClusterReference::Cluster(ClusterName::named(name, "shadow cluster", scope, &at)))
        }
        ("", header) => {
            header_name(header, &at.field("cluster_header")).map(ClusterReference::Header)
        }
        _ => {
            at.field("cluster_header").error_at_key(
                Note::from("'cluster_header' cannot be set together with 'cluster'")
                    .help("remove one of the two"),
            );
            None
        }
    }
}
