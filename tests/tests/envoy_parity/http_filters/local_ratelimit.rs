//! `envoy.filters.http.local_ratelimit`. Buckets are refilled so slowly that no test sees it.

use ringmain_tests::client::Step;
use ringmain_tests::parity::{Case, compare};

use super::{filter, levels, typed};
use crate::GET;

const ON: &str = "filter_enabled: { default_value: { numerator: 100 } }
filter_enforced: { default_value: { numerator: 100 } }";
const BUCKET: &str = "token_bucket: { max_tokens: 2, fill_interval: 1000s }";
const GRPC: &str =
    "POST / HTTP/1.1\r\nhost: a\r\ncontent-type: application/grpc\r\ncontent-length: 0\r\n\r\n";

fn config(name: &str, fields: &str) -> String {
    format!("stat_prefix: {name}\n{fields}")
}

fn limiting(name: &'static str, fields: &str) -> Case {
    levels(name, "", "").http_filters(&filter(
        "limit",
        "local_ratelimit",
        "LocalRateLimit",
        &config(name, fields),
    ))
}

fn on_level(name: &str, fields: &str) -> String {
    let typed = typed("local_ratelimit", "LocalRateLimit", &config(name, fields), 4);
    format!("typed_per_filter_config:\n  limit:\n{typed}")
}

fn thrice(case: Case) -> Case {
    case.ask(GET).ask(GET).ask(GET)
}

#[test]
fn limits() {
    let on = |name, fields: &str| thrice(limiting(name, &format!("{ON}\n{BUCKET}\n{fields}")));
    let header = "[{ header: { key: x-limited, value: '%RESPONSE_CODE% %ROUTE_NAME%' } }]";
    compare(vec![
        on("limited", "").shows("local_rate_limited"),
        on("limited_status", "status: { code: ServiceUnavailable }").shows("HTTP/1.1 503"),
        on("limited_low_status", "status: { code: OK }"),
        on("limited_headers", &format!("response_headers_to_add: {header}")).shows("x-limited"),
        on("limited_told", "enable_x_ratelimit_headers: DRAFT_VERSION_03").shows("x-ratelimit"),
        on("limited_grpc", "").ask(GRPC),
        on("limited_exhausted", "rate_limited_as_resource_exhausted: true").ask(GRPC),
        thrice(limiting("by_default_off", BUCKET)),
        thrice(limiting(
            "enabled_only",
            &format!(
                "{BUCKET}\nfilter_enabled: {{ default_value: {{ numerator: 100 }} }}\nrequest_headers_to_add_when_not_enforced: {header}"
            ),
        )),
        thrice(limiting("no_bucket", ON)),
        thrice(limiting(
            "no_tokens",
            &format!("{ON}\ntoken_bucket: {{ max_tokens: 0, fill_interval: 1000s }}"),
        )),
    ]);
}

#[test]
fn levels_have_buckets_of_their_own() {
    let strict = format!("{ON}\ntoken_bucket: {{ max_tokens: 1, fill_interval: 1000s }}");
    let general = format!("{ON}\n{BUCKET}");
    let with = |name, host: &str, route: &str| {
        thrice(levels(name, host, route).http_filters(&filter(
            "limit",
            "local_ratelimit",
            "LocalRateLimit",
            &config(name, &general),
        )))
    };
    compare(vec![
        with("limit_of_route", "", &on_level("limit_of_route", &strict)),
        with("limit_of_host", &on_level("limit_of_host", &strict), ""),
        with("limit_of_both", &on_level("limit_of_both", &general), &on_level("limit_of_both", &strict)),
        thrice(levels("limit_shared_by_routes", "", "").virtual_hosts(&format!(
            "- name: all\n  domains: ['*']\n{}  routes:\n  - match: {{ prefix: / , headers: [{{ name: x }}] }}\n    direct_response: {{ status: 200 }}\n  - match: {{ prefix: / }}\n    direct_response: {{ status: 204 }}",
            ringmain_tests::template::indented(&on_level("limit_shared_by_routes", &general), 2)
        )).http_filters(&filter("limit", "local_ratelimit", "LocalRateLimit", "stat_prefix: unused")))
            .ask("GET / HTTP/1.1\r\nhost: a\r\nx: 1\r\n\r\n"),
    ]);
}

