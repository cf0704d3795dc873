//! `envoy.filters.http.rbac`: lets a request pass by policies, or answers 403.

use ringmain_config::http_filter::RbacFilter as Config;

use super::{FilterView, RouteFilter, Verdict};
use crate::http::local_reply::LocalReply;
use crate::rbac::{
    Decision, EnforcedRules, EnforcedStats, Engine, Note, NoteNames, NotedPolicies, ShadowStats,
    Subject, count, prefixed,
};
use crate::stats::{Counter, Kind, PerWorker, Reading, Scope, Stat};

/// The namespace of what it notes.
const NAMESPACE: &str = "envoy.filters.http.rbac";

/// The filter.
#[derive(Debug)]
pub struct RbacFilter {
    policies: RbacPolicies,
    enforced: PerWorker<EnforcedStats>,
    shadow: PerWorker<ShadowStats>,
    rules_stat_prefix: String,
    shadow_rules_stat_prefix: String,
    enforced_names: &'static NoteNames,
    shadow_names: &'static NoteNames,
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
    rules: Option<(EnforcedRules, NotedPolicies)>,
    shadow_rules: Option<(Engine, NotedPolicies)>,
}

impl RbacPolicies {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            rules: config.rules.as_ref().map(|config| {
                let rules = EnforcedRules::new(config);
                let policies = NotedPolicies::new(&rules.engine);
                (rules, policies)
            }),
            shadow_rules: config.shadow_rules.as_ref().map(|config| {
                let engine = Engine::new(config);
                let policies = NotedPolicies::new(&engine);
                (engine, policies)
            }),
        }
    }
}

impl RbacFilter {
    pub(super) fn new(config: &Config, workers: usize) -> Self {
        let policies = RbacPolicies::new(config);
        let tracks_rules = config.track_per_rule_stats;
        let counters = |engine: Option<&Engine>| {
            engine.filter(|_| tracks_rules).map_or(0, |engine| engine.policy_names().len())
        };
        let enforced = counters(policies.rules.as_ref().map(|(rules, _)| &rules.engine));
        let shadow = counters(policies.shadow_rules.as_ref().map(|(engine, _)| engine));
        let fresh = |count| (0..count).map(|_| Default::default()).collect();
        Self {
            per_rule: PerWorker::from_fn(workers, || PerRule {
                enforced: fresh(enforced),
                shadow: fresh(shadow),
            }),
            policies,
            enforced: PerWorker::new(workers),
            shadow: PerWorker::new(workers),
            enforced_names: NoteNames::enforced(NAMESPACE, &config.rules_stat_prefix),
            shadow_names: NoteNames::shadow(NAMESPACE, &config.shadow_rules_stat_prefix),
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
        let shadow = policies.shadow_rules.as_ref().map(|(engine, names)| {
            let decision = engine.decide(&subject);
            self.shadow.of(worker).count(decision);
            count_policy(decision, per_rule.map(|counted| &*counted.shadow));
            Note::new(self.shadow_names, names, decision)
        });
        let enforced = policies.rules.as_ref().map(|(rules, names)| {
            let decision = rules.engine.decide(&subject);
            let note = Note::new(self.enforced_names, names, decision).hinting(decision);
            (rules, decision, note)
        });
        let metadata = &mut view.exchange.info.dynamic_metadata;
        shadow.into_iter().for_each(|note| metadata.note(note));
        let Some((rules, decision, note)) = enforced else { return Verdict::Continue };
        metadata.note(note);
        self.enforced.of(worker).count(decision);
        count_policy(decision, per_rule.map(|counted| &*counted.enforced));
        if decision.allowed {
            return Verdict::Continue;
        }
        let (status, body) = (403, "RBAC: access denied");
        let details = rules.details(decision);
        Verdict::Reply(LocalReply { status, body, details, flag: None }.into())
    }

    pub(super) fn stats(&self, http: &Scope, stats: &mut Vec<Stat>) {
        let enforced = prefixed(http.within("rbac"), &self.rules_stat_prefix);
        enforced.block(&self.enforced, stats);
        let shadow = prefixed(http.within("rbac"), &self.shadow_rules_stat_prefix);
        shadow.block(&self.shadow, stats);
        if !self.tracks_rules {
            return;
        }
        let engine = self.policies.rules.as_ref().map(|(rules, _)| &rules.engine);
        policy_stats(&enforced, engine, ["allowed", "denied"], stats, |at| {
            sums(self.per_rule.iter().map(|worker| &worker.enforced[at]))
        });
        let engine = self.policies.shadow_rules.as_ref().map(|(engine, _)| engine);
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
        remote: info.remote.socket(),
        local: info.local.socket(),
        server_name: info.requested_server_name.as_deref().unwrap_or_default().as_bytes(),
        tls: info.downstream_tls.as_deref(),
        dynamic_metadata: info.dynamic_metadata.get(),
        objects: Some(&info.objects),
        route_metadata: info.route.map(|route| &view.manager.routes.route(route).metadata),
    }
}

fn count_policy(decision: Decision, policies: Option<&[(Counter, Counter)]>) {
    if let (Some(at), Some(policies)) = (decision.policy, policies) {
        let (allowed, denied) = &policies[at];
        count(decision, allowed, denied);
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
