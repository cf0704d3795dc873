//! ClientHellos: one reading however they arrive, and never more looked at than has come.

use ringmain_proto_codec::client_hello::{ClientHelloReader, Progress};

use crate::pieces::arrivals;

/// Checks `bytes`.
pub fn check(bytes: &[u8]) {
    let whole = ClientHelloReader::default().read(bytes);
    for ends in arrivals(bytes.len()) {
        let mut reader = ClientHelloReader::default();
        let mut progress = Progress::Incomplete;
        for end in ends {
            progress = reader.read(&bytes[..end]);
            // A bad record's header is counted before its content has come.
            assert!(reader.looked_at() <= end);
            if progress != Progress::Incomplete {
                break;
            }
        }
        assert_eq!(progress, whole);
    }
}
