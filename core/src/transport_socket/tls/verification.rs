//! Whether a peer's certificate is accepted: its chain by rustls-webpki, its names and fingerprints
//! as Envoy holds them against a `CertificateValidationContext`. For both sides of the proxy.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ringmain_config::matcher::{StringMatcher, StringTest};
use ringmain_config::tls::{
    CertificateValidationContext, SanType, SubjectAltNameMatcher, TrustChainVerification,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
};
use webpki::{
    CertRevocationList, EndEntityCert, ExpirationPolicy, ExtendedKeyUsageValidator, KeyUsage,
    RevocationCheckDepth, RevocationOptionsBuilder, UnknownStatusPolicy,
};

use super::certificate::Certificate;
use super::observed::note;

/// Why a certificate is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Nobody trusted vouches for it; OpenSSL's words for the reason.
    Chain(&'static str),
    /// None of its names is asked for; these are they.
    SubjectAltNames(Vec<String>),
    /// It is none of those known beforehand.
    Pins,
}

impl Refusal {
    /// As Envoy tells it in logs.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Chain(reason) => format!(
                "verify cert failed: X509_verify_cert: certificate verification error at depth 0: \
                 {reason}"
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
            Ok(()) => note(|observed| observed.validated = true),
            Err((refusal, error)) => {
                note(|observed| observed.refusal = Some(refusal));
                if rules.trust_chain_verification == TrustChainVerification::VerifyTrustChain {
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
                self.build_chain(rules, presented, presented.some_valid_moment())
            }
            // OpenSSL trusts what it is told to trust, even where that is no authority.
            Err(_) if rules.trusted_ca.iter().any(|known| known == presented.end_entity) => {
                presented.is_current(rules.allow_expired_certificate)
            }
            result => result,
        };
        result.map_err(|error| {
            let (reason, error) = chain_error(&error, presented);
            (Refusal::Chain(reason), error)
        })
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
        verified: Result<HandshakeSignatureValid, Error>,
        scheme: SignatureScheme,
    ) -> Result<HandshakeSignatureValid, Error> {
        note(|observed| observed.signature = Some(scheme));
        verified
    }
}

/// What a peer has shown.
struct Presented<'a> {
    end_entity: &'a CertificateDer<'a>,
    intermediates: &'a [CertificateDer<'a>],
    now: UnixTime,
    is_client: bool,
    server_name: Option<&'a ServerName<'a>>,
}

impl Presented<'_> {
    fn usage(&self) -> impl ExtendedKeyUsageValidator + use<> {
        match self.is_client {
            true => KeyUsage::client_auth(),
            false => KeyUsage::server_auth(),
        }
    }

    /// A moment at which the certificate is valid, whenever that is.
    fn some_valid_moment(&self) -> UnixTime {
        let chain = std::iter::once(self.end_entity).chain(self.intermediates);
        let begins = chain.map(|certificate| Certificate::parse(certificate).not_before);
        moment(begins.max().unwrap_or_default())
    }

    fn is_current(&self, allow_expired: bool) -> Result<(), webpki::Error> {
        let certificate = Certificate::parse(self.end_entity);
        let now = i64::try_from(self.now.as_secs()).unwrap_or(i64::MAX);
        if allow_expired || (certificate.not_before..=certificate.not_after).contains(&now) {
            return Ok(());
        }
        Err(match now > certificate.not_after {
            true => webpki::Error::CertExpired {
                time: self.now,
                not_after: moment(certificate.not_after),
            },
            false => webpki::Error::CertNotValidYet {
                time: self.now,
                not_before: moment(certificate.not_before),
            },
        })
    }
}

/// A moment in seconds since 1970; those before are that.
fn moment(seconds: i64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(seconds).unwrap_or_default()))
}

/// OpenSSL's words, and what the peer is told.
fn chain_error(
    error: &webpki::Error,
    presented: &Presented<'_>,
) -> (&'static str, CertificateError) {
    match error {
        webpki::Error::CertExpired { .. } => ("certificate has expired", CertificateError::Expired),
        webpki::Error::CertNotValidYet { .. } => {
            ("certificate is not yet valid", CertificateError::NotValidYet)
        }
        webpki::Error::CertRevoked => (
            "certificate revocation check against provided CRLs failed: certificate revoked",
            CertificateError::Revoked,
        ),
        webpki::Error::UnknownRevocationStatus => (
            "certificate revocation check against provided CRLs failed: unable to get certificate CRL",
            CertificateError::UnknownRevocationStatus,
        ),
        webpki::Error::CrlExpired { .. } => (
            "certificate revocation check against provided CRLs failed: CRL has expired",
            CertificateError::ExpiredRevocationList,
        ),
        webpki::Error::RequiredEkuNotFoundContext(_) => {
            ("unsuitable certificate purpose", CertificateError::InvalidPurpose)
        }
        webpki::Error::UnknownIssuer | webpki::Error::CaUsedAsEndEntity => {
            let self_signed = Certificate::parse(presented.end_entity).is_self_signed();
            let reason = match (self_signed, presented.intermediates.is_empty()) {
                (true, true) => "self signed certificate",
                (true, false) => "self signed certificate in certificate chain",
                (false, _) => "unable to get local issuer certificate",
            };
            (reason, CertificateError::UnknownIssuer)
        }
        webpki::Error::InvalidSignatureForPublicKey => {
            ("certificate signature failure", CertificateError::BadSignature)
        }
        _ => ("certificate rejected", CertificateError::BadEncoding),
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
        let verified = verify_tls12_signature(message, certificate, signed, &self.algorithms);
        self.check_signature(verified, signed.scheme)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verified = verify_tls13_signature(message, certificate, signed, &self.algorithms);
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
