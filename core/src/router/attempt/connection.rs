//! The connection of an attempt: which host, how long it is waited for, and what follows where none is to be had.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use crate::cluster::WorkerHost;
use crate::http::codec::upstream::UpstreamStream;
use crate::http::local_reply::{self, LocalReply};
use crate::load_balancer::Pick;
use crate::outlier_detection::Outcome;
use crate::pool::{self, Acquire, AcquireFailure, Acquired, ConnectFailure};
use crate::router::request_body::RequestEnd;
use crate::router::retry::ResetReason;
use crate::router::upstream_request::{Failure, Setback, UpstreamRequest};
use crate::transport_socket::TransportOptions;

/// How often a request may move on from a host that refuses the connection.
const HOST_MOVES_MAX: usize = 3;

impl<'d> UpstreamRequest<'d, '_> {
    /// A stream on an idle connection to the next host, or on a new one.
    pub(super) async fn acquire(&mut self, fresh: bool) -> Result<UpstreamStream, Setback> {
        self.exchange.info.attempts += 1;
        let failed = match fresh {
            true => self.exchange.info.upstream_host.clone(),
            false => None,
        };
        let host = self.next_host().map(|host| match failed {
            Some(failed) if Rc::ptr_eq(&host, &failed) => {
                self.another_host(&failed).unwrap_or(host)
            }
            _ => host,
        });
        let Some(host) = host else {
            self.cluster.stats().upstream_cx_none_healthy.inc();
            return Err(Failure::Reply(local_reply::NO_HEALTHY_UPSTREAM).into());
        };
        if self.terminates_connect {
            return self.tunnel_to(host).await;
        }
        match self.connection_to(host, fresh).await {
            Ok(acquired) => Ok(UpstreamStream::begin(
                self.downstream.worker,
                acquired,
                self.exchange.request.body,
                self.cluster.shared.config.http1.enable_trailers,
            )),
            Err((host, failure)) => Err(self.not_acquired(&host, failure)),
        }
    }

    /// The host of the next attempt.
    pub(in crate::router) fn next_host(&mut self) -> Option<Rc<WorkerHost>> {
        let pick = self.pick();
        self.retry.choose_host(&self.cluster, &pick)
    }

    /// A connection to `host` for what comes out of the client's tunnel.
    async fn tunnel_to(&mut self, host: Rc<WorkerHost>) -> Result<UpstreamStream, Setback> {
        self.retry.note_host(&host);
        self.exchange.info.upstream_host = Some(host.clone());
        let begun = self.cluster.timers.latest_now();
        let looks = Cell::new(0);
        let given_up = || self.given_up(begun, &looks);
        self.body.gather(true);
        let options = self.transport_options(&host);
        let (options, priority) = (options.as_deref(), self.priority);
        let connected = pool::connect_tcp(&self.cluster, &host, priority, options, given_up).await;
        self.body.gather(false);
        match connected {
            Ok(connection) => Ok(UpstreamStream::tunnel(self.downstream.worker, connection)),
            Err(failure) => Err(self.not_acquired(&host, failure.into())),
        }
    }

    /// What the request tells the transport of its connection to `host`.
    fn transport_options(&self, host: &WorkerHost) -> Option<Rc<TransportOptions>> {
        let (info, headers) = (&self.exchange.info, &self.exchange.request.headers);
        TransportOptions::of_request(&self.cluster.shared, &host.shared, info, headers)
    }

    /// What the request asks of its host.
    fn pick(&self) -> Pick<'d> {
        Pick { hash: self.hash, criteria: self.criteria, ..Pick::default() }
    }

    /// Counts a connection that was not to be had and says what follows. What a circuit breaker
    /// forbids is not tried again.
    pub(in crate::router) fn not_acquired(
        &mut self,
        host: &WorkerHost,
        failure: AcquireFailure,
    ) -> Setback {
        match failure {
            AcquireFailure::Connect(failure) => {
                host.stats().rq_error.inc();
                self.exchange.info.transport_failure = failure.transport_reason();
                return self.setback(ResetReason::ConnectFailure, connect_reply(&failure));
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

    /// Another host than `failed`, where AWS has told the hosts: a task may have ended since it was asked about.
    fn another_host(&self, failed: &Rc<WorkerHost>) -> Option<Rc<WorkerHost>> {
        self.cluster.shared.aws.as_ref()?;
        (0..HOST_MOVES_MAX).find_map(|_| {
            let other = self.cluster.choose_host(&Pick { attempt: 1, ..self.pick() })?;
            (!Rc::ptr_eq(&other, failed)).then_some(other)
        })
    }

    /// A connection to `host`, or, where AWS has told the hosts, to another one when that refuses: nothing was
    /// sent yet.
    async fn connection_to(
        &mut self,
        mut host: Rc<WorkerHost>,
        fresh: bool,
    ) -> Result<Acquired, (Rc<WorkerHost>, AcquireFailure)> {
        let mut moves = HOST_MOVES_MAX;
        let begun = self.cluster.timers.latest_now();
        let looks = Cell::new(0);
        loop {
            self.retry.note_host(&host);
            self.exchange.info.upstream_host = Some(host.clone());
            let options = self.transport_options(&host);
            let given_up = || self.given_up(begun, &looks);
            let asked = Acquire {
                priority: self.priority,
                worker: self.downstream.worker,
                fresh,
                ahead: false,
                options: &options,
                until: self.timeouts.waiting_until(begun),
                given_up: &given_up,
                client: Some(self.downstream),
            };
            self.body.gather(true);
            let acquired = pool::acquire(&self.cluster, &host, &asked).await;
            self.body.gather(false);
            let failure = match acquired {
                Ok(acquired) => return Ok(acquired),
                Err(failure) => failure,
            };
            let blames_host =
                matches!(&failure, AcquireFailure::Connect(failure) if failure.is_of_host());
            if blames_host {
                self.cluster.note_outcome(&host, Outcome::Failed);
            }
            let other = match blames_host && moves > 0 {
                true => self.another_host(&host),
                false => None,
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
                if looks.get().is_multiple_of(CLIENT_LOOKS) && self.downstream.is_gone() {
                    return Some(AcquireFailure::ClientGone);
                }
                self.timeouts.waiting_until(begun)
            }
            Some(_) => return Some(AcquireFailure::ClientGone),
        };
        until.is_some_and(|until| Instant::now() >= until).then_some(AcquireFailure::Expired)
    }
}

fn connect_reply(failure: &ConnectFailure) -> LocalReply {
    match failure {
        ConnectFailure::Timeout => local_reply::CONNECTION_TIMEOUT,
        ConnectFailure::Refused(_)
        | ConnectFailure::NoPipe(_)
        | ConnectFailure::NoTunnel(_)
        | ConnectFailure::Handshake(_) => local_reply::CONNECTION_FAILURE,
        ConnectFailure::Local(_) | ConnectFailure::NoDescriptor(_) => {
            local_reply::LOCAL_CONNECTION_FAILURE
        }
    }
}
