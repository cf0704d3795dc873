//! Replies of the proxy's own as `local_reply_config` has them.

use ringmain_tests::parity::{Case, case, compare};
use ringmain_tests::upstream::{Act, ok, reply};

use crate::GET;
use crate::access_log_operators::logging;

fn mapped(name: &'static str, config: &str) -> Case {
    let case = logging(
        name,
        &[
            "RESPONSE_CODE",
            "RESPONSE_CODE_DETAILS",
            "BYTES_SENT",
            "LOCAL_REPLY_BODY",
            "RESP(:status)",
        ],
    );
    case.hcm(&format!("local_reply_config: {{ {config} }}"))
        .routes(
            "- match: { path: /refused }\n  route: { cluster: '{{refused}}' }\n\
             - match: { path: /direct }\n  direct_response: { status: 202, body: { inline_string: direct } }\n  \
             response_headers_to_add: [{ header: { key: x-route, value: r } }]\n\
             - match: { path: /away }\n  redirect: { path_redirect: /b }\n\
             - match: { prefix: /up }\n  route: { cluster: '{{cluster}}' }",
        )
        .upstream(ok())
        .upstream(reply("HTTP/1.1 503 No\r\ncontent-length: 2\r\n\r\nno"))
}

fn get(path: &str) -> String {
    GET.replace("GET /", &format!("GET {path}"))
}

fn all(case: Case) -> Case {
    let grpc = get("/refused").replace("\r\n\r\n", "\r\ncontent-type: application/grpc\r\n\r\n");
    let head = get("/refused").replace("GET", "HEAD");
    case.ask(get("/up"))
        .ask(get("/up"))
        .ask(get("/refused"))
        .ask(get("/direct"))
        .ask(get("/away"))
        .ask(get("/nowhere"))
        .ask(grpc)
        .send(head)
        .step(ringmain_tests::client::Step::ReadHead)
}

const ANY: &str = "filter: { status_code_filter: { comparison: { op: GE, value: { default_value: 100, runtime_key: a } } } }";

fn mapper(name: &'static str, fields: &str) -> Case {
    mapped(name, &format!("mappers: [{{ {ANY}, {fields} }}]"))
}

#[test]
fn formats_of_all() {
    let text = |name, text: &str| {
        mapped(
            name,
            &format!("body_format: {{ text_format_source: {{ inline_string: \"{text}\" }} }}"),
        )
    };
    compare(vec![
        all(text("text", "%RESPONSE_CODE% %RESPONSE_FLAGS% %LOCAL_REPLY_BODY% %REQ(:path)% %RESP(x-route)%\\n")),
        all(text("empty", "")),
        all(mapped("json", "body_format: { json_format: { status: '%RESPONSE_CODE%', message: '%LOCAL_REPLY_BODY%', path: '%REQ(:path)%' } }")),
        all(mapped("content_type", "body_format: { text_format_source: { inline_string: '<b>%LOCAL_REPLY_BODY%</b>' }, content_type: 'text/html; charset=UTF-8' }")),
        all(mapped("json_content_type", "body_format: { json_format: { a: '%LOCAL_REPLY_BODY%' }, content_type: application/problem+json }")),
        all(mapped("nothing", "mappers: []")),
        mapped("of_the_codec", "body_format: { text_format_source: { inline_string: 'own %LOCAL_REPLY_BODY% %RESPONSE_CODE_DETAILS%' } }").ask("NO\r\n\r\n").shows("own Bad Request"),
        mapped("of_no_host", "body_format: { text_format_source: { inline_string: 'own %LOCAL_REPLY_BODY%' } }").ask("GET / HTTP/1.1\r\n\r\n"),
    ]);
}

#[test]
fn mappers() {
    let only = |status: u16| {
        format!(
            "filter: {{ status_code_filter: {{ comparison: {{ op: EQ, value: {{ default_value: {status}, runtime_key: a }} }} }} }}"
        )
    };
    compare(vec![
        all(mapper("status", "status_code: 599")),
        all(mapper("body", "body: { inline_string: 'another %RESPONSE_CODE%' }")),
        all(mapper("empty_body", "body: { inline_string: '' }")),
        all(mapper(
            "headers",
            "headers_to_add: [{ header: { key: x-a, value: '%RESPONSE_CODE%' }, append_action: APPEND_IF_EXISTS_OR_ADD }, { header: { key: x-route, value: m }, append_action: OVERWRITE_IF_EXISTS_OR_ADD }, { header: { key: content-type, value: text/html }, append_action: OVERWRITE_IF_EXISTS_OR_ADD }]",
        )),
        all(mapper(
            "format",
            "status_code: 500, body: { inline_string: b }, body_format_override: { json_format: { code: '%RESPONSE_CODE%', body: '%LOCAL_REPLY_BODY%' } }",
        )),
        all(mapper("status_of_success", "status_code: 200")),
        all(mapped(
            "first_match_wins",
            &format!(
                "mappers: [{{ {}, status_code: 504 }}, {{ {}, body: {{ inline_string: second }} }}, {{ {ANY}, headers_to_add: [{{ header: {{ key: x-third, value: 'yes' }} }}] }}], body_format: {{ text_format_source: {{ inline_string: 'f:%LOCAL_REPLY_BODY%' }} }}",
                only(503),
                only(404)
            ),
        )),
        all(mapped(
            "by_flag",
            "mappers: [{ filter: { response_flag_filter: { flags: [UF] } }, status_code: 501 }]",
        )),
        all(mapped(
            "by_header",
            "mappers: [{ filter: { header_filter: { header: { name: ':path', string_match: { exact: /direct } } } }, body: { inline_string: mine } }]",
        )),
        mapper("of_a_timeout", "status_code: 599, body: { inline_string: late }")
            .routes("- match: { prefix: / }\n  route: { cluster: '{{cluster}}', timeout: 0.2s }")
            .upstream(vec![Act::ReadBody, Act::Stall])
            .ask(get("/up"))
            .ask(get("/up")),
    ]);
}

#[test]
fn of_grpc_requests() {
    let grpc = |name, fields: &str, method: &str| {
        case(name)
            .routes(&format!("- match: {{ prefix: / }}\n  {fields}"))
            .send(format!("{method} / HTTP/1.1\r\nhost: a\r\ncontent-type: application/grpc\r\ncontent-length: 0\r\n\r\n"))
            .step(ringmain_tests::client::Step::ReadHead)
    };
    let direct = |name, status: u16| {
        grpc(
            name,
            &format!(
                "direct_response: {{ status: {status}, body: {{ inline_string: 'a \"b\" %c\u{e9}' }} }}"
            ),
            "POST",
        )
    };
    compare(vec![
        direct("grpc_200", 200),
        direct("grpc_204", 204),
        direct("grpc_400", 400),
        direct("grpc_401", 401),
        direct("grpc_403", 403),
        direct("grpc_404", 404),
        direct("grpc_429", 429),
        direct("grpc_500", 500),
        direct("grpc_502", 502),
        direct("grpc_504", 504),
        grpc("grpc_no_host", "route: { cluster: '{{empty}}' }", "POST"),
        grpc("grpc_head", "route: { cluster: '{{empty}}' }", "HEAD"),
        grpc(
            "grpc_with_headers",
            "direct_response: { status: 503 }\n  response_headers_to_add: [{ header: { key: grpc-status, value: '5' } }, { header: { key: content-type, value: text/html } }, { header: { key: grpc-message, value: m } }]",
            "POST",
        ),
    ]);
}
