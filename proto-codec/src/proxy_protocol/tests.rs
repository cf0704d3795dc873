use super::*;

fn complete(bytes: &[u8]) -> ProxyHeader<'_> {
    match parse(bytes) {
        Ok(Progress::Complete(header)) => header,
        other => panic!("{}: {other:?}", bytes.escape_ascii()),
    }
}

fn v2(version_command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let mut bytes = v2::SIGNATURE.to_vec();
    bytes.extend([version_command, family]);
    bytes.extend(u16::try_from(rest.len()).expect("short").to_be_bytes());
    bytes.extend(rest);
    bytes
}

const INET: [u8; 12] = [1, 2, 3, 4, 5, 6, 7, 8, 0, 80, 1, 187];

fn addresses(source: &str, destination: &str) -> Option<Addresses> {
    let address = |text: &str| text.parse().expect("an address");
    Some(Addresses { source: address(source), destination: address(destination) })
}

#[test]
fn a_line_names_both_ends() {
    let header = complete(b"PROXY TCP4 1.2.3.4 5.6.7.8 80 443\r\nGET");
    assert_eq!(header.version, Version::V1);
    assert_eq!(header.length, 35);
    assert_eq!(header.addresses, addresses("1.2.3.4:80", "5.6.7.8:443"));
    let header = complete(b"PROXY TCP6 ::1 2001:db8::2 0 65535\r\n");
    assert_eq!(header.addresses, addresses("[::1]:0", "[2001:db8::2]:65535"));
    for unknown in [&b"PROXY UNKNOWN\r\n"[..], b"PROXY UNKNOWN ::1 what ever\r\n"] {
        let header = complete(unknown);
        assert_eq!((header.length, header.addresses), (unknown.len(), None));
    }
}

#[test]
fn a_line_with_a_wrong_field_is_refused() {
    for line in [
        "PROXY \r\n",
        "PROXY  TCP4 1.2.3.4 5.6.7.8 80 443\r\n",
        "PROXY TCP4\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 80\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 80 443 1\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 80 65536\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 -1 443\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8  443\r\n",
        "PROXY TCP4 ::1 ::2 80 443\r\n",
        "PROXY TCP6 1.2.3.4 5.6.7.8 80 443\r\n",
        "PROXY TCP4 1.2.3 5.6.7.8 80 443\r\n",
        "PROXY UDP4 1.2.3.4 5.6.7.8 80 443\r\n",
        "PROXY tcp4 1.2.3.4 5.6.7.8 80 443\r\n",
        "PROXY UNKNOWNX\r\n",
        "PROXY\t\r\n",
    ] {
        let parsed = parse(line.as_bytes());
        assert!(
            matches!(parsed, Err(MalformedHeader(Version::V1)) | Ok(Progress::Absent)),
            "{line:?}: {parsed:?}"
        );
    }
    for ip in ["0.0.0.0", "255.255.255.255", "224.0.0.1", "::", "ff02::1"] {
        let (family, other) = if ip.contains(':') { ("TCP6", "::1") } else { ("TCP4", "1.2.3.4") };
        for ends in [format!("{ip} {other}"), format!("{other} {ip}")] {
            let line = format!("PROXY {family} {ends} 80 443\r\n");
            assert_eq!(parse(line.as_bytes()), Err(MalformedHeader(Version::V1)), "{line:?}");
        }
    }
    let long = format!("PROXY UNKNOWN {}", "x".repeat(200));
    assert_eq!(parse(long.as_bytes()), Ok(Progress::Absent));
}

#[test]
fn a_binary_header_names_both_ends_and_keeps_its_vectors() {
    let bytes = v2(0x21, 0x11, &[&INET[..], &[4, 0, 1, 9]].concat());
    let header = complete(&bytes);
    assert_eq!((header.version, header.length), (Version::V2, 32));
    assert_eq!(header.addresses, addresses("1.2.3.4:80", "5.6.7.8:443"));
    assert_eq!(header.tlvs, [4, 0, 1, 9]);
    let mut inet6 = [0; 36];
    (inet6[15], inet6[31], inet6[33], inet6[35]) = (1, 2, 3, 4);
    assert_eq!(complete(&v2(0x21, 0x21, &inet6)).addresses, addresses("[::1]:3", "[::2]:4"));
    let local = v2(0x20, 0x00, &INET);
    assert_eq!((complete(&local).addresses, complete(&local).length), (None, 28));
}

#[test]
fn a_binary_header_with_a_wrong_field_is_refused() {
    for bytes in [
        v2(0x11, 0x11, &INET),
        v2(0x31, 0x11, &INET),
        v2(0x22, 0x11, &INET),
        v2(0x21, 0x01, &INET),
        v2(0x21, 0x31, &[0; 216]),
        v2(0x21, 0x10, &INET),
        v2(0x21, 0x13, &INET),
        v2(0x21, 0x11, &INET[..11]),
        v2(0x21, 0x21, &INET),
        v2(0x21, 0x11, &[&INET[..], &[4, 0, 2, 9]].concat()),
        v2(0x21, 0x11, &[&INET[..], &[4, 0]].concat()),
        v2(0x21, 0x11, &[0; 12]),
        v2(0x21, 0x21, &[255; 36]),
    ] {
        assert_eq!(parse(&bytes), Err(MalformedHeader(Version::V2)), "{bytes:?}");
    }
}

#[test]
fn every_truncation_is_incomplete() {
    for whole in [
        b"PROXY TCP4 1.2.3.4 5.6.7.8 80 443\r\n".to_vec(),
        b"PROXY UNKNOWN\r\n".to_vec(),
        v2(0x21, 0x11, &[&INET[..], &[4, 0, 0]].concat()),
        v2(0x21, 0x12, &INET),
        v2(0x20, 0x00, &[]),
    ] {
        for end in 0..whole.len() {
            assert_eq!(parse(&whole[..end]), Ok(Progress::Incomplete), "{end} of {whole:?}");
        }
        assert_eq!(complete(&whole).length, whole.len());
    }
}

#[test]
fn other_bytes_are_no_header() {
    for bytes in [&b"GET / HTTP/1.1\r\n"[..], b"PROXX", b"\r\n\r\n\r\n", b"\x16\x03\x01"] {
        assert_eq!(parse(bytes), Ok(Progress::Absent));
    }
}
