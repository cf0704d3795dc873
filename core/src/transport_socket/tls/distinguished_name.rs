//! Names of subjects and issuers as BoringSSL writes them by RFC 2253.

use std::fmt::Write;

use x509_parser::asn1_rs::{Any, Tag};
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// What a type of attribute is called; any other one is told by its number.
const TYPES: [(&str, &str); 36] = [
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.3", "mail"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
    ("1.2.840.113549.1.9.2", "unstructuredName"),
    ("1.2.840.113549.1.9.7", "challengePassword"),
    ("1.2.840.113549.1.9.8", "unstructuredAddress"),
    ("1.3.6.1.4.1.311.20.2.3", "msUPN"),
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "street"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "title"),
    ("2.5.4.13", "description"),
    ("2.5.4.14", "searchGuide"),
    ("2.5.4.15", "businessCategory"),
    ("2.5.4.16", "postalAddress"),
    ("2.5.4.17", "postalCode"),
    ("2.5.4.18", "postOfficeBox"),
    ("2.5.4.19", "physicalDeliveryOfficeName"),
    ("2.5.4.20", "telephoneNumber"),
    ("2.5.4.26", "registeredAddress"),
    ("2.5.4.41", "name"),
    ("2.5.4.42", "GN"),
    ("2.5.4.43", "initials"),
    ("2.5.4.44", "generationQualifier"),
    ("2.5.4.45", "x500UniqueIdentifier"),
    ("2.5.4.46", "dnQualifier"),
    ("2.5.4.49", "distinguishedName"),
    ("2.5.4.65", "pseudonym"),
    ("2.5.4.72", "role"),
];

/// The most particular part first. Nothing in it but printable ASCII.
pub(super) fn rfc2253(name: &X509Name<'_>) -> String {
    let parts: Vec<String> = name
        .iter()
        .map(|part| {
            let attributes: Vec<String> = part.iter().map(attribute).collect();
            attributes.into_iter().rev().collect::<Vec<_>>().join("+")
        })
        .collect();
    parts.into_iter().rev().collect::<Vec<_>>().join(",")
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let kind = attribute.attr_type().to_id_string();
    let value = attribute.attr_value();
    let known = TYPES.iter().find(|(number, _)| *number == kind);
    match (known, text_of(value)) {
        (Some((_, name)), Some(text)) => format!("{name}={}", escaped(&text)),
        (Some((_, name)), None) => format!("{name}={}", encoding(value)),
        (None, _) => format!("{kind}={}", encoding(value)),
    }
}

/// What a string of ASN.1 says; none of another type, or one that is not well-formed.
pub(super) fn text_of(value: &Any<'_>) -> Option<String> {
    let data = value.data;
    let latin = || data.iter().copied().map(char::from).collect();
    match value.tag() {
        Tag::Utf8String => Some(std::str::from_utf8(data).ok()?.to_owned()),
        Tag::NumericString
        | Tag::PrintableString
        | Tag::T61String
        | Tag::Ia5String
        | Tag::VisibleString => Some(latin()),
        Tag::BmpString => characters(data.chunks(2)),
        Tag::UniversalString => characters(data.chunks(4)),
        _ => None,
    }
}

/// Each chunk is the number of a character.
fn characters<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> Option<String> {
    let number = |chunk: &[u8]| chunk.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
    chunks.map(|chunk| char::from_u32(number(chunk))).collect()
}

/// `#` and the DER of the value in hexadecimal digits (RFC 2253 §2.4).
fn encoding(value: &Any<'_>) -> String {
    let len = value.data.len();
    let big_endian = len.to_be_bytes();
    let significant = &big_endian[big_endian.iter().take_while(|byte| **byte == 0).count()..];
    let mut der = vec![value.tag().0.to_be_bytes()[3]];
    if len >= 0x80 {
        der.extend(u8::try_from(significant.len()).map(|count| 0x80 | count));
        der.extend_from_slice(significant);
    } else {
        der.extend(u8::try_from(len));
    }
    der.extend_from_slice(value.data);
    let mut text = String::from("#");
    for byte in der {
        write!(text, "{byte:02X}").expect("writing to memory does not fail");
    }
    text
}

/// Special characters behind a backslash; bytes that are not printable ASCII as their number behind one.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let last = value.len().saturating_sub(1);
    for (index, byte) in value.bytes().enumerate() {
        let at_edge =
            (index == 0 && matches!(byte, b' ' | b'#')) || (index == last && byte == b' ');
        match byte {
            _ if at_edge || b",+\"\\<>;".contains(&byte) => text.extend(['\\', char::from(byte)]),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => write!(text, "\\{byte:02X}").expect("writing to memory does not fail"),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_characters_of_a_name_are_escaped() {
        assert_eq!(escaped("Acme, Inc"), "Acme\\, Inc");
        assert_eq!(escaped(" #a "), "\\ #a\\ ");
        assert_eq!(escaped("#a"), "\\#a");
        assert_eq!(escaped("\u{fc}\r\n\0\u{7f}"), "\\C3\\BC\\0D\\0A\\00\\7F");
    }

    #[test]
    fn strings_of_every_encoding_are_read() {
        let text = |tag, data| text_of(&Any::from_tag_and_data(tag, data));
        assert_eq!(text(Tag::BmpString, &[0, b'a', 0x20, 0xac]).as_deref(), Some("a\u{20ac}"));
        assert_eq!(text(Tag::UniversalString, &[0, 1, 0xf6, 0]).as_deref(), Some("\u{1f600}"));
        assert_eq!(text(Tag::T61String, &[0xfc]).as_deref(), Some("\u{fc}"));
        assert_eq!(text(Tag::Utf8String, &[0xfc]), None);
        assert_eq!(text(Tag::OctetString, b"a"), None);
    }

    #[test]
    fn what_is_no_string_is_told_by_its_encoding() {
        let told = |data| encoding(&Any::from_tag_and_data(Tag::Utf8String, data));
        assert_eq!(told(b"v4"), "#0C027634");
        assert!(told(&[0; 0x80]).starts_with("#0C8180"), "a long length");
    }
}
