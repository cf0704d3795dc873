//! `envoy.filters.http.compressor`. What the client got is compared as it was before it was compressed.

use ringmain_tests::client::Step;
use ringmain_tests::parity::{Case, case, compare};
use ringmain_tests::upstream::{Act, reply};

use super::{filter, levels, per_route};

const GZIP: &str = "compressor_library: { name: zip, typed_config: { '@type': \
                    type.googleapis.com/envoy.extensions.compression.gzip.compressor.v3.Gzip } }";
const BROTLI: &str = "compressor_library: { name: zip, typed_config: { '@type': \
                      type.googleapis.com/envoy.extensions.compression.brotli.compressor.v3.Brotli } }";

/// A filter of this library.
fn compressor(name: &str, library: &str, fields: &str) -> String {
    filter(name, "compressor", "Compressor", &format!("{library}\n{fields}"))
}

fn gzip(name: &'static str, fields: &str) -> Case {
    levels(name, "", "").http_filters(&compressor("gzip", GZIP, fields)).any_size()
}

fn get(accept_encoding: &str) -> String {
    let line = match accept_encoding {
        "" => String::new(),
        value => format!("accept-encoding: {value}\r\n"),
    };
    format!("GET /p HTTP/1.1\r\nhost: a.example\r\n{line}\r\n")
}

const TEXT: &str = "a text that is longer than thirty bytes, a text that is longer";

/// A reply of text with these further header lines.
fn text(headers: &str) -> Vec<Act> {
    reply(format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n{headers}content-length: {}\r\n\r\n{TEXT}",
        TEXT.len()
    ))
}

#[test]
fn what_clients_take() {
    let values = [
        "gzip",
        "gzip, br",
        "deflate, gzip;q=0.5",
        "gzip;q=0",
        "gzip;q=0, *",
        "*",
        "*;q=0",
        "identity",
        "identity;q=0.5, *;q=0.7",
        "br",
        "GZIP",
        "gzip;q=x",
        "gzip;level=1",
        ",,",
        "",
    ];
    let asked = |case: Case| values.iter().fold(case, |case, value| case.ask(get(value)));
    let both = |first: &str, second: &str, fields: &str| {
        compressor("one", first, "") + &compressor("two", second, fields)
    };
    let two = |name, filters: &str| levels(name, "", "").http_filters(filters).any_size();
    compare(vec![
        asked(gzip("accept", "").upstream(text(""))).shows("content-encoding: gzip"),
        asked(two("accept_two", &both(GZIP, BROTLI, "")).upstream(text("")))
            .shows("content-encoding: br"),
        asked(
            two("accept_two_first", &both(GZIP, BROTLI, "choose_first: true")).upstream(text("")),
        ),
        asked(two("accept_two_alike", &both(GZIP, GZIP, "")).upstream(text(""))),
        asked(two("accept_brotli", &compressor("br", BROTLI, "")).upstream(text(""))),
        gzip(
            "accept_removed",
            "response_direction_config: { remove_accept_encoding_header: true }",
        )
        .upstream(text(""))
        .ask(get("gzip")),
        gzip("accept_twice", "").upstream(text("")).ask(
            "GET /p HTTP/1.1\r\nhost: a\r\naccept-encoding: br\r\naccept-encoding: gzip\r\n\r\n",
        ),
    ]);
}

