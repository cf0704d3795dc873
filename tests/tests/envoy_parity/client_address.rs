//! Who the client is: `original_ip_detection_extensions`, headers changed before that is asked, and
//! what `add_user_agent` says.

use ringmain_tests::parity::{Case, case, compare};

use crate::GET;

const INTERNAL: &str =
    "internal_address_config: { cidr_ranges: [{ address_prefix: 10.0.0.0, prefix_len: 8 }] }\n";

/// A client address found by one extension.
fn detecting(name: &'static str, package: &str, message: &str, fields: &str) -> Case {
    case(name).hcm(&format!(
        "{INTERNAL}original_ip_detection_extensions: [{{ name: x, typed_config: {{ \"@type\": type.googleapis.com/envoy.extensions.http.original_ip_detection.{package}.v3.{message}, {fields} }} }}]"
    ))
}

fn xff(name: &'static str, fields: &str) -> Case {
    [
        "10.0.0.1",
        "9.9.9.9, 10.0.0.1",
        "10.0.0.9,9.9.9.9,10.0.0.1",
        "10.0.0.9,10.0.0.1",
        "9.9.9.9,bad",
        "bad,10.0.0.1",
        "",
    ]
    .iter()
    .fold(detecting(name, "xff", "XffConfig", fields).ask(GET), |case, list| {
        case.ask(format!("GET / HTTP/1.1\r\nhost: a\r\nx-forwarded-for: {list}\r\n\r\n"))
    })
}

#[test]
fn by_forwarded_for() {
    let trusted = |cidr: &str| {
        format!(
            "xff_trusted_cidrs: {{ cidrs: [{{ address_prefix: 10.0.0.0, prefix_len: 8 }}, {cidr}] }}"
        )
    };
    let loopback = trusted("{ address_prefix: 127.0.0.0, prefix_len: 8 }");
    let others = trusted("{ address_prefix: 1.2.3.4, prefix_len: 32 }");
    compare(vec![
        xff("hops_0", ""),
        xff("hops_1", "xff_num_trusted_hops: 1"),
        xff("cidrs", &loopback).shows("remote 9.9.9.9"),
        xff("cidrs_without_the_peer", &others),
        xff("appending", "skip_xff_append: false"),
        xff("no_cidrs", "xff_trusted_cidrs: {}"),
    ]);
}

#[test]
fn by_header() {
    let custom = |name, fields: &str| {
        let fields = format!("header_name: X-Ip, {fields}");
        let detecting = detecting(name, "custom_header", "CustomHeaderConfig", &fields);
        [
            "x-ip: 10.0.0.7",
            "x-ip: 7.7.7.7",
            "x-ip: 10.0.0.7:80",
            "x-ip: bad",
            "x-ip: ::1",
            "x-ip: 10.0.0.7\r\nx-ip: 7.7.7.7",
            "x-a: b",
        ]
        .iter()
        .fold(detecting, |case, header| {
            case.ask(format!(
                "GET / HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 10.0.0.1\r\n{header}\r\n\r\n"
            ))
        })
    };
    compare(vec![
        custom("header", ""),
        custom("header_trusted", "allow_extension_to_set_address_as_trusted: true")
            .shows("x-envoy-internal"),
        custom("header_or_nothing", "reject_with_status: { code: 429 }")
            .shows("rejecting_because_detection_failed"),
        custom("header_or_default", "reject_with_status: { code: 200 }").shows("HTTP/1.1 403"),
    ]);
}

#[test]
fn headers_changed_early() {
    let early = |name, mutations: &str| {
        case(name).hcm(&format!(
            "{INTERNAL}early_header_mutation_extensions: [{{ name: e, typed_config: {{ \"@type\": type.googleapis.com/envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation, mutations: [{mutations}] }} }}]"
        ))
    };
    let asked = "GET / HTTP/1.1\r\nhost: a\r\nx-a: 1\r\nconnection: x-c\r\nx-c: 2\r\n\r\n";
    compare(vec![
        early("early_address", "{ append: { header: { key: x-forwarded-for, value: 10.0.0.1 } } }").ask(asked).shows("x-envoy-internal"),
        early("early_values", "{ append: { header: { key: x-early, value: '%REQ(x-a)% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%' } } }, { remove: x-a }").ask(asked),
        early("early_route", "{ append: { header: { key: x-route, value: a } } }")
            .routes("- match: { prefix: /, headers: [{ name: x-route, string_match: { exact: a } }] }\n  direct_response: { status: 201 }")
            .ask(asked)
            .shows("HTTP/1.1 201"),
    ]);
}

#[test]
fn user_agents() {
    let agent = |name| case(name).hcm("add_user_agent: true\nvia: v");
    compare(vec![
        agent("no_agent").ask(GET),
        agent("an_agent").ask("GET / HTTP/1.1\r\nhost: a\r\nuser-agent: x\r\nx-envoy-downstream-service-cluster: y\r\nx-envoy-downstream-service-node: z\r\n\r\n"),
    ]);
}
