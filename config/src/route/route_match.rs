//! Which requests a route takes.

use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::config::route::v3 as wire;
use envoy_types::pb::envoy::extensions::path::r#match::uri_template::v3::UriTemplateMatchConfig;
use wire::query_parameter_matcher::QueryParameterMatchSpecifier;
use wire::route_match::PathSpecifier;

use super::UriTemplate;
use crate::fraction::Fraction;
use crate::matcher::{FullRegex, HeaderMatcher, MetadataMatcher, StringMatcher};
use crate::report::{At, Note};
use crate::wire::unpack;

/// `envoy.config.route.v3.RouteMatch`: all of it has to be fulfilled.
#[derive(Debug, Clone)]
pub struct RouteMatch {
    /// The path specifier.
    pub path: PathMatch,
    /// `case_sensitive`, default true; of prefixes and exact paths.
    pub case_sensitive: bool,
    /// `headers`.
    pub headers: Vec<HeaderMatcher>,
    /// `query_parameters`.
    pub query_parameters: Vec<QueryParameterMatcher>,
    /// `cookies`.
    pub cookies: Vec<CookieMatcher>,
    /// `grpc`: only gRPC requests.
    pub grpc: bool,
    /// `runtime_fraction`.
    pub runtime_fraction: Option<Fraction>,
    /// `tls_context`.
    pub tls_context: TlsContextMatch,
    /// `dynamic_metadata`.
    pub dynamic_metadata: Vec<MetadataMatcher>,
}

/// The path part of a match; the query string is never looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathMatch {
    /// `prefix`.
    Prefix(String),
    /// `path`.
    Exact(String),
    /// `path_separated_prefix`: what follows is nothing or begins with `/`.
    SeparatedPrefix(String),
    /// `safe_regex`.
    Regex(FullRegex),
    /// `path_match_policy` with a URI template.
    Template(UriTemplate),
    /// `connect_matcher`: CONNECT requests, whatever they name.
    Connect,
}

/// `envoy.config.route.v3.QueryParameterMatcher`. Of several parameters of the name the first counts;
/// values are not decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryParameterMatcher {
    /// `name`.
    pub name: String,
    /// The specifier.
    pub test: QueryParameterTest,
}

/// `query_parameter_match_specifier`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueryParameterTest {
    /// `present_match`, also where no specifier is given: whether it is to be there.
    Present(bool),
    /// `string_match`.
    String(StringMatcher),
}

/// `envoy.config.route.v3.CookieMatcher`. Of several cookies of the name the first counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CookieMatcher {
    /// `name`.
    pub name: String,
    /// `string_match`; a cookie that is absent does not match.
    pub string_match: StringMatcher,
    /// `invert_match`, default false.
    pub invert_match: bool,
}

/// `envoy.config.route.v3.RouteMatch.TlsContextMatchOptions`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TlsContextMatch {
    /// `presented`: whether the client is to have presented a certificate.
    pub presented: Option<bool>,
    /// `validated`: whether that certificate is to have been validated.
    pub validated: Option<bool>,
}

impl RouteMatch {
    /// A match of the path alone.
    pub fn of_path(path: PathMatch, case_sensitive: bool) -> Self {
        Self {
            path,
            case_sensitive,
            headers: Vec::new(),
            query_parameters: Vec::new(),
            cookies: Vec::new(),
            grpc: false,
            runtime_fraction: None,
            tls_context: TlsContextMatch::default(),
            dynamic_metadata: Vec::new(),
        }
    }

    /// Whether it is fulfilled by every request that has a path.
    pub(super) fn takes_every_path(&self) -> bool {
        let Self {
            path,
            case_sensitive: _,
            headers,
            query_parameters,
            cookies,
            grpc,
            runtime_fraction,
            tls_context,
            dynamic_metadata,
        } = self;
        matches!(path, PathMatch::Prefix(prefix) if prefix.is_empty() || prefix == "/")
            && headers.is_empty()
            && query_parameters.is_empty()
            && cookies.is_empty()
            && !grpc
            && runtime_fraction.is_none()
            && *tls_context == TlsContextMatch::default()
            && dynamic_metadata.is_empty()
    }

    pub(super) fn from_wire(wire: &wire::RouteMatch, at: &At<'_>) -> Option<Self> {
        let path = PathMatch::from_wire(wire.path_specifier.as_ref(), at);
        let headers = HeaderMatcher::list_from_wire(&wire.headers, "headers", at);
        let query_parameters = QueryParameterMatcher::list_from_wire(&wire.query_parameters, at);
        let cookies = CookieMatcher::list_from_wire(wire, at);
        let dynamic_metadata =
            MetadataMatcher::list_from_wire(&wire.dynamic_metadata, "dynamic_metadata", at);
        let fraction = wire.runtime_fraction.as_ref();
        let tls = wire.tls_context.unwrap_or_default();
        Some(Self {
            path: path?,
            case_sensitive: wire.case_sensitive.is_none_or(|case| case.value),
            headers,
            query_parameters,
            cookies,
            grpc: wire.grpc.is_some(),
            runtime_fraction: fraction
                .map(|fraction| Fraction::from_wire(fraction, &at.field("runtime_fraction"))),
            tls_context: TlsContextMatch {
                presented: tls.presented.map(|presented| presented.value),
                validated: tls.validated.map(|validated| validated.value),
            },
            dynamic_metadata,
        })
    }
}

