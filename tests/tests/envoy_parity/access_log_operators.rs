//! Every operator of access logs whose value can be told beforehand, as text and as JSON; the
//! others by shape.

use ringmain_tests::client::Step;
use ringmain_tests::parity::{Case, case, compare};
use ringmain_tests::upstream::{Act, ok, reply};

use crate::GET;

const REQUEST: &str = "POST /path/x?q=1&b=%20x&q=2 HTTP/1.1\r\nhost: a.example\r\nuser-agent: \
                       me \"quoted\"\r\ncontent-length: 3\r\n\r\nabc";

/// A case with the values of `operators` in two logs: as text in one, as JSON in the other.
pub fn logging(name: &'static str, operators: &[&str]) -> Case {
    let text: Vec<String> = operators.iter().map(|operator| format!("%{operator}%")).collect();
    let members: String =
        operators.iter().map(|operator| format!("      '{operator}': '%{operator}%'\n")).collect();
    case(name).access_logs(&own_logs(
        &format!(
            "log_format:\n  text_format_source: {{ inline_string: \"{}\\n\" }}",
            text.join(" | ")
        ),
        &format!("log_format:\n  json_format:\n{members}"),
    ))
}

/// Two logs to the case's own files.
pub fn own_logs(one: &str, other: &str) -> String {
    let log = |end: &str, format: &str| {
        format!(
            "- name: own\n  typed_config:\n    \"@type\": \
             type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog\n    \
             path: \"{{{{scratch}}}}/{{{{name}}}}.{end}\"\n{}",
            ringmain_tests::template::indented(format, 4)
        )
    };
    log("text", one) + &log("json", other)
}

#[test]
fn heads() {
    let heads = [
        "REQ(user-agent)",
        "REQ(x-none?USER-AGENT):2",
        "REQ(:method)",
        "REQ(:path)",
        "REQ(:authority)",
        "REQ(:scheme)",
        "REQ(host)",
        "REQ(x-none)",
        "RESP(x-up)",
        "RESP(:status)",
        "RESP(x-none?x-up):1",
        "PATH",
        "PATH(NQ)",
        "PATH(WQ:PATH)",
        "PATH(NQ:ORIG)",
        "PATH(WQ):5",
        "QUERY_PARAM(q)",
        "QUERY_PARAM(b)",
        "QUERY_PARAM(none)",
        "QUERY_PARAMS",
        "QUERY_PARAMS(ORIG):3",
        "REQUESTED_SERVER_NAME",
        "REQUESTED_SERVER_NAME(HOST_FIRST:HOST)",
        "REQUESTED_SERVER_NAME(SNI_FIRST:ORIG)",
        "PROTOCOL",
        "UPSTREAM_PROTOCOL",
        "RESPONSE_CODE",
    ];
    let answer = || reply("HTTP/1.1 200 OK\r\nx-up: up\r\ncontent-length: 2\r\n\r\nok");
    compare(vec![
        logging("plain", &heads).upstream(answer()).ask(REQUEST).shows("\"QUERY_PARAM(b)\":\" x\""),
        logging("rewritten", &heads)
            .upstream(answer())
            .routes(
                "- match: { prefix: /path }\n  route: { cluster: '{{cluster}}', prefix_rewrite: \
                 /new, host_rewrite_literal: other }",
            )
            .ask(REQUEST)
            .shows("\"PATH(NQ:ORIG)\":\"/path/x\""),
        logging("no_query", &heads).upstream(answer()).ask(GET).shows("\"QUERY_PARAMS\":null"),
        logging("refused", &heads).ask("NO\r\n\r\n").shows("\"PATH\":null"),
        logging("old_version", &heads)
            .hcm("http_protocol_options: { accept_http_10: true }")
            .ask("GET / HTTP/1.0\r\nhost: a\r\n\r\n")
            .shows("\"PROTOCOL\":\"HTTP/1.0\""),
    ]);
}

