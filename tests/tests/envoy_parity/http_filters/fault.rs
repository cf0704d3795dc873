//! `envoy.filters.http.fault`.

use ringmain_tests::parity::{Case, compare};
use ringmain_tests::upstream::reply;

use super::{filter, levels, per_route};
use crate::GET;

const ABORT: &str = "abort: { http_status: 503, percentage: { numerator: 100 } }";
const DELAY: &str = "delay: { fixed_delay: 0.05s, percentage: { numerator: 100 } }";
const GRPC: &str =
    "POST / HTTP/1.1\r\nhost: a\r\ncontent-type: application/grpc\r\ncontent-length: 0\r\n\r\n";

fn faulty(name: &'static str, fields: &str) -> Case {
    levels(name, "", "").http_filters(&filter("fault", "fault", "HTTPFault", fields))
}

fn get(headers: &str) -> String {
    format!("GET / HTTP/1.1\r\nhost: a.example\r\n{headers}\r\n")
}

#[test]
fn aborts_and_delays() {
    let zero = ABORT.replace("100", "0");
    compare(vec![
        faulty("nothing", "").ask(GET),
        faulty("abort", ABORT).ask(GET).ask(GRPC).shows("fault_filter_abort"),
        faulty("abort_grpc", "abort: { grpc_status: 5, percentage: { numerator: 100 } }").ask(GET).ask(GRPC),
        faulty("abort_never", &zero).ask(GET),
        faulty("abort_by_default", "abort: { http_status: 500 }").ask(GET),
        faulty("delay", DELAY).ask(GET).shows(" DI "),
        faulty("delay_and_abort", &format!("{DELAY}\n{ABORT}")).ask(GET).shows("DI,FI"),
        faulty("abort_with_body", ABORT).ask("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello"),
        faulty("delay_with_body", DELAY).ask("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello").ask(GET),
        faulty("delay_refused", DELAY).routes("- match: { prefix: / }\n  route: { cluster: '{{refused}}' }").ask(GET),
        faulty("delay_direct", DELAY).routes("- match: { prefix: / }\n  direct_response: { status: 200 }").ask(GET),
        faulty("abort_body", "abort: { http_status: 503, response_body: 'own text', percentage: { numerator: 100 } }").ask(GET),
        faulty("full", &format!("{ABORT}\nmax_active_faults: 0")).ask(GET),
    ]);
}

#[test]
fn conditions() {
    let header = "headers: [{ name: x-fault, string_match: { exact: please } }]";
    compare(vec![
        faulty("if_header", &format!("{ABORT}\n{header}")).ask(GET).ask(get("x-fault: please\r\n")),
        faulty("if_cluster", &format!("{ABORT}\nupstream_cluster: if_cluster_cluster")).ask(GET),
        faulty("if_other_cluster", &format!("{ABORT}\nupstream_cluster: other")).ask(GET),
        faulty("if_node", &format!("{ABORT}\ndownstream_nodes: [n1, n2]"))
            .ask(GET)
            .ask(get("x-envoy-downstream-service-node: n2\r\n"))
            .ask(get("x-envoy-downstream-service-node: n3\r\n")),
        faulty("if_no_route", ABORT)
            .virtual_hosts("- { name: all, domains: [x], routes: [] }")
            .ask(GET),
    ]);
}

#[test]
fn controlled_by_headers() {
    let control = "abort: { header_abort: {}, percentage: { numerator: 100 } }\ndelay: { header_delay: {}, percentage: { numerator: 100 } }";
    let asked = |name, fields: &str| {
        faulty(name, fields)
            .ask(GET)
            .ask(get("x-envoy-fault-abort-request: 418\r\n"))
            .ask(get("x-envoy-fault-abort-request: 99\r\n"))
            .ask(get("x-envoy-fault-abort-request: x\r\n"))
            .ask(get("x-envoy-fault-abort-grpc-request: 5\r\n"))
            .ask(get("x-envoy-fault-delay-request: 20\r\n"))
            .ask(get("x-envoy-fault-delay-request: x\r\n"))
            .ask(get("x-envoy-fault-abort-request: 418\r\nx-envoy-fault-abort-request-percentage: 0\r\n"))
            .ask(get("x-envoy-fault-abort-request: 418\r\nx-envoy-fault-abort-request-percentage: 100\r\n"))
            .ask(get("x-envoy-fault-delay-request: 20\r\nx-envoy-fault-delay-request-percentage: 0\r\n"))
    };
    compare(vec![
        asked("header_control", control).shows("HTTP/1.1 418"),
        asked("header_control_capped", &control.replace("100", "0")),
    ]);
}

#[test]
fn responses_are_slowed() {
    let fixed =
        "response_rate_limit: { fixed_limit: { limit_kbps: 64 }, percentage: { numerator: 100 } }";
    let by_header = "response_rate_limit: { header_limit: {}, percentage: { numerator: 100 } }";
    let long = "a".repeat(9000);
    let slow = |name, fields: &str| {
        faulty(name, fields)
            .upstream(reply(format!("HTTP/1.1 200 OK\r\ncontent-length: 9000\r\n\r\n{long}")))
    };
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    compare(vec![
        slow("slowed", fixed).ask(GET),
        slow("slowed_never", &fixed.replace("numerator: 100", "numerator: 0")).ask(GET),
        faulty("slowed_chunks", fixed).upstream(reply(chunked)).ask(GET).ask(GET),
        faulty("slowed_nothing", fixed)
            .upstream(reply("HTTP/1.1 204 No Content\r\n\r\n"))
            .ask(GET),
        slow("slowed_after_delay", &format!("{fixed}\n{DELAY}")).ask(GET),
        slow("slowed_abort", &format!("{fixed}\n{ABORT}")).ask(GET),
        faulty("slowed_direct", fixed)
            .routes("- match: { prefix: / }\n  direct_response: { status: 200, body: { inline_string: hello } }")
            .ask(GET),
        slow("slowed_by_header", by_header)
            .ask(GET)
            .ask(get("x-envoy-fault-throughput-response: 64\r\n"))
            .ask(get("x-envoy-fault-throughput-response: 0\r\n"))
            .ask(get("x-envoy-fault-throughput-response: x\r\n"))
            .ask(get("x-envoy-fault-throughput-response: 64\r\nx-envoy-fault-throughput-response-percentage: 0\r\n")),
    ]);
}

#[test]
fn overrides() {
    let on_route = |fields: &str| per_route("fault", "fault", "HTTPFault", fields);
    let with = |name, host: &str, route: &str, fields: &str| {
        levels(name, host, route)
            .http_filters(&filter("fault", "fault", "HTTPFault", fields))
            .ask(GET)
    };
    compare(vec![
        with("fault_of_route", "", &on_route(ABORT), ""),
        with("fault_taken_away", "", &on_route(""), ABORT),
        with("fault_of_host", &on_route(ABORT), "", ""),
        with("fault_of_route_first", &on_route(ABORT), &on_route(&ABORT.replace("503", "502")), ""),
    ]);
}
