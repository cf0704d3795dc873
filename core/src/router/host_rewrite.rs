//! Rewriting the host of a request before it goes upstream.

use ringmain_config::route::{HostRewrite, RouteAction};
use ringmain_proto_codec::{HeaderMap, KnownHeader};

use super::route_table::path_of;
use crate::access_log::render_text;
use crate::http::ConnectionManager;
use crate::http::exchange::Exchange;
use crate::http::request_headers::append_to_list;
use crate::server::Compiled;

/// Gives the request the host that the route wants for it, if it wants one.
pub fn rewrite_host(
    action: &RouteAction,
    manager: &ConnectionManager,
    compiled: &Compiled,
    exchange: &mut Exchange,
) {
    let Some(rewrite) = &action.host_rewrite else { return };
    let mut host = std::mem::take(&mut exchange.scratch);
    host.clear();
    match rewrite {
        HostRewrite::Format(format) => {
            // Unlike in a path, what is missing is written as `-`.
            render_text(format, exchange, manager, compiled, &mut host);
            host.retain(|byte| !matches!(byte, b'\r' | b'\n' | 0));
        }
        _ => write_host(rewrite, &exchange.request.headers, &mut host),
    }
    if !host.is_empty() {
        let suppress = manager.config.router.suppress_envoy_headers;
        set_host(&host, action.append_x_forwarded_host, suppress, &mut exchange.request.headers);
    }
    exchange.scratch = host;
}

fn write_host(rewrite: &HostRewrite, headers: &HeaderMap, host: &mut Vec<u8>) {
    match rewrite {
        HostRewrite::Literal(literal) => host.extend_from_slice(literal.as_bytes()),
        HostRewrite::Header(name) => {
            host.extend_from_slice(headers.get_by_name(name.as_bytes()).unwrap_or_default());
        }
        HostRewrite::PathRegex(regex) => {
            let target = headers.get(KnownHeader::Path).unwrap_or_default();
            regex.rewrite(path_of(target), host);
        }
        HostRewrite::Format(_) => {}
    }
}

/// Replaces the host by `host`. What was there before is told in `x-envoy-original-host`, unless
/// `suppress_envoy_headers`, and in `x-forwarded-host` where `append`.
pub fn set_host(host: &[u8], append: bool, suppress_envoy_headers: bool, headers: &mut HeaderMap) {
    if !suppress_envoy_headers {
        headers.copy(KnownHeader::Authority, KnownHeader::XEnvoyOriginalHost);
    }
    let before: smallvec::SmallVec<[u8; 128]> =
        headers.get(KnownHeader::Authority).unwrap_or_default().into();
    // Whoever has appended it before us has told enough.
    if append && last_forwarded(headers) != Some(&before[..]) {
        append_to_list(headers, KnownHeader::XForwardedHost, b",", &before);
    }
    headers.set(KnownHeader::Authority, host);
}

fn last_forwarded(headers: &HeaderMap) -> Option<&[u8]> {
    headers
        .get(KnownHeader::XForwardedHost)?
        .rsplit(|byte| *byte == b',')
        .find(|part| !part.is_empty())
}

/// `auto_host_rewrite`, which waits for the choice of the upstream host.
#[derive(Debug, Clone, Copy)]
pub struct AutoHostRewrite {
    /// `append_x_forwarded_host`.
    pub append_x_forwarded_host: bool,
    /// `suppress_envoy_headers`.
    pub suppress_envoy_headers: bool,
}

impl AutoHostRewrite {
    /// Gives the request the name of the upstream host.
    /// `replayed`: the request has been here and told what was there before.
    pub fn apply(self, hostname: &str, replayed: bool, headers: &mut HeaderMap) {
        if hostname.is_empty() {
            return;
        }
        let append = self.append_x_forwarded_host && !replayed;
        let quiet = self.suppress_envoy_headers || replayed;
        set_host(hostname.as_bytes(), append, quiet, headers);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name.as_bytes(), value.as_bytes());
        }
        headers
    }

    #[test]
    fn the_host_before_is_told() {
        let mut headers = headers(&[(":authority", "a"), ("x-forwarded-host", "y")]);
        set_host(b"b", true, false, &mut headers);
        assert_eq!(headers.get(KnownHeader::Authority), Some(&b"b"[..]));
        assert_eq!(headers.get(KnownHeader::XEnvoyOriginalHost), Some(&b"a"[..]));
        assert_eq!(headers.get(KnownHeader::XForwardedHost), Some(&b"y,a"[..]));
    }

    #[test]
    fn a_host_that_was_forwarded_last_is_not_appended_again() {
        let mut headers = headers(&[(":authority", "a"), ("x-forwarded-host", "y,a")]);
        set_host(b"b", true, false, &mut headers);
        assert_eq!(headers.get(KnownHeader::XForwardedHost), Some(&b"y,a"[..]));
    }

    #[test]
    fn a_host_without_a_name_leaves_the_request_its_own() {
        let auto = AutoHostRewrite { append_x_forwarded_host: true, suppress_envoy_headers: false };
        let mut headers = headers(&[(":authority", "a")]);
        auto.apply("", false, &mut headers);
        assert_eq!(headers.get(KnownHeader::Authority), Some(&b"a"[..]));
        auto.apply("b", false, &mut headers);
        auto.apply("c", true, &mut headers);
        assert_eq!(headers.get(KnownHeader::Authority), Some(&b"c"[..]));
        assert_eq!(headers.get(KnownHeader::XEnvoyOriginalHost), Some(&b"a"[..]));
        assert_eq!(headers.get(KnownHeader::XForwardedHost), Some(&b"a"[..]));
    }

    #[test]
    fn nothing_is_told_that_is_suppressed() {
        let mut headers = headers(&[(":authority", "a")]);
        set_host(b"b", false, true, &mut headers);
        assert!(!headers.contains(KnownHeader::XEnvoyOriginalHost));
        assert!(!headers.contains(KnownHeader::XForwardedHost));
    }

    #[test]
    fn the_host_may_stand_in_a_header() {
        let mut host = Vec::new();
        let from = headers(&[("x-host", "b"), ("x-host", "c")]);
        write_host(&HostRewrite::Header("x-host".into()), &from, &mut host);
        assert_eq!(host, b"b");
        host.clear();
        write_host(&HostRewrite::Header("x-none".into()), &from, &mut host);
        assert_eq!(host, b"");
    }
}
