//! Chunked bodies: the same data, trailers, end or error however they arrive.

use ringmain_proto_codec::h1::{ChunkedDecoder, KeyFormat, encode_trailers, write_chunk_size};
use ringmain_proto_codec::{ChunkError, HeaderMap};

use crate::pieces::arrivals;

#[derive(Debug, PartialEq)]
struct Reading {
    data: Vec<u8>,
    trailers: HeaderMap,
    consumed: usize,
    complete: bool,
}

/// Checks `bytes` as a chunked body and what may follow it.
pub fn check(bytes: &[u8]) {
    let mut decoder = ChunkedDecoder::default();
    let whole = read(&mut decoder, bytes, [bytes.len()]);
    for ends in arrivals(bytes.len()) {
        assert_eq!(read(&mut decoder, bytes, ends), whole);
    }
    if let Ok(reading) = whole
        && reading.complete
    {
        check_forwarded(&reading);
    }
}

fn read(
    decoder: &mut ChunkedDecoder,
    bytes: &[u8],
    ends: impl IntoIterator<Item = usize>,
) -> Result<Reading, ChunkError> {
    decoder.clear();
    let (mut data, mut consumed, mut start) = (Vec::new(), 0, 0);
    for end in ends {
        let mut piece = bytes[start..end].to_vec();
        start = end;
        let decoded = decoder.decode(&mut piece)?;
        assert!(decoded.data_len <= decoded.consumed && decoded.consumed <= piece.len());
        assert!(decoded.complete || decoded.consumed == piece.len());
        data.extend_from_slice(&piece[..decoded.data_len]);
        consumed += decoded.consumed;
    }
    let complete = decoder.is_complete();
    Ok(Reading { data, trailers: decoder.trailers.clone(), consumed, complete })
}

/// What was accepted, chunked anew, is the same body.
fn check_forwarded(reading: &Reading) {
    let mut encoded = Vec::new();
    if !reading.data.is_empty() {
        encoded.extend_from_slice(write_chunk_size(reading.data.len(), &mut [0; 18]));
        encoded.extend_from_slice(&reading.data);
        encoded.extend_from_slice(b"\r\n");
    }
    encode_trailers(&reading.trailers, KeyFormat::LowerCase, &mut encoded);
    let again = read(&mut ChunkedDecoder::default(), &encoded, [encoded.len()]);
    let again = again.expect("what is forwarded is well-formed");
    assert!(again.complete && again.consumed == encoded.len());
    assert_eq!((&again.data, &again.trailers), (&reading.data, &reading.trailers));
}
