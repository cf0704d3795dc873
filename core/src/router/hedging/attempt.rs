//! One attempt of a hedged request: a task with a copy of the request, which waits for the head of the
//! response and hands over the stream.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use ringmain_config::cluster::RoutingPriority;
use ringmain_proto_codec::HeaderMap;

use crate::cluster::{WorkerCluster, WorkerHost};
use crate::http::codec::body::Ending;
use crate::http::codec::upstream::{ResponseFailure, UpstreamStream};
use crate::http::exchange::Exchange;
use crate::http::header_bytes;
use crate::outlier_detection;
use crate::pool::{self, Acquire, AcquireFailure, Acquired};
use crate::router::attempt::ActiveRequest;
use crate::router::host_rewrite::AutoHostRewrite;
use crate::router::upgrade::kind_of;
use crate::runtime::{Buffer, Interrupt, Notify};
use crate::server::Worker;
use crate::transport_socket::TransportOptions;

/// An attempt and what it is made of.
pub(super) struct Attempt {
    pub(super) worker: Rc<Worker>,
    pub(super) cluster: Rc<WorkerCluster>,
    /// Where it goes.
    pub(super) host: Rc<WorkerHost>,
    pub(super) priority: RoutingPriority,
    /// How long it may wait for a connection.
    pub(super) until: Option<Instant>,
    /// `per_try_idle_timeout`.
    pub(super) silence_max: Option<Duration>,
    /// The cluster's `max_stream_duration`.
    pub(super) duration_max: Option<Duration>,
    pub(super) auto_host: Option<AutoHostRewrite>,
    pub(super) records_header_bytes: bool,
    pub(super) records_times: bool,
    /// The request's head, and room for the response's.
    pub(super) exchange: Box<Exchange>,
    /// The whole of it.
    pub(super) body: Buffer,
    pub(super) trailers: Option<Box<HeaderMap>>,
    pub(super) shared: Rc<Shared>,
}

/// How an attempt ended.
pub(super) struct End {
    pub(super) exchange: Box<Exchange>,
    pub(super) outcome: Outcome,
}

pub(super) enum Outcome {
    /// The head of the response is in the exchange.
    Answered(UpstreamStream, ActiveRequest),
    /// There is no response.
    Failed(UpstreamStream, ActiveRequest, ResponseFailure),
    /// There was no connection.
    NotAcquired(AcquireFailure),
}

/// What an attempt shares with the request that waits for it.
pub(super) struct Shared {
    /// Wakes the request.
    came: Rc<Notify>,
    begun: Cell<Option<Instant>>,
    end: RefCell<Option<End>>,
    given_up: Cell<bool>,
    /// Ends what the attempt waits for when it is given up.
    interrupt: RefCell<Option<Interrupt>>,
}

impl Shared {
    pub(super) fn new(came: &Rc<Notify>) -> Self {
        Self {
            came: came.clone(),
            begun: Cell::new(None),
            end: RefCell::default(),
            given_up: Cell::new(false),
            interrupt: RefCell::default(),
        }
    }

    /// Since when it has its connection.
    pub(super) fn begun(&self) -> Option<Instant> {
        self.begun.get()
    }

    /// How it ended, once.
    pub(super) fn take_end(&self) -> Option<End> {
        self.end.take()
    }

    /// Nobody waits for it any more.
    pub(super) fn give_up(&self) {
        self.given_up.set(true);
        if let Some(end) = self.end.take() {
            end.abandon();
        } else if let Some(interrupt) = self.interrupt.take() {
            interrupt.fire();
        }
    }

    fn begin(&self, interrupt: Interrupt) {
        if self.given_up.get() {
            return interrupt.fire();
        }
        self.interrupt.replace(Some(interrupt));
        self.begun.set(Some(Instant::now()));
        self.came.notify();
    }

    fn end(&self, end: End) {
        self.interrupt.take();
        if self.given_up.get() {
            return end.abandon();
        }
        self.end.replace(Some(end));
        self.came.notify();
    }
}

impl End {
    /// Counts that nobody waits for the response.
    fn abandon(self) {
        match self.outcome {
            Outcome::Answered(upstream, _) | Outcome::Failed(upstream, ..) => {
                upstream.count_cut_off();
            }
            Outcome::NotAcquired(_) => {}
        }
    }
}

impl Attempt {
    /// Makes it, and tells how it ended.
    pub(super) async fn run(mut self) {
        let outcome = self.make().await;
        let Self { exchange, shared, .. } = self;
        shared.end(End { exchange, outcome });
    }

    async fn make(&mut self) -> Outcome {
        let acquired = match self.acquire().await {
            Ok(acquired) => acquired,
            Err(failure) => return Outcome::NotAcquired(failure),
        };
        let Self { worker, cluster, exchange, .. } = self;
        let keep_trailers = cluster.shared.config.http1.enable_trailers;
        let upstream =
            UpstreamStream::begin(worker, acquired, exchange.request.body, keep_trailers);
        let active = ActiveRequest::begin(cluster, upstream.host());
        cluster.note_outcome(upstream.host(), outlier_detection::Outcome::Connected);
        self.shared.begin(upstream.interrupt());
        self.send(&upstream).await;
        let Exchange { request, response, info, .. } = &mut *self.exchange;
        match upstream.read_head(response, kind_of(request)).await {
            Ok(()) => {
                if self.records_header_bytes {
                    let bytes = header_bytes::received_fields(&response.headers);
                    info.upstream_bytes.headers_received = bytes;
                }
                Outcome::Answered(upstream, active)
            }
            Err(failure) => Outcome::Failed(upstream, active, failure),
        }
    }

    async fn acquire(&self) -> Result<Acquired, AcquireFailure> {
        let given_up = || self.shared.given_up.get().then_some(AcquireFailure::ClientGone);
        let Exchange { info, request, .. } = &*self.exchange;
        let (cluster, host) = (&self.cluster.shared, &self.host.shared);
        let options = TransportOptions::of_request(cluster, host, info, &request.headers);
        let asked = Acquire {
            options: &options,
            worker: &self.worker,
            priority: self.priority,
            fresh: false,
            ahead: false,
            until: self.until,
            given_up: &given_up,
            client: None,
        };
        pool::acquire(&self.cluster, &self.host, &asked).await
    }

    /// A send that failed may still have a response waiting, so it is looked for in any case.
    async fn send(&mut self, upstream: &UpstreamStream) {
        if let Some(auto) = self.auto_host {
            let hostname = &upstream.host().shared.hostname;
            auto.apply(hostname, false, &mut self.exchange.request.headers);
        }
        let head = upstream.encode_head(&mut self.exchange, self.records_header_bytes);
        self.exchange.info.times.upstream_tx_begin = self.records_times.then(Instant::now);
        self.arm(upstream);
        let body = std::mem::take(&mut self.body);
        let ending = Ending { trailers: self.trailers.as_deref() };
        let (_sent, body) = upstream.send(Some(head), body, Some(ending)).await;
        self.worker.buffers.give_back(body);
        self.exchange.info.times.upstream_tx_end = self.records_times.then(Instant::now);
        self.arm(upstream);
    }

    fn arm(&self, upstream: &UpstreamStream) {
        let deadline = upstream.deadline();
        let silent_until = self.silence_max.map(|silence| deadline.latest_now() + silence);
        let ends = self.shared.begun().zip(self.duration_max).map(|(begun, max)| begun + max);
        match [silent_until, ends].into_iter().flatten().min() {
            Some(moment) => deadline.arm_at(moment),
            None => deadline.disarm(),
        }
    }
}
