//! Hedging (Envoy: `hedge_policy.hedge_on_per_try_timeout`): an attempt that takes longer than its
//! `per_try_timeout` goes on while another one is made, and the first good response is the client's.
//!
//! Each attempt is a task of its own with a copy of the request ([`attempt`]). So all of the body is here
//! by then: one whose length was told is waited for, any other is not hedged. The request waits here for
//! whatever comes first and goes on with the stream of the attempt that has won; the others are given up.

mod attempt;

use std::rc::Rc;
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use self::attempt::{Attempt, End, Outcome, Shared};
use super::attempt::ActiveRequest;
use super::retry::Verdict;
use super::timeout::Expired;
use super::upstream_request::{Failure, Setback, UpstreamRequest};
use crate::cluster::WorkerHost;
use crate::http::codec::downstream::After;
use crate::http::codec::upstream::UpstreamStream;
use crate::http::exchange::Exchange;
use crate::http::local_reply;
use crate::outlier_detection;
use crate::runtime::{self, Buffer, Deadline, Interrupt, Notify};

/// The attempts of a request that are under way, and the next.
struct Race {
    came: Rc<Notify>,
    attempts: SmallVec<[Racer; 2]>,
    /// When another attempt is to be made.
    next_at: Option<Instant>,
    /// When the request as a whole has waited too long.
    until: Option<Instant>,
}

struct Racer {
    host: Rc<WorkerHost>,
    shared: Rc<Shared>,
    /// It was counted where requests on connections are.
    counted: bool,
    /// Its `per_try_timeout` has passed.
    overdue: bool,
    /// Another attempt was decided on because it is overdue: it calls for no further one.
    replaced: bool,
}

/// The response that the client gets.
struct Winner {
    upstream: UpstreamStream,
    _active: ActiveRequest,
}

impl Race {
    /// Whether there may be another answer than the one that has come.
    fn is_open(&self) -> bool {
        self.next_at.is_some() || !self.attempts.is_empty()
    }

    /// Another attempt is made after `wait`, or before where that was decided on already.
    fn go_on_after(&mut self, wait: Duration) {
        let at = Instant::now() + wait;
        self.next_at = Some(self.next_at.map_or(at, |next| next.min(at)));
    }

    fn take_ended(&mut self) -> Option<(Racer, End)> {
        let mut ends = self.attempts.iter().map(|racer| racer.shared.take_end()).enumerate();
        let (index, end) = ends.find_map(|(index, end)| Some((index, end?)))?;
        Some((self.attempts.remove(index), end))
    }

    /// When something is to be done at the latest.
    fn wakes_at(&self, per_try: Duration) -> Option<Instant> {
        let overdue_at = |racer: &Racer| racer.overdue_at(per_try);
        let overdue = self.attempts.iter().filter_map(overdue_at);
        overdue.chain(self.next_at).chain(self.until).min()
    }
}

impl Racer {
    fn overdue_at(&self, per_try: Duration) -> Option<Instant> {
        self.shared.begun().filter(|_| !self.overdue).map(|begun| begun + per_try)
    }
}

impl Drop for Race {
    fn drop(&mut self) {
        self.attempts.iter().for_each(|racer| racer.shared.give_up());
    }
}

impl UpstreamRequest<'_, '_> {
    /// Sends the request with `body` and brings back the response of the attempt that wins.
    pub(super) async fn race_to_answer(
        &mut self,
        body: &Buffer,
        per_try: Duration,
    ) -> Result<After, Failure> {
        let winner = self.race(body, per_try).await?;
        let answer = self.pass_on(&winner.upstream).await;
        match self.finish_attempt(winner.upstream, answer, true) {
            Ok(after) => Ok(after),
            Err(Setback::Failed(failure)) => Err(failure),
            // A response that was passed on is followed by nothing else.
            Err(Setback::Replay | Setback::Again(_)) => Ok(After::Abort),
        }
    }

