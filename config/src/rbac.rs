//! Role-based access control (`envoy.config.rbac.v3`): who may do what, for HTTP and network filters.

mod match_input;
mod match_tree;
mod permission;
mod principal;

use envoy_types::pb::envoy::config::rbac::v3 as wire;
use envoy_types::pb::xds::r#type::matcher::v3::Matcher;
use std::collections::BTreeMap;
use wire::rbac::Action as WireAction;

pub use self::match_input::MatchInput;
pub use self::match_tree::{
    Branches, MatchAction, MatchTree, Matching, OnMatch, Predicate, RangeMatcher,
};
pub use self::permission::Permission;
pub use self::principal::Principal;
use crate::matcher::MetadataMatcher;
use crate::report::{At, Note};

/// What decides: policies, or a tree.
#[derive(Debug, Clone, PartialEq)]
pub enum Rules {
    /// `rules` or `shadow_rules`.
    Policies(Rbac),
    /// `matcher` or `shadow_matcher`.
    Matcher(MatchTree),
}

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

impl Rules {
    /// Reads a filter's field of the name `rules`, and of the name `matcher`, which wins where both are
    /// set.
    pub(crate) fn from_wire(
        (rules_name, rules): (&str, Option<&wire::Rbac>),
        (matcher_name, matcher): (&str, Option<&Matcher>),
        at: &At<'_>,
    ) -> Option<Self> {
        let Some(matcher) = matcher else {
            return Some(Self::Policies(Rbac::from_wire(rules?, &at.field(rules_name))));
        };
        if rules.is_some() {
            at.field(rules_name).warn(
                Note::from(format!("'{rules_name}' has no effect beside '{matcher_name}'"))
                    .help("keep one of the two"),
            );
        }
        MatchTree::from_wire(matcher, &at.field(matcher_name)).map(Self::Matcher)
    }

    /// Whether they look at headers.
    pub(crate) fn has_headers(&self) -> bool {
        match self {
            Self::Policies(rbac) => rbac.has_headers(),
            Self::Matcher(tree) => tree.has_headers(),
        }
    }
}

impl Action {
    fn from_wire(wire: WireAction) -> Self {
        match wire {
            WireAction::Allow => Self::Allow,
            WireAction::Deny => Self::Deny,
            WireAction::Log => Self::Log,
        }
    }
}

impl Rbac {
    fn from_wire(wire: &wire::Rbac, at: &At<'_>) -> Self {
        let at_policies = at.field("policies");
        // In the order of the names, so that every run tells the same.
        let policies: BTreeMap<_, _> = wire.policies.iter().collect();
        Self {
            action: Action::from_wire(wire.action()),
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
    fn has_headers(&self) -> bool {
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