#[test]
fn counts() {
    let counts = [
        "BYTES_RECEIVED",
        "BYTES_SENT",
        "BYTES_RETRANSMITTED",
        "PACKETS_RETRANSMITTED",
        "DOWNSTREAM_WIRE_BYTES_RECEIVED",
        "DOWNSTREAM_HEADER_BYTES_RECEIVED",
        "DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED",
        "DOWNSTREAM_WIRE_BYTES_SENT",
        "DOWNSTREAM_HEADER_BYTES_SENT",
        "DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_SENT",
        "UPSTREAM_WIRE_BYTES_SENT",
        "UPSTREAM_WIRE_BYTES_RECEIVED",
        "UPSTREAM_HEADER_BYTES_SENT",
        "UPSTREAM_HEADER_BYTES_RECEIVED",
        "UPSTREAM_DECOMPRESSED_HEADER_BYTES_SENT",
        "UPSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED",
        "REQUEST_HEADERS_BYTES",
        "RESPONSE_HEADERS_BYTES",
        "RESPONSE_TRAILERS_BYTES",
        "UPSTREAM_REQUEST_ATTEMPT_COUNT",
    ];
    // The time that the upstream took has one digit more now and then, so it stays away.
    let case = |name| {
        logging(name, &counts)
            .routes("- match: { path: /direct }\n  direct_response: { status: 418, body: { inline_string: tea } }\n- match: { prefix: /refused }\n  route: { cluster: '{{refused}}' }\n- match: { prefix: / }\n  route: { cluster: '{{cluster}}' }\n  response_headers_to_remove: [x-envoy-upstream-service-time]")
    };
    compare(vec![
        case("by_length").ask(REQUEST).shows("\"BYTES_RECEIVED\":3"),
        case("twice").ask(REQUEST).ask(GET).shows("\"BYTES_RECEIVED\":0"),
        case("without_body").ask(GET),
        case("loose_spaces").ask("GET / HTTP/1.1\r\nhost:   a.example  \r\nx-a:b\r\n\r\n"),
        case("direct").ask("GET /direct HTTP/1.1\r\nhost: a\r\n\r\n").shows("\"BYTES_SENT\":3"),
        case("connection_refused").ask("GET /refused HTTP/1.1\r\nhost: a\r\n\r\n"),
        case("no_http").ask("NO\r\n\r\n"),
        case("body_in_chunks")
            .ask("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
            .shows("\"BYTES_RECEIVED\":3"),
    ]);
}

#[test]
fn the_way_of_a_request() {
    let way = [
        "ACCESS_LOG_TYPE",
        "RESPONSE_CODE_DETAILS",
        "RESPONSE_CODE_DETAILS(ALLOW_WHITESPACES)",
        "RESPONSE_FLAGS",
        "RESPONSE_FLAGS_LONG",
        "CUSTOM_FLAGS",
        "ROUTE_NAME",
        "VIRTUAL_CLUSTER_NAME",
        "LISTENER_NAME",
        "FILTER_CHAIN_NAME",
        "HOSTNAME",
        "ENVIRONMENT(PATH):1",
        "ENVIRONMENT(NOT_SET_ANYWHERE)",
        "LOCAL_REPLY_BODY",
        "UPSTREAM_HOST",
        "UPSTREAM_HOST_NAME",
        "UPSTREAM_HOST_NAME_WITHOUT_PORT",
        "UPSTREAM_CLUSTER",
        "UPSTREAM_CLUSTER_RAW",
        "UPSTREAM_TRANSPORT_FAILURE_REASON",
        "CONNECTION_TERMINATION_DETAILS",
        "TRACE_ID",
        "SPAN_ID",
        "ROUNDTRIP_DURATION",
        "DOWNSTREAM_PEER_OTHERNAME_SAN",
        "DOWNSTREAM_TLS_VERSION",
        "DOWNSTREAM_PEER_CERT_V_START(%s)",
        "UPSTREAM_PEER_SUBJECT",
        "TLS_JA3_FINGERPRINT",
        "DOWNSTREAM_TRANSPORT_FAILURE_REASON",
        "FILTER_STATE(a)",
        "FILTER_STATE(a:PLAIN):3",
        "UPSTREAM_FILTER_STATE(a)",
        "DYNAMIC_METADATA(a:b)",
        "METADATA(ROUTE:ns:text)",
        "METADATA(ROUTE:ns:number)",
        "METADATA(ROUTE:ns:object)",
        "METADATA(ROUTE:ns)",
        "METADATA(ROUTE:none:x)",
        "METADATA(ROUTE:ns:object):4",
        "METADATA(CLUSTER:ns:c)",
        "CLUSTER_METADATA(ns:c)",
        "CLUSTER_METADATA(ns)",
    ];
    let case = |name| {
        logging(name, &way)
            .routes("- name: direct\n  match: { path: /direct }\n  direct_response: { status: 418 }\n- match: { prefix: /refused }\n  route: { cluster: '{{refused}}' }\n- match: { prefix: /empty }\n  route: { cluster: '{{empty}}' }\n- name: routed\n  metadata: { filter_metadata: { ns: { text: a, number: 3, object: { z: 1, a: [true, 1.5, ~, 'x'] } } } }\n  match: { prefix: /path }\n  route: { cluster: '{{cluster}}' }")
            .cluster("metadata: { filter_metadata: { ns: { c: of-the-cluster } } }")
    };
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
    compare(vec![
        case("routed").ask(REQUEST).shows("\"METADATA(ROUTE:ns:number)\":3"),
        case("other_stat_name")
            .cluster("alt_stat_name: elsewhere\nmetadata: { filter_metadata: { ns: { c: 7 } } }")
            .ask(REQUEST),
        case("answered").ask(get("/direct")),
        case("refused_upstream").ask(get("/refused")).shows("delayed_connect_error"),
        case("no_host").ask(get("/empty")),
        case("no_route").ask(get("/")),
        case("no_request").ask("NO\r\n\r\n"),
    ]);
}

#[test]
fn addresses() {
    let addresses = [
        "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
        "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(16)",
        "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(0)",
        "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(33)",
        "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(x)",
        "DOWNSTREAM_DIRECT_REMOTE_ADDRESS",
        "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT(20)",
        "DOWNSTREAM_LOCAL_ADDRESS",
        "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
        "DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID",
        "DOWNSTREAM_DIRECT_LOCAL_ADDRESS",
        "DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT",
        "UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
        "UPSTREAM_REMOTE_ADDRESS",
        "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
        "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(8)",
        "UPSTREAM_REMOTE_ADDRESS_ENDPOINT_ID",
    ];
    compare(vec![
        logging("both_sides", &addresses).ask(GET).shows("127.0.0.0/16"),
        logging("nobody_there", &addresses)
            .routes("- match: { prefix: / }\n  route: { cluster: '{{refused}}' }")
            .ask(GET),
    ]);
}

#[test]
fn grpc_and_trailers() {
    let operators = [
        "GRPC_STATUS",
        "GRPC_STATUS(CAMEL_STRING)",
        "GRPC_STATUS(SNAKE_STRING)",
        "GRPC_STATUS(NUMBER)",
        "GRPC_STATUS_NUMBER",
        "TRAILER(x-t)",
        "TRAILER(x-none?x-t):2",
        "RESPONSE_TRAILERS_BYTES",
    ];
    let trailers = "typed_extension_protocol_options:\n  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:\n    \"@type\": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions\n    explicit_http_config: { http_protocol_options: { enable_trailers: true } }";
    let grpc = "GET / HTTP/1.1\r\nhost: a\r\ncontent-type: application/grpc\r\n\r\n";
    let with = |name, answer: &str| {
        logging(name, &operators)
            .hcm("http_protocol_options: { enable_trailers: true }")
            .cluster(trailers)
            .upstream(reply(answer))
    };
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\ngrpc-status: 5\r\nx-t: tv1\r\n\r\n";
    compare(vec![
        with("status_in_trailers", chunked).ask(grpc).shows("NOT_FOUND"),
        with("not_asked_by_grpc", chunked).ask(GET).shows("\"GRPC_STATUS\":null"),
        with("status_in_headers", "HTTP/1.1 200 OK\r\ngrpc-status: 7\r\ncontent-length: 0\r\n\r\n")
            .ask(grpc),
        with(
            "status_without_name",
            "HTTP/1.1 200 OK\r\ngrpc-status: 77\r\ncontent-length: 0\r\n\r\n",
        )
        .ask(grpc),
        with("status_ok", "HTTP/1.1 200 OK\r\ngrpc-status: 0\r\ncontent-length: 0\r\n\r\n")
            .ask(grpc),
        with("status_cancelled", "HTTP/1.1 200 OK\r\ngrpc-status: 1\r\ncontent-length: 0\r\n\r\n")
            .ask(grpc),
        with("no_status", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").ask(grpc),
        with("http_404", "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").ask(grpc),
    ]);
}

#[test]
fn formats() {
    let json = |name, fields: &str| {
        case(name).access_logs(&own_logs(
            "log_format: { text_format_source: { inline_string: \"%REQ(x-none)%|%RESPONSE_FLAGS%|%PROTOCOL%\\n\" }, omit_empty_values: true }",
            fields,
        ))
    };
    let values = "    z: '%RESPONSE_CODE%'\n    a: 'x-%RESPONSE_CODE%-%REQ(x-none)%'\n    n: 1.5\n    o: { b: '%REQ(x-none)%', a: '%REQ(user-agent)%', e: { q: '%REQ(x-none)%' } }\n    l: ['%PROTOCOL%', 1, '%REQ(x-none)%', { k: '%BYTES_SENT%' }, []]\n    empty: ''\n    lit: 'li%%t \"q\" é'\n    eo: {}\n    two: '%PROTOCOL%%REQ(x-none)%'\n    yes: true\n    no: ~\n    neg: -0.25\n";
    let odd = b"GET / HTTP/1.1\r\nhost: a\r\nuser-agent: a\"b\\c\xff\xc3\xa9\td/\x80<>&'e\r\n\r\n";
    let quoted = "GET / HTTP/1.1\r\nhost: a\r\nuser-agent: a\"b\\c\té\"\r\n\r\n";
    compare(vec![
        json("json", &format!("log_format:\n  json_format:\n{values}")).ask(REQUEST).shows("{\"a\":\"x-200--\""),
        json("json_omit", &format!("log_format:\n  omit_empty_values: true\n  json_format:\n{values}")).ask(REQUEST),
        json("json_bytes", &format!("log_format:\n  json_format:\n{values}")).ask(odd).shows("\\u00ff"),
        json("json_quotes", &format!("log_format:\n  json_format:\n{values}")).ask(quoted).shows("\\\"b"),
        json("json_sorted", "log_format:\n  json_format_options: { sort_properties: false }\n  json_format: { b: 1, a: 2 }").ask(GET),
        json("old_json", "json_format: { b: '%RESPONSE_CODE%', a: 'x' }").ask(GET),
        json("old_typed_json", "typed_json_format: { b: '%RESPONSE_CODE%', a: 'x' }").ask(GET),
        json("old_format", "format: \"%RESPONSE_CODE% old\\n\"").ask(GET),
        json("without_query", "log_format:\n  text_format_source: { inline_string: \"%REQ_WITHOUT_QUERY(:path)% %REQ_WITHOUT_QUERY(x-none?:PATH):3% %REQ_WITHOUT_QUERY(x-none)%\\n\" }\n  formatters:\n  - name: a\n    typed_config: { \"@type\": type.googleapis.com/envoy.extensions.formatter.req_without_query.v3.ReqWithoutQuery }").ask(REQUEST).shows("/path/x /pa -"),
        logging("unused", &["PROTOCOL"]).upstream(ok()).ask(GET),
    ]);
}

/// What is counted where not all goes well.
#[test]
fn bytes_on_the_wire() {
    let bytes = |name| {
        let operators = [
            "BYTES_RECEIVED",
            "DOWNSTREAM_WIRE_BYTES_RECEIVED",
            "UPSTREAM_WIRE_BYTES_SENT",
            "UPSTREAM_WIRE_BYTES_RECEIVED",
        ];
        logging(name, &operators)
    };
    let chunks =
        "POST / HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n";
    compare(vec![
        bytes("all_attempts")
            .routes(
                "- match: { prefix: / }\n  route: { cluster: '{{cluster}}', retry_policy: { retry_on: 5xx, \
                 retry_back_off: { base_interval: 0.001s } } }",
            )
            .upstream(reply("HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n"))
            .upstream(ok())
            .ask(GET)
            .shows("attempts 2"),
        bytes("client_left")
            .upstream(vec![Act::ReadBody, Act::Send(b"HTTP/1.1 200".to_vec()), Act::Stall])
            .send_pieces(&[GET, "", ""])
            .step(Step::HalfClose)
            .step(Step::ReadToEnd)
            .shows("downstream_remote_disconnect"),
        bytes("head_unfinished")
            .send("GET / HTTP/1.1\r\nhost")
            .step(Step::HalfClose)
            .step(Step::ReadToEnd),
        bytes("broken_chunk")
            .send_pieces(&[chunks, "", "", "2\r\nde\r\nzz\r\n"])
            .read()
            .shows("http1.codec_error"),
    ]);
}