#[test]
fn what_responses_allow() {
    let headers = [
        ("etag_strong", "etag: \"abc\"\r\n"),
        ("etag_weak", "etag: W/\"abc\"\r\n"),
        ("no_transform", "cache-control: private, no-transform\r\n"),
        ("cached", "cache-control: private\r\n"),
        ("encoded", "content-encoding: deflate\r\n"),
        ("vary", "vary: origin\r\n"),
        ("vary_same", "vary: origin, Accept-Encoding\r\n"),
        ("vary_twice", "vary: origin\r\nvary: cookie\r\n"),
    ];
    let direction = |fields: &str| format!("response_direction_config: {{ {fields} }}");
    let mut cases: Vec<Case> = headers
        .into_iter()
        .map(|(name, line)| gzip(name, "").upstream(text(line)).ask(get("gzip")).ask(get("")))
        .collect();
    let typed = |name, content_type: &str| {
        let response = format!(
            "HTTP/1.1 200 OK\r\n{content_type}content-length: {}\r\n\r\n{TEXT}",
            TEXT.len()
        );
        gzip(name, "").upstream(reply(response)).ask(get("gzip"))
    };
    cases.extend([
        typed("type_html", "content-type: Text/HTML ; charset=utf-8\r\n"),
        typed("type_png", "content-type: image/png\r\n"),
        typed("type_none", ""),
        typed("type_grpc", "content-type: application/grpc\r\n"),
        gzip("short", "")
            .upstream(reply("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok"))
            .ask(get("gzip")),
        gzip("empty", "")
            .upstream(reply("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 0\r\n\r\n"))
            .ask(get("gzip")),
        gzip("no_content", "").upstream(reply("HTTP/1.1 204 No Content\r\n\r\n")).ask(get("gzip")),
        gzip("not_modified", "")
            .upstream(reply("HTTP/1.1 304 Not Modified\r\netag: \"x\"\r\n\r\n"))
            .ask(get("gzip")),
        gzip("chunked", "")
            .upstream(reply(
                "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
            ))
            .ask(get("gzip")),
        gzip("chunked_empty", "")
            .upstream(reply(
                "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            ))
            .ask(get("gzip")),
        gzip("until_close", "")
            .upstream(vec![
                Act::ReadBody,
                Act::Send(format!("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n{TEXT}").into()),
                Act::Close,
            ])
            .ask(get("gzip")),
        gzip("head", "")
            .upstream(reply(
                "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 100\r\n\r\n",
            ))
            .send("HEAD /p HTTP/1.1\r\nhost: a\r\naccept-encoding: gzip\r\n\r\n")
            .step(Step::ReadHead),
        gzip("http_10", "")
            .hcm("http_protocol_options: { accept_http_10: true }")
            .upstream(text(""))
            .ask("GET /p HTTP/1.0\r\nhost: a\r\naccept-encoding: gzip\r\n\r\n"),
        gzip("etag_kept", &direction("disable_on_etag_header: true"))
            .upstream(text("etag: \"abc\"\r\n"))
            .ask(get("gzip")),
        gzip("etag_weakened", &direction("disable_on_etag_header: true, weaken_etag_on_compress: true"))
            .upstream(text("etag: \"abc\"\r\n"))
            .ask(get("gzip")),
        gzip("code_refused", &direction("uncompressible_response_codes: [200]"))
            .upstream(text(""))
            .ask(get("gzip")),
        gzip("min_length", &direction("common_config: { min_content_length: 1000 }"))
            .upstream(text(""))
            .ask(get("gzip")),
        gzip("types", &direction("common_config: { content_type: [Text/Plain] }"))
            .upstream(text(""))
            .ask(get("gzip")),
        gzip("types_matched", &direction("common_config: { content_type_matcher: [{ prefix: te }] }"))
            .upstream(text(""))
            .ask(get("gzip")),
        gzip("switched_off", &direction("common_config: { enabled: { default_value: false, runtime_key: x } }"))
            .upstream(text(""))
            .ask(get("gzip")),
        gzip("older_fields", "content_length: 1000\ncontent_type: [text/plain]")
            .upstream(text(""))
            .ask(get("gzip")),
        gzip("request_off", "request_direction_config: { common_config: { enabled: { default_value: false, runtime_key: x } } }")
            .upstream(text(""))
            .ask(get("gzip")),
    ]);
    compare(cases);
}

#[test]
fn the_status_header() {
    let telling = |name, fields: &str| {
        gzip(name, &format!("response_direction_config: {{ status_header_enabled: true{fields} }}"))
    };
    compare(vec![
        telling("told", "").upstream(text("")).ask(get("gzip")).ask(get("")).ask(get("br")),
        telling("told_chunked", "")
            .upstream(reply(
                "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            ))
            .ask(get("gzip")),
        telling("told_short", "")
            .upstream(reply("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"))
            .ask(get("gzip")),
        telling("told_etag", ", disable_on_etag_header: true")
            .upstream(text("etag: \"abc\"\r\n"))
            .ask(get("gzip")),
        telling("told_code", ", uncompressible_response_codes: [200]")
            .upstream(text(""))
            .ask(get("gzip")),
        telling("told_type", ", common_config: { content_type: [text/css] }")
            .upstream(text(""))
            .ask(get("gzip")),
        telling("told_no_transform", "")
            .upstream(text("cache-control: no-transform\r\n"))
            .ask(get("gzip")),
    ]);
}

#[test]
fn levels_of_routes() {
    let on_route = |fields: &str| per_route("gzip", "compressor", "CompressorPerRoute", fields);
    let with = |name, route: &str, fields: &str| {
        levels(name, "", route)
            .http_filters(&compressor("gzip", GZIP, fields))
            .any_size()
            .upstream(text(""))
            .ask(get("gzip, br;q=0.5"))
    };
    let off = "response_direction_config: { common_config: { enabled: { default_value: false, runtime_key: x } } }";
    compare(vec![
        with("route_off", &on_route("disabled: true"), ""),
        with("route_on", &on_route("overrides: { response_direction_config: {} }"), off),
        with("route_empty", &on_route("overrides: {}"), off),
        with(
            "route_removes",
            &on_route("overrides: { response_direction_config: { remove_accept_encoding_header: true } }"),
            "",
        ),
        with(
            "route_library",
            &on_route(&format!("overrides:\n  {BROTLI}")),
            "",
        ),
        levels("route_disabled", "", "typed_per_filter_config: { one: { '@type': type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: true } }")
            .http_filters(&(compressor("one", GZIP, "") + &compressor("two", BROTLI, "")))
            .any_size()
            .upstream(text(""))
            .ask(get("gzip, br;q=0.5")),
    ]);
}

#[test]
fn replies_of_our_own() {
    let direct = |name, body: &str| {
        case(name)
            .http_filters(&compressor("gzip", GZIP, ""))
            .any_size()
            .routes(&format!(
                "- match: {{ prefix: / }}\n  direct_response: {{ status: 200, body: {{ inline_string: '{body}' }} }}"
            ))
            .ask(get("gzip"))
            .send("HEAD /p HTTP/1.1\r\nhost: a\r\naccept-encoding: gzip\r\n\r\n")
            .step(Step::ReadHead)
    };
    compare(vec![
        direct("direct_long", TEXT),
        direct("direct_short", "short"),
        case("refused")
            .http_filters(&compressor("gzip", GZIP, ""))
            .any_size()
            .routes("- match: { prefix: / }\n  route: { cluster: '{{refused}}' }")
            .ask(get("gzip"))
            .ask("GET /p HTTP/1.1\r\nhost: a\r\naccept-encoding: gzip\r\ncontent-type: application/grpc\r\n\r\n"),
        case("no_route")
            .http_filters(&compressor("gzip", GZIP, ""))
            .any_size()
            .routes("- match: { path: /none }\n  route: { cluster: '{{cluster}}' }")
            .ask(get("gzip")),
    ]);
}
