//! `envoy.filters.http.header_to_metadata`: what it notes of headers and cookies.

use ringmain_tests::parity::{Case, compare};
use ringmain_tests::upstream::reply;

use super::{filter, levels, per_route};
use crate::GET;
use crate::access_log_operators::own_logs;

const OWN: &str = "envoy.filters.http.header_to_metadata";

fn rules(side: &str, rules: &[&str]) -> String {
    let rules: String = rules.iter().map(|rule| format!("- {{ {rule} }}\n")).collect();
    format!("{side}_rules:\n{rules}")
}

fn noting_filter(fields: &str) -> String {
    filter(
        "note",
        "header_to_metadata",
        "Config",
        &format!("stat_prefix: '{{{{name}}}}'\n{fields}"),
    )
}

/// A case with the metadata in its logs, as text and as JSON.
fn logged(case: Case) -> Case {
    let logs = own_logs(
        &format!(
            "log_format:\n  text_format_source: {{ inline_string: \"%DYNAMIC_METADATA(ns)% | %DYNAMIC_METADATA(ns:k)% | %DYNAMIC_METADATA({OWN}:k)%\\n\" }}"
        ),
        &format!(
            "log_format:\n  json_format: {{ ns: '%DYNAMIC_METADATA(ns)%', own: '%DYNAMIC_METADATA({OWN})%' }}"
        ),
    );
    case.access_logs(&logs)
}

/// Asks with each of these lists of header lines in turn.
fn requests(name: &'static str, fields: &str, lists: &[&str]) -> Case {
    let case = logged(levels(name, "", "")).http_filters(&noting_filter(fields));
    lists.iter().fold(case, |case, lines| {
        case.ask(format!("GET /p HTTP/1.1\r\nhost: a.example\r\n{lines}\r\n"))
    })
}

#[test]
fn of_headers() {
    let header = |name, rule: &str| {
        requests(
            name,
            &rules("request", &[rule]),
            &["", "x-a:\r\n", "X-A: one\r\n", "x-a: one\r\nx-a: two\r\n", "x-a: /a/b\r\n"],
        )
    };
    let present = "on_header_present: { metadata_namespace: ns, key: k";
    let missing = "on_header_missing: { metadata_namespace: ns, key: k, value: none";
    compare(vec![
        header("present", &format!("header: X-A, {present} }}")).shows("one,two"),
        header("missing", &format!("header: x-a, {missing} }}")).shows("none"),
        header("either", &format!("header: x-a, {present} }}, {missing} }}")).shows("none"),
        header("fixed", &format!("header: x-a, {present}, value: there }}")).shows("there"),
        header("own_namespace", "header: x-a, on_header_present: { key: k }").shows("one"),
        header("removed", &format!("header: x-a, {present} }}, remove: true")).hides("x-a: one"),
        header("removed_unless_missing", &format!("header: x-a, {missing} }}, remove: true"))
            .hides("x-a: one"),
        header("path", &format!("header: ':path', {present} }}")).shows("/p"),
        header("authority", &format!("header: host, {present} }}")).shows("a.example"),
        header(
            "rewritten",
            &format!(
                "header: x-a, {present}, regex_value_rewrite: {{ pattern: {{ regex: '^/([a-z]+)/.*$' }}, substitution: '<\\1>' }} }}"
            ),
        )
        .shows("<a>"),
        header(
            "rewritten_to_nothing",
            &format!(
                "header: x-a, {present}, regex_value_rewrite: {{ pattern: {{ regex: '.*' }}, substitution: '' }} }}"
            ),
        )
        .shows("regex_substitution_failed: 3"),
        header(
            "missing_and_rewritten",
            &format!(
                "header: x-a, {missing}, regex_value_rewrite: {{ pattern: {{ regex: '^$' }}, substitution: 'was' }} }}"
            ),
        ),
    ]);
}

#[test]
fn of_cookies() {
    let cookie = |name, rest: &str| {
        requests(
            name,
            &rules("request", &[&format!("cookie: c, {rest}")]),
            &[
                "",
                "cookie: c=1; d=2\r\n",
                "cookie: c=\r\n",
                "cookie: c=\"q\"\r\n",
                "cookie: d=1\r\ncookie: c=3\r\n",
            ],
        )
    };
    let present = "on_header_present: { metadata_namespace: ns, key: k }";
    compare(vec![
        cookie("cookie", present).shows("q"),
        cookie(
            "cookie_or_none",
            &format!(
                "{present}, on_header_missing: {{ metadata_namespace: ns, key: k, value: none }}"
            ),
        )
        .shows("none"),
    ]);
}

#[test]
fn several_rules() {
    let ns = |key: &str| format!("{{ metadata_namespace: ns, key: {key}");
    let (k, l) = (ns("k"), ns("l"));
    let lines = ["", "x-a: 1\r\nx-b: 2\r\n"];
    compare(vec![
        requests(
            "by_name",
            &rules(
                "request",
                &[
                    &format!("header: x-b, on_header_present: {l} }}"),
                    &format!("header: x-a, on_header_present: {k} }}"),
                ],
            ),
            &lines,
        ),
        requests(
            "last_wins",
            &rules(
                "request",
                &[
                    &format!("header: x-a, on_header_present: {k} }}"),
                    &format!("header: x-b, on_header_present: {k} }}"),
                ],
            ),
            &lines,
        ),
        requests(
            "removed_and_asked_again",
            &rules(
                "request",
                &[
                    &format!("header: x-a, on_header_present: {k} }}, remove: true"),
                    &format!("header: x-a, on_header_missing: {l}, value: gone }}"),
                ],
            ),
            &lines,
        )
        .shows("gone"),
        requests("without_rules", "", &lines),
    ]);
}

