//! Route configurations (`envoy.config.route.v3`).

use std::collections::HashSet;
use std::time::Duration;

use envoy_types::pb::envoy::config::route::v3 as wire;
use wire::redirect_action::{
    PathRewriteSpecifier, RedirectResponseCode as WireStatus, SchemeRewriteSpecifier,
};
use wire::route_action::{
    ClusterNotFoundResponseCode as WireNotFound, ClusterSpecifier, HostRewriteSpecifier,
};
use wire::route_match::PathSpecifier;

use crate::cluster::ClusterNames;
use crate::data_source;
use crate::duration;
use crate::header_mutation::{HeaderMutations, Side};
use crate::report::At;

const TIMEOUT: Duration = Duration::from_secs(15);
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
    /// `most_specific_header_mutations_wins`, default false: the widest level acts last.
    pub most_specific_header_mutations_wins: bool,
}

/// `envoy.config.route.v3.VirtualHost`.
#[derive(Debug, Clone)]
pub struct VirtualHost {
    /// `name`.
    pub name: String,
    /// `domains`, lower case.
    pub domains: Vec<Domain>,
    /// `routes`: the first that matches wins.
    pub routes: Vec<Route>,
    /// `request_headers_to_add`, `request_headers_to_remove`.
    pub request_headers: HeaderMutations,
    /// `response_headers_to_add`, `response_headers_to_remove`.
    pub response_headers: HeaderMutations,
    /// `include_request_attempt_count`, default false.
    pub include_request_attempt_count: bool,
    /// `include_attempt_count_in_response`, default false.
    pub include_attempt_count_in_response: bool,
}

/// One entry of `domains`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Domain {
    /// `www.foo.com`.
    Exact(String),
    /// `*.foo.com`, `*-bar.foo.com`: holds what follows the `*`.
    Suffix(String),
    /// `foo.*`, `foo-*`: holds what precedes the `*`.
    Prefix(String),
    /// `*`.
    Any,
}

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
}

/// `envoy.config.route.v3.RouteMatch`.
#[derive(Debug, Clone)]
pub struct RouteMatch {
    /// `prefix` or `path`.
    pub path: PathMatch,
    /// `case_sensitive`, default true.
    pub case_sensitive: bool,
}

/// The path part of a match; the query string is never looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathMatch {
    /// `prefix`.
    Prefix(String),
    /// `path`.
    Exact(String),
}

/// What a matched route does.
#[derive(Debug, Clone)]
pub enum Action {
    /// `route`.
    Route(RouteAction),
    /// `redirect`.
    Redirect(RedirectAction),
    /// `direct_response`.
    DirectResponse(DirectResponse),
    /// `non_forwarding_action`.
    NonForwarding,
}

/// `envoy.config.route.v3.RouteAction`.
#[derive(Debug, Clone)]
pub struct RouteAction {
    /// `cluster`, as an index into `Bootstrap::clusters`; `None` when the name is unknown and
    /// `validate_clusters` is false.
    pub cluster: Option<usize>,
    /// `cluster` as written.
    pub cluster_name: String,
    /// `cluster_not_found_response_code`: 503 (default), 404 or 500.
    pub cluster_not_found_status: u16,
    /// `timeout`, default 15 s; `None` is 0, off.
    pub timeout: Option<Duration>,
    /// `idle_timeout`; absent means the manager's `stream_idle_timeout`, `Some(None)` is 0, off.
    pub idle_timeout: Option<Option<Duration>>,
    /// `prefix_rewrite`; `None` when absent or empty.
    pub prefix_rewrite: Option<String>,
    /// `host_rewrite_literal`.
    pub host_rewrite_literal: Option<String>,
    /// `append_x_forwarded_host`, default false.
    pub append_x_forwarded_host: bool,
}

/// `envoy.config.route.v3.RedirectAction`.
#[derive(Debug, Clone)]
pub struct RedirectAction {
    /// `https_redirect: true` gives `https`, else `scheme_redirect`.
    pub scheme: Option<String>,
    /// `host_redirect`.
    pub host: Option<String>,
    /// `port_redirect`.
    pub port: Option<u16>,
    /// `path_redirect` or `prefix_rewrite`.
    pub path: Option<RedirectPath>,
    /// `strip_query`, default false.
    pub strip_query: bool,
    /// `response_code`, default 301.
    pub status: u16,
}

/// How a redirect changes the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedirectPath {
    /// `path_redirect`: the whole path; it may bring a query of its own.
    Path(String),
    /// `prefix_rewrite`: replaces what the route matched.
    PrefixRewrite(String),
}

/// `envoy.config.route.v3.DirectResponseAction`.
#[derive(Debug, Clone)]
pub struct DirectResponse {
    /// `status`, 200 to 599.
    pub status: u16,
    /// `body`, read at load; at most `max_direct_response_body_size_bytes` (4096).
    pub body: Vec<u8>,
}

