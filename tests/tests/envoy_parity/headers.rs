//! Header lines in transit: case, order, repetition, and the ones that end at the proxy.

use ringmain_tests::parity::{Case, case, compare};
use ringmain_tests::upstream::reply;

use crate::GET;

fn with(lines: &str) -> String {
    format!("GET / HTTP/1.1\r\nhost: a.example\r\n{lines}\r\n\r\n")
}

/// Fields of a cluster that write HTTP/1 in this `header_key_format`.
fn upstream_key_format(format: &str) -> String {
    let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    format!(
        "typed_extension_protocol_options:\n  {options}:\n    '@type': type.googleapis.com/{options}\n    \
         explicit_http_config: {{ http_protocol_options: {{ header_key_format: {format} }} }}"
    )
}

/// A `header_key_format` that keeps the case of what it reads.
fn preserve_case(fields: &str) -> String {
    let comma = if fields.is_empty() { "" } else { ", " };
    format!(
        "{{ stateful_formatter: {{ name: preserve_case, typed_config: {{ '@type': \
         type.googleapis.com/envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig\
         {comma}{fields} }} }} }}"
    )
}

#[test]
fn names_and_order() {
    compare(vec![
        case("lower_case")
            .upstream(reply("HTTP/1.1 200 OK\r\nX-UP: Up\r\nContent-Length: 0\r\nX-After: 1\r\n\r\n"))
            .ask("GET / HTTP/1.1\r\nX-First: A\r\nHost: A.Example\r\nUSER-Agent: me/1\r\nAccept: */*\r\n\r\n")
            .shows("x-up: Up")
            .shows("x-first: A"),
        case("proper_case")
            .hcm("http_protocol_options: { header_key_format: { proper_case_words: {} } }")
            .upstream(reply("HTTP/1.1 200 OK\r\nx-up-down: Up\r\ncontent-length: 0\r\n\r\n"))
            .ask(GET)
            .shows("X-Up-Down: Up"),
        case("proper_case_upstream")
            .cluster(&upstream_key_format("{ proper_case_words: {} }"))
            .upstream(reply("HTTP/1.1 200 OK\r\nx-up-down: Up\r\ncontent-length: 0\r\n\r\n"))
            .ask("POST / HTTP/1.1\r\nhost: a.example\r\nx-down-up: 1\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n")
            .shows("X-Down-Up: 1")
            .shows("x-up-down: Up"),
        case("preserve_case_downstream")
            .hcm(&format!("http_protocol_options: {{ header_key_format: {} }}", preserve_case("")))
            .cluster(&upstream_key_format("{ proper_case_words: {} }"))
            .upstream(reply("HTTP/1.1 200 OK\r\nX-UP: Up\r\nContent-Length: 0\r\n\r\n"))
            .ask("GET / HTTP/1.1\r\nHOST: a.example\r\nX-dOWN: 1\r\nx-Down: 2\r\nUser-AGENT: me\r\n\r\n")
            .ask("POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-ENCODING: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n")
            .shows("X-dOWN: 2")
            .shows("x-up: Up"),
        case("preserve_case_upstream")
            .cluster(&upstream_key_format(&preserve_case("formatter_type_on_envoy_headers: PROPER_CASE")))
            .upstream(reply("HTTP/1.1 200 OK\r\nX-uP: Up\r\nEtAg: x\r\nContent-Length: 0\r\n\r\n"))
            .ask("GET / HTTP/1.1\r\nHost: a.example\r\nX-dOWN: 1\r\n\r\n")
            .shows("X-uP: Up")
            .shows("Server: envoy"),
        case("preserve_case_local_reply")
            .hcm(&format!("http_protocol_options: {{ header_key_format: {} }}", preserve_case("")))
            .routes("- match: { prefix: / }\n  direct_response: { status: 200, body: { inline_string: x } }")
            .ask("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
            .shows("content-type: text/plain"),
        case("scheme_to_overwrite")
            .hcm("scheme_header_transformation: { scheme_to_overwrite: https }")
            .routes("- match: { prefix: /r }\n  redirect: { path_redirect: /s }\n- match: { prefix: / }\n  route: { cluster: '{{cluster}}' }")
            .ask(with("x-forwarded-proto: http"))
            .ask("GET /r HTTP/1.1\r\nhost: a.example\r\n\r\n")
            .shows("x-forwarded-proto: https")
            .shows("location: https://a.example/s"),
        case("words_about_traces")
            .routes("- match: { prefix: / }\n  route: { cluster: '{{cluster}}' }\n  decorator: { operation: op }\n  tracing: { overall_sampling: { numerator: 100 } }")
            .ask(GET)
            .hides("x-envoy-decorator-operation"),
        case("repeated_unknown").ask(with("x-a: 1\r\nx-b: 2\r\nx-a: 3")).shows("x-a: 3"),
        case("repeated_accept").ask(with("accept: 1\r\nx-b: 2\r\naccept: 2")).shows("accept: 1"),
        case("repeated_cookie").ask(with("cookie: a=1\r\ncookie: b=2")).shows("cookie: b=2"),
        case("repeated_set_cookie")
            .upstream(reply("HTTP/1.1 200 OK\r\nset-cookie: a=1\r\nset-cookie: b=2\r\ncontent-length: 0\r\n\r\n"))
            .ask(GET)
            .shows("set-cookie: b=2"),
        case("repeated_response_lines")
            .upstream(reply("HTTP/1.1 200 OK\r\nvary: a\r\nx-a: 1\r\nvary: b\r\nx-a: 2\r\ncontent-length: 0\r\n\r\n"))
            .ask(GET)
            .shows("x-a: 2"),
        case("repeated_well_known")
            .ask(with("user-agent: a\r\nuser-agent: b\r\nreferer: c\r\nreferer: d\r\naccept-encoding: e\r\naccept-encoding: f\r\norigin: g\r\norigin: h\r\nauthorization: i\r\nauthorization: j"))
            .shows("user-agent"),
        case("repeated_forwarding")
            .ask(with("x-forwarded-for: 1.1.1.1\r\nx-forwarded-for: 2.2.2.2\r\nx-forwarded-proto: http\r\nx-forwarded-proto: https\r\nvia: a\r\nvia: b\r\nx-request-id: 1\r\nx-request-id: 2"))
            .shows("x-forwarded-for"),
        case("common_request_headers")
            .ask(with("accept-language: en\r\ncache-control: no-cache\r\nif-none-match: \"x\"\r\norigin: http://o\r\nreferer: http://r\r\nrange: bytes=0-1\r\nauthorization: Basic eDp5\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\ngrpc-timeout: 1S\r\nmax-forwards: 3\r\nforwarded: for=1.2.3.4"))
            .shows("grpc-timeout: 1S"),
        case("common_response_headers")
            .upstream(reply("HTTP/1.1 200 OK\r\nserver: up/1\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT\r\ncontent-type: text/html\r\ncontent-length: 0\r\netag: \"x\"\r\nlast-modified: x\r\nlocation: /there\r\ncache-control: private\r\nx-envoy-upstream-service-time: 77\r\nx-request-id: theirs\r\nvia: 1.1 up\r\nalt-svc: h3\r\n\r\n"))
            .ask(GET)
            .shows("server: envoy"),
        case("reason_phrases").upstream(reply("HTTP/1.1 200 Fine By Me\r\ncontent-length: 0\r\n\r\n")).ask(GET).shows("HTTP/1.1 200"),
        case("no_reason_phrase").upstream(reply("HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n")).ask(GET).shows("HTTP/1.1"),
        case("unnamed_statuses")
            .upstream(reply("HTTP/1.1 418 I'm a teapot\r\ncontent-length: 0\r\n\r\n"))
            .upstream(reply("HTTP/1.1 299 Whatever\r\ncontent-length: 0\r\n\r\n"))
            .upstream(reply("HTTP/1.1 451 Unavailable For Legal Reasons\r\ncontent-length: 0\r\n\r\n"))
            .upstream(reply("HTTP/1.1 599 Nothing\r\ncontent-length: 0\r\n\r\n"))
            .ask(GET)
            .ask(GET)
            .ask(GET)
            .ask(GET)
            .shows("HTTP/1.1 418"),
    ]);
}

#[test]
fn referers() {
    let referers = [
        "http://a.com",
        "https://a.com:80/x?y",
        "http://a.com/x#f",
        "http://a.com#f",
        "http://u:p@a.com/x",
        "http://a.com?u@b",
        "http://a.com:/",
        "http://a_b.com",
        "http://[::1]:80/",
        "http://",
        "android-app://com.x/",
        "//a.com/x",
        "/p",
        "/p:q",
        "a.com",
        "?q",
        "#f",
        "",
        "about:blank",
        "mailto:x@y.z",
        "http:/a.com",
    ];
    let asked = |case: Case, referer: &&str| case.ask(with(&format!("referer: {referer}")));
    compare(vec![
        referers.iter().fold(case("referers"), asked).shows("referer: http://a.com"),
        case("referer_twice").ask(with("referer: http://a.com/1\r\nreferer: http://a.com/2")),
    ]);
}

#[test]
fn hop_by_hop() {
    compare(vec![
        case("connection_names_one").ask(with("connection: x-a\r\nx-a: 1\r\nx-b: 2")).shows("x-b: 2"),
        case("connection_names_two").ask(with("connection: x-a, x-b\r\nx-a: 1\r\nx-b: 2\r\nx-c: 3")).shows("x-c: 3"),
        case("connection_names_host").ask(with("connection: host")).shows("HTTP/1.1"),
        case("connection_names_forwarded").ask(with("connection: x-forwarded-for\r\nx-forwarded-for: 1.2.3.4")).shows("HTTP/1.1"),
        case("keep_alive_line").ask(with("keep-alive: timeout=5\r\nproxy-connection: keep-alive")).shows("HTTP/1.1 200"),
        case("te_trailers").ask(with("te: trailers")).shows("te: trailers"),
        case("te_trailers_and_gzip").ask(with("te: trailers, gzip")).shows("HTTP/1.1 200"),
        case("te_gzip").ask(with("te: gzip")).hides("te: gzip"),
        case("te_named_by_connection").ask(with("connection: te\r\nte: trailers")).shows("HTTP/1.1 200"),
        case("trailer_announced").ask(with("trailer: x-a")).shows("HTTP/1.1 200"),
        case("proxy_authorization").ask(with("proxy-authorization: Basic eDp5")).shows("HTTP/1.1 200"),
        case("upgrade_off").ask(with("connection: Upgrade\r\nupgrade: websocket")).shows("HTTP/1.1 403").shows("upgrade_failed"),
        case("upgrade_without_connection").ask(with("upgrade: websocket")).shows("HTTP/1.1"),
        case("h2c_upgrade")
            .ask(with("connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAARAAAAAAAIAAAAA"))
            .shows("HTTP/1.1"),
        case("response_hop_by_hop")
            .upstream(reply("HTTP/1.1 200 OK\r\nkeep-alive: timeout=5\r\nproxy-connection: keep-alive\r\nconnection: x-a\r\nx-a: 1\r\nupgrade: h2c\r\ntrailer: x-t\r\nproxy-authenticate: Basic\r\ncontent-length: 0\r\n\r\n"))
            .ask(GET)
            .shows("HTTP/1.1 200"),
    ]);
}
