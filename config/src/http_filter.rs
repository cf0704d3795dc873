//! HTTP filters before the router: one file for each, and what routes say of them
//! ([`PerFilterConfigs`]).

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
mod per_filter_config;
mod rbac;
mod set_filter_state;
mod set_metadata;
mod without_effect;

use std::collections::HashSet;

use envoy_types::pb::envoy::extensions::filters::http as filters;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3 as wire;
use envoy_types::pb::google::protobuf::Any;
use wire::http_filter::ConfigType;

pub use self::basic_auth::{BasicAuth, Users};
pub use self::buffer::Buffer;
pub use self::compressor::{
    Brotli, BrotliMode, Compressor, CompressorLibrary, CompressorPerRoute, ContentTypes, Gzip,
    ResponseDirection,
};
pub use self::cors::CorsPolicy;
pub use self::csrf::CsrfPolicy;
pub use self::fault::{AbortError, FaultAbort, FaultDelay, FaultRateLimit, HttpFault};
pub use self::grpc_stats::{GrpcStats, NamedMethods};
pub use self::header_mutation::{HeaderMutationFilter, Mutation, Mutations};
pub use self::header_to_metadata::{
    HeaderToMetadata, MetadataPair, MetadataPairValue, MetadataRule, MetadataRuleSource,
    MetadataValueType,
};
pub use self::health_check::HealthCheck;
pub use self::local_ratelimit::{LocalRateLimit, RateLimitDescriptor, VhRateLimits};
pub(crate) use self::per_filter_config::from_wire as per_filter_configs;
pub use self::per_filter_config::{PerFilterConfig, PerFilterConfigs, PerRoute};
pub use self::rbac::RbacFilter;
pub use self::set_filter_state::{FilterStateValue, ObjectFactory, SetFilterState};
pub use self::set_metadata::{MetadataEntry, SetMetadata};
pub(crate) use self::without_effect::warn as warn_of_filters_without_effect;
use crate::header_mutation::HeaderValueOption;
use crate::report::{At, Note};
use crate::wire::unpack;

/// `envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter`, but the router.
#[derive(Debug, Clone)]
pub struct HttpFilter {
    /// Its place in `http_filters`, from 0.
    pub(crate) index: usize,
    /// `name`, by which routes speak of it.
    pub name: String,
    /// `disabled`, default false: it serves only routes that enable it.
    pub disabled: bool,
    /// `typed_config`.
    pub config: HttpFilterConfig,
}

/// What a filter is, by the type of its `typed_config`.
#[derive(Debug, Clone)]
pub enum HttpFilterConfig {
    /// `envoy.extensions.filters.http.basic_auth.v3.BasicAuth`.
    BasicAuth(BasicAuth),
    /// `envoy.extensions.filters.http.buffer.v3.Buffer`.
    Buffer(Buffer),
    /// `envoy.extensions.filters.http.compressor.v3.Compressor`.
    Compressor(Box<Compressor>),
    /// `envoy.extensions.filters.http.cors.v3.Cors`.
    Cors,
    /// `envoy.extensions.filters.http.csrf.v3.CsrfPolicy`.
    Csrf(CsrfPolicy),
    /// `envoy.extensions.filters.http.fault.v3.HTTPFault`.
    Fault(HttpFault),
    /// `envoy.extensions.filters.http.grpc_stats.v3.FilterConfig`.
    GrpcStats(GrpcStats),
    /// `envoy.extensions.filters.http.header_mutation.v3.HeaderMutation`.
    HeaderMutation(HeaderMutationFilter),
    /// `envoy.extensions.filters.http.header_to_metadata.v3.Config`.
    HeaderToMetadata(HeaderToMetadata),
    /// `envoy.extensions.filters.http.health_check.v3.HealthCheck`.
    HealthCheck(HealthCheck),
    /// `envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit`.
    LocalRateLimit(LocalRateLimit),
    /// `envoy.extensions.filters.http.rbac.v3.RBAC`.
    Rbac(RbacFilter),
    /// `envoy.extensions.filters.http.set_filter_state.v3.Config`.
    SetFilterState(SetFilterState),
    /// `envoy.extensions.filters.http.set_metadata.v3.Config`.
    SetMetadata(SetMetadata),
}

