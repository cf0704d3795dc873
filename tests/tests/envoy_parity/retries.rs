//! Requests that are sent again.

use ringmain_tests::client::{Client, Step};
use ringmain_tests::h2_frame::{END_STREAM, code, headers, reset};
use ringmain_tests::h2_upstream::{H2Upstream, HTTP2};
use ringmain_tests::parity::{Case, case, compare};
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy};
use ringmain_tests::upstream::{Act, Reply, ok, reply};

use crate::GET;

const POST: &str = "POST /a HTTP/1.1\r\nhost: a.example\r\ncontent-length: 3\r\n\r\nabc";
const INTERNAL: &str = "x-forwarded-for: 10.0.0.1\r\n";

/// A route with a retry policy that does not wait.
fn policy(name: &'static str, policy: &str) -> Case {
    case(name).routes(&format!(
        "- match: {{ prefix: / }}\n  route: {{ cluster: '{{{{cluster}}}}', retry_policy: {{ retry_back_off: {{ base_interval: 0.001s }}, {policy} }} }}"
    ))
}

fn status(status: u16) -> Reply {
    reply(format!("HTTP/1.1 {status} Status\r\ncontent-length: 4\r\n\r\nnope"))
}

fn empty(status: u16) -> Reply {
    reply(format!("HTTP/1.1 {status} Status\r\ncontent-length: 0\r\n\r\n"))
}

fn closing() -> Reply {
    vec![Act::ReadBody, Act::Close]
}

#[test]
fn conditions() {
    compare(vec![
        policy("server_error", "retry_on: 5xx")
            .upstream(status(500))
            .upstream(ok())
            .ask(GET)
            .shows("HTTP/1.1 200")
            .shows("attempts 2"),
        policy("server_error_without_body", "retry_on: 5xx")
            .upstream(empty(503))
            .upstream(ok())
            .ask(GET)
            .ask(GET)
            .shows("HTTP/1.1 200"),
        policy("server_error_exhausted", "retry_on: 5xx, num_retries: 2")
            .upstream(status(500))
            .upstream(status(502))
            .upstream(status(503))
            .ask(GET)
            .shows("HTTP/1.1 503")
            .shows("URX"),
        policy("server_error_default_count", "retry_on: 5xx").upstream(status(500)).ask(GET).shows("URX"),
        policy("no_retries", "retry_on: 5xx, num_retries: 0").upstream(status(500)).ask(GET),
        policy("not_a_server_error", "retry_on: 5xx").upstream(status(404)).ask(GET),
        policy("gateway_error", "retry_on: gateway-error").upstream(status(502)).upstream(ok()).ask(GET),
        policy("not_a_gateway_error", "retry_on: gateway-error").upstream(status(500)).upstream(ok()).ask(GET),
        policy("conflict", "retry_on: retriable-4xx").upstream(status(409)).upstream(ok()).ask(GET),
        policy("not_a_conflict", "retry_on: retriable-4xx").upstream(status(404)).upstream(ok()).ask(GET),
        policy("status_codes", "retry_on: retriable-status-codes, retriable_status_codes: [404, 418]")
            .upstream(status(418))
            .upstream(ok())
            .ask(GET),
        policy("closed", "retry_on: reset").upstream(closing()).upstream(ok()).ask(GET),
        policy("closed_is_5xx", "retry_on: 5xx").upstream(closing()).upstream(ok()).ask(GET),
        policy("closed_exhausted", "retry_on: reset").upstream(closing()).ask(GET).shows("URX,UC").shows("retried and the latest"),
        policy("closed_is_no_connect_failure", "retry_on: connect-failure").upstream(closing()).upstream(ok()).ask(GET).shows("503"),
        policy("nonsense", "retry_on: reset")
            .upstream(vec![Act::ReadBody, Act::Send(b"nonsense\r\n\r\n".to_vec()), Act::Close])
            .upstream(ok())
            .ask(GET),
        policy("rate_limited", "retry_on: 5xx")
            .upstream(reply("HTTP/1.1 503 No\r\nx-envoy-ratelimited: true\r\ncontent-length: 0\r\n\r\n"))
            .upstream(ok())
            .ask(GET)
            .shows("HTTP/1.1 503"),
        policy("rate_limited_asked", "retry_on: envoy-ratelimited")
            .upstream(reply("HTTP/1.1 503 No\r\nx-envoy-ratelimited: true\r\ncontent-length: 0\r\n\r\n"))
            .upstream(ok())
            .ask(GET)
            .shows("HTTP/1.1 200"),
        policy("grpc_unavailable", "retry_on: unavailable")
            .upstream(reply("HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ngrpc-status: 14\r\ncontent-length: 0\r\n\r\n"))
            .upstream(ok())
            .ask(GET)
            .shows("attempts 2"),
        policy("unknown_condition", "retry_on: 'nonsense,5xx'").upstream(status(500)).upstream(ok()).ask(GET),
        policy("good_at_once", "retry_on: 5xx").ask(GET).ask(GET),
    ]);
}

