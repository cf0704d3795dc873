//! The time a request may take.

use std::cell::Cell;
use std::time::{Duration, Instant};

use ringmain_config::http_connection_manager::HttpConnectionManager;
use ringmain_config::route::{RetryPolicy, RouteAction};
use ringmain_proto_codec::{HeaderMap, KnownHeader};

use crate::http::local_reply::{self, LocalReply};
use crate::runtime::Deadline;
use crate::stats::scopes::HttpStats;

/// What the route and its retry policy allow a response. `None` is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RouteTimeouts {
    /// The whole of it, retries included.
    pub response: Option<Duration>,
    /// One attempt.
    pub per_try: Option<Duration>,
    /// One attempt's silence.
    pub per_try_idle: Option<Duration>,
}

/// The route's timeouts, or what an internal client asks for in `x-envoy-upstream-rq-timeout-ms`
/// and `x-envoy-upstream-rq-per-try-timeout-ms`, which are consumed.
pub fn effective_timeouts(
    action: &RouteAction,
    policy: Option<&RetryPolicy>,
    headers: &mut HeaderMap,
    internal: bool,
) -> RouteTimeouts {
    let mut asked = |name| {
        let asked = headers.get(name).and_then(parse_ms).filter(|_| internal);
        headers.remove(name);
        asked.map(|ms| Some(Duration::from_millis(ms)).filter(|asked| !asked.is_zero()))
    };
    // Envoy has one or the other.
    let timeout = action.timeout.filter(|_| action.max_stream_duration.is_none());
    let response = asked(KnownHeader::XEnvoyUpstreamRqTimeoutMs).unwrap_or(timeout);
    let per_try = asked(KnownHeader::XEnvoyUpstreamRqPerTryTimeoutMs)
        .unwrap_or_else(|| policy.and_then(|policy| policy.per_try_timeout));
    RouteTimeouts {
        response,
        // An attempt cannot take longer than all of them.
        per_try: per_try.filter(|per_try| response.is_none_or(|response| *per_try < response)),
        per_try_idle: policy.and_then(|policy| policy.per_try_idle_timeout),
    }
}

impl RouteTimeouts {
    /// `x-envoy-expected-rq-timeout-ms`: what the upstream has for its response when `elapsed` is
    /// gone. `None` is no limit.
    pub fn expected_ms(&self, elapsed: Duration) -> Option<u64> {
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let whole = self.response.map(|response| ms(response.saturating_sub(elapsed)).max(1));
        match (self.per_try.map(ms), whole) {
            (Some(per_try), Some(whole)) => Some(per_try.min(whole)),
            (per_try, whole) => per_try.or(whole),
        }
    }
}

/// `x-envoy-expected-rq-timeout-ms`: how long the response may take.
pub fn set_expectation(headers: &mut HeaderMap, expected_ms: Option<u64>) {
    let Some(expected_ms) = expected_ms else {
        headers.remove(KnownHeader::XEnvoyExpectedRqTimeoutMs);
        return;
    };
    headers.set_number(KnownHeader::XEnvoyExpectedRqTimeoutMs, expected_ms);
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
    /// `retry_policy.per_try_timeout`, which starts when the request has been received and the
    /// attempt has its connection.
    per_try: Option<Duration>,
    /// `retry_policy.per_try_idle_timeout`.
    per_try_idle: Option<Duration>,
    try_begun: Cell<Option<Instant>>,
    try_until: Cell<Option<Instant>>,
    /// The cluster's `max_stream_duration`, which starts when the attempt has its connection.
    upstream_stream: Option<Duration>,
    upstream_stream_until: Cell<Option<Instant>>,
    /// Whether the response has begun.
    answered: Cell<bool>,
}

