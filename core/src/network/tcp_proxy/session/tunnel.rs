//! `tunneling_config`: the connection goes on in the body of a request to a host that speaks HTTP.

use std::cell::Cell;
use std::net::Shutdown;
use std::rc::Rc;

use ringmain_config::cluster::RoutingPriority;
use ringmain_config::tcp_proxy::TunnelingConfig;
use ringmain_proto_codec::KnownHeader;
use ringmain_proto_codec::h1::{BodyLength, RequestKind};

use super::{Idle, Session};
use crate::access_log::{AccessLogType, Evaluator, render_with, write_value};
use crate::cluster::{WorkerCluster, WorkerHost};
use crate::http::ResponseFlag;
use crate::http::codec::body::Ending;
use crate::http::codec::upstream::{Piece, ResponseFailure, UpstreamStream};
use crate::http::exchange::Exchange;
use crate::http::stream::{StreamInfo, UpstreamConnectionInfo, WireBytes};
use crate::outlier_detection::Outcome;
use crate::pool::{self, Acquire, AcquireFailure, ConnectFailure, TcpFailure};
use crate::router::{ActiveRequest, Direction, put_headers};
use crate::runtime::{Buffer, Deadline, Patience, join};
use crate::stats::counting_pauses;
use crate::transport_socket::TransportOptions;

/// A request whose answer lets bytes pass.
pub(super) struct Tunnel {
    upstream: UpstreamStream,
    /// We have broken it off.
    aborted: Cell<bool>,
    _active: ActiveRequest,
}

/// What the host says to a request for a tunnel.
enum Answer {
    Agreed,
    /// Its status.
    Refused(u16),
    /// Nothing, before a limit has passed or the client has gone.
    GivenUp,
}

/// How a tunnel has ended.
pub(super) enum Ended {
    /// By the host's own word; `sent`: it has got all that the client has sent.
    Whole { sent: bool },
    /// By us: the client has broken off, or a limit has passed.
    CutOff,
    /// By the host, without a word.
    Broken(ResponseFailure),
}

impl Tunnel {
    /// Ends the tunnel when nothing moves for too long.
    pub(super) fn deadline(&self) -> &Deadline {
        self.upstream.deadline()
    }

    /// Notes in `info` where it leads.
    pub(super) fn tell(&self, info: &mut StreamInfo) {
        // What the client says has no protocol that we know of, as without a tunnel.
        let connection = UpstreamConnectionInfo { protocol: None, ..self.upstream.info() };
        info.upstream_connection = Some(connection);
        info.upstream_local = self.upstream.local_addr().cloned();
        info.upstream_tls = self.upstream.tls();
    }

    /// Counts its end. Only one that is whole leaves a connection that may serve on.
    pub(super) fn finish(self, ended: Ended) {
        match ended {
            Ended::Whole { sent } => self.upstream.finish(sent),
            Ended::CutOff => self.upstream.count_cut_off(),
            Ended::Broken(failure) => self.upstream.count_broken_off(failure),
        }
    }

    fn abort(&self) {
        self.aborted.set(true);
        self.upstream.abort();
    }
}