#[test]
fn refused_connections() {
    let refused = |name: &'static str, on: &str| {
        case(name)
            .routes(&format!(
                "- match: {{ prefix: / }}\n  route: {{ cluster: '{{{{refused}}}}', retry_policy: {{ retry_on: {on}, num_retries: 2, retry_back_off: {{ base_interval: 0.001s }} }} }}"
            ))
            .ask(GET)
    };
    compare(vec![
        refused("refused_connect_failure", "connect-failure").shows("URX,UF"),
        refused("refused_5xx", "5xx").shows("URX,UF"),
        refused("refused_reset_before_request", "reset-before-request").shows("URX,UF"),
        refused("refused_retriable_4xx", "retriable-4xx").shows("UF"),
        case("nobody_to_retry")
            .routes("- match: { prefix: / }\n  route: { cluster: '{{empty}}', retry_policy: { retry_on: 5xx } }")
            .ask(GET),
    ]);
}

/// Each condition of gRPC with each of their statuses, in headers, and in trailers, which come too late.
#[test]
fn grpc_statuses() {
    const CONDITIONS: [(&str, u8); 5] = [
        ("cancelled", 1),
        ("deadline-exceeded", 4),
        ("resource-exhausted", 8),
        ("internal", 13),
        ("unavailable", 14),
    ];
    const NAMES: [[&str; 5]; 5] = [
        ["on_1_of_1", "on_1_of_4", "on_1_of_8", "on_1_of_13", "on_1_of_14"],
        ["on_4_of_1", "on_4_of_4", "on_4_of_8", "on_4_of_13", "on_4_of_14"],
        ["on_8_of_1", "on_8_of_4", "on_8_of_8", "on_8_of_13", "on_8_of_14"],
        ["on_13_of_1", "on_13_of_4", "on_13_of_8", "on_13_of_13", "on_13_of_14"],
        ["on_14_of_1", "on_14_of_4", "on_14_of_8", "on_14_of_13", "on_14_of_14"],
    ];
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\n";
    let answer =
        |status| reply(format!("{head}grpc-status: {status}\r\ncontent-length: 0\r\n\r\n"));
    let mut cases = Vec::new();
    for ((condition, _), names) in CONDITIONS.iter().zip(NAMES) {
        for ((_, status), name) in CONDITIONS.iter().zip(names) {
            let retry_on = format!("retry_on: {condition}");
            cases.push(policy(name, &retry_on).upstream(answer(status)).upstream(ok()).ask(GET));
        }
    }
    let trailers = format!("{head}transfer-encoding: chunked\r\n\r\n0\r\ngrpc-status: 14\r\n\r\n");
    cases.push(
        policy("in_trailers", "retry_on: unavailable")
            .upstream(reply(trailers))
            .upstream(ok())
            .ask(GET),
    );
    cases.push(
        policy("http3", "retry_on: http3-post-connect-failure")
            .upstream(closing())
            .upstream(ok())
            .ask(GET),
    );
    compare(cases);
}

