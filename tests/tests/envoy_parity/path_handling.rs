//! What happens to path and host before routing, `require_tls`, and scopes.

use ringmain_tests::parity::{Case, case, compare};

/// Each request goes upstream, where its path and host can be seen.
fn targets(case: Case, targets: &[&str]) -> Case {
    targets.iter().fold(case, |case, target| {
        case.ask(format!("GET {target} HTTP/1.1\r\nhost: a.example\r\n\r\n"))
    })
}

fn hosts(case: Case, hosts: &[&str]) -> Case {
    hosts
        .iter()
        .fold(case, |case, host| case.ask(format!("GET /p?q HTTP/1.1\r\nhost: {host}\r\n\r\n")))
}

const PATHS: [&str; 24] = [
    "/a/./b",
    "/a/../b",
    "/../../x",
    "/a/..",
    "/a/.",
    "/a%2e%2e/b",
    "/a/%2e%2E/b",
    "/a\\b",
    "/a\\..\\b",
    "//a//b",
    "/a//../b",
    "/a%zz",
    "/a%",
    "/a/...",
    "/a/..;x=1/b",
    "/x/a/.;\\b",
    "/a/%2e%2e;/b",
    "/a?x=/../b//c%2f",
    "/%41%7e%2d%2A",
    "/<>^`{|}",
    "///",
    "/a///",
    "/a/b/..?q",
    "/.a/b..c/..d",
];

const ESCAPED: [&str; 8] = [
    "/a%2fb",
    "/a%5Cb",
    "/%2f/a",
    "/a/..%2fb",
    "/a%2F%2fb//c?%2f//",
    "/a/%2e%2e%2f",
    "/a",
    "/a?%2f",
];

#[test]
fn paths() {
    let path = |name, fields: &str| targets(case(name).hcm(fields), &PATHS);
    let escaped = |name, fields: &str| targets(case(name).hcm(fields), &ESCAPED);
    compare(vec![
        path("normalized", "normalize_path: true").shows("GET /b HTTP/1.1"),
        path("merged", "merge_slashes: true").shows("GET /a/b HTTP/1.1"),
        path("normalized_and_merged", "normalize_path: true\nmerge_slashes: true"),
        path("kept", "normalize_path: false").shows("GET //a//b"),
        escaped("escapes_kept", "path_with_escaped_slashes_action: KEEP_UNCHANGED"),
        escaped("escapes_by_default", "path_with_escaped_slashes_action: IMPLEMENTATION_SPECIFIC_DEFAULT"),
        escaped("escapes_forwarded", "path_with_escaped_slashes_action: UNESCAPE_AND_FORWARD")
            .shows("GET /a/b"),
        escaped(
            "escapes_forwarded_normalized",
            "path_with_escaped_slashes_action: UNESCAPE_AND_FORWARD\nnormalize_path: true\nmerge_slashes: true",
        ),
        escaped("escapes_redirected", "path_with_escaped_slashes_action: UNESCAPE_AND_REDIRECT")
            .shows("HTTP/1.1 307")
            .shows("location: /a/b"),
        targets(
            case("escapes_rejected").hcm("path_with_escaped_slashes_action: REJECT_REQUEST"),
            &["/a", "/a%2fb"],
        )
        .shows("path_normalization_failed"),
        targets(case("nul_rejected").hcm("normalize_path: true"), &["/a", "/a%00b"])
            .shows("HTTP/1.1 400"),
        case("escapes_of_grpc")
            .hcm("path_with_escaped_slashes_action: UNESCAPE_AND_REDIRECT")
            .ask("POST /a%2fb HTTP/1.1\r\nhost: a\r\ncontent-type: application/grpc\r\ncontent-length: 0\r\n\r\n")
            .shows("grpc-status: 13"),
    ]);
}

#[test]
fn host_names() {
    const HOSTS: [&str; 8] =
        ["a:80", "a", "[::1]:80", "[::1]", "a.", "a.:80", "a.b.:8", "1.2.3.4:5"];
    let host = |name, fields: &str| hosts(case(name).hcm(fields), &HOSTS);
    compare(vec![
        host("any_port", "strip_any_host_port: true").shows("host: a\n"),
        host("matching_port", "strip_matching_host_port: true"),
        host("trailing_dot", "strip_trailing_host_dot: true").shows("host: a:80"),
        host("dot_and_port", "strip_trailing_host_dot: true\nstrip_any_host_port: true"),
    ]);
}

