//! Sending a request to its cluster and bringing the response back, in as many attempts as the
//! route's retry policy allows.
//!
//! A request whose body is absent or already here goes out in one send. Any other body streams
//! while the response may already be coming.

mod next_attempt;

use std::borrow::Cow;
use std::rc::Rc;
use std::time::{Duration, Instant};

use ringmain_config::cluster::RoutingPriority;
use ringmain_config::match_criteria::MatchCriteria;
use ringmain_config::metadata::LB_NAMESPACE;
use ringmain_config::route::{HashPolicy, InternalRedirectPolicy};
use ringmain_proto_codec::KnownHeader;
use ringmain_proto_codec::h1::{BodyLength, RequestHead};

use super::hash_policy::{Ends, request_hash};
use super::host_rewrite::AutoHostRewrite;
use super::mirror::{Mirroring, mirror};
use super::outcome::count_response;
use super::request_body::{RequestBody, RequestEnd, Unreceived};
use super::request_group::CountedGroups;
use super::retry::RetryState;
use super::timeout::{RouteTimeouts, StreamTimeouts};
use super::upgrade;
use crate::cluster::WorkerCluster;
use crate::http::codec::downstream::{After, Downstream};
use crate::http::codec::upstream::{OutgoingHead, UpstreamStream};
use crate::http::exchange::{Exchange, WholeBody};
use crate::http::local_reply::{self, LocalReply};
use crate::pool::RetryPermit;
use crate::runtime::{Buffer, join};

/// What the route wants of a request on its way upstream.
pub struct Forwarding<'a> {
    /// The cluster, as an index into the configuration.
    pub cluster: usize,
    /// Where it counts beside the cluster.
    pub groups: CountedGroups<'a>,
    /// Which thresholds of the circuit breakers it counts towards.
    pub priority: RoutingPriority,
    /// What of it decides which host it goes to, where the cluster's policy hashes.
    pub hash_policy: &'a [HashPolicy],
    /// What the metadata of its host must be, where the cluster has subsets: `metadata_match` of the
    /// route or of its weighted cluster.
    pub criteria: Option<&'a MatchCriteria>,
    /// The route's limits.
    pub limits: RouteTimeouts,
    /// `per_try_timeout`, where an attempt that takes longer goes on while another one is made.
    pub hedged: Option<Duration>,
    /// The limits of this stream.
    pub timeouts: StreamTimeouts,
    /// The retries.
    pub retry: RetryState<'a>,
    /// How much of the body is kept for sending it again, in bytes.
    pub kept_max: usize,
    /// Which redirects are followed.
    pub redirect_policy: Option<&'a InternalRedirectPolicy>,
    /// `x-envoy-expected-rq-timeout-ms` is written.
    pub tells_expectation: bool,
    /// `x-envoy-attempt-count` is written.
    pub tells_attempts: bool,
    /// `x-envoy-is-timeout-retry` is written.
    pub tells_timeouts: bool,
    /// `x-envoy-upstream-rq-timeout-alt-response`: a timeout is answered with 204.
    pub timeout_is_no_content: bool,
    /// The host's name becomes the request's.
    pub auto_host: Option<AutoHostRewrite>,
    /// The tunnel that a CONNECT asks for ends here: the host gets bytes and no request.
    pub terminates_connect: bool,
    /// Where copies of it go.
    pub mirroring: Mirroring<'a>,
}

/// A request under way to its cluster.
pub(super) struct UpstreamRequest<'d, 'a> {
    pub(super) downstream: &'d Downstream<'a>,
    pub(super) exchange: &'d mut Exchange,
    pub(super) cluster: Rc<WorkerCluster>,
    pub(super) groups: CountedGroups<'a>,
    pub(super) priority: RoutingPriority,
    /// By the route's `hash_policy`.
    pub(super) hash: Option<u64>,
    /// What the metadata of its host must be, where the cluster has subsets.
    pub(super) criteria: Option<&'d MatchCriteria>,
    pub(super) body: &'d RequestBody,
    pub(super) timeouts: &'d StreamTimeouts,
    pub(super) retry: RetryState<'a>,
    pub(super) redirect_policy: Option<&'a InternalRedirectPolicy>,
    /// The body is kept, so that the request may be sent again.
    pub(super) keeps_body: bool,
    /// The retry that was decided on last, as long as it runs.
    retrying: Option<RetryPermit>,
    limits: RouteTimeouts,
    /// `per_try_timeout`, where attempts that take longer go on.
    hedged: Option<Duration>,
    tells_expectation: bool,
    tells_attempts: bool,
    tells_timeouts: bool,
    /// The attempt before the next one took too long.
    pub(super) timed_out: bool,
    pub(super) auto_host: Option<AutoHostRewrite>,
    pub(super) terminates_connect: bool,
}

