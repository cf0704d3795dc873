//! Route configurations (`envoy.config.route.v3`).

use std::time::Duration;

use crate::header_mutation::HeaderMutations;

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
