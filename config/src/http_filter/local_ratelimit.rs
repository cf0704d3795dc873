//! `envoy.extensions.filters.http.local_ratelimit.v3`.

use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::extensions::common::ratelimit::v3::XRateLimitHeadersRfcVersion;
use envoy_types::pb::envoy::extensions::filters::http::local_ratelimit::v3 as wire;

use crate::fraction::Fraction;
use crate::header_mutation::HeaderValueOption;
use crate::report::At;
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

fn options(wire: &[core::HeaderValueOption], at: &At<'_>) -> Vec<HeaderValueOption> {
    let options = wire.iter().enumerate();
    options
        .filter_map(|(index, option)| HeaderValueOption::from_wire(option, &at.index(index)))
        .collect()
}