/// Why the upstream's response does not reach the client.
pub(super) enum Failure {
    /// The upstream's fault: the client gets this instead, and it counts as the cluster's.
    Reply(LocalReply),
    /// The client's or our own doing: it does not.
    Own(LocalReply),
    /// There is no client any more.
    ClientGone,
    /// It is a redirect, which is followed: the request's head and body are those of the next hop.
    Redirected,
}

/// What became of a request.
pub enum Forwarded {
    /// It is over; what follows on the client's connection.
    Answered(After),
    /// It is to be routed again, as `Exchange` has it now.
    Redirected,
}

impl From<After> for Forwarded {
    fn from(after: After) -> Self {
        Self::Answered(after)
    }
}

/// Why an attempt was not the last word.
pub(super) enum Setback {
    /// The request is sent once more at once: a reused connection had died, and nothing is lost.
    Replay,
    /// The policy has it sent again after a wait.
    Again(Duration),
    /// It is given up.
    Failed(Failure),
}

impl From<Failure> for Setback {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Forwards the request and sends the client what comes of it.
pub async fn forward<'a>(
    downstream: &Downstream<'a>,
    exchange: &mut Exchange,
    forwarding: Forwarding<'a>,
) -> Forwarded {
    let cluster = downstream.worker.cluster(forwarding.cluster).clone();
    if cluster.drops_request() {
        return drop_request(downstream, exchange, &forwarding, &cluster).await;
    }
    let keeps_body = forwarding.retry.is_on() || forwarding.redirect_policy.is_some();
    let kept_max = keeps_body.then_some(forwarding.kept_max);
    let mirrors = mirror(forwarding.mirroring, downstream, exchange, &cluster);
    let body =
        RequestBody::new(kept_max, exchange.info.upgrade, mirrors, exchange.filters.grpc.clone());
    let alternative = forwarding.timeout_is_no_content;
    let hash = match cluster.shared.config.load_balancing.policy.hashes() {
        true => hash_of(exchange, forwarding.hash_policy),
        false => None,
    };
    let criteria = match cluster.shared.config.load_balancing.subset {
        Some(_) => criteria_of(exchange, forwarding.criteria),
        None => None,
    };
    let begun = body.begin(downstream, exchange.body.take());
    let mut request = UpstreamRequest {
        downstream,
        exchange,
        cluster,
        groups: forwarding.groups,
        priority: forwarding.priority,
        hash,
        criteria: criteria.as_deref(),
        body: &body,
        timeouts: &forwarding.timeouts,
        retry: forwarding.retry,
        redirect_policy: forwarding.redirect_policy,
        keeps_body,
        retrying: None,
        limits: forwarding.limits,
        hedged: forwarding.hedged,
        tells_expectation: forwarding.tells_expectation,
        tells_attempts: forwarding.tells_attempts,
        tells_timeouts: forwarding.tells_timeouts,
        timed_out: false,
        auto_host: forwarding.auto_host,
        terminates_connect: forwarding.terminates_connect,
    };
    let outcome = match begun {
        Err(error) => {
            request.note_body();
            Err(request.request_broke_off(RequestEnd::Broken(error)))
        }
        Ok(message) => request.run(message, kept_max).await,
    };
    let after = match outcome {
        Ok(after) => after,
        Err(Failure::Reply(mut reply)) => {
            if alternative && reply.status == 504 {
                (reply.status, reply.body) = (204, "");
            }
            request.count_response(reply.status);
            downstream.reply(&reply, exchange).await
        }
        Err(Failure::Own(reply)) => downstream.reply(&reply, exchange).await,
        Err(Failure::ClientGone) => downstream.client_gone(exchange),
        Err(Failure::Redirected) => return Forwarded::Redirected,
    };
    after.into()
}

