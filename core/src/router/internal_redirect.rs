//! Following a redirect in the client's place (`internal_redirect_policy`).
//!
//! [`follow`] decides about a response whose head has come. Where the redirect is followed, it makes
//! the request's head what the next hop begins with; the upstream's answer is thrown away, and the
//! request is routed again ([`begin_again`]) as if the client had sent it so.

use ringmain_config::route::{InternalRedirectPolicy, RedirectPredicate};
use ringmain_proto_codec::h1::BodyLength;
use ringmain_proto_codec::{HeaderMap, KnownHeader};

use super::look_up::choose;
use super::{Found, RouteRef, RouteRequest, Routes};
use crate::http::codec::downstream::Downstream;
use crate::http::exchange::Exchange;
use crate::stats::scopes::HttpStats;

/// The redirects of one request that were followed.
#[derive(Debug, Default)]
pub struct Redirects {
    count: u32,
    /// From which route to which, for `previous_routes`.
    taken: Vec<(RouteRef, RouteRef)>,
}

impl Redirects {
    /// Whether there were any.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Makes ready for the next request.
    pub fn clear(&mut self) {
        self.count = 0;
        self.taken.clear();
    }
}

/// Why a redirect is passed on to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    NoLocation,
    BadLocation,
    UnsafeScheme,
    TooMany,
    NoRoute,
    Predicate,
}

impl Refusal {
    fn count(self, stats: &HttpStats) {
        match self {
            Self::NoLocation => {}
            Self::BadLocation => stats.passthrough_internal_redirect_bad_location.inc(),
            Self::UnsafeScheme => stats.passthrough_internal_redirect_unsafe_scheme.inc(),
            Self::TooMany => stats.passthrough_internal_redirect_too_many_redirects.inc(),
            Self::NoRoute => stats.passthrough_internal_redirect_no_route.inc(),
            Self::Predicate => stats.passthrough_internal_redirect_predicate.inc(),
        }
    }
}

/// Whether the redirect in `exchange.response` is followed. The request's head is then the next hop's,
/// and the record says where it goes.
pub fn follow(
    policy: &InternalRedirectPolicy,
    downstream: &Downstream<'_>,
    exchange: &mut Exchange,
) -> bool {
    let followed = try_follow(policy, downstream, exchange);
    if let Err(refusal) = followed {
        refusal.count(downstream.stats());
    }
    followed.is_ok()
}

fn try_follow(
    policy: &InternalRedirectPolicy,
    downstream: &Downstream<'_>,
    exchange: &mut Exchange,
) -> Result<(), Refusal> {
    let location = exchange.response.headers.get(KnownHeader::Location);
    let location = Location::parse(location.ok_or(Refusal::NoLocation)?);
    let location = location.ok_or(Refusal::BadLocation)?;
    let headers = &mut exchange.request.headers;
    let from_http = headers.get(KnownHeader::Scheme).is_none_or(|scheme| scheme == b"http");
    let to_http = location.scheme.eq_ignore_ascii_case(b"http");
    if from_http != to_http && !policy.allow_cross_scheme_redirect {
        return Err(Refusal::UnsafeScheme);
    }
    if exchange.redirects.count >= policy.max_internal_redirects {
        return Err(Refusal::TooMany);
    }
    if location.target.starts_with(b"?") {
        // As in Envoy, whose routes are for paths.
        return Err(Refusal::NoRoute);
    }
    let before = headers.clone();
    location.write_to(headers);
    copy_headers(&policy.response_headers_to_copy, &exchange.response.headers, headers);
    let is_unsafe = from_http && !to_http;
    let route = match accept(&policy.predicates, is_unsafe, downstream, exchange) {
        Ok(route) => route,
        Err(refusal) => {
            exchange.request.headers = before;
            return Err(refusal);
        }
    };
    write_request(exchange, &original_url(from_http, &before));
    note_target(route, downstream, exchange);
    Ok(())
}

/// The route that takes the redirected request, unless a predicate is against that; none where
/// `require_tls` does.
fn accept(
    predicates: &[RedirectPredicate],
    is_unsafe: bool,
    downstream: &Downstream<'_>,
    exchange: &mut Exchange,
) -> Result<Option<RouteRef>, Refusal> {
    let routes = &downstream.manager.routes;
    let Exchange { request, info, redirects, .. } = exchange;
    let random = || info.random(|| downstream.worker.random.next());
    let tls = info.downstream_tls.as_deref();
    let asked = RouteRequest { headers: &request.headers, random: &random, tls };
    let target = match routes.find(&asked) {
        Found::Route(route) => Some(route),
        Found::TlsRedirect => None,
        Found::Nothing => return Err(Refusal::NoRoute),
    };
    for predicate in predicates {
        let accepted = match predicate {
            RedirectPredicate::SafeCrossScheme => !is_unsafe,
            RedirectPredicate::AllowListedRoutes(names) => {
                let name = target.map_or("", |target| routes.route(target).name.as_str());
                names.iter().any(|allowed| allowed == name)
            }
            RedirectPredicate::PreviousRoutes => redirects.is_first(info.route, target, routes),
        };
        if !accepted {
            return Err(Refusal::Predicate);
        }
    }
    Ok(target)
}

impl Redirects {
    /// Whether a redirect between routes of these names is the first, which is noted.
    fn is_first(&mut self, from: Option<RouteRef>, to: Option<RouteRef>, routes: &Routes) -> bool {
        let Some((from, to)) = from.zip(to) else { return true };
        let name = |route| routes.route(route).name.as_str();
        let is_known =
            |taken: &(RouteRef, RouteRef)| name(taken.0) == name(from) && name(taken.1) == name(to);
        if self.taken.iter().any(is_known) {
            return false;
        }
        self.taken.push((from, to));
        true
    }
}

