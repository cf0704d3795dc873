//! Where HTTP/1.1 messages end, byte by byte (RFC 9112 §2-§7, §11): every request either reaches the
//! upstream in exactly one reading, or is refused and nothing of it arrives.
//!
//! Each case is sent whole and byte by byte, to each I/O engine, and is followed by an ordinary
//! request on a connection of its own: what the upstream received in all must be the case's bytes
//! and then that request's, so nothing can hide between the two.

use ringmain_tests::client::Client;
use ringmain_tests::message::End;
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy};
use ringmain_tests::upstream::{Upstream, ok};

/// Sent after each case; its bytes at the upstream are known.
const FOLLOWER: &str = "GET /next HTTP/1.1\r\nhost: next.example\r\n\r\n";
const FOLLOWER_UPSTREAM: &str =
    "GET /next HTTP/1.1\r\nhost: next.example\r\nx-forwarded-proto: http\r\n\r\n";

/// What must come of a case.
enum Outcome {
    /// Refused with this status and the connection closed; nothing goes upstream.
    Refused(u16),
    /// Answered with 200, and these bytes go upstream.
    Forwarded(String),
    /// Begins like a proper request and then breaks: refused with 400, or cut when an answer was on
    /// its way; the upstream sees at most a message without an end.
    Broken,
}

/// A rule, the bytes that put it to the test, and the outcome.
struct Case {
    rule: &'static str,
    bytes: String,
    outcome: Outcome,
}

fn refused(rule: &'static str, bytes: impl Into<String>) -> Case {
    Case { rule, bytes: bytes.into(), outcome: Outcome::Refused(400) }
}

fn refused_with(status: u16, rule: &'static str, bytes: impl Into<String>) -> Case {
    Case { rule, bytes: bytes.into(), outcome: Outcome::Refused(status) }
}

fn forwarded(rule: &'static str, bytes: impl Into<String>, upstream: impl Into<String>) -> Case {
    Case { rule, bytes: bytes.into(), outcome: Outcome::Forwarded(upstream.into()) }
}

fn broken(rule: &'static str, bytes: impl Into<String>) -> Case {
    Case { rule, bytes: bytes.into(), outcome: Outcome::Broken }
}

/// A GET with these lines after its request line.
fn get(lines: &str) -> String {
    format!("GET / HTTP/1.1\r\n{lines}\r\n\r\n")
}

/// A request with this request line.
fn line(request_line: &str) -> String {
    format!("{request_line}\r\nhost: a.example\r\n\r\n")
}

/// A POST with these lines and body.
fn post(lines: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nhost: a.example\r\n{lines}\r\n\r\n{body}")
}

/// A chunked POST.
fn chunked(body: &str) -> String {
    post("transfer-encoding: chunked", body)
}

/// A plain GET as the upstream sees it, with these lines of the client's.
fn upstream_get(lines: &str) -> String {
    format!("GET / HTTP/1.1\r\nhost: a.example\r\n{lines}x-forwarded-proto: http\r\n\r\n")
}

/// One engine with its upstream, over many cases.
struct Rig {
    program: Program,
    proxy: Proxy,
    upstream: Upstream,
}

impl Rig {
    fn start(program: Program) -> Self {
        let upstream = Upstream::start(vec![ok()]);
        let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
        // Without what differs from request to request, the bytes upstream are known exactly.
        let hcm = "generate_request_id: false\ndelayed_close_timeout: 0.2s";
        let proxy = Proxy::start(program, &front_proxy(hcm, "timeout: 0s", ""), &values);
        Self { program, proxy, upstream }
    }

    fn check(&self, case: &Case, byte_by_byte: bool) {
        let place = format!("{}, {}, byte by byte: {byte_by_byte}", case.rule, self.program);
        let (before, requests_before) =
            (self.upstream.received().len(), self.upstream.requests().len());
        let mut client = self.connect();
        if byte_by_byte {
            case.bytes.as_bytes().chunks(1).for_each(|byte| client.send(byte));
        } else {
            client.send(&case.bytes);
        }
        self.check_client(case, client, &place);
        self.upstream.settle();
        let cut_short = self.upstream.requests()[requests_before..]
            .iter()
            .all(|request| request.cut_short.is_some());
        self.follow(&place);
        let received = &self.upstream.received()[before..];
        match &case.outcome {
            Outcome::Refused(_) => assert_eq!(text(received), FOLLOWER_UPSTREAM, "{place}"),
            Outcome::Forwarded(bytes) => {
                assert_eq!(text(received), format!("{bytes}{FOLLOWER_UPSTREAM}"), "{place}")
            }
            Outcome::Broken => {
                assert!(cut_short, "{place}: reached the upstream whole: {}", text(received))
            }
        }
    }

