//! ClientHellos of which one extension is malformed: each is told as by Envoy, to the client, in logs and in
//! counters.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};

use ringmain_tests::client::Client;
use ringmain_tests::wait::PATIENCE;

use crate::faults::told;
use crate::hellos::{
    AES_128_GCM_SHA256, ECDHE_ECDSA_AES_128_GCM, ECDSA_P256_SHA256, Extension, KEY_SHARE, P256,
    PSK, PSK_MODES, TLS_1_3, X25519, hello, record,
};
use crate::rig::{Rig, SERVER, assert_alike, authority, connection_lines, logged, tls_front};

/// An extension that is served as it is, and how many of its first bytes are lengths or kinds, which decide
/// its form.
type Sample = (Extension<'static>, usize);

/// What BoringSSL looks at in each version.
const IN_BOTH: &[Sample] = &[
    ((0, b"\x00\x11\x00\x00\x0eserver.example"), 5),
    ((16, b"\x00\x0c\x02h2\x08http/1.1"), 3),
    ((18, &[]), 0),
    ((22, &[]), 0),
    ((27, &[2, 0, 2]), 1),
    ((35, &[]), 0),
    ((47, b"\x00\x04\x00\x02\x30\x00"), 4),
    ((50, &[0, 2, 4, 3]), 2),
    ((57, &[1, 1, 0]), 2),
    ((0xfe0d, &[0, 0, 1, 0, 1, 7, 0, 2, 1, 2, 0, 2, 1, 2]), 12),
    ((0x3374, &[]), 0),
];
const IN_1_2: &[Sample] =
    &[((11, &[1, 0]), 2), ((23, &[]), 0), ((45, &[1, 1]), 1), ((0xff01, &[0]), 1)];
const IN_1_3: &[Sample] = &[((34, &[0, 2, 4, 3]), 2), ((45, &[1, 1]), 1), ((42, &[]), 0)];

/// Each in each form.
fn cases() -> Vec<(String, Vec<u8>)> {
    let of_1_2 = [P256, ECDSA_P256_SHA256];
    let of_1_3 = [X25519, ECDSA_P256_SHA256, TLS_1_3, KEY_SHARE];
    let with_psk = [&of_1_3[..], &[PSK_MODES, PSK]].concat();
    let old = |base: &[Extension<'static>], sample| forms(ECDHE_ECDSA_AES_128_GCM, base, sample);
    let new = |base: &[Extension<'static>], sample| forms(AES_128_GCM_SHA256, base, sample);
    let mut cases = Vec::new();
    for sample in IN_BOTH.iter().chain(IN_1_2) {
        cases.extend(old(&of_1_2, *sample));
    }
    for sample in IN_BOTH.iter().chain(IN_1_3) {
        cases.extend(new(&of_1_3, *sample));
    }
    cases.extend(of_1_2.iter().flat_map(|extension| old(&of_1_2, (*extension, 2))));
    cases.extend(new(&of_1_3, (X25519, 2)));
    cases.extend(new(&of_1_3, (ECDSA_P256_SHA256, 2)));
    cases.extend(new(&of_1_3, (TLS_1_3, 1)));
    cases.extend(new(&of_1_3, (KEY_SHARE, 6)));
    cases.extend(new(&with_psk, (PSK, 4)));
    // Nothing is wrong with a client that offers no protocol of ours.
    let unknown = (16, &b"\x00\x03\x02h9"[..]);
    cases.extend(old(&of_1_2, (unknown, 0)));
    cases.extend(new(&of_1_3, (unknown, 0)));
    cases
}

/// `base` with an extension that is empty, too short, too long, twice there, or has another length or kind in it.
fn forms(
    ciphers: &[u8],
    base: &[Extension<'static>],
    ((kind, valid), lengths): Sample,
) -> Vec<(String, Vec<u8>)> {
    let shorter = &valid[..valid.len().saturating_sub(1)];
    let mut contents = vec![vec![], shorter.to_vec(), [valid, &[0]].concat(), vec![0], vec![0, 0]];
    for at in 0..lengths {
        for by in [1, 255] {
            let mut content = valid.to_vec();
            content[at] = content[at].wrapping_add(by);
            contents.push(content);
        }
    }
    let others: Vec<_> = base.iter().copied().filter(|(other, _)| *other != kind).collect();
    let with = |more: &[Extension<'_>]| hello(ciphers, &joined(&others, more));
    let mut forms: Vec<_> = contents
        .iter()
        .map(|content| (format!("{kind} of {content:?}"), with(&[(kind, content)])))
        .collect();
    forms.push((format!("{kind} as it is"), with(&[(kind, valid)])));
    forms.push((format!("{kind} twice"), with(&[(kind, valid), (kind, valid)])));
    forms
}

fn joined<'a>(some: &[Extension<'a>], more: &[Extension<'a>]) -> Vec<Extension<'a>> {
    [some, more].concat()
}

/// Says `bytes` and no more; the port of the client and the end of the answer.
fn say(port: u16, bytes: &[u8]) -> (u16, (bool, Option<[u8; 7]>)) {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the proxy listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    stream.write_all(bytes).expect("there is room");
    // The proxy may have seen enough before the end.
    let _reset = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    // A reset is an end too.
    let _end = stream.read_to_end(&mut answer);
    (stream.local_addr().expect("it was connected").port(), told(&answer))
}

#[test]
fn each_is_told_as_by_envoy() {
    let authority = authority();
    let protocols = format!("{SERVER}alpn_protocols: [h2, http/1.1]\n");
    let template = tls_front(&protocols, "", "", "");
    let format = "%DOWNSTREAM_REMOTE_PORT% %DOWNSTREAM_TRANSPORT_FAILURE_REASON%";
    let template = logged(&template, format);
    assert_alike(|program| {
        let rig = Rig::start(program, &authority, &template);
        let said: Vec<_> =
            cases().into_iter().map(|(name, bytes)| (name, say(rig.port(), &bytes))).collect();
        rig.wait_for_ends(said.len() as u64);
        let lines = connection_lines(&rig.proxy, said.len());
        let reasons: BTreeMap<u16, &str> = lines
            .iter()
            .filter_map(|line| line.split_once(' '))
            .map(|(port, reason)| (port.parse().expect("a port"), reason))
            .collect();
        let told =
            said.iter().map(|(name, (port, told))| (name.clone(), *told, reasons[port].to_owned()));
        (told.collect::<Vec<_>>(), rig.ssl_stats())
    });
}

/// Which protocols a client offers may be known when rustls has seen half of its hello.
#[test]
fn a_hello_in_pieces_may_share_no_protocol() {
    let authority = authority();
    let template = tls_front(&format!("{SERVER}alpn_protocols: [h2]\n"), "", "", "");
    let unknown = (16, &b"\x00\x03\x02h9"[..]);
    let offers = [X25519, ECDSA_P256_SHA256, TLS_1_3, KEY_SHARE, unknown];
    let message = hello(AES_128_GCM_SHA256, &offers).split_off(5);
    let (begin, rest) = message.split_at(60);
    assert_alike(|program| {
        let rig = Rig::start(program, &authority, &template);
        let mut client = Client::connect(rig.port());
        client.send_pieces(&[record(22, begin), record(22, rest)]);
        client.half_close();
        let (answer, _end) = client.read_to_end();
        assert_eq!(answer.first(), Some(&22), "{program}: {answer:?}");
        rig.wait_for_ends(1);
        rig.ssl_stats()
    });
}
