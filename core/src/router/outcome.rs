//! What an attempt came to: counted, flagged, and turned into what the client gets.

use ringmain_proto_codec::KnownHeader;

use super::request_body::RequestEnd;
use super::request_group::CountedGroups;
use super::response_relay::Relayed;
use super::retry::ResetReason;
use super::timeout::Expired;
use super::upstream_request::{Failure, Setback, UpstreamRequest};
use crate::cluster::{WorkerCluster, WorkerHost};
use crate::http::ResponseFlag;
use crate::http::codec::downstream::After;
use crate::http::codec::upstream::{ResponseFailure, UpstreamStream};
use crate::http::header_matching::is_grpc;
use crate::http::local_reply;
use crate::http::stream::{StreamInfo, millis};
use crate::outlier_detection::Outcome;

impl UpstreamRequest<'_, '_> {
    /// Counts a request whose response has not come within the route's `timeout`.
    pub(super) fn count_timeout(&self) {
        self.cluster.stats().upstream_rq_timeout.inc();
        self.groups.count(|group| group.upstream_rq_timeout.inc());
    }

    /// The request is given up before its response: nobody waits for it, or it has not come whole.
    pub(super) fn give_up(&mut self, upstream: &UpstreamStream) {
        self.note_wire_bytes(upstream);
        upstream.count_cut_off();
    }

    /// Adds what the attempt has sent and received to what those before it have.
    pub(super) fn note_wire_bytes(&mut self, upstream: &UpstreamStream) {
        let bytes = &mut self.exchange.info.upstream_bytes;
        let (sent, received) = upstream.wire_bytes();
        bytes.sent += sent;
        bytes.received += received;
    }

    /// A host has answered: notes what its answer says of it.
    pub(super) fn note_answer(&self, host: &WorkerHost) {
        let response = &self.exchange.response;
        if response.headers.contains(KnownHeader::XEnvoyImmediateHealthCheckFail) {
            host.shared.raise_health_alarm();
        }
        if self.cluster.shared.outlier_detector.is_some() {
            // Of a gRPC call that has ended already, the status says more than that of HTTP.
            let of_call = match is_grpc(&self.exchange.request.headers) {
                true => response.headers.get(KnownHeader::GrpcStatus),
                false => None,
            };
            let status = of_call.and_then(local_reply::http_status).unwrap_or(response.status);
            self.cluster.note_outcome(host, Outcome::Status(status));
        }
    }

    /// What follows a response that did not come.
    pub(super) fn failed(&mut self, upstream: UpstreamStream, failure: ResponseFailure) -> Setback {
        if upstream.deadline().fired() {
            return self.expired(&upstream);
        }
        upstream.host().stats().rq_error.inc();
        self.cluster.note_outcome(upstream.host(), Outcome::Failed);
        upstream.count_failure(failure);
        let (reason, reply) = match failure {
            ResponseFailure::ClosedSilent => {
                (ResetReason::Reset, local_reply::CONNECTION_TERMINATION)
            }
            ResponseFailure::ClosedPartial | ResponseFailure::Protocol => {
                (ResetReason::Reset, local_reply::PROTOCOL_ERROR)
            }
            ResponseFailure::RemoteReset => (ResetReason::Reset, local_reply::REMOTE_RESET),
            ResponseFailure::Refused => (ResetReason::Refused, local_reply::REFUSED_STREAM),
        };
        self.setback(reason, reply)
    }

    fn expired(&mut self, upstream: &UpstreamStream) -> Setback {
        let stats = self.cluster.stats();
        let host = upstream.host().stats();
        host.rq_error.inc();
        upstream.count_cut_off();
        let expired = self.timeouts.expired_response();
        if expired == Expired::UpstreamStream {
            return self.outlasted();
        }
        let awaited = matches!(expired, Expired::Response | Expired::PerTry);
        if self.body.ended().is_none() && !awaited {
            // The upstream took no more of the request.
            let expired = self.timeouts.expired_request();
            return self.request_broke_off(RequestEnd::Expired(expired)).into();
        }
        expired.count(self.downstream.stats());
        if matches!(expired, Expired::Response | Expired::PerTry | Expired::PerTryIdle) {
            self.cluster.note_outcome(upstream.host(), Outcome::TimedOut);
        }
        match expired {
            Expired::Response => {
                self.count_timeout();
                host.rq_timeout.inc();
                Failure::Reply(expired.response_reply()).into()
            }
            Expired::PerTry | Expired::PerTryIdle => {
                match expired {
                    Expired::PerTry => stats.upstream_rq_per_try_timeout.inc(),
                    _ => stats.upstream_rq_per_try_idle_timeout.inc(),
                }
                host.rq_timeout.inc();
                self.setback(ResetReason::TimedOut, expired.response_reply())
            }
            Expired::Request | Expired::Stream | Expired::UpstreamStream | Expired::Idle => {
                Failure::Own(expired.response_reply()).into()
            }
        }
    }

    /// The attempt has lasted for the cluster's `max_stream_duration`. What the client gets does not count
    /// as the cluster's.
    fn outlasted(&mut self) -> Setback {
        self.cluster.stats().upstream_rq_max_duration_reached.inc();
        let expired = Expired::UpstreamStream;
        let reply = match self.body.ended() {
            Some(_) => expired.response_reply(),
            None => expired.request_reply(),
        };
        match self.setback(ResetReason::Reset, reply) {
            Setback::Failed(_) => Failure::Own(reply).into(),
            setback => setback,
        }
    }

