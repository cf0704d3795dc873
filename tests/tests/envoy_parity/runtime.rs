//! Fields that take their value from a static layer of the runtime.

use std::fmt::Write;

use ringmain_tests::parity::{Case, case, compare};
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::Values;
use ringmain_tests::upstream::reply;

use crate::GET;

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: a.example\r\n\r\n")
}

/// A value of each kind under a key of its own, with the default none and with the default all.
#[test]
fn fractions_of_routes() {
    let values = [
        "5",
        "0",
        "-3",
        "100",
        "101",
        "1.5",
        "'0'",
        "'250.7'",
        "'-1'",
        "' 250'",
        "'0x10'",
        "true",
        "false",
        "'true'",
        "hello",
        "''",
        "12345678901234567890",
        "{}",
        "{ numerator: 100 }",
        "{ numerator: 0, denominator: HUNDRED }",
        "{ numerator: 1000000, denominator: MILLION }",
        "{ numerator: 1000000, denominator: WRONG }",
        "{ numerator: 1000000, denominator: 2 }",
        "{ denominator: MILLION }",
        "{ numerator: '100' }",
        "{ numerator: -7 }",
        "{ numerator: 100, other: 3 }",
        "{ deeper: 100 }",
    ];
    // Neither none nor all: what comes of it is chance.
    let by_chance = ["5", "1.5", "'0x10'"];
    let (mut routes, mut layer) = (String::new(), String::new());
    let mut asked = case("fractions");
    for (index, value) in values.iter().enumerate().filter(|(_, of)| !by_chance.contains(of)) {
        let _ = writeln!(layer, "fraction_{index}: {value}");
        for default in [0, 100] {
            let path = format!("/{default}/{index}");
            let _ = writeln!(
                routes,
                "- match: {{ path: {path}, runtime_fraction: {{ runtime_key: fraction_{index}, default_value: {{ numerator: {default} }} }} }}\n  direct_response: {{ status: 200 }}"
            );
            asked = asked.ask(get(&path));
        }
    }
    compare(vec![
        asked.routes(&routes).static_layer(&layer).shows("404").shows("200"),
        case("a_later_layer")
            .routes("- match: { prefix: /, runtime_fraction: { runtime_key: fraction_1, default_value: { numerator: 0 } } }\n  direct_response: { status: 200 }")
            .static_layer("fraction_1: 100\nfraction_3: ''")
            .ask(GET)
            .shows("200"),
    ]);
}

#[test]
fn shares_of_clusters_and_copies() {
    let weighted = "- match: { prefix: / }\n  route: { weighted_clusters: { runtime_key_prefix: weight, clusters: [{ name: '{{cluster}}', weight: 1 }, { name: '{{refused}}', weight: 99 }] } }";
    let mirrored = "- match: { prefix: / }\n  route: { cluster: '{{cluster}}', request_mirror_policies: [{ cluster: '{{mirror}}', runtime_fraction: { runtime_key: mirrored, default_value: { numerator: 0 } } }] }";
    compare(vec![
        case("weights")
            .routes(weighted)
            .static_layer("weight: { weights_cluster: 3, weights_refused: 0 }")
            .ask(GET)
            .shows("HTTP/1.1 200"),
        case("mirrored")
            .routes(mirrored)
            .static_layer("mirrored: 100")
            .ask(GET)
            .shows("host: a.example-shadow"),
    ]);
}

const FAULT: &str =
    "\"@type\": type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault";

fn fault(name: &'static str, fields: &str) -> Case {
    case(name)
        .http_filters(&format!(
            "- name: envoy.filters.http.fault\n  typed_config: {{ {FAULT}, {fields} }}"
        ))
        .ask(GET)
}

#[test]
fn faults_by_keys_of_their_own() {
    compare(vec![
        fault("abort_percent", "abort: { http_status: 503 }, abort_percent_runtime: abort_all")
            .static_layer("abort_all: 100")
            .shows("HTTP/1.1 503"),
        fault("abort_status", "abort: { http_status: 503, percentage: { numerator: 100 } }, abort_http_status_runtime: status")
            .static_layer("status: '429.9'")
            .shows("HTTP/1.1 429"),
        fault("grpc_status", "abort: { grpc_status: 5, percentage: { numerator: 100 } }, abort_grpc_status_runtime: grpc_status")
            .static_layer("grpc_status: 7")
            .ask("POST / HTTP/1.1\r\nhost: a.example\r\ncontent-type: application/grpc\r\ncontent-length: 0\r\n\r\n")
            .shows("grpc-status: 7"),
        fault("no_faults", "abort: { http_status: 503, percentage: { numerator: 100 } }, max_active_faults_runtime: none")
            .static_layer("none: 0")
            .shows("HTTP/1.1 200"),
        fault("no_number", "abort: { http_status: 503, percentage: { numerator: 100 } }, abort_percent_runtime: word")
            .static_layer("word: none")
            .shows("HTTP/1.1 503"),
    ]);
}