impl HttpFilter {
    /// The filters of `wire`, of which the router is the last.
    pub(crate) fn list_from_wire(wire: &[wire::HttpFilter], at: &At<'_>) -> Vec<Self> {
        let mut names = HashSet::new();
        let mut list = Vec::new();
        for (index, filter) in wire.iter().enumerate() {
            let at = at.index(index);
            let Some(ConfigType::TypedConfig(any)) = &filter.config_type else { continue };
            let config = HttpFilterConfig::from_wire(any, &at.field("typed_config"));
            // The router, or one that is there only because the user wants it ignored.
            let Some(config) = config else { continue };
            let counts_calls =
                |config: &HttpFilterConfig| matches!(config, HttpFilterConfig::GrpcStats(_));
            if counts_calls(&config) && list.iter().any(|other: &Self| counts_calls(&other.config))
            {
                let note = Note::from(
                    "a second filter of this kind, which counts every call \
                     once more, is known to Envoy, not supported by ringmain",
                )
                .help("keep one of them");
                at.field("typed_config").error_at_key(note);
            }
            if !names.insert(filter.name.as_str()) {
                at.field("name").warn(
                    Note::from(format!(
                        "filter name '{}' is used twice; routes speak to both of that name",
                        filter.name
                    ))
                    .help("give each filter a name of its own"),
                );
            }
            list.push(Self { index, name: filter.name.clone(), disabled: filter.disabled, config });
        }
        list
    }
}

impl HttpFilter {
    /// The headers that it adds to messages.
    pub fn header_options(&self) -> Vec<&HeaderValueOption> {
        match &self.config {
            HttpFilterConfig::HeaderMutation(filter) => filter.mutations.header_options(),
            HttpFilterConfig::LocalRateLimit(filter) => filter.header_options(),
            HttpFilterConfig::BasicAuth(_)
            | HttpFilterConfig::Buffer(_)
            | HttpFilterConfig::Compressor(_)
            | HttpFilterConfig::Cors
            | HttpFilterConfig::Csrf(_)
            | HttpFilterConfig::Fault(_)
            | HttpFilterConfig::GrpcStats(_)
            | HttpFilterConfig::HeaderToMetadata(_)
            | HttpFilterConfig::HealthCheck(_)
            | HttpFilterConfig::Rbac(_)
            | HttpFilterConfig::SetFilterState(_)
            | HttpFilterConfig::SetMetadata(_) => Vec::new(),
        }
    }

    /// What it puts on streams.
    pub fn set_filter_state(&self) -> Option<&SetFilterState> {
        match &self.config {
            HttpFilterConfig::SetFilterState(config) => Some(config),
            _ => None,
        }
    }
}

impl HttpFilterConfig {
    fn from_wire(any: &Any, at: &At<'_>) -> Option<Self> {
        if unpack::<filters::cors::v3::Cors>(any).is_some() {
            return Some(Self::Cors);
        }
        if let Some(wire) = unpack(any) {
            return BasicAuth::from_wire(&wire, at).map(Self::BasicAuth);
        }
        if let Some(wire) = unpack(any) {
            return Some(Self::Buffer(Buffer::from_wire(&wire)));
        }
        if let Some(wire) = unpack(any) {
            return Compressor::from_wire(&wire, at).map(Box::new).map(Self::Compressor);
        }
        if let Some(wire) = unpack(any) {
            return Some(Self::Csrf(CsrfPolicy::from_wire(&wire, at)));
        }
        if let Some(wire) = unpack(any) {
            return Some(Self::Fault(HttpFault::from_wire(&wire, at)));
        }
        if let Some(wire) = unpack(any) {
            return Some(Self::GrpcStats(GrpcStats::from_wire(&wire, at)));
        }
        if let Some(wire) = unpack(any) {
            return Some(Self::HeaderToMetadata(HeaderToMetadata::from_wire(&wire, at)));
        }
        if let Some(wire) = unpack(any) {
            return Some(Self::HealthCheck(HealthCheck::from_wire(&wire, at)));
        }
        if let Some(wire) = unpack(any) {
            return Some(Self::LocalRateLimit(LocalRateLimit::from_wire(&wire, at)));
        }
        if let Some(wire) = unpack(any) {
            return Some(Self::HeaderMutation(HeaderMutationFilter::from_wire(&wire, at)));
        }
        if let Some(wire) = unpack(any) {
            return Some(Self::Rbac(RbacFilter::from_wire(&wire, at)));
        }
        if let Some(wire) = unpack(any) {
            return Some(Self::SetFilterState(SetFilterState::from_wire(&wire, at)));
        }
        if let Some(wire) = unpack(any) {
            return Some(Self::SetMetadata(SetMetadata::from_wire(&wire, at)));
        }
        None
    }
}
