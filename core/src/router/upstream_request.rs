//! Sending a request to a host of its cluster and bringing the response back.
//!
//! A request whose body is absent or already here goes out in one send and may be sent once more
//! on a fresh connection where a reused one had died. Any other body streams while the response
//! may already be coming.

use std::rc::Rc;
use std::time::Instant;

use ringmain_proto_codec::h1::{BodyLength, KeyFormat, encode_request};
use ringmain_proto_codec::{ChunkError, KnownHeader};

use super::request_body::{self, RequestEnd, RequestProgress};
use super::response_relay::{self, Relayed, Reuse};
use super::timeout::{Expired, StreamTimeouts};
use crate::cluster::{WorkerCluster, WorkerHost};
use crate::http::ResponseFlag;
use crate::http::codec::body::{BodyReader, BodyWriter};
use crate::http::codec::downstream_h1::{After, Downstream};
use crate::http::codec::upstream_h1::{self, RequestKind, ResponseFailure};
use crate::http::exchange::Exchange;
use crate::http::local_reply::{self, LocalReply};
use crate::http::stream::millis;
use crate::pool::{self, ConnectFailure, UpstreamConnection};
use crate::runtime::{Buffer, join};

/// A request under way to its cluster.
struct UpstreamRequest<'d, 'a> {
    downstream: &'d mut Downstream<'a>,
    exchange: &'d mut Exchange,
    cluster: Rc<WorkerCluster>,
    timeouts: StreamTimeouts,
}

/// Forwards the request to the cluster at `cluster_index` and sends the client what comes of it.
pub async fn forward(
    downstream: &mut Downstream<'_>,
    exchange: &mut Exchange,
    cluster_index: usize,
    timeouts: StreamTimeouts,
) -> After {
    let cluster = downstream.worker.cluster(cluster_index).clone();
    let mut request = UpstreamRequest { downstream, exchange, cluster, timeouts };
    match request.run().await {
        Ok(after) => after,
        Err(Failure::Reply(reply)) => {
            request.count_response(reply.status);
            request.downstream.reply(&reply, request.exchange).await
        }
        Err(Failure::Own(reply)) => request.downstream.reply(&reply, request.exchange).await,
        Err(Failure::ClientGone) => {
            request.exchange.info.reset = true;
            request.exchange.info.flags.set(ResponseFlag::DownstreamConnectionTermination);
            request.exchange.info.details = "downstream_remote_disconnect";
            After::Abort
        }
    }
}

/// Why the upstream's response does not reach the client.
enum Failure {
    /// The upstream's fault: the client gets this instead, and it counts as the cluster's.
    Reply(LocalReply),
    /// The client's or our own doing: it does not.
    Own(LocalReply),
    /// There is no client any more.
    ClientGone,
}

impl From<LocalReply> for Failure {
    fn from(reply: LocalReply) -> Self {
        Self::Reply(reply)
    }
}

impl UpstreamRequest<'_, '_> {
    async fn run(&mut self) -> Result<After, Failure> {
        let mut body = BodyReader::new(
            self.exchange.request.body,
            keeps_trailers(self.downstream, &self.cluster),
        );
        let message = self.first_message(&mut body)?;
        if body.is_complete() {
            let received = *self.exchange.info.request_received.get_or_insert_with(Instant::now);
            self.timeouts.request_received(received);
            self.send_whole(message).await
        } else {
            self.send_streaming(message, body).await
        }
    }

    /// The head and as much of the body as has come, ready to be sent.
    fn first_message(&mut self, body: &mut BodyReader) -> Result<Buffer, Failure> {
        let buffers = &self.downstream.worker.buffers;
        let chunked = self.exchange.request.body == BodyLength::Chunked;
        let mut message = if body.is_complete() {
            buffers.small()
        } else {
            let mut received = std::mem::take(&mut self.downstream.input);
            let taken = body.take(&mut received, buffers);
            self.downstream.input = buffers.small();
            let taken = taken.map_err(|error| self.bad_body(error))?;
            if let Some(excess) = taken.excess {
                self.downstream.input = excess;
            }
            received
        };
        self.exchange.info.bytes_received += message.len() as u64;
        BodyWriter::new(chunked, KeyFormat::LowerCase).frame(&mut message, body);
        if self.exchange.request.body == BodyLength::None && expects_body(self.method()) {
            self.exchange.request.headers.set(KnownHeader::ContentLength, b"0");
        }
        let encoded = &mut self.exchange.encoded;
        encoded.clear();
        encode_request(&self.exchange.request.headers, chunked, KeyFormat::LowerCase, encoded);
        Ok(with_head(message, encoded))
    }

