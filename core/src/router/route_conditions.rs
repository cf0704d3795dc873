//! What a route asks of a request beyond the beginning of its path.

use ringmain_config::fraction::Fraction;
use ringmain_config::matcher::FullRegex;
use ringmain_config::route::{
    CookieMatcher, PathMatch, QueryParameterMatcher, RouteMatch, TlsContextMatch,
};

use super::route_match::RouteRequest;
use crate::http::header_matching::{CompiledHeaderMatcher, cookie, is_grpc, query_parameter};
use crate::transport_socket::tls::TlsInfo;

/// All of these have to hold.
#[derive(Debug)]
pub struct RouteConditions {
    pattern: Option<FullRegex>,
    headers: Box<[CompiledHeaderMatcher]>,
    query_parameters: Box<[QueryParameterMatcher]>,
    cookies: Box<[CookieMatcher]>,
    grpc: bool,
    fraction: Option<Fraction>,
    tls: TlsContextMatch,
    /// Whether each of `dynamic_metadata` holds. A route is chosen before any filter notes some, so this is
    /// known at once.
    metadata: Box<[bool]>,
}

/// A condition that a request does not meet; lists say which entry, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmet {
    /// `safe_regex` or the template.
    Pattern,
    /// `headers`.
    Header(usize),
    /// `query_parameters`.
    QueryParameter(usize),
    /// `cookies`.
    Cookie(usize),
    /// `grpc`.
    Grpc,
    /// `runtime_fraction`.
    Fraction,
    /// `tls_context`.
    TlsContext,
    /// `dynamic_metadata`.
    DynamicMetadata(usize),
}

impl RouteConditions {
    /// The conditions of `config`; `None` where there is none.
    pub fn new(config: &RouteMatch) -> Option<Self> {
        let conditions = Self {
            pattern: match &config.path {
                PathMatch::Regex(regex) => Some(regex.clone()),
                PathMatch::Template(template) => Some(template.regex.clone()),
                _ => None,
            },
            headers: CompiledHeaderMatcher::list(&config.headers),
            query_parameters: config.query_parameters.clone().into(),
            cookies: config.cookies.clone().into(),
            grpc: config.grpc,
            fraction: config.runtime_fraction,
            tls: config.tls_context,
            metadata: config.dynamic_metadata.iter().map(|matcher| matcher.matches(None)).collect(),
        };
        let is_free = conditions.pattern.is_none()
            && conditions.headers.is_empty()
            && conditions.query_parameters.is_empty()
            && conditions.cookies.is_empty()
            && !conditions.grpc
            && conditions.fraction.is_none()
            && conditions.tls == TlsContextMatch::default()
            && conditions.metadata.is_empty();
        (!is_free).then_some(conditions)
    }

    /// The first condition that `request`, whose path without query is `path`, does not meet.
    pub fn unmet(&self, path: &[u8], request: &RouteRequest<'_>) -> Option<Unmet> {
        if self.pattern.as_ref().is_some_and(|pattern| !pattern.matches(path)) {
            return Some(Unmet::Pattern);
        }
        if self.fraction.is_some_and(|fraction| !fraction.includes((request.random)())) {
            return Some(Unmet::Fraction);
        }
        if self.grpc && !is_grpc(request.headers) {
            return Some(Unmet::Grpc);
        }
        self.unmet_by_fields(request)
    }

    fn unmet_by_fields(&self, request: &RouteRequest<'_>) -> Option<Unmet> {
        let (headers, target) = (request.headers, request.target());
        if let Some(at) = self.headers.iter().position(|matcher| !matcher.matches(headers)) {
            return Some(Unmet::Header(at));
        }
        let unmet = |matcher: &QueryParameterMatcher| {
            !matcher.matches(query_parameter(target, matcher.name.as_bytes()))
        };
        if let Some(at) = self.query_parameters.iter().position(unmet) {
            return Some(Unmet::QueryParameter(at));
        }
        let unmet =
            |matcher: &CookieMatcher| !matcher.matches(cookie(headers, matcher.name.as_bytes()));
        if let Some(at) = self.cookies.iter().position(unmet) {
            return Some(Unmet::Cookie(at));
        }
        let presented = request.tls.is_some_and(TlsInfo::is_peer_presented);
        let validated = request.tls.is_some_and(|tls| tls.validated);
        if self.tls.presented.is_some_and(|wanted| wanted != presented)
            || self.tls.validated.is_some_and(|wanted| wanted != validated)
        {
            return Some(Unmet::TlsContext);
        }
        self.metadata.iter().position(|holds| !holds).map(Unmet::DynamicMetadata)
    }
}