#[test]
fn types() {
    let typed = |name, fields: &str, values: &[&str]| {
        let lists: Vec<String> = values.iter().map(|value| format!("x-a: {value}\r\n")).collect();
        let lists: Vec<&str> = lists.iter().map(String::as_str).collect();
        let rule = format!(
            "header: x-a, on_header_present: {{ metadata_namespace: ns, key: k, {fields} }}"
        );
        requests(name, &rules("request", &[&rule]), &lists)
    };
    let long = "z".repeat(8191);
    let too_long = "z".repeat(8192);
    compare(vec![
        typed(
            "numbers",
            "type: NUMBER",
            &["1", "1.5", "-7", "+2", ".5", "1e3", "abc", "1 2", "123456789012"],
        )
        .shows("1.5"),
        typed(
            "short_numbers",
            "type: NUMBER",
            &[
                "1e15",
                "123456789012345680",
                "1e19",
                "-0",
                "0.0",
                "1e-5",
                "0.0001",
                "0.00001234",
                "1e100",
                "9007199254740993",
                "5e-324",
                "0.3333333333333333",
                "100000",
                "1234567",
                "999999999999999",
                "-1.5e-9",
            ],
        )
        .shows("1e+05"),
        typed(
            "base64",
            "encode: BASE64",
            &["aGVsbG8=", "aGVsbG8", "!!", "aGVs bG8=", "aGVsbG9", "="],
        )
        .shows("base64_decode_failed: 4"),
        typed("encoded_number", "type: NUMBER, encode: BASE64", &["MS41", "eHg="]).shows("1.5"),
        typed(
            "serialized",
            "type: PROTOBUF_VALUE, encode: BASE64",
            &["GgNhYmM=", "IAE=", "EQAAAAAAAPg/", "AAA="],
        )
        .shows("abc"),
        typed("serialized_unencoded", "type: PROTOBUF_VALUE", &["abc"]),
        typed("lengths", "type: STRING", &[&long, &too_long]).shows("header_value_too_long: 1"),
    ]);
}

#[test]
fn of_responses() {
    let rule = "header: x-r, on_header_present: { metadata_namespace: ns, key: k }, on_header_missing: { metadata_namespace: ns, key: k, value: none }, remove: true";
    let noting = |name| {
        logged(levels(name, "", "")).http_filters(&noting_filter(&rules("response", &[rule])))
    };
    let with = reply("HTTP/1.1 200 OK\r\nx-r: 1\r\nx-r: 2\r\ncontent-length: 0\r\n\r\n");
    let both =
        rules("request", &["header: x-r, on_header_present: { metadata_namespace: ns, key: q }"])
            + &rules("response", &[rule]);
    compare(vec![
        noting("upstreams").upstream(with.clone()).ask(GET).shows("1,2").hides("x-r: 1"),
        noting("upstreams_without").ask(GET).shows("response_header_not_found: 1"),
        noting("own_reply").routes("- match: { prefix: / }\n  direct_response: { status: 200 }\n  response_headers_to_add: [{ header: { key: x-r, value: '3' } }]").ask(GET),
        noting("no_route").routes("- match: { prefix: /a }\n  direct_response: { status: 200 }").ask(GET),
        logged(levels("both_sides", "", "")).http_filters(&noting_filter(&both)).upstream(with)
            .ask("GET / HTTP/1.1\r\nhost: a\r\nx-r: 0\r\n\r\n"),
    ]);
}

#[test]
fn of_routes() {
    let rule = |value: &str| {
        format!(
            "header: x-a, on_header_present: {{ metadata_namespace: ns, key: k, value: {value} }}"
        )
    };
    let of = |value: &str| {
        per_route(
            "note",
            "header_to_metadata",
            "Config",
            &format!("stat_prefix: '{{{{name}}}}.own'\n{}", rules("request", &[&rule(value)])),
        )
    };
    let case = |name, host: &str, route: &str| {
        logged(levels(name, host, route))
            .http_filters(&noting_filter(&rules("request", &[&rule("filter")])))
            .ask("GET / HTTP/1.1\r\nhost: a\r\nx-a: 1\r\n\r\n")
    };
    let disabled = "typed_per_filter_config:\n  note: { '@type': type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: true }";
    compare(vec![
        case("of_the_filter", "", "").shows("filter"),
        case("of_the_host", &of("host"), "").shows("host"),
        case("of_the_route", &of("host"), &of("route")).shows("route").hides("request_rules_processed: 2"),
        case("disabled", "", disabled),
        case("in_headers", "", "request_headers_to_add: [{ header: { key: x-note, value: '%DYNAMIC_METADATA(ns:k)%' } }]").shows("x-note: filter"),
        case("not_for_routes", "", "").routes("- name: noted\n  match: { prefix: /, dynamic_metadata: [{ filter: ns, path: [{ key: k }], value: { string_match: { exact: filter } } }] }\n  direct_response: { status: 201 }\n- name: all\n  match: { prefix: / }\n  direct_response: { status: 202 }").shows("202"),
    ]);
}
