//! `access_log` of a listener: a line for each of its connections, once that has ended.
//!
//! The record goes with the connection ([`ConnectionInfo::log`](super::ConnectionInfo)); whoever deals
//! with it notes there what it came to. The line is written when the last of them lets go. Connections
//! that a limit refuses have none, as with Envoy.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use ringmain_proto_codec::h1::Version;

use super::{ConnectionInfo, FilterChainIndex, FilterChainPlace};
use crate::access_log::{AccessLogType, Evaluator};
use crate::http::ResponseFlag;
use crate::http::stream::StreamInfo;
use crate::server::Worker;

/// The record of a connection whose listener has access logs.
#[derive(Debug)]
pub struct ConnectionLog {
    worker: Rc<Worker>,
    place: Cell<FilterChainPlace>,
    record: RefCell<StreamInfo>,
    version: Cell<Option<Version>>,
    /// In how many pieces bytes of HTTP have come; more than a few are not counted.
    pieces: Cell<u8>,
    cancelled: Cell<bool>,
}

impl ConnectionLog {
    /// For a connection that the listener at `listener_index` has accepted; none where that has no access log.
    pub fn begin(
        worker: &Rc<Worker>,
        listener_index: usize,
        connection: &ConnectionInfo,
    ) -> Option<Rc<Self>> {
        if worker.compiled.listeners[listener_index].access_logs.is_empty() {
            return None;
        }
        Some(Rc::new(Self {
            worker: worker.clone(),
            place: Cell::new(FilterChainPlace { listener: listener_index, filter_chain: None }),
            record: RefCell::new(StreamInfo::of_connection(connection)),
            version: Cell::default(),
            pieces: Cell::default(),
            cancelled: Cell::default(),
        }))
    }

    /// All is known of the connection that tells its filter chain; absent where none is for it.
    pub fn choose(&self, filter_chain: Option<FilterChainIndex>, connection: &ConnectionInfo) {
        self.place.set(FilterChainPlace { filter_chain, ..self.place.get() });
        self.record.replace(StreamInfo::of_connection(connection));
    }

    /// Another listener has taken the connection.
    pub fn cancel(&self) {
        self.cancelled.set(true);
    }

    /// Notes something in the record.
    pub fn note(&self, change: impl FnOnce(&mut StreamInfo)) {
        change(&mut self.record.borrow_mut());
    }

    /// So many bytes of HTTP have come.
    pub fn note_received(&self, count: usize) {
        self.record.borrow_mut().bytes_received += count as u64;
        self.pieces.set(self.pieces.get().saturating_add(u8::from(count > 0)));
    }

    /// What HTTP the client speaks, says its first request.
    pub fn note_version(&self, version: Version) {
        self.version.set(self.version.get().or(Some(version)));
    }

    /// The client has broken a rule of HTTP.
    pub fn note_protocol_error(&self) {
        self.record.borrow_mut().flags.set(ResponseFlag::DownstreamProtocolError);
    }

    /// Envoy knows what a client speaks once it has handled a piece without an error.
    fn version(&self) -> Option<Version> {
        let is_broken = self.record.borrow().flags.has(ResponseFlag::DownstreamProtocolError);
        self.version.get().filter(|_| !is_broken || self.pieces.get() > 1)
    }
}

impl Drop for ConnectionLog {
    fn drop(&mut self) {
        if self.cancelled.get() {
            return;
        }
        let (worker, place) = (&self.worker, self.place.get());
        let mut exchange = worker.exchanges.take();
        let protocol = self.version();
        exchange.info = self.record.take();
        let evaluator = Evaluator {
            protocol,
            ..Evaluator::of_connection(&exchange, place, &worker.compiled, AccessLogType::NotSet)
        };
        for log in &worker.compiled.listeners[place.listener].access_logs {
            log.log(&evaluator, worker);
        }
        worker.exchanges.give_back(exchange);
    }
}
