//! Route configurations (`envoy.config.route.v3`).

use std::collections::HashMap;
use std::iter::once;

use envoy_types::pb::envoy::config::route::v3 as wire;
use envoy_types::pb::google::protobuf::{Any, UInt32Value, UInt64Value};

use crate::cluster_names::ClusterNames;
use crate::header_mutation::HeaderMutations;
use crate::http_filter::{self, HttpFilter, PerFilterConfigs};
use crate::report::At;

/// The header mutations of a message, which have the same fields on every level.
macro_rules! header_mutations {
    ($wire:expr, $at:expr) => {
        (
            $crate::header_mutation::HeaderMutations::from_wire(
                &$wire.request_headers_to_add,
                &$wire.request_headers_to_remove,
                $crate::header_mutation::Side::Request,
                $at,
            ),
            $crate::header_mutation::HeaderMutations::from_wire(
                &$wire.response_headers_to_add,
                &$wire.response_headers_to_remove,
                $crate::header_mutation::Side::Response,
                $at,
            ),
        )
    };
}

mod action;
mod cluster_specifier;
mod direct_response;
mod domain;
mod entry;
mod hash_policy;
mod hedge_policy;
mod internal_redirect_policy;
mod rate_limit;
mod redirect;
mod request_mirror_policy;
mod retry_host_predicate;
mod retry_policy;
mod rewrite;
mod route_action;
mod route_match;
mod scoped_routes;
mod uri_template;
mod uri_template_rewrite;
mod virtual_cluster;
mod virtual_host;
mod weighted_clusters;

pub use self::action::Action;
pub use self::cluster_specifier::{ClusterName, ClusterReference, ClusterSpecifier};
pub use self::direct_response::DirectResponse;
pub use self::domain::Domain;
pub(crate) use self::domain::TakenFromHosts;
pub use self::entry::Route;
pub use self::hash_policy::{HashCookie, HashPolicy, HashSource};
pub use self::hedge_policy::HedgePolicy;
pub use self::internal_redirect_policy::{InternalRedirectPolicy, RedirectPredicate};
pub use self::rate_limit::{Entry, Looked, RateLimit, RateLimitAction};
pub use self::redirect::{RedirectAction, RedirectPath};
pub use self::request_mirror_policy::{MirrorHost, RequestMirrorPolicy};
pub use self::retry_host_predicate::RetryHostPredicate;
pub use self::retry_policy::{
    BackOff, RateLimitedBackOff, ResetHeader, ResetHeaderFormat, RetryOn, RetryPolicy,
};
pub use self::rewrite::{HostRewrite, PathRewrite};
pub use self::route_action::{MaxStreamDuration, RouteAction};
pub use self::route_match::{
    CookieMatcher, PathMatch, QueryParameterMatcher, QueryParameterTest, RouteMatch,
    TlsContextMatch,
};
pub use self::scoped_routes::{Extract, HeaderValueExtractor, Scope as RouteScope, ScopedRoutes};
pub use self::uri_template::UriTemplate;
pub use self::virtual_cluster::VirtualCluster;
pub use self::virtual_host::{TlsRequirement, VirtualHost};
pub use self::weighted_clusters::{ClusterWeight, RandomValue, WeightedClusters};

const MAX_DIRECT_RESPONSE_BODY_SIZE_BYTES: u32 = 4096;

/// `envoy.config.route.v3.RouteConfiguration`.
#[derive(Debug, Clone)]
pub struct RouteConfiguration {
    /// `name`.
    pub name: String,
    /// `virtual_hosts`, in file order; domains are lower case and unique over all of them.
    pub virtual_hosts: Vec<VirtualHost>,
    /// `request_headers_to_add`, `request_headers_to_remove`.
    pub request_headers: HeaderMutations,
    /// `response_headers_to_add`, `response_headers_to_remove`.
    pub response_headers: HeaderMutations,
    /// `ignore_port_in_host_matching`, default false.
    pub ignore_port_in_host_matching: bool,
    /// `vhost_header`, lower case: the header that virtual hosts are found by, in place of
    /// `:authority`.
    pub vhost_header: Option<String>,
    /// `ignore_path_parameters_in_path_matching`, default false: segments are matched up to their
    /// first `;`.
    pub ignore_path_parameters_in_path_matching: bool,
    /// `most_specific_header_mutations_wins`, default false: the widest level acts last.
    pub most_specific_header_mutations_wins: bool,
    /// `request_mirror_policies`, for virtual hosts without any.
    pub request_mirror_policies: Vec<RequestMirrorPolicy>,
    /// `typed_per_filter_config`.
    pub per_filter_configs: PerFilterConfigs,
}

/// What the routes of a configuration have in common.
struct Scope<'a> {
    clusters: &'a ClusterNames<'a>,
    /// The HTTP filters of the connection manager.
    filters: &'a [HttpFilter],
    validate_clusters: bool,
    taken: TakenFromHosts,
    direct_response_body_bytes_max: usize,
}

impl Scope<'_> {
    fn per_filter_configs(&self, wire: &HashMap<String, Any>, at: &At<'_>) -> PerFilterConfigs {
        http_filter::per_filter_configs(wire, self.filters, at)
    }
}

impl RouteConfiguration {
    pub(crate) fn from_wire(
        wire: &wire::RouteConfiguration,
        clusters: &ClusterNames<'_>,
        filters: &[HttpFilter],
        taken: TakenFromHosts,
        at: &At<'_>,
    ) -> Self {
        let scope = Scope {
            clusters,
            filters,
            validate_clusters: wire.validate_clusters.is_none_or(|validate| validate.value),
            taken: TakenFromHosts { ignored_port: wire.ignore_port_in_host_matching, ..taken },
            direct_response_body_bytes_max: wire
                .max_direct_response_body_size_bytes
                .map_or(MAX_DIRECT_RESPONSE_BODY_SIZE_BYTES, |max| max.value)
                as usize,
        };
        let (request_headers, response_headers) = header_mutations!(wire, at);
        Self {
            name: wire.name.clone(),
            virtual_hosts: VirtualHost::list_from_wire(&wire.virtual_hosts, &scope, at),
            request_headers,
            response_headers,
            ignore_port_in_host_matching: wire.ignore_port_in_host_matching,
            vhost_header: non_empty(&wire.vhost_header.to_ascii_lowercase()),
            ignore_path_parameters_in_path_matching: wire.ignore_path_parameters_in_path_matching,
            most_specific_header_mutations_wins: wire.most_specific_header_mutations_wins,
            request_mirror_policies: RequestMirrorPolicy::list_from_wire(
                &wire.request_mirror_policies,
                &scope,
                at,
            ),
            per_filter_configs: scope.per_filter_configs(&wire.typed_per_filter_config, at),
        }
    }
}

impl RouteConfiguration {
    /// What each of its levels says of HTTP filters.
    pub(crate) fn per_filter_configs_of_all_levels(
        &self,
    ) -> impl Iterator<Item = &PerFilterConfigs> {
        let of_hosts = self.virtual_hosts.iter();
        once(&self.per_filter_configs)
            .chain(of_hosts.flat_map(VirtualHost::per_filter_configs_of_all_levels))
    }
}

fn non_empty(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

/// How much of a request's body is kept for sending it again: the newer field or the older one.
fn buffer_limit(newer: Option<&UInt64Value>, older: Option<&UInt32Value>) -> Option<u64> {
    newer.map(|limit| limit.value).or(older.map(|limit| u64::from(limit.value)))
}
