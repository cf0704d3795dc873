//! Names as BoringSSL writes them, which Envoy shows in logs and stats.

use std::borrow::Cow;

use rustls::{AlertDescription, CipherSuite, NamedGroup, ProtocolVersion, SignatureScheme};

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

/// `%..._TRANSPORT_FAILURE_REASON%` of a peer that has reset the connection: the number of the system's library and of ECONNRESET.
pub(super) fn reset() -> String {
    "TLS_error:|33554536:system library:OPENSSL_internal:Connection reset by peer:TLS_error_end"
        .to_owned()
}

/// `SSLV3_ALERT_HANDSHAKE_FAILURE`: alerts of TLS 1.0 and later carry another prefix.
pub(super) fn alert_name(alert: AlertDescription) -> Cow<'static, str> {
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
        AlertDescription::CloseNotify => ("SSLV3", "CLOSE_NOTIFY"),
        AlertDescription::DecryptionFailed => ("TLSV1", "DECRYPTION_FAILED"),
        AlertDescription::RecordOverflow => ("TLSV1", "RECORD_OVERFLOW"),
        AlertDescription::DecompressionFailure => ("SSLV3", "DECOMPRESSION_FAILURE"),
        AlertDescription::ExportRestriction => ("TLSV1", "EXPORT_RESTRICTION"),
        AlertDescription::InappropriateFallback => ("TLSV1", "INAPPROPRIATE_FALLBACK"),
        AlertDescription::CertificateUnobtainable => ("TLSV1", "CERTIFICATE_UNOBTAINABLE"),
        AlertDescription::BadCertificateStatusResponse => {
            ("TLSV1", "BAD_CERTIFICATE_STATUS_RESPONSE")
        }
        AlertDescription::BadCertificateHashValue => ("TLSV1", "BAD_CERTIFICATE_HASH_VALUE"),
        AlertDescription::UnknownPSKIdentity => ("TLSV1", "UNKNOWN_PSK_IDENTITY"),
        _ => return "unknown error".into(),
    };
    format!("{prefix}_ALERT_{name}").into()
}