/// Keys that Envoy looks for without being told.
#[test]
fn faults_and_breakers_by_envoys_keys() {
    compare(vec![
        fault("known_status", "abort: { http_status: 503 }")
            .static_layer("fault.http.abort: { abort_percent: { numerator: 1000000, denominator: MILLION }, http_status: 418 }")
            .shows("HTTP/1.1 418"),
        case("no_retries")
            .static_layer("upstream.use_retry: 0")
            .routes("- match: { prefix: / }\n  route: { cluster: '{{cluster}}', retry_policy: { retry_on: 5xx, num_retries: 2 } }")
            .upstream(reply("HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n"))
            .ask(GET)
            .shows("HTTP/1.1 503"),
        case("some_retries")
            .static_layer("upstream: { use_retry: 100, base_retry_backoff_ms: 1 }")
            .routes("- match: { prefix: / }\n  route: { cluster: '{{cluster}}', retry_policy: { retry_on: 5xx, num_retries: 2 } }")
            .upstream(reply("HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n"))
            .ask(GET)
            .shows("URX"),
        case("no_requests")
            .static_layer("circuit_breakers: { no_requests_cluster: { default: { max_requests: 0 } } }")
            .cluster("circuit_breakers: { thresholds: [{ max_requests: 5 }] }")
            .ask(GET)
            .shows(" UO "),
        case("high_priority")
            .static_layer("circuit_breakers.high_priority_cluster.high.max_pending_requests: 0")
            .routes("- match: { prefix: / }\n  route: { cluster: '{{cluster}}', priority: HIGH }")
            .ask(GET)
            .shows(" UO "),
        case("no_budget")
            .static_layer("circuit_breakers.no_budget_cluster.default.retry_budget: { budget_percent: 0.0, min_retry_concurrency: 0 }")
            .routes("- match: { prefix: / }\n  route: { cluster: '{{cluster}}', retry_policy: { retry_on: 5xx } }")
            .upstream(reply("HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n"))
            .ask(GET)
            .shows(" UO "),
    ]);
}

#[test]
fn comparisons_and_samples_of_logs() {
    let log = |filter: &str| {
        format!(
            "- name: own\n  filter: {filter}\n  typed_config:\n    \"@type\": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog\n    path: \"{{{{scratch}}}}/{{{{name}}}}.text\"\n    log_format: {{ text_format_source: {{ inline_string: \"%RESPONSE_CODE%\\n\" }} }}"
        )
    };
    let routes = "- match: { path: /a }\n  direct_response: { status: 202 }\n- match: { path: /b }\n  direct_response: { status: 418 }";
    let logged = |name, filter: &str, layer: &str| {
        case(name)
            .access_logs(&log(filter))
            .routes(routes)
            .static_layer(layer)
            .ask(get("/a"))
            .ask(get("/b"))
    };
    let status = "{ status_code_filter: { comparison: { op: EQ, value: { default_value: 202, runtime_key: logged } } } }";
    compare(vec![
        logged("compared", status, "logged: 418"),
        logged(
            "sampled",
            "{ runtime_filter: { runtime_key: sample, percent_sampled: { numerator: 0, denominator: MILLION }, use_independent_randomness: true } }",
            "sample: 1000000",
        ),
        logged(
            "unsampled",
            "{ runtime_filter: { runtime_key: unsample, percent_sampled: { numerator: 100 } } }",
            "unsample: 0",
        ),
    ]);
}

/// A compressor that a key switches on or off, or not.
#[test]
fn flags() {
    let flag = |name, value: &str, default: bool| {
        let filter = format!(
            "- name: c\n  typed_config:\n    \"@type\": type.googleapis.com/envoy.extensions.filters.http.compressor.v3.Compressor\n    response_direction_config: {{ common_config: {{ enabled: {{ runtime_key: {name}, default_value: {default} }}, min_content_length: 1 }} }}\n    compressor_library: {{ name: g, typed_config: {{ \"@type\": type.googleapis.com/envoy.extensions.compression.gzip.compressor.v3.Gzip }} }}"
        );
        case(name)
            .http_filters(&filter)
            .routes("- match: { prefix: / }\n  direct_response: { status: 200, body: { inline_string: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa } }\n  response_headers_to_add: [{ header: { key: content-type, value: text/plain } }]")
            .static_layer(&format!("{name}: {value}"))
            .ask("GET / HTTP/1.1\r\nhost: a.example\r\naccept-encoding: gzip\r\n\r\n")
            .any_size()
    };
    let gzip = "content-encoding: gzip";
    compare(vec![
        flag("switched_on", "true", false).shows(gzip),
        flag("switched_off", "false", true).hides(gzip),
        flag("number", "5", false).shows(gzip),
        flag("zero", "0.0", true).hides(gzip),
        flag("fraction", "1.5", false).hides(gzip),
        flag("word", "'true'", false).hides(gzip),
    ]);
}

const LAYERS: &str = "layered_runtime:
  layers:
  - name: low
    static_layer:
      a: { int: 5, negative: -3, double: 1.5, long: 12345678901234567890, large: 1234567, text: hello, flag: true, deep: { x: 1 } }
      other: 1
      gone: 5
      empty: ''
  - name: high
    static_layer: { other: 2, gone: '', a.deep.x: 9 }
admin: { address: { socket_address: { address: 127.0.0.1, port_value: {{admin}} } } }
static_resources: {}
";

#[test]
fn admin_and_stats_tell_of_layers() {
    let told = |program| {
        let proxy = Proxy::start(program, LAYERS, &Values::new());
        let runtime = proxy.admin().get("/runtime").text();
        let mut runtime: serde_json::Value = serde_json::from_str(&runtime).expect("JSON");
        // Envoy's come in any order.
        runtime.sort_all_objects();
        let stats = proxy.admin().stats("%5Eruntime");
        format!("{runtime:#}\n{stats:#?}")
    };
    let expected = told(Program::Envoy);
    for program in Program::ringmains() {
        assert_eq!(told(program), expected, "{program}");
    }
}
