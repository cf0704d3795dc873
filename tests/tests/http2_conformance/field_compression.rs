//! RFC 7541: field blocks.

use ringmain_tests::h2_client::GET;
use ringmain_tests::h2_frame::{END_HEADERS, END_STREAM, data, frame, headers, kind};

use crate::rig::Ends::{Answered, Connection, Widely};
use crate::rig::{
    COMPRESSION_ERROR, CONTINUATION, GET_BLOCK, PROTOCOL_ERROR, block, case, check, get, post,
};

/// `b` and `c` in Huffman code, as strings (RFC 7541 §5.2).
const HUFFMAN_B: &[u8] = b"\x81\x8f";
const HUFFMAN_C: &[u8] = b"\x81\x27";

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