#[test]
fn virtual_hosts() {
    let named = |name: &str, domains: &str, more: &str| {
        format!(
            "- name: {name}\n  domains: {domains}\n{more}  routes:\n  - name: {name}\n    match: {{ prefix: / }}\n    direct_response: {{ status: 200, body: {{ inline_string: '{name}' }} }}\n"
        )
    };
    let both = named("b", "[b.example, '*.b.example']", "") + &named("any", "['*']", "");
    let strict = named("b", "[b.example]", "");
    let with_header = |case: Case, line: &str| {
        case.ask(format!("GET / HTTP/1.1\r\nhost: b.example\r\n{line}\r\n\r\n"))
    };
    let tls = |requirement: &str| named("tls", "['*']", &format!("  require_tls: {requirement}\n"));
    let forwarded = |case: Case| {
        case.ask("GET /p?q HTTP/1.1\r\nhost: a:80\r\n\r\n")
            .ask("GET /p HTTP/1.1\r\nhost: a\r\nx-forwarded-proto: https\r\n\r\n")
    };
    compare(vec![
        hosts(
            case("port_ignored").route_config("ignore_port_in_host_matching: true").virtual_hosts(&both),
            &["b.example:8080", "b.example", "x.b.example:1", "[::1]:80", "c"],
        )
        .shows("route b"),
        with_header(
            with_header(
                case("by_header").route_config("vhost_header: X-Tenant").virtual_hosts(&strict),
                "x-tenant: b.example",
            ),
            "x-a: b",
        )
        .shows("route b")
        .shows("HTTP/1.1 404"),
        targets(
            case("path_parameters").route_config("ignore_path_parameters_in_path_matching: true").routes(
                "- name: exact\n  match: { path: /a }\n  route: { cluster: '{{cluster}}' }\n- name: below\n  match: { prefix: /a/b }\n  route: { cluster: '{{cluster}}' }",
            ),
            &["/a;x=1", "/a;x/b", "/a/b;c", "/a;x?q", "/;a"],
        )
        .shows("route exact"),
        forwarded(case("tls_all").virtual_hosts(&tls("ALL")))
            .shows("location: https://a:80/p?q")
            .shows("route tls"),
        forwarded(case("tls_external").virtual_hosts(&tls("EXTERNAL_ONLY"))).shows("301"),
        forwarded(
            case("tls_external_from_inside")
                .hcm("use_remote_address: true\nxff_num_trusted_hops: 1\ninternal_address_config: { cidr_ranges: [{ address_prefix: 127.0.0.0, prefix_len: 8 }] }")
                .virtual_hosts(&tls("EXTERNAL_ONLY")),
        ),
        forwarded(case("tls_none").virtual_hosts(&tls("NONE"))).hides("301"),
        case("tls_all_and_connect")
            .virtual_hosts(&tls("ALL"))
            .ask("CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\n")
            .shows("HTTP/1.1 403"),
    ]);
}

#[test]
fn scopes() {
    const SCOPED: &str = "name: scopes
scope_key_builder: { fragments: [{ header_value_extractor: { name: X-Scope, element_separator: ';', element: { key: tenant, separator: '=' } } }, { header_value_extractor: { name: x-place, element_separator: ',', index: 1 } }] }
rds_config_source: { ads: {} }
scoped_route_configurations_list:
  scoped_route_configurations:
  - name: one
    key: { fragments: [{ string_key: acme }, { string_key: b }] }
    route_configuration: { name: one, virtual_hosts: [{ name: all, domains: ['*'], routes: [{ name: one, match: { prefix: / }, direct_response: { status: 200, body: { inline_string: one } } }] }] }
  - name: two
    key: { fragments: [{ string_key: acm }, { string_key: eb }] }
    route_configuration: { name: two, request_headers_to_add: [{ header: { key: x-two, value: '2' } }], virtual_hosts: [{ name: all, domains: ['*'], routes: [{ name: two, match: { prefix: / }, route: { cluster: '{{cluster}}' } }] }] }";
    let lists: [&[&str]; 10] = [
        &[],
        &["x-scope: tenant=acme", "x-place: a,b"],
        &["x-scope: a=1;tenant=acme", "x-place: a,b,c"],
        &["x-scope: tenant=acme;tenant=y", "x-place: a,b"],
        &["x-scope: tenant=acme", "x-place: b"],
        &["x-scope: tenant=other", "x-place: a,b"],
        &["x-scope: tenant=acme=1", "x-place: a,b"],
        &["x-scope: tenant=q", "x-scope: tenant=acme", "x-place: a,b"],
        &["x-scope: tenant=acm", "x-place: a,eb"],
        &["x-scope: tenant=acme", "x-place: a, b"],
    ];
    let asking = lists.iter().fold(case("inline").scoped_routes(SCOPED), |case, lines| {
        let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        case.ask(format!("GET / HTTP/1.1\r\nhost: a\r\n{lines}\r\n"))
    });
    compare(vec![asking.shows("route one").shows("x-two: 2").shows("HTTP/1.1 404")]);
}
