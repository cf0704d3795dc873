//! The tree form of policies (`xds.type.matcher.v3.Matcher` in the fields `matcher` and `shadow_matcher`):
//! the first [`MatchAction`] that is come to decides.

use std::collections::BTreeMap;

use envoy_types::pb::envoy::config::rbac::v3 as rbac;
use envoy_types::pb::envoy::r#type::matcher::v3 as envoy_matcher;
use envoy_types::pb::xds::core::v3::{CidrRange as WireCidrRange, TypedExtensionConfig};
use envoy_types::pb::xds::r#type::matcher::v3 as wire;
use prost::Message;
use wire::matcher::matcher_list::Predicate as WirePredicate;
use wire::matcher::matcher_list::predicate::single_predicate::Matcher as WireTest;
use wire::matcher::matcher_list::predicate::{MatchType, PredicateList, SinglePredicate};
use wire::matcher::matcher_tree::{MatchMap, TreeType};
use wire::matcher::on_match::OnMatch as WireOnMatch;
use wire::matcher::{MatcherList, MatcherTree, MatcherType};

use super::Action;
use super::match_input::MatchInput;
use crate::address::CidrRange;
use crate::matcher::StringMatcher;
use crate::report::{At, Note};
use crate::wire::unpack;

/// Rust types of messages that `envoy-types` lacks.
#[allow(missing_docs, dead_code, reason = "the `.proto` file documents them, and imports more")]
mod lacking {
    include!(concat!(env!("OUT_DIR"), "/xds.r#type.matcher.v3.rs"));
}

/// `xds.type.matcher.v3.Matcher`.
#[derive(Debug, Clone, PartialEq)]
pub struct MatchTree {
    /// `matcher_type`; absent means that nothing matches.
    pub matching: Option<Matching>,
    /// `on_no_match`: what follows where nothing else does.
    pub on_no_match: Option<OnMatch>,
}

/// `matcher_type`.
#[derive(Debug, Clone, PartialEq)]
pub enum Matching {
    /// `matcher_list`: what follows on the first predicate that holds and comes to an action.
    List(Vec<(Predicate, OnMatch)>),
    /// `matcher_tree`.
    Tree(MatchInput, Branches),
}

/// `tree_type`.
#[derive(Debug, Clone, PartialEq)]
pub enum Branches {
    /// `exact_match_map`.
    Exact(BTreeMap<String, OnMatch>),
    /// `prefix_match_map`: the longest prefix that comes to an action.
    Prefix(BTreeMap<String, OnMatch>),
    /// `custom_match` with an `xds.type.matcher.v3.IPMatcher`.
    Ip(Vec<RangeMatcher>),
}

/// `xds.type.matcher.v3.IPMatcher.IPRangeMatcher`.
#[derive(Debug, Clone, PartialEq)]
pub struct RangeMatcher {
    /// `ranges`, at least one.
    pub ranges: Vec<CidrRange>,
    /// `on_match`.
    pub on_match: OnMatch,
    /// `exclusive`, default false: not asked behind a more specific range.
    pub exclusive: bool,
}

/// `xds.type.matcher.v3.Matcher.OnMatch`.
#[derive(Debug, Clone, PartialEq)]
pub enum OnMatch {
    /// `matcher`.
    Matcher(Box<MatchTree>),
    /// `action`.
    Action(MatchAction),
}

/// `envoy.config.rbac.v3.Action`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchAction {
    /// `name`, required: of the policy, for logs and stats.
    pub name: String,
    /// `action`, default ALLOW.
    pub action: Action,
}

/// `xds.type.matcher.v3.Matcher.MatcherList.Predicate`.
#[derive(Debug, Clone, PartialEq)]
pub enum Predicate {
    /// `single_predicate` with a `value_match`.
    Single(MatchInput, StringMatcher),
    /// `or_matcher`.
    Or(Vec<Predicate>),
    /// `and_matcher`.
    And(Vec<Predicate>),
    /// `not_matcher`.
    Not(Box<Predicate>),
}

