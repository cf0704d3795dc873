//! Bytes to send or to look for (`envoy.config.core.v3.HealthCheck.Payload`): `text` is hexadecimal,
//! `binary` stands for itself.

use envoy_types::pb::envoy::config::core::v3::health_check as wire;
use wire::payload::Payload;

use crate::report::{At, Note};

/// The bytes; none where the payload is absent.
pub(super) fn one(wire: Option<&wire::Payload>, at: &At<'_>) -> Vec<u8> {
    match wire.and_then(|wire| wire.payload.as_ref()) {
        None => Vec::new(),
        Some(Payload::Binary(bytes)) => bytes.clone(),
        Some(Payload::Text(text)) => decode_hex(text).unwrap_or_else(|| {
            at.field("text").error(
                Note::from(format!("'{text}' is not hexadecimal, two digits for each byte"))
                    .help("write '70696e67' for 'ping'"),
            );
            Vec::new()
        }),
    }
}

/// The bytes of each.
pub(super) fn list(wire: &[wire::Payload], at: &At<'_>) -> Vec<Vec<u8>> {
    let read = |(index, wire)| one(Some(wire), &at.index(index));
    wire.iter().enumerate().map(read).collect()
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pair = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(digit(*high)? << 4 | digit(*low)?).ok(),
        _ => None,
    };
    text.as_bytes().chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_has_two_digits_for_each_byte() {
        assert_eq!(decode_hex("00ffA1").as_deref(), Some(&[0, 255, 0xa1][..]));
        for text in ["0", "0g", "é1", "+1"] {
            assert_eq!(decode_hex(text), None, "{text}");
        }
    }
}
