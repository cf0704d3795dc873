//! Role-based access control (`envoy.config.rbac.v3`): who may do what, for HTTP and network filters.

mod permission;
mod principal;

use envoy_types::pb::envoy::config::rbac::v3 as wire;
use std::collections::BTreeMap;
use wire::rbac::Action as WireAction;

pub use self::permission::Permission;
pub use self::principal::Principal;
use crate::matcher::MetadataMatcher;
use crate::report::At;

/// `envoy.config.rbac.v3.RBAC`.
#[derive(Debug, Clone, PartialEq)]
pub struct Rbac {
    /// `action`, default ALLOW.
    pub action: Action,
    /// `policies`, by name; Envoy asks them in this order, and the first that matches is named.
    pub policies: BTreeMap<String, Policy>,
}

/// `envoy.config.rbac.v3.RBAC.Action`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// `ALLOW`: some policy has to match.
    Allow,
    /// `DENY`: no policy may match.
    Deny,
    /// `LOG`: everything is allowed.
    Log,
}

/// `envoy.config.rbac.v3.Policy`: matches where one of each list does.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// `permissions`, at least one.
    pub permissions: Vec<Permission>,
    /// `principals`, at least one.
    pub principals: Vec<Principal>,
}

/// `envoy.config.rbac.v3.MetadataSource`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetadataSource {
    /// `DYNAMIC`: what filters have noted.
    Dynamic,
    /// `ROUTE`: the `metadata` of the route.
    Route,
}

impl Rbac {
    pub(crate) fn from_wire(wire: &wire::Rbac, at: &At<'_>) -> Self {
        let at_policies = at.field("policies");
        // In the order of the names, so that every run tells the same.
        let policies: BTreeMap<_, _> = wire.policies.iter().collect();
        Self {
            action: match wire.action() {
                WireAction::Allow => Action::Allow,
                WireAction::Deny => Action::Deny,
                WireAction::Log => Action::Log,
            },
            policies: policies
                .into_iter()
                .map(|(name, policy)| {
                    (name.clone(), Policy::from_wire(policy, &at_policies.key(name)))
                })
                .collect(),
        }
    }
}

impl Rbac {
    /// Whether a policy looks at headers.
    pub(crate) fn has_headers(&self) -> bool {
        self.policies.values().any(|policy| {
            policy.permissions.iter().any(Permission::has_headers)
                || policy.principals.iter().any(Principal::has_headers)
        })
    }
}

impl Policy {
    fn from_wire(wire: &wire::Policy, at: &At<'_>) -> Self {
        Self {
            permissions: Permission::list_from_wire(&wire.permissions, &at.field("permissions")),
            principals: Principal::list_from_wire(&wire.principals, &at.field("principals")),
        }
    }
}

/// `envoy.config.rbac.v3.SourcedMetadata`.
fn sourced_metadata(
    wire: &wire::SourcedMetadata,
    at: &At<'_>,
) -> Option<(MetadataMatcher, MetadataSource)> {
    let matcher = wire.metadata_matcher.as_ref()?;
    let source = match wire.metadata_source() {
        wire::MetadataSource::Dynamic => MetadataSource::Dynamic,
        wire::MetadataSource::Route => MetadataSource::Route,
    };
    Some((MetadataMatcher::from_wire(matcher, &at.field("metadata_matcher"))?, source))
}
