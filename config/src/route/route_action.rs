//! Forwarding to a cluster.

use std::time::Duration;

use envoy_types::pb::envoy::config::route::v3 as wire;
use wire::route_action::{ClusterNotFoundResponseCode as WireNotFound, HostRewriteSpecifier};

use super::{
    ClusterSpecifier, HashPolicy, HedgePolicy, HostRewrite, InternalRedirectPolicy, PathMatch,
    PathRewrite, RateLimit, RequestMirrorPolicy, RetryPolicy, Scope,
};
use crate::cluster::RoutingPriority;
use crate::duration;
use crate::match_criteria::MatchCriteria;
use crate::report::At;
use crate::upgrade_configs::UpgradeConfigs;

const TIMEOUT: Duration = Duration::from_secs(15);

/// `envoy.config.route.v3.RouteAction`.
#[derive(Debug, Clone)]
pub struct RouteAction {
    /// `cluster`, `cluster_header` or `weighted_clusters`.
    pub cluster: ClusterSpecifier,
    /// `metadata_match`, of which `envoy.lb` counts.
    pub metadata_match: Option<MatchCriteria>,
    /// `cluster_not_found_response_code`: 503 (default), 404 or 500.
    pub cluster_not_found_status: u16,
    /// `timeout`, default 15 s; `None` is 0, off.
    pub timeout: Option<Duration>,
    /// `idle_timeout`; absent means the manager's `stream_idle_timeout`, `Some(None)` is 0, off.
    pub idle_timeout: Option<Option<Duration>>,
    /// `prefix_rewrite`, `regex_rewrite`, `path_rewrite` or `path_rewrite_policy`.
    pub path_rewrite: Option<PathRewrite>,
    /// `host_rewrite_specifier`, but for `auto_host_rewrite`.
    pub host_rewrite: Option<HostRewrite>,
    /// `auto_host_rewrite`: the request's host becomes the upstream host's name, where it has one.
    pub auto_host_rewrite: bool,
    /// `append_x_forwarded_host`, default false.
    pub append_x_forwarded_host: bool,
    /// `max_stream_duration`.
    pub max_stream_duration: Option<MaxStreamDuration>,
    /// `retry_policy`; absent means the virtual host's.
    pub retry_policy: Option<RetryPolicy>,
    /// `hedge_policy`; absent means the virtual host's.
    pub hedge_policy: Option<HedgePolicy>,
    /// `internal_redirect_policy`; absent means that redirects are passed on.
    pub internal_redirect_policy: Option<InternalRedirectPolicy>,
    /// `request_mirror_policies`; none means those of the virtual host.
    pub request_mirror_policies: Vec<RequestMirrorPolicy>,
    /// `rate_limits`; none means those of the virtual host.
    pub rate_limits: Vec<RateLimit>,
    /// `include_vh_rate_limits`, default false: those of the virtual host too.
    pub include_vh_rate_limits: bool,
    /// `priority`, default DEFAULT.
    pub priority: RoutingPriority,
    /// `hash_policy`.
    pub hash_policy: Vec<HashPolicy>,
    /// `upgrade_configs`, default none; what it does not name is as the connection manager has it.
    pub upgrade_configs: UpgradeConfigs,
}

/// `envoy.config.route.v3.RouteAction.MaxStreamDuration`. With it the route's `timeout` has no
/// effect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MaxStreamDuration {
    /// `max_stream_duration`; absent means the manager's, zero is off.
    pub max_stream_duration: Option<Duration>,
    /// `grpc_timeout_header_max`: the client's `grpc-timeout` is the limit, but for this at most, or
    /// whatever it is where this is zero.
    pub grpc_timeout_header_max: Option<Duration>,
    /// `grpc_timeout_header_offset`: taken off the client's `grpc-timeout`.
    pub grpc_timeout_header_offset: Option<Duration>,
}

impl MaxStreamDuration {
    fn from_wire(wire: &wire::route_action::MaxStreamDuration, at: &At<'_>) -> Self {
        let some = |field: Option<_>, name| {
            field.map(|value| duration::or(Some(&value), Duration::ZERO, at, name))
        };
        Self {
            max_stream_duration: some(wire.max_stream_duration, "max_stream_duration"),
            grpc_timeout_header_max: some(wire.grpc_timeout_header_max, "grpc_timeout_header_max"),
            grpc_timeout_header_offset: some(
                wire.grpc_timeout_header_offset,
                "grpc_timeout_header_offset",
            ),
        }
    }
}

impl RouteAction {
    pub(super) fn from_wire(
        wire: &wire::RouteAction,
        matched: Option<&PathMatch>,
        scope: &Scope<'_>,
        at: &At<'_>,
    ) -> Option<Self> {
        let metadata_match = MatchCriteria::from_wire(wire.metadata_match.as_ref(), None);
        let cluster = ClusterSpecifier::from_wire(
            wire.cluster_specifier.as_ref(),
            metadata_match.as_ref(),
            scope,
            at,
        )?;
        let idle_timeout = wire.idle_timeout.as_ref();
        Some(Self {
            cluster,
            metadata_match,
            cluster_not_found_status: match wire.cluster_not_found_response_code() {
                WireNotFound::ServiceUnavailable => 503,
                WireNotFound::NotFound => 404,
                WireNotFound::InternalServerError => 500,
            },
            timeout: duration::or_off(wire.timeout.as_ref(), Some(TIMEOUT), at, "timeout"),
            idle_timeout: idle_timeout
                .map(|timeout| duration::or_off(Some(timeout), None, at, "idle_timeout")),
            path_rewrite: PathRewrite::from_wire(wire, matched, at),
            host_rewrite: HostRewrite::from_wire(wire.host_rewrite_specifier.as_ref(), at),
            auto_host_rewrite: matches!(
                &wire.host_rewrite_specifier,
                Some(HostRewriteSpecifier::AutoHostRewrite(auto)) if auto.value
            ),
            append_x_forwarded_host: wire.append_x_forwarded_host,
            max_stream_duration: wire
                .max_stream_duration
                .as_ref()
                .map(|wire| MaxStreamDuration::from_wire(wire, &at.field("max_stream_duration"))),
            retry_policy: RetryPolicy::from_wire(wire.retry_policy.as_ref(), at),
            hedge_policy: wire.hedge_policy.as_ref().map(HedgePolicy::from_wire),
            internal_redirect_policy: InternalRedirectPolicy::from_wire(wire, at),
            request_mirror_policies: RequestMirrorPolicy::list_from_wire(
                &wire.request_mirror_policies,
                scope,
                at,
            ),
            rate_limits: RateLimit::list_of_level(&wire.rate_limits, scope, at),
            include_vh_rate_limits: {
                #[expect(deprecated, reason = "Envoy still reads it")]
                let include = wire.include_vh_rate_limits.as_ref();
                include.is_some_and(|include| include.value)
            },
            priority: RoutingPriority::from_wire(wire.priority()),
            hash_policy: HashPolicy::list_from_wire(&wire.hash_policy, at),
            upgrade_configs: UpgradeConfigs::of_route(&wire.upgrade_configs, at),
        })
    }
}
