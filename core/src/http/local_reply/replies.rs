//! The replies that there are: what each says, and how logs tell of it.

use ringmain_proto_codec::ChunkError;

use super::LocalReply;
use crate::http::ResponseFlag;

/// What the client reads when an upstream has failed: at the first attempt, and after retries.
macro_rules! reset_bodies {
    ($($name:ident = $reason:literal;)*) => {
        $(const $name: &str = concat!(
            "upstream connect error or disconnect/reset before headers. reset reason: ",
            $reason
        );)*

        /// The bodies after a first attempt, each with that after retries.
        pub(super) const RESET_BODIES: &[(&str, &str)] = &[$((
            $name,
            concat!(
                "upstream connect error or disconnect/reset before headers. \
                 retried and the latest reset reason: ",
                $reason
            ),
        )),*];
    };
}

reset_bodies! {
    BODY_CONNECTION_FAILURE = "remote connection failure";
    BODY_LOCAL_CONNECTION_FAILURE = "local connection failure";
    BODY_CONNECTION_TIMEOUT = "connection timeout";
    BODY_CONNECTION_TERMINATION = "connection termination";
    BODY_PROTOCOL_ERROR = "protocol error";
    BODY_REMOTE_RESET = "remote reset";
    BODY_REFUSED_STREAM = "remote refused stream reset";
}

/// No virtual host or route takes the request.
pub const ROUTE_NOT_FOUND: LocalReply =
    LocalReply::new(404, "", "route_not_found", Some(ResponseFlag::NoRouteFound));

/// The request target is no path (`OPTIONS *`).
pub const ABSOLUTE_PATH_REJECTED: LocalReply =
    LocalReply::new(404, "", "absolute_path_rejected", None);

/// The path cannot be made what `normalize_path` or `path_with_escaped_slashes_action` asks for.
pub const PATH_NORMALIZATION_FAILED: LocalReply =
    LocalReply::new(400, "", "path_normalization_failed", None);

/// No `original_ip_detection_extensions` find the client's address.
pub const fn undetected(status: u16) -> LocalReply {
    LocalReply::new(status, "", "rejecting_because_detection_failed", None)
}

/// An upgrade that no `upgrade_configs` allows.
pub const UPGRADE_FAILED: LocalReply = LocalReply::new(403, "", "upgrade_failed", None);

/// `connection` names `host`, which takes it away.
pub const MISSING_HOST: LocalReply = LocalReply::new(400, "", "missing_host_header", None);

/// `connection` names a field that it may not.
pub const CONNECTION_HEADER_REJECTED: LocalReply = LocalReply::new(
    400,
    "Bad Request",
    "http1.connection_header_rejected",
    Some(ResponseFlag::DownstreamProtocolError),
);

/// `non_forwarding_action` in an HTTP connection manager.
pub const NON_FORWARDING: LocalReply = cluster_not_found(503);

/// The cluster has no host to choose.
pub const NO_HEALTHY_UPSTREAM: LocalReply = LocalReply::new(
    503,
    "no healthy upstream",
    "no_healthy_upstream",
    Some(ResponseFlag::NoHealthyUpstream),
);

/// The cluster's `drop_overloads` keeps this request from its hosts.
pub const DROP_OVERLOAD: LocalReply =
    LocalReply::new(503, "drop overload", "drop_overload", Some(ResponseFlag::DropOverload));

/// The same, of all requests.
pub const UNCONDITIONAL_DROP_OVERLOAD: LocalReply = LocalReply::new(
    503,
    "unconditional drop overload",
    "unconditional_drop_overload",
    Some(ResponseFlag::UnconditionalDropOverload),
);

/// The connection to the host could not be opened. Logs add the transport's reason to the details.
pub const CONNECTION_FAILURE: LocalReply = LocalReply::new(
    503,
    BODY_CONNECTION_FAILURE,
    "upstream_reset_before_response_started{remote_connection_failure}",
    Some(ResponseFlag::UpstreamConnectionFailure),
);

/// No socket could be set up for a connection to the host.
pub const LOCAL_CONNECTION_FAILURE: LocalReply = LocalReply::new(
    503,
    BODY_LOCAL_CONNECTION_FAILURE,
    "upstream_reset_before_response_started{local_connection_failure}",
    Some(ResponseFlag::UpstreamConnectionFailure),
);

/// The host did not answer within `connect_timeout`.
pub const CONNECTION_TIMEOUT: LocalReply = LocalReply::new(
    503,
    BODY_CONNECTION_TIMEOUT,
    "upstream_reset_before_response_started{connection_timeout}",
    Some(ResponseFlag::UpstreamConnectionFailure),
);

