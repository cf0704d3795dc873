//! Handshakes with one thing wrong: what Envoy says of each, to the client, in logs and in counters.

use crate::bad_peers::insult;
use crate::hellos::{
    AES_128_GCM_SHA256, CHANGE_CIPHER_SPEC, ECDHE_ECDSA_AES_128_GCM, ECDSA_P256_SHA256, Extension,
    KEY_EXCHANGE, KEY_SHARE, P256, PSK, PSK_MODES, TLS_1_3, X25519, compressing, hello, hello_1_2,
    hello_1_3, message, record,
};
use crate::rig::{Rig, SERVER, assert_alike, authority, connection_lines, logged, tls_front};

const HANDSHAKE: u8 = 22;
const ALERT: u8 = 21;
const EMPTY: &[u8] = &[HANDSHAKE, 3, 1, 0, 0];
/// The head of a message of 64 KiB and more, and some of that.
const EXCESSIVE: &[u8] = &[16, 1, 0, 16, 0, 0, 0, 0];
/// Offers to resume a session, for which two binders stand.
const PSK_WITH_TWO_BINDERS: Extension<'_> =
    (41, b"\x00\x09\x00\x03abc\x00\x00\x00\x00\x00\x42\x20pppppppppppppppppppppppppppppppp\x20pppppppppppppppppppppppppppppppp");

fn hello_with_key(share: &[u8]) -> Vec<u8> {
    hello(AES_128_GCM_SHA256, &[X25519, ECDSA_P256_SHA256, TLS_1_3, (51, share)])
}

/// What is sent, and whether the client ends its side behind it.
fn faults() -> Vec<(&'static str, Vec<u8>, bool)> {
    let of_1_2 = |extensions: &[_]| hello(ECDHE_ECDSA_AES_128_GCM, extensions);
    let behind = |hello: Vec<u8>, more: &[u8]| [&hello[..], more].concat();
    let key_twice = [&[0, 72][..], &KEY_SHARE.1[2..], &KEY_SHARE.1[2..]].concat();
    let retried = hello_with_key(&[0, 0]);
    let mut with_rest = hello_1_3(&[]);
    let length = with_rest.len() - 5 + 4;
    with_rest[3..5].copy_from_slice(&u16::try_from(length).expect("short").to_be_bytes());
    with_rest.extend(b"rest");
    vec![
        ("a message too long", record(HANDSHAKE, EXCESSIVE), false),
        ("one behind a hello", behind(hello_1_2(), &record(HANDSHAKE, EXCESSIVE)), false),
        ("an empty record and the end", EMPTY.into(), true),
        ("32 of them and the end", EMPTY.repeat(32), true),
        ("33 of them", EMPTY.repeat(33), false),
        ("a hello of TLS 1.2 behind one", behind(EMPTY.into(), &hello_1_2()), true),
        ("an empty alert", record(ALERT, &[]), false),
        (
            "a record too long",
            { behind(vec![HANDSHAKE, 3, 1, 0x40, 1, 1, 0, 0, 0], &[0; 16 * 1024 - 3]) },
            false,
        ),
        ("no curve in common", of_1_2(&[(10, &[0, 2, 0x1d, 0]), ECDSA_P256_SHA256]), false),
        ("no signature in common", of_1_2(&[P256, (13, &[0, 2, 8, 4])]), false),
        ("curves and more", of_1_2(&[(10, &[0, 2, 0, 23, 0]), ECDSA_P256_SHA256]), false),
        ("compressed points only", of_1_2(&[P256, ECDSA_P256_SHA256, (11, &[1, 1])]), false),
        ("an extension twice", of_1_2(&[P256, P256, ECDSA_P256_SHA256]), false),
        ("no ciphers", hello(&[], &[P256, ECDSA_P256_SHA256]), false),
        (
            "no cipher in common",
            hello(&[0x13, 0x99], &[X25519, ECDSA_P256_SHA256, TLS_1_3, KEY_SHARE]),
            false,
        ),
        (
            "compression",
            {
                compressing(
                    &[1],
                    AES_128_GCM_SHA256,
                    &[X25519, ECDSA_P256_SHA256, TLS_1_3, KEY_SHARE],
                )
            },
            false,
        ),
        ("a key too short", hello_with_key(b"\x00\x08\x00\x1d\x00\x04abcd"), false),
        ("a key twice", hello_with_key(&key_twice), false),
        ("no key after a retry", behind(retried.clone(), &retried), false),
        ("a name with a zero byte", hello_1_3(&[(0, b"\x00\x06\x00\x00\x03a\x00b")]), false),
        (
            "PSK first",
            {
                let first = [PSK, PSK_MODES, X25519, ECDSA_P256_SHA256, TLS_1_3, KEY_SHARE];
                hello(AES_128_GCM_SHA256, &first)
            },
            false,
        ),
        ("PSK without modes", hello_1_3(&[PSK]), false),
        ("PSK with a binder too many", hello_1_3(&[PSK_MODES, PSK_WITH_TWO_BINDERS]), false),
        ("a hello and some bytes in one record", with_rest, false),
        ("plain text behind a hello", behind(hello_1_2(), b"GET / HTTP/1.1\r\n"), false),
        ("a point by halves", behind(hello_1_2(), &message(16, b"\x41abc")), false),
        ("a point of nothing", behind(hello_1_2(), &message(16, &[0])), false),
        ("no point", behind(hello_1_2(), &message(16, &[])), false),
        (
            "40 changes of cipher and no point",
            { behind(hello_1_2(), &CHANGE_CIPHER_SPEC.repeat(40)) },
            false,
        ),
        ("another change of cipher", behind(with_key(), &record(20, &[2])), false),
        ("a long change of cipher", behind(with_key(), &record(20, &[1, 1])), false),
        ("two changes of cipher", behind(hello_1_3(&[]), &CHANGE_CIPHER_SPEC.repeat(2)), true),
        ("ten warnings", behind(hello_1_2(), &record(ALERT, &[1, 90]).repeat(10)), false),
        ("half an alert", behind(hello_1_2(), &record(ALERT, &[2])), false),
        ("an alert and more", behind(hello_1_2(), &record(ALERT, &[2, 40, 0])), false),
        ("an alert that nobody knows", behind(hello_1_2(), &record(ALERT, &[2, 200])), true),
        ("a long alert first", record(ALERT, &[2, 40, 0]), false),
    ]
}

/// A client's first two flights in TLS 1.2, as far as anybody could say them.
fn with_key() -> Vec<u8> {
    [hello_1_2(), message(16, KEY_EXCHANGE)].concat()
}

/// The alert that `answer` ends with, where it can be read, and whether a session was begun.
pub fn told(answer: &[u8]) -> (bool, Option<[u8; 7]>) {
    let alert = answer.last_chunk().filter(|alert: &&[u8; 7]| alert[0] == ALERT && alert[4] == 2);
    (answer.starts_with(&[HANDSHAKE]), alert.copied())
}

#[test]
fn each_is_told_as_by_envoy() {
    let authority = authority();
    let template = tls_front(SERVER, "", "", "");
    let template = logged(&template, "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%");
    assert_alike(|program| {
        let rig = Rig::start(program, &authority, &template);
        let faults = faults();
        let count = faults.len();
        let answers: Vec<_> = faults
            .into_iter()
            .map(|(name, bytes, ends)| (name, told(&insult(rig.port(), &bytes, ends))))
            .collect();
        rig.wait_for_ends(count as u64);
        (answers, rig.ssl_stats(), connection_lines(&rig.proxy, count))
    });
}
