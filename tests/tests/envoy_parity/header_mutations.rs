//! `request_headers_to_add`, `response_headers_to_remove` and their kin.

use ringmain_tests::parity::{Case, case, compare};
use ringmain_tests::upstream::reply;

const REQUEST: &str = "GET /path?q=1 HTTP/1.1\r\nhost: a.example\r\nx-there: old\r\nx-gone: 1\r\nuser-agent: me\r\n\r\n";

fn add(key: &str, value: &str, rest: &str) -> String {
    format!("{{ header: {{ key: {key}, value: '{value}' }}{rest} }}")
}

/// A case whose virtual host has these fields, with an upstream that sends headers to change.
fn mutating(name: &'static str, virtual_host: &str, route: &str) -> Case {
    let hosts = format!(
        "- name: all\n  domains: ['*']\n{}  routes:\n  - match: {{ prefix: / }}\n    route: {{ cluster: '{{{{cluster}}}}' }}\n{}",
        ringmain_tests::template::indented(virtual_host, 2),
        ringmain_tests::template::indented(route, 4)
    );
    case(name)
        .virtual_hosts(&hosts)
        .upstream(reply("HTTP/1.1 200 OK\r\nx-there: old\r\nx-gone: 1\r\nserver: up\r\ncontent-length: 2\r\n\r\nok"))
        .ask(REQUEST)
}

#[test]
fn append_actions() {
    let both = |action: &str| {
        let list = [add("x-there", "new", action), add("x-new", "new", action)].join(", ");
        format!("request_headers_to_add: [{list}]\nresponse_headers_to_add: [{list}]")
    };
    let with =
        |name, action: &str| mutating(name, "", &both(&format!(", append_action: {action}")));
    compare(vec![
        mutating("default_appends", "", &both(""))
            .shows("x-there: old")
            .shows("x-there: new")
            .shows("x-new: new"),
        with("append", "APPEND_IF_EXISTS_OR_ADD").shows("x-there: new"),
        with("add_if_absent", "ADD_IF_ABSENT").hides("x-there: new").shows("x-new: new"),
        with("overwrite_or_add", "OVERWRITE_IF_EXISTS_OR_ADD")
            .hides("x-there: old")
            .shows("x-new: new"),
        with("overwrite_if_there", "OVERWRITE_IF_EXISTS").hides("x-there: old").hides("x-new: new"),
        mutating("old_append_false", "", &both(", append: false")).shows("x-new: new"),
        mutating("old_append_true", "", &both(", append: true")).shows("x-there: old"),
        mutating(
            "empty_dropped",
            "",
            &format!("request_headers_to_add: [{}]", add("x-empty", "", "")),
        )
        .hides("x-empty"),
        mutating(
            "empty_kept",
            "",
            &format!(
                "request_headers_to_add: [{}]",
                add("x-empty", "", ", keep_empty_value: true")
            ),
        )
        .shows("x-empty"),
        mutating(
            "capitals",
            "",
            &format!("request_headers_to_add: [{}]", add("X-Capital", "Value", "")),
        )
        .shows("x-capital: Value"),
    ]);
}

#[test]
fn removal() {
    compare(vec![
        mutating("removed", "", "request_headers_to_remove: [x-gone, x-absent]\nresponse_headers_to_remove: [x-gone]")
            .hides("x-gone"),
        mutating("removed_in_capitals", "", "request_headers_to_remove: [X-Gone]\nresponse_headers_to_remove: [X-Gone]")
            .hides("x-gone"),
        mutating(
            "removed_and_added",
            "",
            &format!(
                "request_headers_to_remove: [x-there]\nrequest_headers_to_add: [{0}]\n\
                 response_headers_to_remove: [x-there]\nresponse_headers_to_add: [{0}]",
                add("x-there", "new", "")
            ),
        )
        .shows("x-there: new"),
        mutating("own_headers_removed", "", "request_headers_to_remove: [x-request-id, user-agent, x-forwarded-proto, x-envoy-expected-rq-timeout-ms]\nresponse_headers_to_remove: [x-envoy-upstream-service-time, date, server]")
            .hides("x-forwarded-proto"),
    ]);
}

