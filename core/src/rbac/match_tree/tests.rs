//! The compiled tree against a plain evaluation of what is written, over random trees and subjects.

use std::net::{IpAddr, SocketAddr};

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use ringmain_config::address::CidrRange;
use ringmain_config::matcher::StringTest;
use ringmain_config::rbac::{
    MatchAction, MatchTree, Matching, OnMatch, Predicate, RangeMatcher, Rules,
};
use ringmain_proto_codec::HeaderMap;

use super::super::Engine;
use super::{Action, Branches, MatchInput, StringMatcher, Subject};

const ADDRESSES: [&str; 6] =
    ["10.1.2.3", "10.1.3.3", "10.2.0.1", "192.0.2.1", "2001:db8::1", "::1"];
const WORDS: [&str; 5] = ["", "a", "ab", "abc", "b"];
const ACTIONS: [Action; 3] = [Action::Allow, Action::Deny, Action::Log];

fn one_of<T: Clone>(rng: &mut SmallRng, list: &[T]) -> T {
    list.choose(rng).expect("no list is empty").clone()
}

fn address(rng: &mut SmallRng) -> IpAddr {
    one_of(rng, &ADDRESSES).parse().expect("an address")
}

fn range(rng: &mut SmallRng) -> CidrRange {
    match address(rng) {
        IpAddr::V4(address) => {
            let prefix_len = one_of(rng, &[0, 8, 16, 24, 32]);
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix_len)).unwrap_or(0);
            let address_prefix = IpAddr::V4((u32::from(address) & mask).into());
            CidrRange { address_prefix, prefix_len }
        }
        address => CidrRange { address_prefix: address, prefix_len: 128 },
    }
}

fn string_matcher(rng: &mut SmallRng) -> StringMatcher {
    let word = one_of(rng, &WORDS).to_owned();
    StringMatcher::new(match rng.random_range(0..3) {
        0 => StringTest::Exact(word),
        1 => StringTest::Prefix(word),
        _ => StringTest::Suffix(word),
    })
}

fn some<T>(rng: &mut SmallRng, make: impl Fn(&mut SmallRng) -> T) -> Vec<T> {
    (0..rng.random_range(1..4)).map(|_| make(rng)).collect()
}

fn input(rng: &mut SmallRng) -> MatchInput {
    let inputs = [
        MatchInput::DestinationIp,
        MatchInput::DestinationPort,
        MatchInput::SourceIp,
        MatchInput::DirectSourceIp,
        MatchInput::ServerName,
        MatchInput::RequestHeader("x".into()),
        MatchInput::Subject,
    ];
    one_of(rng, &inputs)
}

fn predicate(rng: &mut SmallRng, depth: u32) -> Predicate {
    let deeper = |rng: &mut SmallRng| predicate(rng, depth - 1);
    match rng.random_range(0..if depth > 0 { 4 } else { 1 }) {
        0 => Predicate::Single(input(rng), string_matcher(rng)),
        1 => Predicate::And(some(rng, deeper)),
        2 => Predicate::Or(some(rng, deeper)),
        _ => Predicate::Not(Box::new(deeper(rng))),
    }
}

fn on_match(rng: &mut SmallRng, depth: u32) -> OnMatch {
    if depth > 0 && rng.random() {
        return OnMatch::Matcher(Box::new(tree(rng, depth - 1)));
    }
    OnMatch::Action(MatchAction {
        name: rng.random_range(0..4).to_string(),
        action: one_of(rng, &ACTIONS),
    })
}

fn tree(rng: &mut SmallRng, depth: u32) -> MatchTree {
    let next = |rng: &mut SmallRng| on_match(rng, depth);
    let entry = |rng: &mut SmallRng| (one_of(rng, &WORDS).to_owned(), next(rng));
    let matcher = |rng: &mut SmallRng| RangeMatcher {
        ranges: some(rng, range),
        on_match: next(rng),
        exclusive: rng.random(),
    };
    let matching = match rng.random_range(0..4) {
        0 => Matching::List(some(rng, |rng| (predicate(rng, 2), next(rng)))),
        1 => Matching::Tree(input(rng), Branches::Exact(some(rng, entry).into_iter().collect())),
        2 => Matching::Tree(input(rng), Branches::Prefix(some(rng, entry).into_iter().collect())),
        _ => Matching::Tree(input(rng), Branches::Ip(some(rng, matcher))),
    };
    let on_no_match = rng.random::<bool>().then(|| next(rng));
    MatchTree { matching: Some(matching), on_no_match }
}

/// What is asked about.
struct Asked {
    headers: HeaderMap,
    direct_remote: IpAddr,
    remote: SocketAddr,
    local: SocketAddr,
    server_name: &'static str,
}

impl Asked {
    fn new(rng: &mut SmallRng) -> Self {
        let mut headers = HeaderMap::new();
        for _ in 0..rng.random_range(0..3) {
            headers.append(b"x", one_of(rng, &WORDS).as_bytes());
        }
        Self {
            headers,
            direct_remote: address(rng),
            remote: SocketAddr::new(address(rng), 7),
            local: SocketAddr::new(address(rng), rng.random_range(80..82)),
            server_name: one_of(rng, &WORDS),
        }
    }

