//! `envoy.filters.http.local_ratelimit`. Buckets are refilled so slowly that no test sees it.

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
