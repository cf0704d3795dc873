//! One attempt: a connection to a host, the request sent on it, the response's head read.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use ringmain_proto_codec::KnownHeader;

use super::request_body::{RequestEnd, Sending, with_head};
use super::response_relay::{self, Relayed};
use super::retry::ResetReason;
use super::upstream_request::{Failure, Setback, UpstreamRequest};
use crate::cluster::{WorkerCluster, WorkerHost};
use crate::http::codec::downstream_h1::After;
use crate::http::codec::upstream_h1::{self, RequestKind, ResponseFailure};
use crate::http::header_bytes;
use crate::http::local_reply::{self, LocalReply};
use crate::pool::{self, Acquire, AcquireFailure, ConnectFailure, UpstreamConnection};
use crate::runtime::{Buffer, join};

/// How often a request may move on from a host that refuses the connection.
const HOST_MOVES_MAX: usize = 3;

/// What came of the response's head.
enum Answer {
    /// It was passed on, and the body as far as it came.
    Relayed(Relayed),
    /// The retry policy will have another one; the wait before that is told.
    Unwanted(std::time::Duration),
    /// There is none.
    Missing(ResponseFailure),
}

impl UpstreamRequest<'_, '_> {
    /// Sends `message`, the whole request, which comes back for the next attempt. `replayed`: on a
    /// fresh connection, because a reused one had died.
    pub(super) async fn attempt_whole(
        &mut self,
        mut message: Buffer,
        replayed: bool,
    ) -> (Result<After, Setback>, Buffer) {
        let replay_safe = self.is_replay_safe();
        let mut connection = match self.acquire(replayed).await {
            Ok(connection) => connection,
            Err(setback) => return (Err(setback), message),
        };
        let old_head = self.head_bytes;
        if self.address_host(connection.host(), replayed) {
            message.consume(old_head);
            message = with_head(message, &self.exchange.encoded);
        }
        let _active = self.begin_attempt(&mut connection);
        self.timeouts.arm_head(connection.deadline());
        let (_sent, message) = connection.write_all(message).await;
        let times = self.downstream.manager.recorded.times;
        self.exchange.info.times.upstream_tx_end = times.then(Instant::now);
        // A send that failed may still have a response waiting, so it is looked for.
        self.timeouts.arm_head(connection.deadline());
        let watch =
            self.downstream.worker.watches.watch(self.downstream.stream(), connection.stream());
        let (head, received) = self.read_head(&connection).await;
        let client_gone = watch.client_gone();
        drop(watch);
        let answer = match head {
            Ok(()) => self.answer(&connection, received).await,
            Err(failure) => {
                self.downstream.worker.buffers.give_back(received);
                Answer::Missing(failure)
            }
        };
        if client_gone && matches!(answer, Answer::Missing(_)) {
            self.cancelled();
            return (Err(Failure::ClientGone.into()), message);
        }
        if let Answer::Missing(ResponseFailure::ClosedSilent) = answer
            && connection.is_reused()
            && replay_safe
            && !replayed
            && !connection.deadline().fired()
        {
            self.count_failure(connection, ResponseFailure::ClosedSilent);
            self.cluster.stats().upstream_rq_replayed.inc();
            return (Err(Setback::Replay), message);
        }
        (self.finish_attempt(connection, answer, true), message)
    }

    /// Sends the head, which is encoded, and the body as it comes, while the response may come.
    pub(super) async fn attempt_streaming(&mut self) -> Result<After, Setback> {
        let mut connection = self.acquire(false).await?;
        self.address_host(connection.host(), false);
        let _active = self.begin_attempt(&mut connection);
        let (body, timeouts, downstream) = (self.body, self.timeouts, self.downstream);
        let pool = &downstream.worker.buffers;
        let sending = Sending::default();
        let head = buffer_of(pool.small(), &self.exchange.encoded);
        let respond = async {
            let (head, received) = self.read_head(&connection).await;
            let client_gone = sending.end_watch();
            self.exchange.info.request_received = body.received_at();
            let answer = match head {
                Ok(()) => self.answer(&connection, received).await,
                Err(failure) => {
                    pool.give_back(received);
                    Answer::Missing(failure)
                }
            };
            body.stop_sending(&sending, &connection);
            (answer, client_gone)
        };
        let send = body.send(head, downstream, &connection, &sending, timeouts);
        let ((), (answer, client_gone)) = join(send, respond).await;
        if downstream.manager.recorded.times {
            self.exchange.info.times.upstream_tx_end = body.received_at();
        }
        if client_gone && matches!(answer, Answer::Missing(_)) {
            self.cancelled();
            return Err(Failure::ClientGone.into());
        }
        if let (Answer::Missing(_), Some(end)) = (&answer, body.ended())
            && end != RequestEnd::Complete
        {
            match end {
                RequestEnd::Expired(_) => self.count_broken_off_locally(),
                _ => self.cancelled(),
            }
            return Err(self.request_broke_off(end).into());
        }
        let sent = sending.is_whole();
        self.finish_attempt(connection, answer, sent)
    }

