//! What of a request tells by which limit it is counted (`envoy.config.route.v3.RateLimit`): routes, virtual
//! hosts and the filter say it, `envoy.filters.http.local_ratelimit` reads it.

use envoy_types::pb::envoy::config::route::v3 as wire;
use wire::rate_limit::Action as WireAction;
use wire::rate_limit::action::{ActionSpecifier, RemoteAddressMatch};

use super::cluster_specifier::header_name;
use super::{QueryParameterMatcher, Scope};
use crate::address::CidrRange;
use crate::http_filter::{HttpFilter, HttpFilterConfig};
use crate::matcher::HeaderMatcher;
use crate::report::{At, Note};

/// `envoy.config.route.v3.RateLimit`: a descriptor, where all of the actions find something.
#[derive(Debug, Clone, PartialEq)]
pub struct RateLimit {
    /// `stage`, default 0: of the filters only those of this stage read it.
    pub stage: u32,
    /// `actions`, at least one: each makes an entry of the descriptor.
    pub actions: Vec<RateLimitAction>,
}

/// `envoy.config.route.v3.RateLimit.Action`.
#[derive(Debug, Clone, PartialEq)]
pub enum RateLimitAction {
    /// `source_cluster`: the `cluster` of our node.
    SourceCluster,
    /// `destination_cluster`: the one that the request goes to.
    DestinationCluster,
    /// `request_headers`.
    RequestHeader(Looked),
    /// `query_parameters`.
    QueryParameter(Looked),
    /// `remote_address`.
    RemoteAddress,
    /// `masked_remote_address`.
    MaskedRemoteAddress {
        /// `v4_prefix_mask_len`, default 32.
        v4_prefix_mask_len: u8,
        /// `v6_prefix_mask_len`, default 128.
        v6_prefix_mask_len: u8,
    },
    /// `generic_key`.
    GenericKey(Entry),
    /// `header_value_match`.
    HeaderValueMatch {
        /// The entry that it makes.
        entry: Entry,
        /// `expect_match`, default true: whether the headers are to be so.
        expect_match: bool,
        /// `headers`, at least one.
        headers: Vec<HeaderMatcher>,
    },
    /// `query_parameter_value_match`.
    QueryParameterValueMatch {
        /// The entry that it makes.
        entry: Entry,
        /// `expect_match`, default true: whether the parameters are to be so.
        expect_match: bool,
        /// `query_parameters`, at least one.
        query_parameters: Vec<QueryParameterMatcher>,
    },
    /// `remote_address_match`.
    RemoteAddressMatch {
        /// The entry that it makes.
        entry: Entry,
        /// `address_matcher.ranges`.
        ranges: Vec<CidrRange>,
        /// `address_matcher.invert_match`, default false.
        invert_match: bool,
    },
}

/// A name, the value of which is that of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// `header_name`, lower case, or `query_parameter_name`.
    pub name: String,
    /// `descriptor_key`.
    pub descriptor_key: String,
    /// `skip_if_absent`, default false: then there is no descriptor; else none of its entries.
    pub skip_if_absent: bool,
}

/// An entry of a descriptor.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Entry {
    /// `descriptor_key`, or `key`.
    pub key: String,
    /// `descriptor_value`, or `value`.
    pub value: String,
}

impl RateLimit {
    /// Reads the field `rate_limits` of a level of the routes.
    pub(super) fn list_of_level(
        wire: &[wire::RateLimit],
        scope: &Scope<'_>,
        at: &At<'_>,
    ) -> Vec<Self> {
        let reads =
            |filter: &HttpFilter| matches!(filter.config, HttpFilterConfig::LocalRateLimit(_));
        if !wire.is_empty() && !scope.filters.iter().any(reads) {
            let note = Note::from("'rate_limits' has no effect: no HTTP filter limits by it").help(
                "add the filter envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
            );
            at.field("rate_limits").warn_once("rate_limits", note);
        }
        Self::list_from_wire(wire, at)
    }

    /// Reads the field `rate_limits`.
    pub(crate) fn list_from_wire(wire: &[wire::RateLimit], at: &At<'_>) -> Vec<Self> {
        let at = at.field("rate_limits");
        let limits = wire.iter().enumerate();
        limits.map(|(index, wire)| Self::from_wire(wire, &at.index(index))).collect()
    }

