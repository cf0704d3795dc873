//! Virtual hosts.

use std::collections::{HashMap, HashSet};
use std::iter::once;

use envoy_types::pb::envoy::config::route::v3 as wire;
use wire::virtual_host::TlsRequirementType as WireTlsRequirement;

use super::{
    Domain, HedgePolicy, RateLimit, RequestMirrorPolicy, RetryPolicy, Route, Scope, VirtualCluster,
    buffer_limit,
};
use crate::header_mutation::HeaderMutations;
use crate::http_filter::PerFilterConfigs;
use crate::metadata::Metadata;
use crate::report::{At, Note};

/// `envoy.config.route.v3.VirtualHost`.
#[derive(Debug, Clone)]
pub struct VirtualHost {
    /// `name`.
    pub name: String,
    /// `domains`, lower case.
    pub domains: Vec<Domain>,
    /// `routes`: the first that matches wins.
    pub routes: Vec<Route>,
    /// `virtual_clusters`: a request counts in the first that matches, or in `other`.
    pub virtual_clusters: Vec<VirtualCluster>,
    /// `require_tls`, default NONE.
    pub require_tls: TlsRequirement,
    /// `request_headers_to_add`, `request_headers_to_remove`.
    pub request_headers: HeaderMutations,
    /// `response_headers_to_add`, `response_headers_to_remove`.
    pub response_headers: HeaderMutations,
    /// `include_request_attempt_count`, default false.
    pub include_request_attempt_count: bool,
    /// `include_is_timeout_retry_header`, default false.
    pub include_is_timeout_retry_header: bool,
    /// `include_attempt_count_in_response`, default false.
    pub include_attempt_count_in_response: bool,
    /// `retry_policy`, for routes without one.
    pub retry_policy: Option<RetryPolicy>,
    /// `hedge_policy`, for routes without one.
    pub hedge_policy: Option<HedgePolicy>,
    /// `request_body_buffer_limit` or `per_request_buffer_limit_bytes`, for routes without one.
    pub request_body_buffer_limit: Option<u64>,
    /// `request_mirror_policies`, for routes without any.
    pub request_mirror_policies: Vec<RequestMirrorPolicy>,
    /// `rate_limits`, for routes without any.
    pub rate_limits: Vec<RateLimit>,
    /// `metadata`.
    pub metadata: Metadata,
    /// `typed_per_filter_config`.
    pub per_filter_configs: PerFilterConfigs,
}

/// `envoy.config.route.v3.VirtualHost.TlsRequirementType`: who is sent to https.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsRequirement {
    /// `NONE`: nobody.
    None,
    /// `EXTERNAL_ONLY`: requests that are not internal.
    ExternalOnly,
    /// `ALL`: everybody.
    All,
}

impl VirtualHost {
    /// What the virtual host and its routes say of HTTP filters.
    pub(super) fn per_filter_configs_of_all_levels(
        &self,
    ) -> impl Iterator<Item = &PerFilterConfigs> {
        once(&self.per_filter_configs)
            .chain(self.routes.iter().flat_map(Route::per_filter_configs_of_all_levels))
    }

    pub(super) fn list_from_wire(
        wire: &[wire::VirtualHost],
        scope: &Scope<'_>,
        at: &At<'_>,
    ) -> Vec<Self> {
        let at = at.field("virtual_hosts");
        let (mut names, mut domains) = (HashSet::new(), HashMap::new());
        let mut hosts = Vec::with_capacity(wire.len());
        for (index, wire) in wire.iter().enumerate() {
            let at = at.index(index);
            if !names.insert(wire.name.as_str()) {
                at.field("name").warn(
                    Note::from(format!("virtual host name '{}' is used twice", wire.name))
                        .help("give each virtual host a name of its own: stats go by it"),
                );
            }
            hosts.push(Self::from_wire(wire, index, scope, &mut domains, &at));
        }
        hosts
    }

    fn from_wire(
        wire: &wire::VirtualHost,
        index: usize,
        scope: &Scope<'_>,
        domains: &mut HashMap<String, usize>,
        at: &At<'_>,
    ) -> Self {
        let (request_headers, response_headers) = header_mutations!(wire, at);
        Self {
            name: wire.name.clone(),
            domains: Domain::list_from_wire(&wire.domains, index, domains, scope, at),
            routes: Route::list_from_wire(&wire.routes, scope, at),
            virtual_clusters: VirtualCluster::list_from_wire(&wire.virtual_clusters, at),
            require_tls: match wire.require_tls() {
                WireTlsRequirement::None => TlsRequirement::None,
                WireTlsRequirement::ExternalOnly => TlsRequirement::ExternalOnly,
                WireTlsRequirement::All => TlsRequirement::All,
            },
            request_headers,
            response_headers,
            include_request_attempt_count: wire.include_request_attempt_count,
            include_is_timeout_retry_header: wire.include_is_timeout_retry_header,
            include_attempt_count_in_response: wire.include_attempt_count_in_response,
            retry_policy: RetryPolicy::from_wire(wire.retry_policy.as_ref(), at),
            hedge_policy: wire.hedge_policy.as_ref().map(HedgePolicy::from_wire),
            request_body_buffer_limit: {
                #[expect(deprecated, reason = "Envoy still reads the older field")]
                let older = wire.per_request_buffer_limit_bytes.as_ref();
                buffer_limit(wire.request_body_buffer_limit.as_ref(), older)
            },
            request_mirror_policies: RequestMirrorPolicy::list_from_wire(
                &wire.request_mirror_policies,
                scope,
                at,
            ),
            rate_limits: RateLimit::list_of_level(&wire.rate_limits, scope, at),
            metadata: Metadata::from_wire(wire.metadata.as_ref()),
            per_filter_configs: scope.per_filter_configs(&wire.typed_per_filter_config, at),
        }
    }
}