/// `response_headers_to_copy`: what the redirect says takes the place of what the request said.
fn copy_headers(names: &[String], response: &HeaderMap, request: &mut HeaderMap) {
    for name in names {
        request.remove_by_name(name.as_bytes());
        for value in response.get_all_by_name(name.as_bytes()) {
            request.append(name.as_bytes(), value);
        }
    }
}

/// Where the request went before.
fn original_url(from_http: bool, before: &HeaderMap) -> Vec<u8> {
    let scheme: &[u8] = if from_http { b"http://" } else { b"https://" };
    let host = before.get(KnownHeader::Authority).unwrap_or_default();
    [scheme, host, before.get(KnownHeader::Path).unwrap_or_default()].concat()
}

/// The rest of what makes the request that of the next hop.
fn write_request(exchange: &mut Exchange, original_url: &[u8]) {
    let request = &mut exchange.request;
    let method = request.headers.get(KnownHeader::Method);
    // RFC 9110 §15.4.4.
    if exchange.response.status == 303 && !matches!(method, Some(b"GET" | b"HEAD")) {
        request.headers.set(KnownHeader::Method, b"GET");
        request.body = BodyLength::None;
    }
    if request.body == BodyLength::None {
        request.headers.remove(KnownHeader::ContentLength);
    }
    request.headers.set(KnownHeader::XEnvoyOriginalUrl, original_url);
}

/// The hop that ends is logged with the route that follows.
fn note_target(route: Option<RouteRef>, downstream: &Downstream<'_>, exchange: &mut Exchange) {
    let worker = downstream.worker;
    exchange.redirects.count += 1;
    exchange.info.route = route;
    exchange.info.cluster = None;
    exchange.info.weighted_cluster = None;
    if let Some(route) = route {
        let names = &worker.compiled.cluster_names;
        choose(downstream.manager, names, || worker.random.next(), exchange, route);
    }
}

/// Counts and logs the hop that has ended, and begins the next.
pub fn begin_again(downstream: &Downstream<'_>, exchange: &mut Exchange) {
    exchange.info.details = "internal_redirect";
    exchange.info.response_code = exchange.response.status;
    downstream.finish_hop(exchange);
    downstream.count_request();
    exchange.info = exchange.info.next_hop(downstream.new_record());
    exchange.response.clear();
    exchange.filters.clear();
    exchange.set_cookies.clear();
}

/// An absolute `location`, taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Location<'a> {
    scheme: &'a [u8],
    /// Host and port, without user information.
    authority: &'a [u8],
    /// Path and query; may be empty.
    target: &'a [u8],
}

impl<'a> Location<'a> {
    /// `None` where it is not absolute (RFC 3986 §4.3) or has no host.
    fn parse(location: &'a [u8]) -> Option<Self> {
        let end = memchr::memchr(b'#', location).unwrap_or(location.len());
        let location = &location[..end];
        let scheme_end = memchr::memmem::find(location, b"://")?;
        let (scheme, rest) = (&location[..scheme_end], &location[scheme_end + 3..]);
        let is_scheme_byte = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
        if !scheme.first()?.is_ascii_alphabetic() || !scheme.iter().all(is_scheme_byte) {
            return None;
        }
        let authority_end = memchr::memchr2(b'/', b'?', rest).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(authority_end);
        let user_end = memchr::memrchr(b'@', authority).map_or(0, |at| at + 1);
        let authority = &authority[user_end..];
        (!authority.is_empty()).then_some(Self { scheme, authority, target })
    }

    fn write_to(&self, headers: &mut HeaderMap) {
        headers.set(KnownHeader::Scheme, &self.scheme.to_ascii_lowercase());
        headers.set(KnownHeader::Authority, self.authority);
        let target = if self.target.is_empty() { b"/" } else { self.target };
        headers.set(KnownHeader::Path, target);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_taken_apart() {
        let parsed = |location: &'static str| Location::parse(location.as_bytes());
        for (location, scheme, authority, target) in [
            ("http://a/b?c=d", "http", "a", "/b?c=d"),
            ("https://a.example:8443", "https", "a.example:8443", ""),
            ("http://user:word@A.example:81/%2f#there", "http", "A.example:81", "/%2f"),
            ("http://a?b#c", "http", "a", "?b"),
            ("HTTP://[::1]:8/", "HTTP", "[::1]:8", "/"),
        ] {
            let expected = Location {
                scheme: scheme.as_bytes(),
                authority: authority.as_bytes(),
                target: target.as_bytes(),
            };
            assert_eq!(parsed(location), Some(expected), "{location}");
        }
        for relative in ["/b", "b", "//a/b", "http:/a", "http://", "http:///b", "1http://a", ""] {
            assert_eq!(parsed(relative), None, "{relative}");
        }
    }

    #[test]
    fn copied_headers_replace_or_clear() {
        let (mut request, mut response) = (HeaderMap::new(), HeaderMap::new());
        request.append(b"x-a", b"old");
        request.append(b"x-b", b"old");
        response.append(b"x-a", b"1");
        response.append(b"x-a", b"2");
        copy_headers(&["x-a".to_owned(), "x-b".to_owned()], &response, &mut request);
        assert_eq!(request.get_all_by_name(b"x-a").collect::<Vec<_>>(), [b"1", b"2"]);
        assert_eq!(request.get_by_name(b"x-b"), None);
    }
}
