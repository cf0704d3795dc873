//! What the upstream gets instead of the path and the host that the client sent.

use ringmain_tests::parity::{Case, case, compare};
use ringmain_tests::upstream::reply;

/// A case with one route, asked for each target.
fn rewriting(name: &'static str, matcher: &str, action: &str, targets: &[&str]) -> Case {
    let routes =
        format!("- match: {{ {matcher} }}\n  route: {{ cluster: '{{{{cluster}}}}', {action} }}");
    targets.iter().fold(case(name).routes(&routes), |case, target| {
        case.ask(format!(
            "GET {target} HTTP/1.1\r\nhost: a.example:8080\r\nx-host: c.example\r\n\r\n"
        ))
    })
}

#[test]
fn paths_by_regex() {
    let regex = |name, pattern: &str, substitution: &str, targets: &[&str]| {
        let action = format!(
            "regex_rewrite: {{ pattern: {{ regex: '{pattern}' }}, substitution: '{substitution}' }}"
        );
        rewriting(name, "prefix: /", &action, targets)
    };
    compare(vec![
        regex("groups", "^/service/([^/]+)(/.*)$", r"\2/instance/\1", &["/service/foo/v1/api?q=1"])
            .shows("GET /v1/api/instance/foo?q=1"),
        regex("every_match", "one", "two", &["/xxx/one/yyy/one/zzz?one"])
            .shows("GET /xxx/two/yyy/two/zzz?one"),
        regex("first_match_only", "^(.*?)one(.*)$", r"\1two\2", &["/xxx/one/yyy/one/zzz"])
            .shows("GET /xxx/two/yyy/one/zzz"),
        regex("letter_case", "(?i)/xxx/", "/yyy/", &["/aaa/XxX/bbb"]).shows("GET /aaa/yyy/bbb"),
        regex("whole_match", "/a+", r"<\0>", &["/aab/a"]).shows("GET </aa>b</a>"),
        regex("backslash", "/a", r"/\\", &["/a"]),
        regex("no_match", "/nothing", "/x", &["/a?q=1"]).shows("x-envoy-original-path: /a?q=1"),
        regex("empty_matches", "x*", "-", &["/axb"]),
        regex("to_nothing", "^/.*$", "", &["/a?q=1"]),
        regex("without_slash", "^/", "", &["/a"]),
        regex("query_of_its_own", "^/a", "/b?x=1", &["/a?q=1"]),
        rewriting(
            "with_other_rewrites",
            "prefix: /a",
            "regex_rewrite: { pattern: { regex: a }, substitution: b }, host_rewrite_literal: b.example",
            &["/a"],
        )
        .shows("host: b.example"),
    ]);
}

#[test]
fn paths_by_format() {
    let format = |name, format: &str, targets: &[&str]| {
        rewriting(name, "prefix: /", &format!("path_rewrite: '{format}'"), targets)
    };
    compare(vec![
        format("to_header", "/new/%REQ(x-host)%", &["/a?q=1"]).shows("GET /new/c.example?q=1"),
        format("to_missing_header", "/new/%REQ(x-none)%", &["/a"]).shows("GET /new/"),
        format("to_empty", "%REQ(x-none)%", &["/a?q=1"]),
        format("to_literal", "/new", &["/a", "/"]).shows("GET /new"),
    ]);
}

