//! Whom a policy is about (`envoy.config.rbac.v3.Principal`).

use envoy_types::pb::envoy::config::rbac::v3 as wire;
use wire::principal::Identifier;

use super::permission::path_from_wire;
use super::{MetadataSource, sourced_metadata};
use crate::address::CidrRange;
use crate::matcher::{FilterStateMatcher, HeaderMatcher, MetadataMatcher, StringMatcher};
use crate::report::At;

/// `envoy.config.rbac.v3.Principal`.
#[derive(Debug, Clone, PartialEq)]
pub enum Principal {
    /// `any`.
    Any,
    /// `and_ids`.
    And(Vec<Principal>),
    /// `or_ids`.
    Or(Vec<Principal>),
    /// `not_id`.
    Not(Box<Principal>),
    /// `authenticated`: by TLS, under the `principal_name` if there is one.
    Authenticated(Option<StringMatcher>),
    /// `source_ip`, deprecated: the other end of the connection, as far as listener filters know it.
    SourceIp(CidrRange),
    /// `direct_remote_ip`: the other end of the connection.
    DirectRemoteIp(CidrRange),
    /// `remote_ip`: the client, as far as `x-forwarded-for` can be trusted.
    RemoteIp(CidrRange),
    /// `header`.
    Header(HeaderMatcher),
    /// `url_path.path`: the path without query and fragment.
    UrlPath(StringMatcher),
    /// `filter_state`.
    FilterState(FilterStateMatcher),
    /// `sourced_metadata`, and the deprecated `metadata`.
    Metadata(MetadataMatcher, MetadataSource),
}

impl Principal {
    pub(super) fn has_headers(&self) -> bool {
        match self {
            Self::Header(_) => true,
            Self::And(inner) | Self::Or(inner) => inner.iter().any(Self::has_headers),
            Self::Not(inner) => inner.has_headers(),
            _ => false,
        }
    }

    pub(super) fn list_from_wire(wire: &[wire::Principal], at: &At<'_>) -> Vec<Self> {
        let principals = wire.iter().enumerate();
        principals.filter_map(|(index, wire)| Self::from_wire(wire, &at.index(index))).collect()
    }

    #[expect(deprecated, reason = "common in files")]
    fn from_wire(wire: &wire::Principal, at: &At<'_>) -> Option<Self> {
        let ids = |set: &wire::principal::Set, name| {
            Self::list_from_wire(&set.ids, &at.field(name).field("ids"))
        };
        let range = |range, name| CidrRange::from_wire(range, &at.field(name));
        Some(match wire.identifier.as_ref()? {
            Identifier::Any(_) => Self::Any,
            Identifier::AndIds(set) => Self::And(ids(set, "and_ids")),
            Identifier::OrIds(set) => Self::Or(ids(set, "or_ids")),
            Identifier::NotId(id) => Self::Not(Box::new(Self::from_wire(id, &at.field("not_id"))?)),
            Identifier::Authenticated(authenticated) => {
                let at = at.field("authenticated");
                let name = authenticated.principal_name.as_ref();
                let matcher =
                    name.map(|name| StringMatcher::from_wire(name, &at.field("principal_name")));
                Self::Authenticated(matcher.map_or(Some(None), |matcher| matcher.map(Some))?)
            }
            Identifier::SourceIp(source) => Self::SourceIp(range(source, "source_ip")?),
            Identifier::DirectRemoteIp(remote) => {
                Self::DirectRemoteIp(range(remote, "direct_remote_ip")?)
            }
            Identifier::RemoteIp(remote) => Self::RemoteIp(range(remote, "remote_ip")?),
            Identifier::Header(header) => {
                Self::Header(HeaderMatcher::from_wire(header, &at.field("header"))?)
            }
            Identifier::UrlPath(path) => {
                Self::UrlPath(path_from_wire(path, &at.field("url_path"))?)
            }
            Identifier::Metadata(matcher) => Self::Metadata(
                MetadataMatcher::from_wire(matcher, &at.field("metadata"))?,
                MetadataSource::Dynamic,
            ),
            Identifier::SourcedMetadata(sourced) => {
                let (matcher, source) = sourced_metadata(sourced, &at.field("sourced_metadata"))?;
                Self::Metadata(matcher, source)
            }
            Identifier::FilterState(matcher) => Self::FilterState(FilterStateMatcher::from_wire(
                matcher,
                &at.field("filter_state"),
            )?),
            // The support gate has refused it, or the user wants it ignored.
            Identifier::Custom(_) => return None,
        })
    }
}
