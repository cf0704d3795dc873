//! Finding the first route of a virtual host that matches a path.

use ringmain_config::route::{PathMatch, Route};

use super::radix_tree::RadixTree;

/// The routes of a virtual host by path.
#[derive(Debug, Default)]
pub struct RouteMatcher {
    case_sensitive: RadixTree<Candidate>,
    /// Keys are lower case; looked up only where there are such routes.
    case_insensitive: Option<RadixTree<Candidate>>,
}

#[derive(Debug, Clone, Copy)]
struct Candidate {
    index: u32,
    /// `path`: nothing may follow.
    exact: bool,
}

impl RouteMatcher {
    /// Compiles `routes`.
    pub fn new(routes: &[Route]) -> Self {
        let mut matcher = Self::default();
        for (index, route) in routes.iter().enumerate() {
            let index = u32::try_from(index).expect("fewer than 4 billion routes");
            let (key, exact) = match &route.matcher.path {
                PathMatch::Prefix(prefix) => (prefix, false),
                PathMatch::Exact(path) => (path, true),
            };
            let candidate = Candidate { index, exact };
            if route.matcher.case_sensitive {
                matcher.case_sensitive.insert(key.as_bytes(), candidate);
            } else {
                let tree = matcher.case_insensitive.get_or_insert_default();
                tree.insert(key.to_ascii_lowercase().as_bytes(), candidate);
            }
        }
        matcher
    }

    /// The index of the first route in list order that matches `path`, which has no query.
    pub fn find(&self, path: &[u8]) -> Option<usize> {
        let first = first_of(&self.case_sensitive, path);
        let Some(tree) = &self.case_insensitive else { return first };
        let lower: smallvec::SmallVec<[u8; 256]> =
            path.iter().map(|byte| byte.to_ascii_lowercase()).collect();
        match (first, first_of(tree, &lower)) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }
}

fn first_of(tree: &RadixTree<Candidate>, path: &[u8]) -> Option<usize> {
    let mut first: Option<u32> = None;
    tree.prefixes_of(path, |length, candidates| {
        for candidate in candidates {
            let matches = !candidate.exact || length == path.len();
            if matches && first.is_none_or(|index| candidate.index < index) {
                first = Some(candidate.index);
            }
        }
    });
    first.map(|index| index as usize)
}

#[cfg(test)]
mod tests {
    use ringmain_config::route::{Action, RouteMatch};

    use super::*;

    fn route(path: PathMatch, case_sensitive: bool) -> Route {
        Route {
            name: String::new(),
            matcher: RouteMatch { path, case_sensitive },
            action: Action::NonForwarding,
            request_headers: Default::default(),
            response_headers: Default::default(),
            request_body_buffer_limit: None,
        }
    }

    fn prefix(text: &str) -> Route {
        route(PathMatch::Prefix(text.into()), true)
    }

    #[test]
    fn the_first_in_list_order_wins_not_the_longest() {
        let matcher = RouteMatcher::new(&[prefix("/a"), prefix("/a/b"), prefix("/")]);
        assert_eq!(matcher.find(b"/a/b"), Some(0));
        assert_eq!(matcher.find(b"/c"), Some(2));
        let matcher = RouteMatcher::new(&[prefix("/a/b"), prefix("/a")]);
        assert_eq!(matcher.find(b"/a/b/c"), Some(0));
        assert_eq!(matcher.find(b"/ab"), Some(1));
        assert_eq!(matcher.find(b"/"), None);
    }

    #[test]
    fn an_exact_path_takes_nothing_after_it() {
        let matcher = RouteMatcher::new(&[route(PathMatch::Exact("/a".into()), true), prefix("/")]);
        assert_eq!(matcher.find(b"/a"), Some(0));
        assert_eq!(matcher.find(b"/a/"), Some(1));
    }

    #[test]
    fn letter_case_matters_unless_said() {
        let matcher =
            RouteMatcher::new(&[route(PathMatch::Prefix("/FOO".into()), false), prefix("/bar")]);
        assert_eq!(matcher.find(b"/fOo/x"), Some(0));
        assert_eq!(matcher.find(b"/BAR"), None);
    }
}
