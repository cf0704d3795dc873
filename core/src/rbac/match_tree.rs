//! The tree form of policies, compiled: maps are tables and radix trees, ranges are bisected.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use ringmain_config::matcher::StringMatcher;
use ringmain_config::rbac as config;
use ringmain_config::rbac::{Action, Branches, MatchInput};
use smallvec::SmallVec;

use super::match_value::{Unavailable, address_of, value_of};
use super::range_tree::RangeTree;
use super::{Decision, Subject};
use crate::router::RadixTree;

/// The tree.
#[derive(Debug)]
pub struct MatchTree {
    matching: Matching,
    on_no_match: Option<OnMatch>,
}

/// What is come to, or that it cannot be known.
pub type Decided = Result<Option<Decision>, Unavailable>;

#[derive(Debug)]
enum Matching {
    Nothing,
    List(Box<[(Predicate, OnMatch)]>),
    Exact(MatchInput, HashMap<Box<[u8]>, OnMatch>),
    Prefix(MatchInput, RadixTree<OnMatch>),
    Range(MatchInput, RangeTree<RangeMatch>, Box<[OnMatch]>),
}

/// What a range leads to.
#[derive(Debug, Clone, Copy)]
struct RangeMatch {
    /// Its place in the list of those that ranges lead to.
    on_match: usize,
    exclusive: bool,
}

#[derive(Debug)]
enum OnMatch {
    Tree(Box<MatchTree>),
    Action(Decision),
}

#[derive(Debug)]
enum Predicate {
    Single(MatchInput, StringMatcher),
    Any(Box<[Predicate]>),
    All(Box<[Predicate]>),
    Not(Box<Predicate>),
}

/// What actions of a tree name.
#[derive(Debug, Default)]
pub struct Policies {
    /// Names of policies, each once, in the order in which they were met.
    pub names: Vec<Box<str>>,
    /// Whether an action is LOG.
    pub logs: bool,
}

impl Policies {
    fn place_of(&mut self, name: &str) -> usize {
        let known = self.names.iter().position(|known| **known == *name);
        known.unwrap_or_else(|| {
            self.names.push(name.into());
            self.names.len() - 1
        })
    }

    fn decision(&mut self, action: &config::MatchAction) -> Decision {
        let logs = action.action == Action::Log;
        self.logs |= logs;
        Decision {
            allowed: action.action != Action::Deny,
            policy: Some(self.place_of(&action.name)),
            access_log_hint: Some(logs),
        }
    }
}

impl MatchTree {
    /// Compiles `config`; the policies that it names are noted in `policies`.
    pub fn new(config: &config::MatchTree, policies: &mut Policies) -> Self {
        let matching = config.matching.as_ref();
        Self {
            matching: matching.map_or(Matching::Nothing, |config| Matching::new(config, policies)),
            on_no_match: config.on_no_match.as_ref().map(|config| OnMatch::new(config, policies)),
        }
    }

    /// The action that is come to, if any.
    pub fn decide(&self, subject: &Subject<'_>) -> Decided {
        match (self.matching.decide(subject)?, &self.on_no_match) {
            (None, Some(on_no_match)) => on_no_match.decide(subject),
            (decision, _) => Ok(decision),
        }
    }
}

impl Matching {
    fn new(config: &config::Matching, policies: &mut Policies) -> Self {
        match config {
            config::Matching::List(list) => {
                let compile = |(predicate, on_match)| {
                    (Predicate::new(predicate), OnMatch::new(on_match, policies))
                };
                Self::List(list.iter().map(|(when, then)| (when, then)).map(compile).collect())
            }
            config::Matching::Tree(input, branches) => {
                Self::tree(input.clone(), branches, policies)
            }
        }
    }

    fn tree(input: MatchInput, branches: &Branches, policies: &mut Policies) -> Self {
        let mut compiled = |map: &BTreeMap<String, config::OnMatch>| -> Vec<_> {
            map.iter().map(|(key, then)| (key.clone(), OnMatch::new(then, policies))).collect()
        };
        match branches {
            Branches::Exact(map) => {
                let entries = compiled(map).into_iter();
                Self::Exact(
                    input,
                    entries.map(|(key, then)| (key.into_bytes().into(), then)).collect(),
                )
            }
            Branches::Prefix(map) => {
                let mut tree = RadixTree::default();
                for (prefix, then) in compiled(map) {
                    tree.insert(prefix.as_bytes(), then);
                }
                Self::Prefix(input, tree)
            }
            Branches::Ip(matchers) => {
                let ranges = matchers.iter().enumerate().flat_map(|(on_match, matcher)| {
                    let value = RangeMatch { on_match, exclusive: matcher.exclusive };
                    matcher.ranges.iter().map(move |range| (*range, value))
                });
                let then = matchers.iter().map(|matcher| OnMatch::new(&matcher.on_match, policies));
                Self::Range(input, RangeTree::new(ranges), then.collect())
            }
        }
    }

