//! Certificate and TLS contexts of a run. All sides have the same ECDSA P-256 certificate, and the rig's
//! own ends offer nothing but TLS 1.3 with AES-128-GCM and X25519: every side does the same
//! cryptography, whatever it prefers.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::error::Error;

/// The name in the certificate.
pub const HOST: &str = "localhost";

/// Where the certificate of a run lies.
#[derive(Debug)]
pub struct Credentials {
    pub folder: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Both in one file, for HAProxy.
    pub bundle: PathBuf,
}

impl Credentials {
    /// Makes a certificate and writes it into `folder`.
    pub fn create(folder: &Path) -> Result<Self, Error> {
        let made = rcgen::generate_simple_self_signed(vec![HOST.to_owned()])
            .map_err(|error| Error::system("certificate")(io::Error::other(error)))?;
        let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let credentials = Self::within(folder);
        let bundle = [&certificate[..], &key].concat();
        for (path, text) in [
            (&credentials.certificate, &certificate),
            (&credentials.key, &key),
            (&credentials.bundle, &bundle),
        ] {
            fs::write(path, text).map_err(Error::file(path))?;
        }
        Ok(credentials)
    }

    /// Those that were written into `folder`.
    pub fn within(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            certificate: folder.join("certificate.pem"),
            key: folder.join("key.pem"),
            bundle: folder.join("bundle.pem"),
        }
    }

    /// A client that trusts them, asks for `protocol` by ALPN and resumes no session.
    pub fn client(&self, protocol: &[u8]) -> io::Result<ClientConfig> {
        let mut roots = RootCertStore::empty();
        let certificate =
            CertificateDer::from_pem_file(&self.certificate).map_err(io::Error::other)?;
        roots.add(certificate).map_err(io::Error::other)?;
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        config.resumption = Resumption::disabled();
        Ok(config)
    }

    /// A server that shows them.
    pub fn server(&self) -> io::Result<Arc<ServerConfig>> {
        let certificate =
            CertificateDer::from_pem_file(&self.certificate).map_err(io::Error::other)?;
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(io::Error::other)?;
        let config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .and_then(|builder| {
                builder.with_no_client_auth().with_single_cert(vec![certificate], key)
            })
            .map_err(io::Error::other)?;
        Ok(config.into())
    }
}

fn provider() -> Arc<CryptoProvider> {
    CryptoProvider {
        cipher_suites: vec![aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256],
        kx_groups: vec![aws_lc_rs::kx_group::X25519],
        ..aws_lc_rs::default_provider()
    }
    .into()
}

/// Those of the tests of this process.
#[cfg(test)]
pub fn for_tests() -> &'static Credentials {
    static CREATED: std::sync::OnceLock<Credentials> = std::sync::OnceLock::new();
    CREATED.get_or_init(|| {
        let folder = crate::workspace::scratch().unwrap().join("tests");
        let folder = folder.join(std::process::id().to_string());
        fs::create_dir_all(&folder).unwrap();
        Credentials::create(&folder).unwrap()
    })
}
