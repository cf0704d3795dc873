//! `envoy.filters.http.set_filter_state`, and who reads what it puts there. Hash policies are held against
//! Envoy's with the load balancers.

use ringmain_tests::parity::{Case, compare};

use super::{filter, levels, per_route};
use crate::GET;
use crate::access_log_operators::own_logs;

fn value(key: &str, factory: &str, format: &str, rest: &str) -> String {
    format!(
        "- object_key: {key}\n  factory_key: {factory}\n  format_string: {{ text_format_source: {{ inline_string: \"{format}\" }}{rest} }}\n"
    )
}

fn fields(values: &[String]) -> String {
    format!("on_request_headers:\n{}", values.concat())
}

fn state(values: &[String]) -> String {
    filter("state", "set_filter_state", "Config", &fields(values))
}

fn logged(case: Case) -> Case {
    let operators = ["k", "k:PLAIN", "k:TYPED", "k:FIELD:f", "k:PLAIN):2", "none"];
    let operators = operators.map(|operator| match operator.split_once("):") {
        Some((inner, length)) => format!("%FILTER_STATE({inner}):{length}%"),
        None => format!("%FILTER_STATE({operator})%"),
    });
    let members: String = operators
        .iter()
        .enumerate()
        .map(|(at, operator)| format!("    o{at}: '{operator}'\n"))
        .collect();
    case.access_logs(&own_logs(
        &format!(
            "log_format:\n  text_format_source: {{ inline_string: \"{}\\n\" }}",
            operators.join(" | ")
        ),
        &format!("log_format:\n  json_format:\n{members}"),
    ))
    .ask(GET)
}

#[test]
fn what_is_put_there() {
    let with = |name, values: &[String]| logged(levels(name, "", "").http_filters(&state(values)));
    let string = "envoy.string";
    compare(vec![
        with("string", &[value("k", string, "%REQ(:METHOD)%-%PROTOCOL%", "")])
            .shows("GET-HTTP/1.1"),
        with("hashable", &[value("k", "envoy.hashable_string", "abc", "")]),
        with("quoted", &[value("k", string, "a\\\"b\\\\c", "")]),
        with("missing", &[value("k", string, "%REQ(x-none)%", "")]),
        with("omitted", &[value("k", string, "%REQ(x-none)%", ", omit_empty_values: true")]),
        with("last_counts", &[value("k", string, "one", ""), value("k", string, "two", "")]),
        with(
            "skipped",
            &[
                value("k", string, "one", ""),
                value("k", string, "%REQ(x-none)%", ", omit_empty_values: true")
                    + "  skip_if_empty: true\n",
            ],
        ),
        with("other_key", &[value("l", string, "one", "")]),
        with("key_is_factory", &[value("envoy.string", "''", "one", "")]),
        logged(
            levels(
                "levels",
                &per_route(
                    "state",
                    "set_filter_state",
                    "Config",
                    &fields(&[value("k", string, "host", "")]),
                ),
                &per_route(
                    "state",
                    "set_filter_state",
                    "Config",
                    &fields(&[value("k", string, "%FILTER_STATE(k:PLAIN)%-route", "")]),
                ),
            )
            .http_filters(&state(&[value("k", string, "filter", "")])),
        ),
    ]);
}

#[test]
fn who_reads_it() {
    let rbac = |key: &str, value: &str| {
        filter(
            "rbac",
            "rbac",
            "RBAC",
            &format!(
                "rules: {{ action: ALLOW, policies: {{ p: {{ permissions: [{{ any: true }}], principals: [{{ filter_state: {{ key: {key}, string_match: {{ prefix: {value} }} }} }}] }} }} }}"
            ),
        )
    };
    let user = state(&[value("user", "envoy.string", "%REQ(user-agent)%", "")]);
    let asked = |name, filters: String| {
        levels(name, "", "")
            .http_filters(&filters)
            .ask("GET / HTTP/1.1\r\nhost: a\r\nuser-agent: me too\r\n\r\n")
    };
    compare(vec![
        asked("rbac_takes", user.clone() + &rbac("user", "me")),
        asked("rbac_refuses", user.clone() + &rbac("user", "you")),
        asked("rbac_other_key", user.clone() + &rbac("none", "me")),
        levels(
            "in_headers",
            "",
            "request_headers_to_add: [{ header: { key: x-user, value: '%FILTER_STATE(user:PLAIN)%' } }]",
        )
        .http_filters(&user)
        .ask("GET / HTTP/1.1\r\nhost: a\r\nuser-agent: me too\r\n\r\n")
        .shows("x-user: me too"),
    ]);
}
