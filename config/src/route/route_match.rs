//! Which requests a route takes.

use envoy_types::pb::envoy::config::route::v3 as wire;
use wire::route_match::PathSpecifier;

use crate::report::At;

/// `envoy.config.route.v3.RouteMatch`.
#[derive(Debug, Clone)]
pub struct RouteMatch {
    /// `prefix` or `path`.
    pub path: PathMatch,
    /// `case_sensitive`, default true.
    pub case_sensitive: bool,
}

/// The path part of a match; the query string is never looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathMatch {
    /// `prefix`.
    Prefix(String),
    /// `path`.
    Exact(String),
}

impl RouteMatch {
    pub(super) fn from_wire(wire: &wire::RouteMatch, at: &At<'_>) -> Option<Self> {
        let path = match &wire.path_specifier {
            Some(PathSpecifier::Prefix(prefix)) => PathMatch::Prefix(prefix.clone()),
            Some(PathSpecifier::Path(path)) => PathMatch::Exact(path.clone()),
            _ => {
                at.error_at_key("one of prefix, path is required");
                return None;
            }
        };
        Some(Self { path, case_sensitive: wire.case_sensitive.is_none_or(|case| case.value) })
    }
}
