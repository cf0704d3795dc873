//! `envoy.extensions.filters.network.local_ratelimit.v3`.

use envoy_types::pb::envoy::extensions::filters::network::local_ratelimit::v3 as wire;

use crate::report::At;
use crate::runtime::is_enabled;
use crate::token_bucket::TokenBucket;

/// How fast connections of a filter chain may come
/// (`envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalRateLimit {
    /// `stat_prefix`, required.
    pub stat_prefix: String,
    /// `token_bucket`, required: a token for each connection.
    pub token_bucket: TokenBucket,
    /// `share_key`: filters with the same one and the same `token_bucket` take from one bucket; empty means
    /// that the filter has its own.
    pub share_key: String,
    /// `runtime_enabled`, default true: else every connection is let pass.
    pub enabled: bool,
}

impl LocalRateLimit {
    pub(super) fn from_wire(wire: wire::LocalRateLimit, at: &At<'_>) -> Option<Self> {
        // The field rules have seen to its presence.
        let bucket = wire.token_bucket.as_ref()?;
        Some(Self {
            enabled: is_enabled(wire.runtime_enabled.as_ref(), at),
            token_bucket: TokenBucket::from_wire(bucket, &at.field("token_bucket")),
            share_key: wire.share_key,
            stat_prefix: wire.stat_prefix,
        })
    }
}