/// Answers a request that `drop_overloads` keeps from the hosts of `cluster`.
async fn drop_request(
    downstream: &Downstream<'_>,
    exchange: &mut Exchange,
    forwarding: &Forwarding<'_>,
    cluster: &WorkerCluster,
) -> Forwarded {
    let share = cluster.shared.config.load_assignment.drop_overload;
    let reply = match share.numerator >= share.denominator {
        true => local_reply::UNCONDITIONAL_DROP_OVERLOAD,
        false => local_reply::DROP_OVERLOAD,
    };
    count_response(cluster, forwarding.groups, &exchange.info, reply.status);
    downstream.reply(&reply, exchange).await.into()
}

fn hash_of(exchange: &mut Exchange, policies: &[HashPolicy]) -> Option<u64> {
    let Exchange { request, info, set_cookies, .. } = exchange;
    request_hash(policies, &request.headers, &info.objects, Ends::of(info), set_cookies)
}

/// What the route wants of the host's metadata, and over it what filters have noted of the request.
fn criteria_of<'a>(
    exchange: &Exchange,
    of_route: Option<&'a MatchCriteria>,
) -> Option<Cow<'a, MatchCriteria>> {
    let noted = exchange.info.dynamic_metadata.written();
    match noted.and_then(|noted| noted.0.get(LB_NAMESPACE)?.as_object()) {
        None => of_route.map(Cow::Borrowed),
        Some(own) => Some(Cow::Owned(MatchCriteria::over(of_route, own.clone()))),
    }
}

impl UpstreamRequest<'_, '_> {
    /// `whole` is the body where all of it is here and short.
    async fn run(
        &mut self,
        whole: Option<Buffer>,
        kept_max: Option<usize>,
    ) -> Result<After, Failure> {
        announce_empty_body(&mut self.exchange.request);
        if self.exchange.info.upgrade && upgrade::is_websocket(&self.exchange.request) {
            // As in Envoy the handshake alone has a limit; another protocol's has none.
            self.timeouts.request_received(Instant::now());
        }
        let whole = match whole {
            None if self.waits_for_body(kept_max) => Box::pin(self.receive_rest()).await?,
            whole => whole,
        };
        // Its own memory: streaming is rare, and each connection would hold room for it.
        let Some(whole) = whole else { return Box::pin(self.run_streaming()).await };
        self.note_body();
        if kept_max.is_some_and(|max| self.body.bytes() > max as u64) {
            self.abandon_retries();
        }
        self.note_received();
        match self.hedged {
            // Its own memory, too.
            Some(per_try) => Box::pin(self.run_hedged(whole, per_try)).await,
            None => self.run_whole(whole).await,
        }
    }

    /// All of the request is here; when that began. Filters may have waited for its end.
    fn note_received(&mut self) -> Instant {
        let received = *self.exchange.info.request_received.get_or_insert_with(Instant::now);
        self.timeouts.request_received(received);
        received
    }

    /// Whether the request goes nowhere before its body has come: attempts that are hedged need all of
    /// it, and its length was told and may be kept.
    fn waits_for_body(&self, kept_max: Option<usize>) -> bool {
        let length = match self.exchange.request.body {
            BodyLength::Length(length) => length,
            _ if self.body.ended().is_some() => self.body.bytes(),
            _ => return false,
        };
        self.hedged.is_some() && kept_max.is_some_and(|max| length <= max as u64)
    }

    /// The body when all of it has come; `None` where it has become more than may be kept.
    async fn receive_rest(&mut self) -> Result<Option<Buffer>, Failure> {
        match self.body.receive_rest(self.downstream, self.timeouts).await {
            Ok(whole) => Ok(Some(whole)),
            Err(Unreceived::TooLong) => Ok(None),
            Err(Unreceived::Ended(end)) => {
                self.note_body();
                Err(self.request_broke_off(end))
            }
        }
    }

    /// Sends a request whose body is here whole, in attempts of which several may be under way.
    async fn run_hedged(&mut self, body: Buffer, per_try: Duration) -> Result<After, Failure> {
        let result = self.race_to_answer(&body, per_try).await;
        match result {
            Err(Failure::Redirected) => self.keep_for_next_hop(body),
            _ => self.downstream.worker.buffers.give_back(body),
        }
        result
    }

