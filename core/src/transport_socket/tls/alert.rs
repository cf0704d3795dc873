//! What a peer is told when a handshake fails.
//!
//! rustls chooses the alert. As long as nothing is encrypted it can still be made the one that BoringSSL
//! sends, by which clients of Envoy know what is wrong.

use rustls::{AlertDescription, Error, InvalidMessage, PeerIncompatible, ProtocolVersion};

use super::names;

/// An alert in plain text (RFC 8446 §5.1, §6): what it is, a version, its length, its level and
/// description.
const ALERT_BYTES: usize = 7;
const ALERT: [u8; 5] = [21, 3, 3, 0, 2];

/// Changes the alert at the end of `outgoing`, which `error` has put there. `version` is the one agreed
/// on so far, `opening` what a client began with.
pub(super) fn reword(
    outgoing: &mut Vec<u8>,
    error: &Error,
    version: Option<ProtocolVersion>,
    opening: &[u8],
) {
    let Some(begin) = outgoing.len().checked_sub(ALERT_BYTES) else { return };
    let alert = &mut outgoing[begin..];
    if !alert.starts_with(&ALERT) {
        return;
    }
    if names::is_http(opening) {
        // Who speaks HTTP would take it for the begin of a response.
        return outgoing.truncate(begin);
    }
    if version.is_none() {
        // Older clients know of no later version (RFC 8446 §5.1).
        alert[2] = 1;
    }
    if let Some(description) = description(error, version, opening) {
        alert[ALERT_BYTES - 1] = description.into();
    }
}

/// BoringSSL's choice, where rustls has made another.
fn description(
    error: &Error,
    version: Option<ProtocolVersion>,
    opening: &[u8],
) -> Option<AlertDescription> {
    match error {
        Error::InvalidMessage(InvalidMessage::HandshakePayloadTooLarge) => {
            Some(AlertDescription::IllegalParameter)
        }
        Error::InvalidMessage(_) if version.is_none() && !opening.is_empty() => {
            Some(names::alert_of_no_hello(opening))
        }
        Error::PeerIncompatible(_) if names::is_of_old_version(opening) => {
            Some(AlertDescription::ProtocolVersion)
        }
        Error::PeerIncompatible(incompatible) => match incompatible {
            PeerIncompatible::NullCompressionRequired => Some(AlertDescription::IllegalParameter),
            PeerIncompatible::KeyShareExtensionRequired => Some(AlertDescription::MissingExtension),
            _ => {
                names::is_about_versions(incompatible).then_some(AlertDescription::ProtocolVersion)
            }
        },
        // The alert of its own came with TLS 1.3.
        Error::NoCertificatesPresented if version == Some(ProtocolVersion::TLSv1_2) => {
            Some(AlertDescription::HandshakeFailure)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reworded(error: &Error, version: Option<ProtocolVersion>, opening: &[u8]) -> Vec<u8> {
        let mut outgoing = vec![21, 3, 3, 0, 2, 2, 50];
        reword(&mut outgoing, error, version, opening);
        outgoing
    }

    #[test]
    fn bytes_that_are_no_tls_are_told_of_its_version() {
        let error = InvalidMessage::InvalidContentType.into();
        assert_eq!(reworded(&error, None, b"EHLO a\r\n"), [21, 3, 1, 0, 2, 2, 70]);
        assert!(reworded(&error, None, b"GET / HTTP/1.1\r\n").is_empty());
    }

    #[test]
    fn what_is_encrypted_stays() {
        let mut outgoing = vec![23, 3, 3, 0, 2, 2, 50];
        reword(&mut outgoing, &Error::NoCertificatesPresented, Some(ProtocolVersion::TLSv1_2), &[]);
        assert_eq!(outgoing, [23, 3, 3, 0, 2, 2, 50]);
    }

    #[test]
    fn a_missing_certificate_has_an_alert_in_each_version() {
        let version = Some(ProtocolVersion::TLSv1_2);
        let error = Error::NoCertificatesPresented;
        assert_eq!(reworded(&error, version, &[]), [21, 3, 3, 0, 2, 2, 40]);
    }
}
