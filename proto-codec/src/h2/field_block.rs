//! Why a field block ended its connection: because of its coding, or of what it says.
//!
//! The `h2` crate says PROTOCOL_ERROR either way, where RFC 9113 §4.3 has COMPRESSION_ERROR for the former. So the
//! block over which it has failed is looked at once more. Without HPACK's dynamic table, which nobody keeps a second
//! time, an index into that may be wrong or not; it was, where nothing else in the block can have been.

use http::{HeaderName, HeaderValue, Method, StatusCode};

use super::huffman;

/// The last entry of HPACK's static table, and those of it whose names are of pseudo-headers, by their last.
const STATIC_MAX: u64 = 61;
const STATIC_PSEUDO: [(u64, &[u8]); 5] =
    [(1, b":authority"), (3, b":method"), (5, b":path"), (7, b":scheme"), (14, b":status")];
/// What a peer may use before it knows our SETTINGS.
const TABLE_BYTES_DEFAULT: u32 = 4096;
/// Octets of an integer that the crate reads.
const INTEGER_BYTES_MAX: usize = 5;

/// Whether the crate's failure over `block` can only be one of its coding. `is_expected`: it was no error to come.
/// `table_bytes`: what SETTINGS_HEADER_TABLE_SIZE we have sent.
pub(super) fn is_wrongly_coded(block: &[u8], is_expected: bool, table_bytes: u32) -> bool {
    let mut fields = Fields { rest: block, table_bytes, has_doubts: false };
    match fields.check() {
        Err(Fault::Coding) => true,
        Err(Fault::Content) => false,
        Ok(()) => is_expected && fields.has_doubts,
    }
}

enum Fault {
    Coding,
    /// It says what it must not say, or may do so.
    Content,
}

struct Fields<'a> {
    rest: &'a [u8],
    table_bytes: u32,
    /// Something may be wrong that cannot be known.
    has_doubts: bool,
}

impl Fields<'_> {
    /// In the crate's order, up to the first thing that is wrong.
    fn check(&mut self) -> Result<(), Fault> {
        let mut is_first = true;
        while let Some(&kind) = self.rest.first() {
            match kind {
                0x80.. => {
                    let index = self.integer(7)?;
                    self.note_index(index)?;
                }
                0x40..0x80 => self.literal(6)?,
                0x20..0x40 if is_first => self.table_size()?,
                0x20..0x40 => return Err(Fault::Coding),
                _ => self.literal(4)?,
            }
            is_first = is_first && matches!(kind, 0x20..0x40);
        }
        Ok(())
    }

    fn note_index(&mut self, index: u64) -> Result<(), Fault> {
        self.has_doubts |= index > STATIC_MAX;
        if index == 0 { Err(Fault::Coding) } else { Ok(()) }
    }

    fn table_size(&mut self) -> Result<(), Fault> {
        let size = self.integer(5)?;
        // Which of the two holds depends on whether our SETTINGS were acknowledged.
        self.has_doubts |= size > u64::from(self.table_bytes.min(TABLE_BYTES_DEFAULT));
        match size > u64::from(self.table_bytes.max(TABLE_BYTES_DEFAULT)) {
            true => Err(Fault::Coding),
            false => Ok(()),
        }
    }

    fn literal(&mut self, prefix: u32) -> Result<(), Fault> {
        let index = self.integer(prefix)?;
        if index > 0 {
            self.note_index(index)?;
        }
        let name = if index == 0 { Some(self.string()?) } else { None };
        let value = self.string()?;
        let is_good = match (name, index) {
            (Some(name), _) => is_good_field(&name, &value),
            (None, ..=STATIC_MAX) => match STATIC_PSEUDO.iter().find(|(last, _)| index <= *last) {
                Some((_, name)) => is_good_field(name, &value),
                None => HeaderValue::from_bytes(&value).is_ok(),
            },
            // The name may be any but that of a status, which no request has.
            (None, _) => {
                is_good_field(b":method", &value) && HeaderValue::from_bytes(&value).is_ok()
            }
        };
        if is_good { Ok(()) } else { Err(Fault::Content) }
    }

    fn string(&mut self) -> Result<Vec<u8>, Fault> {
        let is_huffman = self.rest.first().is_some_and(|octet| octet & 0x80 != 0);
        let length = usize::try_from(self.integer(7)?).map_err(|_| Fault::Coding)?;
        let (string, rest) = self.rest.split_at_checked(length).ok_or(Fault::Coding)?;
        self.rest = rest;
        match is_huffman {
            true => huffman::decode(string).ok_or(Fault::Coding),
            false => Ok(string.to_vec()),
        }
    }

    /// RFC 7541 §5.1, behind a prefix of so many bits.
    fn integer(&mut self, prefix: u32) -> Result<u64, Fault> {
        let mask = (1 << prefix) - 1;
        let (&first, mut rest) = self.rest.split_first().ok_or(Fault::Coding)?;
        let mut value = u64::from(first) & mask;
        if value == mask {
            for shift in 0.. {
                if shift + 1 == INTEGER_BYTES_MAX {
                    return Err(Fault::Coding);
                }
                let (&octet, behind) = rest.split_first().ok_or(Fault::Coding)?;
                rest = behind;
                value += u64::from(octet & 0x7f) << (7 * shift);
                if octet & 0x80 == 0 {
                    break;
                }
            }
        }
        self.rest = rest;
        Ok(value)
    }
}

