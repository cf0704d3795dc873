//! Role-based access control: policies compiled once, asked for each request or connection.
//!
//! [`Engine`] is what `envoy.config.rbac.v3.RBAC`, or a matcher tree in its place, comes to; [`Subject`] is what it is asked about.

mod cidr_set;
mod enforced_rules;
mod match_tree;
mod match_value;
mod notes;
mod range_tree;
mod rule;
mod stats;

use std::net::{IpAddr, SocketAddr};

use ringmain_config::metadata::Metadata;
use ringmain_config::rbac::{Action, Policy, Rules};
use ringmain_proto_codec::HeaderMap;

use crate::http::stream_objects::StreamObjects;
use crate::transport_socket::tls::TlsInfo;

pub use cidr_set::CidrSet;
pub use enforced_rules::EnforcedRules;
use match_tree::{MatchTree, Policies};
pub use notes::{Note, NoteNames, NotedPolicies, write_hint};
use rule::Rule;
pub use stats::{EnforcedStats, ShadowStats, count, prefixed};

/// What a decision is about.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The request's headers; empty where there is no request.
    pub headers: &'a HeaderMap,
    /// The connection's other end. Like the other addresses, absent with a Unix socket.
    pub direct_remote: Option<IpAddr>,
    /// The client, as far as it can be trusted to be.
    pub remote: Option<SocketAddr>,
    /// Our end of the connection.
    pub local: Option<SocketAddr>,
    /// What the client named in TLS; empty without.
    pub server_name: &'a [u8],
    /// What is known of the connection's TLS, where it has any.
    pub tls: Option<&'a TlsInfo>,
    /// What filters have noted.
    pub dynamic_metadata: Option<&'a Metadata>,
    /// What they have put on the stream; none where there is no request.
    pub objects: Option<&'a StreamObjects>,
    /// The metadata of the route taken.
    pub route_metadata: Option<&'a Metadata>,
}

/// Compiled rules.
#[derive(Debug)]
pub struct Engine {
    decider: Decider,
    policy_names: Box<[Box<str>]>,
    /// Whether an action is LOG.
    logs: bool,
}

#[derive(Debug)]
enum Decider {
    /// Of policies, by the place of their names, the first that matches.
    Policies(Action, Box<[CompiledPolicy]>),
    Tree(MatchTree),
}

#[derive(Debug)]
struct CompiledPolicy {
    permissions: Rule,
    principals: Rule,
}

/// What came of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Whether the subject may go on.
    pub allowed: bool,
    /// The policy that matched: its place in [`Engine::policy_names`].
    pub policy: Option<usize>,
    /// What rules that know the action LOG have for access logs: whether they are to tell of it.
    pub access_log_hint: Option<bool>,
}

impl Engine {
    /// Compiles `config`.
    pub fn new(config: &Rules) -> Self {
        match config {
            Rules::Policies(rbac) => {
                let policies = rbac.policies.values().map(CompiledPolicy::new).collect();
                Self {
                    decider: Decider::Policies(rbac.action, policies),
                    policy_names: rbac.policies.keys().map(|name| (**name).into()).collect(),
                    logs: rbac.action == Action::Log,
                }
            }
            Rules::Matcher(tree) => {
                let mut policies = Policies::default();
                let decider = Decider::Tree(MatchTree::new(tree, &mut policies));
                Self { decider, policy_names: policies.names.into(), logs: policies.logs }
            }
        }
    }

    /// Asks the policies in the order of their names, until one matches; or the tree, whose silence is a
    /// denial.
    pub fn decide(&self, subject: &Subject<'_>) -> Decision {
        let (action, policies) = match &self.decider {
            Decider::Policies(action, policies) => (action, policies),
            Decider::Tree(tree) => {
                let silence = Decision { allowed: false, policy: None, access_log_hint: None };
                let decision = tree.decide(subject).ok().flatten().unwrap_or(silence);
                let access_log_hint = decision.access_log_hint.filter(|_| self.logs);
                return Decision { access_log_hint, ..decision };
            }
        };
        let policy = policies.iter().position(|policy| policy.matches(subject));
        let allowed = match action {
            Action::Allow => policy.is_some(),
            Action::Deny => policy.is_none(),
            Action::Log => true,
        };
        let access_log_hint = self.logs.then_some(policy.is_some());
        Decision { allowed, policy, access_log_hint }
    }

    /// The names of the policies.
    pub fn policy_names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.policy_names.iter().map(|name| &**name)
    }
}

impl CompiledPolicy {
    fn new(policy: &Policy) -> Self {
        Self {
            permissions: Rule::any_of(policy.permissions.iter().map(Rule::of_permission)),
            principals: Rule::any_of(policy.principals.iter().map(Rule::of_principal)),
        }
    }

    fn matches(&self, subject: &Subject<'_>) -> bool {
        self.permissions.holds(subject) && self.principals.holds(subject)
    }
}
