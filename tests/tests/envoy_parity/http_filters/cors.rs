//! `envoy.filters.http.cors`.

use ringmain_tests::parity::{Case, compare};
use ringmain_tests::upstream::reply;

use super::{filter, levels, per_route};
use crate::GET;

const SIMPLE: &str = "GET / HTTP/1.1\r\nhost: a.example\r\norigin: http://good.example\r\n\r\n";
const FOREIGN: &str = "GET / HTTP/1.1\r\nhost: a.example\r\norigin: http://bad.example\r\n\r\n";
const PREFLIGHT: &str = "OPTIONS / HTTP/1.1\r\nhost: a.example\r\norigin: http://good.example\r\naccess-control-request-method: PUT\r\naccess-control-request-headers: x-a, x-b\r\naccess-control-request-private-network: true\r\n\r\n";
const FOREIGN_PREFLIGHT: &str = "OPTIONS / HTTP/1.1\r\nhost: a.example\r\norigin: http://bad.example\r\naccess-control-request-method: PUT\r\n\r\n";
const OPTIONS: &str =
    "OPTIONS / HTTP/1.1\r\nhost: a.example\r\norigin: http://good.example\r\n\r\n";

const ORIGIN: &str = "allow_origin_string_match: [{ exact: 'http://good.example' }]";
const FULL: &str = "allow_origin_string_match: [{ exact: 'http://good.example' }]
allow_methods: GET,PUT
allow_headers: x-a
expose_headers: x-e
max_age: '60'
allow_credentials: true
allow_private_network_access: true";

fn policy(fields: &str) -> String {
    per_route("cors", "cors", "CorsPolicy", fields)
}

fn cors(case: Case) -> Case {
    case.http_filters(&filter("cors", "cors", "Cors", ""))
}

fn all(case: Case) -> Case {
    cors(case).ask(SIMPLE).ask(FOREIGN).ask(PREFLIGHT).ask(FOREIGN_PREFLIGHT).ask(OPTIONS).ask(GET)
}

#[test]
fn policies() {
    let at_route = |name, fields: &str| all(levels(name, "", &policy(fields)));
    compare(vec![
        all(levels("no_policy", "", "")),
        at_route("origin_only", ORIGIN).shows("access-control-allow-origin: http://good.example"),
        at_route("full", FULL).shows("access-control-max-age: 60"),
        at_route("any_origin", "allow_origin_string_match: [{ exact: '*' }]"),
        at_route("any_method_and_header", "allow_origin_string_match: [{ prefix: http }]\nallow_methods: '*'\nallow_headers: '*'"),
        at_route("no_credentials", "allow_origin_string_match: [{ prefix: http }]\nallow_credentials: false"),
        at_route("preflights_answered", &format!("{FULL}\nforward_not_matching_preflights: false")),
        at_route("disabled", &format!("{FULL}\nfilter_enabled: {{ default_value: {{ numerator: 0 }} }}")),
        at_route("shadow", &format!("{FULL}\nfilter_enabled: {{ default_value: {{ numerator: 0 }} }}\nshadow_enabled: {{ default_value: {{ numerator: 100 }} }}")),
        all(levels("host_and_route", &policy(FULL), &policy("allow_methods: DELETE\nexpose_headers: x-other"))),
        all(levels("host", &policy(FULL), "")),
        all(levels("upstream_headers", "", &policy(FULL))
            .upstream(reply("HTTP/1.1 200 OK\r\naccess-control-allow-origin: *\r\naccess-control-allow-methods: X\r\ncontent-length: 0\r\n\r\n"))),
        all(levels("route_headers", "response_headers_to_add: [{ header: { key: x-host, value: v } }]", &policy(FULL))),
    ]);
}

#[test]
fn local_replies() {
    let list = |action: &str| {
        format!(
            "- match: {{ prefix: / }}\n  {action}\n{}",
            ringmain_tests::template::indented(&policy(FULL), 2)
        )
    };
    compare(vec![
        all(levels("cors_direct", "", "")
            .routes(&list("direct_response: { status: 200, body: { inline_string: hi } }"))),
        all(levels("cors_redirect", "", "").routes(&list("redirect: { path_redirect: /x }"))),
        all(levels("cors_refused", "", "").routes(&list("route: { cluster: '{{refused}}' }"))),
        all(levels("cors_no_route", "", "")
            .virtual_hosts("- { name: all, domains: [x], routes: [] }")),
    ]);
}
