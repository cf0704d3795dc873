//! `envoy.extensions.filters.network.rbac.v3`.

use std::time::Duration;

use envoy_types::pb::envoy::extensions::filters::network::rbac::v3 as wire;

use crate::duration;
use crate::rbac::Rules;
use crate::report::{At, Note};

/// Who may connect (`envoy.extensions.filters.network.rbac.v3.RBAC`).
#[derive(Debug, Clone, PartialEq)]
pub struct RbacFilter {
    /// `rules` or `matcher`; absent means that everything is allowed and nothing counted.
    pub rules: Option<Rules>,
    /// `shadow_rules` or `shadow_matcher`: counted, without effect.
    pub shadow_rules: Option<Rules>,
    /// `shadow_rules_stat_prefix`.
    pub shadow_rules_stat_prefix: String,
    /// `stat_prefix`, required.
    pub stat_prefix: String,
    /// `delay_deny`: how long a refused connection waits before it is closed; default not at all.
    pub delay_deny: Option<Duration>,
}

impl RbacFilter {
    pub(super) fn from_wire(wire: wire::Rbac, at: &At<'_>) -> Self {
        let rules = |rules: (&str, Option<&_>), matcher: (&str, Option<&_>)| {
            let read = Rules::from_wire(rules, matcher, at)?;
            if read.has_headers() {
                let name = if matcher.1.is_some() { matcher.0 } else { rules.0 };
                at.field(name).error(
                    Note::from("there are no headers that network filters could match").help(
                        "match addresses, ports or names of TLS, or use the HTTP filter RBAC",
                    ),
                );
            }
            Some(read)
        };
        Self {
            rules: rules(("rules", wire.rules.as_ref()), ("matcher", wire.matcher.as_ref())),
            shadow_rules: rules(
                ("shadow_rules", wire.shadow_rules.as_ref()),
                ("shadow_matcher", wire.shadow_matcher.as_ref()),
            ),
            delay_deny: duration::or_off(wire.delay_deny.as_ref(), None, at, "delay_deny"),
            shadow_rules_stat_prefix: wire.shadow_rules_stat_prefix,
            stat_prefix: wire.stat_prefix,
        }
    }
}