/// Whether the crate takes a field of this name and value.
fn is_good_field(name: &[u8], value: &[u8]) -> bool {
    match name {
        b":authority" | b":scheme" | b":path" | b":protocol" => str::from_utf8(value).is_ok(),
        b":method" => Method::from_bytes(value).is_ok(),
        b":status" => StatusCode::from_bytes(value).is_ok(),
        [b':', ..] => false,
        _ => HeaderName::from_lowercase(name).is_ok() && HeaderValue::from_bytes(value).is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coding_and_content_are_told_apart() {
        let wrongly_coded: [&[u8]; 10] = [
            b"\xff\xff\xff\xff\xff\xff",
            b"\x82\x80",
            b"\x82\x20",
            b"\x3f\xe2\x1f\x82",
            b"\x82\x00\x05ab",
            b"\x41\x84\xff\xff\xff\xff",
            b"\x41\x81\x18",
            b"\x7f",
            b"\x40",
            b"\x40\x01b",
        ];
        for block in wrongly_coded {
            assert!(is_wrongly_coded(block, true, 4096), "{}", block.escape_ascii());
            assert!(is_wrongly_coded(block, false, 4096), "{}", block.escape_ascii());
            // What is wrong before counts.
            let content = [b"\x00\x01A\x01b", block].concat();
            assert!(!is_wrongly_coded(&content, true, 4096), "{}", content.escape_ascii());
        }
    }

    #[test]
    fn an_index_into_the_dynamic_table_is_wrong_where_nothing_else_can_be() {
        for block in [&b"\x82\xc6"[..], b"\x7f\x20\x01a", b"\x20\x82\x86\xbe"] {
            assert!(is_wrongly_coded(block, true, 4096), "{}", block.escape_ascii());
            assert!(!is_wrongly_coded(block, false, 4096), "{}", block.escape_ascii());
        }
        // A value that some name may not have.
        assert!(!is_wrongly_coded(b"\x7f\x20\x01\n", true, 4096));
        assert!(!is_wrongly_coded(b"\xc6\x00\x01:\x01a", true, 4096));
        assert!(!is_wrongly_coded(b"\x82\x86\x84", true, 4096));
    }

    #[test]
    fn a_table_as_large_as_agreed_may_be_used() {
        let update = b"\x3f\xe1\x1f\x82";
        assert!(!is_wrongly_coded(update, true, 4096));
        // Where the crate has failed over it, our SETTINGS were not acknowledged.
        assert!(is_wrongly_coded(b"\x3f\xe2\x1f\x82", true, 8192));
        assert!(!is_wrongly_coded(b"\x3f\xe2\x1f\x82", false, 8192));
        // Before they have taken note of it there were 4096.
        assert!(is_wrongly_coded(update, true, 0));
        assert!(!is_wrongly_coded(update, false, 0));
    }

    #[test]
    fn values_are_held_to_what_their_names_may_have() {
        for (block, is_good) in [
            (&b"\x42\x03G T"[..], false),
            (b"\x42\x03FOO", true),
            (b"\x44\x01\xff", false),
            (b"\x48\x0220", false),
            (b"\x50\x01\n", false),
            (b"\x00\x03x-a\x01\xff", true),
            (b"\x00\x05:path\x01/", true),
        ] {
            let doubtful = [block, b"\xbe"].concat();
            assert_eq!(
                is_wrongly_coded(&doubtful, true, 4096),
                is_good,
                "{}",
                block.escape_ascii()
            );
        }
    }
}