    fn decide(&self, subject: &Subject<'_>) -> Decided {
        let mut scratch = SmallVec::new();
        match self {
            Self::Nothing => Ok(None),
            Self::List(list) => decide_by_list(list, subject),
            Self::Exact(input, map) => {
                let then = value_of(input, subject, &mut scratch)?.and_then(|value| map.get(value));
                then.map_or(Ok(None), |then| then.decide(subject))
            }
            Self::Prefix(input, tree) => match value_of(input, subject, &mut scratch)? {
                Some(value) => decide_by_prefix(tree, value, subject),
                None => Ok(None),
            },
            Self::Range(input, tree, then) => match address_of(input, subject)? {
                Some(address) => decide_by_address(tree, then, address, subject),
                None => Ok(None),
            },
        }
    }
}

/// The first of `candidates` that comes to an action wins.
fn first_of<'t>(
    candidates: impl IntoIterator<Item = &'t OnMatch>,
    subject: &Subject<'_>,
) -> Decided {
    let mut decided = candidates.into_iter().map(|then| then.decide(subject));
    decided.find(|decided| *decided != Ok(None)).unwrap_or(Ok(None))
}

fn decide_by_list(list: &[(Predicate, OnMatch)], subject: &Subject<'_>) -> Decided {
    for (when, then) in list {
        if when.holds(subject)?
            && let Some(decision) = then.decide(subject)?
        {
            return Ok(Some(decision));
        }
    }
    Ok(None)
}

/// The longest prefix that comes to an action wins.
fn decide_by_prefix(tree: &RadixTree<OnMatch>, value: &[u8], subject: &Subject<'_>) -> Decided {
    let mut found: SmallVec<[&OnMatch; 8]> = SmallVec::new();
    tree.prefixes_of(value.iter().copied(), |_, then| found.extend(then));
    first_of(found.into_iter().rev(), subject)
}

/// The most specific range that comes to an action wins.
fn decide_by_address(
    tree: &RangeTree<RangeMatch>,
    then: &[OnMatch],
    address: IpAddr,
    subject: &Subject<'_>,
) -> Decided {
    let candidates = tree.holding(address).enumerate();
    let asked = candidates.filter(|(at, range)| *at == 0 || !range.exclusive);
    first_of(asked.map(|(_, range)| &then[range.on_match]), subject)
}

impl OnMatch {
    fn new(config: &config::OnMatch, policies: &mut Policies) -> Self {
        match config {
            config::OnMatch::Matcher(tree) => Self::Tree(Box::new(MatchTree::new(tree, policies))),
            config::OnMatch::Action(action) => Self::Action(policies.decision(action)),
        }
    }

    fn decide(&self, subject: &Subject<'_>) -> Decided {
        match self {
            Self::Tree(tree) => tree.decide(subject),
            Self::Action(decision) => Ok(Some(*decision)),
        }
    }
}

impl Predicate {
    fn new(config: &config::Predicate) -> Self {
        let list = |list: &[config::Predicate]| list.iter().map(Self::new).collect();
        match config {
            config::Predicate::Single(input, test) => Self::Single(input.clone(), test.clone()),
            config::Predicate::Or(any) => Self::Any(list(any)),
            config::Predicate::And(all) => Self::All(list(all)),
            config::Predicate::Not(inner) => Self::Not(Box::new(Self::new(inner))),
        }
    }

    /// One that holds makes up for others that cannot be known, where one is enough.
    fn holds(&self, subject: &Subject<'_>) -> Result<bool, Unavailable> {
        match self {
            Self::Single(input, test) => {
                let mut scratch = SmallVec::new();
                let value = value_of(input, subject, &mut scratch)?;
                Ok(value.is_some_and(|value| test.matches(value)))
            }
            Self::Any(any) => {
                let mut none = Ok(false);
                for one in any {
                    match one.holds(subject) {
                        Ok(true) => return Ok(true),
                        Ok(false) => {}
                        Err(unavailable) => none = Err(unavailable),
                    }
                }
                none
            }
            Self::All(all) => {
                for one in all {
                    if !one.holds(subject)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Not(inner) => Ok(!inner.holds(subject)?),
        }
    }
}

#[cfg(test)]
mod tests;
