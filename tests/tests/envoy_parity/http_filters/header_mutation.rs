//! `envoy.filters.http.header_mutation`.

use ringmain_tests::parity::compare;
use ringmain_tests::upstream::reply;

use super::{filter, levels, per_route};
use crate::GET;

const REQUEST: &str = "GET /p?a=1&b=2&a=3 HTTP/1.1\r\nhost: a.example\r\nx-there: old\r\nx-gone: 1\r\nx-gone-too: 2\r\n\r\n";
const RESPONSE: &str = "HTTP/1.1 200 OK\r\nx-there: old\r\nx-gone: 1\r\nx-gone-too: 2\r\nserver: up\r\ncontent-length: 2\r\n\r\nok";

fn append(key: &str, value: &str, rest: &str) -> String {
    format!("{{ append: {{ header: {{ key: {key}, value: '{value}' }}{rest} }} }}")
}

fn both(list: &str) -> String {
    format!("mutations:\n  request_mutations: [{list}]\n  response_mutations: [{list}]")
}

fn mutating(fields: &str) -> String {
    filter("mutate", "header_mutation", "HeaderMutation", fields)
}

fn on_route(fields: &str) -> String {
    per_route("mutate", "header_mutation", "HeaderMutationPerRoute", fields)
}

#[test]
fn mutations() {
    let with = |name, list: &str| {
        levels(name, "", "")
            .http_filters(&mutating(&both(list)))
            .upstream(reply(RESPONSE))
            .ask(REQUEST)
    };
    let action = |action: &str| {
        let action = format!(", append_action: {action}");
        format!("{}, {}", append("x-there", "new", &action), append("x-new", "new", &action))
    };
    compare(vec![
        with("mutation_default", &append("x-there", "new", "")).shows("x-there: new"),
        with("mutation_if_absent", &action("ADD_IF_ABSENT")).shows("x-new: new"),
        with("mutation_overwrite", &action("OVERWRITE_IF_EXISTS_OR_ADD")).hides("x-there: old"),
        with("mutation_overwrite_present", &action("OVERWRITE_IF_EXISTS")).hides("x-new"),
        with("mutation_remove", "{ remove: x-gone }").hides("x-gone: 1"),
        with(
            "mutation_remove_matching",
            "{ remove_on_match: { key_matcher: { prefix: x-gone } } }",
        )
        .hides("x-gone"),
        with(
            "mutation_in_order",
            &format!(
                "{{ remove: x-there }}, {}, {{ remove: x-new }}",
                action("APPEND_IF_EXISTS_OR_ADD")
            ),
        )
        .shows("x-there: new")
        .hides("x-new"),
        with(
            "mutation_empty",
            &format!(
                "{}, {}",
                append("x-no", "", ""),
                append("x-yes", "", ", keep_empty_value: true")
            ),
        )
        .shows("x-yes: \n"),
        with(
            "mutation_formats",
            &append("x-f", "%REQ(x-there)% %RESPONSE_CODE% %ROUTE_NAME% %PROTOCOL%", ""),
        ),
        with(
            "mutation_of_own",
            "{ remove: server }, { remove: date }, { remove: x-request-id }, { remove: x-envoy-upstream-service-time }",
        ),
    ]);
}

