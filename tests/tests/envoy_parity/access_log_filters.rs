//! Which requests are logged: `AccessLog.filter`.

use ringmain_tests::parity::{Case, case, compare};
use ringmain_tests::upstream::{ok, reply};

use crate::GET;

/// Ten requests of various kinds, of which `filter` lets those through that the log shows.
fn filtered(name: &'static str, filter: &str) -> Case {
    let unit = |path: &str, fields: &str| {
        format!("GET {path} HTTP/1.1\r\nhost: a.example\r\n{fields}\r\n")
    };
    let by_status = |status: &str| {
        reply(format!("HTTP/1.1 {status} Status\r\n{GRPC_3}content-length: 0\r\n\r\n"))
    };
    case(name)
        .access_logs(&log(filter))
        .routes(
            "- match: { path: /refused }\n  route: { cluster: '{{refused}}' }\n\
             - match: { path: /none }\n  route: { cluster: '{{empty}}' }\n\
             - match: { path: /direct }\n  direct_response: { status: 202 }\n\
             - match: { prefix: /up }\n  route: { cluster: '{{cluster}}' }",
        )
        .upstream(ok())
        .upstream(by_status("404"))
        .upstream(ok())
        .ask(unit("/up/1", "x-a: 1\r\nx-request-id: 00000063-0000-4000-8000-000000000000\r\n"))
        .ask(unit("/up/2", "content-type: application/grpc\r\nx-request-id: 00000064-0000-4000-8000-000000000000\r\n"))
        .ask(unit("/up/3", "x-request-id: 00000030-0000-b000-8000-000000000000\r\n"))
        .ask(unit("/refused", "x-envoy-force-trace: 1\r\n"))
        .ask(unit("/none", "user-agent: Envoy/HC\r\n"))
        .ask(unit("/direct", "x-a: 2\r\nx-request-id: short\r\n"))
        .ask(unit("/nowhere", ""))
}

const GRPC_3: &str = "grpc-status: 3\r\n";

/// A log to the case's own file with what `filter` lets through.
fn log(filter: &str) -> String {
    format!(
        "- name: own\n  filter: {filter}\n  typed_config:\n    \"@type\": \
         type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog\n    \
         path: \"{{{{scratch}}}}/{{{{name}}}}.text\"\n    log_format:\n      text_format_source: \
         {{ inline_string: \"%ACCESS_LOG_TYPE% %REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS%\\n\" }}"
    )
}

fn status(name: &'static str, op: &str, value: u16) -> Case {
    filtered(
        name,
        &format!(
            "{{ status_code_filter: {{ comparison: {{ op: {op}, value: {{ default_value: {value}, runtime_key: a.b }} }} }} }}"
        ),
    )
}

#[test]
fn by_status_and_duration() {
    let duration = |name, op: &str, value: u32| {
        filtered(
            name,
            &format!(
                "{{ duration_filter: {{ comparison: {{ op: {op}, value: {{ default_value: {value}, runtime_key: a.b }} }} }} }}"
            ),
        )
    };
    compare(vec![
        status("status_eq", "EQ", 404).shows("/up/2 404"),
        status("status_ge", "GE", 404).shows("/none 503"),
        status("status_le", "LE", 202).shows("/direct 202"),
        status("status_ne", "NE", 503),
        duration("duration_ge", "GE", 0).shows("/up/1"),
        duration("duration_far", "GE", 60_000).hides("/up/1 200 -\n"),
        duration("duration_le", "LE", 60_000).shows("/up/1"),
    ]);
}