/// What the routes of a configuration have in common.
struct Scope<'a> {
    clusters: &'a ClusterNames<'a>,
    validate_clusters: bool,
    direct_response_body_bytes_max: usize,
}

/// The header mutations of a message, which have the same fields on every level.
macro_rules! header_mutations {
    ($wire:expr, $at:expr) => {
        (
            HeaderMutations::from_wire(
                &$wire.request_headers_to_add,
                &$wire.request_headers_to_remove,
                Side::Request,
                $at,
            ),
            HeaderMutations::from_wire(
                &$wire.response_headers_to_add,
                &$wire.response_headers_to_remove,
                Side::Response,
                $at,
            ),
        )
    };
}

impl RouteConfiguration {
    pub(crate) fn from_wire(
        wire: &wire::RouteConfiguration,
        clusters: &ClusterNames<'_>,
        at: &At<'_>,
    ) -> Self {
        let scope = Scope {
            clusters,
            validate_clusters: wire.validate_clusters.is_none_or(|validate| validate.value),
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
            most_specific_header_mutations_wins: wire.most_specific_header_mutations_wins,
        }
    }
}

impl VirtualHost {
    fn list_from_wire(wire: &[wire::VirtualHost], scope: &Scope<'_>, at: &At<'_>) -> Vec<Self> {
        let at = at.field("virtual_hosts");
        let (mut names, mut domains) = (HashSet::new(), HashSet::new());
        let mut hosts = Vec::with_capacity(wire.len());
        for (index, wire) in wire.iter().enumerate() {
            let at = at.index(index);
            if !names.insert(wire.name.as_str()) {
                at.field("name").warn(format!("virtual host name '{}' is used twice", wire.name));
            }
            hosts.push(Self::from_wire(wire, scope, &mut domains, &at));
        }
        hosts
    }

    fn from_wire(
        wire: &wire::VirtualHost,
        scope: &Scope<'_>,
        domains: &mut HashSet<String>,
        at: &At<'_>,
    ) -> Self {
        let (request_headers, response_headers) = header_mutations!(wire, at);
        let routes = at.field("routes");
        let route = |(index, route)| Route::from_wire(route, scope, &routes.index(index));
        Self {
            name: wire.name.clone(),
            domains: Domain::list_from_wire(&wire.domains, domains, at),
            routes: wire.routes.iter().enumerate().filter_map(route).collect(),
            request_headers,
            response_headers,
            include_request_attempt_count: wire.include_request_attempt_count,
            include_attempt_count_in_response: wire.include_attempt_count_in_response,
        }
    }
}

impl Domain {
    /// Domains in lower case, none of which may be among `others`, those of other virtual hosts.
    fn list_from_wire(wire: &[String], others: &mut HashSet<String>, at: &At<'_>) -> Vec<Self> {
        let at = at.field("domains");
        let mut domains = Vec::with_capacity(wire.len());
        for (index, domain) in wire.iter().enumerate() {
            let domain = domain.to_ascii_lowercase();
            domains.push(Self::new(&domain));
            if others.contains(&domain) {
                at.index(index).error(match domain.as_str() {
                    "*" => "only one virtual host may have the domain '*'".to_owned(),
                    _ => format!("duplicate domain '{domain}'"),
                });
            }
            others.insert(domain);
        }
        domains
    }

    /// A domain by where its `*` is; anywhere else than at an end it is a letter like others.
    fn new(domain: &str) -> Self {
        if domain == "*" {
            Self::Any
        } else if let Some(rest) = domain.strip_prefix('*') {
            Self::Suffix(rest.to_owned())
        } else if let Some(rest) = domain.strip_suffix('*') {
            Self::Prefix(rest.to_owned())
        } else {
            Self::Exact(domain.to_owned())
        }
    }
}

