//! `typed_per_filter_config`: what a level of a route configuration says of HTTP filters, by name.

use std::collections::{BTreeMap, HashMap};

use envoy_types::pb::envoy::config::route::v3::FilterConfig;
use envoy_types::pb::envoy::extensions::filters::http as filters;
use envoy_types::pb::google::protobuf::Any;

use super::{
    Buffer, CompressorPerRoute, CorsPolicy, CsrfPolicy, HeaderToMetadata, HttpFault, HttpFilter,
    HttpFilterConfig, LocalRateLimit, Mutations, RbacFilter, SetFilterState, Users,
};
use crate::header_mutation::HeaderValueOption;
use crate::report::{At, Note, did_you_mean};
use crate::wire::unpack;

/// All entries of one level, by the names of their filters.
pub type PerFilterConfigs = BTreeMap<String, PerFilterConfig>;

/// What a level says of one filter.
#[derive(Debug, Clone)]
pub enum PerFilterConfig {
    /// `FilterConfig.disabled`.
    Disabled,
    /// `FilterConfig` with an empty `config`: enabled as it is.
    Enabled,
    /// Enabled, with a configuration of its own.
    Own(PerRoute),
}

/// A filter's configuration for a part of the routes.
#[derive(Debug, Clone)]
pub enum PerRoute {
    /// `envoy.extensions.filters.http.basic_auth.v3.BasicAuthPerRoute`.
    BasicAuth(Users),
    /// `envoy.extensions.filters.http.buffer.v3.BufferPerRoute`; none is `disabled`.
    Buffer(Option<Buffer>),
    /// `envoy.extensions.filters.http.compressor.v3.CompressorPerRoute`.
    Compressor(CompressorPerRoute),
    /// `envoy.extensions.filters.http.cors.v3.CorsPolicy`.
    Cors(CorsPolicy),
    /// `envoy.extensions.filters.http.csrf.v3.CsrfPolicy`.
    Csrf(CsrfPolicy),
    /// `envoy.extensions.filters.http.fault.v3.HTTPFault`.
    Fault(HttpFault),
    /// `envoy.extensions.filters.http.header_mutation.v3.HeaderMutationPerRoute`.
    HeaderMutation(Mutations),
    /// `envoy.extensions.filters.http.header_to_metadata.v3.Config`.
    HeaderToMetadata(HeaderToMetadata),
    /// `envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit`.
    LocalRateLimit(Box<LocalRateLimit>),
    /// `envoy.extensions.filters.http.rbac.v3.RBACPerRoute`.
    Rbac(Box<RbacFilter>),
    /// `envoy.extensions.filters.http.set_filter_state.v3.Config`.
    SetFilterState(SetFilterState),
}

impl PerRoute {
    fn from_wire(any: &Any, at: &At<'_>) -> Option<Self> {
        use filters::basic_auth::v3::BasicAuthPerRoute;
        use filters::header_mutation::v3::HeaderMutationPerRoute;

        if let Some(wire) = unpack::<BasicAuthPerRoute>(any) {
            return Users::from_wire(wire.users.as_ref(), at).map(Self::BasicAuth);
        }
        if let Some(wire) = unpack(any) {
            return Some(Self::Csrf(CsrfPolicy::from_wire(&wire, at)));
        }
        if let Some(wire) = unpack(any) {
            return Some(Self::Buffer(Buffer::per_route(&wire)));
        }
        if let Some(wire) = unpack(any) {
            return Some(Self::Compressor(CompressorPerRoute::from_wire(&wire, at)));
        }
        if let Some(wire) = unpack(any) {
            return Some(Self::Cors(CorsPolicy::from_wire(&wire, at)));
        }
        if let Some(wire) = unpack(any) {
            return Some(Self::Fault(HttpFault::from_wire(&wire, at)));
        }
        if let Some(wire) = unpack(any) {
            return Some(Self::LocalRateLimit(Box::new(LocalRateLimit::per_route(&wire, at))));
        }
        if let Some(wire) = unpack(any) {
            return Some(Self::HeaderToMetadata(HeaderToMetadata::per_route(&wire, at)));
        }
        if let Some(wire) = unpack::<HeaderMutationPerRoute>(any) {
            return Some(Self::HeaderMutation(Mutations::from_wire(wire.mutations.as_ref(), at)));
        }
        if let Some(wire) = unpack(any) {
            return Some(Self::Rbac(Box::new(RbacFilter::per_route(&wire, at))));
        }
        if let Some(wire) = unpack(any) {
            return Some(Self::SetFilterState(SetFilterState::from_wire(&wire, at)));
        }
        None
    }

