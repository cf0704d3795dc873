//! A connection's part in the counters, from its first moment to its last.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringmain_proto_codec::auto::Protocol;
use ringmain_proto_codec::h1::Version;

use crate::http::ConnectionManager;
use crate::http::filter::ConnectionBuckets;
use crate::http::stream::millis;
use crate::listener::ConnectionInfo;
use crate::server::Worker;
use crate::stats::scopes::HttpStats;
use crate::transport_socket::tls::TlsInfo;

/// Who ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// We.
    Local,
    /// The client.
    Remote,
}

/// What is known of a connection beyond its requests. Its end is counted when it is dropped.
#[derive(Debug)]
pub(super) struct ConnectionRecord {
    pub(super) worker: Rc<Worker>,
    pub(super) manager: Arc<ConnectionManager>,
    pub(super) info: ConnectionInfo,
    /// What is known of its TLS, where it has any.
    pub(super) tls: Option<Rc<TlsInfo>>,
    /// What it has of rate limits of its own.
    pub(super) buckets: ConnectionBuckets,
    pub(super) opened: Instant,
    pub(super) requests: Cell<u32>,
    pub(super) end: Cell<End>,
    /// What the client speaks, once that is known.
    pub(super) protocol: Cell<Option<Protocol>>,
}

impl ConnectionRecord {
    /// Counts a connection just accepted.
    pub(super) fn open(
        worker: &Rc<Worker>,
        manager: &Arc<ConnectionManager>,
        info: ConnectionInfo,
        tls: Option<Rc<TlsInfo>>,
    ) -> Self {
        let stats = manager.stats.of(worker.id);
        stats.downstream_cx_total.inc();
        stats.downstream_cx_active.inc();
        if tls.is_some() {
            stats.downstream_cx_ssl_total.inc();
            stats.downstream_cx_ssl_active.inc();
        }
        Self {
            worker: worker.clone(),
            manager: manager.clone(),
            info,
            tls,
            buckets: ConnectionBuckets::default(),
            opened: Instant::now(),
            requests: Cell::new(0),
            end: Cell::new(End::Remote),
            protocol: Cell::new(None),
        }
    }

    /// Counts a connection that served nothing: without a session, where it was to have TLS, or refused.
    pub(super) fn count_unserved(
        worker: &Rc<Worker>,
        manager: &Arc<ConnectionManager>,
        info: ConnectionInfo,
        is_tls: bool,
        end: End,
    ) {
        if is_tls {
            manager.stats.of(worker.id).downstream_cx_ssl_total.inc();
        }
        Self::open(worker, manager, info, None).end.set(end);
    }

    /// The first bytes have told what the client speaks.
    pub(super) fn begin(&self, protocol: Protocol) {
        self.protocol.set(Some(protocol));
        let stats = self.manager.stats.of(self.worker.id);
        match protocol {
            Protocol::Http1 => {
                stats.downstream_cx_http1_total.inc();
                stats.downstream_cx_http1_active.inc();
            }
            Protocol::Http2 => {
                self.worker.http2_stats().nghttp2_downstream_connections.inc();
                stats.downstream_cx_http2_total.inc();
                stats.downstream_cx_http2_active.inc();
            }
        }
    }

    /// Counts bytes that have come.
    pub(super) fn count_received(&self, count: usize) {
        self.stats().downstream_cx_rx_bytes_total.add(count as u64);
        if let Some(log) = &self.info.log {
            log.note_received(count);
        }
    }

    /// Counts bytes that have gone out.
    pub(super) fn count_sent(&self, count: usize) {
        self.stats().downstream_cx_tx_bytes_total.add(count as u64);
        self.info.note(|record| record.bytes_sent += count as u64);
    }

    /// Counts a client that breaks the rules of its protocol.
    pub(super) fn count_protocol_error(&self) {
        self.stats().downstream_cx_protocol_error.inc();
        if let Some(log) = &self.info.log {
            log.note_protocol_error();
        }
    }

    /// Notes what HTTP the client speaks.
    pub(super) fn note_version(&self, version: Version) {
        if let Some(log) = &self.info.log {
            log.note_version(version);
        }
    }

    fn stats(&self) -> &HttpStats {
        self.manager.stats.of(self.worker.id)
    }

    /// What is left of `max_connection_duration`.
    pub(super) fn remaining_lifetime(&self) -> Option<Duration> {
        let max = self.manager.config.max_connection_duration?;
        Some(max.saturating_sub(self.opened.elapsed()))
    }

    /// Whether `max_connection_duration` has passed.
    pub(super) fn is_expired(&self) -> bool {
        let max = self.manager.config.max_connection_duration;
        max.is_some_and(|max| self.opened.elapsed() >= max)
    }
}

impl Drop for ConnectionRecord {
    fn drop(&mut self) {
        let stats = self.manager.stats.of(self.worker.id);
        stats.downstream_cx_active.dec();
        if self.tls.is_some() {
            stats.downstream_cx_ssl_active.dec();
        }
        match self.protocol.get() {
            Some(Protocol::Http1) => stats.downstream_cx_http1_active.dec(),
            Some(Protocol::Http2) => stats.downstream_cx_http2_active.dec(),
            None => {}
        }
        stats.downstream_cx_destroy.inc();
        match self.end.get() {
            End::Local => stats.downstream_cx_destroy_local.inc(),
            End::Remote => stats.downstream_cx_destroy_remote.inc(),
        }
        let length_ms = millis(self.opened.elapsed());
        self.worker.histograms.record(self.manager.histograms.downstream_cx_length_ms, length_ms);
    }
}
