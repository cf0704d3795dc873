//! What a client speaks: the same answer however its first bytes arrive, given at the first byte
//! that can give it.

use ringmain_proto_codec::auto::{PREFACE, Protocol, detect};

use crate::pieces::arrivals;

/// Checks `bytes` as the first of a connection.
pub fn check(bytes: &[u8]) {
    let common = bytes.iter().zip(PREFACE).take_while(|(byte, wanted)| byte == wanted).count();
    let whole = match common {
        _ if common == PREFACE.len() => Some(Protocol::Http2),
        _ if common < bytes.len() => Some(Protocol::Http1),
        _ => None,
    };
    assert_eq!(detect(bytes), whole);
    for ends in arrivals(bytes.len()) {
        let told: Vec<_> = ends.into_iter().filter_map(|end| detect(&bytes[..end])).collect();
        assert!(told.iter().all(|protocol| Some(*protocol) == whole), "{told:?}");
    }
}
