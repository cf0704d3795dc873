//! `envoy.filters.http.rbac` with a matcher tree.

use ringmain_tests::parity::{Case, compare};

use super::{filter, levels, per_route};

const NETWORK: &str = "envoy.extensions.matching.common_inputs.network.v3";
const HEADER: &str = "envoy.type.matcher.v3.HttpRequestHeaderMatchInput, header_name: X-User";

fn typed(content: &str) -> String {
    format!("{{ name: x, typed_config: {{ \"@type\": type.googleapis.com/{content} }} }}")
}

fn action(name: &str, action: &str) -> String {
    let action = typed(&format!("envoy.config.rbac.v3.Action, name: {name}, action: {action}"));
    format!("{{ action: {action} }}")
}

fn single(input: &str, test: &str) -> String {
    format!("single_predicate: {{ input: {}, value_match: {{ {test} }} }}", typed(input))
}

/// `matcher_list` with these predicates, and what follows on each.
fn list(matchers: &[(&str, &str)]) -> String {
    let matchers: Vec<_> = matchers
        .iter()
        .map(|(predicate, then)| format!("{{ predicate: {{ {predicate} }}, on_match: {then} }}"))
        .collect();
    format!("matcher_list: {{ matchers: [{}] }}", matchers.join(", "))
}

/// `matcher_tree` of this kind, with these entries.
fn map(kind: &str, input: &str, entries: &[(&str, &str)]) -> String {
    let entries: Vec<_> = entries.iter().map(|(key, then)| format!("'{key}': {then}")).collect();
    format!(
        "matcher_tree: {{ input: {}, {kind}: {{ map: {{ {} }} }} }}",
        typed(input),
        entries.join(", ")
    )
}

/// `matcher_tree` whose ranges lead to these.
fn ranges(input: &str, ranges: &[(&str, u32, &str, &str)]) -> String {
    let matchers: Vec<_> = ranges
        .iter()
        .map(|(prefix, len, more, then)| {
            format!("{{ ranges: [{{ address_prefix: '{prefix}', prefix_len: {len} }}]{more}, on_match: {then} }}")
        })
        .collect();
    let ip = format!("xds.type.matcher.v3.IPMatcher, range_matchers: [{}]", matchers.join(", "));
    format!("matcher_tree: {{ input: {}, custom_match: {} }}", typed(input), typed(&ip))
}

fn rbac(name: &'static str, matcher: &str) -> Case {
    with(name, &format!("matcher: {{ {matcher} }}"))
}

fn with(name: &'static str, fields: &str) -> Case {
    levels(name, "", "").http_filters(&filter("rbac", "rbac", "RBAC", fields))
}

fn get(headers: &str) -> String {
    format!("GET /a HTTP/1.1\r\nhost: a.example\r\n{headers}\r\n")
}

fn asked(case: Case) -> Case {
    case.ask(get(""))
        .ask(get("x-user: root\r\n"))
        .ask(get("x-user: ro\r\nx-user: ot\r\n"))
        .ask(get("x-user: \r\n"))
        .ask(get("x-user: rob\r\nx-forwarded-for: 10.1.2.3\r\n"))
        .ask(get("x-user: 10.1.2.3\r\nx-forwarded-for: 2001:db8::1\r\n"))
}

