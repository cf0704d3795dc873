use std::cell::RefCell;

use ringmain_config::cluster::{LoadAssignment, LoadBalancing};
use ringmain_config::fraction::Fraction;
use serde_json::json;

use super::super::member::tests::member;
use super::super::{Health, PlanContext};
use super::*;

const NO_RULES: LbSubsetConfig = LbSubsetConfig {
    fallback_policy: FallbackPolicy::NoFallback,
    default_subset: MatchCriteria::NONE,
    subset_selectors: Vec::new(),
    locality_weight_aware: false,
    scale_locality_weight: false,
    panic_mode_any: false,
    list_as_any: false,
    allow_redundant_keys: false,
    uses_fallback_list: false,
};

fn fields(fields: Value) -> BTreeMap<String, Value> {
    let Value::Object(fields) = fields else { panic!("{fields} is no object") };
    fields.into_iter().collect()
}

fn criteria(of: Value) -> MatchCriteria {
    MatchCriteria::new(fields(of))
}

fn selector(keys: &[&str], fallback_policy: Option<SelectorFallback>) -> LbSubsetSelector {
    let keys = keys.iter().map(|&key| key.to_owned()).collect();
    LbSubsetSelector { keys, single_host_per_subset: false, fallback_policy }
}

fn keys_subset(keys: &[&str]) -> Option<SelectorFallback> {
    Some(SelectorFallback::KeysSubset(keys.iter().map(|&key| key.to_owned()).collect()))
}

fn plan(members: &[Member<'_>], subset: LbSubsetConfig) -> Plan {
    let config = LoadBalancing { subset: Some(subset), ..LoadBalancing::default() };
    let assignment = LoadAssignment {
        endpoints: Vec::new(),
        overprovisioning_factor: 140,
        drop_overload: Fraction::NONE,
        weighted_priority_health: false,
    };
    let stats = LbStats::default();
    let context = PlanContext {
        config: &config,
        assignment: &assignment,
        here: None,
        local: None,
        stats: &stats,
    };
    Plan::new(members, &context)
}

/// Who is asked for a host by each of `asked`, where nobody has one.
fn chosen(members: &[Member<'_>], rules: LbSubsetConfig, asked: &[Value]) -> Vec<Vec<Subset>> {
    let plan = plan(members, rules);
    let subsets = plan.subsets().expect("subsets");
    let choose = |asked: &Value| {
        let picks = RefCell::new(Vec::new());
        let mut pick = |subset| {
            picks.borrow_mut().push(subset);
            None
        };
        let criteria = criteria(asked.clone());
        let none = subsets.choose(Some(&criteria), &mut pick, &LbStats::default());
        assert_eq!(none, None);
        picks.into_inner()
    };
    asked.iter().map(choose).collect()
}

#[test]
fn a_host_is_in_a_subset_for_each_value_of_its_lists() {
    let metadata = fields(json!({ "a": [1, 2], "b": "x", "c": [] }));
    let member = Member { metadata: &metadata, ..member("h") };
    let keys = |names: &[&str], list_as_any| keys_of(&member, &selector(names, None), list_as_any);
    assert_eq!(keys(&["a", "b"], true), [r#""a":1,"b":"x","#, r#""a":2,"b":"x","#]);
    assert_eq!(keys(&["a", "b"], false), [r#""a":[1,2],"b":"x","#]);
    assert!(keys(&["b", "c"], true).is_empty());
    assert!(keys(&["b", "d"], true).is_empty());
    assert!(keys(&[], true).is_empty());
}

#[test]
fn fewer_criteria_are_tried_by_the_selector_they_fit() {
    let metadata = fields(json!({ "a": 1, "b": 2 }));
    let members = [Member { metadata: &metadata, ..member("h") }];
    let subset_selectors = vec![selector(&["a"], None), selector(&["a", "b"], keys_subset(&["a"]))];
    let rules = LbSubsetConfig { subset_selectors, panic_mode_any: true, ..NO_RULES };
    let asked = [json!({ "a": 1, "b": 3 }), json!({ "a": 2, "b": 3 }), json!({ "b": 2 })];
    let found = chosen(&members, rules, &asked);
    assert!(matches!(found[0][..], [Subset::Plan(_)]), "{found:?}");
    // Panic is for those that fall back to somebody.
    assert_eq!(found[1..], [vec![], vec![]]);
}

#[test]
fn a_selector_that_begins_an_earlier_one_has_no_say() {
    let any = || Some(SelectorFallback::Policy(FallbackPolicy::AnyEndpoint));
    let asked = [json!({ "a": 9 }), json!({ "a": 9, "b": 9 }), json!({})];
    let found = |subset_selectors| {
        let rules = LbSubsetConfig { subset_selectors, ..NO_RULES };
        chosen(&[member("h")], rules, &asked)
    };
    let first_short = vec![selector(&["a"], any()), selector(&["a", "b"], None)];
    assert_eq!(found(first_short), [vec![Subset::Any], vec![], vec![]]);
    let first_long = vec![selector(&["a", "b"], any()), selector(&["a"], any())];
    assert_eq!(found(first_long), [vec![], vec![Subset::Any], vec![]]);
}

#[test]
fn one_host_serves_its_subset_whatever_its_health() {
    let metadata = fields(json!({ "a": 1 }));
    let of = |priority, health| Member { priority, health, metadata: &metadata, ..member("h") };
    let members = [of(1, Health::Healthy), of(0, Health::Unhealthy), of(0, Health::Healthy)];
    let single = LbSubsetSelector { single_host_per_subset: true, ..selector(&["a"], None) };
    let rules = LbSubsetConfig { subset_selectors: vec![single], ..NO_RULES };
    assert_eq!(
        plan(&members, rules.clone()).subsets().map(Subsets::single_host_duplicates),
        Some(1)
    );
    assert_eq!(chosen(&members, rules, &[json!({ "a": 1 })]), [[Subset::Host(1)]]);
}

#[test]
fn a_subset_that_stays_keeps_its_place() {
    let (one, two) = (fields(json!({ "a": 1 })), fields(json!({ "a": 2 })));
    let first = Member { metadata: &one, ..member("h") };
    let second = Member { metadata: &two, ..member("i") };
    let rules = LbSubsetConfig { subset_selectors: vec![selector(&["a"], None)], ..NO_RULES };
    let (before, after) = (plan(&[first, second], rules.clone()), plan(&[second], rules));
    let (before, after) = (before.subsets().expect("two"), after.subsets().expect("one"));
    let places: Vec<_> = after.plans_since(Some(before)).into_iter().map(|(_, at)| at).collect();
    assert_eq!(places, [Some(1)]);
    let stats = LbStats::default();
    after.count_changes(Some(before), 2, &stats);
    assert_eq!((stats.lb_subsets_created.value(), stats.lb_subsets_removed.value()), (0, 2));
}
