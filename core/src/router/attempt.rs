//! One attempt: the request sent on a connection to a host, the response's head read.

mod connection;

use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::time::Instant;

use ringmain_proto_codec::KnownHeader;
use ringmain_proto_codec::h2::client::ReceivedHead;

use super::internal_redirect;
use super::request_body::{RequestBody, RequestEnd, Sending};
use super::response_relay::{self, Relayed};
use super::retry::Verdict;
use super::upgrade;
use super::upstream_request::{Failure, Setback, UpstreamRequest};
use crate::cluster::{WorkerCluster, WorkerHost};
use crate::http::codec::downstream::After;
use crate::http::codec::upstream::{ResponseFailure, UpstreamStream};
use crate::http::header_bytes;
use crate::outlier_detection::Outcome;
use crate::runtime::{Buffer, join};

/// What came of the response's head.
pub(super) enum Answer {
    /// It was passed on, and the body as far as it came.
    Relayed(Relayed),
    /// The retry policy will have another one; the wait before that is told.
    Unwanted(std::time::Duration),
    /// It is a redirect that is followed.
    Redirected,
    /// There is none.
    Missing(ResponseFailure),
}

impl Answer {
    /// A response that ends because the client has left is not the host's fault.
    fn unless_gone(self, body: &RequestBody) -> Self {
        match self {
            Self::Relayed(Relayed::BrokenOff(_))
                if body.ended() == Some(RequestEnd::ClientGone) =>
            {
                Self::Relayed(Relayed::ClientGone)
            }
            answer => answer,
        }
    }
}

