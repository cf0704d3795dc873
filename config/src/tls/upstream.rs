//! `envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext`.

use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3 as wire;

use super::common::CommonTlsContext;
use super::parameters::TlsVersion;
use super::reloaded;
use crate::report::{At, Note};

/// Longest name that SNI carries here: that of a host.
const SNI_BYTES_MAX: usize = 255;

/// TLS as a client.
#[derive(Debug, Clone)]
pub struct UpstreamTlsContext {
    /// `common_tls_context`, with at most one certificate.
    pub common: CommonTlsContext,
    /// `sni`; empty means none.
    pub sni: String,
    /// `auto_host_sni`, default false: the name of the host that was picked.
    pub auto_host_sni: bool,
    /// `auto_sni_san_validation`, default false: the certificate must be for the name that was sent.
    pub auto_sni_san_validation: bool,
    /// `max_session_keys`, default 1; 0 turns resumption off.
    pub max_session_keys: u32,
    wire: wire::UpstreamTlsContext,
}

impl UpstreamTlsContext {
    pub(crate) fn from_wire(wire: &wire::UpstreamTlsContext, at: &At<'_>) -> Option<Self> {
        let common =
            CommonTlsContext::from_wire(wire.common_tls_context.as_ref(), TlsVersion::V12, at)?;
        if common.tls_certificates.len() > 1 {
            let at = at.field("common_tls_context");
            at.field("tls_certificates").error_at_key(
                Note::from("a client has one certificate, as Envoy demands").help("keep one"),
            );
        }
        if common.tls_certificates.iter().any(|certificate| certificate.ocsp_staple.is_some()) {
            at.warn(
                Note::from("'ocsp_staple' has no effect: a client is not asked for it")
                    .help("remove it"),
            );
        }
        if common.validation_context.as_ref().is_some_and(|it| it.suppress_client_ca_list) {
            at.warn(
                Note::from(
                    "'suppress_client_ca_list' has no effect: a client names no authorities",
                )
                .help("remove it"),
            );
        }
        if wire.sni.len() > SNI_BYTES_MAX {
            at.field("sni").error(format!("must have at most {SNI_BYTES_MAX} bytes"));
        }
        let verifies = common.validation_context.as_ref().is_some_and(|it| it.holds_to_anything());
        if !verifies {
            at.warn(
                Note::from(
                    "without 'validation_context' the upstream's certificate is not verified",
                )
                .help("add 'validation_context' with a 'trusted_ca'"),
            );
        }
        if wire.auto_sni_san_validation && !verifies {
            at.field("auto_sni_san_validation").error_at_key(
                Note::from("needs a 'validation_context' with 'trusted_ca'")
                    .help("add it to 'common_tls_context'"),
            );
        }
        Some(Self {
            common,
            sni: wire.sni.clone(),
            auto_host_sni: wire.auto_host_sni,
            auto_sni_san_validation: wire.auto_sni_san_validation,
            max_session_keys: wire.max_session_keys.map_or(1, |max| max.value),
            wire: wire.clone(),
        })
    }

    /// The same context with the content that its files have now.
    pub fn reload(&self) -> Result<Self, String> {
        reloaded(|at| Self::from_wire(&self.wire, at))
    }
}
