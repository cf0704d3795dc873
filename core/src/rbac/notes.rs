//! What decisions leave in dynamic metadata, for filters behind and for access logs.
//!
//! A note is made for each request and read for few, so it points to names that are kept for the life of
//! the process, as its configuration is.

use ringmain_config::metadata::Metadata;

use super::{Decision, Engine};

/// The fields that tell what rules have decided.
#[derive(Debug)]
pub struct NoteNames {
    namespace: &'static str,
    effective_policy_id: String,
    engine_result: String,
}

/// The names of the policies of rules, by their places.
#[derive(Debug)]
pub struct NotedPolicies(Box<[&'static str]>);

/// What rules have decided.
#[derive(Debug, Clone, Copy)]
pub struct Note {
    names: &'static NoteNames,
    policy: Option<&'static str>,
    allowed: bool,
    access_log_hint: Option<bool>,
}

impl NoteNames {
    /// Of rules that are enforced by the filter `namespace`; `prefix` is `rules_stat_prefix`.
    pub fn enforced(namespace: &'static str, prefix: &str) -> &'static Self {
        Self::of(namespace, prefix, "enforced")
    }

    /// Of its shadow rules; `prefix` is `shadow_rules_stat_prefix`.
    pub fn shadow(namespace: &'static str, prefix: &str) -> &'static Self {
        Self::of(namespace, prefix, "shadow")
    }

    fn of(namespace: &'static str, prefix: &str, rules: &str) -> &'static Self {
        Box::leak(Box::new(Self {
            namespace,
            effective_policy_id: format!("{prefix}{rules}_effective_policy_id"),
            engine_result: format!("{prefix}{rules}_engine_result"),
        }))
    }
}

impl NotedPolicies {
    /// Those of `engine`.
    pub fn new(engine: &Engine) -> Self {
        Self(engine.policy_names().map(|name| &*name.to_owned().leak()).collect())
    }
}

impl Note {
    /// What rules with these `policies` have decided.
    pub fn new(names: &'static NoteNames, policies: &NotedPolicies, decision: Decision) -> Self {
        let policy = decision.policy.and_then(|at| policies.0.get(at).copied());
        Self { names, policy, allowed: decision.allowed, access_log_hint: None }
    }

    /// With the hint for access logs, which is there for enforced rules that know the action LOG.
    pub fn hinting(self, decision: Decision) -> Self {
        Self { access_log_hint: decision.access_log_hint, ..self }
    }

    /// Writes it down in `metadata`.
    pub fn write(&self, metadata: &mut Metadata) {
        let namespace = self.names.namespace;
        let result = if self.allowed { "allowed" } else { "denied" };
        metadata.put(namespace, &self.names.engine_result, result.into());
        if let Some(policy) = self.policy {
            metadata.put(namespace, &self.names.effective_policy_id, policy.into());
        }
        if let Some(hint) = self.access_log_hint {
            write_hint(hint, metadata);
        }
    }
}

/// Writes down whether access logs are to tell of the subject.
pub fn write_hint(hint: bool, metadata: &mut Metadata) {
    metadata.put("envoy.common", "access_log_hint", hint.into());
}
