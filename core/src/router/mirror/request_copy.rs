//! One copy on its way: sent once, its response read and thrown away, both counted as any request's.

use std::rc::Rc;
use std::time::{Duration, Instant};

use ringmain_config::cluster::RoutingPriority;

use super::copied_body::{CopiedBody, Taken};
use crate::cluster::{WorkerCluster, WorkerHost};
use crate::http::codec::upstream::{OutgoingHead, ResponseFailure, UpstreamStream};
use crate::http::exchange::Exchange;
use crate::http::stream::millis;
use crate::load_balancer::Pick;
use crate::pool::{self, Acquire, AcquireFailure, Acquired};
use crate::router::attempt::ActiveRequest;
use crate::router::upgrade::kind_of;
use crate::runtime::join;
use crate::server::Worker;
use crate::transport_socket::TransportOptions;

/// A copy of a request.
pub struct RequestCopy {
    /// The worker it lives on.
    pub worker: Rc<Worker>,
    /// Where it goes.
    pub cluster: Rc<WorkerCluster>,
    /// Its head, and room for the response's.
    pub exchange: Box<Exchange>,
    /// Its body.
    pub body: Rc<CopiedBody>,
    /// How long its response may take once all of it has come, and each piece of it on the way.
    pub timeout: Option<Duration>,
}

/// How the response ended.
enum Answer {
    Whole,
    BrokenOff(ResponseFailure),
    Missing(ResponseFailure),
    /// The copy was given up before.
    GivenUp,
}

/// Copies come from ourselves.
const INTERNAL: bool = true;

impl RequestCopy {
    /// Sends it and reads its response.
    pub async fn send(mut self) {
        if let Some(status) = self.run().await {
            self.cluster.count_response(status, INTERNAL);
        }
        self.body.give_up();
        self.worker.exchanges.give_back(self.exchange);
    }

    /// The status to be counted.
    async fn run(&mut self) -> Option<u16> {
        let Some(host) = self.cluster.choose_host(&Pick::default()) else {
            self.cluster.stats().upstream_cx_none_healthy.inc();
            return Some(503);
        };
        let acquired = match self.acquire(&host).await {
            Ok(acquired) => acquired,
            Err(failure) => return self.not_acquired(&host, &failure),
        };
        let Self { worker, cluster, exchange, .. } = self;
        let keep_trailers = cluster.shared.config.http1.enable_trailers;
        let upstream =
            UpstreamStream::begin(worker, acquired, exchange.request.body, keep_trailers);
        let _active = ActiveRequest::begin(cluster, upstream.host());
        self.body.interrupt_with(upstream.interrupt());
        let head = upstream.encode_head(exchange, false);
        let Self { worker, exchange, body, timeout, .. } = self;
        let sending = send(head, body, worker, &upstream, *timeout);
        let (sent, answer) = join(sending, receive(exchange, body, worker, &upstream)).await;
        self.conclude(upstream, answer, sent)
    }

    async fn acquire(&self, host: &Rc<WorkerHost>) -> Result<Acquired, AcquireFailure> {
        let given_up = || self.body.is_given_up().then_some(AcquireFailure::ClientGone);
        let Exchange { info, request, .. } = &*self.exchange;
        let cluster = &self.cluster.shared;
        let options = TransportOptions::of_request(cluster, &host.shared, info, &request.headers);
        let asked = Acquire {
            options: &options,
            worker: &self.worker,
            priority: RoutingPriority::Default,
            fresh: false,
            ahead: false,
            until: self.timeout.map(|timeout| self.cluster.timers.latest_now() + timeout),
            given_up: &given_up,
            client: None,
        };
        pool::acquire(&self.cluster, host, &asked).await
    }

    fn not_acquired(&self, host: &WorkerHost, failure: &AcquireFailure) -> Option<u16> {
        match failure {
            AcquireFailure::ClientGone => None,
            AcquireFailure::Expired => {
                host.stats().rq_error.inc();
                self.cluster.stats().upstream_rq_timeout.inc();
                Some(504)
            }
            AcquireFailure::PendingOverflow => Some(503),
            AcquireFailure::Connect(_) | AcquireFailure::RequestOverflow => {
                host.stats().rq_error.inc();
                Some(503)
            }
        }
    }

    /// Counts what came of it.
    fn conclude(
        &self,
        upstream: UpstreamStream,
        answer: Answer,
        sent: Option<Instant>,
    ) -> Option<u16> {
        let host = upstream.host().clone();
        let status = self.exchange.response.status;
        match answer {
            Answer::GivenUp => {
                upstream.count_cut_off();
                return None;
            }
            Answer::Missing(_) if upstream.deadline().fired() => {
                upstream.count_cut_off();
                host.stats().rq_error.inc();
                host.stats().rq_timeout.inc();
                self.cluster.stats().upstream_rq_timeout.inc();
                return Some(504);
            }
            Answer::Missing(failure) => {
                host.stats().rq_error.inc();
                upstream.count_failure(failure);
                return Some(if is_protocol_error(failure) { 502 } else { 503 });
            }
            Answer::BrokenOff(_) if upstream.deadline().fired() => upstream.count_cut_off(),
            Answer::BrokenOff(failure) => upstream.count_broken_off(failure),
            Answer::Whole => {
                upstream.finish(sent.is_some());
                let elapsed = sent.map_or(Duration::ZERO, |at| at.elapsed());
                self.cluster.record_rq_time(millis(elapsed), INTERNAL);
            }
        }
        match status {
            500..=599 => host.stats().rq_error.inc(),
            _ => host.stats().rq_success.inc(),
        }
        Some(status)
    }
}

/// Sends the head and the body as it comes. Where all of it was sent, when all had come is told.
async fn send(
    head: OutgoingHead,
    body: &CopiedBody,
    worker: &Worker,
    upstream: &UpstreamStream,
    timeout: Option<Duration>,
) -> Option<Instant> {
    let mut head = Some(head);
    let mut taken = body.take();
    loop {
        let Taken { data, last } = taken;
        let taken_at = Instant::now();
        upstream.deadline().arm(timeout);
        let piece = worker.buffers.holding(&data);
        let ending = last.then(|| body.ending());
        let (sent, piece) = upstream.send(head.take(), piece, ending).await;
        worker.buffers.give_back(piece);
        sent.ok()?;
        if last {
            return Some(taken_at);
        }
        // The request's own limits hold while it goes on.
        upstream.deadline().disarm();
        taken = body.next().await?;
    }
}

/// Reads the response to its end. Then nothing more needs to be sent.
async fn receive(
    exchange: &mut Exchange,
    body: &CopiedBody,
    worker: &Worker,
    upstream: &UpstreamStream,
) -> Answer {
    let request = kind_of(&exchange.request);
    let answer = match upstream.read_head(&mut exchange.response, request).await {
        Err(_) if body.is_given_up() => Answer::GivenUp,
        Err(failure) => Answer::Missing(failure),
        Ok(()) => match discard_body(worker, upstream).await {
            Ok(()) => Answer::Whole,
            Err(failure) => Answer::BrokenOff(failure),
        },
    };
    body.give_up();
    answer
}

async fn discard_body(worker: &Worker, upstream: &UpstreamStream) -> Result<(), ResponseFailure> {
    let mut piece = upstream.first_piece()?;
    while !piece.is_last {
        worker.buffers.give_back(piece.data);
        piece = upstream.next_piece().await?;
    }
    worker.buffers.give_back(piece.data);
    Ok(())
}

fn is_protocol_error(failure: ResponseFailure) -> bool {
    matches!(failure, ResponseFailure::ClosedPartial | ResponseFailure::Protocol)
}