    /// Sends a request that is here whole; once more where a reused connection had died.
    async fn send_whole(&mut self, mut message: Buffer) -> Result<After, Failure> {
        let replay_safe = is_idempotent(self.method());
        let mut fresh = false;
        loop {
            let mut connection = self.acquire(!replay_safe, fresh).await?;
            let active = self.begin_attempt(&mut connection);
            let (_sent, returned) = connection.write_all(message).await;
            message = returned;
            // A send that failed may still have a response waiting, so it is looked for.
            self.timeouts.arm_response(connection.deadline());
            let watch =
                self.downstream.worker.watches.watch(&self.downstream.stream, connection.stream());
            let (head, received) = self.read_head(&connection).await;
            let client_gone = watch.client_gone();
            drop(watch);
            match head {
                Ok(()) => {
                    self.downstream.worker.buffers.give_back(message);
                    let relayed = response_relay::relay(
                        self.downstream,
                        self.exchange,
                        &connection,
                        &self.timeouts,
                        received,
                    )
                    .await;
                    drop(active);
                    return self.conclude(connection, relayed);
                }
                Err(failure) => {
                    self.downstream.worker.buffers.give_back(received);
                    if client_gone {
                        self.cancelled();
                        return Err(Failure::ClientGone);
                    }
                    let expired = connection.deadline().fired();
                    let died = failure == ResponseFailure::ClosedSilent && connection.is_reused();
                    let reply = self.failed(connection, failure);
                    if died && replay_safe && !expired && !fresh {
                        self.cluster.stats().upstream_rq_replayed.inc();
                        fresh = true;
                        continue;
                    }
                    self.downstream.worker.buffers.give_back(message);
                    return Err(reply);
                }
            }
        }
    }

    /// Sends a request whose body is still coming, while its response may come too.
    async fn send_streaming(
        &mut self,
        message: Buffer,
        body: BodyReader,
    ) -> Result<After, Failure> {
        let mut connection = self.acquire(true, false).await?;
        let active = self.begin_attempt(&mut connection);
        let progress = RequestProgress::default();
        let pump = request_body::pump(
            self.downstream,
            &connection,
            message,
            body,
            self.exchange.request.body,
            &progress,
            &self.timeouts,
        );
        let respond = respond_while_receiving(
            self.downstream,
            self.exchange,
            &self.cluster,
            &connection,
            &progress,
            &self.timeouts,
        );
        let (excess, relayed) = join(pump, respond).await;
        drop(active);
        self.exchange.info.bytes_received += progress.bytes.get();
        if let Some(excess) = excess {
            self.downstream.input = excess;
        }
        match (relayed, progress.end.get()) {
            (Ok(relayed), _) => self.conclude(connection, relayed),
            (Err(_), Some(RequestEnd::ClientGone)) => {
                self.cancelled();
                Err(Failure::ClientGone)
            }
            (Err(_), Some(RequestEnd::Complete)) if progress.client_gone.get() => {
                self.cancelled();
                Err(Failure::ClientGone)
            }
            (Err(_), Some(RequestEnd::Broken(error))) => {
                self.cancelled();
                Err(self.bad_body(error))
            }
            (Err(_), Some(RequestEnd::Expired(expired))) => {
                expired.count(self.downstream.stats());
                self.cluster.stats().upstream_cx_destroy_with_active_rq.inc();
                self.cluster.stats().upstream_cx_destroy_local_with_active_rq.inc();
                Err(Failure::Own(expired.request_reply()))
            }
            (Err(failure), Some(RequestEnd::Complete | RequestEnd::UpstreamGone) | None) => {
                Err(self.failed(connection, failure))
            }
        }
    }

    fn bad_body(&self, error: ChunkError) -> Failure {
        self.downstream.stats().downstream_cx_protocol_error.inc();
        Failure::Own(local_reply::bad_request_body(error))
    }

