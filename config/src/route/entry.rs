//! One entry of a virtual host's `routes`.

use std::iter::once;

use envoy_types::pb::envoy::config::route::v3 as wire;

use super::{Action, ClusterSpecifier, PathMatch, RouteMatch, Scope, buffer_limit, non_empty};
use crate::header_mutation::HeaderMutations;
use crate::http_filter::PerFilterConfigs;
use crate::metadata::Metadata;
use crate::report::{At, Note};

/// `envoy.config.route.v3.Route`.
#[derive(Debug, Clone)]
pub struct Route {
    /// `name`.
    pub name: String,
    /// `match`.
    pub matcher: RouteMatch,
    /// `route`, `redirect` or `direct_response`.
    pub action: Action,
    /// `request_headers_to_add`, `request_headers_to_remove`.
    pub request_headers: HeaderMutations,
    /// `response_headers_to_add`, `response_headers_to_remove`.
    pub response_headers: HeaderMutations,
    /// `request_body_buffer_limit` or `per_request_buffer_limit_bytes`.
    pub request_body_buffer_limit: Option<u64>,
    /// `metadata`.
    pub metadata: Metadata,
    /// `typed_per_filter_config`.
    pub per_filter_configs: PerFilterConfigs,
    /// `stat_prefix`: requests of the route are counted under it.
    pub stat_prefix: Option<String>,
}

impl Route {
    /// Whether it sends requests to a cluster.
    pub fn forwards(&self) -> bool {
        matches!(self.action, Action::Route(_))
    }

    /// Reads the field `routes`.
    pub(super) fn list_from_wire(
        wire: &[wire::Route],
        scope: &Scope<'_>,
        at: &At<'_>,
    ) -> Vec<Self> {
        let at = at.field("routes");
        let mut routes = Vec::with_capacity(wire.len());
        let mut catch_all = None;
        for (index, wire) in wire.iter().enumerate() {
            let at = at.index(index);
            let Some(route) = Self::from_wire(wire, scope, &at) else { continue };
            match catch_all {
                None if route.matcher.takes_every_path() => catch_all = Some(index),
                // Requests to connect have no path.
                Some(earlier) if route.matcher.path != PathMatch::Connect => {
                    at.warn(
                        Note::from(format!(
                            "is never reached: routes[{earlier}] takes every request"
                        ))
                        .help(format!("move it before routes[{earlier}], or remove it")),
                    );
                }
                _ => {}
            }
            routes.push(route);
        }
        routes
    }

    /// What the route and its weighted clusters say of HTTP filters.
    pub(super) fn per_filter_configs_of_all_levels(
        &self,
    ) -> impl Iterator<Item = &PerFilterConfigs> {
        let clusters = match &self.action {
            Action::Route(action) => match &action.cluster {
                ClusterSpecifier::Weighted(weighted) => &weighted.clusters[..],
                _ => &[],
            },
            _ => &[],
        };
        let of_clusters = clusters.iter().map(|cluster| &cluster.per_filter_configs);
        once(&self.per_filter_configs).chain(of_clusters)
    }

    fn from_wire(wire: &wire::Route, scope: &Scope<'_>, at: &At<'_>) -> Option<Self> {
        let (request_headers, response_headers) = header_mutations!(wire, at);
        let matcher = RouteMatch::from_wire(wire.r#match.as_ref()?, &at.field("match"));
        let action = Action::from_wire(
            wire.action.as_ref(),
            matcher.as_ref().map(|matcher| &matcher.path),
            scope,
            at,
        );
        Some(Self {
            name: wire.name.clone(),
            matcher: matcher?,
            action: action?,
            request_headers,
            response_headers,
            request_body_buffer_limit: {
                #[expect(deprecated, reason = "Envoy still reads the older field")]
                let older = wire.per_request_buffer_limit_bytes.as_ref();
                buffer_limit(wire.request_body_buffer_limit.as_ref(), older)
            },
            metadata: Metadata::from_wire(wire.metadata.as_ref()),
            per_filter_configs: scope.per_filter_configs(&wire.typed_per_filter_config, at),
            stat_prefix: non_empty(&wire.stat_prefix),
        })
    }
}