#[test]
fn levels_and_local_replies() {
    let at = |level: &str| both(&append("x-level", level, ""));
    let overwriting = |level: &str| {
        both(&append("x-level", level, ", append_action: OVERWRITE_IF_EXISTS_OR_ADD"))
    };
    let all = |name, at: &dyn Fn(&str) -> String, rest: &str| {
        levels(name, &on_route(&at("host")), &on_route(&at("route")))
            .route_config(&on_route(&at("config")))
            .http_filters(&mutating(&format!("{}\n{rest}", at("filter"))))
            .ask(REQUEST)
    };
    let wins = "most_specific_header_mutations_wins: true";
    compare(vec![
        all("levels_append", &at, "").shows("x-level: filter\nx-level: route\nx-level: host\nx-level: config"),
        all("levels_overwrite", &overwriting, "").shows("x-level: config"),
        all("levels_specific_append", &at, wins),
        all("levels_specific_overwrite", &overwriting, wins).shows("x-level: route"),
        levels("local_no_route", "", "").virtual_hosts("- { name: all, domains: [x], routes: [] }")
            .http_filters(&mutating(&at("filter")))
            .ask(GET)
            .shows("x-level: filter"),
        levels("local_direct", "", "").routes("- match: { prefix: / }\n  direct_response: { status: 200, body: { inline_string: hi } }\n  response_headers_to_add: [{ header: { key: x-route, value: r } }]")
            .http_filters(&mutating(&at("filter")))
            .ask(GET)
            .shows("x-level: filter"),
        levels("local_status", "", "").routes("- match: { prefix: / }\n  direct_response: { status: 404 }")
            .http_filters(&mutating(&format!("mutations:\n  response_mutations: [{}]", append("x-status", "%RESPONSE_CODE%", ""))))
            .ask(GET)
            .shows("x-status: 404"),
        levels("local_redirect", "", "").routes("- match: { prefix: / }\n  redirect: { path_redirect: /x }")
            .http_filters(&mutating(&at("filter")))
            .ask(GET),
        levels("local_bad_request", "", "")
            .http_filters(&mutating(&at("filter")))
            .ask("GET / HTTP/1.1\r\nhost: a\r\nconnection: host\r\n\r\n"),
        levels("local_codec_error", "", "")
            .http_filters(&mutating(&at("filter")))
            .ask("GET / HTTP/1.1\r\nhost: a\r\ncontent-length: x\r\n\r\n"),
        levels("local_not_relative", "", "")
            .http_filters(&mutating(&at("filter")))
            .ask("OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n"),
        levels("two_of_a_kind", "", &on_route(&at("route")))
            .http_filters(&format!("{}{}", mutating(&at("one")), filter("other", "header_mutation", "HeaderMutation", &at("two"))))
            .ask(REQUEST)
            .shows("x-level: one\nx-level: route\nx-level: two"),
    ]);
}

#[test]
fn disabled_and_enabled() {
    let disabled = "typed_per_filter_config: { mutate: { \"@type\": type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: true } }";
    let enabled = "typed_per_filter_config: { mutate: { \"@type\": type.googleapis.com/envoy.config.route.v3.FilterConfig, config: {} } }";
    let fields = both(&append("x-level", "filter", ""));
    let off = format!("{}  disabled: true\n", mutating(&fields));
    let wrapped = "typed_per_filter_config: { mutate: { \"@type\": type.googleapis.com/envoy.config.route.v3.FilterConfig, config: { \"@type\": type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutationPerRoute, mutations: { request_mutations: [{ append: { header: { key: x-level, value: wrapped } } }] } } } }";
    compare(vec![
        levels("disabled_by_route", "", disabled).http_filters(&mutating(&fields)).ask(GET).hides("x-level"),
        levels("disabled_by_host", disabled, "").http_filters(&mutating(&fields)).ask(GET).hides("x-level"),
        levels("disabled_by_config", "", "").route_config(disabled).http_filters(&mutating(&fields)).ask(GET).hides("x-level"),
        levels("enabled_again", disabled, enabled).http_filters(&mutating(&fields)).ask(GET).shows("x-level"),
        levels("disabled_filter", "", "").http_filters(&off).ask(GET).hides("x-level"),
        levels("disabled_filter_enabled", "", enabled).http_filters(&off).ask(GET).shows("x-level"),
        levels("disabled_filter_configured", "", &on_route(&both(&append("x-level", "route", "")))).http_filters(&off).ask(GET).shows("x-level: route"),
        levels("wrapped", "", wrapped).http_filters(&mutating(&fields)).ask(GET).shows("x-level: wrapped"),
        levels("unknown_name", "", &on_route(&fields).replace("mutate:", "other:")).http_filters(&mutating(&fields)).ask(GET).shows("x-level"),
        levels("weighted", "", "").routes(&format!(
            "- match: {{ prefix: / }}\n  route:\n    weighted_clusters:\n      clusters:\n      - name: '{{{{cluster}}}}'\n        weight: 1\n{}",
            ringmain_tests::template::indented(&on_route(&both(&append("x-level", "weighted", ""))), 8)
        )).http_filters(&mutating(&fields)).ask(GET).shows("x-level: weighted"),
    ]);
}
