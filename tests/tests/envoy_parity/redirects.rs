//! Redirects beyond the plain ones, and direct responses that look like them.

use ringmain_tests::parity::{Case, case, compare};

fn redirecting(name: &'static str, matcher: &str, redirect: &str, targets: &[&str]) -> Case {
    let routes = format!("- match: {{ {matcher} }}\n  redirect: {{ {redirect} }}");
    targets.iter().fold(case(name).routes(&routes), |case, target| {
        case.ask(format!("GET {target} HTTP/1.1\r\nhost: a.example:8080\r\nx-v: v2\r\n\r\n"))
    })
}

#[test]
fn redirects_by_regex() {
    let regex = |name, pattern: &str, substitution: &str, rest: &str| {
        let redirect = format!(
            "regex_rewrite: {{ pattern: {{ regex: '{pattern}' }}, substitution: '{substitution}' }}{rest}"
        );
        redirecting(name, "prefix: /", &redirect, &["/a/b?q=1", "/x"])
    };
    compare(vec![
        regex("regex", "^/a/(.*)$", r"/\1/z", "").shows("location: http://a.example:8080/b/z"),
        regex("regex_strips", "^/a/(.*)$", r"/\1/z", ", strip_query: true"),
        regex("regex_with_query", "^/a/(.*)$", r"/z?x=\1", ""),
        regex("regex_with_query_strips", "^/a/(.*)$", r"/z?x=\1", ", strip_query: true"),
        regex("regex_to_nothing", "^.*$", "", ""),
        regex("regex_without_slash", "^/", "", ""),
        regex("regex_and_host", "a", "b", ", host_redirect: b.example, https_redirect: true"),
    ]);
}

#[test]
fn redirects_by_format() {
    let format = |name, fields: &str| redirecting(name, "prefix: /", fields, &["/a/b?q=1"]);
    compare(vec![
        format("format", "path_rewrite: '/new/%REQ(x-v)%'").shows("/new/v2"),
        format("format_strips", "path_rewrite: '/new/%REQ(x-v)%', strip_query: true"),
        format("format_with_query", "path_rewrite: '/new?%REQ(x-v)%'"),
        format("format_with_query_strips", "path_rewrite: '/new?%REQ(x-v)%', strip_query: true"),
        format("format_without_slash", "path_rewrite: 'new%REQ(x-v)%'"),
        case("format_in_headers")
            .routes("- match: { prefix: /p }\n  redirect: { path_rewrite: '/x%REQ(:path)%' }\n  response_headers_to_add: [{ header: { key: x-p, value: '%REQ(:path)% %REQ(x-envoy-original-path)%' } }]")
            .ask("GET /p/q?r HTTP/1.1\r\nhost: a\r\n\r\n"),
        format("format_empty", "path_rewrite: '%REQ(x-none)%'"),
    ]);
}

#[test]
fn empty_parts() {
    let empty = |name, fields: &str| redirecting(name, "prefix: /p", fields, &["/p/x?q=1"]);
    compare(vec![
        empty("nothing", "").shows("location: http://a.example:8080/p/x?q=1"),
        empty("only_strip", "strip_query: true"),
        empty("empty_path", "path_redirect: ''"),
        empty("empty_prefix", "prefix_rewrite: ''"),
        empty("https_false", "https_redirect: false"),
        empty("empty_scheme", "scheme_redirect: ''"),
        empty("scheme_in_capitals", "scheme_redirect: HTTPS"),
        empty("prefix_with_query", "prefix_rewrite: '/n?x=1&y'"),
        empty("prefix_with_query_strips", "prefix_rewrite: '/n?x=1&y', strip_query: true"),
        empty("path_with_query_strips", "path_redirect: '/n?x=1', strip_query: true"),
        empty("path_without_slash", "path_redirect: there"),
        empty("to_host_with_port", "host_redirect: 'b.example:81'"),
    ]);
}

#[test]
fn grpc_and_headers() {
    compare(vec![
        redirecting("grpc", "prefix: /", "path_redirect: /x", &[])
            .ask("POST /a HTTP/1.1\r\nhost: a\r\ncontent-type: application/grpc\r\ncontent-length: 0\r\n\r\n")
            .shows("grpc-status: 2"),
        case("added_headers")
            .routes("- match: { prefix: / }\n  redirect: { path_redirect: /x }\n  response_headers_to_add: [{ header: { key: x-l, value: '%RESP(location)%' } }, { header: { key: cache-control, value: no-store } }]")
            .ask("GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            .shows("cache-control: no-store"),
        case("removed_location")
            .routes("- match: { prefix: / }\n  redirect: { path_redirect: /x }\n  response_headers_to_remove: [location]")
            .ask("GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            .hides("location: "),
        case("rewritten_prefix_in_headers")
            .routes("- match: { prefix: /p }\n  redirect: { prefix_rewrite: /x }\n  response_headers_to_add: [{ header: { key: x-p, value: '%REQ(:path)% %REQ(x-envoy-original-path)%' } }]")
            .ask("GET /p/q HTTP/1.1\r\nhost: a\r\n\r\n"),
    ]);
}