#[test]
fn request_bodies_are_sent_again() {
    let large = format!(
        "POST /a HTTP/1.1\r\nhost: a.example\r\ncontent-length: 40000\r\n\r\n{}",
        "x".repeat(40_000)
    );
    compare(vec![
        policy("post", "retry_on: 5xx").upstream(status(500)).upstream(ok()).ask(POST).ask(POST),
        policy("post_closed", "retry_on: reset").upstream(closing()).upstream(ok()).ask(POST),
        policy("large_post", "retry_on: 5xx").upstream(status(500)).upstream(ok()).ask(&large).ask(GET),
        policy("large_post_closed", "retry_on: reset").upstream(closing()).upstream(ok()).ask(&large),
        policy("large_post_twice", "retry_on: 5xx, num_retries: 2")
            .upstream(status(500))
            .upstream(status(503))
            .upstream(ok())
            .ask(&large),
        policy("chunked_in_pieces", "retry_on: 5xx")
            .upstream(status(500))
            .upstream(ok())
            .send_pieces(&[
                "POST /a HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\n",
                "5\r\nhello\r\n",
                "6\r\n world\r\n0\r\n\r\n",
            ])
            .read()
            .ask(GET),
        case("too_much_to_keep")
            .routes("- match: { prefix: / }\n  per_request_buffer_limit_bytes: 1000\n  route: { cluster: '{{cluster}}', retry_policy: { retry_on: 5xx } }")
            .upstream(status(500))
            .upstream(ok())
            .ask(&large)
            .shows("HTTP/1.1 500"),
        case("virtual_host_policy")
            .virtual_hosts(
                "- name: all\n  domains: ['*']\n  retry_policy: { retry_on: 5xx, retry_back_off: { base_interval: 0.001s } }\n  include_request_attempt_count: true\n  include_attempt_count_in_response: true\n  routes:\n  - match: { prefix: / }\n    route: { cluster: '{{cluster}}' }",
            )
            .upstream(status(500))
            .upstream(ok())
            .ask(GET)
            .shows("x-envoy-attempt-count: 2"),
    ]);
}

#[test]
fn whether_the_attempt_before_took_too_long() {
    let told = |name, hedge: &str| {
        case(name).virtual_hosts(&format!("- name: all\n  domains: ['*']\n  {hedge}\n  retry_policy: {{ retry_on: '5xx,reset', per_try_timeout: 0.15s, num_retries: 2, retry_back_off: {{ base_interval: 0.001s }} }}\n  include_is_timeout_retry_header: true\n  routes:\n  - match: {{ prefix: / }}\n    route: {{ cluster: '{{{{cluster}}}}' }}"))
    };
    let stalling = || vec![Act::Stall];
    compare(vec![
        told("timed_out", "")
            .upstream(stalling())
            .upstream(ok())
            .ask(GET)
            .shows("x-envoy-is-timeout-retry: true"),
        told("bad", "")
            .upstream(status(500))
            .upstream(ok())
            .ask(GET)
            .shows("x-envoy-is-timeout-retry: false"),
        told("closed", "")
            .upstream(closing())
            .upstream(ok())
            .ask(GET)
            .shows("x-envoy-is-timeout-retry: false"),
        told("bad_after_time_out", "")
            .upstream(stalling())
            .upstream(status(500))
            .upstream(ok())
            .ask(GET)
            .shows("x-envoy-is-timeout-retry: false"),
        told("hedged", "hedge_policy: { hedge_on_per_try_timeout: true }")
            .upstream(stalling())
            .upstream(ok())
            .ask(GET)
            .shows("x-envoy-is-timeout-retry: true"),
        told("first", "")
            .ask(GET)
            .ask("GET / HTTP/1.1\r\nhost: a\r\nx-envoy-is-timeout-retry: maybe\r\n\r\n")
            .shows("x-envoy-is-timeout-retry: maybe"),
    ]);
}

#[test]
fn asked_by_the_client() {
    let asked = |name: &'static str, fields: &str| {
        case(name)
            .ask(format!("GET / HTTP/1.1\r\nhost: a.example\r\n{INTERNAL}{fields}\r\n"))
            .hcm("internal_address_config: { cidr_ranges: [{ address_prefix: 10.0.0.0, prefix_len: 8 }] }")
    };
    compare(vec![
        asked("asked_5xx", "x-envoy-retry-on: 5xx\r\n").upstream(status(500)).upstream(ok()),
        asked("asked_count", "x-envoy-retry-on: 5xx\r\nx-envoy-max-retries: 2\r\n")
            .upstream(status(500))
            .upstream(status(500))
            .upstream(ok()),
        asked("asked_no_retries", "x-envoy-retry-on: 5xx\r\nx-envoy-max-retries: 0\r\n").upstream(status(500)).upstream(ok()),
        asked("asked_codes", "x-envoy-retry-on: retriable-status-codes\r\nx-envoy-retriable-status-codes: 404,418\r\n")
            .upstream(status(418))
            .upstream(ok()),
        asked("asked_grpc", "x-envoy-retry-grpc-on: unavailable\r\n")
            .upstream(reply("HTTP/1.1 200 OK\r\ngrpc-status: 14\r\ncontent-length: 0\r\n\r\n"))
            .upstream(ok()),
    ]);
}

