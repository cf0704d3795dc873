//! Names as BoringSSL writes them, which Envoy shows in logs and stats.

use rustls::{
    AlertDescription, CertificateError, CipherSuite, Error, InvalidMessage, NamedGroup,
    PeerIncompatible, ProtocolVersion, SignatureScheme,
};

use super::verification::Refusal;

pub(super) const VERSIONS: [(ProtocolVersion, &str); 2] =
    [(ProtocolVersion::TLSv1_2, "TLSv1.2"), (ProtocolVersion::TLSv1_3, "TLSv1.3")];

pub(super) const CIPHERS: [(CipherSuite, &str); 9] = [
    (CipherSuite::TLS13_AES_128_GCM_SHA256, "TLS_AES_128_GCM_SHA256"),
    (CipherSuite::TLS13_AES_256_GCM_SHA384, "TLS_AES_256_GCM_SHA384"),
    (CipherSuite::TLS13_CHACHA20_POLY1305_SHA256, "TLS_CHACHA20_POLY1305_SHA256"),
    (CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "ECDHE-ECDSA-AES128-GCM-SHA256"),
    (CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "ECDHE-ECDSA-AES256-GCM-SHA384"),
    (CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-ECDSA-CHACHA20-POLY1305"),
    (CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "ECDHE-RSA-AES128-GCM-SHA256"),
    (CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "ECDHE-RSA-AES256-GCM-SHA384"),
    (CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-RSA-CHACHA20-POLY1305"),
];

pub(super) const CURVES: [(NamedGroup, &str); 4] = [
    (NamedGroup::X25519, "X25519"),
    (NamedGroup::secp256r1, "P-256"),
    (NamedGroup::secp384r1, "P-384"),
    (NamedGroup::X25519MLKEM768, "X25519MLKEM768"),
];

pub(super) const SIGNATURES: [(SignatureScheme, &str); 10] = [
    (SignatureScheme::ECDSA_NISTP256_SHA256, "ecdsa_secp256r1_sha256"),
    (SignatureScheme::ECDSA_NISTP384_SHA384, "ecdsa_secp384r1_sha384"),
    (SignatureScheme::ECDSA_NISTP521_SHA512, "ecdsa_secp521r1_sha512"),
    (SignatureScheme::ED25519, "ed25519"),
    (SignatureScheme::RSA_PKCS1_SHA256, "rsa_pkcs1_sha256"),
    (SignatureScheme::RSA_PKCS1_SHA384, "rsa_pkcs1_sha384"),
    (SignatureScheme::RSA_PKCS1_SHA512, "rsa_pkcs1_sha512"),
    (SignatureScheme::RSA_PSS_SHA256, "rsa_pss_rsae_sha256"),
    (SignatureScheme::RSA_PSS_SHA384, "rsa_pss_rsae_sha384"),
    (SignatureScheme::RSA_PSS_SHA512, "rsa_pss_rsae_sha512"),
];

/// The name that `table` has for `value`.
pub(super) fn name_of<T: PartialEq>(
    table: &'static [(T, &'static str)],
    value: &T,
) -> Option<&'static str> {
    table.iter().find(|(known, _)| known == value).map(|(_, name)| *name)
}

/// `%..._TRANSPORT_FAILURE_REASON%` for a handshake that failed; `opening` is what a client began with.
pub(super) fn failure(error: &Error, refusal: Option<&Refusal>, opening: &[u8]) -> String {
    let (code, name) = match error {
        Error::InvalidMessage(InvalidMessage::HandshakePayloadTooLarge) => reason(error),
        Error::InvalidMessage(_) if !opening.is_empty() => {
            let (reason, name) = no_hello(opening);
            (SSL_LIBRARY + reason, name)
        }
        Error::PeerIncompatible(_) if is_of_old_version(opening) => {
            reason(&PeerIncompatible::Tls12NotOffered.into())
        }
        _ => reason(error),
    };
    let detail = match (refusal, error) {
        (Some(refusal), _) => format!(":{}", refusal.text()),
        (None, Error::NoCertificatesPresented) => {
            ":peer did not provide required client certificate".to_owned()
        }
        _ => String::new(),
    };
    format!("TLS_error:|{code}:SSL routines:OPENSSL_internal:{name}{detail}:TLS_error_end")
}

/// The same for a peer that has reset the connection: the number of the system's library and of ECONNRESET.
pub(super) fn reset() -> String {
    "TLS_error:|33554536:system library:OPENSSL_internal:Connection reset by peer:TLS_error_end"
        .to_owned()
}

/// Of the library of SSL routines; a reason is added to it.
const SSL_LIBRARY: u32 = 0x1000_0000;

