//! `envoy.filters.http.basic_auth`.

use ringmain_tests::parity::{Case, compare};

use super::{filter, levels, per_route};

/// `ann` and `al` with the password `test1`, `bob` with `test2`.
const USERS: &str = "users: { inline_string: \"# people\\nann:{SHA}tESsBmE/yNY3lb6a0L6vVQEZNqw=\\n\\nbob:{SHA}EJ9LPFDXsN9ynSmbxvjp75Bmlx8=\\nal:{SHA}tESsBmE/yNY3lb6a0L6vVQEZNqw=\\n\" }";
const BOB: &str = "users: { inline_string: 'bob:{SHA}EJ9LPFDXsN9ynSmbxvjp75Bmlx8=' }";

fn auth(name: &'static str, fields: &str) -> Case {
    let filters = filter("auth", "basic_auth", "BasicAuth", &format!("{USERS}\n{fields}"));
    levels(name, "response_headers_to_add: [{ header: { key: x-host, value: v } }]", "")
        .http_filters(&filters)
}

fn get(target: &str, headers: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nhost: a.example\r\n{headers}\r\n")
}

/// What names a user and a password, in base64.
fn credentials(encoded: &str) -> String {
    format!("authorization: Basic {encoded}\r\n")
}

fn asked(case: Case) -> Case {
    let ann = credentials("YW5uOnRlc3Qx");
    case.ask(get("/", ""))
        .ask(get("/", &ann))
        .ask(get("/", &format!("{ann}x-user: forged\r\n")))
        .ask(get("/", &credentials("YWw6dGVzdDE=")))
        .ask(get("/", &credentials("YWw6dGVzdDE")))
        .ask(get("/", &ann.replace("Basic ", "Basic  ")))
        .ask(get("/", &ann.replace("Basic", "basic")))
        .ask(get("/", &credentials("Ym9iOnRlc3Qy")))
        .ask(get("/", &credentials("YW5uOnRlc3Qy")))
        .ask(get("/", &credentials("ZXZlOnRlc3Qx")))
        .ask(get("/", &credentials("YW5u")))
        .ask(get("/", &credentials("Og==")))
        .ask(get("/", "authorization: Bearer x\r\nx-user: forged\r\n"))
        .ask(get("/", "authorization: Basic !\r\n"))
        .ask(get("/", "authorization: Basic\r\n"))
        .ask(get("/", "authorization: \r\n"))
        .ask(get(&format!("/{}", "a".repeat(300)), ""))
        .ask(get("/?x", "x-forwarded-proto: https\r\n"))
        .ask(get("/", "content-type: application/grpc\r\n"))
        .ask(get("/", &ann.replace("authorization", "x-auth")))
}

#[test]
fn credentials_are_checked() {
    compare(vec![
        asked(auth("auth_plain", "")).shows("www-authenticate"),
        asked(auth("auth_forwarded", "forward_username_header: X-User")).shows("x-user: ann"),
        asked(auth("auth_elsewhere", "authentication_header: X-Auth")),
        asked(auth("auth_not_needed", "allow_missing: true\nforward_username_header: x-user")),
    ]);
}

#[test]
fn users_of_levels() {
    let own = per_route("auth", "basic_auth", "BasicAuthPerRoute", BOB);
    let off = "typed_per_filter_config:\n  auth: { \"@type\": type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: true }";
    let with = |name, host: &str, route: &str| {
        let filters = filter("auth", "basic_auth", "BasicAuth", USERS);
        asked(levels(name, host, route).http_filters(&filters))
    };
    compare(vec![
        with("auth_of_route", "", &own),
        with("auth_of_host", &own, ""),
        with("auth_off", &own, off),
    ]);
}
