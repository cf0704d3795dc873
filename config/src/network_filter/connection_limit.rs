//! `envoy.extensions.filters.network.connection_limit.v3`.

use std::time::Duration;

use envoy_types::pb::envoy::extensions::filters::network::connection_limit::v3 as wire;

use crate::duration;
use crate::report::At;
use crate::runtime::is_enabled;

/// How many connections of a filter chain there may be at once
/// (`envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionLimit {
    /// `stat_prefix`, required.
    pub stat_prefix: String,
    /// `max_connections`, at least 1.
    pub max_connections: u64,
    /// `delay`: how long one too many waits before it is closed; default not at all.
    pub delay: Option<Duration>,
    /// `runtime_enabled`, default true: else none is counted.
    pub enabled: bool,
}

impl ConnectionLimit {
    pub(super) fn from_wire(wire: wire::ConnectionLimit, at: &At<'_>) -> Self {
        Self {
            enabled: is_enabled(wire.runtime_enabled.as_ref(), at),
            delay: duration::or_off(wire.delay.as_ref(), None, at, "delay"),
            // The field rules have seen to its presence.
            max_connections: wire.max_connections.map_or(1, |max| max.value),
            stat_prefix: wire.stat_prefix,
        }
    }
}
