//! The HTTP filters of a connection manager, in order, before the router.
//!
//! [`run`] stands between the connection manager and the router: it is the one place that asks the
//! filters about a request and waits where they want it. [`on_response`] passes a response's headers
//! through them in reverse. Which filters serve a route, and what its configuration says to them,
//! was worked out at load (`RouteFilters`).

mod route_filters;

use std::mem::take;
use std::rc::Rc;
use std::time::{Duration, Instant};

use ringmain_config::http_filter::HttpFilter;

use super::ConnectionManager;
use super::body_encoder::BodyEncoder;
use super::codec::downstream::{After, Downstream};
use super::exchange::Exchange;
use super::filter::{CompressorFilter, Filter, FilterState, FilterView, GrpcCall, Verdict};
use super::response_pace::ResponsePace;
use crate::router::{Routes, receive_whole_body};
use crate::runtime::{self, Buffer};
use crate::server::Worker;
use crate::stats::{Scope, Stat};
use route_filters::{RouteFilters, Row};

/// The filters.
#[derive(Debug)]
pub struct FilterChain {
    filters: Box<[Filter]>,
    routes: RouteFilters,
}

/// What the filters keep of one exchange. Its memory serves the next.
#[derive(Debug, Default)]
pub struct FilterStates {
    /// Whether the exchange has come to the filters, and with which of [`RouteFilters`].
    row: Option<u32>,
    states: Vec<FilterState>,
    text: Vec<u8>,
    /// How fast the response's body may go; absent means as fast as it comes.
    pub pace: Option<Rc<ResponsePace>>,
    /// What the response's body goes through; absent means that it stays as it comes.
    pub encoder: Option<Box<BodyEncoder>>,
    /// The call of gRPC that it is, where those are counted.
    pub grpc: Option<Rc<GrpcCall>>,
}

impl FilterStates {
    /// Text that a filter has written, from the place on that it has told.
    pub fn text_from(&self, start: usize) -> &[u8] {
        &self.text[start..]
    }

    /// Makes ready for the next exchange.
    pub fn clear(&mut self) {
        self.row = None;
        self.states.clear();
        self.text.clear();
        self.pace = None;
        self.encoder = None;
        self.grpc = None;
    }
}

impl FilterChain {
    /// Compiles `filters`, and what `routes` say to them, for `workers` workers.
    pub fn new(filters: &[HttpFilter], routes: &Routes, workers: usize) -> Self {
        Self {
            filters: filters.iter().map(|filter| Filter::new(&filter.config, workers)).collect(),
            routes: RouteFilters::new(filters, routes, workers),
        }
    }

    /// Appends the filters' stats; `http` is the connection manager's scope.
    pub fn stats(&self, http: &Scope, stats: &mut Vec<Stat>) {
        self.filters.iter().for_each(|filter| filter.stats(http, stats));
        self.routes.stats(stats);
    }

    /// The compressors among the filters that serve the exchange.
    pub fn compressors(&self, exchange: &Exchange) -> impl Iterator<Item = &CompressorFilter> {
        let row = self.routes.row(exchange.filters.row.unwrap_or_default());
        self.filters.iter().enumerate().filter_map(|(at, filter)| match filter {
            Filter::Compressor(filter) if row.levels(at).is_some() => Some(&**filter),
            _ => None,
        })
    }

    /// What the exchange's route says to the filters: from when it first came to them.
    fn row(&self, exchange: &mut Exchange) -> &Row {
        let info = &exchange.info;
        let states = &mut exchange.filters;
        let row = states.row.get_or_insert_with(|| {
            states.states.resize(self.filters.len(), FilterState::Fresh);
            self.routes.index_of(info.route, info.weighted_cluster)
        });
        self.routes.row(*row)
    }
}

/// Passes the request through the filters. `None`: it goes on to the router.
pub async fn run(downstream: &Downstream<'_>, exchange: &mut Exchange) -> Option<After> {
    let manager = downstream.manager;
    for at in 0..manager.filters.filters.len() {
        loop {
            match ask(at, manager, downstream.worker, exchange) {
                Verdict::Continue => break,
                Verdict::Wait(duration) => {
                    // Its own memory: waits are rare, and each connection would hold room for it.
                    if !Box::pin(wait(downstream, duration)).await {
                        return Some(downstream.client_gone(exchange));
                    }
                }
                Verdict::Buffer { bytes_max } => {
                    // Likewise.
                    let receiving = Box::pin(receive_whole_body(bytes_max, downstream, exchange));
                    if let Some(after) = receiving.await {
                        return Some(after);
                    }
                }
                Verdict::Reply(reply) => {
                    return Some(downstream.reply_of_filter(&reply, exchange).await);
                }
            }
        }
    }
    None
}

/// Waits as long as there is a client; whether there still is one.
async fn wait(downstream: &Downstream<'_>, duration: Duration) -> bool {
    /// How long a client that has gone can stay unnoticed.
    const SLICE: Duration = Duration::from_millis(250);
    let until = Instant::now() + duration;
    loop {
        if downstream.is_gone() {
            return false;
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        runtime::sleep(left.min(SLICE)).await;
    }
}

fn ask<'m>(
    at: usize,
    manager: &'m ConnectionManager,
    worker: &Worker,
    exchange: &mut Exchange,
) -> Verdict<'m> {
    let verdict = with_view(at, manager, worker, exchange, Filter::on_request);
    verdict.unwrap_or(Verdict::Continue)
}

/// Passes the response's headers through the filters, the last first.
pub fn on_response(manager: &ConnectionManager, worker: &Worker, exchange: &mut Exchange) {
    for at in (0..manager.filters.filters.len()).rev() {
        with_view(at, manager, worker, exchange, Filter::on_response);
    }
}

/// Passes a piece of the response's body, whose headers have passed, through the filters.
pub fn on_response_data(
    worker: &Worker,
    exchange: &mut Exchange,
    piece: Buffer,
    is_last: bool,
) -> Buffer {
    if let Some(grpc) = &exchange.filters.grpc {
        grpc.note_response(piece.bytes());
    }
    match &mut exchange.filters.encoder {
        None => piece,
        Some(encoder) => encoder.encode(piece, is_last, &worker.buffers),
    }
}

/// Tells the filters that the exchange is over.
pub fn on_end(manager: &ConnectionManager, worker: &Worker, exchange: &mut Exchange) {
    for at in 0..manager.filters.filters.len() {
        with_view(at, manager, worker, exchange, Filter::on_end);
    }
}

/// Shows the exchange to the filter at `at`, unless the route does without it.
fn with_view<'m, T>(
    at: usize,
    manager: &'m ConnectionManager,
    worker: &Worker,
    exchange: &mut Exchange,
    show: impl FnOnce(&'m Filter, &mut FilterView<'_, 'm>) -> T,
) -> Option<T> {
    let chain = &manager.filters;
    let levels = chain.row(exchange).levels(at)?;
    // Taken out, so that the filter may change both it and the rest of the exchange.
    let mut state = take(&mut exchange.filters.states[at]);
    let mut text = take(&mut exchange.filters.text);
    let mut view =
        FilterView { manager, worker, exchange, levels, state: &mut state, text: &mut text };
    let shown = show(&chain.filters[at], &mut view);
    exchange.filters.states[at] = state;
    exchange.filters.text = text;
    Some(shown)
}
