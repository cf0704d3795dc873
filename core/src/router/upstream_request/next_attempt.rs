//! Whether another attempt follows, the wait before it, and what its head says of it.

use std::time::{Duration, Instant};

use ringmain_proto_codec::KnownHeader;

use super::{Failure, Setback, UpstreamRequest};
use crate::http::ResponseFlag;
use crate::http::local_reply::LocalReply;
use crate::pool::RetryPermit;
use crate::router::retry::{ResetReason, Verdict, Wait};
use crate::router::timeout::{Expired, set_expectation};
use crate::runtime;

impl UpstreamRequest<'_, '_> {
    /// The body is too large to be kept: the request is sent once.
    pub(in crate::router) fn abandon_retries(&mut self) {
        if self.keeps_body {
            self.cluster.stats().retry_or_shadow_abandoned.inc();
            self.keeps_body = false;
            self.retry.abandon();
        }
    }

    /// What follows an attempt without a response. `reply` is what the client gets if it was the
    /// last.
    pub(in crate::router) fn setback(&mut self, reason: ResetReason, reply: LocalReply) -> Setback {
        if self.body.is_too_much() {
            self.abandon_retries();
        }
        let verdict = self.retry.judge_reset(reason);
        let wait = self.note(verdict);
        self.timed_out = reason == ResetReason::TimedOut;
        match wait {
            Some(wait) => Setback::Again(wait),
            None => Failure::Reply(match self.retry.retried() {
                true => reply.after_retry(),
                false => reply,
            })
            .into(),
        }
    }

    /// Counts and flags a verdict; the wait where there is to be another attempt.
    pub(in crate::router) fn note(&mut self, verdict: Verdict) -> Option<Duration> {
        self.retrying = None;
        self.timed_out = false;
        let stats = self.cluster.stats();
        match verdict {
            Verdict::Final { .. } => None,
            Verdict::LimitExceeded => {
                stats.upstream_rq_retry_limit_exceeded.inc();
                self.groups.count(|group| group.upstream_rq_retry_limit_exceeded.inc());
                self.exchange.info.flags.set(ResponseFlag::UpstreamRetryLimitExceeded);
                None
            }
            Verdict::Again(wait) => {
                self.retrying = RetryPermit::try_take(&self.cluster, self.priority);
                if self.retrying.is_none() {
                    stats.upstream_rq_retry_overflow.inc();
                    self.groups.count(|group| group.upstream_rq_retry_overflow.inc());
                    self.exchange.info.flags.set(ResponseFlag::UpstreamOverflow);
                    return None;
                }
                if !self.retry.is_used() {
                    self.retrying = None;
                    return None;
                }
                self.retry.begin_again();
                stats.upstream_rq_retry.inc();
                self.groups.count(|group| group.upstream_rq_retry.inc());
                Some(match wait {
                    Wait::Exponential(wait) => {
                        stats.upstream_rq_retry_backoff_exponential.inc();
                        wait
                    }
                    Wait::RateLimited(wait) => {
                        stats.upstream_rq_retry_backoff_ratelimited.inc();
                        wait
                    }
                })
            }
        }
    }

    /// Waits before another attempt, as long as there is a client and time, and says in the
    /// request's headers which attempt it is.
    pub(super) async fn back_off(&mut self, wait: Duration) -> Result<(), Failure> {
        /// How long a client that has gone can stay unnoticed.
        const SLICE: Duration = Duration::from_millis(250);
        let until = Instant::now() + wait;
        loop {
            let now = Instant::now();
            if self.timeouts.gives_up_at().is_some_and(|at| now >= at) {
                return Err(self.gave_up(self.timeouts.expired_response()));
            }
            if self.downstream.is_gone() {
                return Err(Failure::ClientGone);
            }
            let left = until.saturating_duration_since(now);
            if left.is_zero() {
                break;
            }
            runtime::sleep(left.min(SLICE)).await;
        }
        self.announce_attempt();
        Ok(())
    }

    /// A limit of the whole request has passed while no attempt was under way.
    pub(in crate::router) fn gave_up(&self, expired: Expired) -> Failure {
        expired.count(self.downstream.stats());
        if expired == Expired::Response {
            self.count_timeout();
            return Failure::Reply(expired.response_reply());
        }
        Failure::Own(expired.response_reply())
    }

    pub(in crate::router) fn announce_attempt(&mut self) {
        let headers = &mut self.exchange.request.headers;
        if self.tells_attempts {
            let attempt = self.exchange.info.attempts + 1;
            headers.set_number(KnownHeader::XEnvoyAttemptCount, attempt.into());
        }
        if self.tells_timeouts {
            let value: &[u8] = if self.timed_out { b"true" } else { b"false" };
            headers.set(KnownHeader::XEnvoyIsTimeoutRetry, value);
        }
        if self.tells_expectation {
            let elapsed =
                self.exchange.info.request_received.map_or(Duration::ZERO, |at| at.elapsed());
            set_expectation(headers, self.limits.expected_ms(elapsed));
        }
    }
}