    /// Makes attempts until one has won or none can.
    async fn race(&mut self, body: &Buffer, per_try: Duration) -> Result<Winner, Failure> {
        let came: Rc<Notify> = Rc::default();
        let deadline = Deadline::of_wait(&self.cluster.timers, &came);
        let watch = self.downstream.watch(Interrupt::wait(&came));
        let mut race =
            Race { came, attempts: SmallVec::new(), next_at: Some(Instant::now()), until: None };
        loop {
            self.count_begun(&mut race);
            if watch.client_gone() {
                return Err(Failure::ClientGone);
            }
            if let Some((racer, end)) = race.take_ended() {
                if let Some(outcome) = self.judge(&racer, end, &mut race) {
                    return outcome;
                }
                continue;
            }
            let now = Instant::now();
            if race.until.is_some_and(|until| now >= until) {
                return Err(self.expired_racing(&race));
            }
            if race.next_at.is_some_and(|at| now >= at) {
                race.next_at = None;
                self.start(&mut race, body)?;
                continue;
            }
            if self.hedge(&mut race, per_try, now) {
                continue;
            }
            match race.wakes_at(per_try) {
                Some(moment) => deadline.arm_at(moment),
                None => deadline.disarm(),
            }
            race.came.notified().await;
        }
    }

    fn start(&mut self, race: &mut Race, body: &Buffer) -> Result<(), Failure> {
        if self.exchange.info.attempts > 0 {
            self.announce_attempt();
        }
        self.exchange.info.attempts += 1;
        let Some(host) = self.next_host() else {
            self.cluster.stats().upstream_cx_none_healthy.inc();
            return match race.is_open() {
                true => Ok(()),
                false => Err(Failure::Reply(local_reply::NO_HEALTHY_UPSTREAM)),
            };
        };
        self.retry.note_host(&host);
        self.exchange.info.upstream_host = Some(host.clone());
        race.until = self.timeouts.waiting_until(self.cluster.timers.latest_now());
        let shared = Rc::new(Shared::new(&race.came));
        let worker = self.downstream.worker;
        let mut exchange = worker.exchanges.take();
        exchange.request.headers.clone_from(&self.exchange.request.headers);
        exchange.request.body = self.exchange.request.body;
        exchange.info = self.exchange.info.of_same_client();
        let attempt = Attempt {
            worker: worker.clone(),
            cluster: self.cluster.clone(),
            host: host.clone(),
            priority: self.priority,
            until: race.until,
            silence_max: self.timeouts.per_try_idle(),
            duration_max: self.timeouts.upstream_stream(),
            auto_host: self.auto_host,
            records_header_bytes: self.downstream.manager.recorded.header_bytes,
            records_times: self.downstream.manager.recorded.times,
            exchange,
            body: worker.buffers.holding(body.bytes()),
            trailers: self.body.copy_of_trailers(),
            shared: shared.clone(),
        };
        runtime::spawn(attempt.run());
        let (counted, overdue, replaced) = (false, false, false);
        race.attempts.push(Racer { host, shared, counted, overdue, replaced });
        Ok(())
    }

    fn count_begun(&self, race: &mut Race) {
        for racer in &mut race.attempts {
            if racer.shared.begun().is_some() && !racer.counted {
                racer.counted = true;
                self.groups.count(|group| group.upstream_rq_total.inc());
            }
        }
    }

    /// Decides on another attempt where one has become overdue. Says whether one has.
    fn hedge(&mut self, race: &mut Race, per_try: Duration, now: Instant) -> bool {
        let is_late = |racer: &&mut Racer| racer.overdue_at(per_try).is_some_and(|at| now >= at);
        let Some(late) = race.attempts.iter_mut().find(is_late) else { return false };
        late.overdue = true;
        self.cluster.note_outcome(&late.host, outlier_detection::Outcome::TimedOut);
        let verdict = self.retry.judge_overdue();
        if let Some(wait) = self.note(verdict) {
            late.replaced = true;
            self.timed_out = true;
            race.go_on_after(wait);
        }
        true
    }

