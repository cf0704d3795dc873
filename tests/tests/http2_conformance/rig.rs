//! What the cases run on: bytes of a client, and how what it sent is to end.

use std::fmt::Write as _;

use ringmain_tests::h2_client::{GET, H2Client, POST};
use ringmain_tests::h2_frame::{END_HEADERS, END_STREAM, frame, headers, kind};
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy};
use ringmain_tests::upstream::{Upstream, ok};

// Frame types and flags that only this file sends.
pub const PRIORITY: u8 = 2;
pub const PUSH_PROMISE: u8 = 5;
pub const CONTINUATION: u8 = 9;
pub const UNKNOWN: u8 = 0x16;
pub const PADDED: u8 = 8;
pub const PRIORITY_FLAG: u8 = 0x20;

// Error codes (RFC 9113 §7).
pub const PROTOCOL_ERROR: u32 = 1;
pub const FLOW_CONTROL_ERROR: u32 = 3;
pub const STREAM_CLOSED: u32 = 5;
pub const FRAME_SIZE_ERROR: u32 = 6;
pub const REFUSED_STREAM: u32 = 7;
pub const COMPRESSION_ERROR: u32 = 9;

/// `:method: GET`, `:scheme: http`, `:path: /` of HPACK's static table and `:authority: a`.
pub const GET_BLOCK: &[u8] = b"\x82\x86\x84\x41\x01a";

/// How what was sent ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// GOAWAY with this code, and the connection's end.
    Connection(u32),
    /// The same with PROTOCOL_ERROR, although a stream's end with this code would do.
    Widely(u32),
    /// RST_STREAM of stream 1 with this code; the connection goes on.
    Stream(u32),
    /// Stream 1 is answered with 200.
    Answered,
    /// The connection's end, whatever is said before.
    Closed,
    /// Stream 3 is answered with 200.
    StillServed,
}

use Ends::{Answered, Closed, Connection, StillServed, Stream, Widely};

pub struct Case {
    pub rule: &'static str,
    pub sent: Vec<u8>,
    pub ends: Ends,
}

pub fn case(rule: &'static str, sent: impl AsRef<[u8]>, ends: Ends) -> Case {
    Case { rule, sent: sent.as_ref().to_vec(), ends }
}

pub fn get() -> Vec<u8> {
    headers(1, &GET, END_STREAM)
}

/// The head of a request whose body follows.
pub fn post() -> Vec<u8> {
    headers(1, &POST, 0)
}

/// A request of these fields beside or instead of those of GET.
pub fn request(fields: &[(&str, &str)]) -> Vec<u8> {
    headers(1, fields, END_STREAM)
}

pub fn get_with(fields: &[(&str, &str)]) -> Vec<u8> {
    request(&[&GET[..], fields].concat())
}

pub fn post_with(fields: &[(&str, &str)]) -> Vec<u8> {
    headers(1, &[&POST[..], fields].concat(), 0)
}

/// A field block in HEADERS that end the request.
pub fn block(bytes: &[u8]) -> Vec<u8> {
    frame(kind::HEADERS, END_STREAM | END_HEADERS, 1, bytes)
}

pub fn without(name: &str) -> Vec<u8> {
    let fields: Vec<_> = GET.into_iter().filter(|(field, _)| *field != name).collect();
    request(&fields)
}

/// Sends each case on a connection of its own and fails with all that end otherwise.
#[track_caller]
pub fn check(cases: Vec<Case>) {
    let mut failures = String::new();
    for program in Program::ringmains() {
        let upstream = Upstream::start(vec![ok()]);
        let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
        // The client reads to the end, which is to come soon.
        let options = "delayed_close_timeout: 0.05s
http2_protocol_options: { max_concurrent_streams: 10 }";
        let proxy = Proxy::start(program, &front_proxy(options, "", ""), &values);
        let port = proxy.port("listener");
        for Case { rule, sent, ends } in &cases {
            let mut client = H2Client::open(port);
            client.send(sent);
            if let Some(seen) = otherwise(&mut client, *ends) {
                let _ = writeln!(failures, "{program}: {rule}: expected {ends:?}, {seen}");
            }
        }
        let mut client = H2Client::open(port);
        client.send(get());
        assert_eq!(client.outcome(1).status(), Some(200), "{program} serves on");
    }
    assert!(failures.is_empty(), "{failures}");
}

/// What was seen, where it is not what was expected.
pub fn otherwise(client: &mut H2Client, expected: Ends) -> Option<String> {
    match expected {
        Connection(code) => {
            let seen = client.goaway();
            (seen != Some(code)).then(|| format!("GOAWAY {seen:?}"))
        }
        Widely(_) => otherwise(client, Connection(PROTOCOL_ERROR)),
        Closed => (!client.is_ended()).then(|| "nothing".to_owned()),
        Stream(code) => {
            let outcome = client.outcome(1);
            (outcome.reset != Some(code)).then(|| format!("{outcome:?}"))
        }
        Answered | StillServed => {
            let outcome = client.outcome(if expected == Answered { 1 } else { 3 });
            (outcome.status() != Some(200)).then(|| format!("{outcome:?}"))
        }
    }
}
