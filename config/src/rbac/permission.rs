//! What a policy allows or denies (`envoy.config.rbac.v3.Permission`).

use std::ops::Range;

use envoy_types::pb::envoy::config::rbac::v3 as wire;
use envoy_types::pb::envoy::r#type::matcher::v3 as matcher;
use envoy_types::pb::envoy::r#type::v3::Int32Range;
use matcher::path_matcher::Rule as PathRule;
use wire::permission::Rule;

use super::{MetadataSource, sourced_metadata};
use crate::address::CidrRange;
use crate::matcher::{HeaderMatcher, MetadataMatcher, StringMatcher};
use crate::report::{At, Note};

/// `envoy.config.rbac.v3.Permission`.
#[derive(Debug, Clone, PartialEq)]
pub enum Permission {
    /// `any`.
    Any,
    /// `and_rules`.
    And(Vec<Permission>),
    /// `or_rules`.
    Or(Vec<Permission>),
    /// `not_rule`.
    Not(Box<Permission>),
    /// `header`.
    Header(HeaderMatcher),
    /// `url_path.path`: the path without query and fragment.
    UrlPath(StringMatcher),
    /// `destination_ip`: our end of the downstream connection.
    DestinationIp(CidrRange),
    /// `destination_port`.
    DestinationPort(u16),
    /// `destination_port_range`: start included, end not.
    DestinationPortRange(Range<u32>),
    /// `requested_server_name`: what the client named in TLS, or nothing.
    RequestedServerName(StringMatcher),
    /// `sourced_metadata`, and the deprecated `metadata`.
    Metadata(MetadataMatcher, MetadataSource),
}

impl Permission {
    pub(super) fn has_headers(&self) -> bool {
        match self {
            Self::Header(_) => true,
            Self::And(inner) | Self::Or(inner) => inner.iter().any(Self::has_headers),
            Self::Not(inner) => inner.has_headers(),
            _ => false,
        }
    }

    pub(super) fn list_from_wire(wire: &[wire::Permission], at: &At<'_>) -> Vec<Self> {
        let permissions = wire.iter().enumerate();
        permissions.filter_map(|(index, wire)| Self::from_wire(wire, &at.index(index))).collect()
    }

    #[expect(deprecated, reason = "common in files")]
    fn from_wire(wire: &wire::Permission, at: &At<'_>) -> Option<Self> {
        let rules = |set: &wire::permission::Set, name| {
            Self::list_from_wire(&set.rules, &at.field(name).field("rules"))
        };
        Some(match wire.rule.as_ref()? {
            Rule::Any(_) => Self::Any,
            Rule::AndRules(set) => Self::And(rules(set, "and_rules")),
            Rule::OrRules(set) => Self::Or(rules(set, "or_rules")),
            Rule::NotRule(rule) => {
                Self::Not(Box::new(Self::from_wire(rule, &at.field("not_rule"))?))
            }
            Rule::Header(header) => {
                Self::Header(HeaderMatcher::from_wire(header, &at.field("header"))?)
            }
            Rule::UrlPath(path) => Self::UrlPath(path_from_wire(path, &at.field("url_path"))?),
            Rule::DestinationIp(range) => {
                Self::DestinationIp(CidrRange::from_wire(range, &at.field("destination_ip"))?)
            }
            Rule::DestinationPort(port) => Self::DestinationPort(u16::try_from(*port).ok()?),
            Rule::DestinationPortRange(range) => Self::DestinationPortRange(ports_from_wire(
                *range,
                &at.field("destination_port_range"),
            )?),
            Rule::RequestedServerName(matcher) => Self::RequestedServerName(
                StringMatcher::from_wire(matcher, &at.field("requested_server_name"))?,
            ),
            Rule::Metadata(matcher) => Self::Metadata(
                MetadataMatcher::from_wire(matcher, &at.field("metadata"))?,
                MetadataSource::Dynamic,
            ),
            Rule::SourcedMetadata(sourced) => {
                let (matcher, source) = sourced_metadata(sourced, &at.field("sourced_metadata"))?;
                Self::Metadata(matcher, source)
            }
            // The support gate has refused them, or the user wants them ignored.
            Rule::Matcher(_) | Rule::UriTemplate(_) => return None,
        })
    }
}

/// `envoy.type.matcher.v3.PathMatcher`.
pub(super) fn path_from_wire(wire: &matcher::PathMatcher, at: &At<'_>) -> Option<StringMatcher> {
    let Some(PathRule::Path(path)) = &wire.rule else { return None };
    StringMatcher::from_wire(path, &at.field("path"))
}

fn ports_from_wire(wire: Int32Range, at: &At<'_>) -> Option<Range<u32>> {
    const PORTS: u32 = 65536;
    let port = |port: i32| u32::try_from(port).ok().filter(|port| *port <= PORTS);
    match (port(wire.start), port(wire.end)) {
        (None, _) => {
            at.field("start").error(
                Note::from(format!("range start {} is out of bounds", wire.start))
                    .help("ports are 0 to 65535"),
            );
        }
        (_, None) => at.field("end").error(
            Note::from(format!("range end {} is out of bounds", wire.end))
                .help("the end, which is not of the range, is 65536 at most"),
        ),
        (Some(start), Some(end)) if start >= end => {
            at.error(
                Note::from(format!("range start {start} must be below range end {end}"))
                    .help("for one port p, write { start: p, end: p + 1 }"),
            );
        }
        (Some(start), Some(end)) => return Some(start..end),
    }
    None
}
