//! What is wrong with a handshake that has failed, as BoringSSL sees it: its words, which Envoy shows in
//! logs, and the alert, by which clients of Envoy know.
//!
//! rustls finds faults in an order of its own and calls them otherwise. Where its word is less particular,
//! it is the one of BoringSSL's that comes nearest.

use std::borrow::Cow;

use ringmain_proto_codec::client_hello::Flaw;
use rustls::{
    AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible, PeerMisbehaved,
    ProtocolVersion,
};

use super::names::alert_name;
use super::verification::Refusal;

/// A handshake that has failed, and how far it had come.
#[derive(Debug)]
pub(super) struct Failed<'a> {
    pub(super) error: &'a Error,
    /// What was found wrong with the peer's certificate.
    pub(super) refusal: Option<&'a Refusal>,
    /// What is agreed on so far.
    pub(super) version: Option<ProtocolVersion>,
    /// What a client began with; empty of a server.
    pub(super) opening: &'a [u8],
    /// Whether that is the form of a ClientHello, to its end.
    pub(super) is_hello: bool,
    /// What is wrong with that, where rustls has not seen it.
    pub(super) flaw: Option<Flaw>,
}

/// A number of BoringSSL's library of SSL routines, and what it stands for.
type Reason = (u32, Cow<'static, str>);

/// What BoringSSL makes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// The first cause first.
    reasons: Vec<Reason>,
    /// The alert, where rustls may have chosen another.
    pub(super) alert: Option<AlertDescription>,
    /// Whether BoringSSL has agreed on a version by then.
    pub(super) has_version: bool,
}

