//! `x-request-id` values: random UUIDs (RFC 9562 version 4).

use std::cell::RefCell;

use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};

/// A worker's generator, seeded by the operating system.
#[derive(Debug)]
pub struct RequestIds {
    random: RefCell<StdRng>,
}

impl Default for RequestIds {
    fn default() -> Self {
        Self { random: RefCell::new(StdRng::from_os_rng()) }
    }
}

/// Length of a UUID as text.
pub const UUID_BYTES: usize = 36;

impl RequestIds {
    /// A new UUID as text.
    pub fn generate(&self) -> [u8; UUID_BYTES] {
        let mut bytes = [0; 16];
        self.random.borrow_mut().fill_bytes(&mut bytes);
        as_uuid(bytes)
    }
}

/// A new UUID as text, from the thread's own generator.
pub fn random_uuid() -> [u8; UUID_BYTES] {
    as_uuid(rand::random())
}

fn as_uuid(mut bytes: [u8; 16]) -> [u8; UUID_BYTES] {
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    to_text(&bytes)
}

fn to_text(bytes: &[u8; 16]) -> [u8; UUID_BYTES] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [b'-'; UUID_BYTES];
    let mut at = 0;
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            at += 1;
        }
        text[at] = DIGITS[usize::from(byte >> 4)];
        text[at + 1] = DIGITS[usize::from(byte & 15)];
        at += 2;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_form_of_a_version_4_uuid_and_differ() {
        let ids = RequestIds::default();
        let id = ids.generate();
        let dashes: Vec<usize> = (0..UUID_BYTES).filter(|&at| id[at] == b'-').collect();
        assert_eq!(dashes, [8, 13, 18, 23]);
        assert_eq!(id[14], b'4');
        assert!(matches!(id[19], b'8' | b'9' | b'a' | b'b'));
        assert_ne!(id, ids.generate());
    }
}
