//! `envoy.extensions.filters.http.fault.v3`.

use std::time::Duration;

use common::fault_delay::FaultDelaySecifier;
use common::fault_rate_limit::LimitType;
use envoy_types::pb::envoy::extensions::filters::common::fault::v3 as common;
use envoy_types::pb::envoy::extensions::filters::http::fault::v3 as wire;
use wire::fault_abort::ErrorType;

use crate::duration;
use crate::fraction::Fraction;
use crate::matcher::HeaderMatcher;
use crate::report::At;

/// `envoy.extensions.filters.http.fault.v3.HTTPFault`.
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
            delay: wire.delay.as_ref().and_then(|delay| FaultDelay::from_wire(delay, at)),
            abort: wire.abort.as_ref().and_then(FaultAbort::from_wire),
            response_rate_limit: wire
                .response_rate_limit
                .as_ref()
                .and_then(FaultRateLimit::from_wire),
            upstream_cluster: wire.upstream_cluster.clone(),
            headers: HeaderMatcher::list_from_wire(&wire.headers, "headers", at),
            downstream_nodes: wire.downstream_nodes.clone(),
            max_active_faults: wire.max_active_faults.map(|max| max.value),
        }
    }
}

impl FaultDelay {
    fn from_wire(wire: &common::FaultDelay, at: &At<'_>) -> Option<Self> {
        let fixed_delay = match wire.fault_delay_secifier.as_ref()? {
            FaultDelaySecifier::FixedDelay(fixed) => {
                Some(duration::or(Some(fixed), Duration::ZERO, &at.field("delay"), "fixed_delay"))
            }
            FaultDelaySecifier::HeaderDelay(_) => None,
        };
        Some(Self { fixed_delay, percentage: percentage(wire.percentage) })
    }
}

impl FaultRateLimit {
    fn from_wire(wire: &common::FaultRateLimit) -> Option<Self> {
        let fixed_limit_kbps = match wire.limit_type.as_ref()? {
            LimitType::FixedLimit(fixed) => Some(fixed.limit_kbps),
            LimitType::HeaderLimit(_) => None,
        };
        Some(Self { fixed_limit_kbps, percentage: percentage(wire.percentage) })
    }
}

impl FaultAbort {
    fn from_wire(wire: &wire::FaultAbort) -> Option<Self> {
        let error = match wire.error_type.as_ref()? {
            ErrorType::HttpStatus(status) => AbortError::HttpStatus(u16::try_from(*status).ok()?),
            ErrorType::GrpcStatus(status) => AbortError::GrpcStatus(*status),
            ErrorType::HeaderAbort(_) => AbortError::Header,
        };
        let percentage = percentage(wire.percentage);
        Some(Self { error, percentage, response_body: wire.response_body.clone() })
    }
}

fn percentage(wire: Option<envoy_types::pb::envoy::r#type::v3::FractionalPercent>) -> Fraction {
    wire.map_or(Fraction::NONE, Fraction::of_percent)
}
