//! What a client gets that asks for what the authority of a certificate says of it (OCSP stapling,
//! RFC 6066 §8). The rules are those of Envoy's `ocsp_staple_policy`.

use std::sync::Arc;

use ringmain_config::tls::{OcspStaple, OcspStaplePolicy, TlsCertificate};
use rustls::sign::CertifiedKey;

use super::observed::Staple;

/// The staple of a certificate, and what is done without it.
#[derive(Debug)]
pub(super) struct Stapling {
    staple: Option<OcspStaple>,
    /// The certificate with its staple.
    key: Option<Arc<CertifiedKey>>,
    policy: OcspStaplePolicy,
}

impl Stapling {
    pub(super) fn new(certificate: &TlsCertificate, policy: OcspStaplePolicy) -> Self {
        let staple = certificate.ocsp_staple.clone();
        let stapled = staple.as_ref().map(|staple| {
            let mut key = CertifiedKey::clone(&certificate.certified_key);
            key.ocsp = Some(staple.response.clone());
            Arc::new(key)
        });
        let policy = match certificate.is_must_staple {
            true => OcspStaplePolicy::MustStaple,
            false => policy,
        };
        Self { staple, key: stapled, policy }
    }

    /// The certificate with its staple, where it has one.
    pub(super) fn key(&self) -> Option<&Arc<CertifiedKey>> {
        self.key.as_ref()
    }

    /// What a client gets now that has asked for a staple or not.
    pub(super) fn of(&self, requested: bool) -> Staple {
        if !requested {
            return Staple::NotRequested;
        }
        match (&self.staple, self.policy) {
            (Some(staple), _) if staple.seconds_left() >= 0 => Staple::Sent,
            (_, OcspStaplePolicy::LenientStapling) => Staple::Omitted,
            (None, OcspStaplePolicy::StrictStapling) => Staple::Omitted,
            (_, OcspStaplePolicy::StrictStapling | OcspStaplePolicy::MustStaple) => Staple::Failed,
        }
    }
}