#[test]
fn levels() {
    let at = |level: &str, action: &str| {
        let list = [add("x-level", level, action), add("x-there", level, action)].join(", ");
        format!("request_headers_to_add: [{list}]\nresponse_headers_to_add: [{list}]")
    };
    let three = |name, action: &str| {
        mutating(name, &at("host", action), &at("route", action))
            .route_config(&at("config", action))
    };
    let overwrite = ", append_action: OVERWRITE_IF_EXISTS_OR_ADD";
    let specific = |name, action: &str| {
        three(name, action).route_config(&format!(
            "{}\nmost_specific_header_mutations_wins: true",
            at("config", action)
        ))
    };
    compare(vec![
        three("widest_last", "").shows("x-there: route\nx-level: host\nx-there: host\nx-level: config"),
        three("widest_overwrites", overwrite).shows("x-level: config").hides("x-level: route"),
        specific("narrowest_last", "").shows("x-there: config\nx-level: host\nx-there: host\nx-level: route"),
        specific("narrowest_overwrites", overwrite).shows("x-level: route").hides("x-level: config"),
        mutating("removed_by_wider", "request_headers_to_remove: [x-level]\nresponse_headers_to_remove: [x-level]", &at("route", "")),
        mutating("removed_by_narrower", &at("host", ""), "request_headers_to_remove: [x-level]\nresponse_headers_to_remove: [x-level]"),
        three("on_local_reply", "").virtual_hosts(&format!(
            "- name: all\n  domains: ['*']\n{}  routes:\n  - match: {{ prefix: / }}\n    direct_response: {{ status: 200 }}\n{}",
            ringmain_tests::template::indented(&at("host", ""), 2),
            ringmain_tests::template::indented(&at("route", ""), 4)
        )),
        three("on_no_route", "").virtual_hosts(&format!(
            "- name: all\n  domains: ['*']\n{}  routes: []",
            ringmain_tests::template::indented(&at("host", ""), 2),
        )),
        three("on_failed_connect", "").virtual_hosts(&format!(
            "- name: all\n  domains: ['*']\n{}  routes:\n  - match: {{ prefix: / }}\n    route: {{ cluster: '{{{{refused}}}}' }}\n{}",
            ringmain_tests::template::indented(&at("host", ""), 2),
            ringmain_tests::template::indented(&at("route", ""), 4)
        )),
    ]);
}

#[test]
fn formats() {
    let request = |name, value: &str| {
        mutating(name, "", &format!("request_headers_to_add: [{}]", add("x-f", value, "")))
    };
    let response = |name, value: &str| {
        mutating(name, "", &format!("response_headers_to_add: [{}]", add("x-f", value, "")))
    };
    compare(vec![
        request("request_percent", "100%%").shows("x-f: 100%"),
        request("request_protocol", "%PROTOCOL%").shows("x-f: HTTP/1.1"),
        request("request_addresses", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_DIRECT_REMOTE_ADDRESS%"),
        request("request_port", "port:%DOWNSTREAM_LOCAL_PORT%"),
        request("request_header", "<%REQ(user-agent)%|%REQ(x-none?X-There)%|%REQ(:path)%|%REQ(:method)%|%REQ(:authority)%>").shows("x-f: <me|old"),
        request("request_header_cut", "%REQ(x-there):2%").shows("x-f: ol"),
        request("request_missing", "%REQ(x-none)%"),
        request("request_missing_among", "a%REQ(x-none)%b"),
        request("request_hostname", "%HOSTNAME%"),
        response("response_code", "%RESPONSE_CODE%").shows("x-f: 200"),
        response("response_upstream", "%UPSTREAM_HOST% %UPSTREAM_CLUSTER%").shows("x-f: 127.0.0.1:<upstream>"),
        response("response_headers", "%RESP(x-there)% %REQ(x-there)%").shows("x-f: old old"),
        response("response_details", "%RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %ROUTE_NAME%"),
        response("response_bytes", "%BYTES_RECEIVED% %BYTES_SENT%"),
    ]);
}