impl Route {
    fn from_wire(wire: &wire::Route, scope: &Scope<'_>, at: &At<'_>) -> Option<Self> {
        let (request_headers, response_headers) = header_mutations!(wire, at);
        let matcher = RouteMatch::from_wire(wire.r#match.as_ref()?, &at.field("match"));
        let action = Action::from_wire(wire.action.as_ref(), scope, at);
        Some(Self {
            name: wire.name.clone(),
            matcher: matcher?,
            action: action?,
            request_headers,
            response_headers,
        })
    }
}

impl RouteMatch {
    fn from_wire(wire: &wire::RouteMatch, at: &At<'_>) -> Option<Self> {
        let path = match &wire.path_specifier {
            Some(PathSpecifier::Prefix(prefix)) => PathMatch::Prefix(prefix.clone()),
            Some(PathSpecifier::Path(path)) => PathMatch::Exact(path.clone()),
            _ => {
                at.error_at_key("one of prefix, path is required");
                return None;
            }
        };
        Some(Self { path, case_sensitive: wire.case_sensitive.is_none_or(|case| case.value) })
    }
}

impl Action {
    fn from_wire(
        wire: Option<&wire::route::Action>,
        scope: &Scope<'_>,
        at: &At<'_>,
    ) -> Option<Self> {
        match wire {
            Some(wire::route::Action::Route(route)) => {
                RouteAction::from_wire(route, scope, &at.field("route")).map(Self::Route)
            }
            Some(wire::route::Action::Redirect(redirect)) => {
                RedirectAction::from_wire(redirect, &at.field("redirect")).map(Self::Redirect)
            }
            Some(wire::route::Action::DirectResponse(response)) => {
                DirectResponse::from_wire(response, scope, &at.field("direct_response"))
                    .map(Self::DirectResponse)
            }
            Some(wire::route::Action::NonForwardingAction(_)) => Some(Self::NonForwarding),
            _ => {
                at.error_at_key("one of route, redirect, direct_response is required");
                None
            }
        }
    }
}

impl RouteAction {
    fn from_wire(wire: &wire::RouteAction, scope: &Scope<'_>, at: &At<'_>) -> Option<Self> {
        let Some(ClusterSpecifier::Cluster(name)) = &wire.cluster_specifier else {
            at.error_at_key("'cluster' is required");
            return None;
        };
        let cluster = scope.clusters.index(name);
        if cluster.is_none() && scope.validate_clusters {
            at.field("cluster").error(scope.clusters.unknown("route", name));
        }
        let idle_timeout = wire.idle_timeout.as_ref();
        Some(Self {
            cluster,
            cluster_name: name.clone(),
            cluster_not_found_status: match wire.cluster_not_found_response_code() {
                WireNotFound::ServiceUnavailable => 503,
                WireNotFound::NotFound => 404,
                WireNotFound::InternalServerError => 500,
            },
            timeout: duration::or_off(wire.timeout.as_ref(), Some(TIMEOUT), at, "timeout"),
            idle_timeout: idle_timeout
                .map(|timeout| duration::or_off(Some(timeout), None, at, "idle_timeout")),
            prefix_rewrite: non_empty(&wire.prefix_rewrite),
            host_rewrite_literal: match &wire.host_rewrite_specifier {
                Some(HostRewriteSpecifier::HostRewriteLiteral(host)) => non_empty(host),
                _ => None,
            },
            append_x_forwarded_host: wire.append_x_forwarded_host,
        })
    }
}

impl RedirectAction {
    fn from_wire(wire: &wire::RedirectAction, at: &At<'_>) -> Option<Self> {
        let Ok(port) = u16::try_from(wire.port_redirect) else {
            at.field("port_redirect").error(format!("{} is no port", wire.port_redirect));
            return None;
        };
        Some(Self {
            scheme: match &wire.scheme_rewrite_specifier {
                Some(SchemeRewriteSpecifier::HttpsRedirect(true)) => Some("https".to_owned()),
                Some(SchemeRewriteSpecifier::SchemeRedirect(scheme)) => non_empty(scheme),
                _ => None,
            },
            host: non_empty(&wire.host_redirect),
            port: Some(port).filter(|port| *port != 0),
            path: match &wire.path_rewrite_specifier {
                Some(PathRewriteSpecifier::PathRedirect(path)) => {
                    non_empty(path).map(RedirectPath::Path)
                }
                Some(PathRewriteSpecifier::PrefixRewrite(prefix)) => {
                    non_empty(prefix).map(RedirectPath::PrefixRewrite)
                }
                _ => None,
            },
            strip_query: wire.strip_query,
            status: match wire.response_code() {
                WireStatus::MovedPermanently => 301,
                WireStatus::Found => 302,
                WireStatus::SeeOther => 303,
                WireStatus::TemporaryRedirect => 307,
                WireStatus::PermanentRedirect => 308,
            },
        })
    }
}

impl DirectResponse {
    fn from_wire(
        wire: &wire::DirectResponseAction,
        scope: &Scope<'_>,
        at: &At<'_>,
    ) -> Option<Self> {
        let at_body = at.field("body");
        let body = match &wire.body {
            Some(source) => data_source::read(source, &at_body)?,
            None => Vec::new(),
        };
        let bytes_max = scope.direct_response_body_bytes_max;
        if body.len() > bytes_max {
            at_body
                .error_at_key(format!("body has {} bytes, at most {bytes_max} may be", body.len()));
        }
        // The field rules have seen to its range.
        Some(Self { status: u16::try_from(wire.status).ok()?, body })
    }
}

fn non_empty(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_by_where_their_star_is() {
        assert_eq!(Domain::new("a.b"), Domain::Exact("a.b".into()));
        assert_eq!(Domain::new("*.a.b"), Domain::Suffix(".a.b".into()));
        assert_eq!(Domain::new("a.*"), Domain::Prefix("a.".into()));
        assert_eq!(Domain::new("a*b"), Domain::Exact("a*b".into()));
        assert_eq!(Domain::new("*"), Domain::Any);
    }
}
