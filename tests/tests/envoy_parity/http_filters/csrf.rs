//! `envoy.filters.http.csrf`.

use ringmain_tests::parity::{Case, compare};

use super::{filter, levels, per_route};

const ON: &str = "filter_enabled: { default_value: { numerator: 100 } }";
const OFF: &str = "filter_enabled: { default_value: { numerator: 0 } }";
const SHADOW: &str = "shadow_enabled: { default_value: { numerator: 100 } }";

fn request(method: &str, host: &str, headers: &str) -> String {
    format!("{method} /p HTTP/1.1\r\nhost: {host}\r\ncontent-length: 0\r\n{headers}\r\n")
}

fn post(headers: &str) -> String {
    request("POST", "a.example", headers)
}

fn csrf(name: &'static str, fields: &str) -> Case {
    levels(name, "", "").http_filters(&filter("csrf", "csrf", "CsrfPolicy", fields))
}

fn asked(case: Case) -> Case {
    case.ask(post(""))
        .ask(post("origin: http://a.example\r\n"))
        .ask(post("origin: http://b.example\r\n"))
}

#[test]
fn origins() {
    let origins = [
        "http://a.example/x",
        "https://a.example",
        "http://a.example:80",
        "http://A.example",
        "http://u@a.example",
        "http://a.example?x",
        "http://a.example#x",
        "http://",
        "a.example",
        "null",
        "",
    ];
    let mut case = csrf("csrf_origins", ON).shows("csrf_origin_mismatch");
    for origin in origins {
        case = case.ask(post(&format!("origin: {origin}\r\n")));
        case = case.ask(post(&format!("origin: {origin}\r\nreferer: http://a.example/x?y\r\n")));
    }
    for referer in ["http://a.example/x?y", "https://b.example", "/p", "http://"] {
        case = case.ask(post(&format!("referer: {referer}\r\n")));
    }
    case = case.ask(request("POST", "a.example:81", "origin: http://a.example:81\r\n"));
    compare(vec![case]);
}

#[test]
fn methods_and_fractions() {
    let methods = ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"];
    let by_method = methods
        .into_iter()
        .filter(|method| *method != "HEAD")
        .fold(csrf("csrf_methods", ON), |case, method| {
            case.ask(request(method, "a.example", "origin: http://b.example\r\n"))
        });
    compare(vec![
        by_method,
        asked(csrf("csrf_off", OFF)),
        asked(csrf("csrf_in_the_shadow", &format!("{OFF}\n{SHADOW}"))),
        asked(csrf("csrf_on_and_in_the_shadow", &format!("{ON}\n{SHADOW}"))),
        asked(csrf(
            "csrf_additional",
            &format!("{ON}\nadditional_origins: [{{ suffix: b.example }}, {{ exact: c }}]"),
        )),
    ]);
}

#[test]
fn policies_of_levels() {
    let own = |fields: &str| per_route("csrf", "csrf", "CsrfPolicy", fields);
    let with = |name, host: &str, route: &str, fields: &str| {
        let filters = filter("csrf", "csrf", "CsrfPolicy", fields);
        asked(levels(name, host, route).http_filters(&filters))
    };
    compare(vec![
        with("csrf_of_route", "", &own(ON), OFF),
        with("csrf_off_on_route", "", &own(OFF), ON),
        with("csrf_of_host", &own(ON), "", OFF),
        with("csrf_of_route_first", &own(ON), &own(OFF), OFF),
    ]);
}
