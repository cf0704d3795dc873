//! Handshakes that are meant to end otherwise than with Envoy: each side does what the list in
//! `docs/config.md` says.

use ringmain_tests::proxy::Program;
use ringmain_tests::tls::{Authority, Handshake, Subject};
use rustls::version::TLS13;

use crate::bad_peers::insult;
use crate::rig::{GET, Rig, SERVER, authority, tls_front};

/// The record of a handshake message, which goes on to a session.
const SERVER_HELLO: &[u8] = &[22, 3, 3];

/// A ClientHello of TLS 1.2 by its version, in records.
fn hello(ciphers: &[u8], extensions: &[(u8, &[u8])]) -> Vec<u8> {
    const RECORD_BYTES_MAX: usize = 16 * 1024;
    let long = |bytes: &[u8]| u16::try_from(bytes.len()).expect("short").to_be_bytes();
    let extensions: Vec<u8> = extensions
        .iter()
        .flat_map(|(kind, value)| [&[0, *kind][..], &long(value), value].concat())
        .collect();
    let body = [
        b"\x03\x030123456789abcdef0123456789abcdef\x00",
        &long(ciphers)[..],
        ciphers,
        &[1, 0],
        &long(&extensions),
        &extensions,
    ]
    .concat();
    let message = [&[1, 0][..], &long(&body), &body].concat();
    let record = |part: &[u8]| [&[22, 3, 1][..], &long(part), part].concat();
    message.chunks(RECORD_BYTES_MAX).flat_map(record).collect()
}

const P256: (u8, &[u8]) = (10, &[0, 2, 0, 23]);
const ECDSA_P256_SHA256: (u8, &[u8]) = (13, &[0, 2, 4, 3]);
const ECDHE_ECDSA_AES_128_GCM: &[u8] = &[0xc0, 0x2b];

/// An alert in a record of this version.
fn fatal(minor: u8, description: u8) -> Vec<u8> {
    vec![21, 3, minor, 0, 2, 2, description]
}

/// A ClientHello and what each begins its answer with.
struct Case {
    name: &'static str,
    hello: Vec<u8>,
    envoy: Vec<u8>,
    ringmain: Vec<u8>,
}

/// BoringSSL stops at 16 KiB, knows RFC 7507, and takes SHA-1 where a client names no signatures. Of a hello
/// with several faults each library sees another one first.
#[test]
fn hellos_that_only_one_side_takes_or_understands() {
    let padding = vec![0; 17_000];
    let fallback = [ECDHE_ECDSA_AES_128_GCM, &[0x56, 0x00]].concat();
    let cases = [
        Case {
            name: "long",
            hello: hello(ECDHE_ECDSA_AES_128_GCM, &[P256, ECDSA_P256_SHA256, (21, &padding)]),
            envoy: fatal(1, 47),
            ringmain: SERVER_HELLO.to_vec(),
        },
        Case {
            name: "fallback",
            hello: hello(&fallback, &[P256, ECDSA_P256_SHA256]),
            envoy: fatal(3, 86),
            ringmain: SERVER_HELLO.to_vec(),
        },
        Case {
            name: "no signatures",
            hello: hello(ECDHE_ECDSA_AES_128_GCM, &[P256]),
            envoy: SERVER_HELLO.to_vec(),
            ringmain: fatal(1, 40),
        },
        Case {
            name: "an unknown version, no signatures",
            hello: hello(&[0x13, 1], &[P256, (43, &[2, 0x7f, 0x1c])]),
            envoy: fatal(1, 70),
            ringmain: fatal(1, 40),
        },
    ];
    let authority = authority();
    let template = tls_front(SERVER, "", "", "");
    for program in [Program::Envoy].into_iter().chain(Program::ringmains()) {
        let rig = Rig::start(program, &authority, &template);
        for Case { name, hello, envoy, ringmain } in &cases {
            let expected = if program == Program::Envoy { envoy } else { ringmain };
            let answer = insult(rig.port(), hello, true);
            assert!(answer.starts_with(expected), "{program}, {name}: {answer:?}");
        }
    }
}

/// What becomes of a client with the certificates in `<file>.crt` where `rules` are said of them: whether it
/// is served by Envoy and by ringmain.
#[track_caller]
fn assert_served(authority: &Authority, rules: &str, file: &str, envoy: bool, ringmain: bool) {
    let common = format!(
        "{SERVER}validation_context:\n  trusted_ca: {{ filename: '{{{{certificates}}}}/ca.crt' }}\n{rules}"
    );
    let template = tls_front(&common, "require_client_certificate: true\n", "", "");
    for program in [Program::Envoy].into_iter().chain(Program::ringmains()) {
        let rig = Rig::start(program, authority, &template);
        let handshake = Handshake::with_certificate(authority, "server.example", file, &[&TLS13]);
        let answer = handshake.forgetful().connect(rig.port()).ask(GET);
        let expected = if program == Program::Envoy { envoy } else { ringmain };
        assert_eq!(answer.is_ok(), expected, "{program}: {answer:?}");
    }
}

/// BoringSSL does not ask for Ed25519 and P-521 unless it is told to, so that the client shows no certificate.
#[test]
fn more_signatures_are_taken() {
    let authority = authority();
    authority.issue("modern", &Subject { name: "modern", ed25519: true, ..Subject::default() });
    assert_served(&authority, "", "modern", false, true);
}

/// webpki looks at a whole chain as of one moment.
#[test]
fn a_chain_that_was_never_valid_as_a_whole_stays_refused() {
    let authority = authority();
    let expired = Subject { name: "intermediate", expired: true, ..Subject::default() };
    let intermediate = authority.intermediate("intermediate", &expired);
    intermediate.issue("late", &Subject { name: "late", late: true, ..Subject::default() });
    intermediate.show_issuer("late", "intermediate");
    assert_served(&authority, "  allow_expired_certificate: true\n", "late", true, false);
}

/// The alert of RFC 6066 §6 is none of rustls' words for a certificate.
#[test]
fn a_certificate_that_is_not_pinned_has_another_alert() {
    let authority = authority();
    authority.issue("stranger", &Subject { name: "stranger", ..Subject::default() });
    let pinned = "0".repeat(64);
    let common = format!("{SERVER}validation_context:\n  verify_certificate_hash: ['{pinned}']\n");
    let template = tls_front(&common, "require_client_certificate: true\n", "", "");
    for program in [Program::Envoy].into_iter().chain(Program::ringmains()) {
        let rig = Rig::start(program, &authority, &template);
        let handshake =
            Handshake::with_certificate(&authority, "server.example", "stranger", &[&TLS13]);
        let refusal = handshake.connect(rig.port()).ask(GET).expect_err("it is refused");
        let expected = match program {
            Program::Envoy => "BadCertificateHashValue",
            _ => "CertificateUnknown",
        };
        assert!(refusal.contains(expected), "{program}: {refusal}");
    }
}