#[test]
fn lists_of_predicates() {
    let (allow, deny) = (action("members", "ALLOW"), action("not you", "DENY"));
    let root = single(HEADER, "exact: root");
    let starts = single(HEADER, "prefix: RO, ignore_case: true");
    let nested = format!("{{ matcher: {{ {} }} }}", list(&[(&root, &deny)]));
    let otherwise = format!(", on_no_match: {allow}");
    compare(vec![
        asked(rbac("list_allow", &list(&[(&root, &allow)])))
            .shows("rbac_access_denied_matched_policy[none]"),
        asked(rbac("list_deny", &(list(&[(&root, &deny)]) + &otherwise)))
            .shows("rbac_access_denied_matched_policy[not_you]"),
        asked(rbac("list_log", &list(&[(&root, &action("l", "LOG"))]))),
        asked(rbac("list_first", &list(&[(&root, &deny), (&starts, &allow)]))),
        asked(rbac("list_not", &list(&[(&format!("not_matcher: {{ {root} }}"), &allow)]))),
        asked(rbac(
            "list_and",
            &list(&[(
                &format!(
                    "and_matcher: {{ predicate: [{{ {starts} }}, {{ not_matcher: {{ {root} }} }}] }}"
                ),
                &allow,
            )]),
        )),
        asked(rbac(
            "list_or",
            &list(&[(
                &format!(
                    "or_matcher: {{ predicate: [{{ {root} }}, {{ {} }}] }}",
                    single(HEADER, "safe_regex: { google_re2: {}, regex: '10[.].*' }")
                ),
                &allow,
            )]),
        )),
        asked(rbac("list_joined", &list(&[(&single(HEADER, "exact: 'ro,ot'"), &allow)]))),
        asked(rbac("list_empty", &list(&[(&single(HEADER, "exact: ''"), &allow)]))),
        asked(rbac("list_nested", &list(&[(&starts, &nested), (&starts, &allow)]))),
        asked(rbac(
            "list_host",
            &list(&[(
                &single(
                    "envoy.type.matcher.v3.HttpRequestHeaderMatchInput, header_name: host",
                    "exact: a.example",
                ),
                &allow,
            )]),
        )),
        asked(rbac("nothing_matches", "")),
        asked(rbac("only_otherwise", &format!("on_no_match: {allow}"))),
    ]);
}

#[test]
fn trees() {
    let (allow, deny) = (action("members", "ALLOW"), action("others", "DENY"));
    let header = |name: &str| single(HEADER, &format!("exact: {name}"));
    let only = |name: &str| format!("{{ matcher: {{ {} }} }}", list(&[(&header(name), &deny)]));
    let otherwise = format!(", on_no_match: {allow}");
    let source = format!("{NETWORK}.SourceIPInput");
    let map = |kind: &str, entries: &[(&str, &str)]| map(kind, HEADER, entries) + &otherwise;
    compare(vec![
        asked(rbac("tree_exact", &map("exact_match_map", &[("root", &deny), ("rob", &allow)]))),
        asked(rbac("tree_exact_nested", &map("exact_match_map", &[("root", &only("rob"))]))),
        asked(rbac("tree_prefix", &map("prefix_match_map", &[("ro", &deny), ("roo", &allow)]))),
        asked(rbac(
            "tree_prefix_nested",
            &map("prefix_match_map", &[("ro", &deny), ("roo", &only("rob"))]),
        )),
        asked(rbac(
            "tree_range",
            &ranges(&source, &[("10.0.0.0", 8, "", &allow), ("10.1.2.0", 24, "", &deny)]),
        )),
        asked(rbac(
            "tree_range_nested",
            &ranges(
                &source,
                &[
                    ("10.0.0.0", 8, "", &deny),
                    ("10.1.0.0", 16, ", exclusive: true", &allow),
                    ("10.1.2.0", 24, "", &only("nobody")),
                    ("2001:db8::", 32, "", &allow),
                ],
            ),
        )),
        asked(rbac(
            "tree_range_of_header",
            &ranges(HEADER, &[("10.1.2.3", 32, "", &allow), ("0.0.0.0", 0, "", &deny)]),
        )),
    ]);
}

