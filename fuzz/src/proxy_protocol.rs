//! PROXY headers: one reading however they arrive, and no byte taken that is not theirs.

use ringmain_proto_codec::proxy_protocol::{Progress, parse};

use crate::pieces::arrivals;

/// Checks `bytes`.
pub fn check(bytes: &[u8]) {
    let whole = parse(bytes);
    if let Ok(Progress::Complete(header)) = &whole {
        assert!(header.length <= bytes.len());
        assert_eq!(parse(&bytes[..header.length]), whole);
        assert!(matches!(parse(&bytes[..header.length - 1]), Ok(Progress::Incomplete)));
    }
    for ends in arrivals(bytes.len()) {
        let mut told = ends.into_iter().map(|end| parse(&bytes[..end]));
        let first = told.find(|told| *told != Ok(Progress::Incomplete));
        assert_eq!(first.unwrap_or(Ok(Progress::Incomplete)), whole);
    }
}
