//! Route matches and what routes do: forward, rewrite, redirect, answer.

use ringmain_tests::client::Step;
use ringmain_tests::parity::{Case, case, compare};

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nhost: a.example:8080\r\n\r\n")
}

/// Asks for each target in turn.
fn asking(name: &'static str, routes: &str, targets: &[&str]) -> Case {
    targets.iter().fold(case(name).routes(routes), |case, target| case.ask(get(target)))
}

/// A direct response that names the route.
fn answer(name: &str, matcher: &str) -> String {
    format!(
        "- name: {name}\n  match: {{ {matcher} }}\n  direct_response: {{ status: 200, body: {{ inline_string: '{name}' }} }}\n"
    )
}

#[test]
fn matches() {
    let ordered = [
        answer("exact", "path: /a/b"),
        answer("short", "prefix: /a"),
        answer("never", "prefix: /a/long"),
        answer("loose", "prefix: /Loose, case_sensitive: false"),
        answer("loose_exact", "path: /Case/Exact, case_sensitive: false"),
        answer("strict", "prefix: /Strict"),
    ]
    .concat();
    compare(vec![
        asking("first_wins", &ordered, &["/a/b", "/a/b?q=1", "/a/b/", "/a", "/abc", "/a/long/er"])
            .shows("\"short\""),
        asking(
            "case",
            &ordered,
            &["/loose/x", "/LOOSE", "/case/exact", "/CASE/EXACT/", "/Strict", "/strict"],
        )
        .shows("\"loose_exact\"")
        .shows("HTTP/1.1 404"),
        asking("nothing_matches", &ordered, &["/", "/b?a", "//a"]).shows("route_not_found"),
        asking(
            "escapes_stay",
            &answer("escaped", "prefix: /a%20b"),
            &["/a%20b", "/a%2520b", "/a/../a%20b"],
        )
        .shows("\"escaped\""),
        asking("query_only", &answer("root", "path: /"), &["/?a=/b", "/"]).shows("\"root\""),
    ]);
}

#[test]
fn rewrites() {
    let rewrite = |matcher: &str, action: &str| {
        format!("- match: {{ {matcher} }}\n  route: {{ cluster: '{{{{cluster}}}}', {action} }}")
    };
    compare(vec![
        asking("prefix", &rewrite("prefix: /old", "prefix_rewrite: /new"), &["/old", "/old/x?q=1", "/older"])
            .shows("GET /new/x?q=1")
            .shows("x-envoy-original-path: /old/x?q=1"),
        asking("prefix_to_root", &rewrite("prefix: /old/", "prefix_rewrite: /"), &["/old/", "/old/x", "/old//x"]).shows("GET /x"),
        asking("whole_path", &rewrite("path: /old", "prefix_rewrite: /new"), &["/old", "/old?q=1"]).shows("GET /new?q=1"),
        asking("loose_prefix", &rewrite("prefix: /old, case_sensitive: false", "prefix_rewrite: /new"), &["/OLD/x"]).shows("GET /new/x"),
        asking("same_prefix", &rewrite("prefix: /old", "prefix_rewrite: /old"), &["/old/x"]).shows("GET /old/x"),
        asking("host_literal", &rewrite("prefix: /", "host_rewrite_literal: b.example"), &["/"]).shows("host: b.example"),
        asking(
            "host_literal_appended",
            &rewrite("prefix: /", "host_rewrite_literal: b.example, append_x_forwarded_host: true"),
            &["/"],
        )
        .shows("x-forwarded-host"),
        asking("no_timeout", &rewrite("prefix: /", "timeout: 0s"), &["/"]).hides("x-envoy-expected-rq-timeout-ms"),
        asking("own_timeout", &rewrite("prefix: /", "timeout: 2.5s"), &["/"]).shows("x-envoy-expected-rq-timeout-ms: 2500"),
        asking("attempt_counts", &rewrite("prefix: /", "timeout: 1s"), &["/"]).virtual_hosts(
            "- name: all\n  domains: ['*']\n  include_request_attempt_count: true\n  include_attempt_count_in_response: true\n  routes:\n  - match: { prefix: / }\n    route: { cluster: '{{cluster}}' }",
        ),
    ]);
}

