//! `listener.<address>.ssl.` and `cluster.<name>.ssl.`

use super::info::TlsInfo;
use super::names;
use super::observed::Staple;
use crate::stats::{Counter, PerWorker, stats_block};

stats_block! {
    /// The counters that are always there.
    FixedSslStats {
        counters {
            connection_error,
            fail_verify_cert_hash,
            fail_verify_error,
            fail_verify_no_cert,
            fail_verify_san,
            handshake,
            no_certificate,
            ocsp_staple_failed,
            ocsp_staple_omitted,
            ocsp_staple_requests,
            ocsp_staple_responses,
            session_reused,
        }
        gauges {}
    }
}

/// How many algorithms there are to count.
const NEGOTIATED: usize =
    names::CIPHERS.len() + names::CURVES.len() + names::SIGNATURES.len() + names::VERSIONS.len();

/// Handshakes of one scope. One thread writes, any thread reads.
#[derive(Debug)]
pub struct SslStats {
    /// The counters that are always there.
    pub fixed: FixedSslStats,
    /// Those that are there once they count, in the order of [`SslStats::names`].
    negotiated: [Counter; NEGOTIATED],
}

impl Default for SslStats {
    fn default() -> Self {
        Self {
            fixed: FixedSslStats::default(),
            negotiated: std::array::from_fn(|_| Counter::default()),
        }
    }
}

impl SslStats {
    /// Counts a handshake that has succeeded.
    pub(super) fn count_handshake(&self, info: &TlsInfo) {
        self.fixed.handshake.inc();
        if info.resumed {
            self.fixed.session_reused.inc();
        }
        if !info.is_peer_presented() {
            self.fixed.no_certificate.inc();
        }
        if info.tolerated {
            self.fixed.fail_verify_error.inc();
        }
        for name in [info.cipher, info.group, info.signature, info.version].into_iter().flatten() {
            if let Some(index) = Self::names().position(|(_, known)| known == name) {
                self.negotiated[index].inc();
            }
        }
    }

    /// Counts what became of an OCSP staple, whatever became of the handshake.
    pub(super) fn count_staple(&self, staple: Staple) {
        let counter = match staple {
            Staple::NotRequested => return,
            Staple::Sent => &self.fixed.ocsp_staple_responses,
            Staple::Omitted => &self.fixed.ocsp_staple_omitted,
            Staple::Failed => &self.fixed.ocsp_staple_failed,
        };
        self.fixed.ocsp_staple_requests.inc();
        counter.inc();
    }

    /// Calls `each` with the kind, the name and the count of every algorithm that was ever used.
    pub fn visit_negotiated(all: &PerWorker<Self>, mut each: impl FnMut(&str, &str, u64)) {
        for (index, (kind, name)) in Self::names().enumerate() {
            let total = all.iter().map(|stats| stats.negotiated[index].value()).sum();
            if total > 0 {
                each(kind, name, total);
            }
        }
    }

    /// The kind and the name of each algorithm.
    fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
        fn named<T>(
            kind: &'static str,
            table: &'static [(T, &'static str)],
        ) -> impl Iterator<Item = (&'static str, &'static str)> {
            table.iter().map(move |(_, name)| (kind, *name))
        }
        named("ciphers", &names::CIPHERS)
            .chain(named("curves", &names::CURVES))
            .chain(named("sigalgs", &names::SIGNATURES))
            .chain(named("versions", &names::VERSIONS))
    }
}
