//! What a peer is told when a handshake fails.
//!
//! rustls chooses the alert, and may send none. As long as nothing is encrypted, it can still be made the one
//! that BoringSSL sends, by which clients of Envoy know what is wrong.

use super::fault::{Failed, is_http};

/// An alert in plain text (RFC 8446 §5.1, §6): what it is, a version, its length, its level and
/// description.
const ALERT_BYTES: usize = 7;
const ALERT: [u8; 5] = [21, 3, 3, 0, 2];
const FATAL: u8 = 2;

/// Changes the alert at the end of `outgoing`, which the failure has put there; where there is none and the
/// peer can read plain text, `is_plain`, puts one there.
pub(super) fn reword(outgoing: &mut Vec<u8>, failed: &Failed<'_>, is_plain: bool) {
    let fault = failed.fault();
    let begin = outgoing.len().checked_sub(ALERT_BYTES);
    let begin = match begin.filter(|begin| outgoing[*begin..].starts_with(&ALERT)) {
        Some(begin) => begin,
        None => match fault.alert {
            Some(alert) if is_plain => {
                outgoing.extend(ALERT.into_iter().chain([FATAL, alert.into()]));
                outgoing.len() - ALERT_BYTES
            }
            _ => return,
        },
    };
    if is_http(failed.opening) {
        // Who speaks HTTP would take it for the begin of a response.
        return outgoing.truncate(begin);
    }
    let alert = &mut outgoing[begin..];
    if failed.version.is_none() && !fault.has_version {
        // Older clients know of no later version (RFC 8446 §5.1).
        alert[2] = 1;
    }
    if let Some(description) = fault.alert {
        alert[ALERT_BYTES - 1] = description.into();
    }
}

#[cfg(test)]
mod tests {
    use rustls::{Error, InvalidMessage, PeerMisbehaved, ProtocolVersion};

    use super::*;

    const ALERT_OF_RUSTLS: [u8; 7] = [21, 3, 3, 0, 2, 2, 50];

    fn reworded(
        before: &[u8],
        error: &Error,
        version: Option<ProtocolVersion>,
        opening: &[u8],
    ) -> Vec<u8> {
        let mut outgoing = before.to_vec();
        let failed = Failed { error, refusal: None, version, opening, is_hello: false, flaw: None };
        reword(&mut outgoing, &failed, version != Some(ProtocolVersion::TLSv1_3));
        outgoing
    }

    #[test]
    fn bytes_that_are_no_tls_are_told_of_its_version() {
        let error = InvalidMessage::InvalidContentType.into();
        let told = |opening| reworded(&ALERT_OF_RUSTLS, &error, None, opening);
        assert_eq!(told(b"EHLO a\r\n"), [21, 3, 1, 0, 2, 2, 70]);
        assert!(told(b"GET / HTTP/1.1\r\n").is_empty());
    }

    #[test]
    fn what_is_encrypted_stays() {
        let version = Some(ProtocolVersion::TLSv1_2);
        let encrypted = [23, 3, 3, 0, 2, 2, 50];
        let error = Error::DecryptError;
        assert_eq!(reworded(&encrypted, &error, version, &[]), encrypted);
    }

    #[test]
    fn an_alert_that_is_not_there_is_added_while_it_can_be_read() {
        let error = InvalidMessage::HandshakePayloadTooLarge.into();
        assert_eq!(reworded(&[], &error, None, &[22, 3, 1]), [21, 3, 1, 0, 2, 2, 47]);
        assert!(reworded(&[], &error, Some(ProtocolVersion::TLSv1_3), &[22, 3, 1]).is_empty());
        let error = PeerMisbehaved::TooManyEmptyFragments.into();
        assert_eq!(reworded(&[], &error, None, &[22, 3, 1]), [21, 3, 1, 0, 2, 2, 10]);
    }

    #[test]
    fn a_missing_certificate_has_an_alert_in_each_version() {
        let version = Some(ProtocolVersion::TLSv1_2);
        let error = Error::NoCertificatesPresented;
        assert_eq!(reworded(&ALERT_OF_RUSTLS, &error, version, &[]), [21, 3, 3, 0, 2, 2, 40]);
    }
}
