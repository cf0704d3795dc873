//! Attempts that go on while another one is made (`hedge_policy`).

use ringmain_tests::parity::{Case, case, compare};
use ringmain_tests::upstream::{Act, Reply, ok};

use crate::GET;

const HEDGED: &str = "hedge_policy: { hedge_on_per_try_timeout: true }";

/// A route that hedges, with these fields beside the policy's `retry_on` and `per_try_timeout`.
fn hedged(name: &'static str, policy: &str) -> Case {
    on_route(
        name,
        &format!(
            "{HEDGED}, retry_policy: {{ retry_back_off: {{ base_interval: 0.001s }}, retry_on: 5xx, per_try_timeout: 0.15s, {policy} }}"
        ),
    )
}

fn on_route(name: &'static str, fields: &str) -> Case {
    case(name).routes(&format!(
        "- match: {{ prefix: / }}\n  route: {{ cluster: '{{{{cluster}}}}', {fields} }}"
    ))
}

/// Never answers.
fn stalling() -> Reply {
    vec![Act::ReadBody, Act::Stall]
}

/// Answers when the attempt is overdue.
fn late(status: &str) -> Reply {
    let head = format!("HTTP/1.1 {status}\r\nx-late: yes\r\ncontent-length: 4\r\n\r\nlate");
    vec![Act::ReadBody, Act::OfferClose, Act::Send(head.into_bytes())]
}

#[test]
fn hedging() {
    compare(vec![
        hedged("second_wins", "").upstream(stalling()).upstream(ok()).ask(GET).shows("attempts 2").shows("200"),
        hedged("second_wins_with_body", "")
            .upstream(stalling())
            .upstream(ok())
            .ask("POST /a HTTP/1.1\r\nhost: a.example\r\ncontent-length: 3\r\n\r\nabc")
            .shows("attempts 2"),
        hedged("body_behind_the_head", "")
            .upstream(late("200 OK"))
            .upstream(stalling())
            .send_pieces(&["POST /a HTTP/1.1\r\nhost: a.example\r\ncontent-length: 6\r\n\r\n", "abc", "def"])
            .read()
            .ask(GET)
            .shows("x-late: yes"),
        hedged("body_behind_the_head_twice", "num_retries: 2")
            .upstream(stalling())
            .upstream(stalling())
            .upstream(ok())
            .send_pieces(&["POST /a HTTP/1.1\r\nhost: a.example\r\ncontent-length: 6\r\n\r\nab", "cd", "ef"])
            .read()
            .shows("attempts 3"),
        on_route("body_that_is_not_kept", &format!("{HEDGED}, retry_policy: {{ retry_on: 5xx, per_try_timeout: 0.15s }}"))
            .routes(&format!("- match: {{ prefix: / }}\n  per_request_buffer_limit_bytes: 4\n  route: {{ cluster: '{{{{cluster}}}}', {HEDGED}, retry_policy: {{ retry_on: 5xx, per_try_timeout: 0.15s }} }}"))
            .send_pieces(&["POST /a HTTP/1.1\r\nhost: a.example\r\ncontent-length: 6\r\n\r\n", "abc", "def"])
            .read()
            .shows("attempts 1"),
        on_route("without_effect", "hedge_policy: { initial_requests: 3, additional_request_chance: { numerator: 100 } }")
            .ask(GET)
            .shows("attempts 1"),
        hedged("first_wins", "").upstream(late("200 OK")).upstream(stalling()).ask(GET).shows("x-late: yes"),
        hedged("bad_first_is_not_waited_for", "num_retries: 2")
            .upstream(late("503 No"))
            .upstream(late("200 OK"))
            .upstream(stalling())
            .ask(GET)
            .shows("HTTP/1.1 200"),
        hedged("bad_second_is_made_good", "num_retries: 2")
            .upstream(stalling())
            .upstream(vec![Act::ReadBody, Act::Send(b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n".to_vec())])
            .upstream(ok())
            .ask(GET)
            .shows("attempts 3"),
        hedged("closed_second_is_made_good", "num_retries: 2")
            .upstream(stalling())
            .upstream(vec![Act::ReadBody, Act::Close])
            .upstream(ok())
            .ask(GET)
            .shows("attempts 3"),
        hedged("all_bad", "").upstream(late("503 No")).upstream(late("502 No")).ask(GET).shows("HTTP/1.1 50"),
        hedged("good_without_hedge", "").ask(GET).ask(GET).shows("attempts 1"),
        on_route("takes_too_long", &format!("timeout: 0s, {HEDGED}, retry_policy: {{ retry_on: 5xx, per_try_timeout: 0.15s }}"))
            .hcm("common_http_protocol_options: { max_stream_duration: 0.5s }")
            .upstream(stalling())
            .ask(GET)
            .shows("HTTP/1.1 504"),
        on_route("without_retries", &format!("{HEDGED}, retry_policy: {{ per_try_timeout: 0.15s }}"))
            .upstream(late("200 OK"))
            .ask(GET)
            .shows("attempts 1"),
        on_route("asked_by_header", "retry_policy: { retry_on: 5xx, per_try_timeout: 0.15s }")
            .hcm("use_remote_address: false\ninternal_address_config: { cidr_ranges: [{ address_prefix: 10.0.0.0, prefix_len: 8 }] }")
            .upstream(late("200 OK"))
            .upstream(stalling())
            .ask("GET / HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 10.0.0.1\r\nx-envoy-hedge-on-per-try-timeout: true\r\n\r\n")
            .shows("x-late: yes"),
        case("on_virtual_host")
            .virtual_hosts(&format!("- name: all\n  domains: ['*']\n  {HEDGED}\n  retry_policy: {{ retry_on: 5xx, per_try_timeout: 0.15s }}\n  include_request_attempt_count: true\n  routes:\n  - match: {{ prefix: / }}\n    route: {{ cluster: '{{{{cluster}}}}' }}"))
            .upstream(stalling())
            .upstream(ok())
            .ask(GET)
            .shows("x-envoy-attempt-count: 2"),
    ]);
}
