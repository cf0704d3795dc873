//! `envoy.extensions.transport_sockets.tls.v3.TlsParameters`.

use std::sync::Arc;

use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3 as wire;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, NamedGroup, ServerConfig, SupportedProtocolVersion};
use wire::tls_parameters::TlsProtocol;

use crate::report::{At, Note};

/// Versions and algorithms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsParameters {
    /// `tls_minimum_protocol_version`, default TLS 1.2.
    pub tls_minimum_protocol_version: TlsVersion,
    /// `tls_maximum_protocol_version`, default TLS 1.3 downstream and TLS 1.2 upstream.
    pub tls_maximum_protocol_version: TlsVersion,
    /// `cipher_suites` of TLS 1.2, best first; those of TLS 1.3 cannot be chosen, as in Envoy.
    pub cipher_suites: Vec<CipherSuite>,
    /// `ecdh_curves`, best first; X25519MLKEM768, X25519 and P-256 by default.
    pub ecdh_curves: Vec<NamedGroup>,
}

/// A protocol version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// `TLSv1_2`.
    V12,
    /// `TLSv1_3`.
    V13,
}

/// By their names in OpenSSL, in Envoy's default order.
const CIPHER_SUITES: [(&str, CipherSuite); 6] = [
    ("ECDHE-ECDSA-AES128-GCM-SHA256", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    ("ECDHE-ECDSA-CHACHA20-POLY1305", CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
    ("ECDHE-RSA-AES128-GCM-SHA256", CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
    ("ECDHE-RSA-CHACHA20-POLY1305", CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
    ("ECDHE-ECDSA-AES256-GCM-SHA384", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
    ("ECDHE-RSA-AES256-GCM-SHA384", CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
];

const CIPHER_SUITES_13: [CipherSuite; 3] = [
    CipherSuite::TLS13_AES_256_GCM_SHA384,
    CipherSuite::TLS13_AES_128_GCM_SHA256,
    CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
];

const CURVES: [(&str, NamedGroup); 4] = [
    ("X25519", NamedGroup::X25519),
    ("P-256", NamedGroup::secp256r1),
    ("P-384", NamedGroup::secp384r1),
    ("X25519MLKEM768", NamedGroup::X25519MLKEM768),
];

impl TlsParameters {
    pub(super) fn from_wire(
        wire: Option<&wire::TlsParameters>,
        newest: TlsVersion,
        at: &At<'_>,
    ) -> Self {
        let wire = wire.cloned().unwrap_or_default();
        let minimum = version(wire.tls_minimum_protocol_version()).unwrap_or(TlsVersion::V12);
        let maximum = version(wire.tls_maximum_protocol_version()).unwrap_or(newest);
        if minimum > maximum {
            at.error_at_key(Note::from("the least version is above the greatest").help(
                "lower 'tls_minimum_protocol_version' or raise 'tls_maximum_protocol_version'",
            ));
        }
        let parameters = Self {
            tls_minimum_protocol_version: minimum,
            tls_maximum_protocol_version: maximum,
            cipher_suites: cipher_suites(&wire.cipher_suites, &at.field("cipher_suites")),
            ecdh_curves: curves(&wire.ecdh_curves, &at.field("ecdh_curves")),
        };
        parameters.check(at);
        parameters
    }

    /// Reports what no handshake can do, unless what is missing was reported by its name.
    fn check(&self, at: &At<'_>) {
        let versions = self.versions();
        if versions.is_empty() || self.cipher_suites.is_empty() || self.ecdh_curves.is_empty() {
            return;
        }
        let builder = ServerConfig::builder_with_provider(Arc::new(self.crypto_provider()));
        if let Err(error) = builder.with_protocol_versions(&versions) {
            at.error_at_key(
                Note::from(format!("no handshake is possible: {error}"))
                    .help("add a cipher suite for each version, or narrow the versions"),
            );
        }
    }

    /// The algorithms and their order. Those of TLS 1.3 are Envoy's.
    pub fn crypto_provider(&self) -> CryptoProvider {
        let mut provider = aws_lc_rs::default_provider();
        let all = std::mem::take(&mut provider.cipher_suites);
        let of = |suite: &CipherSuite| all.iter().find(|known| known.suite() == *suite).copied();
        provider.cipher_suites =
            CIPHER_SUITES_13.iter().chain(&self.cipher_suites).filter_map(of).collect();
        let groups = aws_lc_rs::ALL_KX_GROUPS;
        provider.kx_groups = self
            .ecdh_curves
            .iter()
            .filter_map(|name| groups.iter().find(|group| group.name() == *name).copied())
            .collect();
        provider
    }

    /// The versions between the least and the greatest.
    pub fn versions(&self) -> Vec<&'static SupportedProtocolVersion> {
        let allowed = self.tls_minimum_protocol_version..=self.tls_maximum_protocol_version;
        let known = [(TlsVersion::V13, &TLS13), (TlsVersion::V12, &TLS12)];
        let known = known.into_iter().filter(|(version, _)| allowed.contains(version));
        known.map(|(_, version)| version).collect()
    }
}

/// The version that was asked for, if one was. Older ones were refused by the support gate.
fn version(wire: TlsProtocol) -> Option<TlsVersion> {
    match wire {
        TlsProtocol::TlsAuto => None,
        TlsProtocol::TlSv13 => Some(TlsVersion::V13),
        TlsProtocol::TlSv10 | TlsProtocol::TlSv11 | TlsProtocol::TlSv12 => Some(TlsVersion::V12),
    }
}

fn cipher_suites(wire: &[String], at: &At<'_>) -> Vec<CipherSuite> {
    if wire.is_empty() {
        return CIPHER_SUITES.iter().map(|(_, suite)| *suite).collect();
    }
    let mut suites = Vec::new();
    for (index, group) in wire.iter().enumerate() {
        let at = at.index(index);
        // [A|B] are equally good: here the first of them is better.
        let names = group.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        for name in names.unwrap_or(group).split('|') {
            suites.extend(known(name, &CIPHER_SUITES, "cipher suite", &at));
        }
    }
    suites
}

fn curves(wire: &[String], at: &At<'_>) -> Vec<NamedGroup> {
    if wire.is_empty() {
        return vec![NamedGroup::X25519MLKEM768, NamedGroup::X25519, NamedGroup::secp256r1];
    }
    let named = wire.iter().enumerate();
    named.filter_map(|(index, name)| known(name, &CURVES, "curve", &at.index(index))).collect()
}

fn known<T: Copy>(name: &str, table: &[(&str, T)], kind: &str, at: &At<'_>) -> Option<T> {
    let found = table.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    if found.is_none() {
        let supported: Vec<&str> = table.iter().map(|(name, _)| *name).collect();
        at.error(
            Note::from(format!("{kind} '{name}' is not supported by ringmain"))
                .help(format!("supported: {}", supported.join(", "))),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Report;

    #[test]
    fn groups_of_equal_suites_are_taken_apart() {
        let report = Report::default();
        let wire = ["[ECDHE-RSA-AES128-GCM-SHA256|ECDHE-RSA-CHACHA20-POLY1305]".to_owned()];
        let suites = cipher_suites(&wire, &report.root());
        assert_eq!(
            suites,
            [
                CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
                CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
            ]
        );
        assert_eq!(report.errors(), 0);
    }
}
