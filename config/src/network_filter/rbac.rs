//! `envoy.extensions.filters.network.rbac.v3`.

use std::time::Duration;

use envoy_types::pb::envoy::extensions::filters::network::rbac::v3 as wire;

use crate::duration;
use crate::rbac::Rbac;
use crate::report::At;

/// Who may connect (`envoy.extensions.filters.network.rbac.v3.RBAC`).
#[derive(Debug, Clone, PartialEq)]
pub struct RbacFilter {
    /// `rules`; absent means that everything is allowed and nothing counted.
    pub rules: Option<Rbac>,
    /// `shadow_rules`: counted, without effect.
    pub shadow_rules: Option<Rbac>,
    /// `shadow_rules_stat_prefix`.
    pub shadow_rules_stat_prefix: String,
    /// `stat_prefix`, required.
    pub stat_prefix: String,
    /// `delay_deny`: how long a refused connection waits before it is closed; default not at all.
    pub delay_deny: Option<Duration>,
}

impl RbacFilter {
    pub(super) fn from_wire(wire: wire::Rbac, at: &At<'_>) -> Self {
        let rules = |rules: Option<&_>, name| {
            let (rules, at) = (rules?, at.field(name));
            let rules = Rbac::from_wire(rules, &at);
            if rules.has_headers() {
                at.error("there are no headers that network filters could match");
            }
            Some(rules)
        };
        Self {
            rules: rules(wire.rules.as_ref(), "rules"),
            shadow_rules: rules(wire.shadow_rules.as_ref(), "shadow_rules"),
            delay_deny: duration::or_off(wire.delay_deny.as_ref(), None, at, "delay_deny"),
            shadow_rules_stat_prefix: wire.shadow_rules_stat_prefix,
            stat_prefix: wire.stat_prefix,
        }
    }
}