    fn method(&self) -> &[u8] {
        self.exchange.request.headers.get(KnownHeader::Method).unwrap_or_default()
    }

    /// An idle connection to the next host, or a new one.
    async fn acquire(
        &mut self,
        verified: bool,
        fresh: bool,
    ) -> Result<UpstreamConnection, LocalReply> {
        self.exchange.info.attempts += 1;
        let Some(host) = self.cluster.choose_host() else {
            self.cluster.stats().upstream_cx_none_healthy.inc();
            return Err(local_reply::NO_HEALTHY_UPSTREAM);
        };
        self.exchange.info.upstream_host = Some(host.clone());
        if !fresh && let Some(connection) = host.idle.take(verified) {
            return Ok(connection);
        }
        pool::connect(&self.cluster, &host).await.map_err(|failure| {
            host.stats().rq_error.inc();
            match failure {
                ConnectFailure::Timeout => local_reply::CONNECTION_TIMEOUT,
                ConnectFailure::Refused(Some(libc::ECONNREFUSED)) => {
                    local_reply::CONNECTION_REFUSED
                }
                ConnectFailure::Refused(_) => local_reply::CONNECTION_FAILURE,
            }
        })
    }

    fn begin_attempt(&mut self, connection: &mut UpstreamConnection) -> ActiveRequest {
        connection.begin_request();
        let info = &mut self.exchange.info;
        info.upstream_local = connection.local_addr();
        ActiveRequest::begin(&self.cluster, connection.host())
    }

    async fn read_head(
        &mut self,
        connection: &UpstreamConnection,
    ) -> (Result<(), ResponseFailure>, Buffer) {
        read_head(self.downstream, self.exchange, &self.cluster, connection).await
    }

    /// Counts a request that nobody waits for any more.
    fn cancelled(&self) {
        let stats = self.cluster.stats();
        stats.upstream_rq_cancelled.inc();
        stats.upstream_rq_tx_reset.inc();
        stats.upstream_cx_destroy_with_active_rq.inc();
        stats.upstream_cx_destroy_local_with_active_rq.inc();
    }

    /// Counts a response that did not come and says what the client gets instead.
    fn failed(&self, mut connection: UpstreamConnection, failure: ResponseFailure) -> Failure {
        let stats = self.cluster.stats();
        let host = connection.host().stats();
        host.rq_error.inc();
        stats.upstream_cx_destroy_with_active_rq.inc();
        if connection.deadline().fired() {
            stats.upstream_cx_destroy_local_with_active_rq.inc();
            let expired = self.timeouts.expired_response();
            expired.count(self.downstream.stats());
            if expired != Expired::Response {
                return Failure::Own(expired.response_reply());
            }
            stats.upstream_rq_timeout.inc();
            host.rq_timeout.inc();
            return expired.response_reply().into();
        }
        match failure {
            ResponseFailure::ClosedSilent => {
                stats.upstream_cx_destroy_remote_with_active_rq.inc();
                connection.note_remote_close();
                local_reply::CONNECTION_TERMINATION.into()
            }
            // A head that breaks off is no HTTP, says Envoy.
            ResponseFailure::ClosedPartial | ResponseFailure::Protocol => {
                stats.upstream_cx_protocol_error.inc();
                stats.upstream_cx_destroy_local_with_active_rq.inc();
                local_reply::PROTOCOL_ERROR.into()
            }
        }
    }

