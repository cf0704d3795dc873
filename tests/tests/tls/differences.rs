//! Handshakes that are meant to end otherwise than with Envoy: each side does what the list in
//! `docs/config.md` says.

use ringmain_tests::proxy::Program;
use ringmain_tests::tls::{Authority, Handshake, Subject};
use rustls::version::TLS13;

use crate::bad_peers::insult;
use crate::hellos::{
    AES_128_GCM_SHA256, CHANGE_CIPHER_SPEC, ECDHE_ECDSA_AES_128_GCM, ECDSA_P256_SHA256,
    KEY_EXCHANGE, KEY_SHARE, P256, TLS_1_3, X25519, hello, hello_1_2, hello_1_3, message, record,
};
use crate::rig::{GET, Rig, SERVER, authority, connection_lines, logged, tls_front};

/// The record of a handshake message, which goes on to a session.
const SERVER_HELLO: &[u8] = &[22, 3, 3];

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

/// BoringSSL stops at 16 KiB, knows RFC 7507, asks for the curve of its key, and takes SHA-1 where a client
/// names no signatures. Of a hello with several faults each library sees another one first.
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
            ringmain: fatal(3, 40),
        },
        Case {
            name: "a curve that is not the key's",
            hello: hello(ECDHE_ECDSA_AES_128_GCM, &[X25519, ECDSA_P256_SHA256]),
            envoy: fatal(3, 40),
            ringmain: SERVER_HELLO.to_vec(),
        },
        Case {
            name: "an unknown version, no signatures",
            hello: hello(&[0x13, 1], &[P256, (43, &[2, 0x7f, 0x1c])]),
            envoy: fatal(1, 70),
            ringmain: fatal(3, 40),
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

/// Of the groups that both know, Envoy takes the first of its own list, rustls the first of the client's.
#[test]
fn groups_go_by_the_clients_order() {
    let groups = (10, &[0, 4, 0, 23, 0, 29][..]);
    let sent = hello(ECDHE_ECDSA_AES_128_GCM, &[groups, ECDSA_P256_SHA256]);
    let authority = authority();
    let template = tls_front(SERVER, "", "", "");
    for program in [Program::Envoy].into_iter().chain(Program::ringmains()) {
        let rig = Rig::start(program, &authority, &template);
        let answer = insult(rig.port(), &sent, true);
        // A named curve and the length of the server's key on it.
        let expected = if program == Program::Envoy { [3, 0, 29, 32] } else { [3, 0, 23, 65] };
        let is_told = answer.windows(expected.len()).any(|bytes| bytes == expected);
        assert!(is_told, "{program}: {answer:?}");
    }
}

/// What each ends its answer with, before the client's end.
struct Ending {
    name: &'static str,
    sent: Vec<u8>,
    envoy: Vec<u8>,
    ringmain: Vec<u8>,
}

/// The last message of a server's first flight in TLS 1.2.
const SERVER_HELLO_DONE: &[u8] = &[14, 0, 0, 0];

/// What one side refuses, the other does not look at, or takes for another fault.
#[test]
fn handshakes_that_end_otherwise() {
    let behind = |more: &[u8]| [&hello_1_2()[..], more].concat();
    let mut cut = hello_1_2().split_off(5);
    let rest = cut.split_off(20);
    let with_empty = [record(22, &cut), record(22, &[]), record(22, &rest)].concat();
    let of_1_2 = |extension| hello(ECDHE_ECDSA_AES_128_GCM, &[P256, ECDSA_P256_SHA256, extension]);
    let none: Vec<u8> = SERVER_HELLO_DONE.to_vec();
    let cases = [
        Ending {
            name: "a message of 20 KiB",
            sent: behind(&record(22, &[16, 0, 0x50, 0, 0])),
            envoy: fatal(3, 47),
            ringmain: none.clone(),
        },
        Ending {
            name: "a record of 17 KiB",
            sent: behind(&[22, 3, 3, 0x44, 0, 16]),
            envoy: fatal(3, 22),
            ringmain: none.clone(),
        },
        Ending {
            name: "an empty record in the midst",
            sent: with_empty,
            envoy: none.clone(),
            ringmain: fatal(3, 50),
        },
        Ending {
            name: "no character of names",
            sent: of_1_2((0, b"\x00\x06\x00\x00\x03a b")),
            envoy: none.clone(),
            ringmain: fatal(1, 112),
        },
        Ending {
            name: "protocols without names",
            sent: of_1_2((16, &[0, 1, 0])),
            envoy: none.clone(),
            ringmain: fatal(3, 50),
        },
        Ending {
            name: "no groups",
            sent: hello(AES_128_GCM_SHA256, &[ECDSA_P256_SHA256, TLS_1_3, KEY_SHARE]),
            envoy: fatal(3, 109),
            ringmain: fatal(3, 40),
        },
        Ending {
            name: "half a version behind the versions",
            sent: hello(AES_128_GCM_SHA256, &[X25519, ECDSA_P256_SHA256, (43, &[3, 3, 4, 3])]),
            envoy: fatal(3, 109),
            ringmain: fatal(3, 50),
        },
        Ending {
            name: "half a status_request",
            sent: of_1_2((5, &[1, 0, 0, 0])),
            envoy: none.clone(),
            ringmain: fatal(3, 50),
        },
        Ending {
            name: "a cookie of nothing in TLS 1.2",
            sent: of_1_2((44, &[0, 0])),
            envoy: none.clone(),
            ringmain: fatal(3, 50),
        },
        Ending {
            name: "early data in TLS 1.2",
            sent: of_1_2((42, &[0])),
            envoy: none.clone(),
            ringmain: fatal(3, 50),
        },
        Ending {
            name: "half a key_share in TLS 1.2",
            sent: of_1_2((51, &[0])),
            envoy: none.clone(),
            ringmain: fatal(3, 50),
        },
        Ending {
            name: "half a pre_shared_key in TLS 1.2",
            sent: of_1_2((41, &[0])),
            envoy: none.clone(),
            ringmain: fatal(3, 50),
        },
        Ending {
            name: "half a ticket_request",
            sent: of_1_2((58, &[1])),
            envoy: none.clone(),
            ringmain: fatal(3, 50),
        },
        Ending {
            name: "a list of outer extensions",
            sent: of_1_2((0xfd00, &[])),
            envoy: none.clone(),
            ringmain: fatal(3, 50),
        },
        Ending {
            name: "no certificate authority's name",
            sent: of_1_2((47, b"\x00\x04\x00\x02\x31\x00")),
            envoy: fatal(3, 50),
            ringmain: none.clone(),
        },
        Ending {
            name: "a certificate type that goes without saying",
            sent: of_1_2((19, &[1, 0])),
            envoy: fatal(3, 47),
            ringmain: none.clone(),
        },
        Ending {
            name: "raw public keys",
            sent: of_1_2((19, &[1, 2])),
            envoy: none.clone(),
            ringmain: fatal(3, 40),
        },
        Ending {
            name: "half a pake",
            sent: of_1_2((35387, &[])),
            envoy: fatal(3, 50),
            ringmain: none.clone(),
        },
        Ending {
            name: "a signature with the hash of another curve",
            sent: hello(ECDHE_ECDSA_AES_128_GCM, &[P256, (13, &[0, 2, 5, 3])]),
            envoy: none.clone(),
            ringmain: fatal(3, 40),
        },
        Ending {
            name: "another change of cipher before the key",
            sent: behind(&record(20, &[2])),
            envoy: fatal(3, 10),
            ringmain: fatal(3, 47),
        },
        Ending {
            name: "an empty change of cipher",
            sent: behind(&[&message(16, KEY_EXCHANGE)[..], &record(20, &[])].concat()),
            envoy: fatal(3, 47),
            ringmain: fatal(3, 50),
        },
        Ending {
            name: "two changes of cipher",
            sent: behind(&[&message(16, KEY_EXCHANGE)[..], &CHANGE_CIPHER_SPEC.repeat(2)].concat()),
            envoy: fatal(3, 20),
            ringmain: fatal(3, 10),
        },
        Ending {
            name: "a record of no kind",
            sent: behind(&record(99, &[2])),
            envoy: fatal(3, 10),
            ringmain: fatal(3, 70),
        },
    ];
    let authority = authority();
    let template = tls_front(SERVER, "", "", "");
    for program in [Program::Envoy].into_iter().chain(Program::ringmains()) {
        let rig = Rig::start(program, &authority, &template);
        for Ending { name, sent, envoy, ringmain } in &cases {
            let expected = if program == Program::Envoy { envoy } else { ringmain };
            let answer = insult(rig.port(), sent, true);
            assert!(answer.ends_with(expected), "{program}, {name}: {answer:?}");
        }
    }
}

/// The begin of what Envoy has to say, if it has anything, and the whole of what ringmain has.
struct Words {
    sent: Vec<u8>,
    envoy: Option<&'static str>,
    ringmain: &'static str,
}

/// BoringSSL tells the cause beneath, and more of what it was reading.
#[test]
fn reasons_in_other_words() {
    let hello_with =
        |extension| hello(AES_128_GCM_SHA256, &[X25519, ECDSA_P256_SHA256, TLS_1_3, extension]);
    let behind_1_3 = |more: &[u8]| [&hello_1_3(&[])[..], more].concat();
    let retried = hello(AES_128_GCM_SHA256, &[X25519, ECDSA_P256_SHA256, TLS_1_3, (51, &[0, 0])]);
    let not_on_the_curve = [&[0x41, 4][..], &[7; 64]].concat();
    let cases = [
        Words {
            sent: [hello_1_2(), message(16, &not_on_the_curve)].concat(),
            envoy: Some(
                "|251658360:elliptic curve routines:OPENSSL_internal:POINT_IS_NOT_ON_CURVE|268435564:",
            ),
            ringmain: "|268435564:SSL routines:OPENSSL_internal:BAD_ECPOINT",
        },
        Words {
            sent: hello_with((47, &[0, 2, 0, 0])),
            envoy: Some(
                "|201326701:ASN.1 encoding routines:OPENSSL_internal:DECODE_ERROR|268435593:",
            ),
            ringmain: "|268435605:SSL routines:OPENSSL_internal:ERROR_PARSING_EXTENSION|268435646:SSL routines:OPENSSL_internal:PARSE_TLSEXT",
        },
        // No more than two are needed.
        Words {
            sent: behind_1_3(&CHANGE_CIPHER_SPEC.repeat(3)),
            envoy: None,
            ringmain: "|268435675:SSL routines:OPENSSL_internal:TOO_MANY_EMPTY_FRAGMENTS",
        },
        Words {
            sent: behind_1_3(&[20, 3, 3, 0, 1, 2]),
            envoy: Some("|268435568:SSL routines:OPENSSL_internal:BAD_PACKET_LENGTH|268435595:"),
            ringmain: "|268435675:SSL routines:OPENSSL_internal:TOO_MANY_EMPTY_FRAGMENTS",
        },
        Words {
            sent: [
                &retried[..],
                &hello(&[0x13, 3], &[X25519, ECDSA_P256_SHA256, TLS_1_3, KEY_SHARE]),
            ]
            .concat(),
            envoy: None,
            ringmain: "|268435590:SSL routines:OPENSSL_internal:CONNECTION_REJECTED",
        },
        Words {
            sent: [hello_1_2(), record(21, &[3, 40])].concat(),
            envoy: Some("|268435683:SSL routines:OPENSSL_internal:UNKNOWN_ALERT_TYPE"),
            ringmain: "|268436496:SSL routines:OPENSSL_internal:SSLV3_ALERT_HANDSHAKE_FAILURE",
        },
        Words {
            sent: [hello_1_3(&[]), vec![23, 3, 3, 0, 30], vec![7; 30]].concat(),
            envoy: Some("|503316581:Cipher functions:OPENSSL_internal:BAD_DECRYPT|268435595:"),
            ringmain: "|268435595:SSL routines:OPENSSL_internal:DECRYPTION_FAILED_OR_BAD_RECORD_MAC",
        },
        // No plain alert is one in TLS 1.3, but rustls listens.
        Words {
            sent: [hello_1_3(&[]), vec![21, 3, 3, 0, 2, 2, 48]].concat(),
            envoy: Some("|268435568:SSL routines:OPENSSL_internal:BAD_PACKET_LENGTH|268435595:"),
            ringmain: "|268436504:SSL routines:OPENSSL_internal:TLSV1_ALERT_UNKNOWN_CA",
        },
        // rustls encrypts before it finds out.
        Words {
            sent: hello(AES_128_GCM_SHA256, &[X25519, (13, &[0, 2, 8, 4]), TLS_1_3, KEY_SHARE]),
            envoy: Some("|268435709:SSL routines:OPENSSL_internal:NO_COMMON_SIGNATURE_ALGORITHMS"),
            ringmain: "|268435709:SSL routines:OPENSSL_internal:NO_COMMON_SIGNATURE_ALGORITHMS",
        },
    ];
    let authority = authority();
    let template = tls_front(SERVER, "", "", "");
    let template = logged(&template, "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%");
    for program in [Program::Envoy].into_iter().chain(Program::ringmains()) {
        for Words { sent, envoy, ringmain } in &cases {
            let rig = Rig::start(program, &authority, &template);
            insult(rig.port(), sent, true);
            let told = connection_lines(&rig.proxy, 1).concat();
            let expected = match (program, envoy) {
                (Program::Envoy, Some(envoy)) => format!("TLS_error:{envoy}"),
                (Program::Envoy, None) => "-".to_owned(),
                _ => format!("TLS_error:{ringmain}:TLS_error_end"),
            };
            let expected = expected.replace(' ', "_");
            assert!(told.starts_with(&expected), "{program}: {told}");
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

/// BoringSSL has TLS 1.2 in mind until it knows better.
#[test]
fn a_version_is_told_once_it_is_agreed_on() {
    let authority = authority();
    let template = logged(&tls_front(SERVER, "", "", ""), "%DOWNSTREAM_TLS_VERSION%");
    for program in [Program::Envoy].into_iter().chain(Program::ringmains()) {
        let rig = Rig::start(program, &authority, &template);
        insult(rig.port(), b"EHLO a.example\r\n", false);
        let expected = if program == Program::Envoy { "TLSv1.2" } else { "-" };
        assert_eq!(connection_lines(&rig.proxy, 1), [expected], "{program}");
    }
}
