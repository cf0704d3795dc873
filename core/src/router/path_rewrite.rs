//! Rewriting the path of a request, before it goes upstream or comes back as a redirect.

use ringmain_config::route::{PathMatch, PathRewrite};
use ringmain_proto_codec::{HeaderMap, KnownHeader};

use super::route_table::path_of;
use crate::access_log::write_header_value;
use crate::http::ConnectionManager;
use crate::http::exchange::Exchange;
use crate::server::Compiled;

/// Gives the request the path that `rewrite` makes of its own, of which the route covered `matched`,
/// and says what was there before in `x-envoy-original-path` unless `suppress_envoy_headers`.
pub fn rewrite_path(
    rewrite: &PathRewrite,
    matched: &PathMatch,
    manager: &ConnectionManager,
    compiled: &Compiled,
    exchange: &mut Exchange,
) {
    let mut target = std::mem::take(&mut exchange.scratch);
    target.clear();
    if let PathRewrite::Format(format) = rewrite {
        write_header_value(format, exchange, manager, compiled, &mut target);
    }
    let headers = &mut exchange.request.headers;
    if rewrite_target(rewrite, matched, headers, &mut target) {
        if !manager.config.router.suppress_envoy_headers {
            headers.copy(KnownHeader::Path, KnownHeader::XEnvoyOriginalPath);
        }
        headers.set(KnownHeader::Path, &target);
    }
    exchange.scratch = target;
}

/// Appends the new target to `target`, which holds what a format has come to; false where the
/// target stays as it is.
fn rewrite_target(
    rewrite: &PathRewrite,
    matched: &PathMatch,
    headers: &HeaderMap,
    target: &mut Vec<u8>,
) -> bool {
    let old = headers.get(KnownHeader::Path).unwrap_or_default();
    let path = path_of(old);
    match rewrite {
        PathRewrite::Prefix(prefix) => {
            target.extend_from_slice(prefix.as_bytes());
            target.extend_from_slice(&path[matched_length(matched, path)..]);
        }
        PathRewrite::Regex(regex) => regex.rewrite(path, target),
        PathRewrite::Format(_) => {}
    }
    if target.is_empty() {
        return false;
    }
    target.extend_from_slice(&old[path.len()..]);
    true
}

/// How many bytes of `path` the route's path specifier covered: all of it, unless it speaks of a
/// prefix.
fn matched_length(matched: &PathMatch, path: &[u8]) -> usize {
    match matched {
        PathMatch::Prefix(prefix) | PathMatch::SeparatedPrefix(prefix) => {
            prefix.len().min(path.len())
        }
        PathMatch::Exact(_) | PathMatch::Regex(_) | PathMatch::Template(_) | PathMatch::Connect => {
            path.len()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(rewrite: &PathRewrite, matched: &PathMatch, target: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.set(KnownHeader::Path, target.as_bytes());
        let mut new = Vec::new();
        rewrite_target(rewrite, matched, &headers, &mut new)
            .then(|| String::from_utf8(new).expect("text"))
    }

    #[test]
    fn a_prefix_replaces_what_the_route_matched_and_the_query_stays() {
        let prefix = |text: &str| PathRewrite::Prefix(text.into());
        let matched = PathMatch::Prefix("/old".into());
        let new = |target| rewritten(&prefix("/new"), &matched, target);
        assert_eq!(new("/old/x?q=1").as_deref(), Some("/new/x?q=1"));
        assert_eq!(new("/older").as_deref(), Some("/newer"));
        let exact = PathMatch::Exact("/old".into());
        assert_eq!(rewritten(&prefix("/n"), &exact, "/old?q").as_deref(), Some("/n?q"));
    }
}
