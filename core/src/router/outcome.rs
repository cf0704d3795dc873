//! What an attempt came to: counted, flagged, and turned into what the client gets.

use super::request_body::RequestEnd;
use super::response_relay::{Relayed, Reuse};
use super::retry::ResetReason;
use super::timeout::Expired;
use super::upstream_request::{Failure, Setback, UpstreamRequest};
use crate::http::ResponseFlag;
use crate::http::codec::downstream_h1::After;
use crate::http::codec::upstream_h1::ResponseFailure;
use crate::http::local_reply::{self, LocalReply};
use crate::http::stream::millis;
use crate::pool::UpstreamConnection;

impl UpstreamRequest<'_, '_> {
    /// Counts a request that nobody waits for any more.
    pub(super) fn cancelled(&self) {
        let stats = self.cluster.stats();
        stats.upstream_rq_cancelled.inc();
        stats.upstream_rq_tx_reset.inc();
        self.count_broken_off_locally();
    }

    /// Counts a connection that we close in the middle of a request.
    pub(super) fn count_broken_off_locally(&self) {
        let stats = self.cluster.stats();
        stats.upstream_cx_destroy_with_active_rq.inc();
        stats.upstream_cx_destroy_local_with_active_rq.inc();
    }

    /// What follows a response that did not come.
    pub(super) fn failed(
        &mut self,
        connection: UpstreamConnection,
        failure: ResponseFailure,
    ) -> Setback {
        if connection.deadline().fired() {
            return self.expired(&connection);
        }
        let reply = self.count_failure(connection, failure);
        self.setback(ResetReason::Reset, reply)
    }

    fn expired(&mut self, connection: &UpstreamConnection) -> Setback {
        let stats = self.cluster.stats();
        let host = connection.host().stats();
        host.rq_error.inc();
        self.count_broken_off_locally();
        if self.body.ended().is_none() {
            // The upstream took no more of the request.
            let expired = self.timeouts.expired_request();
            return self.request_broke_off(RequestEnd::Expired(expired)).into();
        }
        let expired = self.timeouts.expired_response();
        expired.count(self.downstream.stats());
        match expired {
            Expired::Response => {
                stats.upstream_rq_timeout.inc();
                host.rq_timeout.inc();
                Failure::Reply(expired.response_reply()).into()
            }
            Expired::PerTry | Expired::PerTryIdle => {
                match expired {
                    Expired::PerTry => stats.upstream_rq_per_try_timeout.inc(),
                    _ => stats.upstream_rq_per_try_idle_timeout.inc(),
                }
                host.rq_timeout.inc();
                self.setback(ResetReason::Reset, expired.response_reply())
            }
            Expired::Request | Expired::Stream | Expired::Idle => {
                Failure::Own(expired.response_reply()).into()
            }
        }
    }

    /// Counts a connection that ended without a response, and says what the client gets for it.
    pub(super) fn count_failure(
        &self,
        mut connection: UpstreamConnection,
        failure: ResponseFailure,
    ) -> LocalReply {
        let stats = self.cluster.stats();
        connection.host().stats().rq_error.inc();
        stats.upstream_cx_destroy_with_active_rq.inc();
        match failure {
            ResponseFailure::ClosedSilent => {
                stats.upstream_cx_destroy_remote_with_active_rq.inc();
                connection.note_remote_close();
                local_reply::CONNECTION_TERMINATION
            }
            // A head that breaks off is no HTTP, says Envoy.
            ResponseFailure::ClosedPartial | ResponseFailure::Protocol => {
                stats.upstream_cx_protocol_error.inc();
                stats.upstream_cx_destroy_local_with_active_rq.inc();
                local_reply::PROTOCOL_ERROR
            }
        }
    }

