//! RFC 9113 §5: states of streams, how many there may be, and frames that nobody knows.

use ringmain_tests::h2_client::{GET, H2Client, POST};
use ringmain_tests::h2_frame::{
    END_HEADERS, END_STREAM, data, frame, headers, kind, reset, settings, window_update,
};
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy};
use ringmain_tests::upstream::{Upstream, ok};

use crate::rig::Ends::{Answered, Connection, StillServed, Stream, Widely};
use crate::rig::{
    CONTINUATION, GET_BLOCK, PRIORITY, PROTOCOL_ERROR, REFUSED_STREAM, STREAM_CLOSED, UNKNOWN,
    case, check, get, post,
};

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
