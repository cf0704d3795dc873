use ringmain_config::matcher::{FullRegex, HeaderMatcher, HeaderTest};
use ringmain_config::route::{Action, RouteMatch, UriTemplate};

use super::*;

fn route(matcher: RouteMatch) -> Route {
    Route {
        name: String::new(),
        matcher,
        action: Action::NonForwarding,
        request_headers: Default::default(),
        response_headers: Default::default(),
        metadata: Default::default(),
        per_filter_configs: Default::default(),
        stat_prefix: None,
        request_body_buffer_limit: None,
    }
}

fn of_path(path: PathMatch, case_sensitive: bool) -> Route {
    route(RouteMatch::of_path(path, case_sensitive))
}

fn prefix(text: &str) -> Route {
    of_path(PathMatch::Prefix(text.into()), true)
}

fn regex(pattern: &str) -> Route {
    of_path(PathMatch::Regex(FullRegex::new(pattern).expect("a regex")), true)
}

/// The route that a GET of `target` with `fields` takes.
fn ask(matcher: &RouteMatcher, target: &str, fields: &[(&str, &str)]) -> Option<u32> {
    let mut headers = HeaderMap::new();
    headers.append_known(KnownHeader::Method, b"GET");
    headers.append_known(KnownHeader::Path, target.as_bytes());
    for (name, value) in fields {
        headers.append(name.as_bytes(), value.as_bytes());
    }
    let request = RouteRequest { headers: &headers, random: &|| 0, tls: None };
    matcher.find(super::super::route_table::path_of(target.as_bytes()), &request, |_, _| {})
}

fn find(routes: &[Route], target: &str) -> Option<u32> {
    ask(&RouteMatcher::new(routes), target, &[])
}

#[test]
fn the_first_in_list_order_wins_not_the_longest() {
    let routes = [prefix("/a"), prefix("/a/b"), prefix("/")];
    assert_eq!(find(&routes, "/a/b"), Some(0));
    assert_eq!(find(&routes, "/c"), Some(2));
    let routes = [prefix("/a/b"), prefix("/a")];
    assert_eq!(find(&routes, "/a/b/c"), Some(0));
    assert_eq!(find(&routes, "/ab"), Some(1));
    assert_eq!(find(&routes, "/"), None);
}

#[test]
fn an_exact_path_takes_nothing_after_it() {
    let routes = [of_path(PathMatch::Exact("/a".into()), true), prefix("/")];
    assert_eq!(find(&routes, "/a"), Some(0));
    assert_eq!(find(&routes, "/a?b"), Some(0));
    assert_eq!(find(&routes, "/a/"), Some(1));
}

#[test]
fn a_separated_prefix_takes_segments_after_it() {
    let separated = |heeds_case| of_path(PathMatch::SeparatedPrefix("/a".into()), heeds_case);
    let routes = [separated(true), separated(false), prefix("/")];
    for (target, expected) in
        [("/a", 0), ("/a/b", 0), ("/a/", 0), ("/ab", 2), ("/A", 1), ("/A/b", 1), ("/a?b", 0)]
    {
        assert_eq!(find(&routes, target), Some(expected), "{target}");
    }
}

#[test]
fn letter_case_matters_unless_said() {
    let routes = [of_path(PathMatch::Prefix("/FOO".into()), false), prefix("/bar")];
    assert_eq!(find(&routes, "/fOo/x"), Some(0));
    assert_eq!(find(&routes, "/BAR"), None);
}

#[test]
fn patterns_keep_their_place_in_the_list() {
    let template = PathMatch::Template(UriTemplate::new("/t/{id}/x").expect("a template"));
    let routes =
        [regex("/t/[0-9]+"), of_path(template, true), regex(".*\\.css"), prefix("/t"), regex(".*")];
    assert_eq!(find(&routes, "/t/55"), Some(0));
    assert_eq!(find(&routes, "/t/55/x"), Some(1));
    assert_eq!(find(&routes, "/t/a.css"), Some(2));
    assert_eq!(find(&routes, "/t/55/y?z"), Some(3));
    assert_eq!(find(&routes, "/other"), Some(4));
}

#[test]
fn a_route_whose_conditions_fail_is_passed_over() {
    let mut conditional = RouteMatch::of_path(PathMatch::Prefix("/a".into()), true);
    conditional.headers.push(HeaderMatcher {
        name: "x-env".into(),
        test: HeaderTest::Present(true),
        invert_match: false,
        treat_missing_header_as_empty: false,
    });
    let matcher = RouteMatcher::new(&[route(conditional), prefix("/a/b"), prefix("/")]);
    assert_eq!(ask(&matcher, "/a/b", &[("x-env", "1")]), Some(0));
    assert_eq!(ask(&matcher, "/a/b", &[]), Some(1));
    assert_eq!(ask(&matcher, "/a", &[]), Some(2));
}

#[test]
fn connect_matcher_takes_connect_only() {
    let matcher = RouteMatcher::new(&[of_path(PathMatch::Connect, true), prefix("/")]);
    assert_eq!(ask(&matcher, "/a", &[]), Some(1));
    let mut headers = HeaderMap::new();
    headers.append_known(KnownHeader::Method, b"CONNECT");
    let request = RouteRequest { headers: &headers, random: &|| 0, tls: None };
    assert_eq!(matcher.find(b"", &request, |_, _| {}), Some(0));
    assert_eq!(RouteMatcher::new(&[prefix("/")]).find(b"", &request, |_, _| {}), None);
}