#[test]
fn attempts_that_take_too_long() {
    let stall: Reply = vec![Act::ReadBody, Act::Stall];
    compare(vec![
        policy("per_try", "retry_on: 5xx, per_try_timeout: 0.6s").upstream(stall.clone()).upstream(ok()).ask(GET),
        policy("per_try_exhausted", "retry_on: 5xx, per_try_timeout: 0.2s")
            .upstream(stall.clone())
            .ask(GET)
            .shows("URX,UT")
            .shows("upstream_per_try_timeout"),
        policy("per_try_alone", "per_try_timeout: 0.2s").upstream(stall.clone()).ask(GET).shows("504"),
        policy("per_try_idle", "retry_on: 5xx, per_try_idle_timeout: 0.6s").upstream(stall.clone()).upstream(ok()).ask(GET),
        policy("per_try_idle_inside_response", "retry_on: 5xx, per_try_idle_timeout: 0.6s")
            .upstream(vec![
                Act::ReadBody,
                Act::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc".to_vec()),
                Act::Stall,
            ])
            .ask(GET)
            .shows("200 UT")
            .shows("details upstream_per_try_idle_timeout"),
        case("per_try_longer_than_all")
            .routes("- match: { prefix: / }\n  route: { cluster: '{{cluster}}', timeout: 0.2s, retry_policy: { retry_on: 5xx, per_try_timeout: 0.3s } }")
            .upstream(stall.clone())
            .ask(GET)
            .shows("response_timeout"),
        case("timeout_is_not_retried")
            .routes("- match: { prefix: / }\n  route: { cluster: '{{cluster}}', timeout: 0.2s, retry_policy: { retry_on: 5xx } }")
            .upstream(stall.clone())
            .upstream(ok())
            .ask(GET)
            .shows("response_timeout"),
        case("alternative_response")
            .hcm("internal_address_config: { cidr_ranges: [{ address_prefix: 10.0.0.0, prefix_len: 8 }] }")
            .routes("- match: { prefix: / }\n  route: { cluster: '{{cluster}}', timeout: 0.2s }")
            .upstream(stall.clone())
            .ask(format!("GET / HTTP/1.1\r\nhost: a\r\n{INTERNAL}x-envoy-upstream-rq-timeout-alt-response: 1\r\n\r\n"))
            .shows("HTTP/1.1 204"),
        policy("per_try_upload", "retry_on: 5xx, per_try_timeout: 0.6s")
            .upstream(stall)
            .upstream(ok())
            .send_pieces(&["POST /a HTTP/1.1\r\nhost: a.example\r\ncontent-length: 6\r\n\r\n", "abc", "def"])
            .step(Step::Read),
    ]);
}