    fn check_client(&self, case: &Case, mut client: Client, place: &str) {
        let response = match client.read_response() {
            Ok(response) => response,
            Err(end) if matches!(case.outcome, Outcome::Broken) && end != End::TimedOut => return,
            Err(end) => panic!("{place}: {end} instead of a response"),
        };
        match case.outcome {
            Outcome::Forwarded(_) => assert_eq!(response.status(), Some(200), "{place}"),
            Outcome::Refused(status) => {
                assert_eq!(response.status(), Some(status), "{place}");
                assert_eq!(response.header("connection"), Some("close"), "{place}");
                self.check_closed(client, place);
            }
            Outcome::Broken => {
                assert_eq!(response.status(), Some(400), "{place}");
                self.check_closed(client, place);
            }
        }
    }

    /// Closed or reset, as bytes may have been left unread; but nothing more is said.
    fn check_closed(&self, mut client: Client, place: &str) {
        let (rest, end) = client.read_to_end();
        assert!(rest.is_empty(), "{place}: a second answer: {}", text(&rest));
        assert_ne!(end, End::TimedOut, "{place}: the connection stays open");
    }

    fn follow(&self, place: &str) {
        let mut client = self.connect();
        client.send(FOLLOWER);
        let response = client
            .read_response()
            .unwrap_or_else(|end| panic!("{place}: the proxy is gone: {end}"));
        assert_eq!(response.status(), Some(200), "{place}: the next request");
    }

