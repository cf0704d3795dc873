//! What routes ask of a request: kinds of paths, headers, parameters, cookies and the rest.

use ringmain_tests::parity::{Case, case, compare};

/// One route with `matcher`, and another for everything else.
fn matching(name: &'static str, matcher: &str) -> Case {
    case(name).routes(&format!(
        "- name: hit\n  match: {{ {matcher} }}\n  direct_response: {{ status: 200, body: {{ inline_string: 'hit' }} }}\n\
         - name: miss\n  match: {{ prefix: / }}\n  direct_response: {{ status: 200, body: {{ inline_string: 'miss' }} }}\n"
    ))
}

/// Asks for each target in turn.
fn targets(case: Case, targets: &[&str]) -> Case {
    targets.iter().fold(case, |case, target| {
        case.ask(format!("GET {target} HTTP/1.1\r\nhost: a.example\r\n\r\n"))
    })
}

/// Asks with each of these lists of header lines in turn.
fn headers(case: Case, lists: &[&[&str]]) -> Case {
    lists.iter().fold(case, |case, lines| {
        let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        case.ask(format!("GET / HTTP/1.1\r\nhost: a.example\r\n{lines}\r\n"))
    })
}

const PATHS: [&str; 22] = [
    "/a",
    "/A",
    "/a/",
    "/a/b",
    "/ab",
    "/a1",
    "/a?x=/b",
    "/x",
    "/y",
    "/x/",
    "/t/5/x",
    "/t/5=/x",
    "/t//x",
    "/t/5/6/x",
    "/t/",
    "/t",
    "/t/x/y.txt",
    "/t/x/y%20z.txt",
    "/t/q/z",
    "/t//z",
    "/t/5/x?q",
    "/a;x=1",
];

