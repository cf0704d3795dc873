//! Where ringmain is meant to differ from Envoy, and why. Each entry is proven: both sides must do
//! exactly what it says.

use ringmain_tests::parity::{Case, Observation, case, observe};
use ringmain_tests::proxy::Program;
use ringmain_tests::upstream::{Act, ok, reply};

use crate::GET;

/// One intended difference.
struct Difference {
    /// What ringmain does otherwise, and the reason.
    reason: &'static str,
    /// How it shows; the case's name is the entry's id.
    case: Case,
    envoy: Outcome,
    ringmain: Outcome,
}

/// What the client and the upstream receive, normalised.
struct Outcome {
    client: &'static str,
    upstream: &'static str,
}

const OK: &str = "\
HTTP/1.1 200 OK
content-length: 2
x-envoy-upstream-service-time: <ms>
date: <date>
server: envoy
  body by length: \"ok\"
";

/// Codec errors are answered like this by both.
const BAD_REQUEST: Outcome = Outcome {
    client: "\
HTTP/1.1 400 Bad Request
content-length: 11
content-type: text/plain
date: <date>
server: envoy
connection: close
  body by length: \"Bad Request\"
[closed]
",
    upstream: "",
};

const BAD_GATEWAY: &str = "\
HTTP/1.1 502 Bad Gateway
content-length: 87
content-type: text/plain
date: <date>
server: envoy
  body by length: \"upstream connect error or disconnect/reset before headers. reset reason: protocol error\"
";

const ONE_GET: &str = "\
-- connection 1
GET / HTTP/1.1
host: a.example
x-forwarded-proto: http
x-request-id: <uuid>
x-envoy-expected-rq-timeout-ms: 15000
";

/// The list.
fn differences() -> Vec<Difference> {
    let mut list = ambiguous_requests();
    list.extend(ambiguous_responses());
    list.extend(connections());
    list
}

/// Requests that two recipients could read differently (RFC 9112 §11.2): Envoy is lenient, ringmain
/// answers 400.
fn ambiguous_requests() -> Vec<Difference> {
    let refused = |reason, case: Case, upstream| Difference {
        reason,
        case,
        envoy: Outcome { client: OK, upstream },
        ringmain: BAD_REQUEST,
    };
    vec![
        refused(
            "two Host lines name two hosts (RFC 9112 §3.2 demands 400); Envoy joins them",
            case("duplicate_host")
                .ask("GET / HTTP/1.1\r\nhost: a.example\r\nhost: b.example\r\n\r\n"),
            "-- connection 1
GET / HTTP/1.1
host: a.example,b.example
x-forwarded-proto: http
x-request-id: <uuid>
x-envoy-expected-rq-timeout-ms: 15000
",
        ),
        refused(
            "an empty Host names no host, and the next hop may choose another; Envoy forwards it",
            case("empty_host").ask("GET / HTTP/1.1\r\nhost:\r\n\r\n"),
            "-- connection 1
GET / HTTP/1.1
host: 
x-forwarded-proto: http
x-request-id: <uuid>
x-envoy-expected-rq-timeout-ms: 15000
",
        ),
        refused(
            "Host contradicts the absolute-form target; Envoy believes the target",
            case("host_contradicts_target")
                .ask("GET http://b.example/ HTTP/1.1\r\nhost: a.example\r\n\r\n"),
            "-- connection 1
GET / HTTP/1.1
host: b.example
x-forwarded-proto: http
x-request-id: <uuid>
x-envoy-expected-rq-timeout-ms: 15000
",
        ),
        refused(
            "a line that ends in LF alone is one line to some and part of a line to others; Envoy takes it for a line",
            case("bare_line_feeds").ask("GET / HTTP/1.1\nhost: a.example\n\n"),
            ONE_GET,
        ),
        refused(
            "a carriage return within a value ends a line to some; Envoy drops it",
            case("bare_carriage_return")
                .ask("GET / HTTP/1.1\r\nhost: a.example\r\nx-a: 1\r2\r\n\r\n"),
            "-- connection 1
GET / HTTP/1.1
host: a.example
x-a: 12
x-forwarded-proto: http
x-request-id: <uuid>
x-envoy-expected-rq-timeout-ms: 15000
",
        ),
        refused(
            "a folded line is a new line to some (RFC 9112 §5.2 allows 400); Envoy unfolds it",
            case("folded_line").ask("GET / HTTP/1.1\r\nhost: a.example\r\nx-a: 1\r\n 2\r\n\r\n"),
            "-- connection 1
GET / HTTP/1.1
host: a.example
x-a: 1 2
x-forwarded-proto: http
x-request-id: <uuid>
x-envoy-expected-rq-timeout-ms: 15000
",
        ),
        refused(
            "spaces in a request line decide where the target ends; Envoy skips the second",
            case("two_spaces").ask("GET  / HTTP/1.1\r\nhost: a.example\r\n\r\n"),
            ONE_GET,
        ),
    ]
}

