use super::*;

/// A body's data, its trailers and the bytes behind it.
#[derive(Debug, PartialEq)]
struct Whole {
    data: Vec<u8>,
    trailers: Vec<(String, String)>,
    rest: Vec<u8>,
}

/// Feeds `pieces` one after the other; none where the body is incomplete.
fn decode(pieces: &[&[u8]]) -> Result<Option<Whole>, ChunkError> {
    let mut decoder = ChunkedDecoder::default();
    let mut data = Vec::new();
    let mut rest = Vec::new();
    for piece in pieces {
        let mut piece = piece.to_vec();
        let decoded = decoder.decode(&mut piece)?;
        assert_eq!(decoded.complete, decoder.is_complete());
        assert!(decoded.complete || decoded.consumed == piece.len());
        data.extend_from_slice(&piece[..decoded.data_len]);
        rest.extend_from_slice(&piece[decoded.consumed..]);
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let trailers = decoder.trailers.iter().map(|field| (text(field.name), text(field.value)));
    let whole = Whole { data, trailers: trailers.collect(), rest };
    Ok(decoder.is_complete().then_some(whole))
}

/// Decodes `body` whole, split in two at every byte, and byte by byte: all the same.
fn decode_in_all_ways(body: &[u8]) -> Result<Option<Whole>, ChunkError> {
    let whole = decode(&[body]);
    for at in 0..=body.len() {
        let (left, right) = body.split_at(at);
        assert_eq!(decode(&[left, right]), whole, "split at {at}: {}", body.escape_ascii());
    }
    let bytes: Vec<&[u8]> = body.chunks(1).collect();
    assert_eq!(decode(&bytes), whole, "byte by byte: {}", body.escape_ascii());
    whole
}

fn data_of(body: &str) -> String {
    let whole = decode_in_all_ways(body.as_bytes()).expect("well-formed").expect("complete");
    String::from_utf8(whole.data).expect("the tests write ASCII")
}

#[track_caller]
fn refused(body: &str, error: ChunkError) {
    assert_eq!(decode_in_all_ways(body.as_bytes()), Err(error), "{body:?}");
}

/// RFC 9112 §7.1.
#[test]
fn data_is_joined_and_what_follows_is_left() {
    let body = b"5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\nGET / HTTP/1.1";
    let whole = decode_in_all_ways(body).expect("well-formed").expect("complete");
    assert_eq!(whole.data, b"hello, world");
    assert_eq!(whole.rest, b"GET / HTTP/1.1");
}

#[test]
fn sizes_are_hexadecimal_in_either_case() {
    assert_eq!(data_of("a\r\n0123456789\r\n0\r\n\r\n"), "0123456789");
    assert_eq!(data_of("A\r\n0123456789\r\n000\r\n\r\n"), "0123456789");
    assert_eq!(data_of("0000000000000001\r\nx\r\n0\r\n\r\n"), "x");
}

#[test]
fn data_may_look_like_framing() {
    assert_eq!(data_of("7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n"), "\r\n0\r\n\r\n");
}

/// RFC 9112 §7.1.1.
#[test]
fn extensions_are_ignored() {
    assert_eq!(data_of("1;a=b;c=\"\\\"d \"\r\nx\r\n0;last\r\n\r\n"), "x");
}

/// RFC 9112 §7.1: `chunk-size = 1*HEXDIG`, with nothing round it.
#[test]
fn a_size_that_is_no_plain_number_is_refused() {
    for size in [
        "",
        " 5",
        "5 ",
        "\t5",
        "5 ;a",
        "+5",
        "-5",
        "0x5",
        "5_0",
        "5.",
        "5,5",
        "g",
        "\r\n5",
        "00000000000000005",
        "ffffffffffffffffff",
    ] {
        refused(&[size, "\r\nhello\r\n0\r\n\r\n"].concat(), ChunkError::InvalidSize);
    }
}

/// RFC 9112 §2.2: a bare CR or LF ends nothing.
#[test]
fn a_bare_line_end_is_refused() {
    refused("5\nhello\r\n0\r\n\r\n", ChunkError::InvalidSize);
    refused("5\rhello\r\n0\r\n\r\n", ChunkError::InvalidSize);
    refused("5;a\nhello\r\n0\r\n\r\n", ChunkError::InvalidExtension);
    refused("5;a\rhello\r\n0\r\n\r\n", ChunkError::InvalidSize);
    refused("5\r\nhello\n0\r\n\r\n", ChunkError::MissingLineEnd);
    refused("5\r\nhello\r0\r\n\r\n", ChunkError::MissingLineEnd);
    refused("0\r\n\n", ChunkError::InvalidTrailers);
    refused("0\r\na: b\n\r\n", ChunkError::InvalidTrailers);
    refused("0\r\na: b\r\n\n", ChunkError::InvalidTrailers);
}

#[test]
fn junk_behind_data_is_refused() {
    refused("5\r\nhelloX\r\n0\r\n\r\n", ChunkError::MissingLineEnd);
    refused("5\r\nhello0\r\n\r\n", ChunkError::MissingLineEnd);
}

#[test]
fn control_characters_in_an_extension_are_refused() {
    for byte in ["\0", "\u{1}", "\u{7f}", "\u{e9}"] {
        refused(&["1;a", byte, "\r\nx\r\n0\r\n\r\n"].concat(), ChunkError::InvalidExtension);
    }
}

#[test]
fn extensions_are_bounded_over_the_whole_body() {
    let bytes_max = CHUNK_EXTENSION_BYTES_MAX as usize;
    let chunk = ["1;", &"e".repeat(bytes_max / 2), "\r\nx\r\n"].concat();
    let fitting = [&chunk, &chunk, "0\r\n\r\n"].concat();
    let decoded = decode(&[fitting.as_bytes()]).expect("within the bound").expect("complete");
    assert_eq!(decoded.data, b"xx");
    let above = [&chunk, &chunk, "0;e\r\n\r\n"].concat();
    assert_eq!(decode(&[above.as_bytes()]), Err(ChunkError::ExtensionsTooLarge));
}

#[test]
fn a_body_without_its_end_is_incomplete() {
    let body = b"5\r\nhello\r\n0\r\na: b\r\n\r\n";
    for at in 0..body.len() {
        assert_eq!(decode(&[&body[..at]]), Ok(None));
    }
}

/// RFC 9110 §6.5.
#[test]
fn trailers_are_kept_and_dangerous_ones_left_out() {
    let body =
        b"0\r\nGrpc-Status: 0\r\ncontent-length: 3\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\
                 Authorization: b\r\nConnection: x-a\r\nX-A: \t1 \r\n\r\nrest";
    let whole = decode_in_all_ways(body).expect("well-formed").expect("complete");
    let kept = [("grpc-status", "0"), ("x-a", "1")];
    let kept = kept.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(whole.trailers, kept);
    assert_eq!(whole.rest, b"rest");
}

/// RFC 9112 §7.1.2 with §5.1 and §5.2.
#[test]
fn malformed_trailers_are_refused() {
    for trailers in
        ["a : b", " a: b", "a: b\r\n c", "a", ": b", ":path: /", "a: b\0", "a\0: b", "a: b\rc"]
    {
        refused(&["0\r\n", trailers, "\r\n\r\n"].concat(), ChunkError::InvalidTrailers);
    }
}

#[test]
fn trailers_are_bounded_in_number_and_size() {
    let trailers = |count| ["0\r\n", &"a: b\r\n".repeat(count), "\r\n"].concat();
    let whole = decode(&[trailers(TRAILERS_MAX).as_bytes()]).expect("within the bound");
    assert_eq!(whole.expect("complete").trailers.len(), TRAILERS_MAX);
    let above = decode(&[trailers(TRAILERS_MAX + 1).as_bytes()]);
    assert_eq!(above, Err(ChunkError::TooManyTrailers));
    assert_eq!(ChunkError::TooManyTrailers.details(), "http1.too_many_headers");
    let endless = ["0\r\na: ", &"b".repeat(TRAILER_BYTES_MAX)].concat();
    assert_eq!(decode(&[endless.as_bytes()]), Err(ChunkError::TrailersTooLarge));
    let bytes: Vec<&[u8]> = endless.as_bytes().chunks(1).collect();
    assert_eq!(decode(&bytes), Err(ChunkError::TrailersTooLarge));
    assert_eq!(
        (ChunkError::TrailersTooLarge.status(), ChunkError::InvalidSize.status()),
        (431, 400)
    );
}

#[test]
fn a_cleared_decoder_takes_another_body() {
    let mut decoder = ChunkedDecoder::default();
    for _ in 0..2 {
        let mut body = *b"1\r\nx\r\n0\r\na: b\r\n\r\n";
        let decoded = decoder.decode(&mut body).expect("well-formed");
        assert_eq!(decoded, Decoded { consumed: body.len(), data_len: 1, complete: true });
        assert_eq!(decoder.trailers.len(), 1);
        decoder.clear();
        assert!(decoder.trailers.is_empty() && !decoder.is_complete());
    }
}

#[test]
fn what_is_encoded_decodes_to_itself() {
    let mut room = [0; 18];
    for len in [1, 9, 15, 16, 255, 256, 4096, 65_535, 1_048_576] {
        let data = vec![b'd'; len];
        let body = [write_chunk_size(len, &mut room), &data, b"\r\n", LAST_CHUNK].concat();
        let whole = decode(&[&body]).expect("well-formed").expect("complete");
        assert!(whole.data == data, "{len} bytes");
    }
    assert_eq!(write_chunk_size(0xbeef, &mut room), b"beef\r\n");
    assert_eq!(write_chunk_size(usize::MAX, &mut room).len(), usize::BITS as usize / 4 + 2);
}

#[test]
fn trailers_are_written_behind_the_last_chunk() {
    let mut trailers = HeaderMap::new();
    trailers.append(b"x-sum", b"1");
    let mut out = Vec::new();
    encode_trailers(&trailers, KeyFormat::ProperCaseWords, &mut out);
    assert_eq!(out, b"0\r\nX-Sum: 1\r\n\r\n");
}
