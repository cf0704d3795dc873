//! HTTP filters: what each does with a request on its way to the router and with its response.
//!
//! A filter looks at what it is shown and gives a verdict; it calls nobody. The
//! [filter chain](super::filter_chain) asks the filters in order and does what they say.

mod basic_auth;
mod buffer;
mod compressor;
mod cors;
mod csrf;
mod fault;
mod grpc_stats;
mod header_mutation;
mod header_to_metadata;
mod health_check;
mod local_ratelimit;
mod rbac;
mod set_filter_state;
mod set_metadata;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use ringmain_config::header_mutation::HeaderValueOption;
use ringmain_config::http_filter::{
    Buffer, CompressorPerRoute, CorsPolicy, CsrfPolicy, HttpFilterConfig, Mutations, PerRoute,
    SetFilterState, Users,
};
use ringmain_config::route::Route;
use ringmain_proto_codec::KnownHeader;

use super::ConnectionManager;
use super::exchange::Exchange;
use super::local_reply::LocalReply;
use crate::server::Worker;
use crate::stats::{Scope, Stat};
use basic_auth::BasicAuthFilter;
use buffer::BufferFilter;
pub use compressor::CompressorFilter;
use cors::CorsFilter;
use csrf::CsrfFilter;
use fault::{FaultFilter, FaultSettings};
pub use grpc_stats::GrpcCall;
use grpc_stats::GrpcStatsFilter;
use header_mutation::HeaderMutationFilter;
use header_to_metadata::HeaderToMetadataFilter;
use health_check::HealthCheckFilter;
pub use local_ratelimit::ConnectionBuckets;
use local_ratelimit::{BucketRef, LocalRateLimitFilter};
use rbac::{RbacFilter, RbacPolicies};
use set_filter_state::SetFilterStateFilter;
use set_metadata::SetMetadataFilter;

/// A filter, compiled.
#[derive(Debug)]
pub enum Filter {
    /// `envoy.filters.http.basic_auth`.
    BasicAuth(BasicAuthFilter),
    /// `envoy.filters.http.buffer`.
    Buffer(BufferFilter),
    /// `envoy.filters.http.compressor`.
    Compressor(Box<CompressorFilter>),
    /// `envoy.filters.http.cors`.
    Cors(CorsFilter),
    /// `envoy.filters.http.csrf`.
    Csrf(CsrfFilter),
    /// `envoy.filters.http.fault`.
    Fault(FaultFilter),
    /// `envoy.filters.http.grpc_stats`.
    GrpcStats(GrpcStatsFilter),
    /// `envoy.filters.http.header_mutation`.
    HeaderMutation(HeaderMutationFilter),
    /// `envoy.filters.http.header_to_metadata`.
    HeaderToMetadata(Box<HeaderToMetadataFilter>),
    /// `envoy.filters.http.health_check`.
    HealthCheck(HealthCheckFilter),
    /// `envoy.filters.http.local_ratelimit`.
    LocalRateLimit(Box<LocalRateLimitFilter>),
    /// `envoy.filters.http.rbac`.
    Rbac(Box<RbacFilter>),
    /// `envoy.filters.http.set_filter_state`.
    SetFilterState(SetFilterStateFilter),
    /// `envoy.filters.http.set_metadata`.
    SetMetadata(SetMetadataFilter),
}

/// A filter's own configuration for some of the routes, compiled.
#[derive(Debug)]
pub enum RouteFilter {
    /// `BasicAuthPerRoute`.
    BasicAuth(Users),
    /// `BufferPerRoute`; none is `disabled`.
    Buffer(Option<Buffer>),
    /// `CompressorPerRoute`.
    Compressor(CompressorPerRoute),
    /// `CorsPolicy`.
    Cors(CorsPolicy),
    /// `CsrfPolicy`.
    Csrf(CsrfPolicy),
    /// `HTTPFault`.
    Fault(FaultSettings),
    /// `HeaderMutationPerRoute`.
    HeaderMutation(Mutations),
    /// `envoy.extensions.filters.http.header_to_metadata.v3.Config`.
    HeaderToMetadata(Box<HeaderToMetadataFilter>),
    /// `LocalRateLimit`.
    LocalRateLimit(Box<LocalRateLimitFilter>),
    /// `RBACPerRoute`.
    Rbac(RbacPolicies),
    /// `envoy.extensions.filters.http.set_filter_state.v3.Config`.
    SetFilterState(SetFilterState),
}

/// What a filter keeps from a request to its response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum FilterState {
    /// Nothing.
    #[default]
    Fresh,
    /// The request's `accept-encoding`, within [`FilterView::text`].
    AcceptEncoding(Range<usize>),
    /// The response is compressed by the filter.
    Compressing,
    /// The request's origin, which is allowed, within [`FilterView::text`].
    CorsOrigin(Range<usize>),
    /// A fault was injected.
    FaultActive,
    /// The request is a health check.
    HealthCheck {
        /// It is answered for an upstream that said it was degraded.
        degraded: bool,
    },
    /// Buckets were asked for tokens; the client is told of this one.
    RateLimitAsked(BucketRef),
}

