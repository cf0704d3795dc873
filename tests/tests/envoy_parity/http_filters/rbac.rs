//! `envoy.filters.http.rbac`.

use ringmain_tests::parity::{Case, compare};

use super::{filter, levels, per_route};
use crate::GET;

const ANY: &str = "any: true";

/// `rules` with one policy `p1`.
fn rules(action: &str, permission: &str, principal: &str) -> String {
    format!(
        "rules: {{ action: {action}, policies: {{ p1: {{ permissions: [{{ {permission} }}], principals: [{{ {principal} }}] }} }} }}"
    )
}

fn rbac(name: &'static str, fields: &str) -> Case {
    levels(name, "", "").http_filters(&filter("rbac", "rbac", "RBAC", fields))
}

fn get(target: &str, headers: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nhost: a.example\r\n{headers}\r\n")
}

#[test]
fn actions() {
    let header = "header: { name: x-user, string_match: { exact: root } }";
    let asked = |case: Case| {
        case.ask(get("/", "x-user: root\r\n"))
            .ask(get("/", ""))
            .ask(get("/", "content-type: application/grpc\r\n"))
    };
    compare(vec![
        asked(rbac("allow", &rules("ALLOW", ANY, header)))
            .shows("rbac_access_denied_matched_policy[none]"),
        asked(rbac("deny", &rules("DENY", ANY, header)))
            .shows("rbac_access_denied_matched_policy[p1]"),
        asked(rbac("log", &rules("LOG", ANY, header))),
        asked(rbac("none", "")),
        asked(rbac("empty_rules", "rules: {}")),
        asked(rbac("empty_deny", "rules: { action: DENY }")),
        asked(rbac("shadow", &rules("DENY", ANY, header).replace("rules:", "shadow_rules:"))),
        asked(rbac(
            "shadow_allow",
            &format!(
                "{}\nshadow_rules_stat_prefix: s_",
                rules("ALLOW", ANY, header).replace("rules:", "shadow_rules:")
            ),
        )),
        asked(rbac(
            "both",
            &format!(
                "{}\n{}",
                rules("ALLOW", ANY, ANY),
                rules("DENY", ANY, header).replace("rules:", "shadow_rules:")
            ),
        )),
        asked(rbac("prefixed", &format!("{}\nrules_stat_prefix: r_", rules("ALLOW", ANY, header)))),
        asked(rbac(
            "per_rule",
            &format!(
                "{}\n{}\ntrack_per_rule_stats: true",
                rules("DENY", ANY, header),
                rules("ALLOW", ANY, header).replace("rules:", "shadow_rules:")
            ),
        )),
        asked(rbac(
            "policy_name_with_blanks",
            &rules("DENY", ANY, header).replace("p1:", "'a b  c':"),
        )),
        rbac("post_with_body", &rules("DENY", ANY, ANY))
            .ask("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello"),
    ]);
}

