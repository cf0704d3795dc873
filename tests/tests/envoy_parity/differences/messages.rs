//! Messages of HTTP/1 that are refused, or travel in another form, otherwise than by Envoy.

use ringmain_tests::parity::{Case, case};
use ringmain_tests::upstream::{Act, reply};

use super::{
    ADDED, ANSWERED, CONNECTION_1, Difference, Outcome, bad_request, forwarded, local_reply,
    plain_get, refusal,
};
use crate::GET;

pub fn differences() -> Vec<Difference> {
    let mut list = ambiguous_requests();
    list.extend(framing());
    list.extend(broken_chunks());
    list.extend(ambiguous_responses());
    list
}

/// Requests that two recipients could read differently (RFC 9112 §11.2): Envoy is lenient, ringmain
/// answers 400.
fn ambiguous_requests() -> Vec<Difference> {
    let refused = |reason, case: Case, upstream: &str| Difference {
        reason,
        case,
        envoy: forwarded(upstream),
        ringmain: bad_request(),
    };
    vec![
        refused(
            "two Host lines name two hosts (RFC 9112 §3.2 demands 400); Envoy joins them",
            case("duplicate_host")
                .ask("GET / HTTP/1.1\r\nhost: a.example\r\nhost: b.example\r\n\r\n"),
            &format!("GET / HTTP/1.1\nhost: a.example,b.example\n{ADDED}"),
        ),
        refused(
            "Host contradicts the absolute-form target; Envoy believes the target",
            case("host_contradicts_target")
                .ask("GET http://b.example/ HTTP/1.1\r\nhost: a.example\r\n\r\n"),
            &format!("GET / HTTP/1.1\nhost: b.example\n{ADDED}"),
        ),
        Difference {
            reason: "a request of HTTP/1.1 has a Host, whatever its target (RFC 9112 §3.2 demands 400)",
            case: case("absolute_form_without_host").ask("GET http://b.example/x HTTP/1.1\r\n\r\n"),
            envoy: forwarded(&format!("GET /x HTTP/1.1\nhost: b.example\n{ADDED}")),
            ringmain: Outcome {
                client:
                    "HTTP/1.1 400 Bad Request\ndate: <date>\nserver: envoy\nconnection: close\n\
                         content-length: 0\n  body by length: \"\"\n[closed]\n"
                        .to_owned(),
                upstream: String::new(),
            },
        },
        refused(
            "a line that ends in LF alone is a line to some and part of one to others; Envoy takes it for a line",
            case("bare_line_feeds").ask("GET / HTTP/1.1\nhost: a.example\n\n"),
            &plain_get(""),
        ),
        refused(
            "a carriage return within a value ends a line to some; Envoy drops it",
            case("bare_carriage_return")
                .ask("GET / HTTP/1.1\r\nhost: a.example\r\nx-a: 1\r2\r\n\r\n"),
            &plain_get("x-a: 12\n"),
        ),
        refused(
            "a folded line is a new line to some (RFC 9112 §5.2 allows 400); Envoy unfolds it",
            case("folded_line").ask("GET / HTTP/1.1\r\nhost: a.example\r\nx-a: 1\r\n 2\r\n\r\n"),
            &plain_get("x-a: 1 2\n"),
        ),
        refused(
            "spaces in a request line decide where the target ends; Envoy skips the second",
            case("two_spaces").ask("GET  / HTTP/1.1\r\nhost: a.example\r\n\r\n"),
            &plain_get(""),
        ),
        refused(
            "only one empty line may stand before a request line (RFC 9112 §2.2); Envoy skips any number",
            case("empty_lines").ask("\r\n\r\nGET / HTTP/1.1\r\nhost: a.example\r\n\r\n"),
            &plain_get(""),
        ),
        Difference {
            reason: "an empty Host names no host, and the next hop may choose another; Envoy forwards it",
            case: case("empty_host").ask("GET / HTTP/1.1\r\nhost:\r\n\r\n"),
            envoy: forwarded(&format!("GET / HTTP/1.1\nhost: \n{ADDED}")),
            ringmain: Outcome {
                client:
                    "HTTP/1.1 400 Bad Request\ndate: <date>\nserver: envoy\nconnection: close\n\
                         content-length: 0\n  body by length: \"\"\n[closed]\n"
                        .into(),
                upstream: String::new(),
            },
        },
        Difference {
            reason: "a request line without a version is not HTTP/1 at all; Envoy takes it for an old version",
            case: case("no_version").ask("GET /\r\nhost: a.example\r\n\r\n"),
            envoy: refusal("426 Upgrade Required", "Upgrade Required"),
            ringmain: bad_request(),
        },
    ]
}