    /// The response is not wanted: the request is sent again. The connection can serve on where
    /// nothing more comes on it.
    pub(super) fn discard(&self, connection: UpstreamConnection, sent: bool) {
        let response = &self.exchange.response;
        let cluster = &self.cluster.shared;
        cluster.retry_response_codes.of(self.cluster.worker).count(response.status);
        connection.host().stats().rq_error.inc();
        connection.deadline().disarm();
        let usable = sent && !connection.deadline().fired();
        if response.keep_alive && response.body.is_empty() && usable {
            connection.release(None);
        } else {
            self.count_broken_off_locally();
        }
    }

    /// The response has been passed on, or broke off on the way. `sent`: all of the request was.
    pub(super) fn conclude(
        &mut self,
        mut connection: UpstreamConnection,
        relayed: Relayed,
        sent: bool,
    ) -> Result<After, Failure> {
        let status = self.exchange.response.status;
        let host = connection.host().clone();
        let after = match relayed {
            Relayed::Whole { after, reuse } => {
                connection.deadline().disarm();
                match reuse {
                    // The upstream still waits for the rest of the request.
                    _ if !sent => self.count_broken_off_locally(),
                    // A limit that passed at the last moment has shut the connection down.
                    Reuse::For(_) if connection.deadline().fired() => {}
                    Reuse::For(timeout) => connection.release(timeout),
                    Reuse::Never => self.cluster.stats().upstream_cx_close_notify.inc(),
                }
                after
            }
            Relayed::Refused(reply) => {
                host.stats().rq_error.inc();
                self.cluster.stats().upstream_cx_protocol_error.inc();
                return Err(Failure::Reply(reply));
            }
            Relayed::BrokenOff => {
                self.broke_off(&mut connection);
                After::Abort
            }
            Relayed::ClientGone => {
                self.exchange.info.reset = true;
                self.cluster.stats().upstream_rq_cancelled.inc();
                self.exchange.info.flags.set(ResponseFlag::DownstreamConnectionTermination);
                self.exchange.info.details = "downstream_remote_disconnect";
                After::Abort
            }
        };
        match status {
            500..=599 => host.stats().rq_error.inc(),
            _ => host.stats().rq_success.inc(),
        }
        self.count_response(status);
        self.record_time();
        Ok(after)
    }

    /// The response ended in its middle; the client has a part of it.
    fn broke_off(&mut self, connection: &mut UpstreamConnection) {
        let stats = self.cluster.stats();
        stats.upstream_cx_destroy_with_active_rq.inc();
        let info = &mut self.exchange.info;
        info.reset = true;
        self.downstream.stats().downstream_rq_tx_reset.inc();
        if connection.deadline().fired() {
            let expired = self.timeouts.expired_response();
            let reply = expired.response_reply();
            if expired == Expired::Response {
                stats.upstream_rq_timeout.inc();
            }
            expired.count(self.downstream.stats());
            reply.flag_into(&mut info.flags);
            info.details = reply.details;
        } else {
            stats.upstream_cx_destroy_remote_with_active_rq.inc();
            connection.note_remote_close();
            stats.upstream_cx_protocol_error.inc();
            info.flags.set(ResponseFlag::UpstreamProtocolError);
            info.details = "upstream_reset_after_response_started{protocol_error}";
        }
    }

    fn record_time(&self) {
        let Some(received) = self.exchange.info.request_received else { return };
        let ids = &self.cluster.shared.histograms;
        let by_origin = match self.exchange.info.internal {
            true => ids.internal_upstream_rq_time,
            false => ids.external_upstream_rq_time,
        };
        let time_ms = millis(received.elapsed());
        self.cluster.histograms.record(ids.upstream_rq_time, time_ms);
        self.cluster.histograms.record(by_origin, time_ms);
    }

    /// `upstream_rq_<code>` and its copies by the request's origin.
    pub(super) fn count_response(&self, status: u16) {
        let worker = self.cluster.worker;
        let shared = &self.cluster.shared;
        self.cluster.stats().upstream_rq_completed.inc();
        shared.response_codes.of(worker).count(status);
        let by_origin = match self.exchange.info.internal {
            true => &shared.internal_response_codes,
            false => &shared.external_response_codes,
        };
        by_origin.of(worker).count(status);
    }
}