    /// The response's head is here: passes the response on unless the policy wants another one.
    async fn answer(&mut self, connection: &UpstreamConnection, received: Buffer) -> Answer {
        if self.retry.is_on() {
            if self.body.is_too_much() {
                self.abandon_retries();
            }
            let verdict = self.retry.judge_response(&self.exchange.response);
            if let Some(wait) = self.note(verdict) {
                // What stands behind the head would be the next request's response.
                self.exchange.response.keep_alive &= received.is_empty();
                self.downstream.worker.buffers.give_back(received);
                return Answer::Unwanted(wait);
            }
            if verdict == (super::retry::Verdict::Final { retried: true }) {
                self.cluster.stats().upstream_rq_retry_success.inc();
            }
            self.retry.abandon();
        }
        self.timeouts.try_answered();
        Answer::Relayed(
            response_relay::relay(
                self.downstream,
                self.exchange,
                connection,
                self.timeouts,
                received,
            )
            .await,
        )
    }

    fn finish_attempt(
        &mut self,
        connection: UpstreamConnection,
        answer: Answer,
        sent: bool,
    ) -> Result<After, Setback> {
        let bytes = &mut self.exchange.info.upstream_bytes;
        (bytes.sent, bytes.received) = connection.request_bytes();
        match answer {
            Answer::Relayed(relayed) => {
                self.conclude(connection, relayed, sent).map_err(Setback::Failed)
            }
            Answer::Unwanted(wait) => {
                self.discard(connection, sent);
                Err(Setback::Again(wait))
            }
            Answer::Missing(failure) => Err(self.failed(connection, failure)),
        }
    }

