//! ClientHellos of any form, byte by byte, and what comes behind them.

/// An extension: its type and what it holds.
pub type Extension<'a> = (u16, &'a [u8]);

pub const P256: Extension<'_> = (10, &[0, 2, 0, 23]);
pub const X25519: Extension<'_> = (10, &[0, 2, 0, 29]);
pub const ECDSA_P256_SHA256: Extension<'_> = (13, &[0, 2, 4, 3]);
pub const TLS_1_3: Extension<'_> = (43, &[2, 3, 4]);
/// A key of X25519.
pub const KEY_SHARE: Extension<'_> =
    (51, b"\x00\x24\x00\x1d\x00\x200123456789abcdef0123456789abcdef");
/// Offers to resume a session.
pub const PSK: Extension<'_> =
    (41, b"\x00\x09\x00\x03abc\x00\x00\x00\x00\x00\x21\x20pppppppppppppppppppppppppppppppp");
pub const PSK_MODES: Extension<'_> = (45, &[1, 1]);
pub const ECDHE_ECDSA_AES_128_GCM: &[u8] = &[0xc0, 0x2b];
pub const AES_128_GCM_SHA256: &[u8] = &[0x13, 1];

/// A client's key in TLS 1.2: the point of P-256 that all others are made of.
pub const KEY_EXCHANGE: &[u8] = b"\x41\x04\x6b\x17\xd1\xf2\xe1\x2c\x42\x47\xf8\xbc\xe6\xe5\x63\xa4\x40\xf2\x77\x03\x7d\x81\x2d\xeb\x33\xa0\xf4\xa1\x39\x45\xd8\x98\xc2\x96\
    \x4f\xe3\x42\xe2\xfe\x1a\x7f\x9b\x8e\xe7\xeb\x4a\x7c\x0f\x9e\x16\x2b\xce\x33\x57\x6b\x31\x5e\xce\xcb\xb6\x40\x68\x37\xbf\x51\xf5";
/// A record of `change_cipher_spec`.
pub const CHANGE_CIPHER_SPEC: &[u8] = &[20, 3, 3, 0, 1, 1];

const RECORD_BYTES_MAX: usize = 16 * 1024;
const HANDSHAKE: u8 = 22;

fn long(bytes: &[u8]) -> [u8; 2] {
    u16::try_from(bytes.len()).expect("short").to_be_bytes()
}

/// A record that holds `content`.
pub fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    [&[kind, 3, 1][..], &long(content), content].concat()
}

/// A handshake message in records.
pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let message = [&[kind, 0][..], &long(body), body].concat();
    message.chunks(RECORD_BYTES_MAX).flat_map(|part| record(HANDSHAKE, part)).collect()
}

/// A ClientHello whose `legacy_version` is TLS 1.2, in records.
pub fn hello(ciphers: &[u8], extensions: &[Extension<'_>]) -> Vec<u8> {
    compressing(&[0], ciphers, extensions)
}

/// The same with these methods of compression.
pub fn compressing(methods: &[u8], ciphers: &[u8], extensions: &[Extension<'_>]) -> Vec<u8> {
    let extensions: Vec<u8> = extensions
        .iter()
        .flat_map(|(kind, value)| [&kind.to_be_bytes()[..], &long(value), value].concat())
        .collect();
    let methods = [&[u8::try_from(methods.len()).expect("short")][..], methods].concat();
    let body = [
        b"\x03\x030123456789abcdef0123456789abcdef\x00",
        &long(ciphers)[..],
        ciphers,
        &methods,
        &long(&extensions),
        &extensions,
    ]
    .concat();
    message(1, &body)
}

/// A hello of TLS 1.2 that is served.
pub fn hello_1_2() -> Vec<u8> {
    hello(ECDHE_ECDSA_AES_128_GCM, &[P256, ECDSA_P256_SHA256])
}

/// A hello of TLS 1.3 that is served where `more` allows it.
pub fn hello_1_3(more: &[Extension<'_>]) -> Vec<u8> {
    let begin = [X25519, ECDSA_P256_SHA256, TLS_1_3, KEY_SHARE];
    hello(AES_128_GCM_SHA256, &[&begin[..], more].concat())
}
