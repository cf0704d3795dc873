//! RFC 9113 §8: requests.

use ringmain_tests::h2_client::GET;
use ringmain_tests::h2_frame::{END_STREAM, data, headers};

use crate::rig::Ends::{Answered, Stream, Widely};
use crate::rig::{PROTOCOL_ERROR, case, check, get_with, post, post_with, request, without};

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
