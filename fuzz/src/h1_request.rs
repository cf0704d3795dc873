//! Request heads: one reading however they arrive, and a reading that survives being forwarded.

use ringmain_proto_codec::h1::{
    BodyLength, HeadProgress, KeyFormat, RequestHead, RequestOptions, UnderscoreAction, Version,
    encode_request,
};
use ringmain_proto_codec::limits::HeadLimits;
use ringmain_proto_codec::{HeaderMap, KnownHeader, RequestError};

use crate::pieces::arrivals;
use crate::wire::{assert_one_head, count_fields};

#[derive(Debug, PartialEq)]
struct Reading {
    consumed: usize,
    headers: HeaderMap,
    version: Version,
    body: BodyLength,
    flags: [bool; 3],
}

/// Checks `bytes` under the options that change the reading.
pub fn check(bytes: &[u8]) {
    for options in [strict(), lenient()] {
        check_with(bytes, &options);
    }
}

fn strict() -> RequestOptions {
    RequestOptions { headers_with_underscores: UnderscoreAction::Reject, ..Default::default() }
}

fn lenient() -> RequestOptions {
    RequestOptions {
        limits: HeadLimits { bytes_max: 1 << 20, headers_max: 1000 },
        accept_http_10: true,
        default_host_for_http_10: Some("default".to_owned()),
        proxies_continue: true,
        ..Default::default()
    }
}

fn check_with(bytes: &[u8], options: &RequestOptions) {
    let mut head = RequestHead::default();
    let whole = read(&mut head, bytes, [bytes.len()], options);
    for ends in arrivals(bytes.len()) {
        let piecewise = read(&mut head, bytes, ends, options);
        // Of two faults the one that arrives first is told; what is accepted does not depend on it.
        assert_eq!(piecewise.as_ref().ok(), whole.as_ref().ok());
    }
    if let Ok(Some(reading)) = whole {
        check_forwarded(&reading);
    }
}

fn read(
    head: &mut RequestHead,
    bytes: &[u8],
    ends: impl IntoIterator<Item = usize>,
    options: &RequestOptions,
) -> Result<Option<Reading>, RequestError> {
    let mut progress = HeadProgress::default();
    for end in ends {
        if let Some(consumed) = head.parse(&bytes[..end], &mut progress, options)? {
            return Ok(Some(Reading {
                consumed,
                headers: head.headers.clone(),
                version: head.version,
                body: head.body,
                flags: [head.keep_alive, head.expect_continue, head.upgrade],
            }));
        }
    }
    Ok(None)
}

/// What was accepted is read in the same way by a next hop as strict as we are.
fn check_forwarded(reading: &Reading) {
    let target = reading.headers.get(KnownHeader::Path);
    // Anything else is a target that no route takes, so it is never forwarded.
    if target.is_some_and(|path| !path.starts_with(b"/") && path != b"*") {
        return;
    }
    let mut encoded = Vec::new();
    encode_request(&reading.headers, false, KeyFormat::ProperCaseWords, &mut encoded);
    assert_one_head(&encoded);
    assert_eq!(count_fields(&encoded, b"host"), 1);
    let mut head = RequestHead::default();
    let again = read(&mut head, &encoded, [encoded.len()], &lenient());
    let again = again.expect("what is forwarded is well-formed").expect("and complete");
    assert_eq!(again.consumed, encoded.len());
    assert_eq!((&again.headers, again.body), (&reading.headers, reading.body));
}
