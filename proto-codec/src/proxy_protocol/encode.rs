//! Writing a header, for an upstream that wants to know the client.

use core::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::v2::{FIXED_BYTES, INET, INET6, LOCAL, PROXY, SIGNATURE, STREAM, VERSION_2};
use super::{Addresses, Version};

/// Appends a header; version 1 has no room for `tlvs`. Vectors that do not fit into its length are
/// left out. Without `ends` it says that it tells nothing of the client: `UNKNOWN`, or `LOCAL`.
pub fn write(version: Version, ends: Option<Addresses>, tlvs: &[(u8, &[u8])], out: &mut Vec<u8>) {
    let ends = ends.map(of_one_family);
    match (version, ends) {
        (Version::V1, Some(ends)) => write_v1(ends, out),
        (Version::V1, None) => out.extend_from_slice(b"PROXY UNKNOWN\r\n"),
        (Version::V2, Some(ends)) => write_v2(ends, tlvs, out),
        (Version::V2, None) => {
            out.extend_from_slice(SIGNATURE);
            out.extend([VERSION_2 << 4 | LOCAL, 0, 0, 0]);
        }
    }
}

/// The header has one family for both: an IPv4 address beside an IPv6 one is written as the latter
/// (RFC 4291 §2.5.5.2).
fn of_one_family(ends: Addresses) -> Addresses {
    let Addresses { source, destination } = ends;
    if source.is_ipv4() == destination.is_ipv4() {
        return ends;
    }
    let mapped = |end: SocketAddr| match end.ip() {
        IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), end.port()),
        IpAddr::V6(_) => end,
    };
    Addresses { source: mapped(source), destination: mapped(destination) }
}

fn write_v1(Addresses { source, destination }: Addresses, out: &mut Vec<u8>) {
    let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
    let line = format!(
        "PROXY {family} {} {} {} {}\r\n",
        source.ip(),
        destination.ip(),
        source.port(),
        destination.port()
    );
    out.extend_from_slice(line.as_bytes());
}

fn write_v2(ends: Addresses, tlvs: &[(u8, &[u8])], out: &mut Vec<u8>) {
    let begin = out.len();
    out.extend_from_slice(SIGNATURE);
    let family = if ends.source.is_ipv4() { INET } else { INET6 };
    out.extend([VERSION_2 << 4 | PROXY, family << 4 | STREAM, 0, 0]);
    for end in [ends.source, ends.destination] {
        match end.ip() {
            IpAddr::V4(ip) => out.extend(ip.octets()),
            IpAddr::V6(ip) => out.extend(Ipv6Addr::octets(&ip)),
        }
    }
    out.extend(ends.source.port().to_be_bytes());
    out.extend(ends.destination.port().to_be_bytes());
    for (kind, value) in tlvs {
        let length_now = out.len() - begin - FIXED_BYTES;
        let Ok(value_length) = u16::try_from(value.len()) else { continue };
        if u16::try_from(length_now + 3 + value.len()).is_err() {
            continue;
        }
        out.push(*kind);
        out.extend(value_length.to_be_bytes());
        out.extend_from_slice(value);
    }
    let length = u16::try_from(out.len() - begin - FIXED_BYTES).expect("held to that above");
    out[begin + FIXED_BYTES - 2..begin + FIXED_BYTES].copy_from_slice(&length.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::{Progress, parse, vectors};
    use super::*;

    fn ends(source: &str, destination: &str) -> Addresses {
        Addresses { source: source.parse().unwrap(), destination: destination.parse().unwrap() }
    }

    fn written(version: Version, ends: Addresses, tlvs: &[(u8, &[u8])]) -> Vec<u8> {
        let mut out = b"before".to_vec();
        write(version, Some(ends), tlvs, &mut out);
        out.split_off(b"before".len())
    }

    #[test]
    fn what_is_written_is_read_again() {
        for (source, destination) in [
            ("1.2.3.4:5", "6.7.8.9:10"),
            ("[::1]:5", "[2001:db8::1]:443"),
            ("1.2.3.4:5", "[::1]:6"),
        ] {
            let ends = ends(source, destination);
            for version in [Version::V1, Version::V2] {
                let bytes = written(version, ends, &[(1, b"h2"), (224, b"")]);
                let Ok(Progress::Complete(header)) = parse(&bytes) else { panic!("{bytes:?}") };
                assert_eq!((header.version, header.length), (version, bytes.len()));
                assert_eq!(header.addresses, Some(of_one_family(ends)));
                let read: Vec<_> = vectors(header.tlvs).collect();
                let expected: &[(u8, &[u8])] = match version {
                    Version::V1 => &[],
                    Version::V2 => &[(1, b"h2"), (224, b"")],
                };
                assert_eq!(read, expected);
            }
        }
    }

    #[test]
    fn version_1_is_a_line() {
        let line = written(Version::V1, ends("1.2.3.4:5", "6.7.8.9:10"), &[]);
        assert_eq!(line, b"PROXY TCP4 1.2.3.4 6.7.8.9 5 10\r\n");
    }

    #[test]
    fn a_header_may_tell_nothing() {
        for version in [Version::V1, Version::V2] {
            let mut bytes = Vec::new();
            write(version, None, &[(1, b"h2")], &mut bytes);
            let Ok(Progress::Complete(header)) = parse(&bytes) else { panic!("{bytes:?}") };
            assert_eq!((header.length, header.addresses), (bytes.len(), None));
        }
    }

    #[test]
    fn vectors_beyond_the_length_are_left_out() {
        let long = vec![0; 65_520];
        let ends = ends("1.2.3.4:5", "6.7.8.9:10");
        let bytes = written(Version::V2, ends, &[(1, &long), (2, b"later"), (3, &[0; 70_000])]);
        let Ok(Progress::Complete(header)) = parse(&bytes) else { panic!() };
        assert_eq!(vectors(header.tlvs).map(|(kind, _)| kind).collect::<Vec<_>>(), [1]);
    }
}