/// Which limit was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expired {
    /// The route's `timeout`.
    Response,
    /// `per_try_timeout`.
    PerTry,
    /// `per_try_idle_timeout`.
    PerTryIdle,
    /// `request_timeout`.
    Request,
    /// `max_stream_duration`.
    Stream,
    /// The cluster's `max_stream_duration`.
    UpstreamStream,
    /// `stream_idle_timeout` or the route's `idle_timeout`.
    Idle,
}

impl StreamTimeouts {
    /// The limits of a request on `action` that began at `started` and may last for `stream`.
    pub fn new(
        action: &RouteAction,
        manager: &HttpConnectionManager,
        limits: RouteTimeouts,
        stream: Option<Duration>,
        started: Instant,
    ) -> Self {
        Self {
            response: limits.response,
            per_try: limits.per_try,
            per_try_idle: limits.per_try_idle,
            ..Self::while_receiving(Some(action), manager, stream, started)
        }
    }

    /// The limits of a request that is received before it is known where it goes on to; `action` is
    /// its route's, as far as that forwards.
    pub fn while_receiving(
        action: Option<&RouteAction>,
        manager: &HttpConnectionManager,
        stream: Option<Duration>,
        started: Instant,
    ) -> Self {
        let of_route = action.and_then(|action| action.idle_timeout);
        Self {
            response: None,
            response_until: Cell::new(None),
            request_until: manager.request_timeout.map(|timeout| started + timeout),
            stream_until: stream.map(|timeout| started + timeout),
            idle: of_route.unwrap_or(manager.stream_idle_timeout),
            per_try: None,
            per_try_idle: None,
            try_begun: Cell::new(None),
            try_until: Cell::new(None),
            upstream_stream: None,
            upstream_stream_until: Cell::new(None),
            answered: Cell::new(false),
        }
    }

    /// Each attempt may last for `upstream_stream`.
    pub fn of_cluster(self, upstream_stream: Option<Duration>) -> Self {
        Self { upstream_stream, ..self }
    }

    /// The request's last byte came at `moment`: from then on the upstream has the route's
    /// timeout.
    pub fn request_received(&self, moment: Instant) {
        self.response_until.set(self.response.map(|timeout| moment + timeout));
        if self.try_begun.get().is_some() {
            self.try_until.set(self.per_try.map(|timeout| moment + timeout));
        }
    }

    /// An attempt has its connection. `received` says whether the request's last byte has come.
    pub fn try_begins(&self, received: bool) {
        if self.per_try.is_none() && self.upstream_stream.is_none() {
            return;
        }
        let now = Instant::now();
        self.stream_begins(now);
        self.try_begun.set(Some(now));
        self.try_until.set(self.per_try.filter(|_| received).map(|per_try| now + per_try));
    }

    /// The attempt that counts has had its connection since `begun`.
    pub fn stream_begins(&self, begun: Instant) {
        self.upstream_stream_until.set(self.upstream_stream.map(|limit| begun + limit));
    }

    /// The cluster's `max_stream_duration`.
    pub fn upstream_stream(&self) -> Option<Duration> {
        self.upstream_stream
    }

    /// The response's first byte has come: the attempt's own limits end, and those of receiving the
    /// request. From now on what moves in either direction counts for both.
    pub fn try_answered(&self) {
        self.try_until.set(None);
        self.answered.set(true);
    }

    /// The response has let the client leave HTTP, for as long as it likes.
    pub fn http_is_over(&self) {
        self.response_until.set(None);
    }

    /// When the request as a whole has failed, whatever the attempts do.
    pub fn gives_up_at(&self) -> Option<Instant> {
        [self.response_until.get(), self.stream_until].into_iter().flatten().min()
    }

    /// Which limit it was, now that a request has waited for its connection for too long.
    pub fn expired_waiting(&self) -> Expired {
        if is_past(self.response_until.get()) {
            Expired::Response
        } else if is_past(self.stream_until) {
            Expired::Stream
        } else {
            Expired::Idle
        }
    }