#[test]
fn redirects() {
    let redirect = |fields: &str| format!("- match: {{ prefix: /p }}\n  redirect: {{ {fields} }}");
    let to = |name, fields: &str| {
        asking(name, &redirect(fields), &["/p/x?q=1", "/p"]).shows("location: ")
    };
    let host =
        |case: Case, host: &str| case.ask(format!("GET /p?q HTTP/1.1\r\nhost: {host}\r\n\r\n"));
    compare(vec![
        to("to_https", "https_redirect: true").shows("HTTP/1.1 301 Moved Permanently"),
        host(
            case("to_https_from_port_80").routes(&redirect("https_redirect: true")),
            "a.example:80",
        ),
        host(
            case("to_https_from_port_443").routes(&redirect("https_redirect: true")),
            "a.example:443",
        ),
        host(case("to_https_from_ipv6").routes(&redirect("https_redirect: true")), "[::1]:80"),
        to("to_scheme", "scheme_redirect: wss"),
        to("to_host", "host_redirect: b.example"),
        to("to_host_and_port", "host_redirect: b.example, port_redirect: 81"),
        to("to_port", "port_redirect: 8443"),
        to("to_https_and_port", "https_redirect: true, port_redirect: 8443"),
        to("to_https_and_default_port", "https_redirect: true, port_redirect: 443"),
        to("to_path", "path_redirect: /there"),
        to("to_path_with_query", "path_redirect: '/there?x=2'"),
        to("to_prefix", "prefix_rewrite: /new"),
        to("without_query", "path_redirect: /there, strip_query: true"),
        to("without_query_to_prefix", "prefix_rewrite: /new, strip_query: true"),
        to("found", "path_redirect: /there, response_code: FOUND").shows("HTTP/1.1 302 Found"),
        to("see_other", "path_redirect: /there, response_code: SEE_OTHER")
            .shows("HTTP/1.1 303 See Other"),
        to("temporary", "path_redirect: /there, response_code: TEMPORARY_REDIRECT")
            .shows("307 Temporary Redirect"),
        to("permanent", "path_redirect: /there, response_code: PERMANENT_REDIRECT")
            .shows("308 Permanent Redirect"),
        to(
            "all_at_once",
            "https_redirect: true, host_redirect: b.example, port_redirect: 1, prefix_rewrite: /n, strip_query: true, response_code: FOUND",
        ),
        to("to_own_scheme", "scheme_redirect: http")
            .ask("POST /p HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi"),
        case("proto_decides")
            .routes(&redirect("host_redirect: b.example"))
            .ask("GET /p HTTP/1.1\r\nhost: a\r\nx-forwarded-proto: https\r\n\r\n"),
    ]);
}

#[test]
fn direct_responses() {
    let direct =
        |fields: &str| format!("- match: {{ prefix: / }}\n  direct_response: {{ {fields} }}");
    compare(vec![
        asking("with_body", &direct("status: 200, body: { inline_string: 'hello' }"), &["/", "/"])
            .shows("content-type: text/plain")
            .shows("rq_direct_response: 2"),
        asking("without_body", &direct("status: 404"), &["/", "/"]).shows("content-length: 0"),
        asking("no_content", &direct("status: 204"), &["/", "/"]).shows("HTTP/1.1 204"),
        asking("unnamed_status", &direct("status: 418, body: { inline_string: 'tea' }"), &["/"]).shows("HTTP/1.1 418"),
        asking("with_headers", &format!("{}\n  response_headers_to_add: [{{ header: {{ key: x-a, value: b }} }}, {{ header: {{ key: content-type, value: text/html }}, append_action: OVERWRITE_IF_EXISTS_OR_ADD }}]", direct("status: 200, body: { inline_string: '<p>' }")), &["/"])
            .shows("x-a: b"),
        case("to_head")
            .routes(&direct("status: 200, body: { inline_string: 'hello' }"))
            .send("HEAD / HTTP/1.1\r\nhost: a\r\n\r\n")
            .step(Step::ReadHead)
            .ask(get("/"))
            .shows("content-length: 5"),
        case("to_close")
            .routes(&direct("status: 200, body: { inline_string: 'hello' }"))
            .ask("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
            .shows("connection: close"),
        case("to_post")
            .routes(&direct("status: 200, body: { inline_string: 'hello' }"))
            .ask("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n")
            .ask(get("/"))
            .shows("downstream_rq_total: 2"),
        case("to_grpc")
            .routes(&direct("status: 404, body: { inline_string: 'no & such 50%' }"))
            .ask("POST / HTTP/1.1\r\nhost: a\r\ncontent-type: application/grpc+proto\r\ncontent-length: 0\r\n\r\n")
            .shows("grpc-status: 12"),
        asking("non_forwarding", "- match: { prefix: / }\n  non_forwarding_action: {}", &["/"]).shows("HTTP/1.1 503"),
    ]);
}
