//! Redirects that the proxy follows itself.

use ringmain_tests::parity::{Case, case, compare};
use ringmain_tests::upstream::{Reply, ok, reply};

use crate::GET;

const POST: &str = "POST /a HTTP/1.1\r\nhost: a.example\r\ncontent-length: 5\r\n\r\nhello";

fn to(location: &str) -> Reply {
    redirect(302, location, "")
}

fn redirect(status: u16, location: &str, headers: &str) -> Reply {
    reply(format!(
        "HTTP/1.1 {status} Found\r\nlocation: {location}\r\n{headers}content-length: 3\r\n\r\nred"
    ))
}

/// Routes of which the last follows redirects by this policy. Some share a name, as Envoy logs a
/// redirect that a predicate is against under the route that it would have led to.
fn following(name: &'static str, policy: &str) -> Case {
    case(name).routes(&format!(
        "- match: {{ prefix: /b }}\n  name: b\n  route: {{ cluster: '{{{{cluster}}}}', prefix_rewrite: /rewritten, internal_redirect_policy: {{}} }}\n  request_headers_to_add: [{{ header: {{ key: x-b, value: '%REQ(:PATH)%' }} }}]\n- match: {{ prefix: /direct }}\n  direct_response: {{ status: 201 }}\n- match: {{ prefix: /plain }}\n  name: here\n  route: {{ cluster: '{{{{cluster}}}}' }}\n- match: {{ prefix: / }}\n  name: here\n  per_request_buffer_limit_bytes: 1000\n  route: {{ cluster: '{{{{cluster}}}}', internal_redirect_policy: {{ {policy} }} }}\n  request_headers_to_add: [{{ header: {{ key: x-here, value: here }} }}]"
    ))
}

#[test]
fn followed() {
    let chunked = "POST /a HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\n";
    compare(vec![
        following("plain", "").upstream(to("http://h.example/b/c?d=e#f")).upstream(ok()).ask(GET).ask(GET).shows("internal_redirect"),
        following("body", "").upstream(to("http://h.example/b")).upstream(ok()).ask(POST).ask(GET),
        following("in_pieces", "").upstream(to("http://h.example/b")).upstream(ok()).send_pieces(&[chunked, "5\r\nhello\r\n", "0\r\n\r\n"]).read(),
        following("empty_post", "").upstream(to("http://h.example/b")).upstream(ok()).ask("POST / HTTP/1.1\r\nhost: a\r\n\r\n"),
        following("no_path", "").upstream(to("http://h.example")).upstream(ok()).ask(GET),
        following("user_and_port", "").upstream(to("http://u:p@H.example:81/b/%2f")).upstream(ok()).ask(GET),
        following("direct", "").upstream(to("http://h.example/direct")).ask(GET).shows("HTTP/1.1 201"),
        following("cross_scheme", "allow_cross_scheme_redirect: true").upstream(to("https://h.example/plain")).upstream(ok()).ask(GET),
        following("twice", "max_internal_redirects: 2")
            .upstream(to("http://h.example/x"))
            .upstream(to("http://h.example/plain"))
            .upstream(ok())
            .ask(GET),
        following("codes", "redirect_response_codes: [301, 307, 200]").upstream(redirect(307, "http://h.example/plain", "")).upstream(ok()).ask(POST),
        following("see_other", "redirect_response_codes: [303]").upstream(redirect(303, "http://h.example/plain", "")).upstream(ok()).ask(POST).ask(GET),
        following("see_other_get", "redirect_response_codes: [303]").upstream(redirect(303, "http://h.example/plain", "")).upstream(ok()).ask(GET),
        following("copied", "response_headers_to_copy: [x-copy, x-gone]")
            .upstream(redirect(302, "http://h.example/plain", "x-copy: 1\r\nx-copy: 2\r\n"))
            .upstream(ok())
            .ask("GET / HTTP/1.1\r\nhost: a\r\nx-copy: old\r\nx-gone: old\r\n\r\n")
            .shows("x-copy: 2"),
        following("edge", "")
            .hcm("use_remote_address: true\nvia: v")
            .upstream(to("http://h.example/b"))
            .upstream(ok())
            .ask("GET / HTTP/1.1\r\nhost: a\r\nx-envoy-original-url: http://forged\r\nx-forwarded-for: 10.0.0.1\r\n\r\n"),
        following("forwarded", "")
            .upstream(to("http://h.example/b"))
            .upstream(ok())
            .ask("GET / HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 10.0.0.1\r\n\r\n"),
        following("filtered", "")
            .http_filters("- name: m\n  typed_config:\n    \"@type\": type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation\n    mutations: { request_mutations: [{ append: { header: { key: x-filter, value: f } } }] }")
            .upstream(to("http://h.example/b"))
            .upstream(ok())
            .ask(GET),
        case("older_fields")
            .routes("- match: { prefix: / }\n  route: { cluster: '{{cluster}}', internal_redirect_action: HANDLE_INTERNAL_REDIRECT }")
            .upstream(to("http://h.example/b"))
            .upstream(ok())
            .ask(GET),
    ]);
}

#[test]
fn passed_on() {
    let long =
        format!("POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 5000\r\n\r\n{}", "x".repeat(5000));
    let predicate = |name: &str, message: &str, fields: &str| {
        format!(
            "predicates: [{{ name: p, typed_config: {{ \"@type\": type.googleapis.com/envoy.extensions.internal_redirect.{name}.v3.{message}, {fields} }} }}]"
        )
    };
    let allowed =
        predicate("allow_listed_routes", "AllowListedRoutesConfig", "allowed_route_names: [b]");
    let previous = predicate("previous_routes", "PreviousRoutesConfig", "");
    let safe = predicate("safe_cross_scheme", "SafeCrossSchemeConfig", "");
    compare(vec![
        following("relative", "").upstream(to("/b")).upstream(ok()).ask(GET).shows("HTTP/1.1 302"),
        following("nonsense", "").upstream(to("http://")).upstream(ok()).ask(GET),
        following("no_location", "").upstream(reply("HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n")).ask(GET).ask(GET),
        following("https", "").upstream(to("https://h.example/b")).upstream(ok()).ask(GET),
        following("ftp", "").upstream(to("ftp://h.example/b")).upstream(ok()).ask(GET),
        following("other_code", "").upstream(redirect(301, "http://h.example/b", "")).upstream(ok()).ask(GET),
        following("too_many", "").upstream(to("http://h.example/x")).ask(GET).shows("HTTP/1.1 302"),
        following("none_allowed", "max_internal_redirects: 0").upstream(to("http://h.example/x")).ask(GET),
        following("too_long_a_body", "").upstream(to("http://h.example/b")).upstream(ok()).ask(&long),
        following("not_a_redirect", "redirect_response_codes: [200]").ask(GET),
        following("not_allowed", &allowed).upstream(to("http://h.example/plain")).upstream(ok()).ask(GET),
        following("allowed", &allowed).upstream(to("http://h.example/b")).upstream(ok()).ask(GET),
        following("once", &format!("max_internal_redirects: 5, {previous}")).upstream(to("http://h.example/x")).ask(GET),
        following("unsafe", &format!("allow_cross_scheme_redirect: true, {safe}")).upstream(to("https://h.example/plain")).upstream(ok()).ask(GET),
        following("retried_first", "").routes("- match: { prefix: / }\n  route: { cluster: '{{cluster}}', internal_redirect_policy: {}, retry_policy: { retry_on: 5xx } }")
            .upstream(reply("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n"))
            .upstream(to("http://h.example/b"))
            .upstream(ok())
            .ask(POST),
    ]);
}
