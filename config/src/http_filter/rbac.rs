//! `envoy.extensions.filters.http.rbac.v3`.

use envoy_types::pb::envoy::extensions::filters::http::rbac::v3 as wire;

use crate::rbac::Rules;
use crate::report::At;

/// `envoy.extensions.filters.http.rbac.v3.RBAC`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RbacFilter {
    /// `rules` or `matcher`; absent means that everything is allowed and nothing counted.
    pub rules: Option<Rules>,
    /// `rules_stat_prefix`.
    pub rules_stat_prefix: String,
    /// `shadow_rules` or `shadow_matcher`: counted, without effect.
    pub shadow_rules: Option<Rules>,
    /// `shadow_rules_stat_prefix`.
    pub shadow_rules_stat_prefix: String,
    /// `track_per_rule_stats`, default false: counts for each policy too.
    pub track_per_rule_stats: bool,
}

impl RbacFilter {
    pub(super) fn from_wire(wire: &wire::Rbac, at: &At<'_>) -> Self {
        Self {
            rules: Rules::from_wire(
                ("rules", wire.rules.as_ref()),
                ("matcher", wire.matcher.as_ref()),
                at,
            ),
            rules_stat_prefix: wire.rules_stat_prefix.clone(),
            shadow_rules: Rules::from_wire(
                ("shadow_rules", wire.shadow_rules.as_ref()),
                ("shadow_matcher", wire.shadow_matcher.as_ref()),
                at,
            ),
            shadow_rules_stat_prefix: wire.shadow_rules_stat_prefix.clone(),
            track_per_rule_stats: wire.track_per_rule_stats,
        }
    }

    /// `RBACPerRoute`; without `rbac` the filter does nothing.
    pub(super) fn per_route(wire: &wire::RbacPerRoute, at: &At<'_>) -> Self {
        let rbac = wire.rbac.as_ref();
        rbac.map(|rbac| Self::from_wire(rbac, &at.field("rbac"))).unwrap_or_default()
    }
}
