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
use crate::http::stream::StreamInfo;
use crate::server::Worker;

/// The record of a connection whose listener has access logs.
#[derive(Debug)]
pub struct ConnectionLog {
    worker: Rc<Worker>,
    place: Cell<FilterChainPlace>,
    record: RefCell<StreamInfo>,
    version: Cell<Option<Version>>,
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

    /// What HTTP the client speaks.
    pub fn note_version(&self, version: Version) {
        self.version.set(Some(version));
    }
}

impl Drop for ConnectionLog {
    fn drop(&mut self) {
        if self.cancelled.get() {
            return;
        }
        let (worker, place) = (&self.worker, self.place.get());
        let mut exchange = worker.exchanges.take();
        exchange.info = self.record.take();
        let evaluator = Evaluator {
            protocol: self.version.get(),
            ..Evaluator::of_connection(&exchange, place, &worker.compiled, AccessLogType::NotSet)
        };
        for log in &worker.compiled.listeners[place.listener].access_logs {
            log.log(&evaluator, worker);
        }
        worker.exchanges.give_back(exchange);
    }
}