/// A circuit breaker of the cluster is open.
pub const UPSTREAM_OVERFLOW: LocalReply = LocalReply::new(
    503,
    "upstream connect error or disconnect/reset before headers. reset reason: overflow",
    "upstream_reset_before_response_started{overflow}",
    Some(ResponseFlag::UpstreamOverflow),
);

/// The host closed the connection before its response.
pub const CONNECTION_TERMINATION: LocalReply = LocalReply::new(
    503,
    BODY_CONNECTION_TERMINATION,
    "upstream_reset_before_response_started{connection_termination}",
    Some(ResponseFlag::UpstreamConnectionTermination),
);

/// The host's response breaks HTTP.
pub const PROTOCOL_ERROR: LocalReply = LocalReply::new(
    502,
    BODY_PROTOCOL_ERROR,
    "upstream_reset_before_response_started{protocol_error}",
    Some(ResponseFlag::UpstreamProtocolError),
);

/// The host reset the stream before its response.
pub const REMOTE_RESET: LocalReply = LocalReply::new(
    503,
    BODY_REMOTE_RESET,
    "upstream_reset_before_response_started{remote_reset}",
    Some(ResponseFlag::UpstreamRemoteReset),
);

/// The host did not take the request.
pub const REFUSED_STREAM: LocalReply = LocalReply::new(
    503,
    BODY_REFUSED_STREAM,
    "upstream_reset_before_response_started{remote_refused_stream_reset}",
    Some(ResponseFlag::UpstreamRemoteReset),
);

/// The route's `timeout` has passed.
pub const RESPONSE_TIMEOUT: LocalReply = LocalReply::new(
    504,
    "upstream request timeout",
    "response_timeout",
    Some(ResponseFlag::UpstreamRequestTimeout),
);

/// `per_try_timeout` has passed, and the request is not sent again.
pub const PER_TRY_TIMEOUT: LocalReply =
    LocalReply { details: "upstream_per_try_timeout", ..RESPONSE_TIMEOUT };

/// `per_try_idle_timeout` has passed, and the request is not sent again.
pub const PER_TRY_IDLE: LocalReply =
    LocalReply { details: "upstream_per_try_idle_timeout", ..RESPONSE_TIMEOUT };

/// `stream_idle_timeout` has passed while the request was incomplete.
pub const REQUEST_IDLE: LocalReply = LocalReply::new(
    408,
    "stream timeout",
    "stream_idle_timeout",
    Some(ResponseFlag::StreamIdleTimeout),
);

/// `stream_idle_timeout` has passed while the upstream was silent.
pub const RESPONSE_IDLE: LocalReply = LocalReply { status: 504, ..REQUEST_IDLE };

/// `max_stream_duration` has passed while the request was incomplete.
pub const REQUEST_DURATION: LocalReply =
    LocalReply::new(408, "downstream duration timeout", "max_duration_timeout", None);

/// `max_stream_duration` has passed while the response was awaited.
pub const RESPONSE_DURATION: LocalReply = LocalReply { status: 504, ..REQUEST_DURATION };

/// The cluster's `max_stream_duration` has passed while the request was incomplete.
pub const REQUEST_UPSTREAM_DURATION: LocalReply = LocalReply::new(
    408,
    "upstream max stream duration reached",
    "upstream_max_stream_duration_reached",
    Some(ResponseFlag::UpstreamMaxStreamDurationReached),
);

/// The cluster's `max_stream_duration` has passed while the response was awaited.
pub const RESPONSE_UPSTREAM_DURATION: LocalReply =
    LocalReply { status: 504, ..REQUEST_UPSTREAM_DURATION };

/// `request_timeout` has passed.
pub const REQUEST_TIMEOUT: LocalReply =
    LocalReply::new(408, "request timeout", "request_overall_timeout", None);

/// The request's body is longer than an HTTP filter keeps.
pub const PAYLOAD_TOO_LARGE: LocalReply =
    LocalReply::new(413, "Payload Too Large", "request_payload_too_large", None);

/// `request_headers_timeout` has passed.
pub const REQUEST_HEADER_TIMEOUT: LocalReply =
    LocalReply::new(408, "request header timeout", "request_header_timeout", None);

/// The request's body breaks its framing.
pub const fn bad_request_body(error: ChunkError) -> LocalReply {
    LocalReply::new(
        error.status(),
        error.body(),
        error.details(),
        Some(ResponseFlag::DownstreamProtocolError),
    )
}

/// The cluster named by the route does not exist.
pub const fn cluster_not_found(status: u16) -> LocalReply {
    LocalReply::new(status, "", "cluster_not_found", Some(ResponseFlag::NoClusterFound))
}

/// `envoy.overload_actions.stop_accepting_requests`.
pub const OVERLOADED: LocalReply = LocalReply::new(503, "envoy overloaded", "overload", None);
