//! Direct responses: where their bodies come from, and which statuses bring a location.

use ringmain_tests::client::Step;
use ringmain_tests::parity::{Case, case, compare};

use super::GET;
use super::access_log_operators::logging;

fn answering(name: &'static str, fields: &str) -> Case {
    case(name)
        .routes(&format!("- match: {{ prefix: /a }}\n  direct_response: {{ {fields} }}\n- match: {{ prefix: / }}\n  direct_response: {{ {fields} }}"))
        .ask("GET /a?q=1 HTTP/1.1\r\nhost: a.example\r\nx-v: v2\r\n\r\n")
}

#[test]
fn bodies() {
    compare(vec![
        answering("inline_string", "status: 200, body: { inline_string: text }").shows("text"),
        answering("inline_bytes", "status: 200, body: { inline_bytes: aGVsbG8= }").shows("hello"),
        answering("filename", "status: 200, body: { filename: /etc/hostname }"),
        answering("environment", "status: 200, body: { environment_variable: CARGO_PKG_NAME }")
            .shows("ringmain-tests"),
        answering("empty_string", "status: 200, body: { inline_string: '' }"),
        answering("teapot", "status: 418, body: { inline_string: short }"),
    ]);
}

#[test]
fn longer_bodies_where_that_is_allowed() {
    let body = "x".repeat(5000);
    let fields = format!("status: 200, body: {{ inline_string: {body} }}");
    compare(vec![
        answering("beyond_the_default", &fields)
            .route_config("max_direct_response_body_size_bytes: 5000")
            .shows("content-length: 5000"),
    ]);
}

#[test]
fn statuses() {
    let status = |name, status: &str| {
        answering(name, &format!("status: {status}, body: {{ inline_string: text }}"))
    };
    compare(vec![
        status("created", "201"),
        status("no_content", "204"),
        status("moved", "301"),
        status("found", "302"),
        status("not_modified", "304"),
        status("permanent", "308"),
        status("server_error", "500"),
        status("unavailable", "503"),
        answering("moved_without_body", "status: 301").ask(GET),
    ]);
}

/// Nobody has received them, but they came.
#[test]
fn bodies_that_nobody_takes_count_as_bytes_of_the_wire_only() {
    const ROUTES: &str = "- match: { prefix: /direct }
  direct_response: { status: 403 }
- match: { prefix: /redirect }
  redirect: { host_redirect: b.example }";
    let bodies = [
        ("all", "content-length: 5\r\n\r\nhello"),
        ("half", "content-length: 10\r\n\r\nhello"),
        ("none", "content-length: 10\r\n\r\n"),
        ("chunks", "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
        ("half_a_chunk", "transfer-encoding: chunked\r\n\r\na\r\nhello"),
        ("no_chunk", "transfer-encoding: chunked\r\n\r\n\r\n"),
    ];
    let paths = ["/direct", "/redirect", "/nowhere"];
    let asked = paths.iter().flat_map(|path| bodies.map(|(name, body)| (*path, name, body)));
    let ask = |(path, name, body): (&str, &str, &str)| {
        let name = format!("{}_{name}", &path[1..]).leak();
        logging(name, &["BYTES_RECEIVED", "DOWNSTREAM_WIRE_BYTES_RECEIVED"])
            .routes(ROUTES)
            .send(format!("POST {path} HTTP/1.1\r\nhost: a.example\r\n{body}"))
            .read()
            .step(Step::ReadToEnd)
            .shows("\n0 | ")
    };
    compare(asked.map(ask).collect());
}
