//! What of a request decides which host it goes to, with a policy that hashes
//! (`envoy.config.route.v3.RouteAction.HashPolicy`).

use std::time::Duration;

use envoy_types::pb::envoy::config::route::v3 as wire;
use wire::route_action::HashPolicy as WirePolicy;
use wire::route_action::hash_policy::{Cookie as WireCookie, PolicySpecifier};

use super::cluster_specifier::header_name;
use crate::duration;
use crate::matcher::RegexRewrite;
use crate::report::At;

/// One of `hash_policy`; those that find something are combined in their order.
#[derive(Debug, Clone)]
pub struct HashPolicy {
    /// What is hashed.
    pub source: HashSource,
    /// `terminal`: where there is a hash by now, later policies are not asked.
    pub terminal: bool,
}

/// `policy_specifier`.
#[derive(Debug, Clone)]
pub enum HashSource {
    /// `header.header_name`, lower case, and `header.regex_rewrite`, which each value goes through first.
    Header(String, Option<RegexRewrite>),
    /// `cookie`.
    Cookie(HashCookie),
    /// `connection_properties.source_ip`; false finds nothing.
    SourceIp(bool),
    /// `filter_state.key`: an object that can be hashed.
    FilterState(String),
    /// `query_parameter.name`.
    QueryParameter(String),
}

/// `cookie`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashCookie {
    /// `name`.
    pub name: String,
    /// `ttl`: a client without the cookie gets one for so long; zero is as long as its session.
    /// Absent means that it gets none.
    pub ttl: Option<Duration>,
    /// `path` of the cookie that it gets, may be empty.
    pub path: String,
    /// `attributes` of that cookie: names, and values where they are not empty.
    pub attributes: Vec<(String, String)>,
}

impl HashPolicy {
    /// Reads the field `hash_policy`.
    pub(super) fn list_from_wire(wire: &[WirePolicy], at: &At<'_>) -> Vec<Self> {
        let at = at.field("hash_policy");
        let policy = |(index, wire)| Self::from_wire(wire, &at.index(index));
        wire.iter().enumerate().filter_map(policy).collect()
    }

    fn from_wire(wire: &WirePolicy, at: &At<'_>) -> Option<Self> {
        let source = match wire.policy_specifier.as_ref()? {
            PolicySpecifier::Header(header) => {
                let at = at.field("header");
                let name = header_name(&header.header_name, &at.field("header_name"))?;
                let rewrite = header.regex_rewrite.as_ref();
                let at = at.field("regex_rewrite");
                HashSource::Header(
                    name,
                    rewrite.and_then(|wire| RegexRewrite::from_wire(wire, &at)),
                )
            }
            PolicySpecifier::Cookie(cookie) => {
                HashSource::Cookie(HashCookie::from_wire(cookie, &at.field("cookie")))
            }
            PolicySpecifier::ConnectionProperties(properties) => {
                HashSource::SourceIp(properties.source_ip)
            }
            PolicySpecifier::QueryParameter(parameter) => {
                HashSource::QueryParameter(parameter.name.clone())
            }
            PolicySpecifier::FilterState(state) => HashSource::FilterState(state.key.clone()),
        };
        Some(Self { source, terminal: wire.terminal })
    }
}

impl HashCookie {
    fn from_wire(wire: &WireCookie, at: &At<'_>) -> Self {
        let ttl = wire.ttl.as_ref();
        let attributes = wire.attributes.iter();
        Self {
            name: wire.name.clone(),
            ttl: ttl.map(|ttl| duration::or(Some(ttl), Duration::ZERO, at, "ttl")),
            path: wire.path.clone(),
            attributes: attributes.map(|one| (one.name.clone(), one.value.clone())).collect(),
        }
    }
}
