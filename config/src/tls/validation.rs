//! `envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext`: what a peer's
//! certificate must be.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3 as wire;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use webpki::OwnedCertRevocationList;
use wire::certificate_validation_context::TrustChainVerification as WireTrust;
use wire::subject_alt_name_matcher::SanType as WireSanType;

use super::certificate::read_certificates;
use crate::data_source::{self, DataSource};
use crate::matcher::StringMatcher;
use crate::report::{At, Note};

/// The rules a peer's certificate is held against.
#[derive(Debug, Clone)]
pub struct CertificateValidationContext {
    /// `trusted_ca`; empty means that the chain is not verified.
    pub trusted_ca: Vec<CertificateDer<'static>>,
    /// The same as whom a chain may end with.
    pub roots: RootCertStore,
    /// What `trusted_ca` names: a path, or `<inline>`.
    pub trusted_ca_origin: String,
    /// `crl`.
    pub crl: Vec<OwnedCertRevocationList>,
    /// `only_verify_leaf_cert_crl`, default false: the issuers' revocation is looked up too.
    pub only_verify_leaf_cert_crl: bool,
    /// `verify_certificate_spki`: SHA-256 of acceptable public keys.
    pub verify_certificate_spki: Vec<[u8; 32]>,
    /// `verify_certificate_hash`: SHA-256 of acceptable certificates.
    pub verify_certificate_hash: Vec<[u8; 32]>,
    /// `match_typed_subject_alt_names`, of which one must match, and what the deprecated
    /// `match_subject_alt_names` means by them.
    pub match_typed_subject_alt_names: Vec<SubjectAltNameMatcher>,
    /// `allow_expired_certificate`, default false.
    pub allow_expired_certificate: bool,
    /// `trust_chain_verification`, default VERIFY_TRUST_CHAIN.
    pub trust_chain_verification: TrustChainVerification,
    /// `suppress_client_ca_list`, default false: clients are told the authorities.
    pub suppress_client_ca_list: bool,
}

/// `trust_chain_verification`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TrustChainVerification {
    /// `VERIFY_TRUST_CHAIN`.
    #[default]
    VerifyTrustChain,
    /// `ACCEPT_UNTRUSTED`: who fails is let in, and known as not validated.
    AcceptUntrusted,
}

/// `envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectAltNameMatcher {
    /// `san_type`.
    pub san_type: SanType,
    /// `matcher`.
    pub matcher: StringMatcher,
}

/// `san_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SanType {
    /// `EMAIL`.
    Email,
    /// `DNS`; an exact matcher heeds wildcards of the certificate.
    Dns,
    /// `URI`.
    Uri,
    /// `IP_ADDRESS`.
    IpAddress,
}

impl CertificateValidationContext {
    #[allow(deprecated, reason = "common in files")]
    pub(super) fn from_wire(
        wire: &wire::CertificateValidationContext,
        at: &At<'_>,
    ) -> Option<Self> {
        let trusted_ca = match &wire.trusted_ca {
            Some(source) => read_certificates(source, &at.field("trusted_ca"))?,
            None => Vec::new(),
        };
        let mut matchers = typed_matchers(wire, at);
        matchers.extend(untyped_matchers(wire, at));
        if trusted_ca.is_empty() && !matchers.is_empty() {
            let note = Note::from(
                "SAN-based verification of peer certificates without trusted \
                 CA is insecure and not allowed",
            )
            .help("add 'trusted_ca'");
            at.error_at_key(note);
        }
        if trusted_ca.is_empty() && wire.allow_expired_certificate {
            at.field("allow_expired_certificate").error_at_key(
                Note::from("means nothing without 'trusted_ca'")
                    .help("add 'trusted_ca', or remove it"),
            );
        }
        let roots = roots(&trusted_ca, &at.field("trusted_ca"));
        Some(Self {
            trusted_ca,
            roots,
            trusted_ca_origin: data_source::origin(wire.trusted_ca.as_ref()),
            crl: read_crl(wire, at)?,
            only_verify_leaf_cert_crl: wire.only_verify_leaf_cert_crl,
            verify_certificate_spki: fingerprints(
                &wire.verify_certificate_spki,
                &at.field("verify_certificate_spki"),
                |text| STANDARD.decode(text).ok(),
                "expected SHA-256 in Base64",
            ),
            verify_certificate_hash: fingerprints(
                &wire.verify_certificate_hash,
                &at.field("verify_certificate_hash"),
                from_hex,
                "expected SHA-256 in hexadecimal digits",
            ),
            match_typed_subject_alt_names: matchers,
            allow_expired_certificate: wire.allow_expired_certificate,
            trust_chain_verification: match wire.trust_chain_verification() {
                WireTrust::VerifyTrustChain => TrustChainVerification::VerifyTrustChain,
                WireTrust::AcceptUntrusted => TrustChainVerification::AcceptUntrusted,
            },
            suppress_client_ca_list: wire.suppress_client_ca_list,
        })
    }

    /// Whether a certificate is asked for.
    pub fn asks_anything(&self) -> bool {
        self.holds_to_anything()
            || self.trust_chain_verification == TrustChainVerification::AcceptUntrusted
    }