/// Responses that two recipients could read differently.
fn ambiguous_responses() -> Vec<Difference> {
    vec![
        Difference {
            reason: "a status of four digits is no status (RFC 9110 §15); Envoy passes it on",
            case: case("four_digit_status")
                .upstream(reply("HTTP/1.1 2000 OK\r\ncontent-length: 0\r\n\r\n"))
                .ask(GET),
            envoy: Outcome {
                client: "\
HTTP/1.1 2000 Unknown
content-length: 0
x-envoy-upstream-service-time: <ms>
date: <date>
server: envoy
  body by length: \"\"
",
                upstream: ONE_GET,
            },
            ringmain: Outcome { client: BAD_GATEWAY, upstream: ONE_GET },
        },
        Difference {
            reason: "a 101 that nobody asked for would turn the connection over to another protocol; Envoy passes it on",
            case: case("unasked_switch")
                .upstream(vec![
                    Act::ReadBody,
                    Act::Send(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n".to_vec()),
                    Act::Close,
                ])
                .ask(GET),
            envoy: Outcome {
                client: "\
HTTP/1.1 101 Switching Protocols
x-envoy-upstream-service-time: <ms>
date: <date>
server: envoy
",
                upstream: ONE_GET,
            },
            ringmain: Outcome { client: BAD_GATEWAY, upstream: ONE_GET },
        },
    ]
}

/// Connections that end at an awkward moment.
fn connections() -> Vec<Difference> {
    const TWO_GETS: &str = "\
-- connection 1
GET / HTTP/1.1
host: a.example
x-forwarded-proto: http
x-request-id: <uuid>
x-envoy-expected-rq-timeout-ms: 15000
GET / HTTP/1.1
host: a.example
x-forwarded-proto: http
x-request-id: <uuid>
x-envoy-expected-rq-timeout-ms: 15000
";
    const REPLAYED: &str = "\
-- connection 1
GET / HTTP/1.1
host: a.example
x-forwarded-proto: http
x-request-id: <uuid>
x-envoy-expected-rq-timeout-ms: 15000
GET / HTTP/1.1
host: a.example
x-forwarded-proto: http
x-request-id: <uuid>
x-envoy-expected-rq-timeout-ms: 15000
-- connection 2
GET / HTTP/1.1
host: a.example
x-forwarded-proto: http
x-request-id: <uuid>
x-envoy-expected-rq-timeout-ms: 15000
";
    vec![Difference {
        reason: "a request that dies on a reused connection before any answer most likely met the upstream's idle \
                 timeout, and an idempotent one may be sent again (RFC 9110 §9.2.2); Envoy answers 503",
        case: case("replay_on_reused_connection")
            .upstream(ok())
            .upstream(vec![Act::ReadBody, Act::Close])
            .upstream(ok())
            .ask(GET)
            .ask(GET),
        envoy: Outcome {
            client: "\
HTTP/1.1 200 OK
content-length: 2
x-envoy-upstream-service-time: <ms>
date: <date>
server: envoy
  body by length: \"ok\"
HTTP/1.1 503 Service Unavailable
content-length: 95
content-type: text/plain
date: <date>
server: envoy
  body by length: \"upstream connect error or disconnect/reset before headers. reset reason: connection termination\"
",
            upstream: TWO_GETS,
        },
        ringmain: Outcome {
            client: "\
HTTP/1.1 200 OK
content-length: 2
x-envoy-upstream-service-time: <ms>
date: <date>
server: envoy
  body by length: \"ok\"
HTTP/1.1 200 OK
content-length: 2
x-envoy-upstream-service-time: <ms>
date: <date>
server: envoy
  body by length: \"ok\"
",
            upstream: REPLAYED,
        },
    }]
}

#[test]
fn each_side_does_what_the_list_says() {
    let list = differences();
    let cases: Vec<Case> = list.iter().map(|difference| difference.case.clone()).collect();
    let mut failures = check(&list, &observe(Program::Envoy, &cases, &[]), "envoy", |difference| {
        &difference.envoy
    });
    if std::env::var_os("PARITY_SHOW").is_none() {
        for program in Program::ringmains() {
            let observed = observe(program, &cases, &[]);
            failures +=
                &check(&list, &observed, &program.to_string(), |difference| &difference.ringmain);
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

fn check(
    list: &[Difference],
    observed: &[Observation],
    side: &str,
    outcome: impl Fn(&Difference) -> &Outcome,
) -> String {
    let mut failures = String::new();
    for (difference, observed) in list.iter().zip(observed) {
        let expected = outcome(difference);
        if observed.client != expected.client || observed.upstream != expected.upstream {
            failures += &format!(
                "=== {} ({}) through {side}\nclient:\n{}upstream:\n{}",
                difference.case.name(),
                difference.reason,
                observed.client,
                observed.upstream
            );
        }
    }
    failures
}
