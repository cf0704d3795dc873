//! `envoy.filters.http.csrf`: refuses requests that change something and come from pages of other hosts.

use ringmain_config::http_filter::CsrfPolicy;
use ringmain_proto_codec::{HeaderMap, KnownHeader};

use super::{FilterView, RouteFilter, Verdict};
use crate::http::local_reply::LocalReply;
use crate::stats::{PerWorker, Scope, Stat, stats_block};

stats_block! {
    /// `http.<stat_prefix>.csrf.`
    CsrfStats {
        counters {
            missing_source_origin,
            request_invalid,
            request_valid,
        }
        gauges {}
    }
}

/// Methods that change something.
const MODIFYING: [&[u8]; 4] = [b"POST", b"PUT", b"DELETE", b"PATCH"];

const MISMATCH: LocalReply =
    LocalReply { status: 403, body: "Invalid origin", details: "csrf_origin_mismatch", flag: None };

/// The filter.
#[derive(Debug)]
pub struct CsrfFilter {
    policy: CsrfPolicy,
    stats: PerWorker<CsrfStats>,
}

impl CsrfFilter {
    pub(super) fn new(policy: &CsrfPolicy, workers: usize) -> Self {
        Self { policy: policy.clone(), stats: PerWorker::new(workers) }
    }

    pub(super) fn on_request<'m>(&self, view: &mut FilterView<'_, 'm>) -> Verdict<'m> {
        let own = view.levels.iter().find_map(|level| match &**level {
            RouteFilter::Csrf(policy) => Some(policy),
            _ => None,
        });
        let policy = own.unwrap_or(&self.policy);
        let draw = || view.worker.random.next();
        let is_enforced = policy.filter_enabled.includes(draw());
        if !is_enforced && !policy.shadow_enabled.includes(draw()) {
            return Verdict::Continue;
        }
        let headers = &view.exchange.request.headers;
        if !headers.get(KnownHeader::Method).is_some_and(|method| MODIFYING.contains(&method)) {
            return Verdict::Continue;
        }
        let is_valid = self.judge(policy, headers, self.stats.of(view.worker.id));
        if is_valid || !is_enforced { Verdict::Continue } else { Verdict::Reply(MISMATCH.into()) }
    }

    fn judge(&self, policy: &CsrfPolicy, headers: &HeaderMap, stats: &CsrfStats) -> bool {
        let Some(origin) = source_origin(headers) else {
            stats.missing_source_origin.inc();
            return false;
        };
        let is_valid = headers.get(KnownHeader::Authority) == Some(origin)
            || policy.additional_origins.iter().any(|allowed| allowed.matches(origin));
        if is_valid {
            stats.request_valid.inc()
        } else {
            stats.request_invalid.inc()
        }
        is_valid
    }

    pub(super) fn stats(&self, http: &Scope, stats: &mut Vec<Stat>) {
        http.within("csrf").block(&self.stats, stats);
    }
}

/// The host whose page the request comes from. A bad `origin` is not made good by `referer`.
fn source_origin(headers: &HeaderMap) -> Option<&[u8]> {
    let origin = headers.get(KnownHeader::Origin).filter(|origin| !origin.is_empty());
    host_and_port(origin.or_else(|| headers.get(KnownHeader::Referer))?)
}

/// The host and port in a URL, which may come without a scheme.
fn host_and_port(url: &[u8]) -> Option<&[u8]> {
    let start = memchr::memmem::find(url, b"://").map_or(0, |at| at + 3);
    let rest = &url[start..];
    // Envoy takes no URL with a fragment right behind its host.
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#'));
    if end.is_some_and(|end| rest[end] == b'#') {
        return None;
    }
    let authority = &rest[..end.unwrap_or(rest.len())];
    let host = memchr::memrchr(b'@', authority).map_or(authority, |at| &authority[at + 1..]);
    Some(host).filter(|host| !host.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_have_hosts() {
        for (url, host) in [
            ("http://a.com", Some("a.com")),
            ("https://a.com:443/x?y#z", Some("a.com:443")),
            ("a.com", Some("a.com")),
            ("http://u:p@a.com?x", Some("a.com")),
            ("http://[::1]:80", Some("[::1]:80")),
            ("null", Some("null")),
            ("http://a.com#f", None),
            ("http://", None),
            ("", None),
        ] {
            assert_eq!(host_and_port(url.as_bytes()), host.map(str::as_bytes), "{url}");
        }
    }
}