impl PathMatch {
    fn from_wire(wire: Option<&PathSpecifier>, at: &At<'_>) -> Option<Self> {
        match wire {
            Some(PathSpecifier::Prefix(prefix)) => Some(Self::Prefix(prefix.clone())),
            Some(PathSpecifier::Path(path)) => Some(Self::Exact(path.clone())),
            Some(PathSpecifier::PathSeparatedPrefix(prefix)) => {
                Some(Self::SeparatedPrefix(prefix.clone()))
            }
            Some(PathSpecifier::SafeRegex(regex)) => {
                FullRegex::from_wire(regex, &at.field("safe_regex")).map(Self::Regex)
            }
            Some(PathSpecifier::ConnectMatcher(_)) => Some(Self::Connect),
            Some(PathSpecifier::PathMatchPolicy(policy)) => {
                let at = at.field("path_match_policy");
                Self::from_policy(policy, &at.field("typed_config")).map(Self::Template)
            }
            None => {
                at.error_at_key(
                    Note::from("a path specifier is required").help("add such as prefix: /"),
                );
                None
            }
        }
    }

    fn from_policy(policy: &core::TypedExtensionConfig, at: &At<'_>) -> Option<UriTemplate> {
        let Some(any) = &policy.typed_config else {
            at.error_at_key(Note::typed_config_required());
            return None;
        };
        // One of another type is there only if the user wants it ignored.
        let Some(config) = unpack::<UriTemplateMatchConfig>(any) else {
            at.error_at_key(
                Note::from("a path specifier that is supported is required")
                    .help("use envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig"),
            );
            return None;
        };
        let template = UriTemplate::new(&config.path_template);
        let told = |error: String| {
            let help =
                "letters, '*', {name} and {name=pattern} stand between slashes, '**' at the end";
            at.field("path_template").error(Note::from(error).help(help));
        };
        template.map_err(told).ok()
    }
}

impl QueryParameterMatcher {
    /// Reads the field `query_parameters`.
    pub(super) fn list_from_wire(wire: &[wire::QueryParameterMatcher], at: &At<'_>) -> Vec<Self> {
        let at = at.field("query_parameters");
        let matchers = wire.iter().enumerate();
        matchers.filter_map(|(index, wire)| Self::from_wire(wire, &at.index(index))).collect()
    }

    fn from_wire(wire: &wire::QueryParameterMatcher, at: &At<'_>) -> Option<Self> {
        let test = match &wire.query_parameter_match_specifier {
            None => QueryParameterTest::Present(true),
            Some(QueryParameterMatchSpecifier::PresentMatch(present)) => {
                QueryParameterTest::Present(*present)
            }
            Some(QueryParameterMatchSpecifier::StringMatch(matcher)) => {
                let matcher = StringMatcher::from_wire(matcher, &at.field("string_match"));
                QueryParameterTest::String(matcher?)
            }
        };
        Some(Self { name: wire.name.clone(), test })
    }

    /// Whether the parameter's value, `None` where it is absent, is as the matcher wants it.
    pub fn matches(&self, value: Option<&[u8]>) -> bool {
        match (&self.test, value) {
            (QueryParameterTest::Present(present), value) => value.is_some() == *present,
            (QueryParameterTest::String(matcher), Some(value)) => matcher.matches(value),
            (QueryParameterTest::String(_), None) => false,
        }
    }
}

impl CookieMatcher {
    fn list_from_wire(wire: &wire::RouteMatch, at: &At<'_>) -> Vec<Self> {
        let at = at.field("cookies");
        let matchers = wire.cookies.iter().enumerate();
        matchers.filter_map(|(index, wire)| Self::from_wire(wire, &at.index(index))).collect()
    }

    fn from_wire(wire: &wire::CookieMatcher, at: &At<'_>) -> Option<Self> {
        let string_match = wire.string_match.as_ref()?;
        Some(Self {
            name: wire.name.clone(),
            string_match: StringMatcher::from_wire(string_match, &at.field("string_match"))?,
            invert_match: wire.invert_match,
        })
    }

    /// Whether the cookie's value, `None` where it is absent, is as the matcher wants it.
    pub fn matches(&self, value: Option<&[u8]>) -> bool {
        value.is_some_and(|value| self.string_match.matches(value)) != self.invert_match
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matcher::StringTest;

    fn exact(text: &str) -> StringMatcher {
        StringMatcher::new(StringTest::Exact(text.into()))
    }

    #[test]
    fn a_parameter_may_be_asked_to_be_absent() {
        let matcher = |test| QueryParameterMatcher { name: "q".into(), test };
        assert!(matcher(QueryParameterTest::Present(true)).matches(Some(b"")));
        assert!(matcher(QueryParameterTest::Present(false)).matches(None));
        assert!(!matcher(QueryParameterTest::Present(false)).matches(Some(b"1")));
        assert!(matcher(QueryParameterTest::String(exact("1"))).matches(Some(b"1")));
        assert!(!matcher(QueryParameterTest::String(exact(""))).matches(None));
    }

    #[test]
    fn an_absent_cookie_fulfils_an_inverted_matcher() {
        let matcher = |invert_match| CookieMatcher {
            name: "c".into(),
            string_match: exact("1"),
            invert_match,
        };
        assert!(matcher(false).matches(Some(b"1")) && !matcher(false).matches(None));
        assert!(!matcher(true).matches(Some(b"1")) && matcher(true).matches(None));
    }
}
