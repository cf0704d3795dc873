//! A connection's part in the counters, from its first moment to its last.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use crate::http::ConnectionManager;
use crate::http::stream::millis;
use crate::listener::ConnectionInfo;
use crate::server::{Worker, connection_ids};

/// Who ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Local,
    Remote,
}

/// What is known of a connection beyond its requests. Its end is counted when it is dropped.
#[derive(Debug)]
pub(super) struct ConnectionRecord {
    pub(super) worker: Rc<Worker>,
    pub(super) manager: Arc<ConnectionManager>,
    /// Its number in the process.
    pub(super) id: u64,
    pub(super) info: ConnectionInfo,
    pub(super) opened: Instant,
    pub(super) requests: Cell<u32>,
    pub(super) end: Cell<End>,
    begun: Cell<bool>,
}

impl ConnectionRecord {
    /// Counts a connection just accepted.
    pub(super) fn open(
        worker: &Rc<Worker>,
        manager: &Arc<ConnectionManager>,
        info: ConnectionInfo,
    ) -> Self {
        let stats = manager.stats.of(worker.id);
        stats.downstream_cx_total.inc();
        stats.downstream_cx_active.inc();
        Self {
            worker: worker.clone(),
            manager: manager.clone(),
            id: connection_ids::next(),
            info,
            opened: Instant::now(),
            requests: Cell::new(0),
            end: Cell::new(End::Remote),
            begun: Cell::new(false),
        }
    }

    /// The first bytes have come, which make the codec.
    pub(super) fn begin(&self) {
        if !self.begun.replace(true) {
            let stats = self.manager.stats.of(self.worker.id);
            stats.downstream_cx_http1_total.inc();
            stats.downstream_cx_http1_active.inc();
        }
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
        if self.begun.get() {
            stats.downstream_cx_http1_active.dec();
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