/// What a filter is shown: the exchange, and what levels of the route's configuration say to it.
pub struct FilterView<'e, 'm> {
    /// The connection manager.
    pub manager: &'m ConnectionManager,
    /// The worker.
    pub worker: &'e Worker,
    /// The request and its response.
    pub exchange: &'e mut Exchange,
    /// The filter's configurations of the levels of the route, the most specific first.
    pub levels: &'m [Arc<RouteFilter>],
    /// What it has kept.
    pub state: &'e mut FilterState,
    /// Text that states speak of.
    pub text: &'e mut Vec<u8>,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy)]
pub enum Verdict<'m> {
    /// It goes on.
    Continue,
    /// It waits this long; then the filter is asked once more.
    Wait(Duration),
    /// It waits until all of its body is in `Exchange::body`, and is refused where that is longer; then
    /// the filter is asked once more.
    Buffer {
        /// The longest body.
        bytes_max: usize,
    },
    /// It is answered with this.
    Reply(FilterReply<'m>),
}

/// A reply that a filter makes.
#[derive(Debug, Clone, Copy)]
pub struct FilterReply<'m> {
    /// Status, body and what is logged.
    pub reply: LocalReply,
    /// A body in place of the reply's own; empty means none.
    pub body: &'m str,
    /// What gRPC clients are told, where the status does not say it.
    pub grpc_status: Option<u32>,
    /// Its headers.
    pub headers: ReplyHeaders<'m>,
}

impl From<LocalReply> for FilterReply<'_> {
    fn from(reply: LocalReply) -> Self {
        Self { reply, body: "", grpc_status: None, headers: ReplyHeaders::OfRoute }
    }
}

impl FilterView<'_, '_> {
    /// The route's action, where it forwards: to most filters no other route has settings.
    fn forwards(&self) -> bool {
        let routes = &self.manager.routes;
        let route = self.exchange.info.route.map(|route| routes.route(route));
        route.is_some_and(Route::forwards)
    }
}

/// The headers of a local reply beside those that tell of its body.
#[derive(Debug, Clone, Copy, Default)]
pub enum ReplyHeaders<'m> {
    /// Those that the route adds to responses.
    #[default]
    OfRoute,
    /// Those, and behind them others.
    And {
        /// As configured.
        options: &'m [HeaderValueOption],
        /// One more: its value is the filters' text from this place on.
        field: Option<(KnownHeader, usize)>,
    },
    /// Those that stand in `Exchange::response` already: it is a response as from an upstream.
    Ready,
}

impl Filter {
    /// Compiles `config` for `workers` workers.
    pub fn new(config: &HttpFilterConfig, workers: usize) -> Self {
        match config {
            HttpFilterConfig::BasicAuth(config) => {
                Self::BasicAuth(BasicAuthFilter::new(config, workers))
            }
            HttpFilterConfig::Buffer(config) => Self::Buffer(BufferFilter::new(*config)),
            HttpFilterConfig::Compressor(config) => {
                Self::Compressor(Box::new(CompressorFilter::new(config, workers)))
            }
            HttpFilterConfig::Cors => Self::Cors(CorsFilter::new(workers)),
            HttpFilterConfig::Csrf(policy) => Self::Csrf(CsrfFilter::new(policy, workers)),
            HttpFilterConfig::HeaderMutation(config) => {
                Self::HeaderMutation(HeaderMutationFilter::new(config.clone()))
            }
            HttpFilterConfig::HeaderToMetadata(config) => {
                Self::HeaderToMetadata(Box::new(HeaderToMetadataFilter::new(config, workers)))
            }
            HttpFilterConfig::Fault(config) => Self::Fault(FaultFilter::new(config, workers)),
            HttpFilterConfig::GrpcStats(config) => {
                Self::GrpcStats(GrpcStatsFilter::new(config.clone()))
            }
            HttpFilterConfig::HealthCheck(config) => {
                Self::HealthCheck(HealthCheckFilter::new(config, workers))
            }
            HttpFilterConfig::LocalRateLimit(config) => {
                Self::LocalRateLimit(Box::new(LocalRateLimitFilter::new(config, workers)))
            }
            HttpFilterConfig::Rbac(config) => {
                Self::Rbac(Box::new(RbacFilter::new(config, workers)))
            }
            HttpFilterConfig::SetFilterState(config) => {
                Self::SetFilterState(SetFilterStateFilter::new(config))
            }
            HttpFilterConfig::SetMetadata(config) => {
                Self::SetMetadata(SetMetadataFilter::new(config, workers))
            }
        }
    }

