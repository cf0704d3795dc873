//! Route look-ups: trie and radix tree find what a plain scan of the lists finds, by Envoy's rules.
//!
//! The bytes are lines: `D name` begins a virtual host with that domain, `P`, `E`, `S` and `R` add a
//! route by prefix, exact path, separated prefix or regex (`p`, `e`, `s`: in any letter case), each
//! with `!` behind its letter where only requests with the header `x` may take it; `?authority path`
//! asks, and `+authority path` asks with `x`.

use std::cell::RefCell;
use std::collections::HashMap;

use ringmain::router::{Found, RouteRequest, RouteTable};
use ringmain_config::header_mutation::HeaderMutations;
use ringmain_config::matcher::{FullRegex, HeaderMatcher, HeaderTest};
use ringmain_config::route::{
    Action, Domain, PathMatch, Route, RouteConfiguration, RouteMatch, TlsRequirement, VirtualHost,
};
use ringmain_proto_codec::{HeaderMap, KnownHeader};

const ROUTES_MAX: usize = 200;
const PATTERNS_KEPT_MAX: usize = 1000;

/// Checks every question in `bytes` against all virtual hosts and routes in it.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let hosts = hosts(text);
    let table = RouteTable::new(configuration(hosts.clone()));
    for line in text.lines() {
        let (has_x, question) = match (line.strip_prefix('?'), line.strip_prefix('+')) {
            (Some(question), _) => (false, question),
            (_, Some(question)) => (true, question),
            _ => continue,
        };
        let (authority, path) = question.split_once(' ').unwrap_or((question, "/"));
        if !path.starts_with('/')
            || path.contains(['?', '#', '\0', '\r'])
            || authority.contains(['\0', '\r'])
        {
            continue;
        }
        let mut headers = HeaderMap::new();
        headers.append_known(KnownHeader::Method, b"GET");
        headers.append_known(KnownHeader::Authority, authority.as_bytes());
        headers.append_known(KnownHeader::Path, path.as_bytes());
        if has_x {
            headers.append(b"x", b"1");
        }
        let request = RouteRequest { headers: &headers, random: &|| 0, tls: None };
        let found = match table.find(0, &request) {
            Found::Route(route) => Some(table.route(route).name.as_str()),
            Found::TlsRedirect | Found::Nothing => None,
        };
        assert_eq!(found, scan(&hosts, authority, path, has_x), "{authority} {path} {has_x}");
    }
}

/// The virtual hosts that the lines describe. A domain that was there before is left out.
fn hosts(text: &str) -> Vec<VirtualHost> {
    let mut hosts: Vec<VirtualHost> = Vec::new();
    let mut count = 0;
    for line in text.lines() {
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        if kind == "D" {
            let domain = domain(&rest.to_ascii_lowercase());
            if hosts.iter().all(|host| host.domains[0] != domain) {
                hosts.push(host(domain));
            }
        } else if let Some(host) = hosts.last_mut()
            && count < ROUTES_MAX
            && let Some(matcher) = matcher(kind, rest)
        {
            host.routes.push(route(format!("{count}"), matcher));
            count += 1;
        }
    }
    hosts
}

fn domain(text: &str) -> Domain {
    match (text, text.strip_prefix('*'), text.strip_suffix('*')) {
        ("*", ..) => Domain::Any,
        (_, Some(suffix), _) => Domain::Suffix(suffix.to_owned()),
        (_, _, Some(prefix)) => Domain::Prefix(prefix.to_owned()),
        _ => Domain::Exact(text.to_owned()),
    }
}

fn host(domain: Domain) -> VirtualHost {
    VirtualHost {
        name: String::new(),
        domains: vec![domain],
        routes: Vec::new(),
        virtual_clusters: Vec::new(),
        require_tls: TlsRequirement::None,
        request_headers: HeaderMutations::default(),
        response_headers: HeaderMutations::default(),
        include_request_attempt_count: false,
        include_is_timeout_retry_header: false,
        include_attempt_count_in_response: false,
        retry_policy: None,
        hedge_policy: None,
        request_body_buffer_limit: None,
        metadata: Default::default(),
        request_mirror_policies: Vec::new(),
        rate_limits: Vec::new(),
        per_filter_configs: Default::default(),
    }
}

