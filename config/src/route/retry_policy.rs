//! When a request is sent again (`envoy.config.route.v3.RetryPolicy`).

use std::ops::BitOrAssign;
use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::BackoffStrategy;
use envoy_types::pb::envoy::config::route::v3 as wire;
use envoy_types::pb::envoy::extensions::retry::priority::previous_priorities::v3::PreviousPrioritiesConfig;
use envoy_types::pb::google::protobuf::Duration as WireDuration;
use wire::retry_policy as wire_policy;
use wire_policy::retry_priority::ConfigType as PriorityConfig;

use super::RetryHostPredicate;
use crate::duration;
use crate::matcher::HeaderMatcher;
use crate::report::{At, Note, did_you_mean};
use crate::wire::unpack;

const BACK_OFF_BASE: Duration = Duration::from_millis(25);
/// `max_interval` is this many times `base_interval` where it is not given.
const BACK_OFF_MAX_FACTOR: u32 = 10;
/// Envoy counts in milliseconds and takes what is less for one.
const BACK_OFF_LEAST: Duration = Duration::from_millis(1);
const RATE_LIMITED_MAX_INTERVAL: Duration = Duration::from_secs(300);
/// A set of `retry_on` conditions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RetryOn(u32);

macro_rules! conditions {
    ($($(#[$doc:meta])* $name:ident = $bit:literal, $text:literal;)*) => {
        impl RetryOn {
            $($(#[$doc])* pub const $name: Self = Self(1 << $bit);)*

            const NAMES: &[&str] = &[$($text),*];

            fn named(name: &str) -> Option<Self> {
                match name {
                    $($text => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

conditions! {
    /// A 5xx response, or none at all.
    SERVER_ERROR = 0, "5xx";
    /// 502, 503, 504, or no response at all.
    GATEWAY_ERROR = 1, "gateway-error";
    /// No response at all.
    RESET = 2, "reset";
    /// No response, and the request was not begun to be sent.
    RESET_BEFORE_REQUEST = 3, "reset-before-request";
    /// The connection could not be opened.
    CONNECT_FAILURE = 4, "connect-failure";
    /// A response with `x-envoy-ratelimited`.
    ENVOY_RATELIMITED = 5, "envoy-ratelimited";
    /// 409.
    RETRIABLE_4XX = 6, "retriable-4xx";
    /// The upstream refused the stream (RFC 9113 §8.7).
    REFUSED_STREAM = 7, "refused-stream";
    /// A status among `retriable_status_codes`.
    RETRIABLE_STATUS_CODES = 8, "retriable-status-codes";
    /// A response header among `retriable_headers`.
    RETRIABLE_HEADERS = 9, "retriable-headers";
    /// HTTP/3 only; never holds here.
    HTTP3_POST_CONNECT_FAILURE = 10, "http3-post-connect-failure";
    /// gRPC status 1 in the response's headers.
    GRPC_CANCELLED = 11, "cancelled";
    /// gRPC status 4 in the response's headers.
    GRPC_DEADLINE_EXCEEDED = 12, "deadline-exceeded";
    /// gRPC status 13 in the response's headers.
    GRPC_INTERNAL = 13, "internal";
    /// gRPC status 8 in the response's headers.
    GRPC_RESOURCE_EXHAUSTED = 14, "resource-exhausted";
    /// gRPC status 14 in the response's headers.
    GRPC_UNAVAILABLE = 15, "unavailable";
}

impl RetryOn {
    /// The conditions of a comma-separated list; unknown names go to `unknown` and count for
    /// nothing, as in Envoy.
    pub fn parse(list: &str, mut unknown: impl FnMut(&str)) -> Self {
        let mut conditions = Self::default();
        for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            match Self::named(name) {
                Some(condition) => conditions |= condition,
                None => unknown(name),
            }
        }
        conditions
    }

    /// Whether there is no condition.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether any of `conditions` is among these.
    pub const fn has(self, conditions: Self) -> bool {
        self.0 & conditions.0 != 0
    }
}

impl BitOrAssign for RetryOn {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// `envoy.config.route.v3.RetryPolicy`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// `retry_on`.
    pub retry_on: RetryOn,
    /// `num_retries`, default 1.
    pub num_retries: u32,
    /// `per_try_timeout`; `None` is no limit of its own.
    pub per_try_timeout: Option<Duration>,
    /// `per_try_idle_timeout`; `None` is off.
    pub per_try_idle_timeout: Option<Duration>,
    /// `retriable_status_codes`.
    pub retriable_status_codes: Vec<u16>,
    /// `retriable_headers`: a response that any of them matches is one for `retriable-headers`.
    pub retriable_headers: Vec<HeaderMatcher>,
    /// `retriable_request_headers`: where there are any, only a request that one of them matches is
    /// sent again.
    pub retriable_request_headers: Vec<HeaderMatcher>,
    /// `retry_back_off`.
    pub back_off: BackOff,
    /// `rate_limited_retry_back_off`.
    pub rate_limited: Option<RateLimitedBackOff>,
    /// `retry_host_predicate`: a host of any of these kinds is not wanted.
    pub host_predicates: Vec<RetryHostPredicate>,
    /// `retry_priority` with `previous_priorities`: its `update_frequency`. After so many attempts the
    /// priorities that they went to are left out.
    pub leaves_priorities_after: Option<usize>,
    /// `host_selection_retry_max_attempts`, default 1: how often another host is asked for.
    pub host_selection_attempts_max: u32,
}

/// Random waits that double: `retry_back_off` of routes, `backoff_options` of the TCP proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackOff {
    /// `base_interval`, default 25 ms: the first wait is shorter than this.
    pub base: Duration,
    /// `max_interval`, default ten times `base_interval`.
    pub max: Duration,
}

/// `rate_limited_retry_back_off`: waits that the upstream asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimitedBackOff {
    /// `reset_headers`, the first that holds a usable value counts.
    pub reset_headers: Vec<ResetHeader>,
    /// `max_interval`, default 300 s: a longer wait is not obeyed.
    pub max: Duration,
}

/// One of `reset_headers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResetHeader {
    /// `name`, lower case.
    pub name: String,
    /// `format`.
    pub format: ResetHeaderFormat,
}

/// What a reset header's number means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetHeaderFormat {
    /// `SECONDS` from now.
    Seconds,
    /// `UNIX_TIMESTAMP`: seconds since 1970.
    UnixTimestamp,
}

impl Default for BackOff {
    fn default() -> Self {
        Self { base: BACK_OFF_BASE, max: BACK_OFF_BASE * BACK_OFF_MAX_FACTOR }
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            retry_on: RetryOn::default(),
            num_retries: 1,
            per_try_timeout: None,
            per_try_idle_timeout: None,
            retriable_status_codes: Vec::new(),
            retriable_headers: Vec::new(),
            retriable_request_headers: Vec::new(),
            back_off: BackOff::default(),
            rate_limited: None,
            host_predicates: Vec::new(),
            leaves_priorities_after: None,
            host_selection_attempts_max: 1,
        }
    }
}

impl RetryPolicy {
    pub(super) fn from_wire(wire: Option<&wire::RetryPolicy>, at: &At<'_>) -> Option<Self> {
        let wire = wire?;
        let at = &at.field("retry_policy");
        let retry_on = RetryOn::parse(&wire.retry_on, |name| {
            let note = format!("'{name}' is no retry condition of Envoy's; it has no effect");
            let near = did_you_mean(name, RetryOn::NAMES.iter().copied());
            let near = near.unwrap_or_else(|| "remove it".to_owned());
            at.field("retry_on").warn(Note::from(note).help(near));
        });
        let matchers = |wire, name| HeaderMatcher::list_from_wire(wire, name, at);
        Some(Self {
            retry_on,
            num_retries: wire.num_retries.as_ref().map_or(1, |retries| retries.value),
            per_try_timeout: duration::or_off(
                wire.per_try_timeout.as_ref(),
                None,
                at,
                "per_try_timeout",
            ),
            per_try_idle_timeout: duration::or_off(
                wire.per_try_idle_timeout.as_ref(),
                None,
                at,
                "per_try_idle_timeout",
            ),
            retriable_status_codes: wire
                .retriable_status_codes
                .iter()
                .filter_map(|code| u16::try_from(*code).ok())
                .collect(),
            retriable_headers: matchers(&wire.retriable_headers, "retriable_headers"),
            retriable_request_headers: matchers(
                &wire.retriable_request_headers,
                "retriable_request_headers",
            ),
            back_off: BackOff::from_wire(wire.retry_back_off.as_ref(), at),
            rate_limited: RateLimitedBackOff::from_wire(
                wire.rate_limited_retry_back_off.as_ref(),
                at,
            ),
            host_predicates: RetryHostPredicate::list_from_wire(&wire.retry_host_predicate, at),
            leaves_priorities_after: wire
                .retry_priority
                .as_ref()
                .and_then(|priority| update_frequency(priority, &at.field("retry_priority"))),
            host_selection_attempts_max: match wire.host_selection_retry_max_attempts {
                0 => 1,
                attempts => u32::try_from(attempts).unwrap_or(0),
            },
        })
    }
}

/// No other extension passes the support gate.
fn update_frequency(wire: &wire_policy::RetryPriority, at: &At<'_>) -> Option<usize> {
    let Some(PriorityConfig::TypedConfig(config)) = &wire.config_type else {
        at.error_at_key(Note::typed_config_required());
        return None;
    };
    let config = unpack::<PreviousPrioritiesConfig>(config)?;
    usize::try_from(config.update_frequency).ok()
}

impl BackOff {
    fn from_wire(wire: Option<&wire_policy::RetryBackOff>, at: &At<'_>) -> Self {
        let Some(wire) = wire else { return Self::of_runtime(at) };
        let at = at.field("retry_back_off");
        Self::between(wire.base_interval.as_ref(), wire.max_interval.as_ref(), &at)
    }

    /// Where nothing else says how long to wait: by the runtime key `upstream.base_retry_backoff_ms`.
    pub(crate) fn of_runtime(at: &At<'_>) -> Self {
        let base = at.runtime().integer("upstream.base_retry_backoff_ms");
        let base =
            base.map_or(BACK_OFF_BASE, |base| Duration::from_millis(base).max(BACK_OFF_LEAST));
        Self { base, max: base.saturating_mul(BACK_OFF_MAX_FACTOR) }
    }

    /// `envoy.config.core.v3.BackoffStrategy`.
    pub(crate) fn of_strategy(wire: &BackoffStrategy, at: &At<'_>) -> Self {
        Self::between(wire.base_interval.as_ref(), wire.max_interval.as_ref(), at)
    }

    fn between(base: Option<&WireDuration>, max: Option<&WireDuration>, at: &At<'_>) -> Self {
        let interval = |value, name| duration::or_off(value, None, at, name);
        let base = interval(base, "base_interval").unwrap_or(BACK_OFF_BASE).max(BACK_OFF_LEAST);
        let max = interval(max, "max_interval")
            .map_or(base * BACK_OFF_MAX_FACTOR, |max| max.max(BACK_OFF_LEAST));
        if max < base {
            at.field("max_interval").error("'max_interval' must not be less than 'base_interval'");
        }
        Self { base, max }
    }
}

impl RateLimitedBackOff {
    fn from_wire(wire: Option<&wire_policy::RateLimitedRetryBackOff>, at: &At<'_>) -> Option<Self> {
        let wire = wire?;
        let at = at.field("rate_limited_retry_back_off");
        let header = |header: &wire_policy::ResetHeader| ResetHeader {
            name: header.name.to_ascii_lowercase(),
            format: match header.format() {
                wire_policy::ResetHeaderFormat::Seconds => ResetHeaderFormat::Seconds,
                wire_policy::ResetHeaderFormat::UnixTimestamp => ResetHeaderFormat::UnixTimestamp,
            },
        };
        Some(Self {
            reset_headers: wire.reset_headers.iter().map(header).collect(),
            max: duration::or_off(wire.max_interval.as_ref(), None, &at, "max_interval")
                .unwrap_or(RATE_LIMITED_MAX_INTERVAL),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_conditions_are_parsed_as_envoy_parses_them() {
        let mut unknown = Vec::new();
        let conditions = RetryOn::parse(" 5xx,,reset , nonsense", |name| {
            unknown.push(name.to_owned());
        });
        assert!(conditions.has(RetryOn::SERVER_ERROR));
        assert!(conditions.has(RetryOn::RESET));
        assert!(!conditions.has(RetryOn::GATEWAY_ERROR));
        assert_eq!(unknown, ["nonsense"]);
        assert!(RetryOn::parse("", |_| panic!("nothing is unknown here")).is_empty());
    }
}