/// Bodies that travel in another form.
fn framing() -> Vec<Difference> {
    let request = "POST / HTTP/1.1\r\nhost: a.example\r\nconnection: content-length\r\ncontent-length: 2\r\n\r\nhi";
    let head = "POST / HTTP/1.1\nhost: a.example\n";
    vec![Difference {
        reason: "a length says where the body ends whatever Connection names; Envoy drops it and sends chunks",
        case: case("connection_names_length").ask(request),
        envoy: forwarded(&format!(
            "{head}{ADDED}transfer-encoding: chunked\n  body in chunks: \"hi\"\n"
        )),
        ringmain: forwarded(&format!("{head}content-length: 2\n{ADDED}  body by length: \"hi\"\n")),
    }]
}

/// Responses that two recipients could read differently: Envoy passes them on, ringmain answers 502.
fn ambiguous_responses() -> Vec<Difference> {
    const PROTOCOL_ERROR: &str =
        "upstream connect error or disconnect/reset before headers. reset reason: protocol error";
    let refused = |reason, case: Case, client: String| Difference {
        reason,
        case: case.ask(GET),
        envoy: Outcome { client, ..forwarded(&plain_get("")) },
        ringmain: Outcome {
            client: local_reply("502 Bad Gateway", PROTOCOL_ERROR),
            ..forwarded(&plain_get(""))
        },
    };
    let switch =
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n".to_vec();
    vec![
        refused(
            "a status of four digits is no status (RFC 9110 §15)",
            case("four_digit_status")
                .upstream(reply("HTTP/1.1 2000 OK\r\ncontent-length: 0\r\n\r\n")),
            format!("HTTP/1.1 2000 Unknown\ncontent-length: 0\n{ANSWERED}  body by length: \"\"\n"),
        ),
        refused(
            "a 101 that nobody asked for would hand the connection over to another protocol",
            case("unasked_switch").upstream(vec![Act::ReadBody, Act::Send(switch), Act::Close]),
            format!("HTTP/1.1 101 Switching Protocols\n{ANSWERED}"),
        ),
        refused(
            "HTTP/1.0 has no chunks (RFC 9112 §6.1): two recipients could end the body elsewhere",
            case("chunks_over_10").upstream(vec![
                Act::ReadBody,
                Act::Send(
                    b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"
                        .to_vec(),
                ),
                Act::Close,
            ]),
            format!(
                "HTTP/1.1 200 OK\n{ANSWERED}transfer-encoding: chunked\n  body in chunks: \"ab\"\n"
            ),
        ),
        refused(
            "a first chunk that is none is seen before the head is sent on; Envoy breaks off",
            case("bad_first_chunk").upstream(vec![
                Act::ReadBody,
                Act::Send(
                    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n"
                        .to_vec(),
                ),
                Act::Close,
            ]),
            format!(
                "HTTP/1.1 200 OK\n{ANSWERED}transfer-encoding: chunked\n  body in chunks: \"\"\n  \
                 [cut short: closed]\n"
            ),
        ),
    ]
}

/// A body whose first chunk is broken: both answer 400, but Envoy has already opened a connection
/// for the request when it looks at the body, and ringmain has not.
fn broken_chunks() -> Vec<Difference> {
    let broken = |id: &'static str, body: &str| Difference {
        reason: "the first chunk is looked at before a connection is opened for the request",
        case: case(id).ask(format!(
            "POST / HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\n{body}"
        )),
        envoy: Outcome { upstream: CONNECTION_1.to_owned(), ..bad_request() },
        ringmain: bad_request(),
    };
    vec![
        broken("bad_size", "zz\r\nab\r\n0\r\n\r\n"),
        broken("empty_size", "\r\nab\r\n0\r\n\r\n"),
        broken("negative_size", "-2\r\nab\r\n0\r\n\r\n"),
        broken("hex_prefix", "0x2\r\nab\r\n0\r\n\r\n"),
        broken("huge_size", "fffffffffffffffff\r\nab\r\n0\r\n\r\n"),
        broken("no_crlf_after_data", "2\r\nabXX0\r\n\r\n"),
    ]
}
