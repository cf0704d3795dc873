//! Whether a peer has the key of the certificate that it shows.

use rustls::crypto::{
    WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
    verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use rustls::{CertificateError, DigitallySignedStruct, Error};
use webpki::{EndEntityCert, RawPublicKeyEntity};

/// Checks the signature of a handshake of TLS 1.2.
pub(super) fn verify_tls12(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<(), Error> {
    match key_of_unread(certificate) {
        None => verify_tls12_signature(message, certificate, signed, algorithms).map(drop),
        Some(key) => verify_with_key(message, &key, signed, algorithms),
    }
}

/// Checks the signature of a handshake of TLS 1.3.
pub(super) fn verify_tls13(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<(), Error> {
    let verified = match key_of_unread(certificate) {
        None => verify_tls13_signature(message, certificate, signed, algorithms),
        Some(key) => verify_tls13_signature_with_raw_key(message, &key, signed, algorithms),
    };
    verified.map(drop)
}

/// The key of a certificate that webpki does not read, as it is of X.509 version 1. Whether such a one is trusted is
/// not asked here.
fn key_of_unread(certificate: &CertificateDer<'_>) -> Option<SubjectPublicKeyInfoDer<'static>> {
    EndEntityCert::try_from(certificate).err()?;
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    Some(SubjectPublicKeyInfoDer::from(parsed.public_key().raw).into_owned())
}

/// In TLS 1.2 a scheme leaves open on which curve the key is, so that there are several algorithms for it.
fn verify_with_key(
    message: &[u8],
    key: &SubjectPublicKeyInfoDer<'_>,
    signed: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<(), Error> {
    let key = RawPublicKeyEntity::try_from(key)
        .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
    let schemes = algorithms.mapping.iter();
    let verifies = schemes.filter(|(scheme, _)| *scheme == signed.scheme).any(|(_, known)| {
        known.iter().any(|one| key.verify_signature(*one, message, signed.signature()).is_ok())
    });
    if verifies { Ok(()) } else { Err(Error::InvalidCertificate(CertificateError::BadSignature)) }
}
