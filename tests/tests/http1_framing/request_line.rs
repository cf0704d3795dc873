//! RFC 9112 §2.2, §2.3, §3, §3.1: the request line.

use super::messages::{get, line, to_upstream, upstream_get};
use super::requests::{
    SERVED, all_forwarded, check, check_with, exact, forwarded, ok, refusal, refused, refused_as,
    refused_version,
};

#[test]
fn spaces_and_line_ends() {
    check(&[
        forwarded("§3: the plainest request", get("host: a.example"), upstream_get("")),
        forwarded(
            "§2.2: one empty line before the request line",
            format!("\r\n{}", get("host: a.example")),
            upstream_get(""),
        ),
        refused("§2.2: two empty lines before it", format!("\r\n\r\n{}", get("host: a.example"))),
        refused("§2.2: an empty line of LF alone", format!("\n{}", get("host: a.example"))),
        refused("§2.2: a lone CR before it", format!("\r{}", get("host: a.example"))),
        refused("§2.2: bare line feeds", "GET / HTTP/1.1\nhost: a.example\n\n"),
        refused("§2.2: bare LF after it", "GET / HTTP/1.1\nhost: a.example\r\n\r\n"),
        refused("§2.2: bare CR after it", "GET / HTTP/1.1\rhost: a.example\r\n\r\n"),
        refused("§2.2: two CR after it", "GET / HTTP/1.1\r\r\nhost: a.example\r\n\r\n"),
        refused("§2.2: LF CR after it", "GET / HTTP/1.1\n\rhost: a.example\r\n\r\n"),
        refused("§3: two spaces after the method", line("GET  / HTTP/1.1")),
        refused("§3: two spaces after the target", line("GET /  HTTP/1.1")),
        refused("§3: tabs for spaces", line("GET\t/\tHTTP/1.1")),
        refused_as("§3: a tab behind the target", line("GET /\tHTTP/1.1"), "http1.codec_error"),
        refused("§3: space at the end", line("GET / HTTP/1.1 ")),
        refused("§3: space at the start", line(" GET / HTTP/1.1")),
        refused("§3: tab at the start", line("\tGET / HTTP/1.1")),
        refused("§3: more than three words", line("GET / HTTP/1.1 HTTP/1.1")),
        refused("§3: no target", line("GET HTTP/1.1")),
        refused("§3: an empty target", line("GET  HTTP/1.1")),
        refused("§3: a method alone", "GET\r\n\r\n"),
        refused_as(
            "§3: a vertical tab for a space",
            line("GET /\x0bHTTP/1.1"),
            "http1.invalid_characters",
        ),
        refused_as(
            "§3: a form feed for a space",
            line("GET /\x0cHTTP/1.1"),
            "http1.invalid_characters",
        ),
        refused("§3: a no-break space for a space", line("GET /\u{a0}HTTP/1.1")),
        refused("§3: garbage", "hello\r\n\r\n"),
        refused("§3: a TLS hello", "\x16\x03\x01\x02\0\x01\0\r\n\r\n"),
    ]);
}

#[test]
fn methods() {
    check(&[
        refused("§3.1: @ in a method", line("G@T / HTTP/1.1")),
        refused("§3.1: a colon in a method", line("GET: / HTTP/1.1")),
        refused("§3.1: a bracket in a method", line("GE(T / HTTP/1.1")),
        refused("§3.1: NUL in a method", line("GE\0T / HTTP/1.1")),
        refused("§3.1: a control byte in a method", line("GE\x7fT / HTTP/1.1")),
        refused("§3.1: non-ASCII in a method", line("G\u{c9}T / HTTP/1.1")),
        refused("§3.1: an empty method", line(" / HTTP/1.1")),
        refused("§3.1: methods have their case", line("get / HTTP/1.1")),
        refused("§3.1: a method with one small letter", line("GEt / HTTP/1.1")),
        refused("§3.1: a token that is no known method", line("BREW / HTTP/1.1")),
        refused("§3.1: a method longer than any", line(&format!("{} / HTTP/1.1", "G".repeat(40)))),
        forwarded(
            "RFC 9110 §9.3.5: DELETE",
            line("DELETE /d HTTP/1.1"),
            to_upstream("DELETE /d HTTP/1.1", "a.example", ""),
        ),
        forwarded(
            "RFC 9110 §9.3.7: OPTIONS with a path",
            line("OPTIONS /o HTTP/1.1"),
            "OPTIONS /o HTTP/1.1\r\nhost: a.example\r\nx-forwarded-proto: http\r\ncontent-length: 0\r\n\r\n",
        ),
        exact(
            "RFC 9110 §9.3.2: HEAD has no body in its answer",
            line("HEAD / HTTP/1.1"),
            (ok().trim_end_matches("ok").to_owned(), false),
            vec![to_upstream("HEAD / HTTP/1.1", "a.example", "")],
            vec![SERVED],
        ),
        all_forwarded(
            "RFC 9110 §9.3.2: two HEAD in a row",
            line("GET / HTTP/1.1").repeat(2),
            vec![upstream_get(""); 2],
        ),
    ]);
}

