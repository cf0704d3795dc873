//! What a proxy tells the next hop: `x-forwarded-*`, `x-envoy-*`, `x-request-id`, `via`, `server`.

use ringmain_tests::parity::{Case, case, compare};
use ringmain_tests::upstream::reply;

use crate::GET;

const EDGE: &str = "use_remote_address: true";
const INTERNAL: &str = "use_remote_address: true\ninternal_address_config: { cidr_ranges: [{ address_prefix: 0.0.0.0, prefix_len: 0 }] }";

fn with(lines: &str) -> String {
    format!("GET / HTTP/1.1\r\nhost: a.example\r\n{lines}\r\n\r\n")
}

#[test]
fn forwarded_for() {
    let xff = with("x-forwarded-for: 1.1.1.1, 2.2.2.2,3.3.3.3\r\nx-forwarded-proto: https");
    let hops = |name, fields: &str| case(name).hcm(fields).ask(&xff).ask(GET);
    compare(vec![
        hops("inner", "use_remote_address: false").shows("x-forwarded-for: 1.1.1.1, 2.2.2.2,3.3.3.3\n"),
        hops("edge", EDGE).shows("x-envoy-external-address"),
        hops("inner_two_hops", "xff_num_trusted_hops: 2").shows("remote 1.1.1.1"),
        hops("inner_too_many_hops", "xff_num_trusted_hops: 9"),
        hops("edge_one_hop", "use_remote_address: true\nxff_num_trusted_hops: 1").shows("remote 3.3.3.3"),
        hops("edge_three_hops", "use_remote_address: true\nxff_num_trusted_hops: 3").shows("remote 1.1.1.1"),
        hops("edge_too_many_hops", "use_remote_address: true\nxff_num_trusted_hops: 9"),
        hops("edge_not_appending", "use_remote_address: true\nskip_xff_append: true"),
        hops("inner_not_appending", "skip_xff_append: true"),
        case("inner_odd_value").ask(with("x-forwarded-for: unknown")).ask(with("x-forwarded-for: 1.2.3.4:80")).ask(with("x-forwarded-for:")),
        case("inner_ipv6").ask(with("x-forwarded-for: 2001:db8::1")).ask(with("x-forwarded-for: [2001:db8::1]")),
        case("inner_ends_in_comma").ask(with("x-forwarded-for: 1.1.1.1,")).ask(with("x-forwarded-for: ,1.1.1.1")),
        case("proto_kept").ask(with("x-forwarded-proto: https")).shows("x-forwarded-proto: https"),
        case("proto_nonsense").ask(with("x-forwarded-proto: gopher")).ask(with("x-forwarded-proto:")).shows("HTTP/1.1"),
        case("proto_at_edge").hcm(EDGE).ask(with("x-forwarded-proto: https")).shows("x-forwarded-proto: http\n"),
        case("other_forwarded_headers")
            .hcm(EDGE)
            .ask(with("x-forwarded-host: h\r\nx-forwarded-port: 1\r\nx-forwarded-client-cert: By=x\r\nx-real-ip: 1.1.1.1\r\nx-original-host: o")),
    ]);
}

#[test]
fn forwarded_port() {
    let own = with("x-forwarded-port: 77\r\nx-forwarded-for: 1.1.1.1");
    let told = |name, fields: &str| {
        case(name).hcm(&format!("append_x_forwarded_port: true\n{fields}")).ask(GET).ask(&own)
    };
    compare(vec![
        told("port_inner", "").shows("x-forwarded-port: 77"),
        told("port_edge", EDGE).hides("x-forwarded-port: 77"),
        told("port_edge_one_hop", "use_remote_address: true\nxff_num_trusted_hops: 1")
            .shows("x-forwarded-port: 77"),
        case("port_not_asked_for").ask(GET).ask(&own).shows("x-forwarded-port: 77"),
    ]);
}

