//! What is known of a connection's TLS, for logs, headers and routes.

use std::cell::OnceCell;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use rustls::{CommonState, HandshakeKind};

use super::certificate::Certificate;
use super::names;
use super::observed::Observed;

/// What a handshake came to. Certificates are read when somebody asks.
#[derive(Debug)]
pub struct TlsInfo {
    /// `TLSv1.3`.
    pub version: Option<&'static str>,
    /// `TLS_AES_256_GCM_SHA384`.
    pub cipher: Option<&'static str>,
    /// `X25519`.
    pub group: Option<&'static str>,
    /// How the peer proved that it has its key: `ecdsa_secp256r1_sha256`.
    pub signature: Option<&'static str>,
    /// The protocol that was agreed on (RFC 7301).
    pub alpn: Option<Box<[u8]>>,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
    /// Whether the peer's certificate met the rules in this handshake. In one that resumes a session
    /// nobody looks, as in Envoy.
    pub validated: bool,
    /// Rules that an accepted certificate did not meet (`ACCEPT_UNTRUSTED`).
    pub tolerated: bool,
    peer: Box<[CertificateDer<'static>]>,
    peer_read: OnceCell<Vec<Certificate>>,
    local: Option<Arc<CertifiedKey>>,
    local_read: OnceCell<Option<Certificate>>,
}

impl TlsInfo {
    pub(super) fn of(connection: &CommonState, observed: Observed) -> Self {
        let version = connection.protocol_version();
        let cipher = connection.negotiated_cipher_suite().map(|suite| suite.suite());
        let group = connection.negotiated_key_exchange_group().map(|group| group.name());
        Self {
            version: version.and_then(|it| names::name_of(&names::VERSIONS, &it)),
            cipher: cipher.and_then(|it| names::name_of(&names::CIPHERS, &it)),
            group: group.and_then(|it| names::name_of(&names::CURVES, &it)),
            signature: observed.signature.and_then(|it| names::name_of(&names::SIGNATURES, &it)),
            alpn: connection.alpn_protocol().map(Into::into),
            resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
            validated: observed.validated,
            tolerated: observed.refusal.is_some(),
            peer: connection.peer_certificates().map_or(observed.refused.into(), Into::into),
            peer_read: OnceCell::new(),
            local: observed.local,
            local_read: OnceCell::new(),
        }
    }

    /// Whether the peer has shown a certificate.
    pub fn is_peer_presented(&self) -> bool {
        !self.peer.is_empty()
    }

    /// The peer's certificate.
    pub fn peer(&self) -> Option<&Certificate> {
        self.peer_chain().first()
    }

    /// The peer's certificate and those that it showed with it.
    pub fn peer_chain(&self) -> &[Certificate] {
        self.peer_read.get_or_init(|| self.peer.iter().map(Certificate::parse).collect())
    }

    /// The certificate that we showed.
    pub fn local(&self) -> Option<&Certificate> {
        let read = || {
            let shown = self.local.as_ref()?;
            shown.cert.first().map(Certificate::parse)
        };
        self.local_read.get_or_init(read).as_ref()
    }
}
