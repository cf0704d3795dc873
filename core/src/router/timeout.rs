//! The time a request may take.

use std::cell::Cell;
use std::time::{Duration, Instant};

use ringmain_config::http_connection_manager::HttpConnectionManager;
use ringmain_config::route::RouteAction;
use ringmain_proto_codec::{HeaderMap, KnownHeader};

use crate::http::local_reply::{self, LocalReply};
use crate::runtime::{Deadline, TICK};
use crate::stats::scopes::HttpStats;

/// The route's timeout, or what an internal client asks for in `x-envoy-upstream-rq-timeout-ms`,
/// which is consumed. `None` is no limit.
pub fn effective_timeout(
    action: &RouteAction,
    headers: &mut HeaderMap,
    internal: bool,
) -> Option<Duration> {
    let asked = headers.get(KnownHeader::XEnvoyUpstreamRqTimeoutMs).and_then(parse_ms);
    headers.remove(KnownHeader::XEnvoyUpstreamRqTimeoutMs);
    match asked {
        Some(0) if internal => None,
        Some(asked_ms) if internal => Some(Duration::from_millis(asked_ms)),
        _ => action.timeout,
    }
}

fn parse_ms(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// The limits of one stream.
#[derive(Debug)]
pub struct StreamTimeouts {
    /// The route's timeout, which starts when the request has been received.
    response: Option<Duration>,
    response_until: Cell<Option<Instant>>,
    /// `request_timeout`: all of the request must have come by then.
    request_until: Option<Instant>,
    /// `max_stream_duration`.
    stream_until: Option<Instant>,
    /// How long nothing may move.
    idle: Option<Duration>,
}

/// Which limit was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expired {
    /// The route's `timeout`.
    Response,
    /// `request_timeout`.
    Request,
    /// `max_stream_duration`.
    Stream,
    /// `stream_idle_timeout` or the route's `idle_timeout`.
    Idle,
}

impl StreamTimeouts {
    /// The limits of a request on `action` that began at `started`.
    pub fn new(
        action: &RouteAction,
        manager: &HttpConnectionManager,
        response: Option<Duration>,
        started: Instant,
    ) -> Self {
        Self {
            response,
            response_until: Cell::new(None),
            request_until: manager.request_timeout.map(|timeout| started + timeout),
            stream_until: manager.max_stream_duration.map(|timeout| started + timeout),
            idle: action.idle_timeout.unwrap_or(manager.stream_idle_timeout),
        }
    }

    /// The request's last byte came at `moment`: from then on the upstream has the route's
    /// timeout.
    pub fn request_received(&self, moment: Instant) {
        self.response_until.set(self.response.map(|timeout| moment + timeout));
    }

    /// Arms `deadline`, on the upstream connection, for whichever limit comes first.
    pub fn arm_response(&self, deadline: &Deadline) {
        self.arm(deadline, [self.response_until.get(), self.stream_until]);
    }

    /// Arms `deadline`, on reading from the client, for whichever limit comes first.
    pub fn arm_request(&self, deadline: &Deadline) {
        self.arm(deadline, [self.request_until, self.stream_until]);
    }

    fn arm(&self, deadline: &Deadline, limits: [Option<Instant>; 2]) {
        let idle_until = self.idle.map(|idle| deadline.coarse_now() + TICK + idle);
        match limits.into_iter().chain([idle_until]).flatten().min() {
            Some(moment) => deadline.arm_at(moment),
            None => deadline.disarm(),
        }
    }

    /// Which limit it was, now that the deadline on the upstream connection has fired.
    pub fn expired_response(&self) -> Expired {
        if is_past(self.response_until.get()) {
            Expired::Response
        } else if is_past(self.stream_until) {
            Expired::Stream
        } else {
            Expired::Idle
        }
    }

    /// Which limit it was, now that the deadline on reading from the client has fired.
    pub fn expired_request(&self) -> Expired {
        if is_past(self.request_until) {
            Expired::Request
        } else if is_past(self.stream_until) {
            Expired::Stream
        } else {
            Expired::Idle
        }
    }
}

fn is_past(moment: Option<Instant>) -> bool {
    moment.is_some_and(|moment| Instant::now() >= moment)
}

impl Expired {
    /// Counts it where it concerns the client's side.
    pub fn count(self, stats: &HttpStats) {
        match self {
            Self::Response => {}
            Self::Request => stats.downstream_rq_timeout.inc(),
            Self::Stream => stats.downstream_rq_max_duration_reached.inc(),
            Self::Idle => stats.downstream_rq_idle_timeout.inc(),
        }
    }

    /// What the client gets while the response is awaited.
    pub fn response_reply(self) -> LocalReply {
        match self {
            Self::Response | Self::Request => local_reply::RESPONSE_TIMEOUT,
            Self::Stream => local_reply::RESPONSE_DURATION,
            Self::Idle => local_reply::RESPONSE_IDLE,
        }
    }

    /// What the client gets while its request is incomplete.
    pub fn request_reply(self) -> LocalReply {
        match self {
            Self::Response | Self::Request => local_reply::REQUEST_TIMEOUT,
            Self::Stream => local_reply::REQUEST_DURATION,
            Self::Idle => local_reply::REQUEST_IDLE,
        }
    }
}