#[test]
fn paths() {
    let path = |name, matcher: &str| {
        targets(matching(name, matcher), &PATHS).shows("\"hit\"").shows("\"miss\"")
    };
    let template = |name, template: &str| {
        path(
            name,
            &format!(
                "path_match_policy: {{ name: t, typed_config: {{ '@type': type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig, path_template: '{template}' }} }}"
            ),
        )
    };
    compare(vec![
        path("separated_prefix", "path_separated_prefix: /a"),
        path("separated_prefix_loose", "path_separated_prefix: /a, case_sensitive: false"),
        path("regex_digit", r#"safe_regex: { regex: "/a\\d" }"#),
        path("regex_any", "safe_regex: { regex: '/a.*' }"),
        path("regex_alternatives", "safe_regex: { regex: '/x|/y' }"),
        path("regex_ignores_case_itself", "safe_regex: { regex: '(?i)/AB' }"),
        path("regex_heeds_case", "safe_regex: { regex: '/A' }, case_sensitive: false"),
        path("regex_braces", "safe_regex: { regex: '/t/[0-9]{1}/.' }"),
        path("regex_of_old_form", "safe_regex: { google_re2: {}, regex: '/t/.*' }"),
        template("template_variable", "/t/{id}/x"),
        template("template_star", "/t/*/x"),
        template("template_rest", "/t/**"),
        template("template_rest_variable", "/t/{a=**}/z"),
        template("template_pattern", "/t/{a=x/*}.txt"),
        template("template_slash", "/t/"),
        template("template_mixed", "/{x}b"),
    ]);
}

#[test]
fn order_of_kinds() {
    let answer = |name: &str, matcher: &str| {
        format!(
            "- name: {name}\n  match: {{ {matcher} }}\n  direct_response: {{ status: 200, body: {{ inline_string: '{name}' }} }}\n"
        )
    };
    let routes = [
        answer("digits", "safe_regex: { regex: '/t/[0-9]+' }"),
        answer("env", "prefix: /t, headers: [{ name: x-env, string_match: { exact: dev } }]"),
        answer("css", r#"safe_regex: { regex: ".*\\.css" }"#),
        answer("separated", "path_separated_prefix: /t"),
        answer("loose", "prefix: /T, case_sensitive: false"),
        answer("exact", "path: /tea"),
        answer("all", "safe_regex: { regex: '.*' }"),
    ]
    .concat();
    let dev = |case: Case, target: &str| {
        case.ask(format!("GET {target} HTTP/1.1\r\nhost: a\r\nx-env: dev\r\n\r\n"))
    };
    let ordered = targets(
        case("first_wins").routes(&routes),
        &["/t/5", "/t/5/6", "/t/a.css", "/tea", "/T/x", "/x.css", "/x", "/t"],
    );
    compare(vec![dev(dev(ordered, "/t/5"), "/tea").shows("\"env\"").shows("\"loose\"")]);
}

#[test]
fn header_matchers() {
    let header = |name, matcher: &str| {
        let case = matching(name, &format!("prefix: /, headers: [{{ {matcher} }}]"));
        headers(
            case,
            &[
                &[],
                &["x:"],
                &["x: 5"],
                &["x: 9"],
                &["x: 10"],
                &["x: +7"],
                &["x: 5x"],
                &["x: 5", "x: 6"],
                &["x: 6", "x: 5"],
                &["x: 5,6"],
                &["x: bab"],
                &["X: AB"],
            ],
        )
        .shows("\"hit\"")
    };
    compare(vec![
        header("present", "name: x, present_match: true"),
        header("absent", "name: x, present_match: false"),
        header("not_present", "name: x, present_match: true, invert_match: true"),
        header("not_absent", "name: x, present_match: false, invert_match: true"),
        header("unspecified", "name: X"),
        header("exact", "name: x, string_match: { exact: '5' }"),
        header("exact_second", "name: x, string_match: { exact: '6' }"),
        header("exact_list", "name: x, string_match: { exact: '5,6' }"),
        header("exact_empty", "name: x, string_match: { exact: '' }"),
        header("not_exact", "name: x, string_match: { exact: '5' }, invert_match: true"),
        header("prefix", "name: x, string_match: { prefix: '5' }"),
        header("suffix", "name: x, string_match: { suffix: x }"),
        header("contains", "name: x, string_match: { contains: A, ignore_case: true }"),
        header("exact_loose", "name: x, string_match: { exact: Ab, ignore_case: true }"),
        header("regex", "name: x, string_match: { safe_regex: { regex: '5.?' } }"),
        header("range", "name: x, range_match: { start: 5, end: 10 }"),
        header("not_range", "name: x, range_match: { start: 5, end: 10 }, invert_match: true"),
        header(
            "missing_is_empty",
            "name: x, string_match: { exact: '' }, treat_missing_header_as_empty: true",
        ),
        header(
            "missing_is_not_five",
            "name: x, string_match: { exact: '5' }, treat_missing_header_as_empty: true, invert_match: true",
        ),
        header(
            "missing_is_no_number",
            "name: x, range_match: { start: 5, end: 10 }, treat_missing_header_as_empty: true, invert_match: true",
        ),
        header(
            "missing_is_present",
            "name: x, present_match: true, treat_missing_header_as_empty: true",
        ),
        header("old_exact", "name: x, exact_match: '5'"),
        header("old_exact_empty", "name: x, exact_match: ''"),
        header("old_prefix", "name: x, prefix_match: '5'"),
        header("old_suffix", "name: x, suffix_match: '6'"),
        header("old_contains", "name: x, contains_match: ','"),
        header("old_regex", "name: x, safe_regex_match: { regex: '[a-z]+' }"),
        header("method", "name: ':method', string_match: { exact: GET }"),
        header("path", "name: ':path', string_match: { prefix: / }"),
        header("scheme", "name: ':scheme', string_match: { exact: http }"),
        header("authority", "name: ':authority', string_match: { suffix: .example }"),
        header("host", "name: host, string_match: { exact: a.example }"),
        header("hop_by_hop_is_gone", "name: connection, present_match: false"),
        header("request_id", "name: x-request-id, present_match: true"),
        header("forwarded_proto", "name: x-forwarded-proto, string_match: { exact: http }"),
        headers(
            matching(
                "folded_list",
                "prefix: /, headers: [{ name: accept, string_match: { exact: 'a,b' } }]",
            ),
            &[&["accept: a", "accept: b"], &["accept: a,b"], &["accept: a"]],
        )
        .shows("\"hit\""),
        headers(
            matching(
                "all_of_them",
                "prefix: /, headers: [{ name: x }, { name: z, string_match: { exact: '1' } }]",
            ),
            &[&["x: 1"], &["z: 1"], &["x: 1", "z: 1"], &["x: 1", "z: 2"]],
        )
        .shows("\"hit\"")
        .shows("\"miss\""),
    ]);
}

#[test]
fn query_parameters() {
    let parameter = |name, matcher: &str| {
        let case = matching(name, &format!("prefix: /, query_parameters: [{matcher}]"));
        targets(
            case,
            &[
                "/",
                "/?q",
                "/?q=",
                "/?q=1",
                "/?q=2&q=1",
                "/?q=a%20b",
                "/?q=a+b",
                "/?Q=1",
                "/?a&q=Abc",
                "/?&&q=1&",
                "/?q=1=2",
                "/?x=?q=1",
                "/?qq=1",
            ],
        )
        .shows("\"hit\"")
        .shows("\"miss\"")
    };
    compare(vec![
        parameter("unspecified", "{ name: q }"),
        parameter("present", "{ name: q, present_match: true }"),
        parameter("absent", "{ name: q, present_match: false }"),
        parameter("exact", "{ name: q, string_match: { exact: '1' } }"),
        parameter("empty", "{ name: q, string_match: { exact: '' } }"),
        parameter("encoded", "{ name: q, string_match: { exact: 'a%20b' } }"),
        parameter("loose", "{ name: q, string_match: { prefix: A, ignore_case: true } }"),
        parameter("regex", "{ name: q, string_match: { safe_regex: { regex: '[0-9]' } } }"),
        parameter("two", "{ name: q }, { name: a, present_match: false }"),
    ]);
}

#[test]
fn cookies() {
    let cookie = |name, matcher: &str| {
        let case = matching(name, &format!("prefix: /, cookies: [{{ {matcher} }}]"));
        headers(
            case,
            &[
                &[],
                &["cookie: c=1"],
                &["cookie: c=2"],
                &["cookie: d=1; c=1"],
                &["cookie: d=1;c=1"],
                &["cookie: c=\"1\""],
                &["cookie: c=1", "cookie: d=2"],
                &["cookie: d=2", "cookie: c=1"],
                &["cookie: c=2; c=1"],
                &["cookie: c=1; c=2"],
                &["cookie: c="],
                &["cookie: c"],
                &["cookie: c=a=b"],
                &["cookie: c = 1"],
                &["cookie: C=1"],
            ],
        )
        .shows("\"hit\"")
        .shows("\"miss\"")
    };
    compare(vec![
        cookie("exact", "name: c, string_match: { exact: '1' }"),
        cookie("not_exact", "name: c, string_match: { exact: '1' }, invert_match: true"),
        cookie("empty", "name: c, string_match: { exact: '' }"),
        cookie("with_equals", "name: c, string_match: { exact: 'a=b' }"),
        cookie("regex", "name: c, string_match: { safe_regex: { regex: '[0-9]' } }"),
    ]);
}

#[test]
fn other_conditions() {
    let plain = |name, matcher: &str| targets(matching(name, matcher), &["/", "/a?b"]);
    let metadata = |name, value: &str| {
        plain(
            name,
            &format!(
                "prefix: /, dynamic_metadata: [{{ filter: f, path: [{{ key: k }}], {value} }}]"
            ),
        )
    };
    compare(vec![
        headers(
            matching("grpc", "prefix: /, grpc: {}"),
            &[
                &["content-type: application/grpc+proto", "x-a: b"],
                &["content-type: application/grpc-web"],
                &["content-type: application/json"],
                &[],
            ],
        )
        .shows("\"miss\""),
        plain("fraction_none", "prefix: /, runtime_fraction: { default_value: { numerator: 0 } }")
            .shows("\"miss\""),
        plain(
            "fraction_all",
            "prefix: /, runtime_fraction: { default_value: { numerator: 1000000, denominator: MILLION } }",
        )
        .shows("\"hit\""),
        plain("tls_unspecified", "prefix: /, tls_context: {}").shows("\"hit\""),
        plain("tls_presented", "prefix: /, tls_context: { presented: true }").shows("\"miss\""),
        plain("tls_not_presented", "prefix: /, tls_context: { presented: false }").shows("\"hit\""),
        plain("tls_validated", "prefix: /, tls_context: { validated: true }").shows("\"miss\""),
        metadata("metadata_present", "value: { present_match: true }").shows("\"miss\""),
        metadata("metadata_absent", "value: { present_match: false }").shows("\"miss\""),
        metadata("metadata_inverted", "value: { string_match: { exact: a } }, invert: true")
            .shows("\"hit\""),
        metadata("metadata_null", "value: { null_match: {} }").shows("\"miss\""),
    ]);
}

#[test]
fn connect_matcher() {
    let routes = |action: &str| {
        format!(
            "- name: tunnel\n  match: {{ connect_matcher: {{}} }}\n  {action}\n- name: rest\n  match: {{ prefix: / }}\n  direct_response: {{ status: 200 }}"
        )
    };
    let connect = "CONNECT b.example:80 HTTP/1.1\r\nhost: b.example:80\r\n\r\n";
    compare(vec![
        case("connect_to_cluster")
            .routes(&routes("route: { cluster: '{{cluster}}' }"))
            .ask(connect)
            .shows("HTTP/1.1 403"),
        case("connect_to_answer")
            .routes(&routes("direct_response: { status: 200 }"))
            .ask(connect)
            .shows("HTTP/1.1 403"),
        targets(case("get_passes_by").routes(&routes("direct_response: { status: 418 }")), &["/"])
            .shows("route rest"),
        case("connect_without_matcher")
            .routes("- match: { prefix: / }\n  direct_response: { status: 200 }")
            .ask(connect)
            .shows("HTTP/1.1 404"),
    ]);
}
