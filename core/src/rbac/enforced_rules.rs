//! Rules that are enforced, and what is logged of whom they refuse.

use ringmain_config::rbac::Rules;

use super::{Decision, Engine};

/// The rules.
#[derive(Debug)]
pub struct EnforcedRules {
    /// What decides.
    pub engine: Engine,
    /// What is logged where a policy, by its place, has refused; last, where none has let pass.
    details: Box<[&'static str]>,
}

impl EnforcedRules {
    /// Compiles `config`.
    pub fn new(config: &Rules) -> Self {
        let engine = Engine::new(config);
        let details = engine.policy_names().chain(["none"]).map(details).collect();
        Self { engine, details }
    }

    /// What is logged of a refusal, as `%RESPONSE_CODE_DETAILS%` or `%CONNECTION_TERMINATION_DETAILS%`.
    pub fn details(&self, decision: Decision) -> &'static str {
        self.details[decision.policy.unwrap_or(self.details.len() - 1)]
    }
}

/// Kept for the life of the process, as its configuration is.
fn details(policy: &str) -> &'static str {
    let printable = policy.replace(|letter: char| letter.is_ascii_whitespace(), "_");
    format!("rbac_access_denied_matched_policy[{printable}]").leak()
}