impl<'d> UpstreamRequest<'d, '_> {
    /// Sends the request with `body`, the whole of it, which comes back for the next attempt.
    /// `replayed`: on a fresh connection, because a reused one had died.
    pub(super) async fn attempt_whole(
        &mut self,
        body: Buffer,
        replayed: bool,
    ) -> (Result<After, Setback>, Buffer) {
        let upstream = match self.acquire(replayed).await {
            Ok(upstream) => upstream,
            Err(setback) => return (Err(setback), body),
        };
        let head = self.encode_head(&upstream, replayed);
        let _active = self.begin_attempt(&upstream);
        self.timeouts.arm_head(upstream.deadline());
        let (_sent, body) = upstream.send(Some(head), body, Some(self.body.ending())).await;
        let times = self.downstream.manager.recorded.times;
        self.exchange.info.times.upstream_tx_end = times.then(Instant::now);
        // A send that failed may still have a response waiting, so it is looked for.
        self.timeouts.arm_head(upstream.deadline());
        let watch = self.downstream.watch(upstream.interrupt());
        let head = self.read_head(&upstream).await;
        let client_gone = watch.client_gone();
        drop(watch);
        let answer = match head {
            Ok(()) => self.answer(&upstream).await,
            Err(failure) => Answer::Missing(failure),
        };
        if client_gone && matches!(answer, Answer::Missing(_)) {
            self.give_up(&upstream);
            return (Err(Failure::ClientGone.into()), body);
        }
        if let Answer::Missing(failure) = answer
            && self.may_replay(&upstream, failure)
            && !replayed
        {
            return (Err(self.replay(upstream, failure)), body);
        }
        (self.finish_attempt(upstream, answer, true), body)
    }

    /// Sends the head and the body as it comes, while the response may come.
    pub(super) async fn attempt_streaming(&mut self) -> Result<After, Setback> {
        let upstream = self.acquire(false).await?;
        let head = self.encode_head(&upstream, false);
        let _active = self.begin_attempt(&upstream);
        let (body, timeouts, downstream) = (self.body, self.timeouts, self.downstream);
        let sending = Sending::default();
        let respond = async {
            let head = self.read_head(&upstream).await;
            let client_gone = sending.end_watch();
            self.exchange.info.request_received = body.received_at();
            let answer = match head {
                Ok(()) => self.answer(&upstream).await,
                Err(failure) => Answer::Missing(failure),
            };
            body.stop_sending(&sending, &upstream);
            (answer.unless_gone(body), client_gone)
        };
        let send = body.send(head, downstream, &upstream, &sending, timeouts);
        let ((), (answer, client_gone)) = join(send, respond).await;
        if downstream.manager.recorded.times {
            self.exchange.info.times.upstream_tx_end = body.received_at();
        }
        if client_gone && matches!(answer, Answer::Missing(_)) {
            self.give_up(&upstream);
            return Err(Failure::ClientGone.into());
        }
        if let (Answer::Missing(_), Some(end)) = (&answer, body.ended())
            && end != RequestEnd::Complete
        {
            self.give_up(&upstream);
            return Err(self.request_broke_off(end).into());
        }
        let sent = sending.is_whole();
        self.finish_attempt(upstream, answer, sent)
    }

    /// The response's head is here: passes the response on unless the policy wants another one.
    async fn answer(&mut self, upstream: &UpstreamStream) -> Answer {
        if self.body.is_too_much() {
            self.abandon_retries();
        }
        if self.retry.is_on() {
            let verdict = self.retry.judge_response(&self.exchange.response);
            if let Some(wait) = self.note(verdict) {
                return Answer::Unwanted(wait);
            }
            self.count_success(verdict);
        }
        self.pass_on(upstream).await
    }

    /// Counts a response that is good, where that took another attempt.
    pub(super) fn count_success(&self, verdict: Verdict) {
        if verdict == (Verdict::Final { retried: true }) {
            self.cluster.stats().upstream_rq_retry_success.inc();
            self.groups.count(|group| group.upstream_rq_retry_success.inc());
        }
    }

    /// Passes the response on, unless it is a redirect that is followed.
    pub(super) async fn pass_on(&mut self, upstream: &UpstreamStream) -> Answer {
        if self.is_redirected() {
            return Answer::Redirected;
        }
        self.keeps_body = false;
        self.retry.abandon();
        self.timeouts.try_answered();
        self.downstream.request_deadline().disarm();
        if self.exchange.leaves_http() {
            self.timeouts.http_is_over();
            self.body.let_go();
        } else if self.fails_to_switch(upstream) {
            let relayed = response_relay::relay_unswitched(self.downstream, self.exchange).await;
            return Answer::Relayed(relayed);
        }
        let (downstream, body, timeouts) = (self.downstream, self.body, self.timeouts);
        Answer::Relayed(
            response_relay::relay(downstream, self.exchange, upstream, body, timeouts).await,
        )
    }

    /// Whether the host answers a request for WebSocket neither with that nor with an error.
    fn fails_to_switch(&self, upstream: &UpstreamStream) -> bool {
        self.exchange.info.upgrade
            && self.exchange.response.status < 400
            && upgrade::is_websocket(&self.exchange.request)
            && upstream.is_http1()
    }

    /// Whether the response is a redirect that is followed.
    fn is_redirected(&mut self) -> bool {
        let Some(policy) = self.redirect_policy else { return false };
        if !policy.redirect_response_codes.contains(&self.exchange.response.status) {
            return false;
        }
        let can_be_sent_again = self.keeps_body && self.body.ended() == Some(RequestEnd::Complete);
        let followed =
            can_be_sent_again && internal_redirect::follow(policy, self.downstream, self.exchange);
        let stats = self.cluster.stats();
        match followed {
            true => stats.upstream_internal_redirect_succeeded_total.inc(),
            false => stats.upstream_internal_redirect_failed_total.inc(),
        }
        followed
    }

    /// What an attempt comes to by its answer. `sent`: all of the request was.
    pub(super) fn finish_attempt(
        &mut self,
        upstream: UpstreamStream,
        answer: Answer,
        sent: bool,
    ) -> Result<After, Setback> {
        self.note_wire_bytes(&upstream);
        match answer {
            Answer::Relayed(relayed) => {
                self.conclude(upstream, relayed, sent).map_err(Setback::Failed)
            }
            Answer::Unwanted(wait) => {
                self.discard(upstream, sent);
                Err(Setback::Again(wait))
            }
            Answer::Redirected => {
                upstream.discard(sent);
                Err(Failure::Redirected.into())
            }
            Answer::Missing(failure) => Err(self.failed(upstream, failure)),
        }
    }

    /// Whether a request that failed so is sent again whatever the policy says: nothing is lost by
    /// that. A request that was refused can be retried in any case (RFC 9113 §8.7), and the policy is
    /// asked first.
    fn may_replay(&self, upstream: &UpstreamStream, failure: ResponseFailure) -> bool {
        !upstream.deadline().fired()
            && match failure {
                // A task of AWS may be about to end, and takes connections that it never serves.
                ResponseFailure::ClosedSilent => {
                    let is_told_by_aws = self.cluster.shared.aws.is_some();
                    (upstream.is_reused() || is_told_by_aws) && self.is_replay_safe()
                }
                ResponseFailure::Refused => !self.retry.is_on(),
                _ => false,
            }
    }

    /// RFC 9110 §9.2.2: sending such a request twice means no more than sending it once.
    fn is_replay_safe(&self) -> bool {
        let method = self.exchange.request.headers.get(KnownHeader::Method);
        let idempotent: [&[u8]; 6] = [b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"];
        method.is_some_and(|method| idempotent.contains(&method))
    }

    fn begin_attempt(&mut self, upstream: &UpstreamStream) -> Option<ActiveRequest> {
        let info = &mut self.exchange.info;
        info.upstream_connection = Some(upstream.info());
        info.upstream_local = upstream.local_addr().cloned();
        info.upstream_tls = upstream.tls();
        info.times.upstream_tx_begin = self.downstream.manager.recorded.times.then(Instant::now);
        self.cluster.note_outcome(upstream.host(), Outcome::Connected);
        let received = self.body.ended() == Some(RequestEnd::Complete);
        self.timeouts.try_begins(received);
        self.groups.count(|group| group.upstream_rq_total.inc());
        // The connection of a tunnel counts itself as a request.
        (!upstream.is_tunnel()).then(|| ActiveRequest::begin(&self.cluster, upstream.host()))
    }

    async fn read_head(&mut self, upstream: &UpstreamStream) -> Result<(), ResponseFailure> {
        let request = upgrade::kind_of(&self.exchange.request);
        let result = loop {
            self.exchange.response.clear();
            match upstream.next_head(&mut self.exchange.response, request).await {
                Ok(ReceivedHead::Interim) => self.pass_interim_on(upstream).await,
                Ok(ReceivedHead::Final) => break Ok(()),
                Err(failure) => break Err(failure),
            }
        };
        self.exchange.info.response_started = Some(Instant::now());
        if result.is_ok() {
            self.note_answer(upstream.host());
        }
        if self.downstream.manager.recorded.header_bytes {
            let bytes = header_bytes::received_fields(&self.exchange.response.headers);
            self.exchange.info.upstream_bytes.headers_received = bytes;
        }
        result
    }
}

impl UpstreamRequest<'_, '_> {
    /// Passes an interim response on where `proxy_100_continue` asks for it. Behind that no other attempt may
    /// follow: the client takes it for this one's.
    async fn pass_interim_on(&mut self, upstream: &UpstreamStream) {
        if self.downstream.manager.config.proxy_100_continue {
            self.retry.abandon();
            // Its own memory: it is rare, and each connection would hold room for it.
            let mut sending = Box::pin(self.downstream.send_interim(self.exchange));
            poll_fn(|context| {
                let sent = sending.as_mut().poll(context);
                if sent.is_pending() {
                    upstream.skim_interim(context);
                }
                sent
            })
            .await;
        }
    }
}

/// A request in the active counters, until dropped.
pub struct ActiveRequest {
    cluster: Rc<WorkerCluster>,
    host: Rc<WorkerHost>,
}

impl ActiveRequest {
    /// Counts a request sent to `host`.
    pub fn begin(cluster: &Rc<WorkerCluster>, host: &Rc<WorkerHost>) -> Self {
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
