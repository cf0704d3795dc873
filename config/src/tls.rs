//! TLS on either side of the proxy (`envoy.extensions.transport_sockets.tls.v3`).
//!
//! Certificates, keys, authorities and revocation lists are read and checked at load. A context
//! remembers where they came from and can be read anew, see [`DownstreamTlsContext::reload`] and
//! [`UpstreamTlsContext::reload`].

mod certificate;
mod common;
mod downstream;
mod ocsp_staple;
mod parameters;
mod sds_file;
mod secrets;
mod upstream;
mod validation;

pub use self::certificate::TlsCertificate;
pub use self::common::CommonTlsContext;
pub use self::downstream::{DownstreamTlsContext, OcspStaplePolicy, SessionTickets};
pub use self::ocsp_staple::OcspStaple;
pub use self::parameters::{TlsParameters, TlsVersion};
pub(crate) use self::secrets::Secrets;
pub use self::upstream::UpstreamTlsContext;
pub use self::validation::{
    CertificateValidationContext, SanType, SubjectAltNameMatcher, TrustChainVerification,
};

use crate::report::{At, Report, Severity};

/// Reads something once more; what is wrong with it is told in one text.
fn reloaded<T>(read: impl FnOnce(&At<'_>) -> Option<T>) -> Result<T, String> {
    let report = Report::default();
    let loaded = read(&report.root());
    match (loaded, report.errors()) {
        (Some(loaded), 0) => Ok(loaded),
        _ => Err(report.text_of(Severity::Error)),
    }
}