    fn connect(&self) -> Client {
        Client::connect(self.proxy.port("listener"))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs all cases on each engine, whole and byte by byte.
fn check(cases: &[Case]) {
    for program in Program::ringmains() {
        let rig = Rig::start(program);
        for case in cases {
            rig.check(case, false);
            rig.check(case, true);
        }
    }
}

#[test]
fn request_lines() {
    check(&[
        forwarded("§3: the plainest request", get("host: a.example"), upstream_get("")),
        forwarded(
            "§2.2: one empty line before the request line",
            format!("\r\n{}", get("host: a.example")),
            upstream_get(""),
        ),
        refused("§3: garbage", "hello\r\n\r\n"),
        refused("§3: two spaces after the method", line("GET  / HTTP/1.1")),
        refused("§3: two spaces after the target", line("GET /  HTTP/1.1")),
        refused("§3: a tab for a space", line("GET\t/ HTTP/1.1")),
        refused("§3: space at the end", line("GET / HTTP/1.1 ")),
        refused("§3: space at the start", line(" GET / HTTP/1.1")),
        refused("§3: space in the target", line("GET /a b HTTP/1.1")),
        refused("§3.1: a method that is no token", line("G@T / HTTP/1.1")),
        refused("§3.1: an empty method", line(" / HTTP/1.1")),
        refused("§3.2: control byte in the target", line("GET /a\x01 HTTP/1.1")),
        refused("§3.2: non-ASCII target", line("GET /\u{e9} HTTP/1.1")),
        refused("§3.2: a fragment", line("GET /a#b HTTP/1.1")),
        refused("§3.2: a relative target", line("GET a HTTP/1.1")),
        refused("§2.3: lower-case name", line("GET / http/1.1")),
        refused("§2.3: a letter in the version", line("GET / HTTP/1.x")),
        refused("§2.3: a long version", line("GET / HTTP/1.10")),
        refused("§2.2: bare line feeds", "GET / HTTP/1.1\nhost: a.example\n\n"),
        refused(
            "§2.2: bare line feed after the request line",
            "GET / HTTP/1.1\nhost: a.example\r\n\r\n",
        ),
        refused(
            "§2.2: bare carriage return after the request line",
            "GET / HTTP/1.1\rhost: a.example\r\n\r\n",
        ),
        refused_with(426, "§2.5: HTTP/1.0 is off by default", line("GET / HTTP/1.0")),
    ]);
}

#[test]
fn header_lines() {
    check(&[
        forwarded(
            "§5: names are lowered, values kept",
            get("Host: a.example\r\nX-A: Value"),
            upstream_get("x-a: Value\r\n"),
        ),
        forwarded(
            "§5.1: whitespace round the value goes",
            get("host: a.example\r\nx-a: \t v \t"),
            upstream_get("x-a: v\r\n"),
        ),
        forwarded(
            "§5.1: no whitespace at all",
            get("host:a.example\r\nx-a:v"),
            upstream_get("x-a: v\r\n"),
        ),
        forwarded(
            "RFC 9110 §5.5: obs-text in a value",
            get("host: a.example\r\nx-a: \u{e9}"),
            upstream_get("x-a: \u{e9}\r\n"),
        ),
        forwarded(
            "RFC 9110 §7.6.1: connection names a field",
            get("host: a.example\r\nconnection: x-a\r\nx-a: 1"),
            upstream_get(""),
        ),
        refused("§5.1: space before the colon", get("host: a.example\r\nx-a : 1")),
        refused("§5.1: tab before the colon", get("host: a.example\r\nx-a\t: 1")),
        refused("§5: no colon", get("host: a.example\r\nx-a")),
        refused("§5: no name", get("host: a.example\r\n: 1")),
        refused("§5: a name that is no token", get("host: a.example\r\nx(a): 1")),
        refused("§5: non-ASCII name", get("host: a.example\r\nx-\u{e9}: 1")),
        refused("§5: NUL in a name", get("host: a.example\r\nx\0a: 1")),
        refused("RFC 9110 §5.5: NUL in a value", get("host: a.example\r\nx-a: 1\x002")),
        refused("RFC 9110 §5.5: bare CR in a value", get("host: a.example\r\nx-a: 1\r2")),
        refused("§2.2: bare LF between lines", get("host: a.example\nx-a: 1")),
        refused("§5.2: a folded line", get("host: a.example\r\nx-a: 1\r\n 2")),
        refused("§5.2: a line folded by tab", get("host: a.example\r\nx-a: 1\r\n\t2")),
        refused("§2.2: whitespace before the first line", get(" x-a: 1\r\nhost: a.example")),
        refused("§3.2: no Host", "GET / HTTP/1.1\r\n\r\n"),
        refused("§3.2: two Hosts", get("host: a.example\r\nhost: b.example")),
        refused("§3.2: the same Host twice", get("host: a.example\r\nhost: a.example")),
        refused("§3.2: a Host with a space", get("host: a b")),
        refused("§3.2: a Host with a path", get("host: a.example/x")),
    ]);
}

#[test]
fn lengths() {
    let with_length = |body: &str| {
        format!(
            "POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: {}\r\nx-forwarded-proto: http\r\n\r\n{body}",
            body.len()
        )
    };
    check(&[
        forwarded("§6.3: a length", post("content-length: 2", "hi"), with_length("hi")),
        forwarded("§6.3: a length of nothing", post("content-length: 0", ""), with_length("")),
        refused("§6.3: two lengths", post("content-length: 2\r\ncontent-length: 3", "hi!")),
        refused(
            "§6.3: the same length twice",
            post("content-length: 2\r\ncontent-length: 2", "hi"),
        ),
        refused("§6.3: a list of lengths", post("content-length: 2, 2", "hi")),
        refused("RFC 9110 §8.6: a sign", post("content-length: +2", "hi")),
        refused("RFC 9110 §8.6: a minus", post("content-length: -2", "hi")),
        refused("RFC 9110 §8.6: hexadecimal", post("content-length: 0x2", "hi")),
        refused("RFC 9110 §8.6: an underscore", post("content-length: 1_0", "0123456789")),
        refused("RFC 9110 §8.6: whitespace within", post("content-length: 1 0", "0123456789")),
        refused("RFC 9110 §8.6: a fraction", post("content-length: 2.0", "hi")),
        refused("RFC 9110 §8.6: nothing", post("content-length:", "")),
        refused("RFC 9110 §8.6: too big", post("content-length: 18446744073709551616", "")),
        refused(
            "§6.1: length and chunked",
            post("content-length: 5\r\ntransfer-encoding: chunked", "0\r\n\r\n"),
        ),
        refused(
            "§6.1: chunked and length",
            post("transfer-encoding: chunked\r\ncontent-length: 5", "0\r\n\r\n"),
        ),
        refused_with(
            501,
            "§6.1: a coding that is not chunked",
            post("transfer-encoding: gzip", "0\r\n\r\n"),
        ),
        refused_with(
            501,
            "§6.1: chunked is not last",
            post("transfer-encoding: chunked, gzip", "0\r\n\r\n"),
        ),
        refused_with(
            501,
            "§6.1: chunked twice",
            post("transfer-encoding: chunked, chunked", "0\r\n\r\n"),
        ),
        refused_with(
            501,
            "§6.1: chunked on two lines",
            post("transfer-encoding: chunked\r\ntransfer-encoding: chunked", "0\r\n\r\n"),
        ),
        refused_with(501, "§6.1: nearly chunked", post("transfer-encoding: xchunked", "0\r\n\r\n")),
        refused_with(
            501,
            "§6.1: chunked in quotes",
            post("transfer-encoding: \"chunked\"", "0\r\n\r\n"),
        ),
        refused_with(501, "§6.1: identity", post("transfer-encoding: identity", "")),
    ]);
}

#[test]
fn chunks() {
    let upstream = |chunks: &str| {
        format!(
            "POST / HTTP/1.1\r\nhost: a.example\r\nx-forwarded-proto: http\r\ntransfer-encoding: chunked\r\n\r\n{chunks}"
        )
    };
    check(&[
        forwarded("§7.1: no chunk", chunked("0\r\n\r\n"), upstream("0\r\n\r\n")),
        forwarded("§7.1: leading zeros", chunked("000\r\n\r\n"), upstream("0\r\n\r\n")),
        forwarded(
            "§7.1.2: trailers are dropped by default",
            chunked("0\r\nx-a: 1\r\n\r\n"),
            upstream("0\r\n\r\n"),
        ),
        broken("§7.1: a size that is none", chunked("zz\r\nab\r\n0\r\n\r\n")),
        broken("§7.1: an empty size", chunked("\r\nab\r\n0\r\n\r\n")),
        broken("§7.1: a sign", chunked("+2\r\nab\r\n0\r\n\r\n")),
        broken("§7.1: a minus", chunked("-2\r\nab\r\n0\r\n\r\n")),
        broken("§7.1: 0x", chunked("0x2\r\nab\r\n0\r\n\r\n")),
        broken("§7.1: an underscore", chunked("0_2\r\nab\r\n0\r\n\r\n")),
        broken("§7.1: space before the size", chunked(" 2\r\nab\r\n0\r\n\r\n")),
        broken("§7.1: too big a size", chunked("fffffffffffffffff\r\nab\r\n0\r\n\r\n")),
        broken("§7.1: more data than said", chunked("2\r\nabc\r\n0\r\n\r\n")),
        broken("§7.1: bare LF after the size", chunked("2\nab\r\n0\r\n\r\n")),
        broken("§7.1: bare LF after the data", chunked("2\r\nab\n0\r\n\r\n")),
        broken("§7.1: junk after the last size", chunked("0 x\r\n\r\n")),
        broken("§7.1.1: bare CR in an extension", chunked("2;a\rb\r\nab\r\n0\r\n\r\n")),
        broken("§7.1.2: a trailer without a colon", chunked("0\r\nnothing\r\n\r\n")),
        broken("§7.1.2: a folded trailer", chunked("0\r\nx-a: 1\r\n 2\r\n\r\n")),
    ]);
}

/// Chunks are cut anew on their way, so their data is compared instead of their bytes.
#[test]
fn chunk_data_survives_any_cut() {
    let bodies = [
        ("one chunk", "5\r\nhello\r\n0\r\n\r\n"),
        ("many chunks", "1\r\nh\r\n3\r\nell\r\n1\r\no\r\n0\r\n\r\n"),
        ("capital digits", "00005\r\nhello\r\n0\r\n\r\n"),
        ("an extension", "5;a=b;c=\"d\"\r\nhello\r\n0;e\r\n\r\n"),
    ];
    for program in Program::ringmains() {
        let rig = Rig::start(program);
        for (name, body) in bodies {
            for cut in 1..body.len() {
                let before = rig.upstream.requests().len();
                let mut client = rig.connect();
                client.send(chunked(&body[..cut]));
                client.send(&body[cut..]);
                assert_eq!(
                    client.read_response().map(|response| response.status()),
                    Ok(Some(200)),
                    "{name} cut at {cut}"
                );
                rig.upstream.settle();
                assert_eq!(rig.upstream.requests()[before].text(), "hello", "{name} cut at {cut}");
            }
        }
    }
}
