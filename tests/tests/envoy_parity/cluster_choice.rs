//! Which cluster a request goes to: `cluster_header`, `weighted_clusters`, and clusters that are not
//! there.

use ringmain_tests::parity::{Case, case, compare};

use super::GET;

fn get(fields: &str) -> String {
    format!("GET /a?q=1 HTTP/1.1\r\nhost: a.example\r\n{fields}\r\n")
}

/// A case whose one route has this action.
fn route(name: &'static str, action: &str) -> Case {
    case(name).routes(&format!("- match: {{ prefix: / }}\n  name: r\n  route:\n    {action}"))
}

/// A case with these weighted clusters; the request's `x-random` chooses.
fn weighted(name: &'static str, clusters: &[&str]) -> Case {
    let list = clusters.join(", ");
    route(name, &format!("weighted_clusters: {{ header_name: x-random, clusters: [{list}] }}"))
}

const CLUSTER: &str = "{ name: '{{cluster}}', weight: 2 }";
const REFUSED: &str = "{ name: '{{refused}}', weight: 1 }";
const EMPTY: &str = "{ name: '{{empty}}', weight: 1 }";

#[test]
fn by_header() {
    let by_header = |name, rest: &str| route(name, &format!("cluster_header: x-cluster{rest}"));
    compare(vec![
        by_header("named", "").ask(get("X-Cluster: named_cluster\r\n")).shows("HTTP/1.1 200 OK"),
        by_header("named_twice", "")
            .ask(get("x-cluster: named_twice_cluster\r\nx-cluster: other\r\n"))
            .shows("HTTP/1.1 200 OK"),
        by_header("named_second", "")
            .ask(get("x-cluster: other\r\nx-cluster: named_second_cluster\r\n"))
            .shows("HTTP/1.1 503"),
        by_header("unknown_name", "")
            .ask(get("x-cluster: nope\r\n"))
            .shows("cluster_not_found")
            .shows("no_cluster: 1"),
        by_header("no_name", "").ask(GET).shows("HTTP/1.1 503").shows("cluster_not_found"),
        by_header("empty_name", "").ask(get("x-cluster:\r\n")).shows("HTTP/1.1 503"),
        by_header("not_found_404", "\n    cluster_not_found_response_code: NOT_FOUND")
            .ask(get("x-cluster: nope\r\n"))
            .shows("HTTP/1.1 404"),
        by_header("not_found_500", "\n    cluster_not_found_response_code: INTERNAL_SERVER_ERROR")
            .ask(get("x-cluster: nope\r\n"))
            .shows("HTTP/1.1 500"),
        route("authority", "cluster_header: ':authority'")
            .ask("GET / HTTP/1.1\r\nhost: authority_cluster\r\n\r\n")
            .shows("HTTP/1.1 200"),
        by_header("not_found_with_headers", "")
            .virtual_hosts(
                "- name: all\n  domains: ['*']\n  response_headers_to_add: [{ header: { key: x-host, value: v } }]\n  routes:\n  - match: { prefix: / }\n    route: { cluster_header: x-cluster }\n    response_headers_to_add: [{ header: { key: x-route, value: '%RESPONSE_CODE%' } }]",
            )
            .ask(get("x-cluster: nope\r\n"))
            .shows("x-route: "),
    ]);
}

#[test]
fn not_validated() {
    let unknown =
        |name, action: &str| route(name, action).route_config("validate_clusters: false").ask(GET);
    compare(vec![
        unknown("unknown", "cluster: nope").shows("cluster_not_found"),
        unknown("unknown_404", "cluster: nope\n    cluster_not_found_response_code: NOT_FOUND")
            .shows("HTTP/1.1 404"),
        unknown("unknown_weighted", "weighted_clusters: { clusters: [{ name: nope, weight: 1 }] }")
            .shows("cluster_not_found"),
    ]);
}

#[test]
fn by_weight() {
    let all = |name| weighted(name, &[CLUSTER, REFUSED, EMPTY]);
    let asking = |name, number: &str| all(name).ask(get(&format!("x-random: {number}\r\n")));
    compare(vec![
        asking("first", "0").shows("first_cluster"),
        asking("first_end", "1").shows("first_end_cluster"),
        asking("second", "2").shows("second_refused"),
        asking("third", "3").shows("third_empty"),
        asking("around", "4").shows("around_cluster"),
        asking("largest", "18446744073709551615").shows("largest_empty"),
        asking("padded", "  6 ").shows("padded_refused"),
        asking("plus_sign", "+7").shows("plus_sign_empty"),
        weighted("unused", &["{ name: '{{refused}}', weight: 0 }", CLUSTER])
            .ask(get("x-random: 0\r\n"))
            .shows("HTTP/1.1 200"),
        weighted("only_one", &[CLUSTER]).ask(GET).ask(get("x-random: nonsense\r\n")),
        weighted("too_large", &[CLUSTER]).ask(get("x-random: 18446744073709551616\r\n")),
        weighted("by_header_in_weights", &["{ cluster_header: x-cluster, weight: 1 }", REFUSED])
            .ask(get("x-random: 0\r\nx-cluster: by_header_in_weights_cluster\r\n"))
            .ask(get("x-random: 0\r\nx-cluster: nope\r\n"))
            .ask(get("x-random: 0\r\n"))
            .shows("HTTP/1.1 200")
            .shows("cluster_not_found"),
        route("runtime_without_a_key", "weighted_clusters: { runtime_key_prefix: r, header_name: x-random, clusters: [{ name: '{{cluster}}', weight: 2 }, { name: '{{refused}}', weight: 1 }] }")
            .ask(get("x-random: 1\r\n"))
            .ask(get("x-random: 2\r\n"))
            .shows("HTTP/1.1 200")
            .shows("HTTP/1.1 503"),
        route(
            "several_requests",
            "weighted_clusters: { clusters: [{ name: '{{cluster}}', weight: 7 }] }",
        )
        .ask(GET)
        .ask(GET),
    ]);
}