const SLOW_BUCKET: &str = "token_bucket: { max_tokens: 1, fill_interval: 2000s }";
const FEW: &str = "token_bucket: { max_tokens: 3, fill_interval: 1000s }";

/// A filter with a bucket of three, and one of one token for the descriptor of this entry.
fn described(name: &str, key: &str, value: &str, more: &str) -> String {
    let descriptor = format!("{{ entries: [{{ key: {key}, value: '{value}' }}], {SLOW_BUCKET} }}");
    filter(
        "limit",
        "local_ratelimit",
        "LocalRateLimit",
        &config(name, &format!("{ON}\n{FEW}\ndescriptors: [{descriptor}]\n{more}")),
    )
}

/// One route with these `rate_limits`, in a virtual host with those.
fn with_limits(name: &'static str, of_host: &str, of_route: &str, filters: &str) -> Case {
    let host = format!(
        "- name: all\n  domains: ['*']\n  rate_limits: [{of_host}]\n  routes:\n  - match: {{ prefix: / }}\n    route: {{ cluster: '{{{{cluster}}}}', rate_limits: [{of_route}] }}"
    );
    levels(name, "", "").virtual_hosts(&host).http_filters(filters)
}

fn get(target: &str, headers: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nhost: a.example\r\n{headers}\r\n")
}

fn asked(case: Case) -> Case {
    let request = get("/?q=a%20b&p=1", "x-a: 1\r\nx-a: 2\r\n");
    case.ask(&request).ask(&request).ask(get("/", "")).ask(get("/", ""))
}