    /// Whether a filter of this configuration takes it.
    fn suits(&self, filter: &HttpFilterConfig) -> bool {
        matches!(
            (self, filter),
            (Self::BasicAuth(_), HttpFilterConfig::BasicAuth(_))
                | (Self::Buffer(_), HttpFilterConfig::Buffer(_))
                | (Self::Compressor(_), HttpFilterConfig::Compressor(_))
                | (Self::Cors(_), HttpFilterConfig::Cors)
                | (Self::Csrf(_), HttpFilterConfig::Csrf(_))
                | (Self::Fault(_), HttpFilterConfig::Fault(_))
                | (Self::HeaderMutation(_), HttpFilterConfig::HeaderMutation(_))
                | (Self::HeaderToMetadata(_), HttpFilterConfig::HeaderToMetadata(_))
                | (Self::LocalRateLimit(_), HttpFilterConfig::LocalRateLimit(_))
                | (Self::Rbac(_), HttpFilterConfig::Rbac(_))
                | (Self::SetFilterState(_), HttpFilterConfig::SetFilterState(_))
        )
    }
}

const UNUSED: &str = "write the 'name' of a filter in 'http_filters', or remove it";

/// Reads the field `typed_per_filter_config` of a level; `filters` are those of the connection manager.
pub(crate) fn from_wire(
    wire: &HashMap<String, Any>,
    filters: &[HttpFilter],
    at: &At<'_>,
) -> PerFilterConfigs {
    let at = at.field("typed_per_filter_config");
    let mut configs = PerFilterConfigs::new();
    // In the order of the names, so that every run tells the same.
    for (name, any) in wire.iter().collect::<BTreeMap<_, _>>() {
        let at = at.key(name);
        let Some(config) = PerFilterConfig::from_wire(any, &at) else { continue };
        match filters.iter().find(|filter| filter.name == *name) {
            None => {
                let names = filters.iter().map(|filter| filter.name.as_str());
                let near = did_you_mean(name, names).unwrap_or_else(|| UNUSED.to_owned());
                let note = Note::from(format!("no HTTP filter has the name '{name}': no effect"));
                at.warn(note.help(near));
            }
            Some(filter) if !config.suits(&filter.config) => {
                at.warn(
                    Note::from(format!("filter '{name}' is of another type: no effect"))
                        .help("use the per-route message of that filter's type"),
                );
            }
            Some(_) => {
                configs.insert(name.clone(), config);
            }
        }
    }
    configs
}

impl PerFilterConfig {
    fn from_wire(any: &Any, at: &At<'_>) -> Option<Self> {
        let Some(wrapper) = unpack::<FilterConfig>(any) else {
            return PerRoute::from_wire(any, at).map(Self::Own);
        };
        if wrapper.disabled {
            return Some(Self::Disabled);
        }
        match &wrapper.config {
            None => {
                at.error("'config' is required unless the filter is disabled");
                None
            }
            Some(any) if any.type_url.is_empty() => Some(Self::Enabled),
            Some(any) => PerRoute::from_wire(any, &at.field("config")).map(Self::Own),
        }
    }

    /// The headers that it adds to messages.
    pub fn header_options(&self) -> Vec<&HeaderValueOption> {
        match self {
            Self::Own(PerRoute::HeaderMutation(mutations)) => mutations.header_options(),
            Self::Own(PerRoute::LocalRateLimit(limit)) => limit.header_options(),
            _ => Vec::new(),
        }
    }

    /// What it puts on streams.
    pub fn set_filter_state(&self) -> Option<&SetFilterState> {
        match self {
            Self::Own(PerRoute::SetFilterState(config)) => Some(config),
            _ => None,
        }
    }

    fn suits(&self, filter: &HttpFilterConfig) -> bool {
        match self {
            Self::Disabled | Self::Enabled => true,
            Self::Own(own) => own.suits(filter),
        }
    }
}
