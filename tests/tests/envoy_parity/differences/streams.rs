//! What is told of a stream, or done with it, otherwise than by Envoy.

use ringmain_tests::parity::{Case, case, observe};
use ringmain_tests::proxy::Program;
use ringmain_tests::template::indented;
use ringmain_tests::upstream::{Act, reply};

use crate::GET;
use crate::access_log_operators::logging;

/// A case, what only Envoy shows, and what only ringmain does; one of them may be nothing.
struct Telling {
    case: Case,
    envoy: &'static str,
    ringmain: &'static str,
}

const WEBSOCKET: &str =
    "GET / HTTP/1.1\r\nhost: a.example\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
const UPGRADES: &str = "upgrade_configs: [{ upgrade_type: websocket }]";

fn http_filter(package: &str, message: &str, fields: &str) -> String {
    let url = "type.googleapis.com/envoy.extensions.filters.http";
    format!(
        "- name: {package}\n  typed_config:\n    \"@type\": {url}.{package}.v3.{message}\n{}",
        indented(fields, 4)
    )
}

fn tellings() -> Vec<Telling> {
    let abort = "abort: { http_status: 503, percentage: { numerator: 100 } }";
    let internal = "use_remote_address: true\ninternal_address_config: { cidr_ranges: [{ address_prefix: 0.0.0.0, prefix_len: 0 }] }";
    let health =
        "pass_through_mode: false\nheaders: [{ name: ':path', string_match: { exact: /hc } }]";
    let number = "request_rules: [{ header: x-a, on_header_present: { metadata_namespace: ns, key: k, type: NUMBER } }]";
    vec![
        // JSON, in which metadata are told, has no such numbers.
        Telling {
            case: logging("hexadecimal_number", &["DYNAMIC_METADATA(ns:k)"])
                .http_filters(&http_filter("header_to_metadata", "Config", number))
                .ask("GET / HTTP/1.1\r\nhost: a\r\nx-a: 0x10\r\n\r\n"),
            envoy: "\n16\n",
            ringmain: "\n-\n",
        },
        // A parameter is decoded, and what is in it is no header of its own with either.
        Telling {
            case: case("line_break_from_an_operator")
                .routes("- match: { prefix: / }\n  route: { cluster: '{{cluster}}' }\n  request_headers_to_add: [{ header: { key: x-q, value: '%QUERY_PARAM(q)%' } }]")
                .upstream(reply("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"))
                .ask("GET /?q=a%0d%0ax-evil:1 HTTP/1.1\r\nhost: a\r\n\r\n"),
            envoy: "HTTP/1.1 503",
            ringmain: "x-q: ax-evil:1",
        },
        // A body of unknown length streams into one attempt.
        Telling {
            case: case("hedged_upload_in_chunks")
                .routes("- match: { prefix: / }\n  route: { cluster: '{{cluster}}', hedge_policy: { hedge_on_per_try_timeout: true }, retry_policy: { retry_on: 5xx, per_try_timeout: 0.15s } }")
                .upstream(vec![
                    Act::ReadBody,
                    Act::OfferClose,
                    Act::Send(b"HTTP/1.1 200 OK\r\nx-late: yes\r\ncontent-length: 0\r\n\r\n".to_vec()),
                ])
                .upstream(vec![Act::ReadBody, Act::Stall])
                .send_pieces(&["POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n", "2\r\nhi\r\n", "0\r\n\r\n"])
                .read(),
            envoy: "x-late: yes",
            ringmain: "HTTP/1.1 504",
        },
        // Each request's bytes are its own.
        Telling {
            case: logging("bytes_of_two", &["DOWNSTREAM_WIRE_BYTES_RECEIVED"])
                .send(format!("{GET}{GET}"))
                .read()
                .read(),
            envoy: "\n70\n35\n",
            ringmain: "\n35\n35\n",
        },
        // A header makes no stats.
        Telling {
            case: case("fault_by_cluster")
                .hcm(internal)
                .http_filters(&http_filter("fault", "HTTPFault", abort))
                .ask("GET / HTTP/1.1\r\nhost: a\r\nx-envoy-downstream-service-cluster: c\r\n\r\n"),
            envoy: "fault.c.aborts_injected: 1",
            ringmain: "",
        },
        // Nobody needs the body of a health check.
        Telling {
            case: case("health_check_with_body")
                .http_filters(&http_filter("health_check", "HealthCheck", health))
                .ask("POST /hc HTTP/1.1\r\nhost: a.example\r\ncontent-length: 2\r\n\r\nhi"),
            envoy: "",
            ringmain: "connection: close",
        },
        // Only 101 switches protocols (RFC 9110 §15.2.2).
        Telling {
            case: case("another_answer_to_an_upgrade")
                .hcm(UPGRADES)
                .upstream(reply("HTTP/1.1 426 Upgrade Required\r\nconnection: upgrade\r\nupgrade: x\r\ncontent-length: 2\r\n\r\nno"))
                .ask(WEBSOCKET),
            envoy: " 426 DC ",
            ringmain: " 426 - ",
        },
        // A 101 has to say what follows.
        Telling {
            case: case("switch_to_nothing")
                .hcm(UPGRADES)
                .upstream(vec![
                    Act::ReadBody,
                    Act::Send(b"HTTP/1.1 101 Switching Protocols\r\n\r\n".to_vec()),
                    Act::Close,
                ])
                .ask(WEBSOCKET),
            envoy: "HTTP/1.1 101 Switching Protocols",
            ringmain: "HTTP/1.1 502 Bad Gateway",
        },
        // The log tells what happened.
        Telling {
            case: case("redirect_against_a_predicate")
                .routes(&format!(
                    "- name: a\n  match: {{ path: / }}\n  route:\n    cluster: '{{{{cluster}}}}'\n    internal_redirect_policy:\n      predicates:\n      - name: p\n        typed_config: {{ \"@type\": type.googleapis.com/envoy.extensions.internal_redirect.{listed}, allowed_route_names: [none] }}\n- name: b\n  match: {{ prefix: / }}\n  route: {{ cluster: '{{{{cluster}}}}' }}",
                    listed = "allow_listed_routes.v3.AllowListedRoutesConfig"
                ))
                .upstream(reply("HTTP/1.1 302 Found\r\nlocation: http://a.example/other\r\ncontent-length: 0\r\n\r\n"))
                .ask(GET),
            envoy: "route b ",
            ringmain: "route a ",
        },
        // What follows a 2xx to CONNECT has no length (RFC 9110 §9.3.6).
        Telling {
            case: case("length_of_a_tunnel")
                .hcm("upgrade_configs: [{ upgrade_type: CONNECT }]")
                .routes("- match: { connect_matcher: {} }\n  route: { cluster: '{{cluster}}' }")
                .upstream(vec![
                    Act::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi".to_vec()),
                    Act::Close,
                ])
                .ask("CONNECT a.example:80 HTTP/1.1\r\nhost: a.example:80\r\n\r\n"),
            envoy: "content-length: 2",
            ringmain: "",
        },
    ]
}

#[test]
fn each_side_tells_its_own() {
    let list = tellings();
    let cases: Vec<Case> = list.iter().map(|telling| telling.case.clone()).collect();
    let mut failures = String::new();
    for program in [Program::Envoy].into_iter().chain(Program::ringmains()) {
        for (telling, observed) in list.iter().zip(observe(program, &cases, &[])) {
            let (own, others) = match program {
                Program::Envoy => (telling.envoy, telling.ringmain),
                _ => (telling.ringmain, telling.envoy),
            };
            let observed = observed.to_string();
            let shows_others = !others.is_empty() && observed.contains(others);
            if !observed.contains(own) || shows_others {
                let name = telling.case.name();
                failures += &format!("=== {name}: `{own}`, not `{others}`, {program}\n{observed}");
            }
        }
    }
    assert!(failures.is_empty(), "{failures}");
}