#[test]
fn internal_requests() {
    let ours = with(
        "x-envoy-internal: true\r\nx-envoy-external-address: 9.9.9.9\r\nx-envoy-downstream-service-cluster: c\r\n\
         x-envoy-downstream-service-node: n\r\nx-envoy-force-trace: 1\r\nx-envoy-retry-on: 5xx\r\n\
         x-envoy-max-retries: 2\r\nx-envoy-expected-rq-timeout-ms: 5\r\nx-envoy-original-path: /o\r\n\
         x-envoy-original-url: /u\r\nx-envoy-decorator-operation: d\r\nx-envoy-attempt-count: 4\r\n\
         x-envoy-ip-tags: t\r\nx-envoy-retriable-status-codes: 500\r\nx-envoy-hedge-on-per-try-timeout: true\r\n\
         x-envoy-something: else",
    );
    compare(vec![
        case("inner").ask(&ours),
        case("edge").hcm(EDGE).ask(&ours).hides("x-envoy-force-trace"),
        case("internal_edge").hcm(INTERNAL).ask(&ours).ask(GET).shows("x-envoy-internal: true"),
        case("internal_inner")
            .hcm("internal_address_config: { cidr_ranges: [{ address_prefix: 10.0.0.0, prefix_len: 8 }] }")
            .ask(with("x-forwarded-for: 10.1.2.3"))
            .ask(with("x-forwarded-for: 10.1.2.3, 10.4.5.6"))
            .ask(with("x-forwarded-for: 11.1.2.3"))
            .ask(GET)
            .shows("x-envoy-internal: true"),
        case("timeout_asked_internally")
            .hcm(INTERNAL)
            .ask(with("x-envoy-upstream-rq-timeout-ms: 700"))
            .shows("x-envoy-expected-rq-timeout-ms: 700"),
        case("timeout_asked_externally")
            .hcm(EDGE)
            .ask(with("x-envoy-upstream-rq-timeout-ms: 700"))
            .shows("x-envoy-expected-rq-timeout-ms: 15000"),
        case("timeout_asked_oddly").hcm(INTERNAL).ask(with("x-envoy-upstream-rq-timeout-ms: soon")).shows("HTTP/1.1 200"),
        case("timeout_asked_off").hcm(INTERNAL).ask(with("x-envoy-upstream-rq-timeout-ms: 0")).shows("HTTP/1.1 200"),
    ]);
}

#[test]
fn request_ids() {
    let own = with("x-request-id: my-own-id");
    let twice = |name, fields: &str| case(name).hcm(fields).ask(GET).ask(&own);
    compare(vec![
        twice("inner", "").shows("x-request-id: <uuid>").shows("x-request-id: my-own-id"),
        twice("edge", EDGE).hides("my-own-id"),
        twice("edge_preserving", "use_remote_address: true\npreserve_external_request_id: true")
            .shows("my-own-id"),
        twice("internal_edge", INTERNAL).shows("my-own-id"),
        twice("in_response", "always_set_request_id_in_response: true"),
        twice("not_generated", "generate_request_id: false").hides("<uuid>"),
        twice("not_generated_at_edge", "use_remote_address: true\ngenerate_request_id: false"),
        case("in_local_reply")
            .hcm("always_set_request_id_in_response: true")
            .routes("- match: { prefix: / }\n  direct_response: { status: 200 }")
            .ask(GET)
            .ask(&own),
        case("uuid_kept")
            .ask(with("x-request-id: 12345678-1234-1234-1234-123456789abc"))
            .shows("12345678-1234"),
        case("empty_id").ask(with("x-request-id:")),
    ]);
}

/// A case whose upstream names itself, or not.
fn served(name: &'static str, fields: &str) -> Case {
    case(name)
        .hcm(fields)
        .upstream(reply("HTTP/1.1 200 OK\r\nserver: up\r\ncontent-length: 0\r\n\r\n"))
        .upstream(reply("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"))
        .ask(GET)
        .ask(GET)
}

#[test]
fn identity() {
    let local = "- match: { prefix: / }\n  direct_response: { status: 200 }";
    compare(vec![
        served("server_overwritten", "").shows("server: envoy").hides("server: up"),
        served("server_named", "server_name: mine/1").shows("server: mine/1"),
        served("server_if_absent", "server_header_transformation: APPEND_IF_ABSENT")
            .shows("server: up")
            .shows("server: envoy"),
        served("server_passed", "server_header_transformation: PASS_THROUGH")
            .shows("server: up")
            .hides("server: envoy"),
        served("server_passed_local", "server_header_transformation: PASS_THROUGH").routes(local),
        served(
            "server_absent_local",
            "server_header_transformation: APPEND_IF_ABSENT\nserver_name: mine",
        )
        .routes(local),
        served("via", "via: ringside").shows("via: ringside"),
        case("via_appended")
            .hcm("via: ringside")
            .upstream(reply("HTTP/1.1 200 OK\r\nvia: 1.1 up\r\ncontent-length: 0\r\n\r\n"))
            .ask(with("via: 1.1 down"))
            .shows("via"),
        case("via_local").hcm("via: ringside").routes(local).ask(GET),
        case("date_kept")
            .upstream(reply("HTTP/1.1 200 OK\r\ndate: yesterday\r\ncontent-length: 0\r\n\r\n"))
            .ask(GET)
            .shows("date: yesterday"),
    ]);
}
