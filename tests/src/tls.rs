//! Certificates made for a test, and a client that speaks TLS.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CustomExtension,
    DistinguishedName, DnType, IsCa, Issuer, KeyIdMethod, KeyPair, OtherNameValue,
    PKCS_ECDSA_P256_SHA256, PKCS_ED25519, RevokedCertParams, SanType, SerialNumber, SigningKey,
    date_time_ymd,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, HandshakeKind, RootCertStore,
    SignatureScheme, StreamOwned, SupportedProtocolVersion,
};

use crate::ocsp::{BIT_STRING, SEQUENCE, element};
use crate::wait::PATIENCE;
use crate::workspace;

/// An authority and the folder of what it has signed.
pub struct Authority {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

/// What a certificate is to say.
#[derive(Debug, Clone, Default)]
pub struct Subject {
    /// The common name.
    pub name: &'static str,
    /// Names for DNS.
    pub dns: Vec<&'static str>,
    /// Names that are URIs.
    pub uris: Vec<&'static str>,
    /// Attributes behind the common name: their types and values.
    pub attributes: Vec<(&'static [u64], &'static str)>,
    /// Names of a kind that nobody knows.
    pub others: Vec<&'static str>,
    /// Whether it was valid long ago only.
    pub expired: bool,
    /// Whether it has been valid for some years only.
    pub late: bool,
    /// Whether its key is one of Ed25519.
    pub ed25519: bool,
    /// Whether it is worth nothing without an OCSP staple (RFC 7633).
    pub must_staple: bool,
}

impl Authority {
    /// A new one; its own certificate is `ca.crt`.
    pub fn new() -> Self {
        Self::named("authority")
    }

    /// The same of another name.
    pub fn named(name: &'static str) -> Self {
        let folder = workspace::scratch("certificates");
        let mut params = params(&Subject { name, ..Subject::default() });
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Younger than what has expired.
        params.not_before = date_time_ymd(2022, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        write(&folder, "ca.crt", &certificate.pem());
        Self { folder, issuer: Issuer::new(params, key) }
    }

    /// The folder, which `{{certificates}}` stands for.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes `<file>.crt` and `<file>.key`.
    pub fn issue(&self, file: &str, subject: &Subject) {
        let algorithm = if subject.ed25519 { &PKCS_ED25519 } else { &PKCS_ECDSA_P256_SHA256 };
        let key = KeyPair::generate_for(algorithm).expect("a key");
        let certificate = params(subject).signed_by(&key, &self.issuer).expect("a certificate");
        self.put(file, &certificate.pem(), &key.serialize_pem());
    }

    /// The certificate in `<file>.crt` as one of X.509 version 1.
    pub fn as_version_1(&self, file: &str) -> CertificateDer<'static> {
        let der = self.certificate(file);
        let (_, certificate) = x509_parser::parse_x509_certificate(&der).expect("a certificate");
        let facts = certificate.tbs_certificate.as_ref();
        // From behind the version, which is five bytes, to the key: there are no extensions.
        let key = certificate.public_key().raw;
        let before = facts.windows(key.len()).position(|bytes| bytes == key).expect("the key");
        let behind = |bytes: &[u8]| usize::from(bytes[1] & 0x7f) * usize::from(bytes[1] > 0x7f) + 2;
        let inside = &facts[behind(facts) + 5..before + key.len()];
        let old = element(SEQUENCE, inside);
        let rest = &der[behind(&der) + facts.len()..];
        let signature = self.issuer.key().sign(&old).expect("a signature");
        let signature = element(BIT_STRING, &[&[0], &signature[..]].concat());
        let algorithm = &rest[..2 + usize::from(rest[1])];
        element(SEQUENCE, &[&old, algorithm, &signature].concat()).into()
    }

    /// An authority that this one vouches for: its own certificate is `<file>.crt` in the same folder.
    pub fn intermediate(&self, file: &str, subject: &Subject) -> Self {
        let mut params = params(subject);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        self.put(file, &certificate.pem(), &key.serialize_pem());
        Self { folder: self.folder.clone(), issuer: Issuer::new(params, key) }
    }