#[test]
fn by_hash() {
    let by_hash = |name, policy: &str, fields: &[&str]| {
        let list = [CLUSTER, REFUSED, EMPTY].join(", ");
        let case = route(
            name,
            &format!(
                "weighted_clusters: {{ use_hash_policy: true, clusters: [{list}] }}\n    {policy}"
            ),
        );
        fields.iter().fold(case, |case, fields| case.ask(get(fields)))
    };
    let keys = ["x-key: a\r\n", "x-key: b\r\n", "x-key: c\r\n", "x-key: d\r\n", "x-key: e\r\n"];
    let cookie = "hash_policy: [{ cookie: { name: session, ttl: 10s } }]";
    compare(vec![
        by_hash("hash_of_header", "hash_policy: [{ header: { header_name: x-key } }]", &keys)
            .shows("hash_of_header_cluster")
            .shows("hash_of_header_refused"),
        by_hash(
            "hash_of_two",
            "hash_policy: [{ header: { header_name: x-key } }, { query_parameter: { name: q } }]",
            &keys,
        ),
        by_hash("hash_of_cookie", cookie, &["cookie: session=a\r\n", "cookie: session=b\r\n", "cookie: session=c\r\n"]),
        route(
            "no_hash",
            "weighted_clusters: { use_hash_policy: true, clusters: [{ name: '{{cluster}}', weight: 1 }] }\n    hash_policy: [{ cookie: { name: session, ttl: 10s } }]",
        )
        .ask(GET),
        route(
            "not_wanted",
            "weighted_clusters: { use_hash_policy: false, clusters: [{ name: '{{cluster}}', weight: 1 }] }",
        )
        .ask(GET),
    ]);
}

#[test]
fn changes_by_weighted_cluster() {
    let add = |level: &str, action: &str| {
        format!(
            "[{{ header: {{ key: x-level, value: '{level} %REQ(:authority)%' }}{action} }}, {{ header: {{ key: x-there, value: {level} }}{action} }}]"
        )
    };
    let both = |level: &str, action: &str| {
        format!("request_headers_to_add: {0}, response_headers_to_add: {0}", add(level, action))
    };
    let all_levels = |name, cluster: &str, action: &str, routes: &str| {
        case(name)
            .virtual_hosts(&format!(
                "- name: all\n  domains: ['*']\n  request_headers_to_add: {host}\n  response_headers_to_add: {host}\n  routes:\n  - match: {{ prefix: / }}\n    request_headers_to_add: {route}\n    response_headers_to_add: {route}\n    route: {{ weighted_clusters: {{ clusters: [{{ name: '{cluster}', weight: 1, {weighted} }}] }} }}",
                host = add("host", action),
                route = add("route", action),
                weighted = both("cluster", action),
            ))
            .route_config(routes)
            .ask(get("x-there: old\r\n"))
    };
    let specific = "most_specific_header_mutations_wins: true";
    let overwrite = ", append_action: OVERWRITE_IF_EXISTS_OR_ADD";
    let rewriting = |name, weighted: &str, rest: &str| {
        route(
            name,
            &format!("weighted_clusters: {{ clusters: [{{ name: '{{{{cluster}}}}', weight: 1, {weighted} }}] }}{rest}"),
        )
        .ask(GET)
    };
    compare(vec![
        all_levels("narrowest_first", "{{cluster}}", "", "").shows("x-level: cluster a.example"),
        all_levels("narrowest_overwritten", "{{cluster}}", overwrite, "").hides("x-level: cluster"),
        all_levels("specific_appended", "{{cluster}}", "", specific),
        all_levels("specific_overwrites", "{{cluster}}", overwrite, specific),
        all_levels("on_own_reply", "{{refused}}", "", "").shows("x-there: cluster"),
        rewriting("removals", "request_headers_to_remove: [user-agent], response_headers_to_remove: [server, x-envoy-upstream-service-time]", "")
            .ask(get("user-agent: me\r\n")),
        rewriting("host", "host_rewrite_literal: b.example", "")
            .shows("host: b.example")
            .hides("x-envoy-original-host"),
        rewriting("host_seen_by_wider", "host_rewrite_literal: b.example, request_headers_to_add: [{ header: { key: x-first, value: '%REQ(:authority)%' } }]", "\n  request_headers_to_add: [{ header: { key: x-then, value: '%REQ(:authority)%' } }]")
            .shows("x-first: a.example")
            .shows("x-then: b.example"),
        rewriting("host_rewritten_twice", "host_rewrite_literal: b.example", "\n    host_rewrite_literal: c.example")
            .shows("host: c.example"),
    ]);
}

#[test]
fn hash_policy_beside_round_robin() {
    let by_cookie =
        "{ cluster: '{{cluster}}', hash_policy: [{ cookie: { name: session, ttl: 10s } }] }";
    compare(vec![route("no_cookie_is_made", by_cookie).ask(GET).hides("set-cookie")]);
}
