//! `envoy.extensions.filters.http.health_check.v3`.

use std::collections::BTreeMap;
use std::time::Duration;

use envoy_types::pb::envoy::extensions::filters::http::health_check::v3 as wire;

use crate::duration;
use crate::matcher::HeaderMatcher;
use crate::report::{At, Note};

/// `envoy.extensions.filters.http.health_check.v3.HealthCheck`.
#[derive(Debug, Clone, PartialEq)]
pub struct HealthCheck {
    /// `pass_through_mode`: health checks go upstream unless this process fails its own.
    pub pass_through_mode: bool,
    /// `cache_time`: how long the answer of the upstream stands for it; default off.
    pub cache_time: Option<Duration>,
    /// `headers`, which tell health checks from other requests; all have to be fulfilled.
    pub headers: Vec<HeaderMatcher>,
    /// `cluster_min_healthy_percentages`, by name: how much of each cluster, in whole percent, has to be
    /// healthy or degraded for an answer of 200. Nobody is asked where there are none, or in
    /// `pass_through_mode`.
    pub cluster_min_healthy_percentages: BTreeMap<String, u64>,
}

impl HealthCheck {
    pub(super) fn from_wire(wire: &wire::HealthCheck, at: &At<'_>) -> Self {
        // The field rules have seen to its presence.
        let pass_through_mode = wire.pass_through_mode.is_some_and(|passes| passes.value);
        let cache_time = duration::or_off(wire.cache_time.as_ref(), None, at, "cache_time");
        if cache_time.is_some() && !pass_through_mode {
            at.field("cache_time").error_at_key(
                Note::from("'cache_time' needs 'pass_through_mode: true'")
                    .help("set 'pass_through_mode: true', or remove 'cache_time'"),
            );
        }
        Self {
            pass_through_mode,
            cache_time,
            headers: HeaderMatcher::list_from_wire(&wire.headers, "headers", at),
            cluster_min_healthy_percentages: wire
                .cluster_min_healthy_percentages
                .iter()
                // Envoy cuts fractions off; the field rules bound the value.
                .map(|(name, percent)| (name.clone(), percent.value as u64))
                .collect(),
        }
    }
}