    /// Appends the certificate in `<issuer>.crt` to `<file>.crt`.
    pub fn show_issuer(&self, file: &str, issuer: &str) {
        let path = |file: &str| self.folder.join(format!("{file}.crt"));
        let read = |file: &str| fs::read_to_string(path(file)).expect("PEM");
        fs::write(path(file), read(file) + &read(issuer)).expect("scratch is writable");
    }

    /// Takes over `<file>.crt` and `<file>.key` of another one.
    pub fn copy(&self, other: &Self, file: &str) {
        for name in [format!("{file}.crt"), format!("{file}.key")] {
            fs::copy(other.folder.join(&name), self.folder.join(&name)).expect("readable");
        }
    }

    /// Writes the list of what is revoked, `<list>.crl`, of which a new one is due in `next`: the certificate in
    /// `<file>.crt`.
    pub fn revoke(&self, file: &str, list: &str, next: i32) {
        let der = self.certificate(file);
        let (_, certificate) = x509_parser::parse_x509_certificate(&der).expect("a certificate");
        let revoked = RevokedCertParams {
            serial_number: SerialNumber::from(certificate.raw_serial().to_vec()),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(next, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: vec![revoked],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let text = params.signed_by(&self.issuer).expect("a list").pem().expect("PEM");
        write(&self.folder, &format!("{list}.crl"), &text);
    }

    /// Writes `<file>.crt`, which nobody vouches for, and `<file>.key`.
    pub fn self_sign(&self, file: &str, subject: &Subject) {
        let key = KeyPair::generate().expect("a key");
        let certificate = params(subject).self_signed(&key).expect("a certificate");
        self.put(file, &certificate.pem(), &key.serialize_pem());
    }

    /// The certificate in `<file>.crt`.
    pub fn certificate(&self, file: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.folder.join(format!("{file}.crt"))).expect("PEM")
    }

    /// That one and those behind it.
    fn chain(&self, file: &str) -> Vec<CertificateDer<'static>> {
        let path = self.folder.join(format!("{file}.crt"));
        let chain = CertificateDer::pem_file_iter(path).expect("readable");
        chain.map(|certificate| certificate.expect("PEM")).collect()
    }

    /// The key in `<file>.key`.
    pub fn key(&self, file: &str) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_file(self.folder.join(format!("{file}.key"))).expect("PEM")
    }

    fn put(&self, file: &str, certificate: &str, key: &str) {
        write(&self.folder, &format!("{file}.crt"), certificate);
        write(&self.folder, &format!("{file}.key"), key);
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

fn write(folder: &Path, file: &str, text: &str) {
    fs::write(folder.join(file), text).expect("scratch is writable");
}

/// `id-pe-tlsfeature`.
const TLS_FEATURE: [u64; 9] = [1, 3, 6, 1, 5, 5, 7, 1, 24];

fn params(subject: &Subject) -> CertificateParams {
    let dns: Vec<String> = subject.dns.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(dns).expect("legal names");
    for uri in &subject.uris {
        let uri = (*uri).try_into().expect("a legal URI");
        params.subject_alt_names.push(SanType::URI(uri));
    }
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, subject.name);
    for (kind, value) in &subject.attributes {
        params.distinguished_name.push(DnType::CustomDnType(kind.to_vec()), *value);
    }
    for name in &subject.others {
        let value = OtherNameValue::Utf8String((*name).to_owned());
        params.subject_alt_names.push(SanType::OtherName((vec![1, 2, 3, 4], value)));
    }
    if subject.must_staple {
        let status_request = vec![0x30, 3, 2, 1, 5];
        let extension = CustomExtension::from_oid_content(&TLS_FEATURE, status_request);
        params.custom_extensions.push(extension);
    }
    if subject.late {
        params.not_before = date_time_ymd(2022, 1, 1);
    }
    if subject.expired {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    }
    params
}

/// How a client shakes hands.
#[derive(Clone)]
pub struct Handshake {
    config: Arc<ClientConfig>,
    server_name: &'static str,
    staple: Arc<Mutex<Vec<u8>>>,
}

impl Handshake {
    /// As `server_name`'s client, which trusts `authority` and speaks `versions`.
    pub fn new(
        authority: &Authority,
        server_name: &'static str,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        let verifier = Verifier::new(authority);
        let staple = verifier.staple.clone();
        let config = ClientConfig::builder_with_protocol_versions(versions)
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Self { config: Arc::new(config), server_name, staple }
    }

