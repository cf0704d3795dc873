//! `envoy.filters.http.rbac`: lets a request pass by policies, or answers 403.

use ringmain_config::http_filter::RbacFilter as Config;
use ringmain_config::rbac::Rbac;

use super::{FilterView, RouteFilter, Verdict};
use crate::http::local_reply::LocalReply;
use crate::rbac::{Decision, Engine, Subject};
use crate::stats::{Counter, Kind, PerWorker, Reading, Scope, Stat, stats_block};

stats_block! {
    /// `http.<stat_prefix>.rbac.<rules_stat_prefix>`
    EnforcedStats {
        counters {
            allowed,
            denied,
        }
        gauges {}
    }
}

stats_block! {
    /// `http.<stat_prefix>.rbac.<shadow_rules_stat_prefix>`
    ShadowStats {
        counters {
            shadow_allowed,
            shadow_denied,
        }
        gauges {}
    }
}

/// The filter.
#[derive(Debug)]
pub struct RbacFilter {
    policies: RbacPolicies,
    enforced: PerWorker<EnforcedStats>,
    shadow: PerWorker<ShadowStats>,
    rules_stat_prefix: String,
    shadow_rules_stat_prefix: String,
    /// With `track_per_rule_stats`: of each policy of the filter, by its place.
    per_rule: PerWorker<PerRule>,
    tracks_rules: bool,
}

/// What policies have decided: enforced and shadow ones.
#[derive(Debug, Default)]
struct PerRule {
    enforced: Box<[(Counter, Counter)]>,
    shadow: Box<[(Counter, Counter)]>,
}

/// The rules of a filter or of a route.
#[derive(Debug)]
pub struct RbacPolicies {
    rules: Option<Rules>,
    shadow_rules: Option<Engine>,
}

/// Rules that are enforced.
#[derive(Debug)]
struct Rules {
    engine: Engine,
    /// What is logged of a request that a policy, by its place, has refused; last, of one that no
    /// policy has let pass.
    details: Box<[&'static str]>,
}

impl RbacPolicies {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            rules: config.rules.as_ref().map(Rules::new),
            shadow_rules: config.shadow_rules.as_ref().map(Engine::new),
        }
    }
}

impl Rules {
    fn new(config: &Rbac) -> Self {
        let engine = Engine::new(config);
        let details = engine.policy_names().chain(["none"]).map(details).collect();
        Self { engine, details }
    }

    fn details(&self, decision: Decision) -> &'static str {
        self.details[decision.policy.unwrap_or(self.details.len() - 1)]
    }
}

/// `%RESPONSE_CODE_DETAILS%` of a refusal. Kept for the life of the process, as its configuration is.
fn details(policy: &str) -> &'static str {
    let printable = policy.replace(|letter: char| letter.is_ascii_whitespace(), "_");
    format!("rbac_access_denied_matched_policy[{printable}]").leak()
}

impl RbacFilter {
    pub(super) fn new(config: &Config, workers: usize) -> Self {
        let policies = RbacPolicies::new(config);
        let tracks_rules = config.track_per_rule_stats;
        let counters = |engine: Option<&Engine>| {
            engine.filter(|_| tracks_rules).map_or(0, |engine| engine.policy_names().len())
        };
        let enforced = counters(policies.rules.as_ref().map(|rules| &rules.engine));
        let shadow = counters(policies.shadow_rules.as_ref());
        let fresh = |count| (0..count).map(|_| Default::default()).collect();
        Self {
            per_rule: PerWorker::from_fn(workers, || PerRule {
                enforced: fresh(enforced),
                shadow: fresh(shadow),
            }),
            policies,
            enforced: PerWorker::new(workers),
            shadow: PerWorker::new(workers),
            rules_stat_prefix: config.rules_stat_prefix.clone(),
            shadow_rules_stat_prefix: config.shadow_rules_stat_prefix.clone(),
            tracks_rules,
        }
    }