#[test]
fn versions() {
    check(&[
        refused("§2.3: lower-case name", line("GET / http/1.1")),
        refused("§2.3: mixed-case name", line("GET / Http/1.1")),
        refused("§2.3: a letter in the version", line("GET / HTTP/1.x")),
        refused("§2.3: a long minor version", line("GET / HTTP/1.10")),
        refused("§2.3: a long major version", line("GET / HTTP/11.1")),
        refused("§2.3: a leading zero", line("GET / HTTP/01.1")),
        refused("§2.3: a comma for the point", line("GET / HTTP/1,1")),
        refused("§2.3: no minor version", line("GET / HTTP/1")),
        refused("§2.3: an empty minor version", line("GET / HTTP/1.")),
        refused("§2.3: no slash", line("GET / HTTP1.1")),
        refused("§2.3: a sign", line("GET / HTTP/+1.1")),
        refused("§2.3: a space in it", line("GET / HTTP/ 1.1")),
        refused("§2.3: another protocol", line("GET / RTSP/1.1")),
        refused("§2.3: a longer name", line("GET / XHTTP/1.1")),
        refused_version("§2.3: 2.0", line("GET / HTTP/2.0")),
        refused_version("§2.3: 1.2", line("GET / HTTP/1.2")),
        refused_version("§2.3: 1.9", line("GET / HTTP/1.9")),
        refused_version("§2.3: 0.9", line("GET / HTTP/0.9")),
        refused_version("§2.3: 3.0", line("GET / HTTP/3.0")),
        refused_version("§2.5: 1.0 is off by default", line("GET / HTTP/1.0")),
        refused("§3: no version at all", line("GET /")),
    ]);
}

#[test]
fn http_10_where_it_is_accepted() {
    let answer = ok()
        .replace("HTTP/1.1", "HTTP/1.0")
        .replace("server: envoy\r\n", "server: envoy\r\nconnection: close\r\n");
    check_with(
        "http_protocol_options: { accept_http_10: true, default_host_for_http_10: d.example }",
        &[
            exact(
                "§9.3: closed after one request",
                line("GET / HTTP/1.0"),
                (answer.clone(), true),
                vec![upstream_get("")],
                vec![SERVED],
            ),
            exact(
                "§3.2: HTTP/1.0 knew no host",
                "GET / HTTP/1.0\r\n\r\n",
                (answer.clone(), true),
                vec![to_upstream("GET / HTTP/1.0", "d.example", "").replace("1.0", "1.1")],
                vec![SERVED],
            ),
            exact(
                "§9.3: what follows without keep-alive is thrown away",
                format!("{}{}", line("GET / HTTP/1.0"), line("GET /two HTTP/1.0")),
                (answer, true),
                vec![upstream_get("")],
                vec![SERVED],
            ),
            refused(
                "§6.1: HTTP/1.0 has no transfer codings",
                line("POST / HTTP/1.0\r\ntransfer-encoding: chunked"),
            ),
            refused_version("§2.3: 1.2 all the same", line("GET / HTTP/1.2")),
            refused_version("§2.3: 2.0 all the same", line("GET / HTTP/2.0")),
            exact(
                "§3.2: two hosts even so",
                "GET / HTTP/1.0\r\nhost: a\r\nhost: b\r\n\r\n",
                (refusal("400 Bad Request", "Bad Request"), true),
                vec![],
                vec!["DPE http.invalid_authority"],
            ),
        ],
    );
}
