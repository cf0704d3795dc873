//! Idle HTTP/1 connections of one host on one worker: last in, first out.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::UpstreamConnection;
use crate::runtime::closed_or_readable;
use crate::transport_socket::TransportOptions;

/// Connections that wait for a request. A connection that the upstream closes is found by the
/// sweep, which asks the kernel about all of them in one call, or when it is taken.
#[derive(Debug, Default)]
pub struct IdleConnections {
    waiting: RefCell<Vec<Idle>>,
    retired: Cell<bool>,
}

#[derive(Debug)]
struct Idle {
    connection: Box<UpstreamConnection>,
    since: Instant,
}

impl IdleConnections {
    /// The connection of these options used last. One that the upstream has closed, or on which it
    /// has sent something unasked, which the next request's client would get for its response, is
    /// closed.
    pub fn take(&self, options: &Option<Rc<TransportOptions>>) -> Option<Box<UpstreamConnection>> {
        loop {
            let mut waiting = self.waiting.borrow_mut();
            let last = waiting.iter().rposition(|idle| idle.connection.options() == options)?;
            let connection = waiting.remove(last).connection;
            drop(waiting);
            if connection.keep_alive_expired() {
                connection.close_locally();
                continue;
            }
            if connection.transport().holds_bytes() || connection.stream().has_stirred() {
                connection.note_remote_close();
                continue;
            }
            return Some(connection);
        }
    }

    /// Gives a connection back for the next request.
    pub fn put(&self, connection: Box<UpstreamConnection>) {
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
        self.close_all();
    }

    /// Closes what waits.
    pub fn close_all(&self) {
        for idle in self.waiting.take() {
            idle.connection.close_locally();
        }
    }

    /// Closes the connection that has waited longest. False where none waits.
    pub fn close_oldest(&self) -> bool {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.is_empty() {
            return false;
        }
        let oldest = waiting.remove(0);
        drop(waiting);
        oldest.connection.close_locally();
        true
    }

    /// Closes connections that the upstream has closed, and those idle for `idle_timeout`.
    pub fn sweep(&self, idle_timeout: Option<Duration>) {
        // Closing a connection may serve a request that waits, which may come back here: nothing
        // is borrowed while connections are dropped.
        for idle in self.take_closed() {
            idle.connection.note_remote_close();
        }
        for idle in self.take_expired(idle_timeout) {
            idle.connection.note_idle_timeout();
        }
    }

    fn take_closed(&self) -> Vec<Idle> {
        let mut waiting = self.waiting.borrow_mut();
        let mut closed = Vec::new();
        if waiting.is_empty() {
            return Vec::new();
        }
        closed_or_readable(waiting.iter().map(|idle| &**idle.connection.stream()), |index| {
            closed.push(index);
        });
        closed.into_iter().rev().map(|index| waiting.remove(index)).collect()
    }

    fn take_expired(&self, idle_timeout: Option<Duration>) -> Vec<Idle> {
        let mut waiting = self.waiting.borrow_mut();
        // The longest idle stand first: connections are taken from the end.
        let expired = waiting
            .iter()
            .take_while(|idle| {
                idle_timeout.is_some_and(|timeout| idle.since.elapsed() >= timeout)
                    || idle.connection.keep_alive_expired()
            })
            .count();
        waiting.drain(..expired).collect()
    }
}
