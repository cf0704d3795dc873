//! What operators say of TLS and of certificates.

use std::time::{Duration, SystemTime};

use ringmain_config::substitution_format::{
    CertificateValue, TimeFormat, TlsConnection, TlsOperator, TlsValue, Zone,
};

use super::evaluator::{Evaluator, Kind};
use super::request_values::text;
use super::time_text;
use crate::transport_socket::tls::{Certificate, TlsInfo, hex};

impl Evaluator<'_> {
    pub(super) fn tls(
        &self,
        operator: TlsOperator,
        format: Option<&TimeFormat>,
        out: &mut Vec<u8>,
    ) -> Option<Kind> {
        let info = &self.exchange.info;
        let tls = match operator.connection {
            TlsConnection::Downstream => info.downstream_tls.as_deref()?,
            TlsConnection::Upstream => info.upstream_tls.as_deref()?,
        };
        match operator.value {
            TlsValue::Version => text(tls.version?.as_bytes(), out),
            TlsValue::Cipher => text(tls.cipher?.as_bytes(), out),
            TlsValue::Group => text(tls.group?.as_bytes(), out),
            TlsValue::Local(value) => of_certificate(tls.local()?, value, format, out),
            TlsValue::Peer(value) => {
                let chain = of_chain(tls, value);
                if chain.is_empty() {
                    return of_certificate(tls.peer()?, value, format, out);
                }
                text(chain.join(",").as_bytes(), out)
            }
        }
    }
}

/// One value for each certificate of the peer's chain; empty where that is not asked.
fn of_chain(tls: &TlsInfo, value: CertificateValue) -> Vec<String> {
    let of_each = |told: fn(&Certificate) -> String| tls.peer_chain().iter().map(told).collect();
    match value {
        CertificateValue::ChainFingerprints1 => of_each(|certificate| hex(&certificate.sha1)),
        CertificateValue::ChainFingerprints256 => of_each(|certificate| hex(&certificate.sha256)),
        CertificateValue::ChainSerials => of_each(|certificate| certificate.serial.clone()),
        _ => Vec::new(),
    }
}

fn of_certificate(
    certificate: &Certificate,
    value: CertificateValue,
    format: Option<&TimeFormat>,
    out: &mut Vec<u8>,
) -> Option<Kind> {
    use CertificateValue as V;
    let told = |value: &str, out: &mut Vec<u8>| match value {
        "" => None,
        value => text(value.as_bytes(), out),
    };
    match value {
        V::Subject => told(&certificate.subject, out),
        V::Issuer => told(&certificate.issuer, out),
        V::Serial => told(&certificate.serial, out),
        V::Fingerprint1 => told(&hex(&certificate.sha1), out),
        V::Fingerprint256 => told(&hex(&certificate.sha256), out),
        V::DnsSans => told(&certificate.dns_sans.join(","), out),
        V::UriSans => told(&certificate.uri_sans.join(","), out),
        V::EmailSans => told(&certificate.email_sans.join(","), out),
        V::IpSans => told(&certificate.ip_sans.join(","), out),
        V::OtherSans => told(&certificate.other_sans.join(","), out),
        V::ValidFrom => moment(certificate.not_before, format, out),
        V::ValidUntil => moment(certificate.not_after, format, out),
        V::Pem => told(certificate.url_encoded_pem(), out),
        V::ChainFingerprints1 | V::ChainFingerprints256 | V::ChainSerials => None,
    }
}

fn moment(seconds: i64, format: Option<&TimeFormat>, out: &mut Vec<u8>) -> Option<Kind> {
    let since = Duration::from_secs(u64::try_from(seconds).ok()?);
    time_text::write(SystemTime::UNIX_EPOCH + since, Zone::Utc, format, out);
    Some(Kind::Text)
}