fn matcher(kind: &str, text: &str) -> Option<RouteMatch> {
    let path = match kind.trim_end_matches('!') {
        "P" | "p" => PathMatch::Prefix(text.to_owned()),
        "E" | "e" => PathMatch::Exact(text.to_owned()),
        "S" | "s" => PathMatch::SeparatedPrefix(text.to_owned()),
        "R" => PathMatch::Regex(compiled(text)?),
        _ => return None,
    };
    let mut matcher = RouteMatch::of_path(path, kind.starts_with(|kind: char| kind.is_uppercase()));
    if kind.ends_with('!') {
        matcher.headers.push(HeaderMatcher {
            name: "x".to_owned(),
            test: HeaderTest::Present(true),
            invert_match: false,
            treat_missing_header_as_empty: false,
        });
    }
    Some(matcher)
}

/// The pattern that `text` is, if it is one. Compiling them is most of the work where they are new in each
/// input, so that they are kept.
fn compiled(text: &str) -> Option<FullRegex> {
    thread_local! {
        static KEPT: RefCell<HashMap<String, Option<FullRegex>>> = RefCell::default();
    }
    KEPT.with_borrow_mut(|kept| {
        if kept.len() == PATTERNS_KEPT_MAX {
            kept.clear();
        }
        let pattern = kept.entry(text.to_owned());
        pattern.or_insert_with(|| FullRegex::new(text).ok()).clone()
    })
}

fn route(name: String, matcher: RouteMatch) -> Route {
    Route {
        name,
        matcher,
        action: Action::NonForwarding,
        request_headers: HeaderMutations::default(),
        response_headers: HeaderMutations::default(),
        request_body_buffer_limit: None,
        metadata: Default::default(),
        per_filter_configs: Default::default(),
        stat_prefix: None,
    }
}

pub(crate) fn configuration(virtual_hosts: Vec<VirtualHost>) -> RouteConfiguration {
    RouteConfiguration {
        name: String::new(),
        virtual_hosts,
        request_headers: HeaderMutations::default(),
        response_headers: HeaderMutations::default(),
        ignore_port_in_host_matching: false,
        vhost_header: None,
        ignore_path_parameters_in_path_matching: false,
        most_specific_header_mutations_wins: false,
        request_mirror_policies: Vec::new(),
        per_filter_configs: Default::default(),
    }
}

/// The name of the route, found the slow way.
fn scan<'h>(hosts: &'h [VirtualHost], authority: &str, path: &str, has_x: bool) -> Option<&'h str> {
    let authority = authority.to_ascii_lowercase();
    let host = hosts
        .iter()
        .filter_map(|host| Some((rank(&host.domains[0], &authority)?, host)))
        .max_by_key(|(rank, _)| *rank)?
        .1;
    let takes = |route: &&Route| {
        (has_x || route.matcher.headers.is_empty()) && path_matches(&route.matcher, path)
    };
    host.routes.iter().find(takes).map(|route| route.name.as_str())
}

/// How good a domain is for an authority: the kind, then the length.
fn rank(domain: &Domain, authority: &str) -> Option<(u8, usize)> {
    let covers = |part: &str| part.len() < authority.len();
    match domain {
        Domain::Exact(name) => (name == authority).then_some((3, 0)),
        Domain::Suffix(end) => {
            (authority.ends_with(end.as_str()) && covers(end)).then_some((2, end.len()))
        }
        Domain::Prefix(start) => {
            (authority.starts_with(start.as_str()) && covers(start)).then_some((1, start.len()))
        }
        Domain::Any => Some((0, 0)),
    }
}

fn path_matches(matcher: &RouteMatch, path: &str) -> bool {
    let case = |text: &str| match matcher.case_sensitive {
        true => text.to_owned(),
        false => text.to_ascii_lowercase(),
    };
    match &matcher.path {
        PathMatch::Prefix(prefix) => case(path).starts_with(&case(prefix)),
        PathMatch::Exact(exact) => case(path) == case(exact),
        PathMatch::SeparatedPrefix(prefix) => case(path)
            .strip_prefix(&case(prefix))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        PathMatch::Regex(regex) => regex.matches(path.as_bytes()),
        PathMatch::Template(_) | PathMatch::Connect => false,
    }
}
