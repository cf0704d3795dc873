//! `envoy.extensions.filters.http.local_ratelimit.v3`.

use std::collections::HashSet;

use common::{VhRateLimitsOptions, XRateLimitHeadersRfcVersion};
use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::config::route::v3 as route;
use envoy_types::pb::envoy::extensions::common::ratelimit::v3 as common;
use envoy_types::pb::envoy::extensions::filters::http::local_ratelimit::v3 as wire;

use crate::fraction::Fraction;
use crate::header_mutation::HeaderValueOption;
use crate::report::{At, Note};
use crate::route::{Entry, RateLimit};
use crate::token_bucket::TokenBucket;

const TOO_MANY_REQUESTS: u16 = 429;

/// `envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit`.
#[derive(Debug, Clone)]
pub struct LocalRateLimit {
    /// `stat_prefix`, required.
    pub stat_prefix: String,
    /// `status`, default 429, as are those below 400.
    pub status: u16,
    /// `token_bucket`; absent means no limit.
    pub token_bucket: Option<TokenBucket>,
    /// `descriptors`: buckets for requests that are told by `rate_limits`.
    pub descriptors: Vec<RateLimitDescriptor>,
    /// `rate_limits`, in place of those of routes and virtual hosts.
    pub rate_limits: Vec<RateLimit>,
    /// `stage`, default 0: of the rate limits of routes only those of this stage count.
    pub stage: u32,
    /// `vh_rate_limits`, default OVERRIDE.
    pub vh_rate_limits: VhRateLimits,
    /// `always_consume_default_token_bucket`, default true: requests of a descriptor take a token of
    /// `token_bucket` too.
    pub always_consume_default_token_bucket: bool,
    /// `local_rate_limit_per_downstream_connection`, default false: each connection has buckets of its
    /// own.
    pub per_downstream_connection: bool,
    /// `enable_retry_after_header`, default false.
    pub enable_retry_after_header: bool,
    /// `filter_enabled`, default none.
    pub filter_enabled: Fraction,
    /// `filter_enforced`, default none.
    pub filter_enforced: Fraction,
    /// `request_headers_to_add_when_not_enforced`.
    pub request_headers_to_add_when_not_enforced: Vec<HeaderValueOption>,
    /// `response_headers_to_add`.
    pub response_headers_to_add: Vec<HeaderValueOption>,
    /// `enable_x_ratelimit_headers: DRAFT_VERSION_03`, default off.
    pub enable_x_ratelimit_headers: bool,
    /// `rate_limited_as_resource_exhausted`, default false: gRPC clients are told UNAVAILABLE.
    pub rate_limited_as_resource_exhausted: bool,
}

/// `envoy.extensions.common.ratelimit.v3.LocalRateLimitDescriptor`.
#[derive(Debug, Clone, PartialEq)]
pub struct RateLimitDescriptor {
    /// `entries`, at least one.
    pub entries: Vec<Entry>,
    /// `token_bucket`, required.
    pub token_bucket: TokenBucket,
}

/// `envoy.extensions.common.ratelimit.v3.VhRateLimitsOptions`: when rate limits of the virtual host count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VhRateLimits {
    /// `OVERRIDE`: where the route has none.
    Override,
    /// `INCLUDE`: always.
    Include,
    /// `IGNORE`: never.
    Ignore,
}

