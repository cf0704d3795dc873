//! Changing the path and the host of a request.

use envoy_types::pb::envoy::config::core::v3::TypedExtensionConfig;
use envoy_types::pb::envoy::config::route::v3 as wire;
use envoy_types::pb::envoy::extensions::path::rewrite::uri_template::v3::UriTemplateRewriteConfig;
use wire::route_action::HostRewriteSpecifier;

use super::PathMatch;
use super::cluster_specifier::header_name;
use super::non_empty;
use crate::matcher::RegexRewrite;
use crate::report::{At, Note};
use crate::substitution_format::SubstitutionFormat;
use crate::support::is_supported_extension;
use crate::wire::unpack;

/// How a path becomes another one. The query stays.
#[derive(Debug, Clone)]
pub enum PathRewrite {
    /// `prefix_rewrite`: replaces what the route matched.
    Prefix(String),
    /// `regex_rewrite`, or `path_rewrite_policy` with a URI template: replaces every match in the path; where nothing is left, the path stays.
    Regex(RegexRewrite),
    /// `path_rewrite`: replaces the path; where it comes out empty, the path stays.
    Format(SubstitutionFormat),
}

/// How the host becomes another one.
#[derive(Debug, Clone)]
pub enum HostRewrite {
    /// `host_rewrite_literal`.
    Literal(String),
    /// `host_rewrite_header`, lower case: its value, where there is one.
    Header(String),
    /// `host_rewrite_path_regex`: what becomes of the path without its query, unless nothing.
    PathRegex(RegexRewrite),
    /// `host_rewrite`.
    Format(SubstitutionFormat),
}

impl PathRewrite {
    /// Reads the fields of a route action, of which at most one may be set.
    pub(super) fn from_wire(
        wire: &wire::RouteAction,
        matched: Option<&PathMatch>,
        at: &At<'_>,
    ) -> Option<Self> {
        let set = [
            ("prefix_rewrite", !wire.prefix_rewrite.is_empty()),
            ("regex_rewrite", wire.regex_rewrite.is_some()),
            ("path_rewrite", !wire.path_rewrite.is_empty()),
            ("path_rewrite_policy", wire.path_rewrite_policy.is_some()),
        ];
        let mut set = set.iter().filter(|(_, is_set)| *is_set).map(|(name, _)| *name);
        if let (Some(first), Some(second)) = (set.next(), set.next()) {
            at.field(second).error_at_key(
                Note::from(format!("'{second}' cannot be set together with '{first}'"))
                    .help("remove one of the two"),
            );
            return None;
        }
        if let Some(regex) = &wire.regex_rewrite {
            return RegexRewrite::from_wire(regex, &at.field("regex_rewrite")).map(Self::Regex);
        }
        if let Some(format) = non_empty(&wire.path_rewrite) {
            return SubstitutionFormat::parse_at(&format, &at.field("path_rewrite"))
                .map(Self::Format);
        }
        if let Some(policy) = &wire.path_rewrite_policy {
            let at = at.field("path_rewrite_policy");
            return from_policy(policy, matched, &at.field("typed_config")).map(Self::Regex);
        }
        non_empty(&wire.prefix_rewrite).map(Self::Prefix)
    }
}

/// `matched` is what the route matches, where that is good.
fn from_policy(
    policy: &TypedExtensionConfig,
    matched: Option<&PathMatch>,
    at: &At<'_>,
) -> Option<RegexRewrite> {
    let Some(any) = &policy.typed_config else {
        at.error_at_key(Note::typed_config_required());
        return None;
    };
    let Some(config) = unpack::<UriTemplateRewriteConfig>(any) else {
        // One that is supported nowhere is there only if the user wants it ignored.
        if is_supported_extension(any) {
            at.error_at_key(Note::from("this rewrites no paths").help(
                "use envoy.extensions.path.rewrite.uri_template.v3.UriTemplateRewriteConfig",
            ));
        }
        return None;
    };
    let PathMatch::Template(template) = matched? else {
        at.error_at_key(
            Note::from("a URI template rewrites only what the route matches by a URI template")
                .help("match by 'path_match_policy', or use 'regex_rewrite'"),
        );
        return None;
    };
    let rewrite = template.rewritten_to(&config.path_template_rewrite);
    let told = |error: String| {
        let help = "it has letters, '/', and {name} for what a variable of the template covers";
        at.field("path_template_rewrite").error(Note::from(error).help(help));
    };
    rewrite.map_err(told).ok()
}

impl HostRewrite {
    pub(super) fn from_wire(wire: Option<&HostRewriteSpecifier>, at: &At<'_>) -> Option<Self> {
        match wire? {
            HostRewriteSpecifier::HostRewriteLiteral(host) => non_empty(host).map(Self::Literal),
            HostRewriteSpecifier::HostRewriteHeader(name) => {
                let name = non_empty(name)?;
                header_name(&name, &at.field("host_rewrite_header")).map(Self::Header)
            }
            HostRewriteSpecifier::HostRewritePathRegex(regex) => {
                RegexRewrite::from_wire(regex, &at.field("host_rewrite_path_regex"))
                    .map(Self::PathRegex)
            }
            HostRewriteSpecifier::HostRewrite(format) => {
                let format = non_empty(format)?;
                SubstitutionFormat::parse_at(&format, &at.field("host_rewrite")).map(Self::Format)
            }
            HostRewriteSpecifier::AutoHostRewrite(_) => None,
        }
    }
}
