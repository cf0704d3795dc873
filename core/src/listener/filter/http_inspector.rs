//! `envoy.filters.listener.http_inspector`: which HTTP a plain connection speaks.

use ringmain_proto_codec::http_inspector::{Detection, detect};

use super::{CONTINUE, Verdict};
use crate::listener::ConnectionInfo;
use crate::stats::scopes::HttpInspectorStats;
use crate::stats::{PerWorker, WorkerId};

/// How long a request line may be.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// The compiled filter.
#[derive(Debug)]
pub struct HttpInspector {
    /// `http_inspector.`
    pub stats: PerWorker<HttpInspectorStats>,
}

impl HttpInspector {
    /// For `workers` workers.
    pub fn new(workers: usize) -> Self {
        Self { stats: PerWorker::new(workers) }
    }

    /// Looks at all bytes received so far. What was found to be TLS is left alone.
    pub fn look(&self, worker: WorkerId, bytes: &[u8], connection: &mut ConnectionInfo) -> Verdict {
        if connection.transport_protocol != "raw_buffer" {
            return CONTINUE;
        }
        let stats = self.stats.of(worker);
        let found = match detect(bytes) {
            Detection::Incomplete if bytes.len() < LINE_BYTES_MAX => return Verdict::Incomplete,
            Detection::Incomplete | Detection::NotHttp => {
                stats.http_not_found.inc();
                return CONTINUE;
            }
            Detection::Http10 => {
                stats.http10_found.inc();
                "http/1.0"
            }
            Detection::Http11 => {
                stats.http11_found.inc();
                "http/1.1"
            }
            Detection::Http2 => {
                stats.http2_found.inc();
                "h2c"
            }
        };
        connection.requested_application_protocols = vec![found.into()];
        CONTINUE
    }
}
