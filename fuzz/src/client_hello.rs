//! ClientHellos: one reading however they arrive, and never more looked at than has come; and what a server
//! makes of them is one thing, too.

use ringmain_proto_codec::client_hello::{ClientHelloReader, Progress, Server};

use crate::pieces::arrivals;

/// Checks `bytes`.
pub fn check(bytes: &[u8]) {
    let protocols = [b"h2".to_vec(), b"http/1.1".to_vec()];
    let server = Server { has_1_2: true, has_1_3: true, protocols: &protocols };
    is_one(bytes, ClientHelloReader::read);
    is_one(bytes, |reader, bytes| reader.examine(bytes, &server));
}

fn is_one<T: PartialEq + std::fmt::Debug>(
    bytes: &[u8],
    read: impl Fn(&mut ClientHelloReader, &[u8]) -> Progress<T>,
) {
    let whole = read(&mut ClientHelloReader::default(), bytes);
    for ends in arrivals(bytes.len()) {
        let mut reader = ClientHelloReader::default();
        let mut progress = Progress::Incomplete;
        for end in ends {
            progress = read(&mut reader, &bytes[..end]);
            // A bad record's header is counted before its content has come.
            assert!(reader.looked_at() <= end);
            if progress != Progress::Incomplete {
                break;
            }
        }
        assert_eq!(progress, whole);
    }
}
