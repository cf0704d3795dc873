//! `envoy.extensions.transport_sockets.tls.v3.CommonTlsContext`.

use std::path::PathBuf;

use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3 as wire;
use wire::common_tls_context::ValidationContextType;

use super::certificate::TlsCertificate;
use super::parameters::{TlsParameters, TlsVersion};
use super::sds_file;
use super::validation::CertificateValidationContext;
use crate::data_source;
use crate::report::At;

/// What both sides of the proxy have in common.
#[derive(Debug, Clone)]
pub struct CommonTlsContext {
    /// `tls_params`.
    pub tls_params: TlsParameters,
    /// `tls_certificates`.
    pub tls_certificates: Vec<TlsCertificate>,
    /// `validation_context`; absent means that no certificate is asked for downstream, and none
    /// is verified upstream.
    pub validation_context: Option<CertificateValidationContext>,
    /// `alpn_protocols`, best first.
    pub alpn_protocols: Vec<Vec<u8>>,
    /// The files that it is made of.
    pub files: Vec<PathBuf>,
}

impl CommonTlsContext {
    /// Reads the field `common_tls_context`; `newest` is the greatest version by default.
    pub(super) fn from_wire(
        wire: Option<&wire::CommonTlsContext>,
        newest: TlsVersion,
        at: &At<'_>,
    ) -> Option<Self> {
        let absent = wire::CommonTlsContext::default();
        let at = at.field("common_tls_context");
        let (wire, mut files) = sds_file::resolve(wire.unwrap_or(&absent), &at)?;
        files.extend(self::files(&wire));
        let certificates_at = at.field("tls_certificates");
        let certificates = wire.tls_certificates.iter().enumerate().map(|(index, certificate)| {
            TlsCertificate::from_wire(certificate, &certificates_at.index(index))
        });
        let certificates: Vec<_> = certificates.collect();
        let validation = validation_wire(&wire).map(|validation| {
            CertificateValidationContext::from_wire(validation, &at.field("validation_context"))
        });
        Some(Self {
            tls_params: TlsParameters::from_wire(
                wire.tls_params.as_ref(),
                newest,
                &at.field("tls_params"),
            ),
            tls_certificates: certificates.into_iter().collect::<Option<_>>()?,
            validation_context: match validation {
                Some(validation) => Some(validation?),
                None => None,
            },
            alpn_protocols: alpn_protocols(&wire.alpn_protocols, &at.field("alpn_protocols")),
            files,
        })
    }
}

/// The files of the certificates and the validation context.
fn files(wire: &wire::CommonTlsContext) -> impl Iterator<Item = PathBuf> {
    let certificates = wire.tls_certificates.iter().flat_map(TlsCertificate::sources);
    let validation = validation_wire(wire).into_iter();
    let sources = certificates.chain(validation.flat_map(CertificateValidationContext::sources));
    sources.filter_map(data_source::file)
}

/// The validation context. What names one still is unknown or wrong, which was told.
fn validation_wire(wire: &wire::CommonTlsContext) -> Option<&wire::CertificateValidationContext> {
    match &wire.validation_context_type {
        Some(ValidationContextType::ValidationContext(validation)) => Some(validation),
        _ => None,
    }
}

/// Each entry may name several, with commas between them.
fn alpn_protocols(wire: &[String], at: &At<'_>) -> Vec<Vec<u8>> {
    let mut protocols = Vec::new();
    for (index, entry) in wire.iter().enumerate() {
        for name in entry.split(',') {
            // RFC 7301 §3.1: a name has 1 to 255 bytes.
            if name.is_empty() || name.len() > 255 {
                at.index(index).error("a protocol's name has 1 to 255 bytes");
            }
            protocols.push(name.as_bytes().to_vec());
        }
    }
    protocols
}
