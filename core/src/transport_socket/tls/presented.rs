//! The certificates that a peer has shown, and what is said of them where they are not accepted.

use std::time::Duration;

use rustls::CertificateError;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::{CertRevocationList, ExtendedKeyUsageValidator, KeyUsage};

use super::certificate::Certificate;

/// What a peer has shown.
pub(super) struct Presented<'a> {
    pub(super) end_entity: &'a CertificateDer<'a>,
    pub(super) intermediates: &'a [CertificateDer<'a>],
    pub(super) now: UnixTime,
    pub(super) is_client: bool,
    pub(super) server_name: Option<&'a ServerName<'a>>,
}

impl Presented<'_> {
    pub(super) fn usage(&self) -> impl ExtendedKeyUsageValidator + use<> {
        match self.is_client {
            true => KeyUsage::client_auth(),
            false => KeyUsage::server_auth(),
        }
    }

    /// All of them, to be kept.
    pub(super) fn to_owned(&self) -> Vec<CertificateDer<'static>> {
        let shown = std::iter::once(self.end_entity).chain(self.intermediates);
        shown.map(|certificate| certificate.clone().into_owned()).collect()
    }

    /// The peer's certificate and those behind it, as they were shown.
    fn path(&self) -> impl Iterator<Item = Certificate> {
        let shown = std::iter::once(self.end_entity).chain(self.intermediates);
        shown.map(|certificate| Certificate::parse(certificate))
    }

    /// When each of them becomes valid.
    pub(super) fn begins(&self) -> impl Iterator<Item = UnixTime> {
        self.path().map(|certificate| moment(certificate.not_before))
    }

    /// The place of the last certificate that is not valid now.
    fn depth_of_other_times(&self) -> usize {
        let now = self.now_seconds();
        let places = self.path().enumerate();
        let other = places.filter(|(_, it)| !(it.not_before..=it.not_after).contains(&now));
        other.last().map_or(0, |(depth, _)| depth)
    }

    /// The place of the last certificate that the one before it names as its issuer, and whether it names
    /// itself.
    fn end_of_path(&self) -> (usize, bool) {
        let path: Vec<Certificate> = self.path().collect();
        let links = path.windows(2).take_while(|link| link[0].issuer == link[1].subject);
        let depth = links.count();
        (depth, path[depth].is_self_signed())
    }

    /// The place of the first certificate that `is_at_fault`.
    fn depth_where(&self, is_at_fault: impl Fn(&Certificate) -> bool) -> usize {
        self.path().position(|it| is_at_fault(&it)).unwrap_or_default()
    }

    fn now_seconds(&self) -> i64 {
        i64::try_from(self.now.as_secs()).unwrap_or(i64::MAX)
    }

    pub(super) fn is_current(&self, allow_expired: bool) -> Result<(), webpki::Error> {
        let certificate = Certificate::parse(self.end_entity);
        let now = self.now_seconds();
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

    /// Where the chain is wrong, BoringSSL's words for it, and what the peer is told.
    /// `crls` is what revokes certificates.
    pub(super) fn tell(
        &self,
        error: &webpki::Error,
        crls: &[CertRevocationList<'_>],
    ) -> (usize, &'static str, CertificateError) {
        match error {
            webpki::Error::CertExpired { .. } => {
                (self.depth_of_other_times(), "certificate has expired", CertificateError::Expired)
            }
            webpki::Error::CertNotValidYet { .. } => (
                self.depth_of_other_times(),
                "certificate is not yet valid",
                CertificateError::NotValidYet,
            ),
            webpki::Error::CertRevoked => (
                self.depth_where(|it| crls.iter().any(|crl| it.is_revoked_by(crl))),
                "certificate revocation check against provided CRLs failed: certificate revoked",
                CertificateError::Revoked,
            ),
            webpki::Error::UnknownRevocationStatus => (
                self.depth_where(|it| !crls.iter().any(|crl| it.has_issuer_of(crl))),
                "certificate revocation check against provided CRLs failed: unable to get certificate CRL",
                CertificateError::UnknownRevocationStatus,
            ),
            webpki::Error::CrlExpired { .. } => (
                0,
                "certificate revocation check against provided CRLs failed: CRL has expired",
                CertificateError::Expired,
            ),
            webpki::Error::RequiredEkuNotFoundContext(_) => {
                (0, "unsupported certificate purpose", CertificateError::InvalidPurpose)
            }
            webpki::Error::EndEntityUsedAsCa => {
                (1, "invalid CA certificate", CertificateError::UnknownIssuer)
            }
            webpki::Error::PathLenConstraintViolated => (
                self.end_of_path().0,
                "path length constraint exceeded",
                CertificateError::UnknownIssuer,
            ),
            webpki::Error::UnknownIssuer | webpki::Error::CaUsedAsEndEntity => {
                let (depth, is_self_signed) = self.end_of_path();
                let reason = match (is_self_signed, depth) {
                    (true, 0) => "self signed certificate",
                    (true, _) => "self signed certificate in certificate chain",
                    (false, _) => "unable to get local issuer certificate",
                };
                (depth, reason, CertificateError::UnknownIssuer)
            }
            webpki::Error::InvalidSignatureForPublicKey => {
                (0, "certificate signature failure", CertificateError::BadSignature)
            }
            _ => (0, "certificate rejected", CertificateError::BadEncoding),
        }
    }
}

/// A moment in seconds since 1970; those before are that.
fn moment(seconds: i64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(seconds).unwrap_or_default()))
}
