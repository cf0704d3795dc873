//! `envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext`.

use std::time::Duration;

use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3 as wire;
use wire::downstream_tls_context::{OcspStaplePolicy as WirePolicy, SessionTicketKeysType};

use super::common::CommonTlsContext;
use super::parameters::TlsVersion;
use super::reloaded;
use crate::data_source;
use crate::duration;
use crate::report::{At, Note};

/// BoringSSL's, which Envoy leaves as it is.
const SESSION_TIMEOUT: Duration = Duration::from_secs(7200);

/// TLS as a server.
#[derive(Debug, Clone)]
pub struct DownstreamTlsContext {
    /// `common_tls_context`, with at least one certificate.
    pub common: CommonTlsContext,
    /// `require_client_certificate`, default false.
    pub require_client_certificate: bool,
    /// `require_sni`, default false.
    pub require_sni: bool,
    /// `session_ticket_keys` or `disable_stateless_session_resumption`.
    pub session_tickets: SessionTickets,
    /// `session_timeout`, default 2 h, which less than 1 s stands for too.
    pub session_timeout: Duration,
    /// `full_scan_certs_on_sni_mismatch`, default false: a name that no certificate has gets the
    /// first certificate; if set, the first with a key that the client takes.
    pub full_scan_certs_on_sni_mismatch: bool,
    /// `prefer_client_ciphers`, default false.
    pub prefer_client_ciphers: bool,
    /// `ocsp_staple_policy`, default `LENIENT_STAPLING`.
    pub ocsp_staple_policy: OcspStaplePolicy,
    wire: wire::DownstreamTlsContext,
}

/// When a certificate is shown to a client that asks for what its authority says of it, where there
/// is no response that still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OcspStaplePolicy {
    /// `LENIENT_STAPLING`: always.
    LenientStapling,
    /// `STRICT_STAPLING`: where there is no response at all, but not with one that holds no longer.
    StrictStapling,
    /// `MUST_STAPLE`: never.
    MustStaple,
}

/// How sessions are resumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionTickets {
    /// By tickets under keys of the process's own, which change.
    Random,
    /// `session_ticket_keys`: the first one encrypts.
    Keys(Vec<[u8; 80]>),
    /// `disable_stateless_session_resumption`: not at all.
    Disabled,
}

impl DownstreamTlsContext {
    pub(crate) fn from_wire(wire: &wire::DownstreamTlsContext, at: &At<'_>) -> Option<Self> {
        let common =
            CommonTlsContext::from_wire(wire.common_tls_context.as_ref(), TlsVersion::V13, at);
        let session_tickets = session_tickets(wire, at);
        let common = common?;
        // Those that are named still are unknown or wrong, which was told.
        let named = wire.common_tls_context.as_ref();
        let named = named.map_or(0, |common| common.tls_certificate_sds_secret_configs.len());
        if common.tls_certificates.is_empty() && named == 0 {
            at.error_at_key(
                Note::from("no TLS certificates found for server context")
                    .help("add 'tls_certificates' to 'common_tls_context'"),
            );
        }
        let ocsp_staple_policy = OcspStaplePolicy::from_wire(wire.ocsp_staple_policy());
        check_staples(&common, ocsp_staple_policy, at);
        Some(Self {
            common,
            ocsp_staple_policy,
            require_client_certificate: is_true(wire.require_client_certificate),
            require_sni: is_true(wire.require_sni),
            session_tickets,
            session_timeout: session_timeout(wire, at),
            full_scan_certs_on_sni_mismatch: is_true(wire.full_scan_certs_on_sni_mismatch),
            prefer_client_ciphers: wire.prefer_client_ciphers,
            wire: wire.clone(),
        })
    }

    /// The same context with the content that its files have now.
    pub fn reload(&self) -> Result<Self, String> {
        reloaded(|at| Self::from_wire(&self.wire, at))
    }
}

impl OcspStaplePolicy {
    fn from_wire(wire: WirePolicy) -> Self {
        match wire {
            WirePolicy::LenientStapling => Self::LenientStapling,
            WirePolicy::StrictStapling => Self::StrictStapling,
            WirePolicy::MustStaple => Self::MustStaple,
        }
    }
}

/// A certificate that must not be shown without a staple has one.
fn check_staples(common: &CommonTlsContext, policy: OcspStaplePolicy, at: &At<'_>) {
    for certificate in common.tls_certificates.iter().filter(|it| it.ocsp_staple.is_none()) {
        if certificate.is_must_staple {
            at.error(
                Note::from("OCSP response is required for must-staple certificate")
                    .help("add 'ocsp_staple' to the certificate"),
            );
        } else if policy == OcspStaplePolicy::MustStaple {
            let note = Note::from("Required OCSP response is missing from TLS context").help(
                "add 'ocsp_staple' to each certificate, or set 'ocsp_staple_policy: \
                 LENIENT_STAPLING'",
            );
            at.error(note);
        }
    }
}

fn is_true(wire: Option<envoy_types::pb::google::protobuf::BoolValue>) -> bool {
    wire.is_some_and(|wrapped| wrapped.value)
}

fn session_timeout(wire: &wire::DownstreamTlsContext, at: &At<'_>) -> Duration {
    let timeout = wire.session_timeout.as_ref();
    let timeout = duration::or(timeout, SESSION_TIMEOUT, at, "session_timeout");
    // BoringSSL counts seconds, and takes none for its default.
    if timeout.as_secs() == 0 { SESSION_TIMEOUT } else { timeout }
}

fn session_tickets(wire: &wire::DownstreamTlsContext, at: &At<'_>) -> SessionTickets {
    match &wire.session_ticket_keys_type {
        Some(SessionTicketKeysType::DisableStatelessSessionResumption(true)) => {
            SessionTickets::Disabled
        }
        Some(SessionTicketKeysType::SessionTicketKeys(keys)) => {
            let keys = ticket_keys(keys, &at.field("session_ticket_keys"));
            SessionTickets::Keys(keys.unwrap_or_default())
        }
        _ => SessionTickets::Random,
    }
}

/// Reads a `TlsSessionTicketKeys`; `None` where one is wrong.
pub(super) fn ticket_keys(wire: &wire::TlsSessionTicketKeys, at: &At<'_>) -> Option<Vec<[u8; 80]>> {
    let at = at.field("keys");
    let keys = wire.keys.iter().enumerate().map(|(index, source)| {
        let at = at.index(index);
        let key = data_source::read(source, &at)?;
        let length = key.len();
        key.try_into()
            .map_err(|_| {
                at.error(
                    Note::from(format!("a key has 80 bytes, not {length}"))
                        .help("make one with: openssl rand 80"),
                )
            })
            .ok()
    });
    let keys: Vec<_> = keys.collect();
    keys.into_iter().collect()
}
