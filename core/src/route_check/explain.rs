//! Why a virtual host and a route take a request, in words.

use ringmain_config::route::{Domain, PathMatch, RouteMatch};

use crate::router::Unmet;

/// A domain as a file writes it.
pub fn domain(domain: &Domain) -> String {
    match domain {
        Domain::Exact(name) => name.clone(),
        Domain::Suffix(suffix) => format!("*{suffix}"),
        Domain::Prefix(prefix) => format!("{prefix}*"),
        Domain::Any => "*".to_owned(),
    }
}

/// What a route asks of a request.
pub fn matching(matcher: &RouteMatch) -> String {
    let mut parts = vec![path(&matcher.path)];
    if !matcher.case_sensitive {
        parts[0] += " in any letter case";
    }
    parts.extend(matcher.headers.iter().map(|header| format!("header '{}'", header.name)));
    parts.extend(
        matcher.query_parameters.iter().map(|query| format!("query parameter '{}'", query.name)),
    );
    parts.extend(matcher.cookies.iter().map(|cookie| format!("cookie '{}'", cookie.name)));
    if matcher.grpc {
        parts.push("grpc".into());
    }
    if let Some(fraction) = matcher.runtime_fraction {
        parts.push(format!("runtime_fraction {} of {}", fraction.numerator, fraction.denominator));
    }
    if matcher.tls_context.presented.is_some() || matcher.tls_context.validated.is_some() {
        parts.push("tls_context".into());
    }
    if !matcher.dynamic_metadata.is_empty() {
        parts.push("dynamic_metadata".into());
    }
    parts.join(", ")
}

fn path(path: &PathMatch) -> String {
    match path {
        PathMatch::Prefix(prefix) => format!("prefix '{prefix}'"),
        PathMatch::Exact(path) => format!("path '{path}'"),
        PathMatch::SeparatedPrefix(prefix) => format!("path_separated_prefix '{prefix}'"),
        PathMatch::Regex(regex) => format!("safe_regex '{}'", regex.pattern()),
        PathMatch::Template(template) => format!("path_template '{}'", template.template),
        PathMatch::Connect => "connect_matcher".to_owned(),
    }
}

/// Which condition of `matcher` a request does not meet.
pub fn unmet(matcher: &RouteMatch, unmet: Unmet) -> String {
    match unmet {
        Unmet::Pattern => "its pattern does not match".into(),
        Unmet::Header(at) => format!("header '{}' does not match", matcher.headers[at].name),
        Unmet::QueryParameter(at) => {
            format!("query parameter '{}' does not match", matcher.query_parameters[at].name)
        }
        Unmet::Cookie(at) => format!("cookie '{}' does not match", matcher.cookies[at].name),
        Unmet::Grpc => "the request is not gRPC".into(),
        Unmet::Fraction => "its runtime_fraction leaves the random number out".into(),
        Unmet::TlsContext => "its tls_context does not match".into(),
        Unmet::DynamicMetadata(at) => {
            format!("dynamic_metadata of '{}' does not match", matcher.dynamic_metadata[at].filter)
        }
    }
}
