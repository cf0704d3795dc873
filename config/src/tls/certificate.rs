//! `envoy.extensions.transport_sockets.tls.v3.TlsCertificate`.

use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3 as wire;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SigningKey};

use super::ocsp_staple::{self, OcspStaple};
use crate::data_source::{self, DataSource};
use crate::report::{At, Note};

/// A certificate with its chain and its key, which fit each other.
#[derive(Clone)]
pub struct TlsCertificate {
    /// `certificate_chain` and `private_key`.
    pub certified_key: Arc<CertifiedKey>,
    /// What `certificate_chain` names: a path, or `<inline>`.
    pub origin: String,
    /// `ocsp_staple`.
    pub ocsp_staple: Option<OcspStaple>,
    /// Whether the certificate says that it is worth nothing without a staple (RFC 7633).
    pub is_must_staple: bool,
}

impl TlsCertificate {
    pub(super) fn from_wire(wire: &wire::TlsCertificate, at: &At<'_>) -> Option<Self> {
        let (chain, key) = (read_chain(wire, at), read_key(wire, at));
        let certified_key = CertifiedKey::new(chain?, key?);
        if certified_key.keys_match().is_err_and(|error| {
            matches!(error, rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch))
        }) {
            at.field("private_key").error(
                Note::from("the key is not that of 'certificate_chain'")
                    .help("name the key that the certificate was made for"),
            );
            return None;
        }
        let (_, leaf) = x509_parser::parse_x509_certificate(&certified_key.cert[0]).ok()?;
        let ocsp_staple = OcspStaple::from_wire(wire, &leaf, at)?;
        let is_must_staple = ocsp_staple::is_must_staple(&leaf);
        Some(Self {
            certified_key: Arc::new(certified_key),
            origin: data_source::origin(wire.certificate_chain.as_ref()),
            ocsp_staple,
            is_must_staple,
        })
    }

    /// The certificate itself; its issuers are not told.
    pub fn leaf(&self) -> &CertificateDer<'static> {
        &self.certified_key.cert[0]
    }

    /// The sources that may change.
    pub(super) fn sources(wire: &wire::TlsCertificate) -> impl Iterator<Item = &DataSource> {
        [&wire.certificate_chain, &wire.private_key, &wire.ocsp_staple].into_iter().flatten()
    }
}

impl Debug for TlsCertificate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsCertificate").field("origin", &self.origin).finish_non_exhaustive()
    }
}

fn read_chain(wire: &wire::TlsCertificate, at: &At<'_>) -> Option<Vec<CertificateDer<'static>>> {
    let Some(source) = &wire.certificate_chain else {
        at.error_at_key("'certificate_chain' is required");
        return None;
    };
    read_certificates(source, &at.field("certificate_chain"))
}

/// The PEM certificates of `source`, of which there is at least one.
pub(super) fn read_certificates(
    source: &DataSource,
    at: &At<'_>,
) -> Option<Vec<CertificateDer<'static>>> {
    let pem = data_source::read(source, at)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates = match certificates {
        Ok(certificates) => certificates,
        Err(error) => {
            at.error(
                Note::from(format!("is not PEM: {error}"))
                    .help("a PEM file has lines between BEGIN CERTIFICATE and END CERTIFICATE"),
            );
            return None;
        }
    };
    if certificates.is_empty() {
        let note = Note::from("holds no PEM certificate").help(
            "a PEM file has lines between BEGIN CERTIFICATE and END CERTIFICATE; of DER, \
             openssl x509 -inform der makes one",
        );
        at.error(note);
        return None;
    }
    for certificate in &certificates {
        if let Err(error) = x509_parser::parse_x509_certificate(certificate) {
            at.error(
                Note::from(format!("holds what is no X.509 certificate: {error}"))
                    .help("look at it with openssl x509 -text"),
            );
            return None;
        }
    }
    Some(certificates)
}

fn read_key(wire: &wire::TlsCertificate, at: &At<'_>) -> Option<Arc<dyn SigningKey>> {
    let Some(source) = &wire.private_key else {
        at.error_at_key("'private_key' is required");
        return None;
    };
    let at = at.field("private_key");
    let pem = data_source::read(source, &at)?;
    // What the parser says might quote the key.
    let Ok(key) = PrivateKeyDer::from_pem_slice(&pem) else {
        let is_encrypted = memchr::memmem::find(&pem, b"ENCRYPTED").is_some();
        at.error(Note::from("holds no PEM private key").help(match is_encrypted {
            true => "it is encrypted; openssl pkey writes it in plain",
            false => "a PEM key has lines between BEGIN PRIVATE KEY and END PRIVATE KEY",
        }));
        return None;
    };
    any_supported_type(&key)
        .map_err(|_| {
            at.error(
                Note::from("is a kind of private key that is not supported").help(
                    "use RSA of 2048 bits or more, ECDSA with P-256, P-384 or P-521, or Ed25519",
                ),
            )
        })
        .ok()
}