    /// Arms `deadline`, on the upstream connection, for whichever limit comes first while the
    /// response's head is awaited.
    pub fn arm_head(&self, deadline: &Deadline) {
        self.arm_upstream(deadline, self.try_until.get());
    }

    /// Arms `deadline`, on the upstream connection, for whichever limit comes first.
    pub fn arm_response(&self, deadline: &Deadline) {
        self.arm_upstream(deadline, None);
    }

    fn arm_upstream(&self, deadline: &Deadline, try_until: Option<Instant>) {
        let of_attempt = [try_until, self.upstream_stream_until.get()];
        let limits = [self.response_until.get(), self.stream_until];
        Self::arm(deadline, limits.into_iter().chain(of_attempt), self.idle_of_try());
    }

    /// `per_try_idle_timeout`.
    pub fn per_try_idle(&self) -> Option<Duration> {
        self.per_try_idle
    }

    /// How long an attempt may be silent.
    fn idle_of_try(&self) -> Option<Duration> {
        [self.idle, self.per_try_idle].into_iter().flatten().min()
    }

    /// When a request that waits for a connection since `begun` has waited too long.
    pub fn waiting_until(&self, begun: Instant) -> Option<Instant> {
        let idle_until = self.idle.map(|idle| begun + idle);
        [self.response_until.get(), self.stream_until, idle_until].into_iter().flatten().min()
    }

    /// Arms `deadline`, on the upstream connection, for what limits the response although the request
    /// is still being received.
    pub fn arm_early(&self, deadline: &Deadline) {
        let of_attempt = [self.try_until.get(), self.upstream_stream_until.get()];
        Self::arm(deadline, of_attempt.into_iter().chain([self.response_until.get()]), None);
    }

    /// Arms `deadline`, on reading from the client, for whichever limit comes first, as long as there
    /// is no response.
    pub fn arm_request(&self, deadline: &Deadline) {
        if self.answered.get() {
            return deadline.disarm();
        }
        Self::arm(deadline, [self.request_until, self.stream_until], self.idle);
    }

    fn arm(
        deadline: &Deadline,
        limits: impl IntoIterator<Item = Option<Instant>>,
        idle: Option<Duration>,
    ) {
        let idle_until = idle.map(|idle| deadline.latest_now() + idle);
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
        } else if is_past(self.upstream_stream_until.get()) {
            Expired::UpstreamStream
        } else if is_past(self.try_until.get()) {
            Expired::PerTry
        } else if self.per_try_idle.is_some_and(|limit| self.idle.is_none_or(|idle| limit < idle)) {
            Expired::PerTryIdle
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
            Self::Response | Self::PerTry | Self::PerTryIdle | Self::UpstreamStream => {}
            Self::Request => stats.downstream_rq_timeout.inc(),
            Self::Stream => stats.downstream_rq_max_duration_reached.inc(),
            Self::Idle => stats.downstream_rq_idle_timeout.inc(),
        }
    }

    /// What the client gets while the response is awaited.
    pub fn response_reply(self) -> LocalReply {
        match self {
            Self::Response | Self::Request => local_reply::RESPONSE_TIMEOUT,
            Self::PerTry => local_reply::PER_TRY_TIMEOUT,
            Self::PerTryIdle => local_reply::PER_TRY_IDLE,
            Self::Stream => local_reply::RESPONSE_DURATION,
            Self::UpstreamStream => local_reply::RESPONSE_UPSTREAM_DURATION,
            Self::Idle => local_reply::RESPONSE_IDLE,
        }
    }

    /// What the client gets while its request is incomplete.
    pub fn request_reply(self) -> LocalReply {
        match self {
            Self::Stream => local_reply::REQUEST_DURATION,
            Self::UpstreamStream => local_reply::REQUEST_UPSTREAM_DURATION,
            Self::Response | Self::PerTry | Self::PerTryIdle | Self::Request => {
                local_reply::REQUEST_TIMEOUT
            }
            Self::Idle => local_reply::REQUEST_IDLE,
        }
    }
}
