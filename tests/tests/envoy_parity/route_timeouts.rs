//! How long a stream may last by its route: `max_stream_duration` and `grpc-timeout`.

use ringmain_tests::parity::{Case, case, compare};
use ringmain_tests::upstream::{Act, ok};

use super::GET;

fn route(name: &'static str, fields: &str) -> Case {
    case(name).routes(&format!(
        "- match: {{ prefix: / }}\n  route: {{ cluster: '{{{{cluster}}}}', {fields} }}"
    ))
}

fn with_grpc_timeout(timeout: &str) -> String {
    format!("GET / HTTP/1.1\r\nhost: a.example\r\ngrpc-timeout: {timeout}\r\n\r\n")
}

fn grpc(timeout: &str) -> String {
    with_grpc_timeout(timeout).replace("grpc-", "content-type: application/grpc\r\ngrpc-")
}

const GRPC: &str = "GET / HTTP/1.1\r\nhost: a\r\ncontent-type: application/grpc\r\n\r\n";

#[test]
fn told_to_the_upstream() {
    let told = |name, fields: &str, timeout: &str| {
        route(name, &format!("max_stream_duration: {{ {fields} }}")).ask(grpc(timeout))
    };
    let max = |name, timeout: &str| told(name, "grpc_timeout_header_max: 5s", timeout);
    let offset = "grpc_timeout_header_max: 0s, grpc_timeout_header_offset: 1s";
    let manager = "common_http_protocol_options: { max_stream_duration: 9s }";
    compare(vec![
        max("below_max", "3S").shows("grpc-timeout: 3000m"),
        max("above_max", "1M").shows("grpc-timeout: 5000m"),
        max("in_hours", "1H"),
        max("in_microseconds", "1500001u"),
        max("in_nanoseconds", "99999999n"),
        max("without_unit", "3"),
        max("unknown_unit", "3s"),
        max("too_many_digits", "123456789S"),
        told("any_value", "grpc_timeout_header_max: 0s", "99999999H"),
        told("offset", offset, "3S").shows("grpc-timeout: 2000m"),
        told("duration_told", "max_stream_duration: 7s", "1S").shows("grpc-timeout: 7000m"),
        told("duration_told_unasked", "max_stream_duration: 7s", "1S").ask(GRPC),
        told("no_duration", "max_stream_duration: 0s", "1S"),
        told("manager_switched_off", "max_stream_duration: 0s", "1S").hcm(manager),
        told("route_has_both", "max_stream_duration: 7s, grpc_timeout_header_max: 5s", "9S"),
        route("no_grpc", "max_stream_duration: { grpc_timeout_header_max: 5s }")
            .ask(with_grpc_timeout("9S"))
            .shows("grpc-timeout: 9S"),
        route("not_configured", "timeout: 2s").ask(grpc("1S")).shows("grpc-timeout: 1S"),
        case("of_the_manager").hcm(manager).ask(grpc("1S")),
        told("empty_beside_the_manager", "", "1S").hcm(manager),
        route(
            "beside_the_timeout",
            "timeout: 2s, max_stream_duration: { max_stream_duration: 7s }",
        )
        .ask(GET),
        route("empty_message", "timeout: 2s, max_stream_duration: {}").ask(GET),
    ]);
}

#[test]
fn expiry() {
    let late = |name, fields: &str| route(name, fields).upstream(vec![Act::Stall]);
    compare(vec![
        late("duration", "max_stream_duration: { max_stream_duration: 0.2s }")
            .ask(GET)
            .shows("max_duration_timeout"),
        late("grpc_timeout", "max_stream_duration: { grpc_timeout_header_max: 1s }")
            .ask(with_grpc_timeout("200m"))
            .shows("max_duration_timeout"),
        late("shorter_than_the_managers", "max_stream_duration: { max_stream_duration: 0.2s }")
            .hcm("common_http_protocol_options: { max_stream_duration: 60s }")
            .ask(GET),
        late(
            "off_for_the_route",
            "timeout: 0.4s, max_stream_duration: { max_stream_duration: 0s }, idle_timeout: 0.4s",
        )
        .hcm("common_http_protocol_options: { max_stream_duration: 0.1s }")
        .ask(GET),
    ]);
}

#[test]
fn attempts_that_last_for_as_long_as_the_cluster_allows() {
    let limited = |name, limit: &str, fields: &str| {
        route(name, fields)
            .cluster(&format!("common_http_protocol_options: {{ max_stream_duration: {limit} }}"))
    };
    let stall = || vec![Act::ReadBody, Act::Stall];
    let begun = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc".to_vec();
    let retried = "retry_policy: { retry_on: reset, retry_back_off: { base_interval: 0.001s } }";
    let upload = ["POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\n\r\n", "abc"];
    let hedged = "hedge_policy: { hedge_on_per_try_timeout: true }, retry_policy: { retry_on: 5xx, retry_back_off: { base_interval: 0.001s }, per_try_timeout: 0.15s }";
    compare(vec![
        limited("attempt", "0.2s", "").upstream(stall()).ask(GET).shows("504 UMSDR"),
        limited("attempt_again", "0.2s", retried)
            .upstream(stall())
            .upstream(ok())
            .ask(GET)
            .shows("attempts 2"),
        limited("attempts_exhausted", "0.2s", retried)
            .upstream(stall())
            .ask(GET)
            .shows("URX,UMSDR"),
        limited("attempt_inside_the_response", "0.2s", "")
            .upstream(vec![Act::ReadBody, Act::Send(begun), Act::Stall])
            .ask(GET)
            .shows("200 UMSDR"),
        limited("attempt_inside_the_request", "0.2s", "")
            .send_pieces(&upload)
            .read()
            .shows("408 UMSDR"),
        limited("attempt_with_all_of_it", "0.2s", "")
            .upstream(stall())
            .send_pieces(&[upload[0], upload[1], "def"])
            .read()
            .shows("504 UMSDR"),
        limited("attempt_beyond_all", "0.4s", "timeout: 0.1s")
            .upstream(stall())
            .ask(GET)
            .shows(" UT "),
        limited("attempt_without_end", "0s", "timeout: 0.2s")
            .upstream(stall())
            .ask(GET)
            .shows(" UT "),
        limited("attempt_hedged", "0.4s", hedged)
            .upstream(stall())
            .ask(GET)
            .shows("upstream_max_stream_duration_reached"),
    ]);
}
