//! HTTP/2 by the sections of RFC 9113 and RFC 7541: what a client may send, and which error, of the
//! stream or of the connection, ends what it may not. The `h2` crate ends the connection over some errors of a
//! stream, which RFC 9113 §5.4.1 lets it.

use std::fmt::Write as _;

use ringmain_tests::h2_client::{GET, H2Client, POST};
use ringmain_tests::h2_frame::{
    ACK, END_HEADERS, END_STREAM, Frame, data, frame, headers, kind, reset, settings, window_update,
};
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy};
use ringmain_tests::upstream::{Upstream, ok};

// Frame types and flags that only this file sends.
const PRIORITY: u8 = 2;
const PUSH_PROMISE: u8 = 5;
const CONTINUATION: u8 = 9;
const UNKNOWN: u8 = 0x16;
const PADDED: u8 = 8;
const PRIORITY_FLAG: u8 = 0x20;

// Error codes (RFC 9113 §7).
const PROTOCOL_ERROR: u32 = 1;
const FLOW_CONTROL_ERROR: u32 = 3;
const STREAM_CLOSED: u32 = 5;
const FRAME_SIZE_ERROR: u32 = 6;
const REFUSED_STREAM: u32 = 7;
const COMPRESSION_ERROR: u32 = 9;

/// `:method: GET`, `:scheme: http`, `:path: /` of HPACK's static table and `:authority: a`.
const GET_BLOCK: &[u8] = b"\x82\x86\x84\x41\x01a";

/// `b` and `c` in Huffman code, as strings (RFC 7541 §5.2).
const HUFFMAN_B: &[u8] = b"\x81\x8f";
const HUFFMAN_C: &[u8] = b"\x81\x27";

/// How what was sent ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
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

struct Case {
    rule: &'static str,
    sent: Vec<u8>,
    ends: Ends,
}

fn case(rule: &'static str, sent: impl AsRef<[u8]>, ends: Ends) -> Case {
    Case { rule, sent: sent.as_ref().to_vec(), ends }
}

fn get() -> Vec<u8> {
    headers(1, &GET, END_STREAM)
}

/// The head of a request whose body follows.
fn post() -> Vec<u8> {
    headers(1, &POST, 0)
}

/// A request of these fields beside or instead of those of GET.
fn request(fields: &[(&str, &str)]) -> Vec<u8> {
    headers(1, fields, END_STREAM)
}

fn get_with(fields: &[(&str, &str)]) -> Vec<u8> {
    request(&[&GET[..], fields].concat())
}

fn post_with(fields: &[(&str, &str)]) -> Vec<u8> {
    headers(1, &[&POST[..], fields].concat(), 0)
}

/// A field block in HEADERS that end the request.
fn block(bytes: &[u8]) -> Vec<u8> {
    frame(kind::HEADERS, END_STREAM | END_HEADERS, 1, bytes)
}

fn without(name: &str) -> Vec<u8> {
    let fields: Vec<_> = GET.into_iter().filter(|(field, _)| *field != name).collect();
    request(&fields)
}