#[test]
fn by_what_the_request_says_and_meets() {
    compare(vec![
        filtered("header", "{ header_filter: { header: { name: x-a, string_match: { exact: '1' } } } }").shows("/up/1"),
        filtered("no_header", "{ header_filter: { header: { name: x-a, present_match: true, invert_match: true } } }").shows("/up/2"),
        filtered("any_flag", "{ response_flag_filter: {} }").shows("/nowhere 404 NR"),
        filtered("some_flags", "{ response_flag_filter: { flags: [UF, UH] } }").shows("/none 503 UH"),
        filtered("grpc_ok", "{ grpc_status_filter: { statuses: [OK, UNKNOWN] } }"),
        filtered("grpc_other", "{ grpc_status_filter: { statuses: [INVALID_ARGUMENT] } }").shows("/up/2"),
        filtered("grpc_exclude", "{ grpc_status_filter: { statuses: [UNAVAILABLE], exclude: true } }").shows("/up/2"),
        filtered("no_health_check", "{ not_health_check_filter: {} }").shows("/none 503"),
        filtered("traceable", "{ traceable_filter: {} }"),
        filtered("metadata", "{ metadata_filter: { matcher: { filter: f, path: [{ key: a }], value: { string_match: { exact: b } } } } }").shows("/up/1"),
        filtered("metadata_strict", "{ metadata_filter: { match_if_key_not_found: false, matcher: { filter: f, path: [{ key: a }], value: { string_match: { exact: b } }, invert: true } } }"),
        filtered("metadata_empty", "{ metadata_filter: { match_if_key_not_found: false } }"),
        filtered("log_type", "{ log_type_filter: { types: [DownstreamEnd] } }").shows("DownstreamEnd"),
        filtered("log_type_exclude", "{ log_type_filter: { types: [DownstreamEnd], exclude: true } }"),
        filtered("log_type_other", "{ log_type_filter: { types: [TcpConnectionEnd, NotSet] } }"),
    ]);
}

#[test]
fn by_chance_and_together() {
    compare(vec![
        filtered("all_sampled", "{ runtime_filter: { runtime_key: k, percent_sampled: { numerator: 100 } } }").shows("/up/1"),
        filtered("none_sampled", "{ runtime_filter: { runtime_key: k } }"),
        filtered("sampled_by_id", "{ and_filter: { filters: [{ runtime_filter: { runtime_key: k, percent_sampled: { numerator: 1 } } }, { header_filter: { header: { name: ':path', string_match: { prefix: /up } } } }] } }").shows("/up/2"),
        filtered("sampled_finely", "{ and_filter: { filters: [{ runtime_filter: { runtime_key: k, percent_sampled: { numerator: 100, denominator: TEN_THOUSAND } } }, { header_filter: { header: { name: ':path', string_match: { prefix: /up } } } }] } }").shows("/up/1"),
        filtered("independent", "{ runtime_filter: { runtime_key: k, percent_sampled: { numerator: 1000000, denominator: MILLION }, use_independent_randomness: true } }").shows("/up/1"),
        filtered("both", "{ and_filter: { filters: [{ response_flag_filter: {} }, { not_health_check_filter: {} }] } }").shows("/nowhere"),
        filtered("either", "{ or_filter: { filters: [{ response_flag_filter: { flags: [NR] } }, { header_filter: { header: { name: x-a } } }] } }").shows("/direct"),
        case("refused_by_the_codec")
            .access_logs(&log("{ header_filter: { header: { name: ':method', present_match: true, invert_match: true } } }"))
            .ask("NO\r\n\r\n"),
    ]);
}

#[test]
fn at_the_beginning_too() {
    let early = |name| {
        case(name)
            .hcm("access_log_options: { flush_access_log_on_new_request: true }")
            .access_logs(&log("{ log_type_filter: { types: [DownstreamStart, DownstreamEnd] } }"))
    };
    compare(vec![
        early("on_new_request").ask(GET).shows("DownstreamStart / 0 -"),
        early("on_new_request_without_route")
            .routes("- match: { path: /x }\n  route: { cluster: '{{cluster}}' }")
            .ask(GET),
        early("on_new_request_refused").ask("NO\r\n\r\n"),
        early("on_new_request_no_host").ask("GET / HTTP/1.1\r\n\r\n"),
        early("on_new_request_rewritten")
            .routes(
                "- match: { prefix: / }\n  route: { cluster: '{{cluster}}', prefix_rewrite: /new }",
            )
            .ask(GET),
        early("on_new_request_deprecated").hcm("flush_access_log_on_new_request: true").ask(GET),
    ]);
}
