//! Finding the first route of a virtual host that matches a request.
//!
//! A radix tree over what paths begin with yields the few routes that a path may belong to; these are
//! then asked in list order. Regexes and templates stand in the tree under the letters that each of
//! their matches begins with.

use ringmain_config::route::{PathMatch, Route};
use ringmain_proto_codec::{HeaderMap, KnownHeader};
use smallvec::SmallVec;

use super::radix_tree::RadixTree;
use super::route_conditions::{RouteConditions, Unmet};
use crate::transport_socket::tls::TlsInfo;

/// What of a request decides its route.
#[derive(Clone, Copy)]
pub struct RouteRequest<'a> {
    /// The request's headers; `:path` is absent in a plain CONNECT.
    pub headers: &'a HeaderMap,
    /// The stream's random number; the same whenever it is asked.
    pub random: &'a dyn Fn() -> u64,
    /// What is known of its connection's TLS.
    pub tls: Option<&'a TlsInfo>,
}

impl<'a> RouteRequest<'a> {
    /// `:path`: path and query.
    pub fn target(&self) -> &'a [u8] {
        self.headers.get(KnownHeader::Path).unwrap_or_default()
    }

    /// Whether this is a CONNECT.
    pub fn is_connect(&self) -> bool {
        self.headers.get(KnownHeader::Method) == Some(b"CONNECT")
    }
}

/// The routes of a virtual host by path.
#[derive(Debug, Default)]
pub struct RouteMatcher {
    case_sensitive: RadixTree<Candidate>,
    /// Keys are lower case; looked up only where there are such routes.
    case_insensitive: Option<RadixTree<Candidate>>,
    /// `connect_matcher`: for CONNECT requests only.
    connect: Vec<Candidate>,
    conditions: Vec<RouteConditions>,
}

/// A route that may match, once the path begins as it should.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    index: u32,
    rest: Rest,
    /// Place among the conditions; [`UNCONDITIONAL`] where the path decides.
    conditions: u32,
}

const UNCONDITIONAL: u32 = u32::MAX;

/// What may follow the bytes that led to a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    Anything,
    Nothing,
    /// Nothing, or a `/` and anything.
    NothingOrSegment,
}

/// Candidates whose key is a prefix of the path, in list order.
struct Candidates<'m> {
    left: &'m [Candidate],
    key_length: usize,
}

impl RouteMatcher {
    /// Compiles `routes`.
    pub fn new(routes: &[Route]) -> Self {
        let mut matcher = Self::default();
        for (index, route) in routes.iter().enumerate() {
            matcher.add(index, route);
        }
        matcher
    }

    fn add(&mut self, index: usize, route: &Route) {
        let (key, rest): (&[u8], Rest) = match &route.matcher.path {
            PathMatch::Prefix(prefix) => (prefix.as_bytes(), Rest::Anything),
            PathMatch::Exact(path) => (path.as_bytes(), Rest::Nothing),
            PathMatch::SeparatedPrefix(prefix) => (prefix.as_bytes(), Rest::NothingOrSegment),
            PathMatch::Regex(regex) => (regex.literal_prefix(), Rest::Anything),
            PathMatch::Template(template) => (template.regex.literal_prefix(), Rest::Anything),
            PathMatch::Connect => (b"", Rest::Anything),
        };
        let conditions = match RouteConditions::new(&route.matcher) {
            Some(conditions) => {
                self.conditions.push(conditions);
                self.conditions.len() - 1
            }
            None => UNCONDITIONAL as usize,
        };
        let short = |index| u32::try_from(index).expect("fewer than 4 billion routes");
        let candidate = Candidate { index: short(index), rest, conditions: short(conditions) };
        let heeds_case = match &route.matcher.path {
            PathMatch::Regex(_) | PathMatch::Template(_) => true,
            _ => route.matcher.case_sensitive,
        };
        if route.matcher.path == PathMatch::Connect {
            self.connect.push(candidate);
        } else if heeds_case {
            self.case_sensitive.insert(key, candidate);
        } else {
            let tree = self.case_insensitive.get_or_insert_default();
            tree.insert(&key.to_ascii_lowercase(), candidate);
        }
    }

    /// The index of the first route in list order that takes `request`, whose path without query is
    /// `path`; `passed_over` is told of those before it whose path would do.
    pub fn find(
        &self,
        path: &[u8],
        request: &RouteRequest<'_>,
        mut passed_over: impl FnMut(u32, Unmet),
    ) -> Option<u32> {
        let mut lists: SmallVec<[Candidates<'_>; 12]> = SmallVec::new();
        if !path.is_empty() {
            self.collect(path, &mut lists);
        }
        if !self.connect.is_empty() && request.is_connect() {
            lists.push(Candidates { left: &self.connect, key_length: 0 });
        }
        while let Some((candidate, key_length)) = next(&mut lists) {
            if !candidate.rest.allows(&path[key_length..]) {
                continue;
            }
            match self.unmet(candidate, path, request) {
                None => return Some(candidate.index),
                Some(Unmet::Pattern) => {}
                Some(unmet) => passed_over(candidate.index, unmet),
            }
        }
        None
    }

    fn collect<'m>(&'m self, path: &[u8], lists: &mut SmallVec<[Candidates<'m>; 12]>) {
        self.case_sensitive.prefixes_of(path.iter().copied(), |key_length, left| {
            lists.push(Candidates { left, key_length });
        });
        if let Some(tree) = &self.case_insensitive {
            tree.prefixes_of(path.iter().map(u8::to_ascii_lowercase), |key_length, left| {
                lists.push(Candidates { left, key_length });
            });
        }
    }

    fn unmet(
        &self,
        candidate: Candidate,
        path: &[u8],
        request: &RouteRequest<'_>,
    ) -> Option<Unmet> {
        if candidate.conditions == UNCONDITIONAL {
            return None;
        }
        self.conditions[candidate.conditions as usize].unmet(path, request)
    }
}

/// Takes the candidate that comes first in list order.
fn next(lists: &mut [Candidates<'_>]) -> Option<(Candidate, usize)> {
    let mut first: Option<(u32, usize)> = None;
    for (at, list) in lists.iter().enumerate() {
        if let Some(head) = list.left.first()
            && first.is_none_or(|(index, _)| head.index < index)
        {
            first = Some((head.index, at));
        }
    }
    let list = &mut lists[first?.1];
    let (head, left) = list.left.split_first()?;
    list.left = left;
    Some((*head, list.key_length))
}

impl Rest {
    fn allows(self, rest: &[u8]) -> bool {
        match self {
            Self::Anything => true,
            Self::Nothing => rest.is_empty(),
            Self::NothingOrSegment => matches!(rest.first(), None | Some(b'/')),
        }
    }
}

#[cfg(test)]
mod tests;
