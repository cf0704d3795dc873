//! `envoy.filters.http.cors`: answers preflights and tells browsers which origins may read a response
//! (<https://fetch.spec.whatwg.org/#http-cors-protocol>), by the policies of routes.

use std::sync::Arc;

use ringmain_config::http_filter::CorsPolicy;
use ringmain_proto_codec::{HeaderMap, KnownHeader};

use super::{FilterReply, FilterState, FilterView, ReplyHeaders, RouteFilter, Verdict};
use crate::http::local_reply::LocalReply;
use crate::stats::{PerWorker, Scope, Stat, stats_block};

const REQUEST_PRIVATE_NETWORK: &[u8] = b"access-control-request-private-network";
const ALLOW_PRIVATE_NETWORK: &[u8] = b"access-control-allow-private-network";

/// The answer to a preflight, whose headers the filter writes itself.
const PREFLIGHT: LocalReply =
    LocalReply { status: 200, body: "", details: "cors_response", flag: None };

stats_block! {
    /// `http.<stat_prefix>.cors.`
    CorsStats {
        counters {
            origin_invalid,
            origin_valid,
        }
        gauges {}
    }
}

/// The filter.
#[derive(Debug)]
pub struct CorsFilter {
    stats: PerWorker<CorsStats>,
}

/// The policies of a route's levels, the most specific first: each field is the first one's that
/// has it.
#[derive(Clone, Copy)]
struct Policies<'m>(&'m [Arc<RouteFilter>]);

impl<'m> Policies<'m> {
    fn iter(self) -> impl Iterator<Item = &'m CorsPolicy> {
        self.0.iter().filter_map(|level| match &**level {
            RouteFilter::Cors(policy) => Some(policy),
            _ => None,
        })
    }

    fn text(self, field: impl Fn(&CorsPolicy) -> &String) -> &'m str {
        let texts = self.iter().map(|policy| field(policy).as_str());
        texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
    }

    fn flag(self, field: impl Fn(&CorsPolicy) -> Option<bool>) -> Option<bool> {
        self.iter().find_map(field)
    }

    fn allows_credentials(self) -> bool {
        self.flag(|policy| policy.allow_credentials) == Some(true)
    }

    fn allows_origin(self, origin: &[u8]) -> bool {
        let lists = self.iter().map(|policy| &policy.allow_origin_string_match);
        lists.into_iter().find(|list| !list.is_empty()).is_some_and(|list| {
            list.iter().any(|matcher| {
                // A matcher that takes the text `*` takes every origin.
                matcher.matches(b"*") || matcher.matches(origin)
            })
        })
    }
}

impl CorsFilter {
    pub(super) fn new(workers: usize) -> Self {
        Self { stats: PerWorker::new(workers) }
    }

    pub(super) fn on_request<'m>(&self, view: &mut FilterView<'_, 'm>) -> Verdict<'m> {
        let policies = Policies(view.levels);
        let Some(policy) = policies.iter().next() else { return Verdict::Continue };
        let random = view.exchange.info.random(|| view.worker.random.next());
        let enabled = policy.filter_enabled.includes(random);
        if !(enabled || policy.shadow_enabled.includes(random)) || !view.forwards() {
            return Verdict::Continue;
        }
        let headers = &view.exchange.request.headers;
        let origin = headers.get(KnownHeader::Origin).unwrap_or_default();
        if origin.is_empty() {
            return Verdict::Continue;
        }
        let stats = self.stats.of(view.worker.id);
        let allowed = policies.allows_origin(origin);
        if allowed {
            stats.origin_valid.inc()
        } else {
            stats.origin_invalid.inc()
        }
        if !enabled {
            return Verdict::Continue;
        }
        if allowed {
            let start = view.text.len();
            view.text.extend_from_slice(origin);
            *view.state = FilterState::CorsOrigin(start..view.text.len());
        }
        let forwards = policies.flag(|policy| policy.forward_not_matching_preflights);
        if !is_preflight(headers) || !allowed && forwards != Some(false) {
            return Verdict::Continue;
        }
        let response = &mut view.exchange.response;
        answer_preflight(policies, allowed.then_some(origin), headers, &mut response.headers);
        Verdict::Reply(FilterReply { headers: ReplyHeaders::Ready, ..PREFLIGHT.into() })
    }

    pub(super) fn on_response(view: &mut FilterView<'_, '_>) {
        let FilterState::CorsOrigin(origin) = view.state else { return };
        let policies = Policies(view.levels);
        let headers = &mut view.exchange.response.headers;
        headers.set(KnownHeader::AccessControlAllowOrigin, &view.text[origin.clone()]);
        if policies.allows_credentials() {
            headers.set(KnownHeader::AccessControlAllowCredentials, b"true");
        }
        let exposed = policies.text(|policy| &policy.expose_headers);
        if !exposed.is_empty() {
            headers.set(KnownHeader::AccessControlExposeHeaders, exposed.as_bytes());
        }
    }

    pub(super) fn stats(&self, http: &Scope, stats: &mut Vec<Stat>) {
        http.within("cors").block(&self.stats, stats);
    }
}

/// Whether the browser asks before it sends the request itself.
fn is_preflight(headers: &HeaderMap) -> bool {
    headers.get(KnownHeader::Method) == Some(b"OPTIONS")
        && headers
            .get(KnownHeader::AccessControlRequestMethod)
            .is_some_and(|method| !method.is_empty())
}

/// Writes the headers of the answer; `origin` is the request's where it is allowed.
fn answer_preflight(
    policies: Policies<'_>,
    origin: Option<&[u8]>,
    request: &HeaderMap,
    response: &mut HeaderMap,
) {
    if let Some(origin) = origin {
        response.append_known(KnownHeader::AccessControlAllowOrigin, origin);
    }
    if policies.allows_credentials() {
        response.append_known(KnownHeader::AccessControlAllowCredentials, b"true");
    }
    // What is asked for is what is allowed, where everything is.
    let mut allow = |name, text: &str, asked| match text {
        "" => {}
        "*" => response.append_known(name, request.get(asked).unwrap_or_default()),
        text => response.append_known(name, text.as_bytes()),
    };
    allow(
        KnownHeader::AccessControlAllowMethods,
        policies.text(|policy| &policy.allow_methods),
        KnownHeader::AccessControlRequestMethod,
    );
    allow(
        KnownHeader::AccessControlAllowHeaders,
        policies.text(|policy| &policy.allow_headers),
        KnownHeader::AccessControlRequestHeaders,
    );
    let max_age = policies.text(|policy| &policy.max_age);
    if !max_age.is_empty() {
        response.append_known(KnownHeader::AccessControlMaxAge, max_age.as_bytes());
    }
    let private = policies.flag(|policy| policy.allow_private_network_access);
    if private == Some(true) && request.get_by_name(REQUEST_PRIVATE_NETWORK) == Some(b"true") {
        response.append(ALLOW_PRIVATE_NETWORK, b"true");
    }
}
