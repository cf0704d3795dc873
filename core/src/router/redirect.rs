//! The `location` of a redirect.

use ringmain_config::route::{RedirectAction, RedirectPath, Route};
use ringmain_proto_codec::{HeaderMap, KnownHeader};

use super::path_rewrite::matched_length;
use super::route_table::path_of;

/// Writes the absolute URI that `redirect` sends the client of `headers` to.
pub fn redirect_location(
    redirect: &RedirectAction,
    route: &Route,
    headers: &HeaderMap,
    location: &mut Vec<u8>,
) {
    let request_scheme = headers.get(KnownHeader::Scheme).unwrap_or(b"http");
    let scheme = redirect.scheme.as_deref().map_or(request_scheme, str::as_bytes);
    location.extend_from_slice(scheme);
    location.extend_from_slice(b"://");
    write_host_and_port(redirect, headers, scheme, request_scheme, location);
    write_target(redirect, route, headers, location);
}

/// A port in the authority survives unless the scheme changes away from the one it is the default
/// of; `port_redirect` replaces it.
fn write_host_and_port(
    redirect: &RedirectAction,
    headers: &HeaderMap,
    scheme: &[u8],
    request_scheme: &[u8],
    location: &mut Vec<u8>,
) {
    let authority = headers.get(KnownHeader::Authority).unwrap_or_default();
    let (host, port) = split_port(authority);
    location.extend_from_slice(redirect.host.as_deref().map_or(host, str::as_bytes));
    if let Some(port) = redirect.port {
        location.push(b':');
        location.extend_from_slice(port.to_string().as_bytes());
    } else if redirect.host.is_none() && !drops_port(port, scheme, request_scheme) {
        location.extend_from_slice(port);
    }
}

fn drops_port(port: &[u8], scheme: &[u8], request_scheme: &[u8]) -> bool {
    match port {
        b":80" => request_scheme == b"http" && scheme == b"https",
        b":443" => request_scheme == b"https" && scheme == b"http",
        _ => false,
    }
}

/// `host:8080` as `host` and `:8080`; an IPv6 literal keeps its colons.
fn split_port(authority: &[u8]) -> (&[u8], &[u8]) {
    let after_bracket = memchr::memchr(b']', authority).unwrap_or(0);
    match memchr::memrchr(b':', &authority[after_bracket..]) {
        Some(at) => authority.split_at(after_bracket + at),
        None => (authority, b""),
    }
}

fn write_target(
    redirect: &RedirectAction,
    route: &Route,
    headers: &HeaderMap,
    location: &mut Vec<u8>,
) {
    let target = headers.get(KnownHeader::Path).unwrap_or_default();
    let path = path_of(target);
    let query = &target[path.len()..];
    let mut brings_query = false;
    match &redirect.path {
        None => location.extend_from_slice(path),
        Some(RedirectPath::Path(new_path)) => {
            brings_query = new_path.contains('?');
            location.extend_from_slice(new_path.as_bytes());
        }
        Some(RedirectPath::PrefixRewrite(prefix)) => {
            location.extend_from_slice(prefix.as_bytes());
            location.extend_from_slice(&path[matched_length(&route.matcher.path, path)..]);
        }
    }
    if !redirect.strip_query && !brings_query {
        location.extend_from_slice(query);
    }
}
