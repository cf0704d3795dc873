//! `envoy.extensions.filters.http.fault.v3`.

use std::time::Duration;

use common::fault_delay::FaultDelaySecifier;
use common::fault_rate_limit::LimitType;
use envoy_types::pb::envoy::extensions::filters::common::fault::v3 as common;
use envoy_types::pb::envoy::extensions::filters::http::fault::v3 as wire;
use envoy_types::pb::envoy::r#type::v3::FractionalPercent;
use wire::fault_abort::ErrorType;

use crate::duration;
use crate::fraction::Fraction;
use crate::matcher::HeaderMatcher;
use crate::report::At;

/// `envoy.extensions.filters.http.fault.v3.HTTPFault`. The runtime keys that its `_runtime` fields name, or Envoy's own
/// such as `fault.http.abort.abort_percent`, go before what is configured.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpFault {
    /// `delay`.
    pub delay: Option<FaultDelay>,
    /// `abort`.
    pub abort: Option<FaultAbort>,
    /// `response_rate_limit`.
    pub response_rate_limit: Option<FaultRateLimit>,
    /// `upstream_cluster`; empty means any.
    pub upstream_cluster: String,
    /// `headers`, all of which a request has to fulfil.
    pub headers: Vec<HeaderMatcher>,
    /// `downstream_nodes`, of which `x-envoy-downstream-service-node` has to be one; empty means any.
    pub downstream_nodes: Vec<String>,
    /// `max_active_faults`: beyond that no request is touched.
    pub max_active_faults: Option<u32>,
}

/// `envoy.extensions.filters.common.fault.v3.FaultDelay`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultDelay {
    /// `fixed_delay`; `None` with `header_delay`: the client says it, in milliseconds, in
    /// `x-envoy-fault-delay-request`.
    pub fixed_delay: Option<Duration>,
    /// `percentage`, default none.
    pub percentage: Fraction,
}

/// `envoy.extensions.filters.common.fault.v3.FaultRateLimit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultRateLimit {
    /// `fixed_limit.limit_kbps`, KiB a second, at least 1; `None` with `header_limit`: the client says it in
    /// `x-envoy-fault-throughput-response`.
    pub fixed_limit_kbps: Option<u64>,
    /// `percentage`, default none.
    pub percentage: Fraction,
}

/// `envoy.extensions.filters.http.fault.v3.FaultAbort`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultAbort {
    /// `error_type`.
    pub error: AbortError,
    /// `percentage`, default none.
    pub percentage: Fraction,
    /// `response_body`; Envoy has a text of its own where it is empty.
    pub response_body: String,
}

/// What an aborted request is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AbortError {
    /// `http_status`, 200 to 599.
    HttpStatus(u16),
    /// `grpc_status`.
    GrpcStatus(u32),
    /// `header_abort`: what the client asks for in `x-envoy-fault-abort-request` or
    /// `x-envoy-fault-abort-grpc-request`.
    Header,
}

impl HttpFault {
    pub(super) fn from_wire(wire: &wire::HttpFault, at: &At<'_>) -> Self {
        Self {
            delay: FaultDelay::from_wire(wire, at),
            abort: FaultAbort::from_wire(wire, at),
            response_rate_limit: FaultRateLimit::from_wire(wire, at),
            upstream_cluster: wire.upstream_cluster.clone(),
            headers: HeaderMatcher::list_from_wire(&wire.headers, "headers", at),
            downstream_nodes: wire.downstream_nodes.clone(),
            max_active_faults: at
                .runtime()
                .integer_u32(or(&wire.max_active_faults_runtime, "fault.http.max_active_faults"))
                .or(wire.max_active_faults.map(|max| max.value)),
        }
    }
}

impl FaultDelay {
    fn from_wire(fault: &wire::HttpFault, at: &At<'_>) -> Option<Self> {
        let wire = fault.delay.as_ref()?;
        let fixed_delay = match wire.fault_delay_secifier.as_ref()? {
            FaultDelaySecifier::FixedDelay(fixed) => {
                let key = or(&fault.delay_duration_runtime, "fault.http.delay.fixed_duration_ms");
                let of_runtime = at.runtime().integer(key).map(Duration::from_millis);
                let at = at.field("delay");
                let of_field = || duration::or(Some(fixed), Duration::ZERO, &at, "fixed_delay");
                Some(of_runtime.unwrap_or_else(of_field))
            }
            FaultDelaySecifier::HeaderDelay(_) => None,
        };
        let key = or(&fault.delay_percent_runtime, "fault.http.delay.fixed_delay_percent");
        Some(Self { fixed_delay, percentage: percentage(key, wire.percentage, at) })
    }
}

impl FaultRateLimit {
    fn from_wire(fault: &wire::HttpFault, at: &At<'_>) -> Option<Self> {
        let wire = fault.response_rate_limit.as_ref()?;
        let fixed_limit_kbps = match wire.limit_type.as_ref()? {
            LimitType::FixedLimit(fixed) => Some(fixed.limit_kbps),
            LimitType::HeaderLimit(_) => None,
        };
        let key = &fault.response_rate_limit_percent_runtime;
        let key = or(key, "fault.http.rate_limit.response_percent");
        Some(Self { fixed_limit_kbps, percentage: percentage(key, wire.percentage, at) })
    }
}

impl FaultAbort {
    fn from_wire(fault: &wire::HttpFault, at: &At<'_>) -> Option<Self> {
        let wire = fault.abort.as_ref()?;
        let error = match wire.error_type.as_ref()? {
            ErrorType::HttpStatus(status) => {
                let key = or(&fault.abort_http_status_runtime, "fault.http.abort.http_status");
                let of_runtime = at.runtime().integer_u32(key);
                AbortError::HttpStatus(http_status(of_runtime.unwrap_or(*status), key, at)?)
            }
            ErrorType::GrpcStatus(status) => {
                let key = or(&fault.abort_grpc_status_runtime, "fault.http.abort.grpc_status");
                AbortError::GrpcStatus(at.runtime().integer_u32(key).unwrap_or(*status))
            }
            ErrorType::HeaderAbort(_) => AbortError::Header,
        };
        let key = or(&fault.abort_percent_runtime, "fault.http.abort.abort_percent");
        let percentage = percentage(key, wire.percentage, at);
        Some(Self { error, percentage, response_body: wire.response_body.clone() })
    }
}

/// A status that a response can have. The field rules have seen to that of `http_status` only.
fn http_status(status: u32, key: &str, at: &At<'_>) -> Option<u16> {
    let status_of_response = u16::try_from(status).ok().filter(|of| (200..600).contains(of));
    if status_of_response.is_none() {
        at.error(format!("runtime key '{key}': {status} is no status of a response, 200 to 599"));
    }
    status_of_response
}

fn percentage(key: &str, wire: Option<FractionalPercent>, at: &At<'_>) -> Fraction {
    let of_field = || wire.map_or(Fraction::NONE, Fraction::of_percent);
    at.runtime().fraction(key).unwrap_or_else(of_field)
}

/// The runtime key that is configured, or Envoy's own.
fn or<'a>(key: &'a str, default: &'a str) -> &'a str {
    if key.is_empty() { default } else { key }
}
