//! What rustls asks of us during a handshake and does not tell afterwards.
//!
//! rustls calls its verifiers and certificate resolvers while it is given bytes, on the worker's
//! thread. What they see is kept here for who gave the bytes.

use std::cell::RefCell;
use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;

use super::verification::Refusal;

/// What was seen in one handshake.
#[derive(Debug, Default, Clone)]
pub(super) struct Observed {
    /// Whether the client asks for an OCSP staple; rustls does not tell.
    pub(super) requests_status: bool,
    /// What became of that.
    pub(super) staple: Option<Staple>,
    /// The certificate that we showed.
    pub(super) local: Option<Arc<CertifiedKey>>,
    /// How the peer proved that it has its key.
    pub(super) signature: Option<SignatureScheme>,
    /// Whether the peer's certificate was held against rules and met them.
    pub(super) validated: bool,
    /// What was wrong with it.
    pub(super) refusal: Option<Refusal>,
    /// The certificates of a peer that is refused; those of others rustls has.
    pub(super) refused: Vec<CertificateDer<'static>>,
}

/// What a client gets that may have asked for an OCSP staple.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Staple {
    /// It has not asked.
    NotRequested,
    /// The staple.
    Sent,
    /// None, which is allowed.
    Omitted,
    /// No certificate: none may be shown without a staple that holds.
    Failed,
}

thread_local! {
    static OBSERVED: RefCell<Observed> = RefCell::default();
}

/// Runs `process`, which may call rustls, and adds what is seen to `observed`.
pub(super) fn observing<R>(observed: &mut Observed, process: impl FnOnce() -> R) -> R {
    OBSERVED.replace(std::mem::take(observed));
    let result = process();
    *observed = OBSERVED.take();
    result
}

/// Whether the client that rustls is at asks for an OCSP staple.
pub(super) fn requests_status() -> bool {
    OBSERVED.with_borrow(|observed| observed.requests_status)
}

/// Notes something of the handshake that rustls is at.
pub(super) fn note(change: impl FnOnce(&mut Observed)) {
    OBSERVED.with_borrow_mut(change);
}
