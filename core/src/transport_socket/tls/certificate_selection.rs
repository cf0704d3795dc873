//! Which of several certificates a client gets: by the name it asks for, then by the kind of key it
//! takes. The rules and their order are those of Envoy's default selector.

use std::collections::HashMap;
use std::sync::Arc;

use ringmain_config::tls::{DownstreamTlsContext, OcspStaplePolicy, TlsCertificate};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{NamedGroup, SignatureAlgorithm, SignatureScheme};

use super::certificate::Certificate;
use super::observed::{Staple, note, requests_status};
use super::stapling::Stapling;

/// The certificates of a context, and who is meant by which name.
#[derive(Debug)]
pub(super) struct CertificateSelection {
    certificates: Vec<Candidate>,
    /// Indices by name in lower case; that of a wildcard begins with its dot.
    by_name: HashMap<Box<str>, Vec<usize>>,
    has_rsa: bool,
    require_sni: bool,
    full_scan_on_mismatch: bool,
}

#[derive(Debug)]
struct Candidate {
    key: Arc<CertifiedKey>,
    stapling: Stapling,
    is_ecdsa: bool,
    /// The curve of an ECDSA key.
    curve: Option<NamedGroup>,
}

/// What a client takes.
struct Takes {
    ecdsa: bool,
    groups: Option<Vec<NamedGroup>>,
    /// Whether it asks for an OCSP staple.
    requests_status: bool,
}

impl CertificateSelection {
    pub(super) fn new(context: &DownstreamTlsContext) -> Self {
        let mut certificates: Vec<Candidate> = Vec::new();
        let mut by_name: HashMap<Box<str>, Vec<usize>> = HashMap::new();
        for (index, certificate) in context.common.tls_certificates.iter().enumerate() {
            let candidate = Candidate::new(certificate, context.ocsp_staple_policy);
            for name in names(&Certificate::parse(certificate.leaf())) {
                let known = by_name.entry(name).or_default();
                // The first of a kind of key has the name.
                if !known.iter().any(|known| certificates[*known].is_ecdsa == candidate.is_ecdsa) {
                    known.push(index);
                }
            }
            certificates.push(candidate);
        }
        Self {
            has_rsa: certificates.iter().any(|candidate| !candidate.is_ecdsa),
            certificates,
            by_name,
            require_sni: context.require_sni,
            full_scan_on_mismatch: context.full_scan_certs_on_sni_mismatch,
        }
    }

    fn select(&self, server_name: Option<&str>, takes: &Takes) -> Option<&Candidate> {
        let Some(name) = server_name else {
            return (!self.require_sni).then(|| self.scan(takes));
        };
        let name = name.to_ascii_lowercase();
        let wildcard = name.find('.').map(|dot| &name[dot..]);
        for name in [Some(name.as_str()), wildcard].into_iter().flatten() {
            let named = self.by_name.get(name).into_iter().flatten();
            let best = best(named.map(|index| &self.certificates[*index]), takes);
            if best.is_some() {
                return best;
            }
        }
        Some(if self.full_scan_on_mismatch { self.scan(takes) } else { &self.certificates[0] })
    }

    /// The first that the client takes, whatever its name; else the first.
    fn scan(&self, takes: &Takes) -> &Candidate {
        let usable = takes.ecdsa || self.has_rsa;
        let best = usable.then(|| best(self.certificates.iter(), takes)).flatten();
        best.unwrap_or(&self.certificates[0])
    }
}

/// An ECDSA certificate for who takes it, an RSA one for others, or where there is no ECDSA one.
fn best<'a>(
    candidates: impl Iterator<Item = &'a Candidate>,
    takes: &Takes,
) -> Option<&'a Candidate> {
    let mut second_best = None;
    let shown =
        |candidate: &&Candidate| candidate.stapling.of(takes.requests_status) != Staple::Failed;
    for candidate in candidates.filter(shown) {
        if candidate.is_ecdsa {
            if takes.ecdsa && takes.has_group(candidate.curve) {
                return Some(candidate);
            }
        } else if !takes.ecdsa {
            return Some(candidate);
        } else {
            second_best = second_best.or(Some(candidate));
        }
    }
    second_best
}

impl Takes {
    fn of(hello: &ClientHello<'_>) -> Self {
        let is_ecdsa = |scheme: &SignatureScheme| {
            matches!(
                scheme,
                SignatureScheme::ECDSA_NISTP256_SHA256
                    | SignatureScheme::ECDSA_NISTP384_SHA384
                    | SignatureScheme::ECDSA_NISTP521_SHA512
            )
        };
        Self {
            ecdsa: hello.signature_schemes().iter().any(is_ecdsa) && takes_ecdsa_suites(hello),
            groups: hello.named_groups().map(<[NamedGroup]>::to_vec),
            requests_status: requests_status(),
        }
    }

    fn has_group(&self, group: Option<NamedGroup>) -> bool {
        match (&self.groups, group) {
            (Some(groups), Some(group)) => groups.contains(&group),
            _ => true,
        }
    }
}

/// In TLS 1.3 suites say nothing of keys, before they do.
fn takes_ecdsa_suites(hello: &ClientHello<'_>) -> bool {
    use rustls::CipherSuite;
    hello.cipher_suites().iter().any(|suite| {
        matches!(
            suite,
            CipherSuite::TLS13_AES_128_GCM_SHA256
                | CipherSuite::TLS13_AES_256_GCM_SHA384
                | CipherSuite::TLS13_CHACHA20_POLY1305_SHA256
                | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
                | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
                | CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
        )
    })
}

impl Candidate {
    fn new(certificate: &TlsCertificate, policy: OcspStaplePolicy) -> Self {
        let key = certificate.certified_key.clone();
        let is_ecdsa = key.key.algorithm() == SignatureAlgorithm::ECDSA;
        let offers = |scheme| key.key.choose_scheme(&[scheme]).is_some();
        let curve = match is_ecdsa {
            true if offers(SignatureScheme::ECDSA_NISTP256_SHA256) => Some(NamedGroup::secp256r1),
            true if offers(SignatureScheme::ECDSA_NISTP384_SHA384) => Some(NamedGroup::secp384r1),
            _ => None,
        };
        Self { key, stapling: Stapling::new(certificate, policy), is_ecdsa, curve }
    }
}

/// Its DNS names, or, where it has none, its common name.
fn names(certificate: &Certificate) -> Vec<Box<str>> {
    let by_dns = certificate.dns_sans.iter();
    let common_name = certificate.common_name.iter().filter(|_| certificate.dns_sans.is_empty());
    by_dns
        .chain(common_name)
        .map(|name| {
            let name = name.to_ascii_lowercase();
            name.strip_prefix("*.").map_or(name.as_str(), |_| &name[1..]).into()
        })
        .collect()
}

impl ResolvesServerCert for CertificateSelection {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let takes = Takes::of(&hello);
        let selected = self.select(hello.server_name(), &takes)?;
        let staple = selected.stapling.of(takes.requests_status);
        note(|observed| observed.staple = Some(staple));
        let key = match staple {
            Staple::Failed => return None,
            Staple::Sent => selected.stapling.key()?.clone(),
            Staple::Omitted | Staple::NotRequested => selected.key.clone(),
        };
        note(|observed| observed.local = Some(key.clone()));
        Some(key)
    }
}
