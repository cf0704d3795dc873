//! A host on one worker: its connections there.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use ringmain_config::cluster::RoutingPriority;

use super::{HealthFlag, Host};
use crate::pool::{IdleConnections, MultiplexedConnections, OpenTcp};
use crate::stats::WorkerId;
use crate::stats::scopes::HostStats;

/// A host as one worker sees it.
#[derive(Debug)]
pub struct WorkerHost {
    /// What all workers share.
    pub shared: Arc<Host>,
    /// This worker.
    pub worker: WorkerId,
    connections: [Cell<u32>; 2],
    idle: [IdleConnections; 2],
    multiplexed: [MultiplexedConnections; 2],
    open_tcp: OpenTcp,
    /// Whether the last connection that agreed on a protocol by ALPN has agreed on HTTP/2.
    agrees_on_http2: Cell<bool>,
    alternate: Cell<bool>,
    /// Whether its health checks fail or it is ejected, as last told.
    failed: Cell<bool>,
}

impl WorkerHost {
    /// Without connections yet.
    pub(super) fn new(shared: Arc<Host>, worker: WorkerId) -> Self {
        Self {
            shared,
            worker,
            connections: Default::default(),
            idle: Default::default(),
            multiplexed: Default::default(),
            open_tcp: OpenTcp::default(),
            agrees_on_http2: Cell::default(),
            alternate: Cell::default(),
            failed: Cell::default(),
        }
    }

    /// This worker's counters of the host.
    pub fn stats(&self) -> &HostStats {
        self.shared.stats.of(self.worker)
    }

    /// Connections of `priority` that are open or being opened.
    pub fn connections(&self, priority: RoutingPriority) -> u32 {
        self.connections[priority as usize].get()
    }

    /// Counts connections opened and closed.
    pub fn count_connection(&self, priority: RoutingPriority, change: i32) {
        let count = &self.connections[priority as usize];
        count.set(count.get().saturating_add_signed(change));
    }

    /// Connections of `priority` that wait for a request.
    pub fn idle(&self, priority: RoutingPriority) -> &IdleConnections {
        &self.idle[priority as usize]
    }

    /// HTTP/2 connections of `priority`.
    pub fn multiplexed(&self, priority: RoutingPriority) -> &MultiplexedConnections {
        &self.multiplexed[priority as usize]
    }

    /// Connections of TCP proxies and tunnels, where they are to be closed when the host fails.
    pub fn open_tcp(&self) -> &OpenTcp {
        &self.open_tcp
    }

    /// Whether the next connection is likely to agree on HTTP/2 by ALPN.
    pub fn agrees_on_http2(&self) -> bool {
        self.agrees_on_http2.get()
    }

    /// A connection has agreed on HTTP/2, or not.
    pub fn note_agreed(&self, http2: bool) {
        self.agrees_on_http2.set(http2);
    }

    /// Whether its health checks fail or it is ejected, and that was not so when this was last asked.
    pub(super) fn has_failed_anew(&self) -> bool {
        let health = self.shared.health();
        let failed =
            health.has(HealthFlag::FailedActiveHc) || health.has(HealthFlag::FailedOutlierCheck);
        !self.failed.replace(failed) && failed
    }

    /// A host that has failed its checks or was ejected may do better on other connections, as Envoy
    /// has it: those that wait are closed, and those of TCP proxies where that is asked for.
    pub(super) fn leave_connections(&self) {
        self.open_tcp.cut_all();
        self.idle.iter().for_each(IdleConnections::close_all);
        self.multiplexed.iter().for_each(MultiplexedConnections::drain);
    }

    /// The host has left: its connections close when they serve nobody.
    pub(super) fn retire_connections(&self) {
        self.idle.iter().for_each(IdleConnections::retire);
        self.multiplexed.iter().for_each(MultiplexedConnections::retire);
    }

    /// Whether any connection to it is open or being opened.
    pub(super) fn is_connected(&self) -> bool {
        self.connections.iter().any(|open| open.get() > 0)
    }

    /// Closes all idle connections.
    pub(super) fn close_idle(&self) {
        self.idle.iter().for_each(IdleConnections::close_all);
        for multiplexed in &self.multiplexed {
            while multiplexed.close_idle() {}
        }
    }

    /// Closes one idle connection. False where there is none.
    pub(super) fn close_one_idle(&self, priority: RoutingPriority) -> bool {
        self.idle(priority).close_oldest() || self.multiplexed(priority).close_idle()
    }

    /// Closes idle connections while requests wait because of the host's own limit.
    pub(super) fn close_idle_waited_for(&self) {
        for idle in &self.idle {
            while self.shared.waiting() > 0 && idle.close_oldest() {}
        }
        for multiplexed in &self.multiplexed {
            while self.shared.waiting() > 0 && multiplexed.close_idle() {}
        }
    }

    /// Closes idle connections that the upstream has closed or that have waited for `timeout`.
    pub(super) fn sweep(&self, timeout: Option<Duration>) {
        self.idle.iter().for_each(|idle| idle.sweep(timeout));
        self.multiplexed.iter().for_each(|multiplexed| multiplexed.sweep(timeout));
    }

    /// True every other time.
    pub fn alternate(&self) -> bool {
        self.alternate.replace(!self.alternate.get())
    }
}