    /// Nobody has looked at the request: it is sent once more.
    pub(super) fn replay(&self, upstream: UpstreamStream, failure: ResponseFailure) -> Setback {
        upstream.host().stats().rq_error.inc();
        upstream.count_failure(failure);
        self.cluster.stats().upstream_rq_replayed.inc();
        Setback::Replay
    }

    /// The response is not wanted: the request is sent again.
    pub(super) fn discard(&self, upstream: UpstreamStream, sent: bool) {
        let cluster = &self.cluster.shared;
        cluster.retry_response_codes.of(self.cluster.worker).count(self.exchange.response.status);
        upstream.host().stats().rq_error.inc();
        upstream.discard(sent);
    }

    /// The response has been passed on, or broke off on the way. `sent`: all of the request was.
    pub(super) fn conclude(
        &mut self,
        upstream: UpstreamStream,
        relayed: Relayed,
        sent: bool,
    ) -> Result<After, Failure> {
        let status = self.exchange.response.status;
        let host = upstream.host().clone();
        let after = match relayed {
            Relayed::Whole(after) => {
                upstream.finish(sent);
                self.record_time();
                after
            }
            Relayed::Unswitched(after) => {
                host.stats().rq_success.inc();
                upstream.count_cut_off();
                return Ok(after);
            }
            Relayed::Refused(reply) => {
                host.stats().rq_error.inc();
                self.cluster.stats().upstream_cx_protocol_error.inc();
                return Err(Failure::Reply(reply));
            }
            Relayed::BrokenOff(failure) => {
                self.broke_off(upstream, failure);
                self.downstream.after_broken_off(self.exchange)
            }
            Relayed::ClientGone => {
                self.exchange.info.reset = true;
                upstream.count_cut_off();
                self.downstream.note_gone(self.exchange);
                After::Abort
            }
        };
        match status {
            500..=599 => host.stats().rq_error.inc(),
            _ => host.stats().rq_success.inc(),
        }
        self.count_response(status);
        Ok(after)
    }

    /// The response ended in its middle; the client has a part of it.
    fn broke_off(&mut self, upstream: UpstreamStream, failure: ResponseFailure) {
        self.exchange.info.reset = true;
        self.downstream.stats().downstream_rq_tx_reset.inc();
        if upstream.deadline().fired() {
            upstream.count_cut_off();
            let expired = self.timeouts.expired_response();
            let reply = expired.response_reply();
            match expired {
                Expired::Response => self.count_timeout(),
                Expired::PerTryIdle => {
                    self.cluster.note_outcome(upstream.host(), Outcome::TimedOut);
                    self.cluster.stats().upstream_rq_per_try_idle_timeout.inc();
                }
                Expired::UpstreamStream => {
                    self.cluster.stats().upstream_rq_max_duration_reached.inc();
                }
                _ => {}
            }
            expired.count(self.downstream.stats());
            let info = &mut self.exchange.info;
            reply.flag_into(&mut info.flags);
            info.details = reply.details;
        } else {
            self.cluster.note_outcome(upstream.host(), Outcome::Failed);
            upstream.count_broken_off(failure);
            let (flag, details) = after_response_started(failure);
            let info = &mut self.exchange.info;
            info.flags.set(flag);
            info.details = details;
        }
    }

    fn record_time(&self) {
        let Some(received) = self.exchange.info.request_received else { return };
        let time_ms = millis(received.elapsed());
        self.cluster.record_rq_time(time_ms, self.exchange.info.internal);
        for id in self.groups.upstream_rq_time() {
            self.cluster.histograms.record(id, time_ms);
        }
    }

    /// Counts the response that the client gets.
    pub(super) fn count_response(&self, status: u16) {
        count_response(&self.cluster, self.groups, &self.exchange.info, status);
    }
}

/// `upstream_rq_<code>` and its copies by the request's origin.
pub(super) fn count_response(
    cluster: &WorkerCluster,
    groups: CountedGroups<'_>,
    info: &StreamInfo,
    status: u16,
) {
    if !info.health_check {
        cluster.count_response(status, info.internal);
        groups.count_response(status);
    }
}

/// How a response is flagged that was broken off inside its body.
fn after_response_started(failure: ResponseFailure) -> (ResponseFlag, &'static str) {
    match failure {
        ResponseFailure::ClosedSilent => (
            ResponseFlag::UpstreamConnectionTermination,
            "upstream_reset_after_response_started{connection_termination}",
        ),
        ResponseFailure::ClosedPartial | ResponseFailure::Protocol => (
            ResponseFlag::UpstreamProtocolError,
            "upstream_reset_after_response_started{protocol_error}",
        ),
        ResponseFailure::RemoteReset => (
            ResponseFlag::UpstreamRemoteReset,
            "upstream_reset_after_response_started{remote_reset}",
        ),
        ResponseFailure::Refused => (
            ResponseFlag::UpstreamRemoteReset,
            "upstream_reset_after_response_started{remote_refused_stream_reset}",
        ),
    }
}
