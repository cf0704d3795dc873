//! Whether a peer's certificate is accepted: its chain by rustls-webpki, its names and fingerprints
//! as Envoy holds them against a `CertificateValidationContext`. For both sides of the proxy.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ringmain_config::matcher::{StringMatcher, StringTest};
use ringmain_config::tls::{
    CertificateValidationContext, SanType, SubjectAltNameMatcher, TrustChainVerification,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
};
use webpki::{
    CertRevocationList, EndEntityCert, ExpirationPolicy, RevocationCheckDepth,
    RevocationOptionsBuilder, UnknownStatusPolicy,
};

use super::certificate::Certificate;
use super::observed::note;
use super::possession;
use super::presented::Presented;

/// Why a certificate is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Nobody trusted vouches for it.
    Chain {
        /// How many certificates are between the peer's and the one that is wrong.
        depth: usize,
        /// BoringSSL's words.
        reason: &'static str,
    },
    /// None of its names is asked for; these are they.
    SubjectAltNames(Vec<String>),
    /// It is none of those known beforehand.
    Pins,
}

impl Refusal {
    /// As Envoy tells it in logs.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Chain { depth, reason } => format!(
                "verify cert failed: X509_verify_cert: certificate verification error at depth \
                 {depth}: {reason}"
            ),
            Self::SubjectAltNames(names) => format!(
                "verify cert failed: SAN matcher, certificate SANs are [{}]",
                names.join(", ")
            ),
            Self::Pins => "verify cert failed: cert hash and spki".to_owned(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl std::error::Error for Refusal {}

/// The rules, ready for use.
#[derive(Debug)]
pub(super) struct Verifier {
    /// Absent: every certificate is accepted, and none is validated.
    rules: Option<CertificateValidationContext>,
    crls: Vec<CertRevocationList<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
    root_hints: Vec<DistinguishedName>,
    /// Whether clients must show a certificate.
    mandatory: bool,
    name_demand: NameDemand,
}

/// Which names a certificate has to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameDemand {
    /// What `match_typed_subject_alt_names` says.
    Configured,
    /// `auto_sni_san_validation`: the name that was sent; where none was, as configured.
    Sent,
    /// `auto_san_validation`: the name or the address that the request is for.
    Requested,
}

impl Verifier {
    pub(super) fn new(
        rules: Option<&CertificateValidationContext>,
        provider: &CryptoProvider,
    ) -> Self {
        let rules = rules.filter(|rules| rules.asks_anything());
        let hints = rules.filter(|rules| !rules.suppress_client_ca_list);
        let crls = rules.iter().flat_map(|rules| rules.crl.iter().cloned());
        Self {
            crls: crls.map(CertRevocationList::from).collect(),
            algorithms: provider.signature_verification_algorithms,
            root_hints: hints.map_or_else(Vec::new, |rules| rules.roots.subjects()),
            rules: rules.cloned(),
            mandatory: false,
            name_demand: NameDemand::Configured,
        }
    }

    /// Demands a certificate of every client if `required`; rules for names and pins do so too, as in
    /// Envoy.
    pub(super) fn mandatory(mut self, required: bool) -> Self {
        let demands = |rules: &CertificateValidationContext| {
            rules.pins_certificates() || !rules.match_typed_subject_alt_names.is_empty()
        };
        self.mandatory = required || self.rules.as_ref().is_some_and(demands);
        self
    }

    /// Demands names of the certificate as `demand` says.
    pub(super) fn demanding_names(mut self, demand: NameDemand) -> Self {
        self.name_demand = demand;
        self
    }

    /// Whether certificates are looked at.
    pub(super) fn has_rules(&self) -> bool {
        self.rules.is_some()
    }

    fn verify(&self, presented: &Presented<'_>) -> Result<(), Error> {
        let Some(rules) = &self.rules else { return Ok(()) };
        let verified = self.chain_is_trusted(rules, presented).and_then(|()| {
            self.has_wanted_name(rules, presented)?;
            is_pinned(rules, presented.end_entity)
        });
        match verified {
            Ok(()) => note(|observed| observed.validated = rules.holds_to_anything()),
            Err((refusal, error)) => {
                note(|observed| observed.refusal = Some(refusal));
                if rules.trust_chain_verification == TrustChainVerification::VerifyTrustChain {
                    note(|observed| observed.refused = presented.to_owned());
                    return Err(Error::InvalidCertificate(error));
                }
            }
        }
        Ok(())
    }

    fn chain_is_trusted(
        &self,
        rules: &CertificateValidationContext,
        presented: &Presented<'_>,
    ) -> Result<(), (Refusal, CertificateError)> {
        if rules.trusted_ca.is_empty() {
            return Ok(());
        }
        let result = match self.build_chain(rules, presented, presented.now) {
            Err(webpki::Error::CertExpired { .. } | webpki::Error::CertNotValidYet { .. })
                if rules.allow_expired_certificate =>
            {
                self.build_chain_of_the_past(rules, presented)
            }
            // OpenSSL trusts what it is told to trust, even where that is no authority.
            Err(_) if rules.trusted_ca.iter().any(|known| known == presented.end_entity) => {
                presented.is_current(rules.allow_expired_certificate)
            }
            result => result,
        };
        result.map_err(|error| {
            let (depth, reason, error) = presented.tell(&error, &self.crls);
            (Refusal::Chain { depth, reason }, error)
        })
    }