impl Session<'_> {
    /// Asks `host` for a tunnel. Where it does not agree there is no connection.
    pub(super) async fn open_tunnel(
        &self,
        tunneling: &TunnelingConfig,
        cluster: &Rc<WorkerCluster>,
        host: &Rc<WorkerHost>,
        options: &Option<Rc<TransportOptions>>,
    ) -> Result<Tunnel, TcpFailure<()>> {
        let asked = Acquire {
            worker: self.worker,
            priority: RoutingPriority::Default,
            fresh: false,
            ahead: false,
            options,
            until: self.until.get(),
            given_up: &|| self.has_expired().then_some(AcquireFailure::Expired),
            client: None,
        };
        let acquired = match pool::acquire(cluster, host, &asked).await {
            Ok(acquired) => acquired,
            Err(failure) => return Err(not_acquired(cluster, host, failure)),
        };
        cluster.note_outcome(host, Outcome::Connected);
        let body = match tunneling.post_path {
            Some(_) => BodyLength::Chunked,
            None => BodyLength::UntilClose,
        };
        let upstream = UpstreamStream::begin(self.worker, acquired, body, false);
        let active = ActiveRequest::begin(cluster, host);
        let answer = self.ask(tunneling, &upstream).await;
        if let Ok(Answer::Agreed) = answer {
            return Ok(Tunnel { upstream, aborted: Cell::default(), _active: active });
        }
        self.note_bytes(&upstream);
        let no_tunnel = |reason| TcpFailure::Connect(ConnectFailure::NoTunnel(reason));
        Err(match answer {
            Ok(Answer::Agreed | Answer::GivenUp) => {
                upstream.count_cut_off();
                self.flag(ResponseFlag::UpstreamConnectionFailure);
                TcpFailure::GivenUp(())
            }
            Ok(Answer::Refused(status)) => {
                upstream.discard(false);
                no_tunnel(Some(format!("tunnel_response:{status}").into()))
            }
            Err(failure) => {
                upstream.count_failure(failure);
                no_tunnel(None)
            }
        })
    }

    async fn ask(
        &self,
        tunneling: &TunnelingConfig,
        upstream: &UpstreamStream,
    ) -> Result<Answer, ResponseFailure> {
        let (head, mut response) = {
            let exchange = &mut **self.exchange.borrow_mut();
            self.write_request(tunneling, upstream, exchange);
            (upstream.encode_head(exchange, false), std::mem::take(&mut exchange.response))
        };
        // The session's limits shut the client's socket down, which is as good as if it had gone.
        let client = self.downstream.stream();
        let watch = self.worker.watches.watch_for_hangup(client, upstream.interrupt());
        // What cannot be sent is not answered either.
        let (_sent, _) = upstream.send(Some(head), Buffer::default(), None).await;
        response.clear();
        let kind = match tunneling.post_path {
            Some(_) => RequestKind::Other,
            None => RequestKind::Connect,
        };
        let read = upstream.read_head(&mut response, kind).await;
        let (status, is_whole) = (response.status, response.body.is_empty());
        self.exchange.borrow_mut().response = response;
        if watch.client_gone() {
            return Ok(Answer::GivenUp);
        }
        read?;
        let is_agreed = match upstream.is_http1() {
            true => (200..300).contains(&status) && !is_whole,
            false => status == 200,
        };
        Ok(if is_agreed { Answer::Agreed } else { Answer::Refused(status) })
    }

    fn write_request(
        &self,
        tunneling: &TunnelingConfig,
        upstream: &UpstreamStream,
        exchange: &mut Exchange,
    ) {
        let (place, compiled) = (self.proxy.place, &self.worker.compiled);
        let mut hostname = Vec::new();
        let evaluator = Evaluator::of_connection(exchange, place, compiled, AccessLogType::NotSet);
        render_with(&tunneling.hostname, &evaluator, &mut hostname);
        // A client that may name itself, as in TLS, must not end the request's line.
        hostname.retain(|byte| !byte.is_ascii_control() && *byte != b' ');
        exchange.request.clear();
        let headers = &mut exchange.request.headers;
        headers.set(KnownHeader::Authority, &hostname);
        match &tunneling.post_path {
            None => headers.set(KnownHeader::Method, b"CONNECT"),
            Some(path) => {
                headers.set(KnownHeader::Method, b"POST");
                headers.set(KnownHeader::Path, path.as_bytes());
                let is_tls = upstream.tls().is_some();
                headers.set(KnownHeader::Scheme, if is_tls { b"https" } else { b"http" });
            }
        }
        let options = &tunneling.headers_to_add;
        put_headers(options, Direction::Request, exchange, |format, exchange, value| {
            let evaluator =
                Evaluator::of_connection(exchange, place, compiled, AccessLogType::NotSet);
            write_value(format, &evaluator, value);
        });
    }

    /// Adds what has gone to and from a host, its heads too.
    fn note_bytes(&self, upstream: &UpstreamStream) {
        let (sent, received) = upstream.wire_bytes();
        let before = self.tunnel_bytes.get().unwrap_or_default();
        self.tunnel_bytes.set(Some(WireBytes {
            sent: before.sent + sent,
            received: before.received + received,
            ..before
        }));
    }

    /// Moves bytes both ways until both have ended, or one has broken off.
    pub(super) async fn relay_tunnel(
        &self,
        input: Buffer,
        tunnel: &Tunnel,
        idle: &Idle<'_>,
    ) -> Ended {
        let from_host = async {
            let received = self.send_to_client(tunnel, idle).await;
            if received.is_err() {
                if tunnel.upstream.is_tunnel_closed() && !tunnel.aborted.get() {
                    self.downstream.end_writing();
                }
                // What the client would still send goes nowhere.
                self.downstream.stream().shutdown(Shutdown::Both);
            }
            received
        };
        let (sent, received) = join(self.send_to_host(input, tunnel, idle), from_host).await;
        self.note_bytes(&tunnel.upstream);
        match received {
            _ if tunnel.aborted.get() || self.has_expired() => Ended::CutOff,
            Ok(()) => Ended::Whole { sent },
            Err(failure) => Ended::Broken(failure),
        }
    }

    /// Whether all was sent, and the end.
    async fn send_to_host(&self, input: Buffer, tunnel: &Tunnel, idle: &Idle<'_>) -> bool {
        let (buffers, upstream) = (&self.worker.buffers, &tunnel.upstream);
        let (buffer, moved) = self.move_to_host(input, tunnel, idle).await;
        buffers.give_back(buffer);
        if !moved {
            return false;
        }
        let ending = Some(Ending { trailers: None });
        let (sent, rest) = upstream.send(None, Buffer::default(), ending).await;
        buffers.give_back(rest);
        sent.is_ok()
    }

    /// Moves what comes from the client until it ends; whether it has and all was sent.
    async fn move_to_host(
        &self,
        input: Buffer,
        tunnel: &Tunnel,
        idle: &Idle<'_>,
    ) -> (Buffer, bool) {
        let (buffers, patience) = (&self.worker.buffers, Patience::new(&self.worker.timers));
        let (upstream, pauses) = (&tunnel.upstream, [self.stats().reading_pauses()]);
        let mut buffer = input;
        loop {
            if buffer.is_empty() {
                let (read, returned) =
                    self.downstream.read_lazily(buffer, buffers, &patience).await;
                buffer = returned;
                match read {
                    Ok(0) if !self.has_expired() => return (buffer, true),
                    Ok(1..) => {}
                    Ok(0) | Err(_) => {
                        tunnel.abort();
                        return (buffer, false);
                    }
                }
            }
            idle.restart();
            self.count_received(buffer.len() as u64);
            let sending = upstream.send(None, buffer, None);
            let is_held_back = || upstream.is_held_back();
            let (sent, returned) = counting_pauses(sending, is_held_back, pauses).await;
            buffer = returned;
            buffer.clear();
            if sent.is_err() {
                // A host that takes no more has gone, as its own end tells.
                return (buffer, false);
            }
        }
    }

    async fn send_to_client(
        &self,
        tunnel: &Tunnel,
        idle: &Idle<'_>,
    ) -> Result<(), ResponseFailure> {
        let upstream = &tunnel.upstream;
        let pauses = [upstream.cluster().stats().reading_pauses()];
        let mut next = upstream.first_piece();
        loop {
            let Piece { data, is_last } = next?;
            let count = data.len() as u64;
            let writing = self.downstream.write_all(data);
            let is_held_back = || self.downstream.stream().is_held_back();
            let (written, data) = counting_pauses(writing, is_held_back, pauses).await;
            self.worker.buffers.give_back(data);
            if written.is_err() {
                tunnel.abort();
                return Ok(());
            }
            if count > 0 {
                idle.restart();
                self.count_sent(count);
            }
            if is_last {
                self.downstream.end_writing();
                return Ok(());
            }
            next = upstream.next_piece().await;
        }
    }
}

/// Why there is nothing to send a request on.
fn not_acquired(
    cluster: &WorkerCluster,
    host: &WorkerHost,
    failure: AcquireFailure,
) -> TcpFailure<()> {
    match failure {
        AcquireFailure::Connect(failure) => {
            if failure.is_of_host() {
                cluster.note_outcome(host, Outcome::Failed);
            }
            TcpFailure::Connect(failure)
        }
        AcquireFailure::PendingOverflow | AcquireFailure::RequestOverflow => TcpFailure::Overflow,
        AcquireFailure::Expired | AcquireFailure::ClientGone => TcpFailure::GivenUp(()),
    }
}