    /// Whether there is anything that a certificate is held against.
    pub fn holds_to_anything(&self) -> bool {
        !self.trusted_ca.is_empty() || self.pins_certificates()
    }

    /// Whether only certificates or keys known beforehand are accepted.
    pub fn pins_certificates(&self) -> bool {
        !(self.verify_certificate_hash.is_empty() && self.verify_certificate_spki.is_empty())
    }

    /// The sources that may change.
    pub(super) fn sources(
        wire: &wire::CertificateValidationContext,
    ) -> impl Iterator<Item = &DataSource> {
        [&wire.trusted_ca, &wire.crl].into_iter().flatten()
    }
}

fn roots(trusted_ca: &[CertificateDer<'static>], at: &At<'_>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for certificate in trusted_ca {
        if let Err(error) = roots.add(certificate.clone()) {
            at.error(
                Note::from(format!("holds a certificate that cannot be trusted: {error}"))
                    .help("a CA's certificate has basicConstraints CA:TRUE"),
            );
        }
    }
    roots
}

fn typed_matchers(
    wire: &wire::CertificateValidationContext,
    at: &At<'_>,
) -> Vec<SubjectAltNameMatcher> {
    let at = at.field("match_typed_subject_alt_names");
    let typed = wire.match_typed_subject_alt_names.iter().enumerate();
    typed
        .filter_map(|(index, wire)| {
            let at = at.index(index);
            let san_type = match wire.san_type() {
                WireSanType::Email => SanType::Email,
                WireSanType::Dns => SanType::Dns,
                WireSanType::Uri => SanType::Uri,
                WireSanType::IpAddress => SanType::IpAddress,
                // The field rules refuse the one and the support gate the other.
                WireSanType::Unspecified | WireSanType::OtherName => return None,
            };
            let matcher = StringMatcher::from_wire(wire.matcher.as_ref()?, &at.field("matcher"))?;
            Some(SubjectAltNameMatcher { san_type, matcher })
        })
        .collect()
}

/// The deprecated field stands for a matcher of each type.
#[allow(deprecated, reason = "common in files")]
fn untyped_matchers(
    wire: &wire::CertificateValidationContext,
    at: &At<'_>,
) -> Vec<SubjectAltNameMatcher> {
    let at = at.field("match_subject_alt_names");
    let untyped = wire.match_subject_alt_names.iter().enumerate();
    untyped
        .filter_map(|(index, wire)| StringMatcher::from_wire(wire, &at.index(index)))
        .flat_map(|matcher| {
            [SanType::Dns, SanType::Uri, SanType::Email, SanType::IpAddress]
                .map(|san_type| SubjectAltNameMatcher { san_type, matcher: matcher.clone() })
        })
        .collect()
}

fn read_crl(
    wire: &wire::CertificateValidationContext,
    at: &At<'_>,
) -> Option<Vec<OwnedCertRevocationList>> {
    let Some(source) = &wire.crl else { return Some(Vec::new()) };
    let at = at.field("crl");
    let pem = data_source::read(source, &at)?;
    let lists: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(&pem).collect();
    let lists = match lists {
        Ok(lists) => lists,
        Err(error) => {
            at.error(
                Note::from(format!("is not PEM: {error}"))
                    .help("a PEM list has lines between BEGIN X509 CRL and END X509 CRL"),
            );
            return None;
        }
    };
    if lists.is_empty() {
        at.error(
            Note::from("holds no PEM certificate revocation list")
                .help("a PEM list has lines between BEGIN X509 CRL and END X509 CRL"),
        );
    }
    let parsed: Result<Vec<_>, _> =
        lists.iter().map(|list| OwnedCertRevocationList::from_der(list)).collect();
    parsed
        .map_err(|error| {
            at.error(
                Note::from(format!("is no usable revocation list: {error}"))
                    .help("look at it with openssl crl -text"),
            )
        })
        .ok()
}

fn fingerprints(
    wire: &[String],
    at: &At<'_>,
    decode: impl Fn(&str) -> Option<Vec<u8>>,
    expected: &str,
) -> Vec<[u8; 32]> {
    let written = wire.iter().enumerate();
    written
        .filter_map(|(index, text)| {
            let hash = decode(text).and_then(|bytes| bytes.try_into().ok());
            if hash.is_none() {
                at.index(index).error(expected);
            }
            hash
        })
        .collect()
}

/// Pairs of digits, with a colon between two pairs or without any.
fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = match text.contains(':') {
        true => text
            .split(':')
            .map(|pair| (pair.len() == 2).then_some(pair))
            .collect::<Option<String>>()?
            .into_bytes(),
        false => text.as_bytes().to_vec(),
    };
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_written_with_colons_or_without() {
        assert_eq!(from_hex("0aFF"), Some(vec![10, 255]));
        assert_eq!(from_hex("0a:ff"), Some(vec![10, 255]));
        assert_eq!(from_hex("0:aff"), None);
        assert_eq!(from_hex("xx"), None);
    }
}