#[test]
fn headers_decide() {
    let limited = || reply("HTTP/1.1 200 OK\r\nx-later: 1\r\ncontent-length: 0\r\n\r\n");
    let by = |name, matchers: &str| {
        policy(name, &format!("retry_on: retriable-headers, retriable_headers: [{matchers}]"))
    };
    let internal =
        "internal_address_config: { cidr_ranges: [{ address_prefix: 10.0.0.0, prefix_len: 8 }] }";
    let only = |name, matchers: &str| {
        policy(name, &format!("retry_on: 5xx, retriable_request_headers: [{matchers}]"))
    };
    compare(vec![
        by("present", "{ name: X-Later }").upstream(limited()).upstream(ok()).ask(GET).shows("attempts 2"),
        by("value", "{ name: x-later, string_match: { exact: '1' } }").upstream(limited()).upstream(ok()).ask(GET).shows("attempts 2"),
        by("other_value", "{ name: x-later, string_match: { exact: '2' } }").upstream(limited()).upstream(ok()).ask(GET).shows("attempts 1"),
        by("any_of_two", "{ name: x-no }, { name: x-later }").upstream(limited()).upstream(ok()).ask(GET).shows("attempts 2"),
        by("inverted", "{ name: x-no, present_match: true, invert_match: true }").upstream(limited()).ask(GET).shows("URX"),
        by("by_status", "{ name: ':status', string_match: { exact: '404' } }").upstream(status(404)).upstream(ok()).ask(GET).shows("attempts 2"),
        policy("without_condition", "retry_on: 5xx, retriable_headers: [{ name: x-later }]").upstream(limited()).ask(GET).shows("attempts 1"),
        case("asked_names")
            .hcm(internal)
            .upstream(limited())
            .upstream(ok())
            .ask(format!("GET / HTTP/1.1\r\nhost: a\r\n{INTERNAL}x-envoy-retry-on: retriable-headers\r\nx-envoy-retriable-header-names: x-no, X-Later\r\n\r\n"))
            .shows("attempts 2"),
        only("request_matches", "{ name: ':method', string_match: { exact: GET } }").upstream(status(500)).upstream(ok()).ask(GET).shows("attempts 2"),
        only("request_does_not", "{ name: ':method', string_match: { exact: GET } }").upstream(status(500)).upstream(ok()).ask(POST).shows("attempts 1"),
        only("request_matches_one", "{ name: x-no }, { name: host }").upstream(status(500)).upstream(ok()).ask(GET).shows("attempts 2"),
        only("asked_and_does_not", "{ name: x-no }")
            .hcm(internal)
            .upstream(status(500))
            .upstream(ok())
            .ask(format!("GET / HTTP/1.1\r\nhost: a\r\n{INTERNAL}x-envoy-retry-on: 5xx\r\n\r\n"))
            .shows("attempts 1"),
    ]);
}

#[test]
fn hosts_that_do_not_answer() {
    let silent = |name: &'static str, action: &str| {
        case(name).routes(&format!(
            "- match: {{ prefix: / }}\n  route: {{ cluster: '{{{{silent}}}}', {action} }}"
        ))
    };
    compare(vec![
        silent("connecting_longer_than_all", "timeout: 0.3s")
            .ask(GET)
            .shows("response_timeout")
            .shows("504"),
        silent("connecting_longer_than_all_post", "timeout: 0.3s")
            .ask(POST)
            .shows("response_timeout"),
        silent("connecting_is_not_retried", "timeout: 0.3s, retry_policy: { retry_on: 5xx }")
            .ask(GET)
            .shows("attempts 1"),
        silent(
            "connecting_longer_than_a_try",
            "timeout: 0.6s, retry_policy: { retry_on: 5xx, per_try_timeout: 0.2s }",
        )
        .ask(GET),
        silent("connecting_idle", "timeout: 0s, idle_timeout: 0.3s")
            .ask(GET)
            .shows("stream_idle_timeout"),
        silent("connecting_for_nobody", "timeout: 5s").send(GET),
        silent("connect_timeout", "timeout: 5s")
            .cluster("connect_timeout: 0.3s")
            .ask(GET)
            .shows("UF"),
        silent("connect_timeout_retried", "retry_policy: { retry_on: connect-failure }")
            .cluster("connect_timeout: 0.3s")
            .ask(GET)
            .shows("URX,UF"),
        silent("connecting_longer_than_stream", "timeout: 5s")
            .hcm("common_http_protocol_options: { max_stream_duration: 0.3s }")
            .ask(GET)
            .shows("max_duration_timeout"),
        silent("upload_while_connecting", "timeout: 0.3s")
            .send_pieces(&[
                "POST /a HTTP/1.1\r\nhost: a.example\r\ncontent-length: 6\r\n\r\n",
                "abc",
                "def",
            ])
            .step(Step::Read),
    ]);
}