/// What the TLS inspector says of first bytes that are no ClientHello.
pub fn not_tls(received: &[u8]) -> String {
    let (reason, name) = no_hello(received);
    let code = SSL_LIBRARY + reason;
    format!("TLS_error|error:{code:08x}:SSL routines:OPENSSL_internal:{name}:TLS_error_end")
}

/// The alert for first bytes that are no ClientHello.
pub(super) fn alert_of_no_hello(received: &[u8]) -> AlertDescription {
    match no_hello(received).0 {
        reason if reason == WRONG_VERSION.0 => AlertDescription::ProtocolVersion,
        reason if reason == UNEXPECTED_MESSAGE.0 || reason == UNEXPECTED_RECORD.0 => {
            AlertDescription::UnexpectedMessage
        }
        reason if reason == LENGTH_TOO_LONG.0 => AlertDescription::RecordOverflow,
        _ => AlertDescription::DecodeError,
    }
}

/// Whether the two have no version in common.
pub(super) fn is_about_versions(incompatible: &PeerIncompatible) -> bool {
    matches!(
        incompatible,
        PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::SupportedVersionsExtensionRequired
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled
    )
}

fn no_hello(received: &[u8]) -> (u32, String) {
    if let Some((reason, name)) = http(received) {
        return (reason, name.to_owned());
    }
    let (reason, name) = match received {
        // A hello of SSL 2.0 that asks for a later version.
        [(0x80..), _, CLIENT_HELLO, 3, ..] => CLIENT_HELLO_PARSE_FAILED,
        [ALERT, 3, _, _, _, _, alert, ..] => return alert_reason((*alert).into()),
        [HANDSHAKE, 3, _, high, low, ..]
            if usize::from(u16::from_be_bytes([*high, *low])) > RECORD_BYTES_MAX =>
        {
            LENGTH_TOO_LONG
        }
        [HANDSHAKE, 3, _, _, _, CLIENT_HELLO, ..] => CLIENT_HELLO_PARSE_FAILED,
        [HANDSHAKE, 3, _, _, _, _, ..] => UNEXPECTED_MESSAGE,
        [_, 3, ..] => UNEXPECTED_RECORD,
        _ => WRONG_VERSION,
    };
    (reason, name.to_owned())
}

/// Whether a client began with a request of HTTP.
pub(super) fn is_http(opening: &[u8]) -> bool {
    http(opening).is_some()
}

/// Whether a client began with a ClientHello that offers nothing later than TLS 1.1. rustls finds another
/// fault with most of these first.
pub(super) fn is_of_old_version(opening: &[u8]) -> bool {
    matches!(opening, [HANDSHAKE, 3, _, _, _, CLIENT_HELLO, _, _, _, 3, 0..3, ..])
}

/// The reason for bytes that begin like a request, as BoringSSL knows it.
fn http(received: &[u8]) -> Option<(u32, &'static str)> {
    let begins = |word: &&str| received.starts_with(word.as_bytes());
    if ["GET ", "POST ", "HEAD ", "PUT "].iter().any(begins) {
        return Some((156, "HTTP_REQUEST"));
    }
    begins(&"CONNE").then_some((155, "HTTPS_PROXY_REQUEST"))
}

/// RFC 8446 §5.1 and §4.
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;

const CLIENT_HELLO_PARSE_FAILED: (u32, &str) = (131, "CLIENTHELLO_PARSE_FAILED");
const LENGTH_TOO_LONG: (u32, &str) = (146, "ENCRYPTED_LENGTH_TOO_LONG");
const UNEXPECTED_MESSAGE: (u32, &str) = (223, "UNEXPECTED_MESSAGE");
const UNEXPECTED_RECORD: (u32, &str) = (225, "UNEXPECTED_RECORD");
const WRONG_VERSION: (u32, &str) = (247, "WRONG_VERSION_NUMBER");

/// The longest record that BoringSSL takes.
const RECORD_BYTES_MAX: usize = 16 * 1024 + 256 + 64;

fn alert_reason(alert: AlertDescription) -> (u32, String) {
    (1000 + u32::from(u8::from(alert)), alert_name(alert))
}

