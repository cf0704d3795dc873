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
        requests_status: false,
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

#[test]
fn who_asks_for_a_staple_is_noted() {
    let status_request = (STATUS_REQUEST, vec![1, 0, 0, 0, 0]);
    let bytes = records(&message(&[status_request]), 1000);
    let expected =
        Progress::Complete(ClientHello { requests_status: true, ..ClientHello::default() });
    assert_eq!(read(&bytes), expected);
    let status_request = (STATUS_REQUEST, vec![1, 0, 0, 0, 0]);
    let bytes = records(&message(&[name("a.example"), status_request, protocols(&["h2"])]), 1000);
    assert_eq!(ClientHelloReader::of_status().read(&bytes), expected);
}
