//! A `DownstreamTlsContext`, ready for use.

use std::sync::Arc;
use std::time::Duration;

use ringmain_config::tls::{DownstreamTlsContext, SessionTickets, TlsVersion};
use ringmain_proto_codec::client_hello::Server;
use rustls::ServerConfig;
use rustls::server::NoServerSessionStorage;

use super::certificate_selection::CertificateSelection;
use super::tickets::Tickets;
use super::verification::Verifier;

/// TLS towards clients. Never changed: other certificates or keys make another one.
#[derive(Debug)]
pub struct ServerContext {
    pub(super) config: Arc<ServerConfig>,
    /// The same for clients that share no protocol with it: Envoy serves them as if they had not asked, where
    /// rustls would refuse them.
    pub(super) without_protocols: Arc<ServerConfig>,
    tickets: Arc<Tickets>,
    source: Arc<DownstreamTlsContext>,
}

impl ServerContext {
    /// Compiles `source`.
    pub fn new(source: Arc<DownstreamTlsContext>) -> Self {
        let tickets = match &source.session_tickets {
            SessionTickets::Random => Tickets::random(source.session_timeout),
            SessionTickets::Keys(keys) => Tickets::configured(keys, source.session_timeout),
            SessionTickets::Disabled => Tickets::disabled(),
        };
        Self::with_tickets(source, Arc::new(tickets))
    }

    fn with_tickets(source: Arc<DownstreamTlsContext>, tickets: Arc<Tickets>) -> Self {
        let parameters = &source.common.tls_params;
        let provider = Arc::new(parameters.crypto_provider());
        let verifier = Verifier::new(source.common.validation_context.as_ref(), &provider)
            .mandatory(source.require_client_certificate);
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&parameters.versions())
            .expect("the same was done when the configuration was loaded");
        let builder = match verifier.has_rules() {
            true => builder.with_client_cert_verifier(Arc::new(verifier)),
            false => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::new(CertificateSelection::new(&source)));
        config.alpn_protocols.clone_from(&source.common.alpn_protocols);
        // BoringSSL heeds the server's order in TLS 1.2 and the client's in TLS 1.3.
        config.ignore_client_order = !source.prefer_client_ciphers
            && parameters.tls_maximum_protocol_version == TlsVersion::V12;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.ticketer = tickets.clone();
        let config = Arc::new(config);
        let mut without_protocols = config.clone();
        if !config.alpn_protocols.is_empty() {
            Arc::make_mut(&mut without_protocols).alpn_protocols.clear();
        }
        Self { config, without_protocols, tickets, source }
    }

    /// What it speaks.
    pub(super) fn server(&self) -> Server<'_> {
        let parameters = &self.source.common.tls_params;
        Server {
            has_1_2: parameters.tls_minimum_protocol_version <= TlsVersion::V12,
            has_1_3: parameters.tls_maximum_protocol_version >= TlsVersion::V13,
            protocols: &self.config.alpn_protocols,
        }
    }

    /// What it was made of.
    pub fn source(&self) -> &Arc<DownstreamTlsContext> {
        &self.source
    }

    /// The same with what its files hold now.
    pub fn reload(&self) -> Result<Self, String> {
        let source = Arc::new(self.source.reload()?);
        Ok(Self::with_tickets(source, self.tickets.clone()))
    }

    /// How long a ticket key of our own encrypts; absent where there is none.
    pub fn ticket_rotation(&self) -> Option<Duration> {
        (self.source.session_tickets == SessionTickets::Random)
            .then_some(self.source.session_timeout)
    }

    /// The same with another ticket key.
    pub fn with_new_ticket_key(&self) -> Self {
        Self::with_tickets(self.source.clone(), Arc::new(self.tickets.rotated()))
    }
}
