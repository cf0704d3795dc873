//! `envoy.filters.listener.tls_inspector`: the name and the protocols that a TLS client asks for.

use ringmain_config::listener_filter as config;
use ringmain_proto_codec::client_hello::{ClientHelloReader, Progress};

use super::{CONTINUE, Verdict};
use crate::listener::ConnectionInfo;
use crate::server::Worker;
use crate::stats::scopes::TlsInspectorStats;
use crate::stats::{HistogramId, HistogramTable, PerWorker, Scope};

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

/// The filter at one connection.
pub struct Looking<'f> {
    filter: &'f TlsInspector,
    reader: ClientHelloReader,
}

impl<'f> Looking<'f> {
    /// Nothing has come yet.
    pub fn new(filter: &'f TlsInspector) -> Self {
        Self { filter, reader: ClientHelloReader::default() }
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
