//! All that a ClientHello offers, and the texts of which fingerprints of clients are made.
//!
//! Both leave out values that clients only send so that servers get used to unknown ones (GREASE,
//! RFC 8701).

use std::fmt::Write;

use super::{ALPN, Fields, SERVER_NAME};

const SUPPORTED_GROUPS: u16 = 10;
const EC_POINT_FORMATS: u16 = 11;
const SIGNATURE_ALGORITHMS: u16 = 13;
const SUPPORTED_VERSIONS: u16 = 43;

/// What JA4 writes of a count at most.
const COUNT_MAX: usize = 99;

/// What a client offers. What is not well formed in an extension is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offer {
    /// `legacy_version`.
    pub version: u16,
    /// `cipher_suites`, in the client's order.
    pub cipher_suites: Vec<u16>,
    /// Types of the extensions, in the client's order.
    pub extensions: Vec<u16>,
    /// `supported_versions` (RFC 8446 §4.2.1), where it is there.
    pub supported_versions: Option<Vec<u16>>,
    /// `supported_groups` (RFC 8446 §4.2.7).
    pub groups: Vec<u16>,
    /// `ec_point_formats` (RFC 8422 §5.1.2).
    pub point_formats: Vec<u8>,
    /// `signature_algorithms` (RFC 8446 §4.2.3).
    pub signature_algorithms: Vec<u16>,
    /// The first protocol of ALPN.
    pub first_protocol: Vec<u8>,
}

/// The parts of a JA4 fingerprint, which has the first 12 digits of the SHA-256 of each list, or as
/// many zeros where it is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ja4 {
    /// `t13d1516h2`.
    pub head: String,
    /// The cipher suites, sorted.
    pub cipher_suites: String,
    /// The extensions, sorted, and the signature algorithms.
    pub extensions: String,
}

impl Offer {
    pub(super) fn new(version: u16, cipher_suites: &[u8]) -> Self {
        Self { version, cipher_suites: numbers(cipher_suites), ..Self::default() }
    }

    pub(super) fn add_extension(&mut self, kind: u16, content: &[u8]) {
        self.extensions.push(kind);
        match kind {
            SUPPORTED_GROUPS => self.groups = numbers(behind_length(content, 2)),
            EC_POINT_FORMATS => self.point_formats = behind_length(content, 1).to_vec(),
            SIGNATURE_ALGORITHMS => {
                self.signature_algorithms = numbers(behind_length(content, 2));
            }
            SUPPORTED_VERSIONS => {
                let versions = Fields(content).take_vector8();
                let versions = versions.map(|versions| numbers(versions.0));
                self.supported_versions = Some(versions.unwrap_or_default());
            }
            ALPN => {
                let first = Fields(behind_length(content, 2)).take_vector8();
                self.first_protocol = first.map(|first| first.0.to_vec()).unwrap_or_default();
            }
            _ => {}
        }
    }

    /// The text whose MD5 is the JA3 fingerprint.
    pub fn ja3(&self) -> String {
        let groups = self.groups.iter().copied();
        let point_formats = self.point_formats.iter().copied().map(u16::from);
        [
            self.version.to_string(),
            joined(meant(&self.cipher_suites), "-", decimal),
            joined(meant(&self.extensions), "-", decimal),
            joined(groups, "-", decimal),
            joined(point_formats, "-", decimal),
        ]
        .join(",")
    }

    /// What the JA4 fingerprint is made of.
    pub fn ja4(&self) -> Ja4 {
        let mut cipher_suites: Vec<u16> = meant(&self.cipher_suites).collect();
        let named = if self.extensions.contains(&SERVER_NAME) { 'd' } else { 'i' };
        let head = format!(
            "t{}{named}{:02}{:02}{}",
            self.newest_version(),
            cipher_suites.len().min(COUNT_MAX),
            meant(&self.extensions).count().min(COUNT_MAX),
            self.protocol_letters(),
        );
        cipher_suites.sort_unstable();
        let of_all = |kind: &u16| ![SERVER_NAME, ALPN].contains(kind);
        let mut extensions: Vec<u16> = meant(&self.extensions).filter(of_all).collect();
        extensions.sort_unstable();
        let mut extensions = joined(extensions, ",", hexadecimal);
        if !extensions.is_empty() && !self.signature_algorithms.is_empty() {
            extensions.push('_');
            let algorithms = self.signature_algorithms.iter().copied();
            extensions += &joined(algorithms, ",", hexadecimal);
        }
        Ja4 { head, cipher_suites: joined(cipher_suites, ",", hexadecimal), extensions }
    }