    fn subject(&self) -> Subject<'_> {
        Subject {
            headers: &self.headers,
            direct_remote: Some(self.direct_remote),
            remote: Some(self.remote),
            local: Some(self.local),
            server_name: self.server_name.as_bytes(),
            tls: None,
            dynamic_metadata: None,
            objects: None,
            route_metadata: None,
        }
    }

    /// Without TLS there is no telling a name in a certificate.
    fn value(&self, input: &MatchInput) -> Option<Option<String>> {
        let text = match input {
            MatchInput::DestinationIp => self.local.ip().to_string(),
            MatchInput::DestinationPort => self.local.port().to_string(),
            MatchInput::SourceIp => self.remote.ip().to_string(),
            MatchInput::DirectSourceIp => self.direct_remote.to_string(),
            MatchInput::ServerName if self.server_name.is_empty() => return Some(None),
            MatchInput::ServerName => self.server_name.to_owned(),
            MatchInput::RequestHeader(_) => {
                let values: Vec<_> = self.headers.get_all_by_name(b"x").collect();
                if values.is_empty() {
                    return Some(None);
                }
                String::from_utf8(values.join(&b',')).expect("words")
            }
            _ => return None,
        };
        Some(Some(text))
    }

    fn fulfils(&self, predicate: &Predicate) -> Option<bool> {
        match predicate {
            Predicate::Single(input, test) => {
                Some(self.value(input)?.is_some_and(|value| test.matches(value.as_bytes())))
            }
            Predicate::Or(any) => {
                let all: Vec<_> = any.iter().map(|one| self.fulfils(one)).collect();
                let known = !all.contains(&None) || all.contains(&Some(true));
                known.then(|| all.contains(&Some(true)))
            }
            Predicate::And(all) => {
                let all = all.iter().map(|one| self.fulfils(one));
                all.into_iter().find(|one| *one != Some(true)).unwrap_or(Some(true))
            }
            Predicate::Not(inner) => Some(!self.fulfils(inner)?),
        }
    }

    fn first(&self, found: impl IntoIterator<Item = OnMatch>) -> Option<Option<MatchAction>> {
        for on_match in found {
            let action = match on_match {
                OnMatch::Matcher(tree) => self.by_tree(&tree)?,
                OnMatch::Action(action) => Some(action),
            };
            if action.is_some() {
                return Some(action);
            }
        }
        Some(None)
    }

    fn by_tree(&self, tree: &MatchTree) -> Option<Option<MatchAction>> {
        let found = match tree.matching.as_ref().expect("one is made") {
            Matching::List(list) => self.by_list(list)?,
            Matching::Tree(input, branches) => match self.value(input)? {
                Some(value) => self.first(followed(branches, &value))?,
                None => None,
            },
        };
        match found {
            None => self.first(tree.on_no_match.clone()),
            found => Some(found),
        }
    }

    fn by_list(&self, list: &[(Predicate, OnMatch)]) -> Option<Option<MatchAction>> {
        for (when, then) in list {
            if self.fulfils(when)?
                && let Some(action) = self.first([then.clone()])?
            {
                return Some(Some(action));
            }
        }
        Some(None)
    }
}

/// What `value` leads to, in order.
fn followed(branches: &Branches, value: &str) -> Vec<OnMatch> {
    match branches {
        Branches::Exact(map) => map.get(value).cloned().into_iter().collect(),
        Branches::Prefix(map) => {
            // The shorter of two prefixes comes first in the map.
            let prefixes = map.iter().filter(|(prefix, _)| value.starts_with(&***prefix));
            prefixes.rev().map(|(_, then)| then.clone()).collect()
        }
        Branches::Ip(matchers) => {
            let Ok(address) = value.parse::<IpAddr>() else { return Vec::new() };
            let ranges = matchers
                .iter()
                .flat_map(|matcher| matcher.ranges.iter().map(move |range| (range, matcher)));
            let mut holding: Vec<_> = ranges.filter(|(range, _)| range.contains(address)).collect();
            holding.sort_by_key(|(range, _)| std::cmp::Reverse(range.prefix_len));
            let asked = holding.into_iter().enumerate();
            let asked = asked.filter(|(at, (_, matcher))| *at == 0 || !matcher.exclusive);
            asked.map(|(_, (_, matcher))| matcher.on_match.clone()).collect()
        }
    }
}

/// What the compiled form says: whether it is allowed, and by which policy.
fn decided(engine: &Engine, asked: &Asked) -> (bool, Option<String>) {
    let decision = engine.decide(&asked.subject());
    let name = decision
        .policy
        .map(|at| engine.policy_names().nth(at).expect("a policy of its").to_owned());
    (decision.allowed, name)
}

const TREES: u64 = 1000;
const SUBJECTS: usize = 20;

#[test]
fn compiled_trees_decide_as_written() {
    for seed in 0..TREES {
        let rng = &mut SmallRng::seed_from_u64(seed);
        let tree = tree(rng, 2);
        let engine = Engine::new(&Rules::Matcher(tree.clone()));
        for _ in 0..SUBJECTS {
            let asked = Asked::new(rng);
            let found = decided(&engine, &asked);
            let expected = asked.by_tree(&tree).flatten();
            let allowed = expected.as_ref().is_some_and(|action| action.action != Action::Deny);
            let expected = (allowed, expected.map(|action| action.name));
            assert_eq!(found, expected, "seed {seed}: {tree:?}");
        }
    }
}