impl Fault {
    fn of(reasons: &[(u32, &'static str)]) -> Self {
        let reasons = reasons.iter().map(|(reason, name)| (*reason, Cow::Borrowed(*name)));
        Self { reasons: reasons.collect(), alert: None, has_version: false }
    }

    fn of_alert(alert: AlertDescription) -> Self {
        let reason = 1000 + u32::from(u8::from(alert));
        Self { reasons: vec![(reason, alert_name(alert))], alert: None, has_version: false }
    }

    fn alert(self, alert: AlertDescription) -> Self {
        Self { alert: Some(alert), ..self }
    }

    fn with_version(self) -> Self {
        Self { has_version: true, ..self }
    }
}

/// Of the library of SSL routines; a reason is added to it.
const SSL_LIBRARY: u32 = 0x1000_0000;

const BAD_ALERT: (u32, &str) = (102, "BAD_ALERT");
const BAD_POINT: (u32, &str) = (108, "BAD_ECPOINT");
const CLIENT_HELLO_PARSE_FAILED: (u32, &str) = (131, "CLIENTHELLO_PARSE_FAILED");
const DECODE_ERROR: (u32, &str) = (137, "DECODE_ERROR");
const DATA_LENGTH_TOO_LONG: (u32, &str) = (136, "DATA_LENGTH_TOO_LONG");
const ENCRYPTED_LENGTH_TOO_LONG: (u32, &str) = (146, "ENCRYPTED_LENGTH_TOO_LONG");
const ERROR_PARSING_EXTENSION: (u32, &str) = (149, "ERROR_PARSING_EXTENSION");
const EXCESS_HANDSHAKE_DATA: (u32, &str) = (255, "EXCESS_HANDSHAKE_DATA");
const HTTP_REQUEST: (u32, &str) = (156, "HTTP_REQUEST");
const HTTPS_PROXY_REQUEST: (u32, &str) = (155, "HTTPS_PROXY_REQUEST");
const INVALID_COMPRESSION_LIST: (u32, &str) = (256, "INVALID_COMPRESSION_LIST");
const NO_SHARED_CIPHER: (u32, &str) = (184, "NO_SHARED_CIPHER");
const NO_SIGNATURES: (u32, &str) = (253, "NO_COMMON_SIGNATURE_ALGORITHMS");
const PARSE_TLSEXT: (u32, &str) = (190, "PARSE_TLSEXT");
const UNEXPECTED_MESSAGE: (u32, &str) = (223, "UNEXPECTED_MESSAGE");
const UNEXPECTED_RECORD: (u32, &str) = (225, "UNEXPECTED_RECORD");
const UNSUPPORTED_PROTOCOL: (u32, &str) = (240, "UNSUPPORTED_PROTOCOL");
const WRONG_CURVE: (u32, &str) = (243, "WRONG_CURVE");
const WRONG_VERSION: (u32, &str) = (247, "WRONG_VERSION_NUMBER");

impl Failed<'_> {
    /// `%..._TRANSPORT_FAILURE_REASON%`.
    pub(super) fn text(&self) -> String {
        let reasons = self.fault().reasons.into_iter().map(|(reason, name)| {
            format!("|{}:SSL routines:OPENSSL_internal:{name}", SSL_LIBRARY + reason)
        });
        let detail = match (self.refusal, self.error) {
            (Some(refusal), _) => format!(":{}", refusal.text()),
            (None, Error::NoCertificatesPresented) => {
                ":peer did not provide required client certificate".to_owned()
            }
            _ => String::new(),
        };
        format!("TLS_error:{}{detail}:TLS_error_end", reasons.collect::<String>())
    }

    /// What it comes to.
    pub(super) fn fault(&self) -> Fault {
        if let Some(flaw) = self.flaw {
            return of_flaw(flaw);
        }
        match self.error {
            Error::InvalidMessage(invalid) => self.of_message(invalid),
            Error::PeerIncompatible(_) if is_of_old_version(self.opening) => of_version(),
            Error::PeerIncompatible(incompatible) => self.of_offer(incompatible),
            Error::PeerMisbehaved(misbehaved) => of_misbehaviour(misbehaved),
            Error::InvalidCertificate(error) => self.of_certificate(error),
            // The alert of its own came with TLS 1.3.
            Error::NoCertificatesPresented => {
                let fault = Fault::of(&[(192, "PEER_DID_NOT_RETURN_A_CERTIFICATE")]);
                match self.version {
                    Some(ProtocolVersion::TLSv1_2) => {
                        fault.alert(AlertDescription::HandshakeFailure)
                    }
                    _ => fault,
                }
            }
            // No key of ours signs as the client wants it.
            Error::General(_) if self.version == Some(ProtocolVersion::TLSv1_2) => {
                Fault::of(&[NO_SHARED_CIPHER]).alert(AlertDescription::HandshakeFailure)
            }
            Error::DecryptError => Fault::of(&[(139, "DECRYPTION_FAILED_OR_BAD_RECORD_MAC")]),
            Error::InappropriateHandshakeMessage { .. } => Fault::of(&[UNEXPECTED_MESSAGE]),
            Error::InappropriateMessage { .. } => Fault::of(&[UNEXPECTED_RECORD]),
            Error::NoApplicationProtocol => Fault::of(&[(307, "NO_APPLICATION_PROTOCOL")]),
            Error::AlertReceived(alert) => Fault::of_alert(*alert),
            _ => of_anything(),
        }
    }

    fn of_message(&self, invalid: &InvalidMessage) -> Fault {
        let begins = self.version.is_none() && !self.opening.is_empty();
        let is_1_2 = self.version == Some(ProtocolVersion::TLSv1_2);
        match invalid {
            // Behind the hello in its record, not the head of a message.
            InvalidMessage::HandshakePayloadTooLarge if begins && self.is_hello => of_excess(),
            InvalidMessage::HandshakePayloadTooLarge => {
                let excessive = Fault::of(&[(150, "EXCESSIVE_MESSAGE_SIZE")]);
                excessive.alert(AlertDescription::IllegalParameter)
            }
            InvalidMessage::PreSharedKeyIsNotFinalExtension => of_flaw(Flaw::KeyNotLast),
            InvalidMessage::DuplicateExtension(_) if begins => of_flaw(Flaw::Repeated),
            _ if begins && self.is_hello => of_extension(),
            _ if begins => no_hello(self.opening),
            InvalidMessage::InvalidCcs
            | InvalidMessage::TrailingData("ChangeCipherSpecPayload") => {
                let bad = Fault::of(&[(103, "BAD_CHANGE_CIPHER_SPEC")]);
                bad.alert(AlertDescription::IllegalParameter)
            }
            InvalidMessage::IllegalEmptyValue if is_1_2 => {
                Fault::of(&[BAD_POINT]).alert(AlertDescription::IllegalParameter)
            }
            InvalidMessage::MissingData("AlertDescription")
            | InvalidMessage::TrailingData("AlertMessagePayload") => {
                Fault::of(&[BAD_ALERT]).alert(AlertDescription::DecodeError)
            }
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion => {
                Fault::of(&[WRONG_VERSION]).alert(AlertDescription::ProtocolVersion)
            }
            _ => Fault::of(&[DECODE_ERROR]).alert(AlertDescription::DecodeError),
        }
    }

    fn of_offer(&self, incompatible: &PeerIncompatible) -> Fault {
        let is_1_2 = self.version == Some(ProtocolVersion::TLSv1_2);
        match incompatible {
            PeerIncompatible::NoCipherSuitesInCommon if !is_1_2 && self.version.is_some() => {
                Fault::of(&[NO_SHARED_CIPHER, NO_SHARED_CIPHER])
            }
            PeerIncompatible::NoCipherSuitesInCommon => Fault::of(&[NO_SHARED_CIPHER]),
            PeerIncompatible::NoKxGroupsInCommon if is_1_2 => Fault::of(&[WRONG_CURVE]),
            PeerIncompatible::NoKxGroupsInCommon => Fault::of(&[(266, "NO_SHARED_GROUP")]),
            // In TLS 1.2 it is a matter of ciphers.
            PeerIncompatible::NoSignatureSchemesInCommon if is_1_2 => {
                Fault::of(&[NO_SHARED_CIPHER])
            }
            PeerIncompatible::NoSignatureSchemesInCommon => Fault::of(&[NO_SIGNATURES]),
            PeerIncompatible::SignatureAlgorithmsExtensionRequired => {
                Fault::of(&[NO_SIGNATURES]).with_version()
            }
            PeerIncompatible::NullCompressionRequired => {
                let list = Fault::of(&[INVALID_COMPRESSION_LIST]).with_version();
                list.alert(AlertDescription::IllegalParameter)
            }
            PeerIncompatible::UncompressedEcPointsRequired => of_flaw(Flaw::Points),
            PeerIncompatible::KeyShareExtensionRequired => {
                Fault::of(&[(258, "MISSING_KEY_SHARE")]).alert(AlertDescription::MissingExtension)
            }
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::SupportedVersionsExtensionRequired
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled => of_version(),
            _ => Fault::of(&[UNSUPPORTED_PROTOCOL]),
        }
    }

    fn of_certificate(&self, error: &CertificateError) -> Fault {
        let fault = match error {
            CertificateError::BadSignature => Fault::of(&[(103, "BAD_SIGNATURE")]),
            _ => Fault::of(&[(125, "CERTIFICATE_VERIFY_FAILED")]),
        };
        match self.refusal {
            Some(Refusal::Pins) => fault.alert(AlertDescription::BadCertificateHashValue),
            _ => fault,
        }
    }
}

fn of_misbehaviour(misbehaved: &PeerMisbehaved) -> Fault {
    match misbehaved {
        PeerMisbehaved::InvalidKeyShare => Fault::of(&[BAD_POINT]),
        PeerMisbehaved::OfferedDuplicateKeyShares => Fault::of(&[(264, "DUPLICATE_KEY_SHARE")]),
        PeerMisbehaved::RefusedToFollowHelloRetryRequest => Fault::of(&[WRONG_CURVE]),
        PeerMisbehaved::MissingPskModesExtension => Fault::of(&[(164, "MISSING_EXTENSION")]),
        PeerMisbehaved::PskExtensionWithMismatchedIdsAndBinders => of_flaw(Flaw::Binders),
        PeerMisbehaved::OfferedIncorrectCompressions => Fault::of(&[INVALID_COMPRESSION_LIST]),
        PeerMisbehaved::ServerNameMustContainOneHostName => of_flaw(Flaw::NotAName),
        PeerMisbehaved::KeyEpochWithPendingFragment => of_excess(),
        PeerMisbehaved::TooManyEmptyFragments
        | PeerMisbehaved::IllegalMiddleboxChangeCipherSpec => {
            let many = Fault::of(&[(219, "TOO_MANY_EMPTY_FRAGMENTS")]);
            many.alert(AlertDescription::UnexpectedMessage)
        }
        PeerMisbehaved::TooManyWarningAlertsReceived => {
            let many = Fault::of(&[(220, "TOO_MANY_WARNING_ALERTS")]);
            many.alert(AlertDescription::UnexpectedMessage)
        }
        _ => of_anything(),
    }
}

fn of_anything() -> Fault {
    Fault::of(&[(134, "CONNECTION_REJECTED")])
}

fn of_excess() -> Fault {
    Fault::of(&[EXCESS_HANDSHAKE_DATA]).alert(AlertDescription::UnexpectedMessage)
}

fn of_extension() -> Fault {
    Fault::of(&[ERROR_PARSING_EXTENSION, PARSE_TLSEXT]).with_version()
}

/// A malformed extension, and the cause beneath.
fn of_extension_as(cause: u32, name: &'static str) -> Fault {
    Fault::of(&[(cause, name), ERROR_PARSING_EXTENSION, PARSE_TLSEXT]).with_version()
}

/// All of them end in an alert of ours: rustls has not seen the hello.
fn of_flaw(flaw: Flaw) -> Fault {
    let (code, name) = DECODE_ERROR;
    let (fault, alert) = match flaw {
        Flaw::Repeated => (Fault::of(&[CLIENT_HELLO_PARSE_FAILED]), None),
        Flaw::FirstExtensions => (Fault::of(&[DECODE_ERROR]), None),
        Flaw::ServerName => (Fault::of(&[ERROR_PARSING_EXTENSION]), None),
        Flaw::NotAName => {
            let fault = Fault::of(&[ERROR_PARSING_EXTENSION]);
            (fault, Some(AlertDescription::UnrecognisedName))
        }
        Flaw::Extension => (of_extension(), None),
        Flaw::HalfNumber => (of_extension_as(code, name), None),
        Flaw::Authorities => (of_extension_as(162, "LENGTH_MISMATCH"), None),
        Flaw::Authority => (of_extension_as(123, "CA_DN_TOO_LONG"), None),
        Flaw::RenegotiationInfo => (of_extension_as(201, "RENEGOTIATION_ENCODING_ERR"), None),
        Flaw::Renegotiation => {
            let fault = of_extension_as(202, "RENEGOTIATION_MISMATCH");
            (fault, Some(AlertDescription::HandshakeFailure))
        }
        Flaw::Points => (of_extension(), Some(AlertDescription::IllegalParameter)),
        Flaw::Quic => (of_extension(), Some(AlertDescription::UnsupportedExtension)),
        Flaw::KeyNotLast => {
            let fault = Fault::of(&[(267, "PRE_SHARED_KEY_MUST_BE_LAST")]).with_version();
            (fault, Some(AlertDescription::IllegalParameter))
        }
        Flaw::Keys => (Fault::of(&[DECODE_ERROR]).with_version(), None),
        Flaw::Binders => {
            let fault = Fault::of(&[(271, "PSK_IDENTITY_BINDER_COUNT_MISMATCH")]).with_version();
            (fault, Some(AlertDescription::IllegalParameter))
        }
        Flaw::Protocols => (Fault::of(&[PARSE_TLSEXT]).with_version(), None),
    };
    fault.alert(alert.unwrap_or(AlertDescription::DecodeError))
}

fn of_version() -> Fault {
    Fault::of(&[UNSUPPORTED_PROTOCOL]).alert(AlertDescription::ProtocolVersion)
}

/// What the TLS inspector says of first bytes that are no ClientHello.
pub fn not_tls(received: &[u8]) -> String {
    let told = no_hello(received).reasons.into_iter().map(|(reason, name)| {
        format!("|error:{:08x}:SSL routines:OPENSSL_internal:{name}", SSL_LIBRARY + reason)
    });
    format!("TLS_error{}:TLS_error_end", told.collect::<String>())
}

/// First bytes that are no ClientHello.
fn no_hello(received: &[u8]) -> Fault {
    if let Some(request) = http(received) {
        return Fault::of(&[request]).alert(AlertDescription::DecodeError);
    }
    let length = |high: &u8, low: &u8| usize::from(u16::from_be_bytes([*high, *low]));
    let (reason, alert) = match received {
        // A hello of SSL 2.0 that asks for a later version.
        [(0x80..), _, CLIENT_HELLO, 3, ..] => {
            (CLIENT_HELLO_PARSE_FAILED, AlertDescription::DecodeError)
        }
        [ALERT, 3, _, 0, 2, _, alert, ..] => {
            return Fault::of_alert((*alert).into()).alert(AlertDescription::DecodeError);
        }
        [ALERT, 3, _, _, _, ..] => (BAD_ALERT, AlertDescription::DecodeError),
        [HANDSHAKE, 3, _, high, low, ..] if length(high, low) > RECORD_BYTES_MAX => {
            (ENCRYPTED_LENGTH_TOO_LONG, AlertDescription::RecordOverflow)
        }
        [HANDSHAKE, 3, _, high, low, ..] if length(high, low) > FRAGMENT_BYTES_MAX => {
            (DATA_LENGTH_TOO_LONG, AlertDescription::RecordOverflow)
        }
        [HANDSHAKE, 3, _, _, _, CLIENT_HELLO, ..] => {
            (CLIENT_HELLO_PARSE_FAILED, AlertDescription::DecodeError)
        }
        [HANDSHAKE, 3, _, _, _, _, ..] => (UNEXPECTED_MESSAGE, AlertDescription::UnexpectedMessage),
        [_, 3, ..] => (UNEXPECTED_RECORD, AlertDescription::UnexpectedMessage),
        _ => (WRONG_VERSION, AlertDescription::ProtocolVersion),
    };
    Fault::of(&[reason]).alert(alert)
}

/// Whether a client began with a request of HTTP.
pub(super) fn is_http(opening: &[u8]) -> bool {
    http(opening).is_some()
}

/// Whether a client began with a ClientHello that offers nothing later than TLS 1.1. rustls finds another
/// fault with most of these first.
fn is_of_old_version(opening: &[u8]) -> bool {
    matches!(opening, [HANDSHAKE, 3, _, _, _, CLIENT_HELLO, _, _, _, 3, 0..3, ..])
}

/// The reason for bytes that begin like a request, as BoringSSL knows it.
fn http(received: &[u8]) -> Option<(u32, &'static str)> {
    let begins = |word: &&str| received.starts_with(word.as_bytes());
    if ["GET ", "POST ", "HEAD ", "PUT "].iter().any(begins) {
        return Some(HTTP_REQUEST);
    }
    begins(&"CONNE").then_some(HTTPS_PROXY_REQUEST)
}

/// RFC 8446 §5.1 and §4.
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;

/// RFC 8446 §5.1.
const FRAGMENT_BYTES_MAX: usize = 16 * 1024;
/// The longest record that BoringSSL takes.
const RECORD_BYTES_MAX: usize = FRAGMENT_BYTES_MAX + 256 + 64;