    /// RFC 9110 §9.2.2: sending such a request twice means no more than sending it once.
    fn is_replay_safe(&self) -> bool {
        let method = self.exchange.request.headers.get(KnownHeader::Method);
        let idempotent: [&[u8]; 6] = [b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"];
        method.is_some_and(|method| idempotent.contains(&method))
    }

    /// An idle connection to the next host, or a new one.
    async fn acquire(&mut self, fresh: bool) -> Result<UpstreamConnection, Setback> {
        self.exchange.info.attempts += 1;
        let Some(host) = self.retry.choose_host(|| self.cluster.choose_host()) else {
            self.cluster.stats().upstream_cx_none_healthy.inc();
            return Err(Failure::Reply(local_reply::NO_HEALTHY_UPSTREAM).into());
        };
        let acquired = self.connection_to(host, fresh).await;
        acquired.map_err(|(host, failure)| self.not_acquired(&host, failure))
    }

    /// Counts a connection that was not to be had and says what follows. What a circuit breaker
    /// forbids is not tried again.
    fn not_acquired(&mut self, host: &WorkerHost, failure: AcquireFailure) -> Setback {
        match failure {
            AcquireFailure::Connect(failure) => {
                host.stats().rq_error.inc();
                if failure == ConnectFailure::Refused(Some(libc::ECONNREFUSED)) {
                    let info = &mut self.exchange.info;
                    info.transport_failure = "delayed_connect_error:_Connection_refused";
                }
                return self.setback(ResetReason::ConnectFailure, connect_reply(failure));
            }
            AcquireFailure::RequestOverflow => {
                host.stats().rq_error.inc();
                Failure::Reply(local_reply::UPSTREAM_OVERFLOW)
            }
            AcquireFailure::PendingOverflow => {
                self.exchange.info.upstream_host = None;
                Failure::Reply(local_reply::UPSTREAM_OVERFLOW)
            }
            AcquireFailure::Expired => {
                host.stats().rq_error.inc();
                self.gave_up(self.timeouts.expired_waiting())
            }
            AcquireFailure::ClientGone => {
                self.request_broke_off(self.body.ended().unwrap_or(RequestEnd::ClientGone))
            }
        }
        .into()
    }

    /// A connection to `host`, or, where AWS has told the hosts, to another one when that refuses: a
    /// task may have ended since it was asked about, and nothing was sent yet.
    async fn connection_to(
        &mut self,
        mut host: Rc<WorkerHost>,
        fresh: bool,
    ) -> Result<UpstreamConnection, (Rc<WorkerHost>, AcquireFailure)> {
        let mut moves = if self.cluster.shared.aws.is_some() { HOST_MOVES_MAX } else { 0 };
        let begun = self.cluster.timers.coarse_now();
        let looks = Cell::new(0);
        loop {
            self.retry.note_host(&host);
            self.exchange.info.upstream_host = Some(host.clone());
            let given_up = || self.given_up(begun, &looks);
            let asked = Acquire {
                priority: self.priority,
                fresh,
                until: self.timeouts.waiting_until(self.cluster.timers.coarse_now()),
                given_up: &given_up,
                client: (&self.downstream.worker.watches, self.downstream.stream()),
            };
            self.body.gather(true);
            let acquired = pool::acquire(&self.cluster, &host, &asked).await;
            self.body.gather(false);
            let failure = match acquired {
                Ok(connection) => return Ok(connection),
                Err(failure) => failure,
            };
            let other = match failure {
                AcquireFailure::Connect(_) => (0..moves).find_map(|_| {
                    let other = self.cluster.choose_host()?;
                    (!Rc::ptr_eq(&other, &host)).then_some(other)
                }),
                _ => None,
            };
            let Some(other) = other else { return Err((host, failure)) };
            host.stats().rq_error.inc();
            host = other;
            moves -= 1;
        }
    }

    /// Why the connection being opened since `begun` is not wanted any more. `looks` counts how often
    /// that was asked.
    fn given_up(&self, begun: Instant, looks: &Cell<u32>) -> Option<AcquireFailure> {
        /// Every so many times the client is looked at, which costs a system call.
        const CLIENT_LOOKS: u32 = 5;
        looks.set(looks.get() + 1);
        let until = match self.body.ended() {
            // Reading from the client has limits of its own.
            None => self.timeouts.gives_up_at(),
            Some(RequestEnd::Complete) => {
                if looks.get().is_multiple_of(CLIENT_LOOKS)
                    && self.downstream.stream().is_peer_gone()
                {
                    return Some(AcquireFailure::ClientGone);
                }
                self.timeouts.waiting_until(begun)
            }
            Some(_) => return Some(AcquireFailure::ClientGone),
        };
        until.is_some_and(|until| Instant::now() >= until).then_some(AcquireFailure::Expired)
    }

    fn begin_attempt(&mut self, connection: &mut UpstreamConnection) -> ActiveRequest {
        connection.begin_request();
        let info = &mut self.exchange.info;
        info.upstream_connection = Some(connection.info());
        info.upstream_local = connection.local_addr();
        info.times.upstream_tx_begin = self.downstream.manager.recorded.times.then(Instant::now);
        let received = self.body.ended() == Some(RequestEnd::Complete);
        self.timeouts.try_begins(received);
        ActiveRequest::begin(&self.cluster, connection.host())
    }

    async fn read_head(
        &mut self,
        connection: &UpstreamConnection,
    ) -> (Result<(), ResponseFailure>, Buffer) {
        let method = self.exchange.request.headers.get(KnownHeader::Method);
        let request = RequestKind { is_head: method == Some(b"HEAD") };
        self.exchange.response.clear();
        let result = upstream_h1::read_head(
            self.downstream.worker,
            connection,
            self.downstream.worker.buffers.small(),
            &mut self.exchange.response,
            request,
            self.cluster.shared.config.max_response_headers_count,
        )
        .await;
        self.exchange.info.response_started = Some(Instant::now());
        if self.downstream.manager.recorded.header_bytes {
            let bytes = header_bytes::received_fields(&self.exchange.response.headers);
            self.exchange.info.upstream_bytes.headers_received = bytes;
        }
        result
    }
}

fn connect_reply(failure: ConnectFailure) -> LocalReply {
    match failure {
        ConnectFailure::Timeout => local_reply::CONNECTION_TIMEOUT,
        ConnectFailure::Refused(Some(libc::ECONNREFUSED)) => local_reply::CONNECTION_REFUSED,
        ConnectFailure::Refused(_) => local_reply::CONNECTION_FAILURE,
    }
}

/// `bytes` in `buffer`, or in a longer one where they do not fit.
fn buffer_of(mut buffer: Buffer, bytes: &[u8]) -> Buffer {
    if !buffer.append(bytes) {
        buffer = Buffer::with_capacity(bytes.len());
        let fits = buffer.append(bytes);
        debug_assert!(fits, "made to measure");
    }
    buffer
}

/// A request in the active counters, until dropped.
struct ActiveRequest {
    cluster: Rc<WorkerCluster>,
    host: Rc<WorkerHost>,
}

impl ActiveRequest {
    fn begin(cluster: &Rc<WorkerCluster>, host: &Rc<WorkerHost>) -> Self {
        cluster.stats().upstream_rq_total.inc();
        cluster.stats().upstream_rq_active.inc();
        host.stats().rq_total.inc();
        host.stats().rq_active.inc();
        Self { cluster: cluster.clone(), host: host.clone() }
    }
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        // The cluster's last: who sees it at rest finds everything else counted.
        self.host.stats().rq_active.dec();
        self.cluster.stats().upstream_rq_active.dec();
    }
}