    /// The response has been passed on, or broke off on the way.
    fn conclude(
        &mut self,
        mut connection: UpstreamConnection,
        relayed: Relayed,
    ) -> Result<After, Failure> {
        let status = self.exchange.response.status;
        let host = connection.host().clone();
        let after = match relayed {
            Relayed::Whole { after, reuse } => {
                connection.deadline().disarm();
                match reuse {
                    // The upstream still waits for the rest of the request.
                    _ if self.exchange.info.request_received.is_none() => {
                        let stats = self.cluster.stats();
                        stats.upstream_cx_destroy_with_active_rq.inc();
                        stats.upstream_cx_destroy_local_with_active_rq.inc();
                    }
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
                return Err(reply.into());
            }
            Relayed::BrokenOff => {
                let stats = self.cluster.stats();
                stats.upstream_cx_destroy_with_active_rq.inc();
                self.exchange.info.reset = true;
                self.downstream.stats().downstream_rq_tx_reset.inc();
                if connection.deadline().fired() {
                    let expired = self.timeouts.expired_response();
                    let reply = expired.response_reply();
                    if expired == Expired::Response {
                        stats.upstream_rq_timeout.inc();
                    }
                    expired.count(self.downstream.stats());
                    reply.flag_into(&mut self.exchange.info.flags);
                    self.exchange.info.details = reply.details;
                } else {
                    stats.upstream_cx_destroy_remote_with_active_rq.inc();
                    connection.note_remote_close();
                    stats.upstream_cx_protocol_error.inc();
                    self.exchange.info.flags.set(ResponseFlag::UpstreamProtocolError);
                    self.exchange.info.details =
                        "upstream_reset_after_response_started{protocol_error}";
                }
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

    fn record_time(&self) {
        let Some(received) = self.exchange.info.request_received else { return };
        let cluster = &self.cluster.shared;
        self.cluster
            .histograms
            .record_ms(cluster.histograms.upstream_rq_time, millis(received.elapsed()));
    }

    /// `upstream_rq_<code>` and its copies by the request's origin.
    fn count_response(&self, status: u16) {
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

/// Trailers pass where both codecs have `enable_trailers`.
pub fn keeps_trailers(downstream: &Downstream<'_>, cluster: &WorkerCluster) -> bool {
    downstream.manager.config.http1.enable_trailers && cluster.shared.config.enable_trailers
}

/// Reads the response while the request's body may still be going out.
async fn respond_while_receiving(
    downstream: &Downstream<'_>,
    exchange: &mut Exchange,
    cluster: &Rc<WorkerCluster>,
    connection: &UpstreamConnection,
    progress: &RequestProgress,
    timeouts: &StreamTimeouts,
) -> Result<Relayed, ResponseFailure> {
    let (head, received) = read_head(downstream, exchange, cluster, connection).await;
    progress.end_watch();
    exchange.info.request_received = progress.received_at.get();
    let outcome = match head {
        Ok(()) => {
            Ok(response_relay::relay(downstream, exchange, connection, timeouts, received).await)
        }
        Err(failure) => {
            downstream.worker.buffers.give_back(received);
            Err(failure)
        }
    };
    if progress.end.get().is_none() {
        progress.stop(downstream, connection, outcome.is_ok());
    }
    outcome
}

async fn read_head(
    downstream: &Downstream<'_>,
    exchange: &mut Exchange,
    cluster: &Rc<WorkerCluster>,
    connection: &UpstreamConnection,
) -> (Result<(), ResponseFailure>, Buffer) {
    let request =
        RequestKind { is_head: exchange.request.headers.get(KnownHeader::Method) == Some(b"HEAD") };
    exchange.response.clear();
    let result = upstream_h1::read_head(
        downstream.worker,
        connection,
        downstream.worker.buffers.small(),
        &mut exchange.response,
        request,
        cluster.shared.config.max_response_headers_count,
    )
    .await;
    exchange.info.response_started = Some(Instant::now());
    result
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
        self.cluster.stats().upstream_rq_active.dec();
        self.host.stats().rq_active.dec();
    }
}

/// RFC 9110 §9.2.2: sending such a request twice means no more than sending it once.
fn is_idempotent(method: &[u8]) -> bool {
    matches!(method, b"GET" | b"HEAD" | b"OPTIONS" | b"TRACE" | b"PUT" | b"DELETE")
}

/// Envoy says `content-length: 0` for a request without a body unless the method has none anyway.
fn expects_body(method: &[u8]) -> bool {
    !matches!(method, b"GET" | b"HEAD" | b"DELETE" | b"TRACE" | b"CONNECT")
}

/// `message` with `head` in front of it.
fn with_head(mut message: Buffer, head: &[u8]) -> Buffer {
    if message.prepend(head) {
        return message;
    }
    let mut longer = Buffer::with_capacity(head.len() + message.len());
    let fits = longer.append(head) && longer.append(message.bytes());
    debug_assert!(fits, "made to measure");
    longer
}