#[test]
fn budgets_and_waits() {
    // Without a timeout the next attempt is not told how much of it is left.
    const RATE_LIMITED: &str = "- match: { prefix: / }\n  route: { cluster: '{{cluster}}', timeout: 0s, retry_policy: { retry_on: 5xx, rate_limited_retry_back_off: { reset_headers: [{ name: retry-after }], max_interval: 2s } } }";
    let later = |seconds: u32| {
        reply(format!("HTTP/1.1 503 No\r\nretry-after: {seconds}\r\ncontent-length: 0\r\n\r\n"))
    };
    const BY_CLOCK: &str = "- match: { prefix: / }\n  route: { cluster: '{{cluster}}', timeout: 0s, retry_policy: { retry_on: 5xx, rate_limited_retry_back_off: { reset_headers: [{ name: X-RateLimit-Reset, format: UNIX_TIMESTAMP }], max_interval: 2s } } }";
    let until = |moment: &str| {
        reply(format!(
            "HTTP/1.1 503 No\r\nx-ratelimit-reset: {moment}\r\ncontent-length: 0\r\n\r\n"
        ))
    };
    let on_high = "- match: { prefix: / }\n  route: { cluster: '{{cluster}}', priority: HIGH, retry_policy: { retry_on: 5xx } }";
    compare(vec![
        case("waits_as_asked").routes(RATE_LIMITED).upstream(later(1)).upstream(ok()).ask(GET).shows("attempts 2"),
        case("asked_for_too_long").routes(RATE_LIMITED).upstream(later(300)).upstream(ok()).ask(GET).shows("attempts 2"),
        case("asked_for_a_moment_that_is_past").routes(BY_CLOCK).upstream(until("1000000000")).upstream(ok()).ask(GET).shows("backoff_exponential: 1"),
        case("asked_for_a_moment_too_far").routes(BY_CLOCK).upstream(until("99999999999")).upstream(ok()).ask(GET).shows("backoff_exponential: 1"),
        case("asked_for_no_moment").routes(BY_CLOCK).upstream(until("soon")).upstream(ok()).ask(GET).shows("backoff_exponential: 1"),
        policy("budget_of_none", "retry_on: 5xx")
            .cluster("circuit_breakers: { thresholds: [{ retry_budget: { budget_percent: { value: 0 }, min_retry_concurrency: 0 } }] }")
            .upstream(status(503))
            .ask(GET)
            .shows("UO"),
        policy("least_of_a_budget", "retry_on: 5xx")
            .cluster("circuit_breakers: { thresholds: [{ retry_budget: { budget_percent: { value: 0 } } }] }")
            .upstream(status(503))
            .upstream(ok())
            .ask(GET)
            .shows("attempts 2"),
        policy("no_retry_of_a_closed_connection", "retry_on: reset")
            .cluster("circuit_breakers: { thresholds: [{ max_retries: 0 }] }")
            .upstream(closing())
            .ask(GET)
            .shows("UO,UC"),
        case("retries_of_high_priority")
            .routes(on_high)
            .cluster("circuit_breakers: { thresholds: [{ max_retries: 0 }, { priority: HIGH, max_retries: 1 }] }")
            .upstream(status(503))
            .upstream(ok())
            .ask(GET)
            .shows("attempts 2"),
        case("no_retries_of_high_priority")
            .routes(on_high)
            .cluster("circuit_breakers: { thresholds: [{ priority: HIGH, max_retries: 0 }] }")
            .upstream(status(503))
            .ask(GET)
            .shows("UO"),
        case("body_beyond_the_route_s_limit")
            .routes("- match: { prefix: / }\n  request_body_buffer_limit: 2\n  route: { cluster: '{{cluster}}', retry_policy: { retry_on: 5xx } }")
            .upstream(status(503))
            .ask(POST)
            .shows("attempts 1"),
    ]);
}

#[test]
fn streams_that_are_refused() {
    let observed = |program, condition: &str| {
        let upstream = H2Upstream::start(|peer, request| match request.number {
            0 => peer.send(reset(request.stream, code::REFUSED_STREAM)),
            _ => peer.send(headers(request.stream, &[(":status", "204")], END_STREAM)),
        });
        let route = format!(
            "retry_policy: {{ retry_on: {condition}, retry_back_off: {{ base_interval: 0.001s }} }}"
        );
        let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
        let proxy = Proxy::start(program, &front_proxy("", &route, HTTP2), &values);
        let mut client = Client::connect(proxy.port("listener"));
        client.send(GET);
        let status = client.read_response().expect("an answer").status();
        let stats = "^cluster.backend.upstream_rq_(retry|retry_success|total|204|503|completed)$";
        (status, proxy.admin().stats(stats))
    };
    for condition in ["refused-stream", "reset", "5xx", "connect-failure", "gateway-error"] {
        let expected = observed(Program::Envoy, condition);
        for program in Program::ringmains() {
            assert_eq!(observed(program, condition), expected, "{program}, {condition}");
        }
    }
    assert_eq!(observed(Program::Envoy, "refused-stream").0, Some(204));
}