    fn from_wire(wire: &wire::RateLimit, at: &At<'_>) -> Self {
        let at = at.field("actions");
        let actions = wire.actions.iter().enumerate();
        Self {
            stage: wire.stage.map_or(0, |stage| stage.value),
            actions: actions
                .filter_map(|(index, wire)| RateLimitAction::from_wire(wire, &at.index(index)))
                .collect(),
        }
    }
}

impl RateLimitAction {
    fn from_wire(wire: &WireAction, at: &At<'_>) -> Option<Self> {
        Some(match wire.action_specifier.as_ref()? {
            ActionSpecifier::SourceCluster(_) => Self::SourceCluster,
            ActionSpecifier::DestinationCluster(_) => Self::DestinationCluster,
            ActionSpecifier::RemoteAddress(_) => Self::RemoteAddress,
            ActionSpecifier::RequestHeaders(header) => {
                let at = at.field("request_headers");
                Self::RequestHeader(Looked {
                    name: header_name(&header.header_name, &at.field("header_name"))?,
                    descriptor_key: header.descriptor_key.clone(),
                    skip_if_absent: header.skip_if_absent,
                })
            }
            ActionSpecifier::QueryParameters(parameter) => Self::QueryParameter(Looked {
                name: parameter.query_parameter_name.clone(),
                descriptor_key: parameter.descriptor_key.clone(),
                skip_if_absent: parameter.skip_if_absent,
            }),
            ActionSpecifier::MaskedRemoteAddress(mask) => {
                // The field rules have seen to their range.
                let len = |len: Option<u32>, all: u8| {
                    len.map_or(all, |len| u8::try_from(len).unwrap_or(all))
                };
                Self::MaskedRemoteAddress {
                    v4_prefix_mask_len: len(mask.v4_prefix_mask_len.map(|len| len.value), 32),
                    v6_prefix_mask_len: len(mask.v6_prefix_mask_len.map(|len| len.value), 128),
                }
            }
            ActionSpecifier::GenericKey(key) => Self::GenericKey(Entry::of_action(
                &key.descriptor_key,
                "generic_key",
                &key.descriptor_value,
            )),
            ActionSpecifier::HeaderValueMatch(wire) => Self::HeaderValueMatch {
                entry: Entry::of_action(
                    &wire.descriptor_key,
                    "header_match",
                    &wire.descriptor_value,
                ),
                expect_match: wire.expect_match.is_none_or(|expect| expect.value),
                headers: HeaderMatcher::list_from_wire(
                    &wire.headers,
                    "headers",
                    &at.field("header_value_match"),
                ),
            },
            ActionSpecifier::QueryParameterValueMatch(wire) => Self::QueryParameterValueMatch {
                entry: Entry::of_action(
                    &wire.descriptor_key,
                    "query_match",
                    &wire.descriptor_value,
                ),
                expect_match: wire.expect_match.is_none_or(|expect| expect.value),
                query_parameters: QueryParameterMatcher::list_from_wire(
                    &wire.query_parameters,
                    &at.field("query_parameter_value_match"),
                ),
            },
            ActionSpecifier::RemoteAddressMatch(wire) => {
                return Self::remote_address_match(wire, &at.field("remote_address_match"));
            }
            // The support gate has refused them, or the user wants them ignored.
            #[expect(deprecated, reason = "Envoy still has it")]
            ActionSpecifier::DynamicMetadata(_)
            | ActionSpecifier::Metadata(_)
            | ActionSpecifier::Extension(_) => return None,
        })
    }

    fn remote_address_match(wire: &RemoteAddressMatch, at: &At<'_>) -> Option<Self> {
        // The field rules have seen to its presence.
        let matcher = wire.address_matcher.as_ref()?;
        let at = at.field("address_matcher");
        let at = at.field("ranges");
        let ranges = matcher.ranges.iter().enumerate();
        Some(Self::RemoteAddressMatch {
            entry: Entry::of_action(
                &wire.descriptor_key,
                "remote_address_match",
                &wire.descriptor_value,
            ),
            ranges: ranges
                .filter_map(|(index, range)| {
                    CidrRange::new(
                        &range.address_prefix,
                        range.prefix_len.map(|len| len.value),
                        &at.index(index),
                    )
                })
                .collect(),
            invert_match: matcher.invert_match,
        })
    }
}

impl Entry {
    fn of_action(key: &str, default_key: &str, value: &str) -> Self {
        let key = if key.is_empty() { default_key } else { key };
        Self { key: key.to_owned(), value: value.to_owned() }
    }
}