impl MatchTree {
    pub(crate) fn from_wire(wire: &wire::Matcher, at: &At<'_>) -> Option<Self> {
        let matching = match &wire.matcher_type {
            None => None,
            Some(MatcherType::MatcherList(list)) => {
                Some(Matching::of_list(list, &at.field("matcher_list"))?)
            }
            Some(MatcherType::MatcherTree(tree)) => {
                Some(Matching::of_tree(tree, &at.field("matcher_tree"))?)
            }
        };
        let on_no_match = match &wire.on_no_match {
            None => None,
            Some(otherwise) => Some(OnMatch::from_wire(otherwise, &at.field("on_no_match"))?),
        };
        Some(Self { matching, on_no_match })
    }

    /// Whether it looks at headers.
    pub(crate) fn has_headers(&self) -> bool {
        let mut children = self.on_no_match.iter().filter_map(OnMatch::matcher);
        children.any(Self::has_headers) || self.matching.as_ref().is_some_and(Matching::has_headers)
    }
}

impl Matching {
    fn of_list(wire: &MatcherList, at: &At<'_>) -> Option<Self> {
        let at = at.field("matchers");
        let matchers = wire.matchers.iter().enumerate().map(|(index, matcher)| {
            let at = at.index(index);
            // The field rules have seen to their presence.
            let predicate =
                Predicate::from_wire(matcher.predicate.as_ref()?, &at.field("predicate"));
            let on_match = OnMatch::from_wire(matcher.on_match.as_ref()?, &at.field("on_match"));
            Some((predicate?, on_match?))
        });
        matchers.collect::<Option<_>>().map(Self::List)
    }

    fn of_tree(wire: &MatcherTree, at: &At<'_>) -> Option<Self> {
        let input = MatchInput::from_wire(wire.input.as_ref()?, &at.field("input"));
        let branches = match wire.tree_type.as_ref()? {
            TreeType::ExactMatchMap(map) => {
                Branches::Exact(map_from_wire(map, &at.field("exact_match_map"))?)
            }
            TreeType::PrefixMatchMap(map) => {
                Branches::Prefix(map_from_wire(map, &at.field("prefix_match_map"))?)
            }
            TreeType::CustomMatch(custom) => {
                Branches::Ip(ranges_from_wire(custom, &at.field("custom_match"))?)
            }
        };
        Some(Self::Tree(input?, branches))
    }

    fn has_headers(&self) -> bool {
        let has_headers =
            |on_match: &OnMatch| on_match.matcher().is_some_and(MatchTree::has_headers);
        match self {
            Self::List(list) => {
                list.iter().any(|(when, then)| when.has_headers() || has_headers(then))
            }
            Self::Tree(input, branches) => {
                input.is_header()
                    || match branches {
                        Branches::Exact(map) | Branches::Prefix(map) => {
                            map.values().any(has_headers)
                        }
                        Branches::Ip(ranges) => ranges.iter().any(|one| has_headers(&one.on_match)),
                    }
            }
        }
    }
}

fn map_from_wire(wire: &MatchMap, at: &At<'_>) -> Option<BTreeMap<String, OnMatch>> {
    let at = at.field("map");
    // In the order of the keys, so that every run tells the same.
    let entries: BTreeMap<_, _> = wire.map.iter().collect();
    let entries = entries
        .into_iter()
        .map(|(key, wire)| Some((key.clone(), OnMatch::from_wire(wire, &at.key(key))?)));
    entries.collect()
}

fn ranges_from_wire(custom: &TypedExtensionConfig, at: &At<'_>) -> Option<Vec<RangeMatcher>> {
    let at = at.field("typed_config");
    let Some(wire) = unpack::<lacking::IpMatcher>(custom.typed_config.as_ref()?) else {
        at.error(
            Note::from("a matcher tree takes an xds.type.matcher.v3.IPMatcher")
                .help("use exact_match_map, prefix_match_map or an IPMatcher in 'custom_match'"),
        );
        return None;
    };
    let at = at.field("range_matchers");
    let matchers = wire.range_matchers.iter().enumerate().map(|(index, wire)| {
        let at = at.index(index);
        let Some(on_match) = &wire.on_match else {
            at.error_at_key("'on_match' is required");
            return None;
        };
        let at_ranges = at.field("ranges");
        let ranges = wire.ranges.iter().enumerate();
        let ranges: Option<_> =
            ranges.map(|(index, range)| range_from_wire(range, &at_ranges.index(index))).collect();
        let on_match = OnMatch::from_wire(on_match, &at.field("on_match"));
        Some(RangeMatcher { ranges: ranges?, on_match: on_match?, exclusive: wire.exclusive })
    });
    matchers.collect()
}

