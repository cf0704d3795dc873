use super::*;

/// A ClientHello with these extensions, as one handshake message.
fn message(extensions: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0x13, 0x01, 1, 0]);
    let mut list = Vec::new();
    for (kind, content) in extensions {
        list.extend(kind.to_be_bytes());
        list.extend(vector16(content));
    }
    body.extend(vector16(&list));
    let length = u32::try_from(body.len()).expect("short").to_be_bytes();
    [&[CLIENT_HELLO][..], &length[1..], &body].concat()
}

fn vector16(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("short").to_be_bytes();
    [&length[..], content].concat()
}

fn name(name: &str) -> (u16, Vec<u8>) {
    let entry = [&[HOST_NAME][..], &vector16(name.as_bytes())].concat();
    (SERVER_NAME, vector16(&entry))
}

fn protocols(names: &[&str]) -> (u16, Vec<u8>) {
    let list = names.iter().flat_map(|name| {
        let length = u8::try_from(name.len()).expect("short");
        [&[length][..], name.as_bytes()].concat()
    });
    (ALPN, vector16(&list.collect::<Vec<_>>()))
}

/// `message` in records of at most `size` bytes.
fn records(message: &[u8], size: usize) -> Vec<u8> {
    let record = |fragment: &[u8]| [&[HANDSHAKE, 3, 1][..], &vector16(fragment)].concat();
    message.chunks(size).flat_map(record).collect()
}

fn read(bytes: &[u8]) -> Progress {
    ClientHelloReader::default().read(bytes)
}

fn asked() -> ClientHello {
    ClientHello {
        server_name: Some("a.example".into()),
        application_protocols: vec!["h2".into(), "http/1.1".into()],
        offer: None,
    }
}

fn sample() -> Vec<u8> {
    message(&[(51, vec![1, 2, 3]), name("A.example"), protocols(&["h2", "http/1.1"])])
}

#[test]
fn a_message_in_any_number_of_records_and_pieces_is_read() {
    for size in [1, 2, 3, 7, 50, 1000] {
        let bytes = records(&sample(), size);
        assert_eq!(read(&bytes), Progress::Complete(asked()), "{size}");
        let mut reader = ClientHelloReader::default();
        for end in 0..bytes.len() {
            assert_eq!(reader.read(&bytes[..end]), Progress::Incomplete, "{size} {end}");
        }
        assert_eq!(reader.read(&[&bytes[..], b"more"].concat()), Progress::Complete(asked()));
        assert_eq!(reader.looked_at(), bytes.len());
    }
}

#[test]
fn what_a_client_does_not_ask_for_is_absent() {
    assert_eq!(read(&records(&message(&[]), 500)), Progress::Complete(ClientHello::default()));
}

#[test]
fn a_long_message_is_read_and_a_longer_one_is_none() {
    let long = |padding| message(&[(21, vec![0; padding]), name("a.example")]);
    assert_eq!(read(&records(&long(17_000), RECORD_BYTES_MAX)), Progress::NotTls);
    let bytes = records(&long(16_000), 5000);
    let Progress::Complete(hello) = read(&bytes) else { panic!("a ClientHello") };
    assert_eq!(hello.server_name.as_deref(), Some("a.example"));
}

#[test]
fn other_bytes_are_not_tls() {
    let mut server_hello = sample();
    server_hello[0] = 2;
    let alert = vec![21, 3, 3, 0, 2, 1, 0];
    let mut short = sample();
    short[3] -= 1;
    for bytes in [
        b"GET / HTTP/1.1".to_vec(),
        alert,
        vec![HANDSHAKE, 2, 0, 0, 1, 1],
        vec![HANDSHAKE, 3, 1, 0x40, 1],
        records(&server_hello, 1000),
        records(&short, 1000),
        records(&message(&[(SERVER_NAME, vec![])]), 1000),
        records(&message(&[(ALPN, vec![0, 0])]), 1000),
        [HANDSHAKE, 3, 1, 0, 0].repeat(40),
    ] {
        assert_eq!(read(&bytes), Progress::NotTls, "{bytes:?}");
    }
}

fn examined(extensions: &[(u16, Vec<u8>)], server: &Server<'_>) -> Examined {
    match ClientHelloReader::default().examine(&records(&message(extensions), 1000), server) {
        Progress::Complete(examined) => examined,
        other => panic!("it is one: {other:?}"),
    }
}

/// What is wrong for a server of both versions that knows `h2`, where the client offers TLS 1.3 and where not.
fn flaws(extension: (u16, &[u8])) -> [Option<Flaw>; 2] {
    let protocols = [b"h2".to_vec()];
    let server = Server { has_1_2: true, has_1_3: true, protocols: &protocols };
    let extension = (extension.0, extension.1.to_vec());
    let of_1_3 = [(43, vec![2, 3, 4]), extension.clone()];
    [examined(&of_1_3, &server).flaw, examined(&[extension], &server).flaw]
}

