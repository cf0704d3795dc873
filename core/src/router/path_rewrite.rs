//! Rewriting path and host of a request before it goes upstream.

use ringmain_config::route::{PathMatch, Route, RouteAction};
use ringmain_proto_codec::{HeaderMap, KnownHeader};

use super::route_table::path_of;
use crate::http::request_headers::append_to_list;

/// Applies `prefix_rewrite` and `host_rewrite_literal`, and says what was there before in
/// `x-envoy-original-path` and `x-envoy-original-host` unless `suppress_envoy_headers`.
pub fn rewrite_request(
    route: &Route,
    action: &RouteAction,
    headers: &mut HeaderMap,
    suppress_envoy_headers: bool,
    scratch: &mut Vec<u8>,
) {
    if let Some(host) = &action.host_rewrite_literal {
        rewrite_host(host.as_bytes(), action, headers, suppress_envoy_headers, scratch);
    }
    if let Some(prefix) = &action.prefix_rewrite {
        rewrite_path(prefix.as_bytes(), route, headers, suppress_envoy_headers, scratch);
    }
}

fn rewrite_host(
    host: &[u8],
    action: &RouteAction,
    headers: &mut HeaderMap,
    suppress_envoy_headers: bool,
    scratch: &mut Vec<u8>,
) {
    scratch.clear();
    scratch.extend_from_slice(headers.get(KnownHeader::Authority).unwrap_or_default());
    if !suppress_envoy_headers {
        headers.set(KnownHeader::XEnvoyOriginalHost, scratch);
    }
    if action.append_x_forwarded_host {
        append_to_list(headers, KnownHeader::XForwardedHost, b",", scratch);
    }
    headers.set(KnownHeader::Authority, host);
}

fn rewrite_path(
    prefix: &[u8],
    route: &Route,
    headers: &mut HeaderMap,
    suppress_envoy_headers: bool,
    scratch: &mut Vec<u8>,
) {
    scratch.clear();
    let target = headers.get(KnownHeader::Path).unwrap_or_default();
    scratch.extend_from_slice(prefix);
    scratch.extend_from_slice(&target[matched_length(&route.matcher.path, target)..]);
    if !suppress_envoy_headers {
        let original = target.to_vec();
        headers.set(KnownHeader::XEnvoyOriginalPath, &original);
    }
    headers.set(KnownHeader::Path, scratch);
}

/// How many bytes of `target` the route's path specifier covered: all of the path, unless it speaks of
/// a prefix.
pub fn matched_length(path: &PathMatch, target: &[u8]) -> usize {
    match path {
        PathMatch::Prefix(prefix) | PathMatch::SeparatedPrefix(prefix) => {
            prefix.len().min(target.len())
        }
        PathMatch::Exact(_) | PathMatch::Regex(_) | PathMatch::Template(_) | PathMatch::Connect => {
            path_of(target).len()
        }
    }
}