#[cfg(test)]
mod tests {
    use ringmain_config::matcher::{MetadataMatcher, StringMatcher, StringTest, ValueMatcher};
    use ringmain_config::route::QueryParameterTest;
    use ringmain_proto_codec::{HeaderMap, KnownHeader};

    use super::*;

    fn any_path() -> RouteMatch {
        RouteMatch::of_path(PathMatch::Prefix("/".into()), true)
    }

    /// What of `config` a GET of `/p?q=1` with the cookie `c=1` does not meet.
    fn unmet(config: &RouteMatch) -> Option<Unmet> {
        let mut headers = HeaderMap::new();
        headers.append_known(KnownHeader::Path, b"/p?q=1");
        headers.append_known(KnownHeader::Cookie, b"c=1");
        let request = RouteRequest { headers: &headers, random: &|| 60, tls: None };
        RouteConditions::new(config).expect("there are conditions").unmet(b"/p", &request)
    }

    fn exact(text: &str) -> StringMatcher {
        StringMatcher::new(StringTest::Exact(text.into()))
    }

    #[test]
    fn a_path_alone_is_no_condition() {
        assert!(RouteConditions::new(&any_path()).is_none());
    }

    #[test]
    fn the_condition_that_fails_is_named() {
        let parameter = |value| QueryParameterMatcher {
            name: "q".into(),
            test: QueryParameterTest::String(exact(value)),
        };
        let config = RouteMatch { query_parameters: vec![parameter("1")], ..any_path() };
        assert_eq!(unmet(&config), None);
        let config =
            RouteMatch { query_parameters: vec![parameter("1"), parameter("2")], ..any_path() };
        assert_eq!(unmet(&config), Some(Unmet::QueryParameter(1)));
        let cookie =
            CookieMatcher { name: "c".into(), string_match: exact("1"), invert_match: true };
        assert_eq!(
            unmet(&RouteMatch { cookies: vec![cookie], ..any_path() }),
            Some(Unmet::Cookie(0))
        );
        assert_eq!(unmet(&RouteMatch { grpc: true, ..any_path() }), Some(Unmet::Grpc));
    }

    #[test]
    fn the_streams_number_decides_on_fractions() {
        let fraction = |numerator| RouteMatch {
            runtime_fraction: Some(Fraction { numerator, denominator: 100 }),
            ..any_path()
        };
        assert_eq!(unmet(&fraction(61)), None);
        assert_eq!(unmet(&fraction(60)), Some(Unmet::Fraction));
    }

    #[test]
    fn without_tls_there_is_no_certificate() {
        let tls = |presented| RouteMatch {
            tls_context: TlsContextMatch { presented: Some(presented), validated: None },
            ..any_path()
        };
        assert_eq!(unmet(&tls(false)), None);
        assert_eq!(unmet(&tls(true)), Some(Unmet::TlsContext));
    }

    #[test]
    fn no_filter_notes_metadata() {
        let metadata = |invert| RouteMatch {
            dynamic_metadata: vec![MetadataMatcher {
                filter: "f".into(),
                path: vec!["a".into()],
                value: ValueMatcher::Present(true),
                invert,
            }],
            ..any_path()
        };
        assert_eq!(unmet(&metadata(true)), None);
        assert_eq!(unmet(&metadata(false)), Some(Unmet::DynamicMetadata(0)));
    }
}