    /// What follows the end of an attempt: a response for the client, the end of the request, or, where
    /// that is `None`, a further wait.
    fn judge(
        &mut self,
        racer: &Racer,
        end: End,
        race: &mut Race,
    ) -> Option<Result<Winner, Failure>> {
        let End { mut exchange, outcome } = end;
        if let Some(begun) = racer.shared.begun() {
            self.timeouts.stream_begins(begun);
        }
        let judged = match outcome {
            Outcome::Answered(upstream, active) => {
                self.adopt(&upstream, &mut exchange);
                self.judge_answer(Winner { upstream, _active: active }, racer.replaced, race)
                    .map(Ok)
            }
            Outcome::Failed(upstream, _active, failure) => {
                // An attempt that was replaced calls for no other one.
                let held = racer.replaced.then(|| self.retry.hold());
                let setback = self.failed(upstream, failure);
                if let Some(held) = held {
                    self.retry.let_go(held);
                }
                self.fall_back(setback, race).map(Err)
            }
            Outcome::NotAcquired(failure) => {
                let setback = self.not_acquired(&racer.host, failure);
                self.fall_back(setback, race).map(Err)
            }
        };
        self.downstream.worker.exchanges.give_back(exchange);
        judged
    }

    /// Takes over what an attempt has found out.
    fn adopt(&mut self, upstream: &UpstreamStream, of_attempt: &mut Exchange) {
        std::mem::swap(&mut self.exchange.response, &mut of_attempt.response);
        let info = &mut self.exchange.info;
        info.upstream_host = Some(upstream.host().clone());
        info.upstream_connection = Some(upstream.info());
        info.upstream_local = upstream.local_addr().cloned();
        info.upstream_tls = upstream.tls();
        info.response_started = Some(Instant::now());
        info.times.upstream_tx_begin = of_attempt.info.times.upstream_tx_begin;
        info.times.upstream_tx_end = of_attempt.info.times.upstream_tx_end;
        info.upstream_bytes = of_attempt.info.upstream_bytes;
    }

    /// The response of an attempt, where the client gets it.
    fn judge_answer(&mut self, winner: Winner, replaced: bool, race: &mut Race) -> Option<Winner> {
        let Winner { upstream, .. } = &winner;
        self.note_answer(upstream.host());
        let unwanted = if replaced {
            self.retry.wants_another(&self.exchange.response)
        } else {
            let verdict = self.retry.judge_response(&self.exchange.response);
            if let Some(wait) = self.note(verdict) {
                self.discard(winner.upstream, true);
                race.go_on_after(wait);
                return None;
            }
            self.count_success(verdict);
            !matches!(verdict, Verdict::Final { .. })
        };
        if unwanted && race.is_open() {
            upstream.host().stats().rq_error.inc();
            winner.upstream.discard(true);
            return None;
        }
        Some(winner)
    }

    /// What ends the request, where no other attempt can save it.
    fn fall_back(&self, setback: Setback, race: &mut Race) -> Option<Failure> {
        match setback {
            Setback::Replay => race.go_on_after(Duration::ZERO),
            Setback::Again(wait) => race.go_on_after(wait),
            Setback::Failed(Failure::Reply(reply)) if race.is_open() => {
                self.count_response(reply.status);
            }
            Setback::Failed(failure) => return Some(failure),
        }
        None
    }

    /// A limit of the whole request has passed: it counts for all attempts.
    fn expired_racing(&self, race: &Race) -> Failure {
        let expired = self.timeouts.expired_waiting();
        for (index, racer) in race.attempts.iter().enumerate() {
            racer.host.stats().rq_error.inc();
            if expired != Expired::Response {
                continue;
            }
            racer.host.stats().rq_timeout.inc();
            if !racer.overdue {
                self.cluster.note_outcome(&racer.host, outlier_detection::Outcome::TimedOut);
            }
            if index > 0 {
                // The first is counted as the request's own.
                self.count_timeout();
                self.count_response(expired.response_reply().status);
            }
        }
        self.gave_up(expired)
    }
}
