//! What is told of a certificate in logs, headers and admin, read once by x509-parser.

use std::cell::OnceCell;
use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use webpki::CertRevocationList;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{ParsedExtension, X509Certificate};

use super::distinguished_name::rfc2253;
use super::other_name::other_name;

/// A certificate's facts. Of one that cannot be read they are empty.
#[derive(Debug, Default)]
pub struct Certificate {
    /// Subject as RFC 2253 writes it: the most particular part first.
    pub subject: String,
    /// Issuer, the same way.
    pub issuer: String,
    /// Serial number in hexadecimal digits.
    pub serial: String,
    /// SHA-256 of the whole.
    pub sha256: [u8; 32],
    /// SHA-1 of the whole.
    pub sha1: [u8; 20],
    /// SHA-256 of the public key.
    pub spki_sha256: [u8; 32],
    /// Names for DNS.
    pub dns_sans: Vec<String>,
    /// Names that are URIs.
    pub uri_sans: Vec<String>,
    /// Names that are mail addresses.
    pub email_sans: Vec<String>,
    /// Names that are IP addresses.
    pub ip_sans: Vec<String>,
    /// Names of kinds that their makers have defined.
    pub other_sans: Vec<String>,
    /// The last common name of the subject.
    pub common_name: Option<String>,
    /// Seconds since 1970 from which on it is valid.
    pub not_before: i64,
    /// Seconds since 1970 until which it is valid.
    pub not_after: i64,
    /// All names in their order.
    names: Vec<String>,
    der: Vec<u8>,
    url_encoded_pem: OnceCell<String>,
}

impl Certificate {
    /// Reads `der`.
    pub fn parse(der: &CertificateDer<'_>) -> Self {
        let Ok((_, parsed)) = x509_parser::parse_x509_certificate(der) else {
            return Self::default();
        };
        let mut certificate = Self {
            subject: rfc2253(parsed.subject()),
            issuer: rfc2253(parsed.issuer()),
            serial: hex(serial(&parsed)),
            sha256: sha256(der),
            sha1: digest(&SHA1_FOR_LEGACY_USE_ONLY, der).as_ref().try_into().unwrap_or_default(),
            spki_sha256: sha256(parsed.public_key().raw),
            common_name: parsed
                .subject()
                .iter_common_name()
                .last()
                .and_then(|name| name.as_str().ok())
                .map(str::to_owned),
            not_before: parsed.validity().not_before.timestamp(),
            not_after: parsed.validity().not_after.timestamp(),
            der: der.to_vec(),
            ..Self::default()
        };
        certificate.read_names(&parsed);
        certificate
    }

    fn read_names(&mut self, parsed: &X509Certificate<'_>) {
        let extensions = parsed.extensions().iter();
        let names = extensions.filter_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectAlternativeName(names) => Some(&names.general_names),
            _ => None,
        });
        for name in names.flatten() {
            let (kind, name) = match name {
                GeneralName::DNSName(name) => (&mut self.dns_sans, (*name).to_owned()),
                GeneralName::URI(name) => (&mut self.uri_sans, (*name).to_owned()),
                GeneralName::RFC822Name(name) => (&mut self.email_sans, (*name).to_owned()),
                GeneralName::IPAddress(bytes) => match ip_text(bytes) {
                    Some(text) => (&mut self.ip_sans, text),
                    None => continue,
                },
                GeneralName::OtherName(_, value) => {
                    self.other_sans.extend(other_name(value));
                    continue;
                }
                _ => continue,
            };
            kind.push(name.clone());
            self.names.push(name);
        }
    }

    /// All names, of whatever kind.
    pub fn all_names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Whether one of its DNS names stands for `host`.
    pub fn is_for(&self, host: &str) -> bool {
        self.dns_sans.iter().any(|name| dns_name_matches(name, host))
    }

    /// Whole days until it expires; 0 where it has.
    pub fn days_left(&self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let until = u64::try_from(self.not_after).unwrap_or_default();
        until.saturating_sub(now.as_secs()) / (24 * 60 * 60)
    }

    /// Whether `crl` is of who has issued it.
    pub fn has_issuer_of(&self, crl: &CertRevocationList<'_>) -> bool {
        // Without the head of the sequence.
        self.raw().is_some_and(|it| it.issuer().as_raw().ends_with(crl.issuer()))
    }

    /// Whether `crl` is of who has issued it and revokes it.
    pub fn is_revoked_by(&self, crl: &CertRevocationList<'_>) -> bool {
        let is_listed = |it: X509Certificate<'_>| {
            crl.find_serial(it.raw_serial()).is_ok_and(|revoked| revoked.is_some())
        };
        self.has_issuer_of(crl) && self.raw().is_some_and(is_listed)
    }

    fn raw(&self) -> Option<X509Certificate<'_>> {
        Some(x509_parser::parse_x509_certificate(&self.der).ok()?.1)
    }

    /// Whether it vouches for itself.
    pub fn is_self_signed(&self) -> bool {
        self.subject == self.issuer
    }

    /// The certificate in PEM, percent-encoded as Envoy does for headers and logs.
    pub fn url_encoded_pem(&self) -> &str {
        self.url_encoded_pem.get_or_init(|| url_encoded(&pem(&self.der)))
    }
}

/// Whether `name` of a certificate, which may begin with a wildcard for one label, stands for `host`
/// (RFC 9525 §6.3).
pub(super) fn dns_name_matches(name: &str, host: &str) -> bool {
    if name.eq_ignore_ascii_case(host) {
        return true;
    }
    let Some(parent) = name.strip_prefix("*.") else { return false };
    host.split_once('.')
        .is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(parent))
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing to memory does not fail");
    }
    text
}

/// The number without the zero that keeps it positive.
fn serial<'a>(parsed: &'a X509Certificate<'_>) -> &'a [u8] {
    let bytes = parsed.raw_serial();
    match bytes {
        [0, rest @ ..] if !rest.is_empty() => rest,
        _ => bytes,
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest(&SHA256, bytes).as_ref().try_into().unwrap_or_default()
}

fn ip_text(bytes: &[u8]) -> Option<String> {
    match bytes.len() {
        4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).to_string()),
        16 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).to_string()),
        _ => None,
    }
}

fn pem(der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, next) = rest.split_at(rest.len().min(64));
        text += line;
        text.push('\n');
        rest = next;
    }
    text + "-----END CERTIFICATE-----\n"
}

/// What Envoy encodes of PEM: the line's end, the space, and `+`, `/` and `=` of Base64.
fn url_encoded(pem: &str) -> String {
    let mut text = String::with_capacity(pem.len() + pem.len() / 8);
    for character in pem.chars() {
        match character {
            '\n' => text += "%0A",
            ' ' => text += "%20",
            '+' => text += "%2B",
            '/' => text += "%2F",
            '=' => text += "%3D",
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_stands_for_one_label() {
        assert!(dns_name_matches("*.a.example", "b.A.example"));
        assert!(!dns_name_matches("*.a.example", "a.example"));
        assert!(!dns_name_matches("*.a.example", "c.b.a.example"));
        assert!(!dns_name_matches("*.a.example", ".a.example"));
        assert!(dns_name_matches("a.example", "A.EXAMPLE"));
    }
}
