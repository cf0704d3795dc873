//! Redirects.

use envoy_types::pb::envoy::config::route::v3 as wire;
use wire::redirect_action::{
    PathRewriteSpecifier, RedirectResponseCode as WireStatus, SchemeRewriteSpecifier,
};

use super::{PathRewrite, non_empty};
use crate::matcher::RegexRewrite;
use crate::report::{At, Note};
use crate::substitution_format::SubstitutionFormat;

/// `envoy.config.route.v3.RedirectAction`.
#[derive(Debug, Clone)]
pub struct RedirectAction {
    /// `https_redirect: true` gives `https`, else `scheme_redirect`.
    pub scheme: Option<String>,
    /// `host_redirect`.
    pub host: Option<String>,
    /// `port_redirect`.
    pub port: Option<u16>,
    /// `path_redirect`, `prefix_rewrite`, `regex_rewrite` or `path_rewrite`.
    pub path: Option<RedirectPath>,
    /// `strip_query`, default false.
    pub strip_query: bool,
    /// `response_code`, default 301.
    pub status: u16,
}

/// How a redirect changes the path.
#[derive(Debug, Clone)]
pub enum RedirectPath {
    /// `path_redirect`: the whole path; it may bring a query of its own.
    Path(String),
    /// `path_rewrite`: likewise, and ignored where it comes out empty.
    Format(SubstitutionFormat),
    /// `prefix_rewrite` or `regex_rewrite`.
    Rewrite(PathRewrite),
}

impl RedirectAction {
    /// Leads to where the request went.
    pub const NOWHERE: Self =
        Self { scheme: None, host: None, port: None, path: None, strip_query: false, status: 302 };

    pub(super) fn from_wire(wire: &wire::RedirectAction, at: &At<'_>) -> Option<Self> {
        let Ok(port) = u16::try_from(wire.port_redirect) else {
            at.field("port_redirect").error(
                Note::from(format!("{} is no port", wire.port_redirect))
                    .help("ports are 1 to 65535"),
            );
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
            path: RedirectPath::from_wire(wire.path_rewrite_specifier.as_ref(), at),
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

impl RedirectPath {
    fn from_wire(wire: Option<&PathRewriteSpecifier>, at: &At<'_>) -> Option<Self> {
        let rewrite = match wire? {
            PathRewriteSpecifier::PathRedirect(path) => return non_empty(path).map(Self::Path),
            PathRewriteSpecifier::PrefixRewrite(prefix) => {
                non_empty(prefix).map(PathRewrite::Prefix)
            }
            PathRewriteSpecifier::RegexRewrite(regex) => {
                RegexRewrite::from_wire(regex, &at.field("regex_rewrite")).map(PathRewrite::Regex)
            }
            PathRewriteSpecifier::PathRewrite(format) => {
                let format = non_empty(format)?;
                return SubstitutionFormat::parse_at(&format, &at.field("path_rewrite"))
                    .map(Self::Format);
            }
        };
        rewrite.map(Self::Rewrite)
    }
}
