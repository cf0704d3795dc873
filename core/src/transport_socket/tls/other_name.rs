//! Names of a kind that the certificate's maker has defined (RFC 5280 §4.2.1.6, `otherName`).

use x509_parser::asn1_rs::{Any, FromDer, Oid, Tag};

use super::distinguished_name::text_of;

/// What is in a name behind its number: `[0]` around a value. As Envoy tells it; none of types that hold others.
pub(super) fn other_name(encoded: &[u8]) -> Option<String> {
    let (_, tagged) = Any::from_der(encoded).ok()?;
    let (_, value) = Any::from_der(tagged.data).ok()?;
    match value.tag() {
        Tag::Boolean => Some((value.data != [0]).to_string()),
        Tag::Integer | Tag::Enumerated => Some(integer(value.data)?.to_string()),
        Tag::Oid => Some(Oid::new(value.data.into()).to_id_string()),
        Tag::Null => Some(String::new()),
        Tag::BitString => as_it_is(value.data.get(1..)?),
        Tag::OctetString | Tag::GeneralString | Tag::UtcTime | Tag::GeneralizedTime => {
            as_it_is(value.data)
        }
        _ => text_of(&value),
    }
}

/// A number of at most 16 bytes, in two's complement.
fn integer(bytes: &[u8]) -> Option<i128> {
    let sign = i128::from((*bytes.first()? as i8) >> 7);
    let is_short = bytes.len() <= size_of::<i128>();
    is_short.then(|| bytes.iter().fold(sign, |sum, byte| sum << 8 | i128::from(*byte)))
}

fn as_it_is(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_told_by_their_type() {
        let told = |value: &[u8]| {
            let len = u8::try_from(value.len()).expect("a short value");
            other_name(&[&[0xa0, len], value].concat())
        };
        assert_eq!(told(b"\x0c\x03u\xc3\xbc").as_deref(), Some("u\u{fc}"));
        assert_eq!(told(b"\x04\x03oct").as_deref(), Some("oct"));
        assert_eq!(told(b"\x03\x02\x00A").as_deref(), Some("A"));
        assert_eq!(told(b"\x1e\x04\x00a\x20\xac").as_deref(), Some("a\u{20ac}"));
        assert_eq!(told(b"\x02\x02\x01\x00").as_deref(), Some("256"));
        assert_eq!(told(b"\x02\x01\xff").as_deref(), Some("-1"));
        assert_eq!(told(b"\x01\x01\xff").as_deref(), Some("true"));
        assert_eq!(told(b"\x06\x03\x2a\x03\x04").as_deref(), Some("1.2.3.4"));
        assert_eq!(told(b"\x05\x00").as_deref(), Some(""));
        assert_eq!(told(b"\x30\x03\x02\x01\x05"), None);
        assert_eq!(told(b"\x0c\x09short"), None);
    }
}
