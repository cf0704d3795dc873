//! `envoy.filters.http.grpc_stats`: counts calls of gRPC and their messages in the stats of their cluster.
//!
//! The filter sees heads; the router shows the [`GrpcCall`] that it leaves with the exchange what of the
//! bodies passes.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use ringmain_config::http_filter::{GrpcStats, NamedMethods};
use ringmain_proto_codec::grpc_messages::MessageCounter;
use ringmain_proto_codec::{HeaderMap, KnownHeader};

use super::FilterView;
use crate::http::header_matching::is_grpc;
use crate::stats::MethodStats;

/// The filter.
#[derive(Debug)]
pub struct GrpcStatsFilter {
    config: GrpcStats,
}

/// A call under way.
#[derive(Debug)]
pub struct GrpcCall {
    /// Where it counts; absent where it is none, its path names no method or its route no cluster.
    stats: Option<Arc<MethodStats>>,
    /// `emit_filter_state`.
    emits_filter_state: bool,
    request: RefCell<MessageCounter>,
    response: RefCell<MessageCounter>,
    /// Whether what the response brings is gRPC.
    is_answered: Cell<bool>,
}

impl GrpcStatsFilter {
    pub(super) fn new(config: GrpcStats) -> Self {
        Self { config }
    }

    pub(super) fn on_request(&self, view: &mut FilterView<'_, '_>) {
        if !is_grpc(&view.exchange.request.headers) {
            return;
        }
        let stats = self.stats_of_call(view);
        view.exchange.filters.grpc = Some(Rc::new(self.call(stats)));
    }

    fn call(&self, stats: Option<Arc<MethodStats>>) -> GrpcCall {
        GrpcCall {
            stats,
            emits_filter_state: self.config.emit_filter_state,
            request: RefCell::default(),
            response: RefCell::default(),
            is_answered: Cell::new(false),
        }
    }

    fn stats_of_call(&self, view: &FilterView<'_, '_>) -> Option<Arc<MethodStats>> {
        let path = view.exchange.request.headers.get(KnownHeader::Path)?;
        let (service, method) = service_and_method(path)?;
        let cluster = &view.worker.compiled.clusters[view.exchange.info.cluster?];
        let calls = cluster.grpc_calls.of(view.worker.id);
        let stats = match self.name_in_stats(service, method) {
            Some(service) => calls.method(&service, method),
            None => calls.unnamed(),
        };
        Some(stats.clone())
    }

    /// The name of `service`, where `method` has stats of its own.
    fn name_in_stats<'a>(&self, service: &'a str, method: &str) -> Option<Cow<'a, str>> {
        match &self.config.methods {
            NamedMethods::All { replace_dots: true } => Some(service.replace('.', "_").into()),
            NamedMethods::All { replace_dots: false } => Some(service.into()),
            NamedMethods::Listed(listed) => {
                let is_listed = listed.get(service).is_some_and(|of| of.contains(method));
                is_listed.then(|| service.into())
            }
        }
    }

    pub(super) fn on_response(&self, view: &mut FilterView<'_, '_>) {
        let response = &view.exchange.response;
        let is_answered = response.status == 200 && is_grpc(&response.headers);
        let grpc = &mut view.exchange.filters.grpc;
        if grpc.is_none() && is_answered {
            // Of what answers no call the messages are counted, as in Envoy, for who logs them.
            *grpc = Some(Rc::new(self.call(None)));
        }
        if let Some(call) = grpc {
            call.is_answered.set(is_answered);
            call.count_end(&response.headers);
        }
    }

    /// What ends most calls are trailers.
    pub(super) fn on_end(view: &FilterView<'_, '_>) {
        let exchange = &view.exchange;
        if let (Some(call), Some(trailers)) = (&exchange.filters.grpc, &exchange.response_trailers)
        {
            call.count_end(trailers);
        }
    }
}

impl GrpcCall {
    /// Some of the request's body passes.
    pub fn note_request(&self, bytes: &[u8]) {
        let messages = self.request.borrow_mut().push(bytes);
        if let Some(stats) = &self.stats {
            stats.count_request_messages(messages);
        }
    }

    /// Some of the response's body passes.
    pub fn note_response(&self, bytes: &[u8]) {
        if !self.is_answered.get() {
            return;
        }
        let messages = self.response.borrow_mut().push(bytes);
        if let Some(stats) = &self.stats {
            stats.count_response_messages(messages);
        }
    }

    fn count_end(&self, fields: &HeaderMap) {
        if let (Some(stats), Some(status)) = (&self.stats, fields.get(KnownHeader::GrpcStatus)) {
            stats.count_end(status);
        }
    }

    /// The filter state `envoy.filters.http.grpc_stats`: how many messages the request and the response
    /// have had. Absent where there was none, or nobody asked for it.
    pub fn filter_state(&self) -> Option<(u64, u64)> {
        let counts = (self.request.borrow().count(), self.response.borrow().count());
        (self.emits_filter_state && counts != (0, 0)).then_some(counts)
    }
}

/// The two parts of a path that names a method, whatever slashes are around them.
fn service_and_method(path: &[u8]) -> Option<(&str, &str)> {
    let path = std::str::from_utf8(path).ok()?;
    let path = path.split('?').next().unwrap_or_default();
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    let names = (parts.next()?, parts.next()?);
    parts.next().is_none().then_some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_two_parts_names_a_method() {
        for path in ["/a.B/C", "/a.B/C?d/e", "//a.B/C/", "a.B/C"] {
            assert_eq!(service_and_method(path.as_bytes()), Some(("a.B", "C")), "{path}");
        }
        for path in ["/", "/a.B", "/a.B/", "/a.B/C/D", ""] {
            assert_eq!(service_and_method(path.as_bytes()), None, "{path}");
        }
    }
}
