//! `envoy.filters.listener.tls_inspector`: the name and the protocols that a TLS client asks for.

use std::rc::Rc;

use aws_lc_rs::digest::{SHA256, digest};
use md5::{Digest, Md5};
use ringmain_config::listener_filter as config;
use ringmain_proto_codec::client_hello::{ClientHelloReader, Ja4, Offer, Progress};

use super::{CONTINUE, Verdict};
use crate::listener::{ConnectionInfo, TlsFingerprints};
use crate::server::Worker;
use crate::stats::scopes::TlsInspectorStats;
use crate::stats::{HistogramId, HistogramTable, PerWorker, Scope};
use crate::transport_socket::tls::{hex, not_tls};

/// The compiled filter.
#[derive(Debug)]
pub struct TlsInspector {
    /// `tls_inspector.`
    pub stats: PerWorker<TlsInspectorStats>,
    config: config::TlsInspector,
    /// `tls_inspector.bytes_processed`: bytes, not milliseconds.
    bytes_processed: HistogramId,
}

impl TlsInspector {
    /// Compiles `config` for `workers` workers and adds its histogram to `table`.
    pub fn new(config: config::TlsInspector, workers: usize, table: &mut HistogramTable) -> Self {
        let bytes_processed = table.add(&Scope::plain("tls_inspector"), "bytes_processed");
        Self { stats: PerWorker::new(workers), config, bytes_processed }
    }
}

/// Digits of a list's hash that JA4 keeps.
const JA4_DIGITS: usize = 12;

impl TlsInspector {
    fn fingerprints(&self, offer: &Offer) -> TlsFingerprints {
        let ja3 = || hex(&Md5::digest(offer.ja3()));
        TlsFingerprints {
            ja3: self.config.enable_ja3_fingerprinting.then(ja3),
            ja4: self.config.enable_ja4_fingerprinting.then(|| ja4(offer)),
        }
    }
}

fn ja4(offer: &Offer) -> String {
    let Ja4 { head, cipher_suites, extensions } = offer.ja4();
    let hash = |list: String| match list.is_empty() {
        true => "0".repeat(JA4_DIGITS),
        false => hex(&digest(&SHA256, list.as_bytes()).as_ref()[..JA4_DIGITS / 2]),
    };
    format!("{head}_{}_{}", hash(cipher_suites), hash(extensions))
}

/// The filter at one connection.
pub struct Looking<'f> {
    filter: &'f TlsInspector,
    reader: ClientHelloReader,
}

impl<'f> Looking<'f> {
    /// Nothing has come yet.
    pub fn new(filter: &'f TlsInspector) -> Self {
        let config = &filter.config;
        let fingerprints = config.enable_ja3_fingerprinting || config.enable_ja4_fingerprinting;
        let reader = match fingerprints {
            true => ClientHelloReader::taking_offer(),
            false => ClientHelloReader::default(),
        };
        Self { filter, reader }
    }

    /// Goes on with all bytes received so far.
    pub fn look(
        &mut self,
        worker: &Worker,
        bytes: &[u8],
        connection: &mut ConnectionInfo,
    ) -> Verdict {
        let stats = self.filter.stats.of(worker.id);
        let max = self.filter.config.max_client_hello_size;
        let progress = self.reader.read(&bytes[..bytes.len().min(max)]);
        let verdict = match progress {
            Progress::Incomplete if bytes.len() < max => return Verdict::Incomplete,
            Progress::Incomplete => {
                stats.client_hello_too_large.inc();
                Verdict::Close
            }
            Progress::NotTls => {
                stats.tls_not_found.inc();
                connection.transport_failure = Some(not_tls(bytes).into());
                if self.filter.config.closes_on_errors { Verdict::Close } else { CONTINUE }
            }
            Progress::Complete(hello) => {
                let name = match hello.server_name {
                    Some(_) => &stats.sni_found,
                    None => &stats.sni_not_found,
                };
                name.inc();
                let protocols = match hello.application_protocols.is_empty() {
                    true => &stats.alpn_not_found,
                    false => &stats.alpn_found,
                };
                protocols.inc();
                stats.tls_found.inc();
                connection.transport_protocol = "tls";
                connection.tls_fingerprints =
                    hello.offer.map(|offer| Rc::new(self.filter.fingerprints(&offer)));
                connection.requested_server_name = hello.server_name.map(Into::into);
                connection.requested_application_protocols = hello.application_protocols;
                CONTINUE
            }
        };
        let looked_at = self.reader.looked_at().min(bytes.len()) as u64;
        worker.histograms.record(self.filter.bytes_processed, looked_at);
        verdict
    }
}
