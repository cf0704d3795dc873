//! Response heads: one reading however they arrive, and a reading that survives being forwarded.

use ringmain_proto_codec::h1::{
    BodyLength, HeadProgress, KeyFormat, RequestKind, ResponseHead, ResponseOptions, Version,
    encode_response,
};
use ringmain_proto_codec::limits::HeadLimits;
use ringmain_proto_codec::{HeaderMap, ResponseError};

use crate::pieces::arrivals;
use crate::wire::assert_one_head;

#[derive(Debug, PartialEq)]
struct Reading {
    consumed: usize,
    status: u16,
    headers: HeaderMap,
    version: Version,
    body: BodyLength,
    keep_alive: bool,
}

const OPTIONS: ResponseOptions = ResponseOptions {
    limits: HeadLimits { bytes_max: 1 << 20, headers_max: 1000 },
    preserve_case: None,
};

/// Checks `bytes` as the answer to each kind of request.
pub fn check(bytes: &[u8]) {
    for asked in [RequestKind::Other, RequestKind::Head, RequestKind::Connect, RequestKind::Upgrade]
    {
        let mut head = ResponseHead::default();
        let whole = read(&mut head, bytes, [bytes.len()], asked);
        for ends in arrivals(bytes.len()) {
            let piecewise = read(&mut head, bytes, ends, asked);
            // Of two faults the one that arrives first is told.
            assert_eq!(piecewise.as_ref().ok(), whole.as_ref().ok());
        }
        if let Ok(Some(reading)) = whole {
            check_forwarded(&reading, asked);
        }
    }
}

fn read(
    head: &mut ResponseHead,
    bytes: &[u8],
    ends: impl IntoIterator<Item = usize>,
    asked: RequestKind,
) -> Result<Option<Reading>, ResponseError> {
    let mut progress = HeadProgress::default();
    for end in ends {
        if let Some(consumed) = head.parse(&bytes[..end], &mut progress, asked, &OPTIONS)? {
            return Ok(Some(Reading {
                consumed,
                status: head.status,
                headers: head.headers.clone(),
                version: head.version,
                body: head.body,
                keep_alive: head.keep_alive,
            }));
        }
    }
    Ok(None)
}

/// What was accepted is read in the same way by a client as strict as we are.
fn check_forwarded(reading: &Reading, asked: RequestKind) {
    let mut encoded = Vec::new();
    encode_response(reading.status, &reading.headers, false, KeyFormat::LowerCase, &mut encoded);
    assert_one_head(&encoded);
    let mut head = ResponseHead::default();
    let again = read(&mut head, &encoded, [encoded.len()], asked);
    let again = again.expect("what is forwarded is well-formed").expect("and complete");
    assert_eq!((again.consumed, again.status), (encoded.len(), reading.status));
    assert_eq!((&again.headers, again.body), (&reading.headers, reading.body));
}
