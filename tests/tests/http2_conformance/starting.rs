//! RFC 9113 §3 to §4 and the end of a connection.

use ringmain_tests::h2_client::{GET, H2Client};
use ringmain_tests::h2_frame::{END_STREAM, data, frame, headers, kind};
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy};
use ringmain_tests::upstream::{Upstream, ok};

use crate::rig::Ends::{Answered, Closed, Connection};
use crate::rig::{
    COMPRESSION_ERROR, FRAME_SIZE_ERROR, GET_BLOCK, PRIORITY, PROTOCOL_ERROR, UNKNOWN, block, case,
    check, get, post,
};

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
fn the_end_of_a_connection_ends_its_streams() {
    check(vec![case(
        "§5.4.1 GOAWAY, then the end",
        [get(), frame(kind::PING, 0, 0, b"1")].concat(),
        Closed,
    )]);
}