/// The number and the name of BoringSSL's reason that comes nearest to `error`.
fn reason(error: &Error) -> (u32, String) {
    let (reason, name) = match error {
        Error::InvalidCertificate(CertificateError::BadSignature) => (103, "BAD_SIGNATURE"),
        Error::InvalidCertificate(_) => (125, "CERTIFICATE_VERIFY_FAILED"),
        Error::NoCertificatesPresented => (192, "PEER_DID_NOT_RETURN_A_CERTIFICATE"),
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => WRONG_VERSION,
        Error::InvalidMessage(InvalidMessage::HandshakePayloadTooLarge) => {
            (150, "EXCESSIVE_MESSAGE_SIZE")
        }
        Error::InvalidMessage(_) => (137, "DECODE_ERROR"),
        Error::DecryptError => (139, "DECRYPTION_FAILED_OR_BAD_RECORD_MAC"),
        Error::PeerIncompatible(incompatible) => match incompatible {
            PeerIncompatible::NoCipherSuitesInCommon => (184, "NO_SHARED_CIPHER"),
            PeerIncompatible::NoKxGroupsInCommon => (266, "NO_SHARED_GROUP"),
            PeerIncompatible::NoSignatureSchemesInCommon
            | PeerIncompatible::SignatureAlgorithmsExtensionRequired => {
                (253, "NO_COMMON_SIGNATURE_ALGORITHMS")
            }
            PeerIncompatible::NullCompressionRequired => (256, "INVALID_COMPRESSION_LIST"),
            PeerIncompatible::KeyShareExtensionRequired => (258, "MISSING_KEY_SHARE"),
            _ => (240, "UNSUPPORTED_PROTOCOL"),
        },
        Error::InappropriateHandshakeMessage { .. } => UNEXPECTED_MESSAGE,
        Error::InappropriateMessage { .. } => UNEXPECTED_RECORD,
        Error::NoApplicationProtocol => (307, "NO_APPLICATION_PROTOCOL"),
        Error::AlertReceived(alert) => {
            let (reason, name) = alert_reason(*alert);
            return (SSL_LIBRARY + reason, name);
        }
        _ => (134, "CONNECTION_REJECTED"),
    };
    (SSL_LIBRARY + reason, name.to_owned())
}

/// `SSLV3_ALERT_HANDSHAKE_FAILURE`: alerts of TLS 1.0 and later carry another prefix.
fn alert_name(alert: AlertDescription) -> String {
    let (prefix, name) = match alert {
        AlertDescription::UnexpectedMessage => ("SSLV3", "UNEXPECTED_MESSAGE"),
        AlertDescription::BadRecordMac => ("SSLV3", "BAD_RECORD_MAC"),
        AlertDescription::HandshakeFailure => ("SSLV3", "HANDSHAKE_FAILURE"),
        AlertDescription::NoCertificate => ("SSLV3", "NO_CERTIFICATE"),
        AlertDescription::BadCertificate => ("SSLV3", "BAD_CERTIFICATE"),
        AlertDescription::UnsupportedCertificate => ("SSLV3", "UNSUPPORTED_CERTIFICATE"),
        AlertDescription::CertificateRevoked => ("SSLV3", "CERTIFICATE_REVOKED"),
        AlertDescription::CertificateExpired => ("SSLV3", "CERTIFICATE_EXPIRED"),
        AlertDescription::CertificateUnknown => ("SSLV3", "CERTIFICATE_UNKNOWN"),
        AlertDescription::IllegalParameter => ("SSLV3", "ILLEGAL_PARAMETER"),
        AlertDescription::UnknownCA => ("TLSV1", "UNKNOWN_CA"),
        AlertDescription::AccessDenied => ("TLSV1", "ACCESS_DENIED"),
        AlertDescription::DecodeError => ("TLSV1", "DECODE_ERROR"),
        AlertDescription::DecryptError => ("TLSV1", "DECRYPT_ERROR"),
        AlertDescription::ProtocolVersion => ("TLSV1", "PROTOCOL_VERSION"),
        AlertDescription::InsufficientSecurity => ("TLSV1", "INSUFFICIENT_SECURITY"),
        AlertDescription::InternalError => ("TLSV1", "INTERNAL_ERROR"),
        AlertDescription::UserCanceled => ("TLSV1", "USER_CANCELLED"),
        AlertDescription::NoRenegotiation => ("TLSV1", "NO_RENEGOTIATION"),
        AlertDescription::UnsupportedExtension => ("TLSV1", "UNSUPPORTED_EXTENSION"),
        AlertDescription::UnrecognisedName => ("TLSV1", "UNRECOGNIZED_NAME"),
        AlertDescription::NoApplicationProtocol => ("TLSV1", "NO_APPLICATION_PROTOCOL"),
        AlertDescription::CertificateRequired => ("TLSV1", "CERTIFICATE_REQUIRED"),
        other => return format!("TLSV1_ALERT_{}", u8::from(other)),
    };
    format!("{prefix}_ALERT_{name}")
}
