//! `envoy.extensions.filters.http.csrf.v3`.

use envoy_types::pb::envoy::extensions::filters::http::csrf::v3 as wire;

use crate::fraction::Fraction;
use crate::matcher::StringMatcher;
use crate::report::At;

/// `envoy.extensions.filters.http.csrf.v3.CsrfPolicy`, of the filter or of a level of the routes.
#[derive(Debug, Clone, PartialEq)]
pub struct CsrfPolicy {
    /// `filter_enabled`, required: of how many requests the origin is judged.
    pub filter_enabled: Fraction,
    /// `shadow_enabled`, default none: of how many others it is counted.
    pub shadow_enabled: Fraction,
    /// `additional_origins`, beside the request's own host.
    pub additional_origins: Vec<StringMatcher>,
}

impl CsrfPolicy {
    pub(super) fn from_wire(wire: &wire::CsrfPolicy, at: &At<'_>) -> Self {
        let fraction =
            |field: Option<&_>, name| Fraction::or(field, Fraction::NONE, &at.field(name));
        let at_origins = at.field("additional_origins");
        let origins = wire.additional_origins.iter().enumerate();
        Self {
            filter_enabled: fraction(wire.filter_enabled.as_ref(), "filter_enabled"),
            shadow_enabled: fraction(wire.shadow_enabled.as_ref(), "shadow_enabled"),
            additional_origins: origins
                .filter_map(|(index, wire)| {
                    StringMatcher::from_wire(wire, &at_origins.index(index))
                })
                .collect(),
        }
    }
}