    fn newest_version(&self) -> &'static str {
        let named = self.supported_versions.as_ref();
        let newest = match named {
            // What is no list at all is of no version.
            Some(versions) if versions.is_empty() => 0,
            Some(versions) => meant(versions).max().unwrap_or(self.version),
            None => self.version,
        };
        match newest {
            0x0304 => "13",
            0x0303 => "12",
            0x0302 => "11",
            0x0301 => "10",
            _ => "00",
        }
    }

    /// The first and the last letter of the first protocol; hexadecimal digits where one is no letter.
    fn protocol_letters(&self) -> String {
        let (Some(first), Some(last)) = (self.first_protocol.first(), self.first_protocol.last())
        else {
            return "00".to_owned();
        };
        match first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
            true => format!("{}{}", char::from(*first), char::from(*last)),
            false => format!("{:x}{:x}", first >> 4, last & 0x0f),
        }
    }
}

/// What stands behind a length of `bytes` bytes, however long that says it is.
fn behind_length(content: &[u8], bytes: usize) -> &[u8] {
    content.get(bytes..).unwrap_or_default()
}

fn numbers(bytes: &[u8]) -> Vec<u16> {
    bytes.as_chunks::<2>().0.iter().copied().map(u16::from_be_bytes).collect()
}

/// Those that are not GREASE: both bytes the same, and 0xa at their end.
fn meant(numbers: &[u16]) -> impl Iterator<Item = u16> {
    let is_grease = |number: u16| number & 0x0f0f == 0x0a0a && number >> 8 == number & 0xff;
    numbers.iter().copied().filter(move |number| !is_grease(*number))
}

fn joined(
    numbers: impl IntoIterator<Item = u16>,
    between: &str,
    write: impl Fn(&mut String, u16),
) -> String {
    let mut text = String::new();
    for number in numbers {
        if !text.is_empty() {
            text.push_str(between);
        }
        write(&mut text, number);
    }
    text
}

fn decimal(text: &mut String, number: u16) {
    write!(text, "{number}").expect("writing to memory does not fail");
}

fn hexadecimal(text: &mut String, number: u16) {
    write!(text, "{number:04x}").expect("writing to memory does not fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_made_of_what_is_meant() {
        let mut offer = Offer::new(0x0303, &[0x0a, 0x0a, 0x13, 0x02, 0x13, 0x01, 0xc0, 0x2b]);
        offer.add_extension(0x1a1a, &[]);
        offer.add_extension(SERVER_NAME, &[]);
        offer.add_extension(SUPPORTED_GROUPS, &[0, 4, 0x2a, 0x2a, 0, 29]);
        offer.add_extension(EC_POINT_FORMATS, &[1, 0]);
        offer.add_extension(SIGNATURE_ALGORITHMS, &[0, 4, 8, 4, 4, 3]);
        offer.add_extension(SUPPORTED_VERSIONS, &[4, 0x3a, 0x3a, 3, 4]);
        offer.add_extension(ALPN, &[0, 3, 2, b'h', b'2']);
        assert_eq!(offer.ja3(), "771,4866-4865-49195,0-10-11-13-43-16,10794-29,0");
        let ja4 = offer.ja4();
        assert_eq!(ja4.head, "t13d0306h2");
        assert_eq!(ja4.cipher_suites, "1301,1302,c02b");
        assert_eq!(ja4.extensions, "000a,000b,000d,002b_0804,0403");
    }

    #[test]
    fn what_is_not_offered_leaves_its_place_empty() {
        let offer = Offer::new(0x0302, &[]);
        assert_eq!(offer.ja3(), "770,,,,");
        assert_eq!(offer.ja4().head, "t11i000000");
        assert_eq!((offer.ja4().cipher_suites, offer.ja4().extensions), Default::default());
    }

    #[test]
    fn a_protocol_without_letters_is_told_by_digits() {
        let mut offer = Offer::default();
        offer.add_extension(ALPN, &[0, 3, 2, 0xab, 0xcd]);
        assert_eq!(offer.protocol_letters(), "ad");
    }
}