    /// Sends a request whose body is here whole.
    async fn run_whole(&mut self, mut body: Buffer) -> Result<After, Failure> {
        let mut replayed = false;
        loop {
            let (result, returned) = self.attempt_whole(body, replayed).await;
            body = returned;
            match result {
                Ok(after) => {
                    self.downstream.worker.buffers.give_back(body);
                    return Ok(after);
                }
                Err(Setback::Replay) => replayed = true,
                Err(Setback::Again(wait)) => self.back_off(wait).await?,
                Err(Setback::Failed(failure)) => {
                    match failure {
                        Failure::Redirected => self.keep_for_next_hop(body),
                        _ => self.downstream.worker.buffers.give_back(body),
                    }
                    return Err(failure);
                }
            }
        }
    }

    /// Sends a request whose body is still coming or is a long one, while its response may come too.
    async fn run_streaming(&mut self) -> Result<After, Failure> {
        let (downstream, body, timeouts) = (self.downstream, self.body, self.timeouts);
        if body.ended() == Some(RequestEnd::Complete) {
            body.note_received_at(self.note_received());
        }
        let attempts = async {
            let result = self.attempts_streaming().await;
            body.stop(downstream, result.is_ok());
            result
        };
        let ((), result) = join(body.receive(downstream, timeouts), attempts).await;
        self.note_body();
        if body.is_too_much() {
            self.abandon_retries();
        }
        if matches!(result, Err(Failure::Redirected)) {
            self.keep_for_next_hop(body.kept());
        }
        if result.is_err() && body.received_at().is_some() {
            // It came while no attempt was there to note it.
            self.exchange.info.request_received = body.received_at();
        }
        result
    }

    /// The next hop of a redirect gets the same body, unless it is a request that has none.
    fn keep_for_next_hop(&mut self, data: Buffer) {
        self.exchange.body = Some(match self.exchange.request.body {
            BodyLength::None => WholeBody::default(),
            _ => WholeBody { data, trailers: self.body.copy_of_trailers() },
        });
    }

    fn note_body(&mut self) {
        self.exchange.info.bytes_received += self.body.bytes();
        self.exchange.info.downstream_bytes.received += self.downstream.take_wire_bytes();
    }

    async fn attempts_streaming(&mut self) -> Result<After, Failure> {
        loop {
            match self.attempt_streaming().await {
                Ok(after) => return Ok(after),
                Err(Setback::Again(wait)) => self.back_off(wait).await?,
                Err(Setback::Failed(failure)) => return Err(failure),
                Err(Setback::Replay) => {}
            }
            match self.body.ended() {
                None | Some(RequestEnd::Complete) => {}
                Some(end) => return Err(self.request_broke_off(end)),
            }
        }
    }

    /// Makes the head ready for an attempt on `upstream`: with the name of its host, where the route
    /// has `auto_host_rewrite`.
    pub(super) fn encode_head(
        &mut self,
        upstream: &UpstreamStream,
        replayed: bool,
    ) -> OutgoingHead {
        if let Some(auto) = self.auto_host {
            let hostname = &upstream.host().shared.hostname;
            auto.apply(hostname, replayed, &mut self.exchange.request.headers);
        }
        upstream.encode_head(self.exchange, self.downstream.manager.recorded.header_bytes)
    }

    /// What the request's end means for the client, where it is no good one.
    pub(super) fn request_broke_off(&self, end: RequestEnd) -> Failure {
        end.reply(self.downstream).map_or(Failure::ClientGone, Failure::Own)
    }
}

/// Envoy says `content-length: 0` for a request without a body unless the method has none anyway.
pub(super) fn announce_empty_body(request: &mut RequestHead) {
    let method = request.headers.get(KnownHeader::Method).unwrap_or_default();
    let expects_body = !matches!(method, b"GET" | b"HEAD" | b"DELETE" | b"TRACE" | b"CONNECT");
    if request.body == BodyLength::None && expects_body {
        request.headers.set(KnownHeader::ContentLength, b"0");
    }
}