#[test]
fn actions_tell_the_bucket() {
    let actions: [(&'static str, &str, &str, &str); 17] = [
        ("by_header", "{ request_headers: { header_name: X-A, descriptor_key: k } }", "k", "1"),
        (
            "by_parameter",
            "{ query_parameters: { query_parameter_name: q, descriptor_key: k } }",
            "k",
            "a b",
        ),
        ("by_remote", "{ remote_address: {} }", "remote_address", "127.0.0.1"),
        (
            "by_masked_remote",
            "{ masked_remote_address: { v4_prefix_mask_len: 8 } }",
            "masked_remote_address",
            "127.0.0.0/8",
        ),
        (
            "by_whole_remote",
            "{ masked_remote_address: {} }",
            "masked_remote_address",
            "127.0.0.1/32",
        ),
        (
            "by_destination",
            "{ destination_cluster: {} }",
            "destination_cluster",
            "by_destination_cluster",
        ),
        ("by_key", "{ generic_key: { descriptor_value: v, descriptor_key: k } }", "k", "v"),
        (
            "by_generic_key",
            "{ generic_key: { descriptor_value: '%REQ(x-a)%' } }",
            "generic_key",
            "%REQ(x-a)%",
        ),
        (
            "by_header_match",
            "{ header_value_match: { descriptor_value: v, headers: [{ name: x-a, present_match: true }] } }",
            "header_match",
            "v",
        ),
        (
            "by_header_mismatch",
            "{ header_value_match: { descriptor_value: v, descriptor_key: k, expect_match: false, headers: [{ name: x-a, present_match: true }] } }",
            "k",
            "v",
        ),
        (
            "by_parameter_match",
            "{ query_parameter_value_match: { descriptor_value: v, query_parameters: [{ name: q, string_match: { exact: 'a b' } }, { name: p }] } }",
            "query_match",
            "v",
        ),
        (
            "by_parameter_mismatch",
            "{ query_parameter_value_match: { descriptor_value: v, expect_match: false, query_parameters: [{ name: q }] } }",
            "query_match",
            "v",
        ),
        (
            "by_range",
            "{ remote_address_match: { descriptor_value: v, address_matcher: { ranges: [{ address_prefix: 127.0.0.0, prefix_len: 8 }] } } }",
            "remote_address_match",
            "v",
        ),
        (
            "by_no_range",
            "{ remote_address_match: { descriptor_value: v, address_matcher: { invert_match: true, ranges: [{ address_prefix: 127.0.0.0, prefix_len: 8 }] } } }",
            "remote_address_match",
            "v",
        ),
        (
            "by_two",
            "{ generic_key: { descriptor_value: v } }, { request_headers: { header_name: x-a, descriptor_key: k, skip_if_absent: true } }",
            "generic_key",
            "v",
        ),
        (
            "by_two_or_none",
            "{ generic_key: { descriptor_value: v } }, { request_headers: { header_name: x-b, descriptor_key: k } }",
            "generic_key",
            "v",
        ),
        (
            "by_parameter_or_none",
            "{ generic_key: { descriptor_value: v } }, { query_parameters: { query_parameter_name: q, descriptor_key: k, skip_if_absent: true } }",
            "generic_key",
            "v",
        ),
    ];
    compare(
        actions
            .into_iter()
            .map(|(name, actions, key, value)| {
                let limit = format!("{{ actions: [{actions}] }}");
                asked(with_limits(name, "", &limit, &described(name, key, value, "")))
            })
            .collect(),
    );
}

#[test]
fn limits_of_routes_and_hosts() {
    let key = |value: &str, more: &str| {
        format!("{{ actions: [{{ generic_key: {{ descriptor_value: {value} }} }}]{more} }}")
    };
    let (hit, other) = (key("v", ""), key("other", ""));
    let told = "enable_x_ratelimit_headers: DRAFT_VERSION_03\nenable_retry_after_header: true";
    let with = |name, of_host: &str, of_route: &str, more: &str| {
        asked(with_limits(name, of_host, of_route, &described(name, "generic_key", "v", more)))
    };
    compare(vec![
        with("limits_of_host", &hit, "", ""),
        with("limits_of_host_overridden", &hit, &other, ""),
        with("limits_of_host_included", &hit, &other, "vh_rate_limits: INCLUDE"),
        with("limits_of_host_ignored", &hit, "", "vh_rate_limits: IGNORE"),
        with("limits_of_stage", "", &format!("{}, {other}", key("v", ", stage: 1")), "stage: 1"),
        with("limits_of_other_stage", "", &key("v", ", stage: 2"), "stage: 1"),
        with("limits_of_filter", &other, &other, &format!("rate_limits: [{hit}]")),
        with("limits_told", "", &hit, told).shows("retry-after: 2000"),
        with("limits_of_default_told", "", &other, told).shows("retry-after: 1000"),
        with("limits_without_default", "", &hit, "always_consume_default_token_bucket: false"),
        asked(with_limits(
            "limits_of_two",
            "",
            &format!("{hit}, {other}"),
            &described("limits_of_two", "generic_key", "v", told).replace(
                "descriptors: [",
                "descriptors: [{ entries: [{ key: generic_key, value: other }], token_bucket: { max_tokens: 4, fill_interval: 500s } }, ",
            ),
        )),
        with("limits_of_direct_response", "", "", "").virtual_hosts(&format!(
            "- name: all\n  domains: ['*']\n  rate_limits: [{hit}]\n  routes: [{{ match: {{ prefix: / }}, direct_response: {{ status: 200 }} }}]"
        )),
    ]);
}

#[test]
fn connections_have_buckets_of_their_own() {
    let own = "local_rate_limit_per_downstream_connection: true\nenable_x_ratelimit_headers: DRAFT_VERSION_03";
    let name = "limit_of_connection";
    let filters = filter(
        "limit",
        "local_ratelimit",
        "LocalRateLimit",
        &config(name, &format!("{ON}\n{BUCKET}\n{own}")),
    );
    let case = thrice(levels(name, "", "").http_filters(&filters));
    compare(vec![thrice(case.step(Step::Reconnect)).shows("local_rate_limited")]);
}