#[test]
fn what_is_wrong_with_an_extension_is_told_as_by_boringssl() {
    let in_both = |flaw| [Some(flaw); 2];
    let in_1_3 = |flaw| [Some(flaw), None];
    let in_1_2 = |flaw| [None, Some(flaw)];
    let whole_key = b"\x00\x07\x00\x01a\x00\x00\x00\x00";
    let binders = |bytes: &[u8]| [whole_key, bytes].concat();
    for (kind, content, flaws_of_it) in [
        (0, &[][..], in_both(Flaw::ServerName)),
        (0, b"\x00\x04\x00\x00\x01a\x00", in_both(Flaw::ServerName)),
        (0, b"\x00\x03\x00\x00\x00", in_both(Flaw::NotAName)),
        (0, b"\x00\x04\x01\x00\x01a", in_both(Flaw::NotAName)),
        (0, b"\x00\x04\x00\x00\x01\x00", in_both(Flaw::NotAName)),
        (0, b"\x00\x04\x00\x00\x01a", [None; 2]),
        (10, &[0, 3, 0, 29, 0], in_both(Flaw::HalfNumber)),
        (10, &[0, 2, 0, 29, 0], in_both(Flaw::Extension)),
        (11, &[1, 1], in_1_2(Flaw::Points)),
        (11, &[1], in_1_2(Flaw::Extension)),
        (13, &[0, 0], in_both(Flaw::Extension)),
        (16, &[0, 1, 0], in_both(Flaw::Protocols)),
        (16, &[0, 2, 1, b'x'], [None; 2]),
        (18, &[0], in_both(Flaw::Extension)),
        (34, &[0, 1, 4], in_1_3(Flaw::HalfNumber)),
        (41, &[], in_1_3(Flaw::Keys)),
        (41, &binders(&[0, 2, 1, 7]), [None; 2]),
        (41, &binders(&[0, 4, 1, 7, 1, 7]), in_1_3(Flaw::Binders)),
        (41, &binders(&[0, 3, 1, 7, 1]), in_1_3(Flaw::Binders)),
        (41, &binders(&[0, 2, 2, 7]), in_1_3(Flaw::Keys)),
        (47, &[0, 0], in_both(Flaw::Extension)),
        (47, &[0, 1], in_both(Flaw::Authorities)),
        (47, &[0, 3, 0, 2, 7], in_both(Flaw::Authority)),
        (51, &[0, 4, 0, 29, 0, 0], in_1_3(Flaw::Keys)),
        (57, &[], in_both(Flaw::Quic)),
        (13172, &[0], in_1_2(Flaw::Extension)),
        (0xfe0d, &[0, 1], in_both(Flaw::FirstExtensions)),
        (0xff01, &[], in_1_2(Flaw::RenegotiationInfo)),
        (0xff01, &[1, 7], in_1_2(Flaw::Renegotiation)),
    ] {
        assert_eq!(flaws((kind, content)), flaws_of_it, "{kind} {content:?}");
    }
}

#[test]
fn what_is_wrong_first_is_told() {
    let (key, quic) = ((41, vec![]), (57, vec![]));
    let (versions, half) = ((43, vec![2, 3, 4]), (43, vec![1, 3]));
    let server = Server { has_1_2: true, has_1_3: true, protocols: &[] };
    let flaw = |extensions: &[_]| examined(extensions, &server).flaw;
    assert_eq!(flaw(&[quic.clone(), quic.clone()]), Some(Flaw::Repeated));
    assert_eq!(flaw(&[quic.clone(), half.clone()]), Some(Flaw::FirstExtensions));
    assert_eq!(flaw(&[half, (SERVER_NAME, vec![])]), Some(Flaw::ServerName));
    assert_eq!(flaw(&[key.clone(), versions.clone(), quic.clone()]), Some(Flaw::Quic));
    assert_eq!(flaw(&[key.clone(), versions.clone()]), Some(Flaw::KeyNotLast));
    // Without protocols nobody looks at what is offered.
    assert_eq!(flaw(&[(ALPN, vec![])]), None);
    // No version in common is up to who looks at it next.
    let old = Server { has_1_3: false, ..server };
    assert_eq!(examined(&[versions, quic], &old).flaw, None);
}

#[test]
fn a_client_that_shares_no_protocol_is_noted() {
    let ours = [b"h2".to_vec()];
    let shares_none = |offered: &[&str], ours: &[Vec<u8>]| {
        let server = Server { has_1_2: true, has_1_3: true, protocols: ours };
        examined(&[protocols(offered)], &server).shares_no_protocol
    };
    assert!(shares_none(&["h3", "http/1.1"], &ours));
    assert!(!shares_none(&["h3", "h2"], &ours));
    assert!(!shares_none(&["h3"], &[]));
}

#[test]
fn who_asks_for_a_staple_is_noted() {
    let server = Server { has_1_2: true, has_1_3: true, protocols: &[] };
    let asks = |extensions: &[_]| examined(extensions, &server).requests_status;
    assert!(asks(&[name("a.example"), (5, vec![1, 0, 0, 0, 0])]));
    assert!(!asks(&[name("a.example")]));
}
