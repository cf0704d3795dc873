//! `envoy.filters.http.set_metadata`, and who reads what it notes.

use ringmain_tests::parity::{Case, compare};

use super::{filter, levels};
use crate::GET;
use crate::access_log_operators::own_logs;

fn entry(fields: &str) -> String {
    format!("- {{ metadata_namespace: {fields} }}\n")
}

fn set(entries: &[&str]) -> String {
    let entries: String = entries.iter().map(|fields| entry(fields)).collect();
    filter("note", "set_metadata", "Config", &format!("metadata:\n{entries}"))
}

fn noting(name: &'static str, filters: &str) -> Case {
    let operators = ["ns", "ns:a", "ns:b", "ns:b:c", "ns:l", "mm"];
    let text: String =
        operators.iter().map(|path| format!("%DYNAMIC_METADATA({path})% | ")).collect();
    let members: String = operators
        .iter()
        .map(|path| format!("    '{path}': '%DYNAMIC_METADATA({path})%'\n"))
        .collect();
    levels(name, "", "")
        .http_filters(filters)
        .access_logs(&own_logs(
            &format!("log_format:\n  text_format_source: {{ inline_string: \"{text}\\n\" }}"),
            &format!("log_format:\n  json_format:\n{members}"),
        ))
        .ask(GET)
}

#[test]
fn what_is_noted() {
    compare(vec![
        noting("noted", &set(&["ns, value: { a: 1, b: { c: x }, l: [1, y] }"])).shows("y"),
        noting("kept", &set(&["ns, value: { a: 1 }", "ns, value: { a: 2 }"])),
        noting(
            "updated",
            &set(&[
                "ns, value: { z: 0, a: 1, b: { c: x, d: 1 }, l: [1] }",
                "ns, allow_overwrite: true, value: { a: two, b: { c: y, a: 0 }, l: [{ k: v }], m: null }",
                "mm, value: { only: true }",
            ]),
        ),
        noting("two_filters", &(set(&["ns, value: { a: 1 }"]) + &set(&["ns, value: { a: 2 }"]))),
        noting(
            "older_fields",
            &filter("note", "set_metadata", "Config", "metadata_namespace: ns\nvalue: { a: old }"),
        ),
        noting("numbers", &set(&["ns, value: { a: 1.5, b: { c: 100000000000 }, l: [] }"])),
    ]);
}

#[test]
fn who_reads_it() {
    let rbac = |value: &str| {
        filter(
            "rbac",
            "rbac",
            "RBAC",
            &format!(
                "rules: {{ action: ALLOW, policies: {{ p: {{ permissions: [{{ metadata: {{ filter: ns, path: [{{ key: a }}], value: {{ string_match: {{ exact: {value} }} }} }} }}], principals: [{{ any: true }}] }} }} }}"
            ),
        )
    };
    let note = set(&["ns, value: { a: 'yes' }"]);
    let filtered = |name, fields: &str| {
        let log = format!(
            "- name: own\n  filter: {{ metadata_filter: {{ {fields} }} }}\n  typed_config:\n    \"@type\": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog\n    path: \"{{{{scratch}}}}/{{{{name}}}}.text\"\n    log_format: {{ text_format_source: {{ inline_string: \"line\\n\" }} }}\n"
        );
        levels(name, "", "")
            .http_filters(&set(&["ns, value: { a: 'yes', z: null }"]))
            .access_logs(&log)
            .ask(GET)
    };
    let matcher = |path: &str, value: &str| {
        format!("matcher: {{ filter: ns, path: [{{ key: {path} }}], value: {{ {value} }} }}")
    };
    compare(vec![
        levels("rbac_takes", "", "").http_filters(&(note.clone() + &rbac("'yes'"))).ask(GET),
        levels("rbac_refuses", "", "").http_filters(&(note.clone() + &rbac("'no'"))).ask(GET),
        levels("rbac_before", "", "").http_filters(&(rbac("'yes'") + &note)).ask(GET),
        filtered("log_yes", &matcher("a", "string_match: { exact: 'yes' }")),
        filtered("log_no", &matcher("a", "string_match: { exact: 'no' }")),
        filtered("log_inverted", &format!("{}, match_if_key_not_found: false", matcher("a", "string_match: { exact: 'no' }").replace("filter: ns", "filter: ns, invert: true"))),
        filtered("log_absent", &matcher("b", "string_match: { exact: 'no' }")),
        filtered("log_absent_no", &format!("{}, match_if_key_not_found: false", matcher("b", "string_match: { exact: 'no' }"))),
        filtered("log_null", &format!("{}, match_if_key_not_found: false", matcher("z", "null_match: {}"))),
        levels("in_headers", "", "request_headers_to_add: [{ header: { key: x-note, value: '%DYNAMIC_METADATA(ns:a)%' } }]")
            .http_filters(&note)
            .ask(GET)
            .shows("x-note"),
    ]);
}