#[test]
fn hosts() {
    let host = |name, action: &str| rewriting(name, "prefix: /", action, &["/b.example/x?q=/1"]);
    let by_path =
        "host_rewrite_path_regex: { pattern: { regex: '^/([^/]+)/.*$' }, substitution: '\\1' }";
    compare(vec![
        host("by_header", "host_rewrite_header: X-Host").shows("host: c.example"),
        host("by_absent_header", "host_rewrite_header: x-none").hides("x-envoy-original-host"),
        host("by_header_appended", "host_rewrite_header: x-host, append_x_forwarded_host: true")
            .shows("x-forwarded-host: a.example:8080"),
        host("by_path", by_path).shows("host: b.example"),
        host("by_path_appended", &format!("{by_path}, append_x_forwarded_host: true")),
        host("by_path_without_match", "host_rewrite_path_regex: { pattern: { regex: nothing }, substitution: x }"),
        host("by_path_to_nothing", "host_rewrite_path_regex: { pattern: { regex: '.*' }, substitution: '' }"),
        host("by_format", "host_rewrite: 'x-%REQ(x-host)%'").shows("host: x-c.example"),
        host("by_empty_format", "host_rewrite: '%REQ(x-none)%'"),
        host("by_format_appended", "host_rewrite: z.example, append_x_forwarded_host: true"),
        host("appended_without_rewrite", "append_x_forwarded_host: true").hides("x-forwarded-host: "),
        host("literal_same", "host_rewrite_literal: 'a.example:8080', append_x_forwarded_host: true"),
        host("by_empty_header", "host_rewrite_header: x-empty")
            .ask("GET / HTTP/1.1\r\nhost: a\r\nx-empty:\r\n\r\n"),
        host("original_host_sent", "host_rewrite_literal: b.example, append_x_forwarded_host: true")
            .ask("GET / HTTP/1.1\r\nhost: a\r\nx-envoy-original-host: z\r\nx-forwarded-host: y\r\nx-envoy-original-path: /w\r\n\r\n"),
        host("original_path_sent", "prefix_rewrite: /z/")
            .ask("GET / HTTP/1.1\r\nhost: a\r\nx-envoy-original-path: /w\r\n\r\n"),
    ]);
}

#[test]
fn to_the_hosts_name() {
    let auto = |name, cluster: &str, endpoint: &str, more: &str| {
        let action = format!("auto_host_rewrite: true{more}");
        rewriting(name, "prefix: /", &action, &["/a"]).cluster(cluster).endpoint(endpoint)
    };
    let named = "hostname: b.example";
    let append = ", append_x_forwarded_host: true";
    let posting =
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n";
    let retry = ", retry_policy: { retry_on: 5xx, num_retries: 1 }";
    compare(vec![
        auto("static_named", "", named, "").shows("host: b.example"),
        auto("static_unnamed", "", "", "").shows("host: a.example:8080"),
        auto("static_appended", "", named, append).shows("x-forwarded-host: a.example:8080"),
        auto("static_appended_before", "", named, append)
            .ask("GET / HTTP/1.1\r\nhost: a\r\nx-forwarded-host: y,a\r\n\r\n"),
        auto("static_with_body", "", named, append).ask(posting),
        auto("static_with_path", "", named, ", prefix_rewrite: /z"),
        auto("static_named_same", "", "hostname: 'a.example:8080'", append),
        auto("not_wanted", "", named, "").routes(
            "- match: { prefix: / }\n  route: { cluster: '{{cluster}}', auto_host_rewrite: false }",
        ),
        auto("retried", "", named, &format!("{append}{retry}"))
            .upstream(reply("HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n"))
            .upstream(reply("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")),
        auto("by_dns", "type: STRICT_DNS", "", "").shows("host: 127.0.0.1"),
        auto("by_dns_named", "type: STRICT_DNS", named, "").shows("host: b.example"),
    ]);
}

#[test]
fn by_template() {
    let template = |name, template: &str, rewrite: &str, targets: &[&str]| {
        let matcher = format!(
            "path_match_policy: {{ name: m, typed_config: {{ '@type': type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig, path_template: '{template}' }} }}"
        );
        let action = format!(
            "path_rewrite_policy: {{ name: r, typed_config: {{ '@type': type.googleapis.com/envoy.extensions.path.rewrite.uri_template.v3.UriTemplateRewriteConfig, path_template_rewrite: '{rewrite}' }} }}"
        );
        rewriting(name, &matcher, &action, targets)
    };
    compare(vec![
        template("variables", "/a/{b}/{c}", "/x/{c}/{b}", &["/a/1/2"]).shows("GET /x/2/1"),
        template("twice", "/a/{b}", "/{b}{b}", &["/a/1"]).shows("GET /11"),
        template("the_rest", "/a/{b=**}", "/{b}", &["/a/1/2/3", "/a/"]).shows("GET /1/2/3"),
        template("suffix", "/a/{b=*}.m3u8", "/{b}", &["/a/1.m3u8"]).shows("GET /1"),
        template("unused", "/a/{b}", "/*", &["/a/1"]).shows("GET /*"),
        template("with_query", "/a/{b}", "/x/{b}", &["/a/1?q=2", "/a/1?"]),
        template("with_fragment_sign", "/a/{b}", "/x/{b}", &["/a/1%23"]),
        template("unmatched", "/a/{b}", "/x/{b}", &["/b"]),
    ]);
}