    /// The same with the certificates in `<file>.crt`.
    pub fn with_certificate(
        authority: &Authority,
        server_name: &'static str,
        file: &str,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        let verifier = Verifier::new(authority);
        let staple = verifier.staple.clone();
        let config = ClientConfig::builder_with_protocol_versions(versions)
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_auth_cert(authority.chain(file), authority.key(file))
            .expect("the key is the certificate's");
        Self { config: Arc::new(config), server_name, staple }
    }

    /// Offers these protocols.
    pub fn alpn(mut self, protocols: &[&str]) -> Self {
        let config = Arc::make_mut(&mut self.config);
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        self
    }

    /// Remembers no session.
    pub fn forgetful(mut self) -> Self {
        Arc::make_mut(&mut self.config).resumption = Resumption::disabled();
        self
    }

    /// The OCSP staple of the last handshake that was not a resumption; empty where there was none.
    pub fn staple(&self) -> Vec<u8> {
        self.staple.lock().expect("nobody panics").clone()
    }

    /// Connects; the handshake happens with the first bytes.
    pub fn connect(&self, port: u16) -> TlsClient {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the proxy listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        stream.set_nodelay(true).expect("a TCP socket");
        let name = ServerName::try_from(self.server_name).expect("a name");
        let connection = ClientConnection::new(self.config.clone(), name).expect("a client");
        TlsClient { stream: StreamOwned::new(connection, stream) }
    }
}

/// Trusts an authority, and keeps what the server has stapled.
#[derive(Debug)]
struct Verifier {
    inner: Arc<WebPkiServerVerifier>,
    staple: Arc<Mutex<Vec<u8>>>,
}

impl Verifier {
    fn new(authority: &Authority) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(authority.certificate("ca")).expect("an authority");
        let inner = WebPkiServerVerifier::builder(Arc::new(roots)).build();
        Self { inner: inner.expect("there is an authority"), staple: Arc::default() }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        staple: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        *self.staple.lock().expect("nobody panics") = staple.to_vec();
        self.inner.verify_server_cert(certificate, chain, name, staple, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// A client's connection.
pub struct TlsClient {
    stream: StreamOwned<ClientConnection, TcpStream>,
}

impl TlsClient {
    /// Sends `bytes`.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())?;
        self.stream.flush()
    }

    /// Sends no more, and says so (close_notify) or not.
    pub fn half_close(&mut self, says_so: bool) -> io::Result<()> {
        if says_so {
            self.stream.conn.send_close_notify();
            self.stream.flush()?;
        }
        self.stream.sock.shutdown(Shutdown::Write)
    }

    /// Everything that comes until the server's orderly end, or why there was none.
    pub fn read_to_end(&mut self) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        self.stream.read_to_end(&mut bytes).map(|_| bytes).map_err(|error| error.to_string())
    }

    /// Reads exactly `length` bytes.
    pub fn read_exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).map(|()| bytes)
    }

    /// Sends a request that ends the connection; the answer, or what went wrong.
    pub fn ask(&mut self, request: &str) -> Result<String, String> {
        self.send(request).map_err(|error| error.to_string())?;
        self.read_to_end().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The protocol that was agreed on.
    pub fn alpn(&self) -> Option<String> {
        let protocol = self.stream.conn.alpn_protocol();
        protocol.map(|name| String::from_utf8_lossy(name).into_owned())
    }

    /// Whether a session was resumed.
    pub fn is_resumed(&self) -> bool {
        self.stream.conn.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// The certificate that the server has shown.
    pub fn server_certificate(&self) -> Option<CertificateDer<'static>> {
        let chain = self.stream.conn.peer_certificates()?;
        chain.first().map(|certificate| certificate.clone().into_owned())
    }
}
