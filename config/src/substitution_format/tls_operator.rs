//! Operators that tell of TLS.

/// An operator that tells of a connection's TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TlsOperator {
    /// As it is written between percent signs.
    pub name: &'static str,
    /// Of which connection.
    pub connection: TlsConnection,
    /// What it tells.
    pub value: TlsValue,
}

/// Which connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsConnection {
    /// That of the client.
    Downstream,
    /// That to the host.
    Upstream,
}

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsValue {
    /// `TLSv1.3`.
    Version,
    /// `TLS_AES_256_GCM_SHA384`.
    Cipher,
    /// `X25519`.
    Group,
    /// Something of the peer's certificate.
    Peer(CertificateValue),
    /// Something of the certificate that we showed.
    Local(CertificateValue),
}

/// What is told of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateValue {
    /// The subject as RFC 2253 writes it.
    Subject,
    /// The issuer, the same way.
    Issuer,
    /// The serial number in hexadecimal digits.
    Serial,
    /// SHA-1 of the whole.
    Fingerprint1,
    /// SHA-256 of the whole.
    Fingerprint256,
    /// Names for DNS.
    DnsSans,
    /// Names that are URIs.
    UriSans,
    /// Names that are mail addresses.
    EmailSans,
    /// Names that are addresses.
    IpSans,
    /// Names of kinds that their makers have defined.
    OtherSans,
    /// When it begins to be valid.
    ValidFrom,
    /// When it has expired.
    ValidUntil,
    /// The whole in PEM, percent-encoded.
    Pem,
    /// SHA-1 of each certificate of the chain.
    ChainFingerprints1,
    /// SHA-256 of each certificate of the chain.
    ChainFingerprints256,
    /// Serial number of each certificate of the chain.
    ChainSerials,
}

use CertificateValue as V;
use TlsConnection::{Downstream, Upstream};
use TlsValue::{Local, Peer};

const ALL: [(&str, TlsConnection, TlsValue); 38] = [
    ("DOWNSTREAM_LOCAL_DNS_SAN", Downstream, Local(V::DnsSans)),
    ("DOWNSTREAM_LOCAL_EMAIL_SAN", Downstream, Local(V::EmailSans)),
    ("DOWNSTREAM_LOCAL_IP_SAN", Downstream, Local(V::IpSans)),
    ("DOWNSTREAM_LOCAL_OTHERNAME_SAN", Downstream, Local(V::OtherSans)),
    ("DOWNSTREAM_LOCAL_SUBJECT", Downstream, Local(V::Subject)),
    ("DOWNSTREAM_LOCAL_URI_SAN", Downstream, Local(V::UriSans)),
    ("DOWNSTREAM_PEER_CERT", Downstream, Peer(V::Pem)),
    ("DOWNSTREAM_PEER_CERT_V_END", Downstream, Peer(V::ValidUntil)),
    ("DOWNSTREAM_PEER_CERT_V_START", Downstream, Peer(V::ValidFrom)),
    ("DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_1", Downstream, Peer(V::ChainFingerprints1)),
    ("DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256", Downstream, Peer(V::ChainFingerprints256)),
    ("DOWNSTREAM_PEER_CHAIN_SERIALS", Downstream, Peer(V::ChainSerials)),
    ("DOWNSTREAM_PEER_DNS_SAN", Downstream, Peer(V::DnsSans)),
    ("DOWNSTREAM_PEER_EMAIL_SAN", Downstream, Peer(V::EmailSans)),
    ("DOWNSTREAM_PEER_FINGERPRINT_1", Downstream, Peer(V::Fingerprint1)),
    ("DOWNSTREAM_PEER_FINGERPRINT_256", Downstream, Peer(V::Fingerprint256)),
    ("DOWNSTREAM_PEER_IP_SAN", Downstream, Peer(V::IpSans)),
    ("DOWNSTREAM_PEER_ISSUER", Downstream, Peer(V::Issuer)),
    ("DOWNSTREAM_PEER_OTHERNAME_SAN", Downstream, Peer(V::OtherSans)),
    ("DOWNSTREAM_PEER_SERIAL", Downstream, Peer(V::Serial)),
    ("DOWNSTREAM_PEER_SUBJECT", Downstream, Peer(V::Subject)),
    ("DOWNSTREAM_PEER_URI_SAN", Downstream, Peer(V::UriSans)),
    ("DOWNSTREAM_TLS_CIPHER", Downstream, TlsValue::Cipher),
    ("DOWNSTREAM_TLS_GROUP", Downstream, TlsValue::Group),
    ("DOWNSTREAM_TLS_VERSION", Downstream, TlsValue::Version),
    ("UPSTREAM_LOCAL_DNS_SAN", Upstream, Local(V::DnsSans)),
    ("UPSTREAM_LOCAL_IP_SAN", Upstream, Local(V::IpSans)),
    ("UPSTREAM_LOCAL_URI_SAN", Upstream, Local(V::UriSans)),
    ("UPSTREAM_PEER_CERT", Upstream, Peer(V::Pem)),
    ("UPSTREAM_PEER_CERT_V_END", Upstream, Peer(V::ValidUntil)),
    ("UPSTREAM_PEER_CERT_V_START", Upstream, Peer(V::ValidFrom)),
    ("UPSTREAM_PEER_DNS_SAN", Upstream, Peer(V::DnsSans)),
    ("UPSTREAM_PEER_IP_SAN", Upstream, Peer(V::IpSans)),
    ("UPSTREAM_PEER_ISSUER", Upstream, Peer(V::Issuer)),
    ("UPSTREAM_PEER_SUBJECT", Upstream, Peer(V::Subject)),
    ("UPSTREAM_PEER_URI_SAN", Upstream, Peer(V::UriSans)),
    ("UPSTREAM_TLS_CIPHER", Upstream, TlsValue::Cipher),
    ("UPSTREAM_TLS_VERSION", Upstream, TlsValue::Version),
];

impl TlsOperator {
    pub(super) fn from_name(name: &str) -> Option<Self> {
        let found = ALL.iter().find(|(known, ..)| *known == name);
        found.map(|(name, connection, value)| Self { name, connection: *connection, value: *value })
    }

    /// Whether it tells a moment, whose form may be given.
    pub(super) fn is_time(self) -> bool {
        matches!(self.value, Peer(V::ValidFrom | V::ValidUntil))
    }
}
