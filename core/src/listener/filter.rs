//! Listener filters: what is found out about a connection before its filter chain is chosen. They look
//! at the first bytes; those go to the chain with the connection.

mod http_inspector;
mod proxy_protocol;
mod tls_inspector;

use std::time::Duration;

use ringmain_config::listener as config;
use ringmain_config::listener_filter as filter;

pub use http_inspector::HttpInspector;
pub use proxy_protocol::ProxyProtocol;
pub use tls_inspector::TlsInspector;

use super::ConnectionInfo;
use crate::runtime::{Buffer, Patience, Stream};
use crate::server::Worker;
use crate::stats::HistogramTable;
use crate::stats::scopes::ListenerStats;

/// The filters of a listener, compiled.
#[derive(Debug)]
pub struct ListenerFilters {
    /// In file order.
    pub filters: Vec<ListenerFilter>,
    timeout: Option<Duration>,
    continues_on_timeout: bool,
}

/// A compiled listener filter.
#[derive(Debug)]
pub enum ListenerFilter {
    /// `envoy.filters.listener.tls_inspector`.
    TlsInspector(TlsInspector),
    /// `envoy.filters.listener.http_inspector`.
    HttpInspector(HttpInspector),
    /// `envoy.filters.listener.proxy_protocol`.
    ProxyProtocol(ProxyProtocol),
    /// `envoy.filters.listener.original_dst`.
    OriginalDst,
}

/// What a filter makes of the bytes received so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// More have to come.
    Incomplete,
    /// The next filter's turn; so many bytes were this one's own.
    Continue {
        /// Bytes that nobody else is to see.
        consumed: usize,
    },
    /// The connection is closed.
    Close,
}

/// Goes on with the next filter, which sees the same bytes.
const CONTINUE: Verdict = Verdict::Continue { consumed: 0 };

/// What a filter keeps while it looks at one connection.
enum Looking<'f> {
    Tls(tls_inspector::Looking<'f>),
    Http(&'f HttpInspector),
    Proxy(&'f ProxyProtocol),
    OriginalDst,
}

impl ListenerFilters {
    /// Compiles the filters of `config` for `workers` workers.
    pub fn new(config: &config::Listener, workers: usize, table: &mut HistogramTable) -> Self {
        let compile = |filter: &filter::ListenerFilter| match filter {
            filter::ListenerFilter::TlsInspector(config) => {
                ListenerFilter::TlsInspector(TlsInspector::new(config.clone(), workers, table))
            }
            filter::ListenerFilter::HttpInspector => {
                ListenerFilter::HttpInspector(HttpInspector::new(workers))
            }
            filter::ListenerFilter::ProxyProtocol(config) => {
                ListenerFilter::ProxyProtocol(ProxyProtocol::new(config.clone(), workers))
            }
            filter::ListenerFilter::OriginalDst => ListenerFilter::OriginalDst,
        };
        Self {
            filters: config.listener_filters.iter().map(compile).collect(),
            timeout: config.listener_filters_timeout,
            continues_on_timeout: config.continue_on_listener_filters_timeout,
        }
    }

    /// Has every filter look at `stream`, of which `input` has come. The bytes received till then, or `None` where the connection
    /// is to be closed.
    pub async fn run(
        &self,
        worker: &Worker,
        stats: &ListenerStats,
        stream: &Stream,
        connection: &mut ConnectionInfo,
        mut input: Buffer,
    ) -> Option<Buffer> {
        let _waiting = Waiting::begin(stats);
        let patience = Patience::new(&worker.timers);
        if let Some(timeout) = self.timeout {
            patience.arm(timeout);
        }
        for filter in &self.filters {
            let mut looking = filter.begin();
            loop {
                match looking.look(worker, input.bytes(), stream, connection) {
                    Verdict::Continue { consumed } => {
                        input.consume(consumed);
                        break;
                    }
                    Verdict::Incomplete => {
                        match self.receive(worker, stats, stream, &patience, input).await {
                            Ok(more) => input = more,
                            Err(rest) => return rest,
                        }
                    }
                    Verdict::Close => {
                        worker.buffers.give_back(input);
                        return None;
                    }
                }
            }
        }
        Some(input)
    }

    /// `input` and more. An error says that no more is waited for, and what goes on all the same.
    async fn receive(
        &self,
        worker: &Worker,
        stats: &ListenerStats,
        stream: &Stream,
        patience: &Patience,
        input: Buffer,
    ) -> Result<Buffer, Option<Buffer>> {
        let (received, input) = stream.read_patiently(with_room(worker, input), patience).await;
        match received {
            Some(Ok(count)) if count > 0 => return Ok(input),
            Some(Ok(_)) => stats.downstream_listener_filter_remote_close.inc(),
            Some(Err(_)) => stats.downstream_listener_filter_error.inc(),
            None => {
                stats.downstream_pre_cx_timeout.inc();
                if self.continues_on_timeout {
                    return Err(Some(input));
                }
            }
        }
        worker.buffers.give_back(input);
        Err(None)
    }
}

/// `input` with room for more; every filter has a limit of its own.
fn with_room(worker: &Worker, mut input: Buffer) -> Buffer {
    if input.capacity() == 0 {
        return worker.buffers.small();
    }
    if input.room() == 0 {
        input.compact();
    }
    if input.room() == 0 { input.doubled() } else { input }
}

impl ListenerFilter {
    fn begin(&self) -> Looking<'_> {
        match self {
            Self::TlsInspector(filter) => Looking::Tls(tls_inspector::Looking::new(filter)),
            Self::HttpInspector(filter) => Looking::Http(filter),
            Self::ProxyProtocol(filter) => Looking::Proxy(filter),
            Self::OriginalDst => Looking::OriginalDst,
        }
    }
}

impl Looking<'_> {
    fn look(
        &mut self,
        worker: &Worker,
        bytes: &[u8],
        stream: &Stream,
        connection: &mut ConnectionInfo,
    ) -> Verdict {
        match self {
            Self::Tls(looking) => looking.look(worker, bytes, connection),
            Self::Http(filter) => filter.look(worker.id, bytes, connection),
            Self::Proxy(filter) => filter.look(worker.id, bytes, connection),
            Self::OriginalDst => {
                if let Some(original) = stream.original_destination() {
                    connection.restore_local(original);
                }
                CONTINUE
            }
        }
    }
}

/// A connection in `downstream_pre_cx_active`, until dropped.
struct Waiting<'s>(&'s ListenerStats);

impl<'s> Waiting<'s> {
    fn begin(stats: &'s ListenerStats) -> Self {
        stats.downstream_pre_cx_active.inc();
        Self(stats)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.downstream_pre_cx_active.dec();
    }
}
