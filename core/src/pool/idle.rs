//! Idle HTTP/1 connections of one host on one worker: last in, first out.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use super::UpstreamConnection;
use crate::runtime::closed_or_readable;

/// Connections that wait for a request. A connection that the upstream closes is found by the
/// sweep, which asks the kernel about all of them in one call, or when it is taken for a request
/// that could not be sent twice.
#[derive(Debug, Default)]
pub struct IdleConnections {
    waiting: RefCell<Vec<Idle>>,
    retired: Cell<bool>,
}

#[derive(Debug)]
struct Idle {
    connection: UpstreamConnection,
    since: Instant,
}

impl IdleConnections {
    /// The connection used last. With `verified` the kernel is asked first whether the upstream
    /// has closed it or sent something unasked, and such connections are closed.
    pub fn take(&self, verified: bool) -> Option<UpstreamConnection> {
        loop {
            let mut connection = self.waiting.borrow_mut().pop()?.connection;
            if connection.keep_alive_expired() {
                connection.close_locally();
                continue;
            }
            if !verified || !is_closed(&connection) {
                return Some(connection);
            }
            connection.note_remote_close();
        }
    }

    /// Gives a connection back for the next request.
    pub fn put(&self, mut connection: UpstreamConnection) {
        if self.retired.get() {
            connection.close_locally();
            return;
        }
        let since = connection.deadline().coarse_now();
        self.waiting.borrow_mut().push(Idle { connection, since });
    }

    /// The host has left the cluster: closes what waits, and from now on what comes back.
    pub fn retire(&self) {
        self.retired.set(true);
        for mut idle in self.waiting.take() {
            idle.connection.close_locally();
        }
    }

    /// Closes connections that the upstream has closed, and those idle for `idle_timeout`.
    pub fn sweep(&self, idle_timeout: Option<Duration>) {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.is_empty() {
            return;
        }
        let mut closed = Vec::new();
        closed_or_readable(waiting.iter().map(|idle| &**idle.connection.stream()), |index| {
            closed.push(index);
        });
        for index in closed.into_iter().rev() {
            waiting.remove(index).connection.note_remote_close();
        }
        // The longest idle stand first: connections are taken from the end.
        let expired = waiting
            .iter()
            .take_while(|idle| {
                idle_timeout.is_some_and(|timeout| idle.since.elapsed() >= timeout)
                    || idle.connection.keep_alive_expired()
            })
            .count();
        for mut idle in waiting.drain(..expired) {
            idle.connection.note_idle_timeout();
        }
    }
}

fn is_closed(connection: &UpstreamConnection) -> bool {
    let mut closed = false;
    closed_or_readable(std::iter::once(&**connection.stream()), |_| closed = true);
    closed
}
