//! RFC 9113 §6, type of frame by type.

use ringmain_tests::h2_client::{GET, H2Client};
use ringmain_tests::h2_frame::{
    ACK, END_HEADERS, END_STREAM, Frame, data, frame, headers, kind, reset, settings, window_update,
};
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy};
use ringmain_tests::upstream::{Upstream, ok};

use crate::rig::Ends::{Answered, Connection, StillServed, Stream, Widely};
use crate::rig::{
    CONTINUATION, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, GET_BLOCK, PADDED, PRIORITY, PRIORITY_FLAG,
    PROTOCOL_ERROR, PUSH_PROMISE, case, check, get, post,
};

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