#[test]
fn inputs() {
    let allow = action("members", "ALLOW");
    let cases = [
        ("input_destination_ip", "DestinationIPInput", "127.0.0.1"),
        ("input_destination_port", "DestinationPortInput", "{{listener}}"),
        ("input_source_ip", "SourceIPInput", "10.1.2.3"),
        ("input_source_ip_v6", "SourceIPInput", "2001:db8::1"),
        ("input_source_port", "SourcePortInput", "0"),
        ("input_direct_source", "DirectSourceIPInput", "127.0.0.1"),
        ("input_server_name", "ServerNameInput", "a"),
    ];
    let mut cases: Vec<_> = cases
        .into_iter()
        .map(|(name, input, key)| {
            let input = format!("{NETWORK}.{input}");
            asked(rbac(name, &map("exact_match_map", &input, &[(key, &allow)])))
        })
        .collect();
    for (name, input) in [
        ("input_uri", "UriSanInput"),
        ("input_dns", "DnsSanInput"),
        ("input_subject", "SubjectInput"),
    ] {
        let input = format!("envoy.extensions.matching.common_inputs.ssl.v3.{input}");
        let not = format!("not_matcher: {{ {} }}", single(&input, "prefix: x"));
        cases.push(asked(rbac(name, &list(&[(&not, &allow)]))));
    }
    compare(cases);
}

#[test]
fn names_of_certificates_without_tls() {
    let (allow, deny) = (action("members", "ALLOW"), action("others", "DENY"));
    let uri = "envoy.extensions.matching.common_inputs.ssl.v3.UriSanInput";
    let (unknown, known) = (single(uri, "prefix: x"), single(HEADER, "exact: root"));
    let otherwise = format!(", on_no_match: {allow}");
    let both = |kind: &str| format!("{kind}: {{ predicate: [{{ {unknown} }}, {{ {known} }}] }}");
    let nested = format!("{{ matcher: {{ {} }} }}", list(&[(&unknown, &deny)]));
    compare(vec![
        asked(rbac("unknown_in_list", &(list(&[(&unknown, &deny)]) + &otherwise))),
        asked(rbac("unknown_in_map", &(map("exact_match_map", uri, &[("a", &deny)]) + &otherwise))),
        asked(rbac("unknown_first", &list(&[(&unknown, &deny), (&known, &allow)]))),
        asked(rbac("unknown_or_known", &list(&[(&both("or_matcher"), &allow)]))),
        asked(rbac("unknown_and_known", &(list(&[(&both("and_matcher"), &deny)]) + &otherwise))),
        asked(rbac("unknown_nested", &list(&[(&known, &nested), (&known, &allow)]))),
    ]);
}

#[test]
fn beside_rules_and_on_routes() {
    let (allow, deny) = (action("members", "ALLOW"), action("others", "DENY"));
    let root = single(HEADER, "exact: root");
    let tree = format!("{}, on_no_match: {deny}", list(&[(&root, &allow)]));
    let everyone = "policies: { p: { permissions: [{ any: true }], principals: [{ any: true }] } }";
    let on_route = |fields: &str| {
        let own = per_route("rbac", "rbac", "RBACPerRoute", &format!("rbac: {{ {fields} }}"));
        move |name: &'static str| {
            asked(levels(name, "", &own).http_filters(&filter("rbac", "rbac", "RBAC", "")))
        }
    };
    compare(vec![
        asked(with(
            "tree_beside_rules",
            &format!("rules: {{ action: DENY, {everyone} }}\nmatcher: {{ {tree} }}"),
        )),
        asked(with("tree_in_the_shadow", &format!("shadow_matcher: {{ {tree} }}"))),
        asked(with(
            "tree_with_shadow_rules",
            &format!("matcher: {{ {tree} }}\nshadow_rules: {{ action: DENY, {everyone} }}"),
        )),
        asked(with(
            "tree_per_rule",
            &format!(
                "matcher: {{ {tree} }}\nshadow_matcher: {{ {} }}\ntrack_per_rule_stats: true",
                list(&[(&root, &allow), (&root, &deny)])
            ),
        )),
        on_route(&format!("matcher: {{ {tree} }}"))("tree_of_route"),
        on_route(&format!("shadow_matcher: {{ {tree} }}"))("tree_of_route_in_the_shadow"),
    ]);
}
