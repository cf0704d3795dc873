//! `envoy.extensions.filters.http.cors.v3`.

use envoy_types::pb::envoy::extensions::filters::http::cors::v3 as wire;

use crate::fraction::Fraction;
use crate::matcher::StringMatcher;
use crate::report::At;

/// `envoy.extensions.filters.http.cors.v3.CorsPolicy`. What is absent is taken from the next wider
/// level.
#[derive(Debug, Clone, PartialEq)]
pub struct CorsPolicy {
    /// `allow_origin_string_match`.
    pub allow_origin_string_match: Vec<StringMatcher>,
    /// `allow_methods`; empty means absent.
    pub allow_methods: String,
    /// `allow_headers`; empty means absent.
    pub allow_headers: String,
    /// `expose_headers`; empty means absent.
    pub expose_headers: String,
    /// `max_age`, in seconds as text; empty means absent.
    pub max_age: String,
    /// `allow_credentials`, default false.
    pub allow_credentials: Option<bool>,
    /// `allow_private_network_access`, default false.
    pub allow_private_network_access: Option<bool>,
    /// `forward_not_matching_preflights`, default true.
    pub forward_not_matching_preflights: Option<bool>,
    /// `filter_enabled`, default all.
    pub filter_enabled: Fraction,
    /// `shadow_enabled`, default none.
    pub shadow_enabled: Fraction,
}

impl CorsPolicy {
    pub(super) fn from_wire(wire: &wire::CorsPolicy, at: &At<'_>) -> Self {
        let origins_at = at.field("allow_origin_string_match");
        let origins = wire.allow_origin_string_match.iter().enumerate();
        Self {
            allow_origin_string_match: origins
                .filter_map(|(index, wire)| {
                    StringMatcher::from_wire(wire, &origins_at.index(index))
                })
                .collect(),
            allow_methods: wire.allow_methods.clone(),
            allow_headers: wire.allow_headers.clone(),
            expose_headers: wire.expose_headers.clone(),
            max_age: wire.max_age.clone(),
            allow_credentials: wire.allow_credentials.map(|allow| allow.value),
            allow_private_network_access: wire
                .allow_private_network_access
                .map(|allow| allow.value),
            forward_not_matching_preflights: wire
                .forward_not_matching_preflights
                .map(|forward| forward.value),
            filter_enabled: Fraction::or(
                wire.filter_enabled.as_ref(),
                Fraction::ALL,
                &at.field("filter_enabled"),
            ),
            shadow_enabled: Fraction::or(
                wire.shadow_enabled.as_ref(),
                Fraction::NONE,
                &at.field("shadow_enabled"),
            ),
        }
    }
}