    /// What becomes of the request.
    pub fn on_request<'m>(&'m self, view: &mut FilterView<'_, 'm>) -> Verdict<'m> {
        match self {
            Self::BasicAuth(filter) => filter.on_request(view),
            Self::Buffer(filter) => filter.on_request(view),
            Self::Compressor(filter) => filter.on_request(view),
            Self::Cors(filter) => filter.on_request(view),
            Self::Csrf(filter) => filter.on_request(view),
            Self::Fault(filter) => filter.on_request(view),
            Self::GrpcStats(filter) => {
                filter.on_request(view);
                Verdict::Continue
            }
            Self::HealthCheck(filter) => filter.on_request(view),
            Self::LocalRateLimit(filter) => filter.on_request(view),
            Self::HeaderMutation(filter) => {
                filter.on_request(view);
                Verdict::Continue
            }
            Self::HeaderToMetadata(filter) => {
                filter.on_request(view);
                Verdict::Continue
            }
            Self::Rbac(filter) => filter.on_request(view),
            Self::SetFilterState(filter) => {
                filter.on_request(view);
                Verdict::Continue
            }
            Self::SetMetadata(filter) => {
                filter.on_request(view);
                Verdict::Continue
            }
        }
    }

    /// Changes the response's headers.
    pub fn on_response<'m>(&'m self, view: &mut FilterView<'_, 'm>) {
        match self {
            Self::Compressor(filter) => filter.on_response(view),
            Self::Cors(_) => CorsFilter::on_response(view),
            Self::GrpcStats(filter) => filter.on_response(view),
            Self::HeaderMutation(filter) => filter.on_response(view),
            Self::HeaderToMetadata(filter) => filter.on_response(view),
            Self::HealthCheck(filter) => filter.on_response(view),
            Self::LocalRateLimit(filter) => filter.on_response(view),
            Self::BasicAuth(_)
            | Self::Buffer(_)
            | Self::Csrf(_)
            | Self::Fault(_)
            | Self::Rbac(_)
            | Self::SetFilterState(_)
            | Self::SetMetadata(_) => {}
        }
    }

    /// The exchange is over.
    pub fn on_end(&self, view: &mut FilterView<'_, '_>) {
        match self {
            Self::Compressor(filter) => filter.on_end(view),
            Self::Fault(filter) => filter.on_end(view),
            Self::GrpcStats(_) => GrpcStatsFilter::on_end(view),
            _ => {}
        }
    }

    /// Appends its stats; `http` is the connection manager's scope.
    pub fn stats(&self, http: &Scope, stats: &mut Vec<Stat>) {
        match self {
            Self::BasicAuth(filter) => filter.stats(http, stats),
            Self::Compressor(filter) => filter.stats(http, stats),
            Self::Cors(filter) => filter.stats(http, stats),
            Self::Csrf(filter) => filter.stats(http, stats),
            Self::Fault(filter) => filter.stats(http, stats),
            Self::HeaderToMetadata(filter) => filter.stats(stats),
            Self::HealthCheck(filter) => filter.stats(http, stats),
            Self::LocalRateLimit(filter) => filter.stats(stats),
            Self::Rbac(filter) => filter.stats(http, stats),
            Self::SetMetadata(filter) => filter.stats(http, stats),
            // Those of gRPC are the clusters'.
            Self::Buffer(_)
            | Self::GrpcStats(_)
            | Self::HeaderMutation(_)
            | Self::SetFilterState(_) => {}
        }
    }
}

impl RouteFilter {
    /// Compiles `config` for `workers` workers.
    pub fn new(config: &PerRoute, workers: usize) -> Self {
        match config {
            PerRoute::BasicAuth(users) => Self::BasicAuth(users.clone()),
            PerRoute::Buffer(buffer) => Self::Buffer(*buffer),
            PerRoute::Fault(fault) => Self::Fault(FaultSettings::new(fault)),
            PerRoute::LocalRateLimit(limit) => {
                Self::LocalRateLimit(Box::new(LocalRateLimitFilter::new(limit, workers)))
            }
            PerRoute::Compressor(own) => Self::Compressor(own.clone()),
            PerRoute::Cors(policy) => Self::Cors(policy.clone()),
            PerRoute::Csrf(policy) => Self::Csrf(policy.clone()),
            PerRoute::HeaderMutation(mutations) => Self::HeaderMutation(mutations.clone()),
            PerRoute::HeaderToMetadata(config) => {
                Self::HeaderToMetadata(Box::new(HeaderToMetadataFilter::new(config, workers)))
            }
            PerRoute::Rbac(rbac) => Self::Rbac(RbacPolicies::new(rbac)),
            PerRoute::SetFilterState(config) => Self::SetFilterState(config.clone()),
        }
    }

    /// Appends the stats that it counts apart from its filter's.
    pub fn stats(&self, stats: &mut Vec<Stat>) {
        match self {
            Self::HeaderToMetadata(filter) => filter.stats(stats),
            Self::LocalRateLimit(limit) => limit.stats(stats),
            _ => {}
        }
    }
}
