//! Redirects.

use envoy_types::pb::envoy::config::route::v3 as wire;
use wire::redirect_action::{
    PathRewriteSpecifier, RedirectResponseCode as WireStatus, SchemeRewriteSpecifier,
};

use super::non_empty;
use crate::report::At;

/// `envoy.config.route.v3.RedirectAction`.
#[derive(Debug, Clone)]
pub struct RedirectAction {
    /// `https_redirect: true` gives `https`, else `scheme_redirect`.
    pub scheme: Option<String>,
    /// `host_redirect`.
    pub host: Option<String>,
    /// `port_redirect`.
    pub port: Option<u16>,
    /// `path_redirect` or `prefix_rewrite`.
    pub path: Option<RedirectPath>,
    /// `strip_query`, default false.
    pub strip_query: bool,
    /// `response_code`, default 301.
    pub status: u16,
}

/// How a redirect changes the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedirectPath {
    /// `path_redirect`: the whole path; it may bring a query of its own.
    Path(String),
    /// `prefix_rewrite`: replaces what the route matched.
    PrefixRewrite(String),
}

impl RedirectAction {
    pub(super) fn from_wire(wire: &wire::RedirectAction, at: &At<'_>) -> Option<Self> {
        let Ok(port) = u16::try_from(wire.port_redirect) else {
            at.field("port_redirect").error(format!("{} is no port", wire.port_redirect));
            return None;
        };
        Some(Self {
            scheme: match &wire.scheme_rewrite_specifier {
                Some(SchemeRewriteSpecifier::HttpsRedirect(true)) => Some("https".to_owned()),
                Some(SchemeRewriteSpecifier::SchemeRedirect(scheme)) => non_empty(scheme),
                _ => None,
            },
            host: non_empty(&wire.host_redirect),
            port: Some(port).filter(|port| *port != 0),
            path: match &wire.path_rewrite_specifier {
                Some(PathRewriteSpecifier::PathRedirect(path)) => {
                    non_empty(path).map(RedirectPath::Path)
                }
                Some(PathRewriteSpecifier::PrefixRewrite(prefix)) => {
                    non_empty(prefix).map(RedirectPath::PrefixRewrite)
                }
                _ => None,
            },
            strip_query: wire.strip_query,
            status: match wire.response_code() {
                WireStatus::MovedPermanently => 301,
                WireStatus::Found => 302,
                WireStatus::SeeOther => 303,
                WireStatus::TemporaryRedirect => 307,
                WireStatus::PermanentRedirect => 308,
            },
        })
    }
}