/// Sends each case on a connection of its own and fails with all that end otherwise.
#[track_caller]
fn check(cases: Vec<Case>) {
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
fn otherwise(client: &mut H2Client, expected: Ends) -> Option<String> {
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

#[test]
fn section_3_starting() {
    for program in Program::ringmains() {
        let upstream = Upstream::start(vec![ok()]);
        let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
        let only = front_proxy("codec_type: HTTP2", "", "");
        let proxy = Proxy::start(program, &only, &values);
        let port = proxy.port("listener");
        // §3.4: "Clients and servers MUST treat an invalid connection preface as a connection error".
        let mut client = H2Client::connect(port);
        client.send(b"INVALID CONNECTION PREFACE\r\n\r\n");
        assert!(client.is_ended(), "{program}");
        // §3.4: the server's preface is SETTINGS, the first frame that it sends.
        let mut client = H2Client::open(port);
        client.send(get());
        assert_eq!(client.outcome(1).status(), Some(200), "{program}");
        assert_eq!(client.frames[0].kind, kind::SETTINGS, "{program}");
    }
}

#[test]
fn section_4_frames() {
    let mut reserved_bit = get();
    reserved_bit[5] |= 0x80;
    let large = vec![0; 16_384];
    let too_large = vec![0; 16_385];
    check(vec![
        case(
            "§4.1 unknown types are ignored",
            [frame(UNKNOWN, 0, 0, b"x"), get()].concat(),
            Answered,
        ),
        case(
            "§4.1 unknown flags are ignored",
            [frame(kind::PING, 0x16, 0, b"12345678"), get()].concat(),
            Answered,
        ),
        case("§4.1 the reserved bit is ignored", reserved_bit, Answered),
        case("§4.2 frames of 2^14 bytes", [post(), data(1, &large, END_STREAM)].concat(), Answered),
        case(
            "§4.2 larger DATA",
            [post(), data(1, &too_large, END_STREAM)].concat(),
            Connection(FRAME_SIZE_ERROR),
        ),
        case("§4.2 larger HEADERS", block(&too_large), Connection(FRAME_SIZE_ERROR)),
        case(
            "§4.3 a field block that is none",
            block(b"\xff\xff\xff\xff\xff\xff"),
            Connection(COMPRESSION_ERROR),
        ),
        case(
            "§4.3 PRIORITY within a field block",
            [
                frame(kind::HEADERS, END_STREAM, 1, GET_BLOCK),
                frame(PRIORITY, 0, 1, b"\0\0\0\0\xff"),
            ]
            .concat(),
            Connection(PROTOCOL_ERROR),
        ),
        case(
            "§4.3 HEADERS within another field block",
            [frame(kind::HEADERS, END_STREAM, 1, GET_BLOCK), headers(3, &GET, END_STREAM)].concat(),
            Connection(PROTOCOL_ERROR),
        ),
    ]);
}

#[test]
fn section_5_1_stream_states() {
    let closed_by_us = || [post(), reset(1, 8)].concat();
    check(vec![
        case("idle: DATA", data(1, "x", END_STREAM), Connection(PROTOCOL_ERROR)),
        case("idle: RST_STREAM", reset(1, 8), Connection(PROTOCOL_ERROR)),
        case("idle: WINDOW_UPDATE", window_update(1, 100), Connection(PROTOCOL_ERROR)),
        case(
            "idle: CONTINUATION",
            frame(CONTINUATION, END_HEADERS, 1, GET_BLOCK),
            Connection(PROTOCOL_ERROR),
        ),
        case(
            "idle: PRIORITY is no error",
            [frame(PRIORITY, 0, 3, b"\0\0\0\0\x10"), get()].concat(),
            Answered,
        ),
        case(
            "half-closed: DATA",
            [get(), data(1, "x", END_STREAM)].concat(),
            Widely(STREAM_CLOSED),
        ),
        case("half-closed: HEADERS", [get(), get()].concat(), Widely(STREAM_CLOSED)),
        case(
            "half-closed: CONTINUATION",
            [get(), frame(CONTINUATION, END_HEADERS, 1, GET_BLOCK)].concat(),
            Connection(PROTOCOL_ERROR),
        ),
        case("half-closed: WINDOW_UPDATE", [get(), window_update(1, 100)].concat(), Answered),
        case(
            "half-closed: RST_STREAM",
            [get(), reset(1, 8), headers(3, &GET, END_STREAM)].concat(),
            StillServed,
        ),
        case(
            "half-closed: PRIORITY",
            [get(), frame(PRIORITY, 0, 1, b"\0\0\0\0\x10")].concat(),
            Answered,
        ),
        case(
            "closed by RST_STREAM: DATA",
            [closed_by_us(), data(1, "x", END_STREAM)].concat(),
            Stream(STREAM_CLOSED),
        ),
        case(
            "closed by RST_STREAM: HEADERS",
            [closed_by_us(), headers(1, &GET, END_STREAM)].concat(),
            Widely(STREAM_CLOSED),
        ),
        case(
            "closed by RST_STREAM: PRIORITY, WINDOW_UPDATE, RST_STREAM",
            [
                closed_by_us(),
                frame(PRIORITY, 0, 1, b"\0\0\0\0\x10"),
                window_update(1, 100),
                reset(1, 8),
                headers(3, &GET, END_STREAM),
            ]
            .concat(),
            StillServed,
        ),
        case(
            "closed: CONTINUATION",
            [closed_by_us(), frame(CONTINUATION, END_HEADERS, 1, GET_BLOCK)].concat(),
            Connection(PROTOCOL_ERROR),
        ),
        case(
            "§5.1.1 even streams are not the client's",
            headers(2, &GET, END_STREAM),
            Connection(PROTOCOL_ERROR),
        ),
        case(
            "§5.1.1 streams go up",
            [headers(5, &GET, END_STREAM), headers(3, &GET, END_STREAM)].concat(),
            Connection(PROTOCOL_ERROR),
        ),
    ]);
}

#[test]
fn section_5_1_streams_closed_by_their_end() {
    for program in Program::ringmains() {
        let upstream = Upstream::start(vec![ok()]);
        let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
        let proxy = Proxy::start(program, &front_proxy("", "", ""), &values);
        let after_the_end = |sent: Vec<u8>| {
            let mut client = H2Client::open(proxy.port("listener"));
            client.send(get());
            assert_eq!(client.outcome(1).status(), Some(200), "{program}");
            client.send(sent);
            client
        };
        let seen = after_the_end(data(1, "x", END_STREAM)).outcome(1).reset;
        assert_eq!(seen, Some(STREAM_CLOSED), "{program}: DATA");
        for (rule, sent) in
            [("HEADERS", get()), ("CONTINUATION", frame(CONTINUATION, END_HEADERS, 1, GET_BLOCK))]
        {
            assert_eq!(after_the_end(sent).goaway(), Some(PROTOCOL_ERROR), "{program}: {rule}");
        }
        for (rule, sent) in [
            ("PRIORITY", frame(PRIORITY, 0, 1, b"\0\0\0\0\x10")),
            ("WINDOW_UPDATE", window_update(1, 100)),
            ("RST_STREAM", reset(1, 8)),
        ] {
            let mut client = after_the_end(sent);
            client.send(headers(3, &GET, END_STREAM));
            assert_eq!(client.outcome(3).status(), Some(200), "{program}: {rule}");
        }
    }
}

#[test]
fn section_5_1_2_concurrency() {
    for program in Program::ringmains() {
        let upstream = Upstream::start(vec![ok()]);
        let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
        let options = "http2_protocol_options: { max_concurrent_streams: 2 }";
        let proxy = Proxy::start(program, &front_proxy(options, "", ""), &values);
        let mut client = H2Client::open(proxy.port("listener"));
        // None of the first two ends: the third is one too many.
        client.send([headers(1, &POST, 0), headers(3, &POST, 0), headers(5, &POST, 0)].concat());
        let refused = client.outcome(5).reset;
        assert_eq!(refused, Some(REFUSED_STREAM), "{program}");
        client.send(data(1, "x", END_STREAM));
        assert_eq!(client.outcome(1).status(), Some(200), "{program}");
    }
}

#[test]
fn section_5_5_extensions() {
    check(vec![
        case(
            "unknown frames on a stream",
            [post(), frame(UNKNOWN, 0, 1, b"x"), data(1, "x", END_STREAM)].concat(),
            Answered,
        ),
        case(
            "none within a field block",
            [frame(kind::HEADERS, END_STREAM, 1, GET_BLOCK), frame(UNKNOWN, 0, 0, b"x")].concat(),
            Connection(PROTOCOL_ERROR),
        ),
        case("unknown settings", [settings(&[(0xff, 1)]), get()].concat(), Answered),
    ]);
}

#[test]
fn section_6_1_data_and_6_2_headers() {
    let padded = |kind, flags, payload: &[u8]| frame(kind, flags | PADDED, 1, payload);
    check(vec![
        case(
            "DATA, several",
            [post(), data(1, "x", 0), data(1, "y", END_STREAM)].concat(),
            Answered,
        ),
        case("DATA on stream 0", [post(), data(0, "x", 0)].concat(), Connection(PROTOCOL_ERROR)),
        case(
            "DATA padded",
            [post(), padded(kind::DATA, END_STREAM, b"\x02x\0\0")].concat(),
            Answered,
        ),
        case(
            "DATA with more padding than frame",
            [post(), padded(kind::DATA, END_STREAM, b"\x06x")].concat(),
            Connection(PROTOCOL_ERROR),
        ),
        case("HEADERS on stream 0", headers(0, &GET, END_STREAM), Connection(PROTOCOL_ERROR)),
        case(
            "HEADERS padded",
            padded(
                kind::HEADERS,
                END_STREAM | END_HEADERS,
                &[b"\x02", GET_BLOCK, b"\0\0"].concat(),
            ),
            Answered,
        ),
        case(
            "HEADERS with more padding than frame",
            padded(kind::HEADERS, END_STREAM | END_HEADERS, &[b"\x10", GET_BLOCK].concat()),
            Connection(PROTOCOL_ERROR),
        ),
        case(
            "HEADERS with a priority",
            frame(
                kind::HEADERS,
                END_STREAM | END_HEADERS | PRIORITY_FLAG,
                1,
                &[b"\0\0\0\0\x10", GET_BLOCK].concat(),
            ),
            Answered,
        ),
    ]);
}

#[test]
fn section_6_3_priority_and_6_4_rst_stream() {
    let priority = |payload: &[u8]| [frame(PRIORITY, 0, 1, payload), get()].concat();
    check(vec![
        case("PRIORITY of weight 1", priority(b"\0\0\0\0\0"), Answered),
        case("PRIORITY of weight 256", priority(b"\0\0\0\0\xff"), Answered),
        case("PRIORITY behind another stream", priority(b"\0\0\0\x03\x10"), Answered),
        case("PRIORITY, exclusive", priority(b"\x80\0\0\x03\xff"), Answered),
        // RFC 9113 §5.3.1 has no dependencies any more; RFC 7540 had an error for this one.
        case("PRIORITY of a stream on itself", priority(b"\0\0\0\x01\xff"), Stream(PROTOCOL_ERROR)),
        case(
            "HEADERS of a stream that depends on itself",
            frame(
                kind::HEADERS,
                END_STREAM | END_HEADERS | PRIORITY_FLAG,
                1,
                &[b"\0\0\0\x01\x10", GET_BLOCK].concat(),
            ),
            Stream(PROTOCOL_ERROR),
        ),
        case(
            "RST_STREAM",
            [post(), reset(1, 8), headers(3, &GET, END_STREAM)].concat(),
            StillServed,
        ),
        case(
            "§7 RST_STREAM of an unknown code",
            [post(), reset(1, 0xff), headers(3, &GET, END_STREAM)].concat(),
            StillServed,
        ),
        case(
            "PRIORITY on stream 0",
            frame(PRIORITY, 0, 0, b"\0\0\0\x01\x10"),
            Connection(PROTOCOL_ERROR),
        ),
        case(
            "PRIORITY of another length",
            [post(), frame(PRIORITY, 0, 1, b"\0\0\0\0")].concat(),
            Connection(FRAME_SIZE_ERROR),
        ),
        case("RST_STREAM on stream 0", reset(0, 8), Connection(PROTOCOL_ERROR)),
        case(
            "RST_STREAM of another length",
            [post(), frame(kind::RST_STREAM, 0, 1, b"\0\0\0")].concat(),
            Connection(FRAME_SIZE_ERROR),
        ),
    ]);
}

#[test]
fn section_6_5_settings() {
    let setting = |id, value| [settings(&[(id, value)]), get()].concat();
    check(vec![
        case(
            "an ACK has no payload",
            frame(kind::SETTINGS, ACK, 0, b"\0\x01\0\0\0\x01"),
            Connection(FRAME_SIZE_ERROR),
        ),
        case("on a stream", frame(kind::SETTINGS, 0, 1, b""), Connection(PROTOCOL_ERROR)),
        case(
            "of another length",
            frame(kind::SETTINGS, 0, 0, b"\0\x01\0"),
            Connection(FRAME_SIZE_ERROR),
        ),
        case("ENABLE_PUSH is 0 or 1", setting(2, 2), Connection(PROTOCOL_ERROR)),
        case("INITIAL_WINDOW_SIZE below 2^31", setting(4, 1 << 31), Connection(FLOW_CONTROL_ERROR)),
        case("MAX_FRAME_SIZE from 2^14", setting(5, 16_383), Connection(PROTOCOL_ERROR)),
        case("MAX_FRAME_SIZE below 2^24", setting(5, 1 << 24), Connection(PROTOCOL_ERROR)),
        case("the largest frames", setting(5, (1 << 24) - 1), Answered),
        case(
            "the last of a setting counts",
            [settings(&[(4, 0), (4, 100)]), get()].concat(),
            Answered,
        ),
    ]);
}

#[test]
fn section_6_6_push_promise_and_6_7_ping_and_6_8_goaway() {
    check(vec![
        case(
            "a client promises nothing",
            [post(), frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\x02\x82")].concat(),
            Connection(PROTOCOL_ERROR),
        ),
        case("PING on a stream", frame(kind::PING, 0, 1, b"12345678"), Connection(PROTOCOL_ERROR)),
        case(
            "PING of another length",
            frame(kind::PING, 0, 0, b"123456"),
            Connection(FRAME_SIZE_ERROR),
        ),
        case(
            "an ACK nobody waits for",
            [frame(kind::PING, ACK, 0, b"12345678"), get()].concat(),
            Answered,
        ),
        case("GOAWAY on a stream", frame(kind::GOAWAY, 0, 1, &[0; 8]), Connection(PROTOCOL_ERROR)),
        case(
            "streams before a GOAWAY end well",
            [get(), frame(kind::GOAWAY, 0, 0, &[0; 8])].concat(),
            Answered,
        ),
        case(
            "§7 GOAWAY of an unknown code",
            [get(), frame(kind::GOAWAY, 0, 0, b"\0\0\0\0\0\0\0\xff")].concat(),
            Answered,
        ),
    ]);
    for program in Program::ringmains() {
        let upstream = Upstream::start(vec![ok()]);
        let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
        let proxy = Proxy::start(program, &front_proxy("", "", ""), &values);
        let mut client = H2Client::open(proxy.port("listener"));
        client.send([settings(&[(4, 100)]), frame(kind::PING, 0, 0, b"12345678")].concat());
        let answer = client.next_frame().expect("an answer");
        let seen = (answer.kind, answer.flags & ACK, &answer.payload[..]);
        assert_eq!(seen, (kind::PING, ACK, &b"12345678"[..]), "{program}");
        // §6.5.3: both SETTINGS were acknowledged before.
        let is_acknowledgement =
            |frame: &&Frame| frame.kind == kind::SETTINGS && frame.flags & ACK != 0;
        assert_eq!(client.frames.iter().filter(is_acknowledgement).count(), 2, "{program}");
    }
}

#[test]
fn section_6_9_window_update() {
    const MAX: u32 = (1 << 31) - 1;
    check(vec![
        case("WINDOW_UPDATE of the connection", [window_update(0, 1), get()].concat(), Answered),
        case("nothing for the connection", window_update(0, 0), Connection(PROTOCOL_ERROR)),
        case(
            "nothing for a stream",
            [post(), window_update(1, 0)].concat(),
            Widely(PROTOCOL_ERROR),
        ),
        case(
            "another length",
            frame(kind::WINDOW_UPDATE, 0, 0, b"\0\0\x01"),
            Connection(FRAME_SIZE_ERROR),
        ),
        case(
            "§6.9.1 too much for the connection",
            [window_update(0, MAX), window_update(0, MAX)].concat(),
            Connection(FLOW_CONTROL_ERROR),
        ),
        case(
            "§6.9.1 too much for a stream",
            [post(), window_update(1, MAX), window_update(1, MAX)].concat(),
            Stream(FLOW_CONTROL_ERROR),
        ),
        case(
            "§6.9.2 too much by a setting",
            [post(), window_update(1, MAX - 65_535), settings(&[(4, 65_536)])].concat(),
            Connection(FLOW_CONTROL_ERROR),
        ),
    ]);
    for program in Program::ringmains() {
        let upstream = Upstream::start(vec![ok()]);
        let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
        let proxy = Proxy::start(program, &front_proxy("", "", ""), &values);
        // §6.9.1: no more than the window; §6.9.2: a window may grow, and may be negative.
        let mut client = H2Client::open_with(proxy.port("listener"), &[(4, 1)]);
        client.send(get());
        let mut body = Vec::new();
        while body.is_empty() {
            let next = client.next_frame().expect("a frame");
            if next.kind == kind::DATA {
                body = next.payload;
            }
        }
        assert_eq!(body, b"o", "{program}");
        client.send([settings(&[(4, 0)]), window_update(1, 2)].concat());
        let outcome = client.outcome(1);
        assert_eq!((&outcome.body[..], outcome.ended), (&b"k"[..], true), "{program}");
    }
}

#[test]
fn section_6_10_continuation() {
    let begun = |flags| frame(kind::HEADERS, flags, 1, &GET_BLOCK[..3]);
    let goes_on = |flags| frame(CONTINUATION, flags, 1, &GET_BLOCK[3..]);
    let empty = frame(CONTINUATION, 0, 1, b"");
    check(vec![
        case("one", [begun(END_STREAM), goes_on(END_HEADERS)].concat(), Answered),
        case(
            "several",
            [
                begun(END_STREAM),
                empty.clone(),
                goes_on(0),
                frame(CONTINUATION, END_HEADERS, 1, b""),
            ]
            .concat(),
            Answered,
        ),
        case(
            "something else before",
            [begun(END_STREAM), goes_on(0), data(1, "x", 0)].concat(),
            Connection(PROTOCOL_ERROR),
        ),
        case(
            "on stream 0",
            [begun(END_STREAM), frame(CONTINUATION, END_HEADERS, 0, b"")].concat(),
            Connection(PROTOCOL_ERROR),
        ),
        case(
            "on another stream",
            [begun(END_STREAM), frame(CONTINUATION, END_HEADERS, 3, b"")].concat(),
            Connection(PROTOCOL_ERROR),
        ),
        case(
            "behind a whole block",
            [post(), goes_on(END_HEADERS)].concat(),
            Connection(PROTOCOL_ERROR),
        ),
        case(
            "behind the last CONTINUATION",
            [begun(END_STREAM), goes_on(END_HEADERS), goes_on(END_HEADERS)].concat(),
            Connection(PROTOCOL_ERROR),
        ),
        case(
            "behind DATA",
            [post(), data(1, "x", 0), goes_on(END_HEADERS)].concat(),
            Connection(PROTOCOL_ERROR),
        ),
    ]);
}

#[test]
fn section_8_messages() {
    let malformed = Stream(PROTOCOL_ERROR);
    check(vec![
        case("HEAD", request(&[(":method", "HEAD"), GET[1], GET[2], GET[3]]), Answered),
        case(
            "§8.1 trailers end the request",
            [post(), headers(1, &[("x-t", "1")], 0)].concat(),
            malformed,
        ),
        case(
            // The crate takes them away.
            "§8.1 pseudo-headers in trailers",
            [post(), headers(1, &[(":method", "GET")], END_STREAM)].concat(),
            Answered,
        ),
        case("§8.2.1 names in capitals", get_with(&[("X-A", "1")]), Widely(PROTOCOL_ERROR)),
        case("§8.2.1 names with blanks", get_with(&[("x a", "1")]), Widely(PROTOCOL_ERROR)),
        case(
            "§8.2.1 values with line ends",
            get_with(&[("x-a", "1\r\nb: 2")]),
            Widely(PROTOCOL_ERROR),
        ),
        case("§8.2.2 connection", get_with(&[("connection", "keep-alive")]), malformed),
        case("§8.2.2 keep-alive", get_with(&[("keep-alive", "1")]), malformed),
        case("§8.2.2 proxy-connection", get_with(&[("proxy-connection", "keep-alive")]), malformed),
        case("§8.2.2 transfer-encoding", get_with(&[("transfer-encoding", "chunked")]), malformed),
        case("§8.2.2 upgrade", get_with(&[("upgrade", "foo")]), malformed),
        case("§8.2.2 te of another value", get_with(&[("te", "gzip")]), malformed),
        case("§8.2.2 te: trailers", get_with(&[("te", "trailers")]), Answered),
        case("§8.3 unknown pseudo-headers", get_with(&[(":test", "1")]), Widely(PROTOCOL_ERROR)),
        case("§8.3 those of responses", get_with(&[(":status", "200")]), malformed),
        case(
            "§8.3 behind other fields",
            request(&[&[("x-a", "1")][..], &GET[..]].concat()),
            malformed,
        ),
        case("§8.3 :method twice", get_with(&[(":method", "GET")]), malformed),
        case("§8.3 :scheme twice", get_with(&[(":scheme", "http")]), malformed),
        case("§8.3 :path twice", get_with(&[(":path", "/")]), malformed),
        case("§8.3 :authority twice", get_with(&[(":authority", "a.example")]), malformed),
        case("§8.3.1 no :method", without(":method"), malformed),
        case("§8.3.1 no :scheme", without(":scheme"), malformed),
        case("§8.3.1 no :path", without(":path"), malformed),
        case("§8.3.1 an empty :path", request(&[GET[0], GET[1], (":path", ""), GET[3]]), malformed),
        case(
            "§8.5 CONNECT has no :path",
            request(&[(":method", "CONNECT"), (":path", "/"), (":authority", "a")]),
            malformed,
        ),
        case(
            "§8.5 CONNECT with a length",
            headers(
                1,
                &[(":method", "CONNECT"), (":authority", "a:80"), ("content-length", "1")],
                0,
            ),
            malformed,
        ),
        case(
            "§8.1 trailers",
            [post(), data(1, "x", 0), headers(1, &[("x-t", "1")], END_STREAM)].concat(),
            Answered,
        ),
        case(
            "§8.1.1 less than content-length",
            [post_with(&[("content-length", "2")]), data(1, "x", END_STREAM)].concat(),
            malformed,
        ),
        case(
            "§8.1.1 more than content-length",
            [post_with(&[("content-length", "1")]), data(1, "x", 0), data(1, "x", END_STREAM)]
                .concat(),
            malformed,
        ),
        case(
            "§8.1.1 a content-length and nothing",
            get_with(&[("content-length", "1")]),
            malformed,
        ),
        case(
            "§8.2.3 cookies in crumbs",
            get_with(&[("cookie", "a=1"), ("cookie", "b=2")]),
            Answered,
        ),
    ]);
}

#[test]
fn rfc_7541_field_compression() {
    let compression = Connection(COMPRESSION_ERROR);
    check(vec![
        case(
            "§2.3.3 an index beyond the tables",
            block(&[GET_BLOCK, b"\xc6"].concat()),
            compression,
        ),
        case(
            "§2.3.3 the name of an index beyond the tables",
            block(&[GET_BLOCK, b"\x7f\x20\x01a"].concat()),
            compression,
        ),
        case(
            "§2.3.3 an index beyond the tables, in trailers",
            [post(), data(1, b"x", 0), frame(kind::HEADERS, 5, 1, b"\xc6")].concat(),
            compression,
        ),
        case(
            "§5.2 the end-of-string code",
            block(&[&GET_BLOCK[..3], b"\x41\x84\xff\xff\xff\xff"].concat()),
            compression,
        ),
        case(
            "§5.2 Huffman code",
            // `www.example.com`, RFC 7541 §C.4.1.
            block(
                &[&GET_BLOCK[..3], b"\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"]
                    .concat(),
            ),
            Answered,
        ),
        case("§6.2.1 a known name, indexed", block(&[GET_BLOCK, b"\x73\x01c"].concat()), Answered),
        case(
            "§6.2.1 a known name, indexed, in Huffman code",
            block(&[GET_BLOCK, b"\x73", HUFFMAN_C].concat()),
            Answered,
        ),
        case(
            "§6.2.1 a new name, indexed, in Huffman code",
            block(&[GET_BLOCK, b"\x40", HUFFMAN_B, HUFFMAN_C].concat()),
            Answered,
        ),
        case(
            "§6.2.2 a known name, not indexed, in Huffman code",
            block(&[GET_BLOCK, b"\x0f\x2b", HUFFMAN_C].concat()),
            Answered,
        ),
        case(
            "§6.2.2 a new name, not indexed, in Huffman code",
            block(&[GET_BLOCK, b"\x00", HUFFMAN_B, HUFFMAN_C].concat()),
            Answered,
        ),
        case(
            "§6.2.3 a known name, never indexed, in Huffman code",
            block(&[GET_BLOCK, b"\x1f\x2b", HUFFMAN_C].concat()),
            Answered,
        ),
        case(
            "§6.2.3 a new name, never indexed, in Huffman code",
            block(&[GET_BLOCK, b"\x10", HUFFMAN_B, HUFFMAN_C].concat()),
            Answered,
        ),
        case(
            "§6.2.1 a new name, indexed",
            block(&[GET_BLOCK, b"\x40\x01b\x01c"].concat()),
            Answered,
        ),
        case(
            "§6.1 an entry of the dynamic table",
            block(&[GET_BLOCK, b"\x40\x01b\x01c\xbe"].concat()),
            Answered,
        ),
        case(
            "§6.2.2 a known name, not indexed",
            block(&[GET_BLOCK, b"\x0f\x2b\x01c"].concat()),
            Answered,
        ),
        case(
            "§6.2.2 a new name, not indexed",
            block(&[GET_BLOCK, b"\x00\x01b\x01c"].concat()),
            Answered,
        ),
        case(
            "§6.2.3 a known name, never indexed",
            block(&[GET_BLOCK, b"\x1f\x2b\x01c"].concat()),
            Answered,
        ),
        case(
            "§6.2.3 a new name, never indexed",
            block(&[GET_BLOCK, b"\x10\x01b\x01c"].concat()),
            Answered,
        ),
        case(
            "§4.2 a size update behind fields",
            block(&[GET_BLOCK, b"\x20"].concat()),
            compression,
        ),
        case(
            "§5.2 Huffman code padded with zeros",
            block(&[&GET_BLOCK[..3], b"\x41\x81\x18"].concat()),
            compression,
        ),
        case(
            "§5.2 Huffman code with more than 7 bits of padding",
            block(&[&GET_BLOCK[..3], b"\x41\x82\x1f\xff"].concat()),
            compression,
        ),
        case("§6.1 index 0", block(&[b"\x80", GET_BLOCK].concat()), compression),
        case(
            "§6.3 a table larger than agreed",
            block(&[b"\x3f\xe2\x1f", GET_BLOCK].concat()),
            compression,
        ),
        case(
            "an error of content is none of coding",
            block(&[b"\x00\x01A\x01b", GET_BLOCK].concat()),
            Widely(PROTOCOL_ERROR),
        ),
        case(
            "an error of coding behind a frame that is good",
            [get(), frame(kind::PING, 0, 0, b"12345678"), frame(kind::HEADERS, 5, 3, b"\x80")]
                .concat(),
            compression,
        ),
        case(
            "an error of coding in CONTINUATION, behind which more comes",
            [
                frame(kind::HEADERS, END_STREAM, 1, GET_BLOCK),
                frame(CONTINUATION, END_HEADERS, 1, b"\x80"),
                headers(3, &GET, END_STREAM),
            ]
            .concat(),
            compression,
        ),
        case("§6.3 a smaller table", block(&[b"\x20", GET_BLOCK].concat()), Answered),
        case(
            "§6.3 a smaller table, then a larger one",
            block(&[b"\x20\x3f\xe1\x1f", GET_BLOCK].concat()),
            Answered,
        ),
        case(
            "§5.1 an integer without an end",
            block(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
            compression,
        ),
        case("an unfinished literal", block(&[GET_BLOCK, b"\x00\x05ab"].concat()), compression),
    ]);
}

#[test]
fn the_end_of_a_connection_ends_its_streams() {
    check(vec![case(
        "§5.4.1 GOAWAY, then the end",
        [get(), frame(kind::PING, 0, 0, b"1")].concat(),
        Closed,
    )]);
}

/// The conditions of the suite that servers of HTTP/2 are commonly held to.
#[test]
fn every_classic_condition_is_held() {
    let conditions = include_str!("http2_conformance/conditions.txt");
    let suite = include_str!("http2_conformance.rs");
    let mut count = 0;
    for line in conditions.lines().filter(|line| !line.starts_with('#')) {
        let (condition, held_by) = line.split_once(" | ").expect("a condition and what holds it");
        let is_there = match held_by.strip_prefix("fn ") {
            Some(test) => suite.contains(&format!("#[test]\nfn {test}()")),
            None => suite.contains(&format!("\"{held_by}\",")),
        };
        assert!(is_there, "{condition}: {held_by}");
        count += 1;
    }
    assert_eq!(count, 147);
}