fn range_from_wire(wire: &WireCidrRange, at: &At<'_>) -> Option<CidrRange> {
    CidrRange::new(&wire.address_prefix, wire.prefix_len.map(|len| len.value), at)
}

impl OnMatch {
    fn from_wire(wire: &wire::matcher::OnMatch, at: &At<'_>) -> Option<Self> {
        Some(match wire.on_match.as_ref()? {
            WireOnMatch::Matcher(tree) => {
                Self::Matcher(Box::new(MatchTree::from_wire(tree, &at.field("matcher"))?))
            }
            WireOnMatch::Action(action) => {
                Self::Action(MatchAction::from_wire(action, &at.field("action"))?)
            }
        })
    }

    fn matcher(&self) -> Option<&MatchTree> {
        match self {
            Self::Matcher(tree) => Some(tree),
            Self::Action(_) => None,
        }
    }
}

impl MatchAction {
    fn from_wire(wire: &TypedExtensionConfig, at: &At<'_>) -> Option<Self> {
        let Some(wire) = unpack::<rbac::Action>(wire.typed_config.as_ref()?) else {
            let note = Note::from("RBAC takes an envoy.config.rbac.v3.Action").help(
                "set { \"@type\": type.googleapis.com/envoy.config.rbac.v3.Action, name: \
                 ..., action: ALLOW }",
            );
            at.field("typed_config").error(note);
            return None;
        };
        Some(Self { action: Action::from_wire(wire.action()), name: wire.name })
    }
}

impl Predicate {
    fn from_wire(wire: &WirePredicate, at: &At<'_>) -> Option<Self> {
        Some(match wire.match_type.as_ref()? {
            MatchType::SinglePredicate(single) => {
                return Self::single(single, &at.field("single_predicate"));
            }
            MatchType::OrMatcher(list) => Self::Or(Self::list(list, &at.field("or_matcher"))?),
            MatchType::AndMatcher(list) => Self::And(Self::list(list, &at.field("and_matcher"))?),
            MatchType::NotMatcher(inner) => {
                Self::Not(Box::new(Self::from_wire(inner, &at.field("not_matcher"))?))
            }
        })
    }

    fn single(wire: &SinglePredicate, at: &At<'_>) -> Option<Self> {
        let input = MatchInput::from_wire(wire.input.as_ref()?, &at.field("input"));
        // The support gate has refused any other test, or the user wants it ignored.
        let WireTest::ValueMatch(value) = wire.matcher.as_ref()? else { return None };
        let value = string_from_wire(value, &at.field("value_match"));
        Some(Self::Single(input?, value?))
    }

    fn list(wire: &PredicateList, at: &At<'_>) -> Option<Vec<Self>> {
        let at = at.field("predicate");
        let predicates = wire.predicate.iter().enumerate();
        predicates.map(|(index, wire)| Self::from_wire(wire, &at.index(index))).collect()
    }

    fn has_headers(&self) -> bool {
        match self {
            Self::Single(input, _) => input.is_header(),
            Self::Or(inner) | Self::And(inner) => inner.iter().any(Self::has_headers),
            Self::Not(inner) => inner.has_headers(),
        }
    }
}

/// The matcher of xDS is Envoy's own under another name: both have the same form on the wire.
fn string_from_wire(wire: &wire::StringMatcher, at: &At<'_>) -> Option<StringMatcher> {
    let bytes = wire.encode_to_vec();
    StringMatcher::from_wire(&envoy_matcher::StringMatcher::decode(&bytes[..]).ok()?, at)
}
