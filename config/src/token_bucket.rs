//! Token buckets (`envoy.type.v3.TokenBucket`), of local rate limits for requests and for connections.

use std::time::Duration;

use envoy_types::pb::envoy::r#type::v3 as wire;

use crate::duration;
use crate::report::At;

/// Envoy's lower bound of `fill_interval`.
const FILL_INTERVAL_MIN: Duration = Duration::from_millis(50);

/// How many may come at once, and how fast more may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenBucket {
    /// `max_tokens`.
    pub max_tokens: u32,
    /// `tokens_per_fill`, default 1.
    pub tokens_per_fill: u32,
    /// `fill_interval`, at least 50 ms.
    pub fill_interval: Duration,
}

impl TokenBucket {
    pub(crate) fn from_wire(wire: &wire::TokenBucket, at: &At<'_>) -> Self {
        let interval = wire.fill_interval.as_ref();
        let fill_interval = duration::or(interval, FILL_INTERVAL_MIN, at, "fill_interval");
        if fill_interval < FILL_INTERVAL_MIN {
            at.field("fill_interval").error("must be at least 50 ms");
        }
        Self {
            max_tokens: wire.max_tokens,
            tokens_per_fill: wire.tokens_per_fill.map_or(1, |tokens| tokens.value),
            fill_interval,
        }
    }
}