    pub(super) fn on_request<'m>(&self, view: &mut FilterView<'_, 'm>) -> Verdict<'m> {
        let own = view.levels.iter().find_map(|level| match &**level {
            RouteFilter::Rbac(policies) => Some(policies),
            _ => None,
        });
        let policies = own.unwrap_or(&self.policies);
        let worker = view.worker.id;
        let per_rule = (self.tracks_rules && own.is_none()).then(|| self.per_rule.of(worker));
        let subject = subject_of(view);
        if let Some(engine) = &policies.shadow_rules {
            let decision = engine.decide(&subject);
            let stats = self.shadow.of(worker);
            count(decision, &stats.shadow_allowed, &stats.shadow_denied);
            count_policy(decision, per_rule.map(|counted| &*counted.shadow));
        }
        let Some(rules) = &policies.rules else { return Verdict::Continue };
        let decision = rules.engine.decide(&subject);
        let stats = self.enforced.of(worker);
        count(decision, &stats.allowed, &stats.denied);
        count_policy(decision, per_rule.map(|counted| &*counted.enforced));
        if decision.allowed {
            return Verdict::Continue;
        }
        let (status, body) = (403, "RBAC: access denied");
        let details = rules.details(decision);
        Verdict::Reply(LocalReply { status, body, details, flag: None }.into())
    }

    pub(super) fn stats(&self, http: &Scope, stats: &mut Vec<Stat>) {
        let enforced = prefixed(http, &self.rules_stat_prefix);
        enforced.block(&self.enforced, stats);
        let shadow = prefixed(http, &self.shadow_rules_stat_prefix);
        shadow.block(&self.shadow, stats);
        if !self.tracks_rules {
            return;
        }
        let engine = self.policies.rules.as_ref().map(|rules| &rules.engine);
        policy_stats(&enforced, engine, ["allowed", "denied"], stats, |at| {
            sums(self.per_rule.iter().map(|worker| &worker.enforced[at]))
        });
        let engine = self.policies.shadow_rules.as_ref();
        policy_stats(&shadow, engine, ["shadow_allowed", "shadow_denied"], stats, |at| {
            sums(self.per_rule.iter().map(|worker| &worker.shadow[at]))
        });
    }
}

/// What the policies are asked about.
fn subject_of<'v>(view: &'v FilterView<'_, '_>) -> Subject<'v> {
    let info = &view.exchange.info;
    Subject {
        headers: &view.exchange.request.headers,
        direct_remote: info.direct_remote.ip(),
        remote: info.remote.ip(),
        local: info.local,
        server_name: info.requested_server_name.as_deref().unwrap_or_default().as_bytes(),
        route_metadata: info.route.map(|route| &view.manager.routes.route(route).metadata),
    }
}

fn count(decision: Decision, allowed: &Counter, denied: &Counter) {
    if decision.allowed { allowed.inc() } else { denied.inc() }
}

fn count_policy(decision: Decision, policies: Option<&[(Counter, Counter)]>) {
    if let (Some(at), Some(policies)) = (decision.policy, policies) {
        let (allowed, denied) = &policies[at];
        count(decision, allowed, denied);
    }
}

/// `rbac`, and below it the prefix of the rules.
fn prefixed(http: &Scope, prefix: &str) -> Scope {
    let rbac = http.within("rbac");
    match prefix.trim_end_matches('.') {
        "" => rbac,
        prefix => rbac.within(prefix),
    }
}

/// `policy.<name>.` of each policy that has decided something, as Envoy makes those stats when they
/// are first counted.
fn policy_stats(
    scope: &Scope,
    engine: Option<&Engine>,
    names: [&'static str; 2],
    stats: &mut Vec<Stat>,
    sums: impl Fn(usize) -> [u64; 2],
) {
    let policies = engine.into_iter().flat_map(Engine::policy_names);
    for (at, policy) in policies.enumerate() {
        let scope = scope.within("policy").within(policy);
        for (name, sum) in names.into_iter().zip(sums(at)).filter(|(_, sum)| *sum > 0) {
            let reading =
                Reading { name, kind: Kind::Counter, value: sum.cast_signed(), used: true };
            scope.push(reading, stats);
        }
    }
}

fn sums<'c>(workers: impl Iterator<Item = &'c (Counter, Counter)>) -> [u64; 2] {
    workers.fold([0, 0], |[one, other], (allowed, denied)| {
        [one + allowed.value(), other + denied.value()]
    })
}
