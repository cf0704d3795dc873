//! What decisions leave in dynamic metadata, for filters behind and for access logs.

use std::rc::Rc;

use ringmain_config::metadata::Metadata;

use super::{Decision, Engine};

/// The fields that tell what rules have decided.
#[derive(Debug)]
pub struct NoteNames {
    effective_policy_id: String,
    engine_result: String,
}

impl NoteNames {
    /// Of rules that are enforced; `prefix` is `rules_stat_prefix`.
    pub fn enforced(prefix: &str) -> Self {
        Self::of(prefix, "enforced")
    }

    /// Of shadow rules; `prefix` is `shadow_rules_stat_prefix`.
    pub fn shadow(prefix: &str) -> Self {
        Self::of(prefix, "shadow")
    }

    fn of(prefix: &str, rules: &str) -> Self {
        Self {
            effective_policy_id: format!("{prefix}{rules}_effective_policy_id"),
            engine_result: format!("{prefix}{rules}_engine_result"),
        }
    }

    /// Notes in `namespace`, which is the filter's name, what `engine` has decided.
    pub fn note(
        &self,
        engine: &Engine,
        decision: Decision,
        namespace: &str,
        metadata: &mut Option<Rc<Metadata>>,
    ) {
        let metadata = Rc::make_mut(metadata.get_or_insert_default());
        let result = if decision.allowed { "allowed" } else { "denied" };
        metadata.put(namespace, &self.engine_result, result.into());
        if let Some(policy) = decision.policy.and_then(|at| engine.policy_names().nth(at)) {
            metadata.put(namespace, &self.effective_policy_id, policy.into());
        }
    }
}

/// Notes whether access logs are to tell of the subject, where enforced rules with the action LOG say so.
pub fn note_hint(decision: Decision, metadata: &mut Option<Rc<Metadata>>) {
    if let Some(hint) = decision.access_log_hint {
        let metadata = Rc::make_mut(metadata.get_or_insert_default());
        metadata.put("envoy.common", "access_log_hint", hint.into());
    }
}
