//! Copies of requests for other clusters.

use ringmain_tests::client::Step;
use ringmain_tests::parity::{Case, case, compare};
use ringmain_tests::upstream::{Act, reply};

use crate::GET;

const POST: &str = "POST /a HTTP/1.1\r\nhost: a.example:80\r\ncontent-length: 5\r\n\r\nhello";

/// A route of which every request is copied, with these fields of the policy and of the route.
fn mirroring(name: &'static str, policy: &str, action: &str) -> Case {
    case(name).routes(&format!(
        "- match: {{ prefix: / }}\n  route: {{ cluster: '{{{{cluster}}}}', request_mirror_policies: [{{ cluster: '{{{{mirror}}}}', {policy} }}], {action} }}"
    ))
}

#[test]
fn copies() {
    let chunked = "POST /a HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\n";
    let long = format!(
        "POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 400000\r\n\r\n{}",
        "x".repeat(400_000)
    );
    compare(vec![
        mirroring("plain", "", "").ask(GET).shows("host: a.example-shadow"),
        mirroring("body", "", "").ask(POST).shows("host: a.example-shadow:80"),
        mirroring("empty_post", "", "").ask("POST /a HTTP/1.1\r\nhost: a\r\n\r\n"),
        mirroring("head", "", "").send("HEAD / HTTP/1.1\r\nhost: a\r\n\r\n").step(Step::ReadHead),
        mirroring("in_pieces", "", "").send_pieces(&[chunked, "5\r\nhello\r\n", "0\r\n\r\n"]).read(),
        mirroring("long_body", "", "").ask(&long),
        mirroring("ipv6_host", "", "").ask("GET / HTTP/1.1\r\nhost: [::1]:8080\r\n\r\n").shows("host: [::1]-shadow:8080"),
        mirroring("forwarded", "", "")
            .ask("GET / HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 10.0.0.1\r\nx-envoy-internal: x\r\n\r\n")
            .shows("x-forwarded-for: 10.0.0.1,"),
        mirroring("internal", "", "")
            .hcm("internal_address_config: { cidr_ranges: [{ address_prefix: 10.0.0.0, prefix_len: 8 }] }")
            .ask("GET / HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 10.0.0.1\r\n\r\n"),
    ]);
}

#[test]
fn what_a_copy_says() {
    let mutations = "request_headers_mutations: [{ append: { header: { key: x-copy, value: '%PROTOCOL% %REQ(x-a)%' } } }, { remove: x-a }, { remove_on_match: { key_matcher: { prefix: x-b } } }]";
    let asked =
        |case: Case| case.ask("GET /a/b HTTP/1.1\r\nhost: a.example\r\nx-a: 1\r\nx-bc: 2\r\n\r\n");
    compare(vec![
        asked(mirroring("same_host", "disable_shadow_host_suffix_append: true", "")),
        asked(mirroring("literal_host", "host_rewrite_literal: other.example", "")),
        asked(mirroring("mutated", mutations, "")).shows("x-copy: HTTP/1.1 1"),
        asked(mirroring("rewritten", "", "prefix_rewrite: /x, host_rewrite_literal: b.example"))
            .shows("host: b.example-shadow"),
        asked(mirroring("expectation", "", "timeout: 3s")),
    ]);
}

#[test]
fn who_is_copied() {
    let levels = |name, config: &str, host: &str, action: &str| {
        case(name)
            .route_config(config)
            .virtual_hosts(&format!(
                "- name: all\n  domains: ['*']\n  {host}\n  routes:\n  - match: {{ prefix: / }}\n    route: {{ cluster: '{{{{cluster}}}}', {action} }}"
            ))
            .ask(GET)
    };
    let policy = |fields: &str| {
        format!("request_mirror_policies: [{{ cluster: '{{{{mirror}}}}', {fields} }}]")
    };
    let never = policy("runtime_fraction: { default_value: { numerator: 0 } }");
    let always = policy("runtime_fraction: { default_value: { numerator: 100 } }");
    let named = "request_mirror_policies: [{ cluster_header: x-mirror }, { cluster: '{{mirror}}', runtime_fraction: { default_value: { numerator: 0 } } }]";
    compare(vec![
        levels("of_config", &always, "", ""),
        levels("of_host", &never, &always, ""),
        levels("of_route", &never, &never, &always),
        levels("never", &always, "", &never).hides("-shadow"),
        levels("twice", "", "", "request_mirror_policies: [{ cluster: '{{mirror}}' }, { cluster: '{{cluster}}' }]"),
        levels("named", "", "", named).ask("GET / HTTP/1.1\r\nhost: a\r\nx-mirror: named_mirror\r\n\r\n"),
        levels("named_nobody", "", "", named).ask("GET / HTTP/1.1\r\nhost: a\r\nx-mirror: nobody\r\n\r\n"),
        case("no_host")
            .routes("- match: { prefix: / }\n  route: { cluster: '{{empty}}', request_mirror_policies: [{ cluster: '{{mirror}}' }] }")
            .ask(GET),
        case("refused_itself")
            .routes("- match: { prefix: / }\n  route: { cluster: '{{refused}}', request_mirror_policies: [{ cluster: '{{mirror}}' }] }")
            .ask(GET),
        case("retried")
            .routes("- match: { prefix: / }\n  route: { cluster: '{{cluster}}', retry_policy: { retry_on: 5xx }, request_mirror_policies: [{ cluster: '{{mirror}}' }] }")
            .upstream(reply("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n"))
            .upstream(reply("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"))
            .ask(POST),
    ]);
}

#[test]
fn what_becomes_of_a_copy_is_its_own_affair() {
    compare(vec![
        mirroring("mirror_fails", "", "").mirror(reply("HTTP/1.1 503 No\r\ncontent-length: 2\r\n\r\nno")).ask(GET),
        mirroring("mirror_closes", "", "").mirror(vec![Act::ReadBody, Act::Close]).ask(GET),
        mirroring("mirror_talks_nonsense", "", "")
            .mirror(vec![Act::ReadBody, Act::Send(b"nonsense\r\n\r\n".to_vec()), Act::Close])
            .ask(GET),
        mirroring("mirror_breaks_off", "", "")
            .mirror(vec![Act::ReadBody, Act::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx".to_vec()), Act::Close])
            .ask(GET),
        mirroring("mirror_chunks", "", "")
            .mirror(reply("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"))
            .ask(GET),
        mirroring("mirror_stalls", "", "timeout: 0.2s").mirror(vec![Act::ReadBody, Act::Stall]).ask(GET),
        case("mirror_refuses")
            .routes("- match: { prefix: / }\n  route: { cluster: '{{cluster}}', request_mirror_policies: [{ cluster: '{{refused}}' }] }")
            .ask(GET),
        case("mirror_is_empty")
            .routes("- match: { prefix: / }\n  route: { cluster: '{{cluster}}', request_mirror_policies: [{ cluster: '{{empty}}' }] }")
            .ask(GET),
    ]);
}
