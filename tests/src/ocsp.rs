//! OCSP responses (RFC 6960 §4.2.1) as an authority would give them, with a signature that nobody looks
//! at.

use rustls::pki_types::CertificateDer;

/// Universal tags, and those of the context.
const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OID: u8 = 0x06;
const ENUMERATED: u8 = 0x0a;
const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;
const GOOD: u8 = 0x80;
const EXPLICIT_0: u8 = 0xa0;
const KEY_HASH: u8 = 0xa2;

const BASIC_RESPONSE: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 48, 1, 1];
const SHA1: &[u8] = &[0x2b, 14, 3, 2, 26];

/// How long a response holds.
#[derive(Debug, Clone, Copy)]
pub enum Holds {
    /// For longer than any test.
    Long,
    /// It does not any more.
    NoLonger,
    /// It does not say.
    Unsaid,
}

/// A response that tells good of `certificate`.
pub fn response(certificate: &CertificateDer<'_>, holds: Holds) -> Vec<u8> {
    answer(&[single(certificate, holds)])
}

/// A response that tells of two certificates, which nobody may staple.
pub fn response_for_two(certificate: &CertificateDer<'_>) -> Vec<u8> {
    let one = single(certificate, Holds::Long);
    answer(&[one.clone(), one])
}

/// An authority that says no more than that it is busy.
pub fn try_later() -> Vec<u8> {
    element(SEQUENCE, &element(ENUMERATED, &[3]))
}

fn answer(singles: &[Vec<u8>]) -> Vec<u8> {
    let responder = element(KEY_HASH, &element(OCTET_STRING, &[7; 20]));
    let data =
        element(SEQUENCE, &[responder, time(PAST), element(SEQUENCE, &singles.concat())].concat());
    let basic = [data, algorithm(), element(BIT_STRING, &[0, 1, 2, 3])].concat();
    let bytes =
        [element(OID, BASIC_RESPONSE), element(OCTET_STRING, &element(SEQUENCE, &basic))].concat();
    let bytes = element(EXPLICIT_0, &element(SEQUENCE, &bytes));
    element(SEQUENCE, &[element(ENUMERATED, &[0]), bytes].concat())
}

fn single(certificate: &CertificateDer<'_>, holds: Holds) -> Vec<u8> {
    let name = [
        algorithm(),
        element(OCTET_STRING, &[1; 20]),
        element(OCTET_STRING, &[2; 20]),
        element(INTEGER, &serial_number(certificate)),
    ];
    let mut parts = vec![element(SEQUENCE, &name.concat()), element(GOOD, &[]), time(PAST)];
    match holds {
        Holds::Long => parts.push(element(EXPLICIT_0, &time(FUTURE))),
        Holds::NoLonger => parts.push(element(EXPLICIT_0, &time(PAST))),
        Holds::Unsaid => {}
    }
    element(SEQUENCE, &parts.concat())
}

fn algorithm() -> Vec<u8> {
    element(SEQUENCE, &element(OID, SHA1))
}

const PAST: &str = "20200101000000Z";
const FUTURE: &str = "20990101000000Z";

fn time(text: &str) -> Vec<u8> {
    element(GENERALIZED_TIME, text.as_bytes())
}

fn serial_number(certificate: &CertificateDer<'_>) -> Vec<u8> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).expect("X.509");
    certificate.raw_serial().to_vec()
}

/// A value of DER.
pub(crate) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("a short answer");
    let mut bytes = vec![tag];
    match length {
        ..128 => bytes.push(length as u8),
        128..256 => bytes.extend([0x81, length as u8]),
        _ => bytes.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    bytes.extend_from_slice(content);
    bytes
}
