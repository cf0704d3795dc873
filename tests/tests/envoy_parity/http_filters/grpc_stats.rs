//! `envoy.filters.http.grpc_stats`: calls and messages counted in the stats of their cluster.

use ringmain_tests::parity::{Case, compare};
use ringmain_tests::upstream::{Reply, reply};

use super::{filter, levels};

const LISTED: &str =
    "individual_method_stats_allowlist: { services: [{ name: a.B, method_names: [C, E] }] }";
const ALL: &str = "stats_for_all_methods: true";
/// A message of two bytes, and the same twice.
const MESSAGE: &str = "\0\0\0\0\x02ab";
const TRAILERS: &str = "http_protocol_options: { enable_trailers: true }";
const TRAILERS_UPSTREAM: &str = r#"typed_extension_protocol_options:
  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
    "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
    explicit_http_config: { http_protocol_options: { enable_trailers: true } }
"#;
const LOGS: &str = "- name: file
  typed_config:
    \"@type\": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
    path: '{{scratch}}/{{name}}.text'
    log_format: { text_format_source: { inline_string: \"%FILTER_STATE(envoy.filters.http.grpc_stats)% \\
      %FILTER_STATE(envoy.filters.http.grpc_stats:PLAIN)% %FILTER_STATE(envoy.filters.http.grpc_stats:PLAIN):2% \\
      %FILTER_STATE(envoy.filters.http.grpc_stats:FIELD:response_message_count)% \\
      %FILTER_STATE(g)% %FILTER_STATE(envoy.filters.http.grpc_stats:FIELD:x)%\\n\" } }
- name: file
  typed_config:
    \"@type\": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
    path: '{{scratch}}/{{name}}.json'
    log_format: { json_format: { typed: '%FILTER_STATE(envoy.filters.http.grpc_stats)%',
      plain: '%FILTER_STATE(envoy.filters.http.grpc_stats:PLAIN)%',
      field: '%FILTER_STATE(envoy.filters.http.grpc_stats:FIELD:request_message_count)%' } }
";

fn grpc_stats(name: &'static str, fields: &str) -> Case {
    levels(name, "", "")
        .http_filters(&filter("g", "grpc_stats", "FilterConfig", fields))
        .hcm(TRAILERS)
        .cluster(TRAILERS_UPSTREAM)
        .access_logs(LOGS)
}

fn call(path: &str, content_type: &str, messages: &str) -> String {
    let size = messages.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: a.example\r\ncontent-type: {content_type}\r\ncontent-length: {size}\r\n\r\n{messages}"
    )
}

fn answer(head: &str, body: &str, trailers: &str) -> Reply {
    let size = body.len();
    let chunk = if body.is_empty() { String::new() } else { format!("{size:x}\r\n{body}\r\n") };
    reply(format!(
        "HTTP/1.1 {head}\r\ntransfer-encoding: chunked\r\n\r\n{chunk}0\r\n{trailers}\r\n"
    ))
}

const GRPC: &str = "200 OK\r\ncontent-type: application/grpc";

/// Calls of several kinds, with the same answers.
fn asked(case: Case) -> Case {
    let twice = &MESSAGE.repeat(2);
    case.upstream(answer(GRPC, twice, "grpc-status: 0\r\n"))
        .ask(call("/a.B/C", "application/grpc", MESSAGE))
        .upstream(answer(GRPC, MESSAGE, "grpc-status: 5\r\n"))
        .ask(call("/a.B/C", "application/grpc+proto", twice))
        .upstream(reply(format!("HTTP/1.1 {GRPC}\r\ngrpc-status: 16\r\ncontent-length: 0\r\n\r\n")))
        .ask(call("/a.B/D?x=y", "application/grpc", MESSAGE))
        .upstream(answer("200 OK\r\ncontent-type: text/plain", MESSAGE, ""))
        .ask(call("/a.B/E", "application/grpc", ""))
        .upstream(answer(GRPC, MESSAGE, "grpc-status: 0\r\n"))
        .ask(call("/no_method", "application/grpc", MESSAGE))
        .upstream(answer(GRPC, MESSAGE, "grpc-status: 0\r\n"))
        .ask(call("/a.B/C", "application/json", MESSAGE))
}

#[test]
fn calls_are_counted() {
    compare(vec![
        asked(grpc_stats("grpc_stats_unnamed", "")),
        asked(grpc_stats("grpc_stats_not_all", "stats_for_all_methods: false")),
        asked(grpc_stats("grpc_stats_listed", LISTED)),
        asked(grpc_stats("grpc_stats_all", ALL)),
        asked(grpc_stats(
            "grpc_stats_without_dots",
            &format!("{ALL}\nreplace_dots_in_grpc_service_name: true"),
        )),
        asked(grpc_stats(
            "grpc_stats_dots_of_the_listed",
            &format!("{LISTED}\nreplace_dots_in_grpc_service_name: true"),
        )),
        asked(grpc_stats("grpc_stats_state", "emit_filter_state: true")).shows("1,2").shows("2,1"),
    ]);
}

#[test]
fn calls_that_nobody_answers() {
    let routes = "- match: { prefix: / }\n  route: { cluster: '{{refused}}' }";
    let refused = grpc_stats("grpc_stats_refused", &format!("{ALL}\nemit_filter_state: true"))
        .routes(routes)
        .ask(call("/a.B/C", "application/grpc", MESSAGE));
    compare(vec![refused]);
}
