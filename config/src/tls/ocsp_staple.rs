//! `ocsp_staple`: what an authority says of a certificate, for clients that ask for it (RFC 6960).
//!
//! Like Envoy this looks at what the response is about and how long it holds; its signature is the
//! client's to verify.

use std::fmt::{self, Debug, Formatter};
use std::time::{SystemTime, UNIX_EPOCH};

use envoy_types::pb::envoy::config::core::v3::data_source::Specifier;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::TlsCertificate;
use x509_parser::asn1_rs::{Any, Class, FromDer, GeneralizedTime, Tag};
use x509_parser::prelude::X509Certificate;

use crate::data_source;
use crate::report::{At, Note};

/// `id-pkix-ocsp-basic` (RFC 6960 §4.2.1): 1.3.6.1.5.5.7.48.1.1.
const BASIC_RESPONSE: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 48, 1, 1];
/// `id-pe-tlsfeature` (RFC 7633): 1.3.6.1.5.5.7.1.24.
const TLS_FEATURE: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 1, 24];
/// The TLS extension `status_request` (RFC 6066 §8).
const STATUS_REQUEST: u8 = 5;

/// A response for one certificate.
#[derive(Clone, PartialEq, Eq)]
pub struct OcspStaple {
    /// The whole response in DER.
    pub response: Vec<u8>,
    /// `nextUpdate` in seconds since 1970; a response without one is never sent.
    pub next_update: Option<i64>,
}

impl OcspStaple {
    /// Reads `ocsp_staple`; the outer `None` tells of an error.
    pub(super) fn from_wire(
        wire: &TlsCertificate,
        leaf: &X509Certificate<'_>,
        at: &At<'_>,
    ) -> Option<Option<Self>> {
        let Some(source) = &wire.ocsp_staple else { return Some(None) };
        let at = at.field("ocsp_staple");
        if matches!(source.specifier, Some(Specifier::InlineString(_))) {
            at.error(
                Note::from("OCSP staple cannot be provided via inline_string")
                    .help("use 'filename' or 'inline_bytes'"),
            );
            return None;
        }
        let response = data_source::read(source, &at)?;
        if response.is_empty() {
            return Some(None);
        }
        let single = single_response(&response).map_err(|fault| at.error(fault)).ok()?;
        if single.serial_number != leaf.raw_serial() {
            at.error(
                Note::from("OCSP response does not match its TLS certificate")
                    .help("fetch the response for this certificate"),
            );
            return None;
        }
        let next_update = single.next_update;
        Some(Some(Self { response, next_update }))
    }

    /// How long it holds; negative where it does no more.
    pub fn seconds_left(&self) -> i64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        self.next_update.map_or(-1, |until| until - now)
    }
}

impl Debug for OcspStaple {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("OcspStaple").field("next_update", &self.next_update).finish_non_exhaustive()
    }
}

/// Whether `certificate` says that it is worth nothing without a staple (RFC 7633).
pub(super) fn is_must_staple(certificate: &X509Certificate<'_>) -> bool {
    let features =
        certificate.extensions().iter().find(|extension| extension.oid.as_bytes() == TLS_FEATURE);
    let list = features.and_then(|extension| element(extension.value).ok());
    list.is_some_and(|(list, _)| {
        elements(list.data).any(|feature| feature.data == [STATUS_REQUEST])
    })
}

/// What a response says of one certificate.
struct SingleResponse<'a> {
    serial_number: &'a [u8],
    next_update: Option<i64>,
}

const MALFORMED: &str = "is no OCSP response in DER";

/// The one certificate that `der` is about, an `OCSPResponse` (RFC 6960 §4.2.1).
fn single_response(der: &[u8]) -> Result<SingleResponse<'_>, &'static str> {
    let (response, rest) = element(der)?;
    if !rest.is_empty() {
        return Err(MALFORMED);
    }
    let (status, bytes) = element(response.data)?;
    if status.data != [0] {
        return Err("OCSP response was unsuccessful");
    }
    if bytes.is_empty() {
        return Err("OCSP response has no body");
    }
    let (bytes, _) = element(element(bytes)?.0.data)?;
    let (kind, bytes) = element(bytes.data)?;
    if kind.data != BASIC_RESPONSE {
        return Err("OCSP response is of an unknown type");
    }
    let (basic, _) = element(element(bytes)?.0.data)?;
    let (data, _) = element(basic.data)?;
    // The version has a default, and one of two names tells the responder; the list is the first
    // SEQUENCE after the time.
    let responses = elements(data.data).skip_while(|part| !is_time(part)).nth(1);
    let mut singles = elements(responses.ok_or(MALFORMED)?.data);
    match (singles.next(), singles.next()) {
        (Some(single), None) => of_certificate(single.data),
        _ => Err("OCSP response must be for one certificate only"),
    }
}

/// A `SingleResponse`: what it is about, its status, `thisUpdate` and perhaps `nextUpdate`.
fn of_certificate(single: &[u8]) -> Result<SingleResponse<'_>, &'static str> {
    let mut parts = elements(single);
    let certificate = parts.next().ok_or(MALFORMED)?;
    let serial_number = elements(certificate.data).last().ok_or(MALFORMED)?.data;
    let next_update = parts.nth(2).filter(|part| part.class() == Class::ContextSpecific);
    let next_update = match next_update.filter(|part| part.tag().0 == 0) {
        Some(part) => {
            let (_, time) = GeneralizedTime::from_der(part.data).map_err(|_| MALFORMED)?;
            Some(time.utc_datetime().map_err(|_| MALFORMED)?.unix_timestamp())
        }
        None => None,
    };
    Ok(SingleResponse { serial_number, next_update })
}

fn is_time(part: &Any<'_>) -> bool {
    part.class() == Class::Universal && part.tag() == Tag::GeneralizedTime
}

/// The first element of `der`, and what follows it.
fn element(der: &[u8]) -> Result<(Any<'_>, &[u8]), &'static str> {
    Any::from_der(der).map(|(rest, element)| (element, rest)).map_err(|_| MALFORMED)
}

/// The elements of `der`, as far as they are well formed.
fn elements(mut der: &[u8]) -> impl Iterator<Item = Any<'_>> {
    std::iter::from_fn(move || {
        let (element, rest) = element(der).ok()?;
        der = rest;
        Some(element)
    })
}
