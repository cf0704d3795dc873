//! Role-based access control: policies compiled once, asked for each request or connection.
//!
//! [`Engine`] is what `envoy.config.rbac.v3.RBAC` comes to; [`Subject`] is what it is asked about.

mod cidr_set;
mod enforced_rules;
mod rule;
mod stats;

use std::net::{IpAddr, SocketAddr};

use ringmain_config::metadata::Metadata;
use ringmain_config::rbac::{Action, Policy, Rbac};
use ringmain_proto_codec::HeaderMap;

use crate::transport_socket::tls::TlsInfo;

pub use cidr_set::CidrSet;
pub use enforced_rules::EnforcedRules;
use rule::Rule;
pub use stats::{EnforcedStats, ShadowStats, count, prefixed};

/// What a decision is about.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The request's headers; empty where there is no request.
    pub headers: &'a HeaderMap,
    /// The connection's other end.
    pub direct_remote: IpAddr,
    /// The client, as far as it can be trusted to be.
    pub remote: IpAddr,
    /// Our end of the connection.
    pub local: SocketAddr,
    /// What the client named in TLS; empty without.
    pub server_name: &'a [u8],
    /// What is known of the connection's TLS, where it has any.
    pub tls: Option<&'a TlsInfo>,
    /// The metadata of the route taken.
    pub route_metadata: Option<&'a Metadata>,
}

/// Compiled rules.
#[derive(Debug)]
pub struct Engine {
    action: Action,
    policies: Box<[CompiledPolicy]>,
}

#[derive(Debug)]
struct CompiledPolicy {
    name: Box<str>,
    permissions: Rule,
    principals: Rule,
}

/// What came of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Whether the subject may go on.
    pub allowed: bool,
    /// The first policy that matched: its place in the order of the names.
    pub policy: Option<usize>,
}

impl Engine {
    /// Compiles `config`.
    pub fn new(config: &Rbac) -> Self {
        let policies = config.policies.iter();
        Self {
            action: config.action,
            policies: policies.map(|(name, policy)| CompiledPolicy::new(name, policy)).collect(),
        }
    }

    /// Asks the policies in the order of their names, until one matches.
    pub fn decide(&self, subject: &Subject<'_>) -> Decision {
        let policy = self.policies.iter().position(|policy| policy.matches(subject));
        let allowed = match self.action {
            Action::Allow => policy.is_some(),
            Action::Deny => policy.is_none(),
            Action::Log => true,
        };
        Decision { allowed, policy }
    }

    /// The names of the policies, in order.
    pub fn policy_names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.policies.iter().map(|policy| &*policy.name)
    }
}

impl CompiledPolicy {
    fn new(name: &str, policy: &Policy) -> Self {
        Self {
            name: name.into(),
            permissions: Rule::any_of(policy.permissions.iter().map(Rule::of_permission)),
            principals: Rule::any_of(policy.principals.iter().map(Rule::of_principal)),
        }
    }

    fn matches(&self, subject: &Subject<'_>) -> bool {
        self.permissions.holds(subject) && self.principals.holds(subject)
    }
}