#[test]
fn permissions() {
    let table: [(&'static str, &str); 14] = [
        ("perm_header", "header: { name: ':method', string_match: { exact: GET } }"),
        ("perm_path", "url_path: { path: { prefix: /admin } }"),
        ("perm_path_exact", "url_path: { path: { exact: /admin } }"),
        ("perm_ip", "destination_ip: { address_prefix: 127.0.0.0, prefix_len: 8 }"),
        ("perm_other_ip", "destination_ip: { address_prefix: 10.0.0.0, prefix_len: 8 }"),
        ("perm_other_port", "destination_port: 1"),
        ("perm_port_range", "destination_port_range: { start: 1, end: 65536 }"),
        ("perm_port_range_below", "destination_port_range: { start: 1, end: 2 }"),
        ("perm_sni", "requested_server_name: { exact: a }"),
        ("perm_no_sni", "requested_server_name: { exact: '' }"),
        ("perm_not", "not_rule: { url_path: { path: { prefix: /admin } } }"),
        (
            "perm_and",
            "and_rules: { rules: [{ url_path: { path: { prefix: /a } } }, { url_path: { path: { suffix: min } } }] }",
        ),
        (
            "perm_or",
            "or_rules: { rules: [{ url_path: { path: { exact: /a } } }, { url_path: { path: { exact: /admin } } }] }",
        ),
        (
            "perm_metadata",
            "metadata: { filter: f, path: [{ key: k }], value: { present_match: true } }",
        ),
    ];
    compare(
        table
            .into_iter()
            .map(|(name, permission)| {
                rbac(name, &rules("ALLOW", permission, ANY))
                    .ask(get("/", ""))
                    .ask(get("/admin", ""))
                    .ask(get("/admin?q=1", ""))
                    .ask(get("/admin#f", ""))
            })
            .collect(),
    );
}

#[test]
fn principals() {
    let table: [(&'static str, &str); 13] = [
        ("by_header", "header: { name: x-user, present_match: true }"),
        ("by_path", "url_path: { path: { exact: / } }"),
        ("by_authentication", "authenticated: {}"),
        ("by_name", "authenticated: { principal_name: { exact: x } }"),
        ("by_source", "source_ip: { address_prefix: 127.0.0.1, prefix_len: 32 }"),
        ("by_direct_remote", "direct_remote_ip: { address_prefix: 127.0.0.1, prefix_len: 32 }"),
        ("by_remote", "remote_ip: { address_prefix: 10.1.0.0, prefix_len: 16 }"),
        ("by_remote_v6", "remote_ip: { address_prefix: '2001:db8::', prefix_len: 32 }"),
        ("by_not", "not_id: { remote_ip: { address_prefix: 10.1.0.0, prefix_len: 16 } }"),
        (
            "by_and",
            "and_ids: { ids: [{ any: true }, { header: { name: x-user, present_match: true } }] }",
        ),
        (
            "by_or",
            "or_ids: { ids: [{ remote_ip: { address_prefix: 10.1.0.0, prefix_len: 16 } }, { header: { name: x-user, present_match: true } }] }",
        ),
        (
            "by_metadata",
            "metadata: { filter: f, path: [{ key: k }], value: { present_match: true }, invert: true }",
        ),
        (
            "by_route_metadata",
            "sourced_metadata: { metadata_matcher: { filter: f, path: [{ key: k }], value: { string_match: { exact: v } } }, metadata_source: ROUTE }",
        ),
    ];
    compare(
        table
            .into_iter()
            .map(|(name, principal)| {
                let route = "metadata: { filter_metadata: { f: { k: v } } }";
                levels(name, "", route)
                    .http_filters(&filter("rbac", "rbac", "RBAC", &rules("ALLOW", ANY, principal)))
                    .ask(get("/", ""))
                    .ask(get("/", "x-user: me\r\n"))
                    .ask(get("/", "x-forwarded-for: 10.1.2.3\r\n"))
                    .ask(get("/x", "x-forwarded-for: 2001:db8::1\r\n"))
            })
            .collect(),
    );
}

#[test]
fn per_route_overrides() {
    let deny = rules("DENY", ANY, ANY);
    let on_route = |fields: &str| per_route("rbac", "rbac", "RBACPerRoute", fields);
    let wrapped = format!("rbac: {{ {deny} }}");
    let on = |name, host: &str, route: &str, fields: &str| {
        levels(name, host, route).http_filters(&filter("rbac", "rbac", "RBAC", fields)).ask(GET)
    };
    compare(vec![
        on("route_denies", "", &on_route(&wrapped), ""),
        on("route_frees", "", &on_route(""), &deny),
        on("route_beats_host", &on_route(&wrapped), &on_route(""), ""),
        on("host_denies", &on_route(&wrapped), "", ""),
        on("route_shadow_only", "", &on_route(&wrapped.replace("rules:", "shadow_rules:")), &deny),
        on(
            "route_prefix",
            "",
            &on_route(&wrapped.replace("rules:", "rules_stat_prefix: z_, rules:")),
            "",
        ),
        on("denied_without_route", "", "", &deny)
            .virtual_hosts("- { name: all, domains: [x], routes: [] }"),
        on("route_headers_on_denial_of_direct_response", "", "", &deny).virtual_hosts(
            "- name: all\n  domains: ['*']\n  response_headers_to_add: [{ header: { key: x-host, value: v } }]\n  routes: [{ match: { prefix: / }, direct_response: { status: 200 } }]",
        ),
        on(
            "route_headers_on_denial",
            "response_headers_to_add: [{ header: { key: x-host, value: v } }]",
            "",
            &deny,
        ),
    ]);
}

/// What decisions leave in dynamic metadata.
#[test]
fn decisions_are_noted() {
    let log = "- name: file
  typed_config:
    '@type': type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
    path: '{{scratch}}/{{name}}.text'
    log_format:
      text_format_source:
        inline_string: \"%DYNAMIC_METADATA(envoy.filters.http.rbac)% %DYNAMIC_METADATA(envoy.common)%\\n\"";
    let header = "header: { name: x-user, string_match: { exact: root } }";
    let noting = |name, fields: &str| {
        rbac(name, fields).access_logs(log).ask(get("/", "x-user: root\r\n")).ask(get("/", ""))
    };
    let shadow = |action| {
        rules(action, ANY, header).replace("rules:", "shadow_rules:").replace("p1:", "s1:")
    };
    compare(vec![
        noting("noted_allow", &rules("ALLOW", ANY, header))
            .shows("\"enforced_engine_result\":\"denied\""),
        noting("noted_deny", &rules("DENY", ANY, header)),
        noting("noted_log", &rules("LOG", ANY, header)).shows("\"access_log_hint\":true"),
        noting("noted_shadow", &shadow("DENY")).shows("\"shadow_effective_policy_id\":\"s1\""),
        noting("noted_shadow_log", &shadow("LOG")),
        noting(
            "noted_both",
            &format!(
                "{}\n{}\nrules_stat_prefix: r_\nshadow_rules_stat_prefix: s_",
                rules("ALLOW", ANY, header),
                shadow("DENY")
            ),
        ),
        noting("noted_nothing", ""),
        noting("noted_tree", &tree("matcher", "LOG", "DENY")).shows("\"access_log_hint\":true"),
        noting("noted_tree_without_log", &tree("matcher", "ALLOW", "DENY")),
        noting("noted_shadow_tree", &tree("shadow_matcher", "DENY", "LOG")),
    ]);
}

/// A tree that comes to one action for root and to the other for everybody else.
fn tree(field: &str, root: &str, other: &str) -> String {
    let action = |name: &str, action: &str| {
        format!(
            "{{ action: {{ name: a, typed_config: {{ \"@type\": type.googleapis.com/envoy.config.rbac.v3.Action, \
             name: {name}, action: {action} }} }} }}"
        )
    };
    format!(
        "{field}: {{ matcher_list: {{ matchers: [{{ predicate: {{ single_predicate: {{ input: {{ name: i, \
         typed_config: {{ \"@type\": type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput, \
         header_name: x-user }} }}, value_match: {{ exact: root }} }} }}, on_match: {} }}] }}, on_no_match: {} }}",
        action("root", root),
        action("other", other)
    )
}
