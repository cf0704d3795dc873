//! The `location` of a redirect.

use ringmain_config::route::RedirectAction;
use ringmain_proto_codec::{HeaderMap, KnownHeader};

/// Writes the absolute URI that `redirect` sends the client of `headers` to; `new_path` is the path
/// that it wants, empty for the request's own.
pub fn redirect_location(
    redirect: &RedirectAction,
    new_path: &[u8],
    headers: &HeaderMap,
    location: &mut Vec<u8>,
) {
    let request_scheme = headers.get(KnownHeader::Scheme).unwrap_or(b"http");
    let scheme = redirect.scheme.as_deref().map_or(request_scheme, str::as_bytes);
    location.extend_from_slice(scheme);
    location.extend_from_slice(b"://");
    write_host_and_port(redirect, headers, scheme, request_scheme, location);
    write_target(redirect, new_path, headers, location);
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

/// The new path, if there is one, or the request's, which a rewrite has changed already. A query that
/// the new path brings takes the place of the request's and is never stripped.
fn write_target(
    redirect: &RedirectAction,
    new_path: &[u8],
    headers: &HeaderMap,
    location: &mut Vec<u8>,
) {
    let target = headers.get(KnownHeader::Path).unwrap_or_default();
    let query_at = memchr::memchr(b'?', target).unwrap_or(target.len());
    let (path, query) = target.split_at(query_at);
    let path = if new_path.is_empty() { path } else { new_path };
    if !path.starts_with(b"/") {
        location.push(b'/');
    }
    location.extend_from_slice(path);
    let brings_query = new_path.contains(&b'?');
    if !redirect.strip_query && !brings_query {
        location.extend_from_slice(query);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(redirect: &RedirectAction, new_path: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.set(KnownHeader::Path, b"/old?q=1");
        let mut location = Vec::new();
        write_target(redirect, new_path.as_bytes(), &headers, &mut location);
        String::from_utf8(location).expect("text")
    }

    #[test]
    fn a_new_path_may_bring_its_query() {
        let stays = RedirectAction::NOWHERE;
        assert_eq!(target(&stays, ""), "/old?q=1");
        assert_eq!(target(&stays, "/new"), "/new?q=1");
        assert_eq!(target(&stays, "new?x"), "/new?x");
        let strips = RedirectAction { strip_query: true, ..stays };
        assert_eq!(target(&strips, ""), "/old");
        assert_eq!(target(&strips, "/new"), "/new");
        assert_eq!(target(&strips, "/new?x"), "/new?x");
    }

    #[test]
    fn a_default_port_goes_with_its_scheme() {
        assert!(drops_port(b":80", b"https", b"http") && drops_port(b":443", b"http", b"https"));
        assert!(!drops_port(b":80", b"http", b"http") && !drops_port(b":8080", b"https", b"http"));
    }

    #[test]
    fn an_ipv6_literal_keeps_its_colons() {
        assert_eq!(split_port(b"[::1]:80"), (&b"[::1]"[..], &b":80"[..]));
        assert_eq!(split_port(b"[::1]"), (&b"[::1]"[..], &b""[..]));
        assert_eq!(split_port(b"a:80"), (&b"a"[..], &b":80"[..]));
    }
}
