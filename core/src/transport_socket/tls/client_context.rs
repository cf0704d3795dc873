//! An `UpstreamTlsContext`, ready for use on one worker: sessions are remembered by the worker.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use ringmain_config::cluster::AutoSni;
use ringmain_config::tls::UpstreamTlsContext;
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, SignatureScheme};

use super::observed::note;
use super::verification::{NameDemand, Verifier};

/// TLS towards the hosts of a cluster.
#[derive(Debug)]
pub struct ClientContext {
    pub(super) config: Arc<ClientConfig>,
    sni: String,
    auto_host_sni: bool,
}

impl ClientContext {
    /// Compiles `source` for a worker; `alpn_protocols` are offered where it names none, and requests
    /// name themselves as `auto_sni` says.
    pub fn new(source: &UpstreamTlsContext, alpn_protocols: &[&[u8]], auto_sni: &AutoSni) -> Self {
        let parameters = &source.common.tls_params;
        let provider = Arc::new(parameters.crypto_provider());
        let verifier = Verifier::new(source.common.validation_context.as_ref(), &provider)
            .demanding_names(
                match (auto_sni.auto_san_validation, source.auto_sni_san_validation) {
                    (true, _) => NameDemand::Requested,
                    (false, true) => NameDemand::Sent,
                    (false, false) => NameDemand::Configured,
                },
            );
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&parameters.versions())
            .expect("the same was done when the configuration was loaded")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match source.common.tls_certificates.first() {
            Some(certificate) => builder.with_client_cert_resolver(Arc::new(OwnCertificate(
                certificate.certified_key.clone(),
            ))),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = match &source.common.alpn_protocols[..] {
            [] => alpn_protocols.iter().map(|protocol| protocol.to_vec()).collect(),
            named => named.to_vec(),
        };
        config.enable_sni = !source.sni.is_empty() || source.auto_host_sni || auto_sni.auto_sni;
        config.resumption = match source.max_session_keys {
            0 => Resumption::disabled(),
            max => Resumption::in_memory_sessions(max as usize),
        };
        Self {
            config: Arc::new(config),
            sni: source.sni.clone(),
            auto_host_sni: source.auto_host_sni,
        }
    }

    /// As rustls takes it.
    pub fn config(&self) -> &Arc<ClientConfig> {
        &self.config
    }

    /// The name that a host is asked for: the request's, the host's own where that is wanted, the
    /// configured one, or its address, which is not sent.
    pub fn server_name(
        &self,
        requested: Option<&str>,
        hostname: &str,
        address: Option<IpAddr>,
    ) -> ServerName<'static> {
        let own = (self.auto_host_sni && !hostname.is_empty()).then_some(hostname);
        let name = requested.or(own).unwrap_or(&self.sni);
        ServerName::try_from(name.to_owned())
            .unwrap_or_else(|_| ServerName::IpAddress(address.unwrap_or(NO_ADDRESS).into()))
    }
}

/// What stands for the address of a Unix socket: as any address it is not sent, and no certificate is
/// for it.
const NO_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// The certificate that we show to upstreams that ask for one.
#[derive(Debug)]
struct OwnCertificate(Arc<CertifiedKey>);

impl ResolvesClientCert for OwnCertificate {
    fn resolve(
        &self,
        _root_hints: &[&[u8]],
        schemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        self.0.key.choose_scheme(schemes)?;
        note(|observed| observed.local = Some(self.0.clone()));
        Some(self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}