    /// Where all certificates of a chain were ever valid at once, they were so when one of them began to be.
    fn build_chain_of_the_past(
        &self,
        rules: &CertificateValidationContext,
        presented: &Presented<'_>,
    ) -> Result<(), webpki::Error> {
        const MOMENTS_MAX: usize = 8;
        let mut built = Err(webpki::Error::UnknownIssuer);
        for begin in presented.begins().take(MOMENTS_MAX) {
            built = self.build_chain(rules, presented, begin);
            if built.is_ok() {
                break;
            }
        }
        built
    }

    fn build_chain(
        &self,
        rules: &CertificateValidationContext,
        presented: &Presented<'_>,
        now: UnixTime,
    ) -> Result<(), webpki::Error> {
        let end_entity = EndEntityCert::try_from(presented.end_entity)?;
        let crls: Vec<&CertRevocationList<'_>> = self.crls.iter().collect();
        let revocation = RevocationOptionsBuilder::new(&crls).ok().map(|builder| {
            let depth = match rules.only_verify_leaf_cert_crl {
                true => RevocationCheckDepth::EndEntity,
                false => RevocationCheckDepth::Chain,
            };
            builder
                .with_depth(depth)
                .with_status_policy(UnknownStatusPolicy::Deny)
                .with_expiration_policy(ExpirationPolicy::Enforce)
                .build()
        });
        let path = end_entity.verify_for_usage(
            self.algorithms.all,
            &rules.roots.roots,
            presented.intermediates,
            now,
            presented.usage(),
            revocation,
            None,
        );
        path.map(drop)
    }

    fn has_wanted_name(
        &self,
        rules: &CertificateValidationContext,
        presented: &Presented<'_>,
    ) -> Result<(), (Refusal, CertificateError)> {
        let wanted = &rules.match_typed_subject_alt_names;
        if wanted.is_empty() && self.name_demand == NameDemand::Configured {
            return Ok(());
        }
        let certificate = Certificate::parse(presented.end_entity);
        let has_name = match (self.name_demand, presented.server_name) {
            (NameDemand::Sent | NameDemand::Requested, Some(ServerName::DnsName(name))) => {
                certificate.is_for(name.as_ref())
            }
            (NameDemand::Requested, Some(ServerName::IpAddress(ip))) => {
                certificate.ip_sans.contains(&IpAddr::from(*ip).to_string())
            }
            _ => {
                let matches = |matcher| matches_any(matcher, &certificate);
                wanted.is_empty() || wanted.iter().any(matches)
            }
        };
        if has_name {
            return Ok(());
        }
        let names = certificate.all_names().map(str::to_owned).collect();
        Err(refused(Refusal::SubjectAltNames(names)))
    }

    fn check_signature(
        &self,
        verified: Result<(), Error>,
        scheme: SignatureScheme,
    ) -> Result<HandshakeSignatureValid, Error> {
        note(|observed| observed.signature = Some(scheme));
        verified.map(|()| HandshakeSignatureValid::assertion())
    }
}

fn refused(refusal: Refusal) -> (Refusal, CertificateError) {
    let error = CertificateError::Other(OtherError(Arc::new(refusal.clone())));
    (refusal, error)
}

fn is_pinned(
    rules: &CertificateValidationContext,
    end_entity: &CertificateDer<'_>,
) -> Result<(), (Refusal, CertificateError)> {
    if !rules.pins_certificates() {
        return Ok(());
    }
    let certificate = Certificate::parse(end_entity);
    let known = rules.verify_certificate_hash.contains(&certificate.sha256)
        || rules.verify_certificate_spki.contains(&certificate.spki_sha256);
    if known { Ok(()) } else { Err(refused(Refusal::Pins)) }
}

fn matches_any(matcher: &SubjectAltNameMatcher, certificate: &Certificate) -> bool {
    let names = match matcher.san_type {
        SanType::Dns => &certificate.dns_sans,
        SanType::Uri => &certificate.uri_sans,
        SanType::Email => &certificate.email_sans,
        SanType::IpAddress => &certificate.ip_sans,
    };
    names.iter().any(|name| match exact_dns_name(matcher) {
        Some(wanted) => super::certificate::dns_name_matches(name, wanted),
        None => matcher.matcher.matches(name.as_bytes()),
    })
}

/// An exact matcher of a DNS name, for which wildcards of the certificate count.
fn exact_dns_name(matcher: &SubjectAltNameMatcher) -> Option<&str> {
    match &matcher.matcher {
        StringMatcher { test: StringTest::Exact(exact), .. }
            if matcher.san_type == SanType::Dns =>
        {
            Some(exact)
        }
        _ => None,
    }
}

impl ClientCertVerifier for Verifier {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.root_hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let presented =
            Presented { end_entity, intermediates, now, is_client: true, server_name: None };
        self.verify(&presented).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verified = possession::verify_tls12(message, certificate, signed, &self.algorithms);
        self.check_signature(verified, signed.scheme)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verified = possession::verify_tls13(message, certificate, signed, &self.algorithms);
        self.check_signature(verified, signed.scheme)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let presented = Presented {
            end_entity,
            intermediates,
            now,
            is_client: false,
            server_name: Some(server_name),
        };
        self.verify(&presented).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        ClientCertVerifier::verify_tls12_signature(self, message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        ClientCertVerifier::verify_tls13_signature(self, message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