impl LocalRateLimit {
    pub(super) fn from_wire(wire: &wire::LocalRateLimit, at: &At<'_>) -> Self {
        let status = wire.status.and_then(|status| u16::try_from(status.code).ok());
        Self {
            stat_prefix: wire.stat_prefix.clone(),
            status: status.filter(|status| *status >= 400).unwrap_or(TOO_MANY_REQUESTS),
            token_bucket: wire
                .token_bucket
                .as_ref()
                .map(|bucket| TokenBucket::from_wire(bucket, &at.field("token_bucket"))),
            descriptors: RateLimitDescriptor::list_from_wire(&wire.descriptors, at),
            rate_limits: own_rate_limits(&wire.rate_limits, at),
            stage: wire.stage,
            vh_rate_limits: match wire.vh_rate_limits() {
                VhRateLimitsOptions::Override => VhRateLimits::Override,
                VhRateLimitsOptions::Include => VhRateLimits::Include,
                VhRateLimitsOptions::Ignore => VhRateLimits::Ignore,
            },
            always_consume_default_token_bucket: wire
                .always_consume_default_token_bucket
                .is_none_or(|always| always.value),
            per_downstream_connection: wire.local_rate_limit_per_downstream_connection,
            enable_retry_after_header: wire.enable_retry_after_header,
            filter_enabled: Fraction::or(
                wire.filter_enabled.as_ref(),
                Fraction::NONE,
                &at.field("filter_enabled"),
            ),
            filter_enforced: Fraction::or(
                wire.filter_enforced.as_ref(),
                Fraction::NONE,
                &at.field("filter_enforced"),
            ),
            request_headers_to_add_when_not_enforced: options(
                &wire.request_headers_to_add_when_not_enforced,
                &at.field("request_headers_to_add_when_not_enforced"),
            ),
            response_headers_to_add: options(
                &wire.response_headers_to_add,
                &at.field("response_headers_to_add"),
            ),
            enable_x_ratelimit_headers: wire.enable_x_ratelimit_headers()
                == XRateLimitHeadersRfcVersion::DraftVersion03,
            rate_limited_as_resource_exhausted: wire.rate_limited_as_resource_exhausted,
        }
    }

    /// The same on a level of a route configuration, where a bucket is required.
    pub(super) fn per_route(wire: &wire::LocalRateLimit, at: &At<'_>) -> Self {
        if wire.token_bucket.is_none() {
            at.error_at_key("'token_bucket' is required for routes");
        }
        Self::from_wire(wire, at)
    }

    pub(super) fn header_options(&self) -> Vec<&HeaderValueOption> {
        let of_requests = self.request_headers_to_add_when_not_enforced.iter();
        of_requests.chain(&self.response_headers_to_add).collect()
    }
}

/// The filter's own `rate_limits` have no stage, as in Envoy.
fn own_rate_limits(wire: &[route::RateLimit], at: &At<'_>) -> Vec<RateLimit> {
    let at_limits = at.field("rate_limits");
    for (index, _) in wire.iter().enumerate().filter(|(_, limit)| limit.stage.is_some()) {
        at_limits.index(index).field("stage").error_at_key(
            Note::from("'stage' is for rate limits of routes")
                .help("remove 'stage', or move the limit to a route"),
        );
    }
    RateLimit::list_from_wire(wire, at)
}

impl RateLimitDescriptor {
    fn list_from_wire(wire: &[common::LocalRateLimitDescriptor], at: &At<'_>) -> Vec<Self> {
        let at = at.field("descriptors");
        let mut known = HashSet::new();
        let mut list = Vec::with_capacity(wire.len());
        for (index, wire) in wire.iter().enumerate() {
            let at = at.index(index);
            let entries = entries_from_wire(&wire.entries, &at.field("entries"));
            if !known.insert(entries.clone()) {
                at.error(
                    Note::from("another descriptor has the same entries")
                        .help("remove one of the two"),
                );
            }
            // The field rules have seen to its presence.
            let Some(bucket) = &wire.token_bucket else { continue };
            let token_bucket = TokenBucket::from_wire(bucket, &at.field("token_bucket"));
            list.push(Self { entries, token_bucket });
        }
        list
    }
}

fn entries_from_wire(wire: &[common::rate_limit_descriptor::Entry], at: &At<'_>) -> Vec<Entry> {
    let entry = |(index, wire): (usize, &common::rate_limit_descriptor::Entry)| {
        if wire.value.is_empty() {
            let note = "an entry without 'value', which makes a bucket for each value, is known to Envoy, \
                        not supported by ringmain";
            at.index(index).error(Note::from(note).help("write an entry for each value"));
        }
        Entry { key: wire.key.clone(), value: wire.value.clone() }
    };
    wire.iter().enumerate().map(entry).collect()
}

fn options(wire: &[core::HeaderValueOption], at: &At<'_>) -> Vec<HeaderValueOption> {
    let options = wire.iter().enumerate();
    options
        .filter_map(|(index, option)| HeaderValueOption::from_wire(option, &at.index(index)))
        .collect()
}
