//! Which answers, and which failures to answer, a request is sent again for.

use std::iter::once;

use ringmain_config::matcher::HeaderMatcher;
use ringmain_config::route::RetryOn;
use ringmain_proto_codec::KnownHeader;
use ringmain_proto_codec::h1::ResponseHead;

/// Why there is no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetReason {
    /// The connection could not be opened.
    ConnectFailure,
    /// The connection ended, or what came was no HTTP.
    Reset,
    /// The attempt took too long.
    TimedOut,
    /// The host has not looked at the request (RFC 9113 §8.7).
    Refused,
}

/// Whether a request that failed for `reason` is sent again.
pub fn retries_on_reset(on: RetryOn, reason: ResetReason) -> bool {
    match reason {
        _ if on.has(RetryOn::RESET) => true,
        _ if on.has(RetryOn::SERVER_ERROR) || on.has(RetryOn::GATEWAY_ERROR) => true,
        ResetReason::ConnectFailure => {
            on.has(RetryOn::CONNECT_FAILURE) || on.has(RetryOn::RESET_BEFORE_REQUEST)
        }
        ResetReason::Refused => on.has(RetryOn::REFUSED_STREAM),
        ResetReason::Reset | ResetReason::TimedOut => false,
    }
}

/// What `retriable-status-codes` and `retriable-headers` stand for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Retriable<'a> {
    /// The statuses of the policy and of the request.
    pub codes: [&'a [u16]; 2],
    /// The policy's matchers; one that matches is enough.
    pub headers: &'a [HeaderMatcher],
    /// Names in lower case that the request lists: one that is there is enough.
    pub names: &'a [String],
}

/// Whether a request with this response is sent again.
pub fn retries_on_response(on: RetryOn, response: &ResponseHead, retriable: Retriable<'_>) -> bool {
    if response.headers.contains(KnownHeader::XEnvoyRatelimited) {
        return on.has(RetryOn::ENVOY_RATELIMITED);
    }
    let status = response.status;
    let by_status = match status {
        502..=504 => on.has(RetryOn::SERVER_ERROR) || on.has(RetryOn::GATEWAY_ERROR),
        500..=599 => on.has(RetryOn::SERVER_ERROR),
        409 => on.has(RetryOn::RETRIABLE_4XX),
        _ => false,
    };
    let by_code = on.has(RetryOn::RETRIABLE_STATUS_CODES)
        && retriable.codes.iter().any(|codes| codes.contains(&status));
    let by_header = on.has(RetryOn::RETRIABLE_HEADERS) && has_retriable_header(response, retriable);
    by_status || by_code || by_header || retries_on_grpc_status(on, response)
}

fn has_retriable_header(response: &ResponseHead, retriable: Retriable<'_>) -> bool {
    let headers = &response.headers;
    let by_matcher = |matcher: &HeaderMatcher| match matcher.name.as_str() {
        ":status" => matcher.matches(once(response.status.to_string().as_bytes())),
        name => matcher.matches(headers.get_all_by_name(name.as_bytes())),
    };
    retriable.headers.iter().any(by_matcher)
        || retriable.names.iter().any(|name| headers.get_by_name(name.as_bytes()).is_some())
}

fn retries_on_grpc_status(on: RetryOn, response: &ResponseHead) -> bool {
    match response.headers.get(KnownHeader::GrpcStatus) {
        Some(b"1") => on.has(RetryOn::GRPC_CANCELLED),
        Some(b"4") => on.has(RetryOn::GRPC_DEADLINE_EXCEEDED),
        Some(b"8") => on.has(RetryOn::GRPC_RESOURCE_EXHAUSTED),
        Some(b"13") => on.has(RetryOn::GRPC_INTERNAL),
        Some(b"14") => on.has(RetryOn::GRPC_UNAVAILABLE),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use ringmain_config::matcher::HeaderTest;

    use super::*;

    fn on(list: &str) -> RetryOn {
        RetryOn::parse(list, |name| panic!("{name} is unknown"))
    }

    fn response(status: u16, header: Option<(KnownHeader, &[u8])>) -> ResponseHead {
        let mut head = ResponseHead { status, ..ResponseHead::default() };
        if let Some((name, value)) = header {
            head.headers.append_known(name, value);
        }
        head
    }

    #[test]
    fn statuses_by_condition() {
        for (list, status, expected) in [
            ("5xx", 500, true),
            ("5xx", 503, true),
            ("5xx", 404, false),
            ("gateway-error", 502, true),
            ("gateway-error", 500, false),
            ("retriable-4xx", 409, true),
            ("retriable-4xx", 404, false),
            ("retriable-status-codes", 418, true),
            ("retriable-status-codes", 419, false),
            ("reset", 503, false),
            ("connect-failure", 503, false),
        ] {
            let retriable = Retriable { codes: [&[418], &[]], ..Retriable::default() };
            let decided = retries_on_response(on(list), &response(status, None), retriable);
            assert_eq!(decided, expected, "{list} {status}");
        }
    }

    #[test]
    fn a_rate_limited_response_counts_for_nothing_else() {
        let limited = response(503, Some((KnownHeader::XEnvoyRatelimited, b"true")));
        let decided = |list| retries_on_response(on(list), &limited, Retriable::default());
        assert!(!decided("5xx"));
        assert!(decided("envoy-ratelimited"));
    }

    #[test]
    fn headers_by_matcher_and_by_name() {
        let present = |name: &str| HeaderMatcher {
            name: name.to_owned(),
            test: HeaderTest::Present(true),
            invert_match: false,
            treat_missing_header_as_empty: false,
        };
        let is_503 = HeaderMatcher { test: HeaderTest::Range(503..504), ..present(":status") };
        let head = response(503, Some((KnownHeader::GrpcMessage, b"no")));
        let decided = |headers: &[HeaderMatcher], names: &[String]| {
            let retriable = Retriable { headers, names, ..Retriable::default() };
            retries_on_response(on("retriable-headers"), &head, retriable)
        };
        assert!(decided(&[present("x-a"), present("grpc-message")], &[]));
        assert!(!decided(&[present("x-a")], &[]));
        assert!(decided(&[is_503], &[]));
        assert!(decided(&[], &["grpc-message".to_owned()]));
        assert!(!decided(&[], &["x-a".to_owned()]));
    }

    #[test]
    fn grpc_statuses_come_from_the_headers() {
        for (list, value, expected) in [
            ("unavailable", "14", true),
            ("unavailable", "13", false),
            ("cancelled,internal", "13", true),
            ("deadline-exceeded", "4", true),
            ("resource-exhausted", "8", true),
            ("resource-exhausted", "0", false),
        ] {
            let head = response(200, Some((KnownHeader::GrpcStatus, value.as_bytes())));
            let decided = retries_on_response(on(list), &head, Retriable::default());
            assert_eq!(decided, expected, "{list} {value}");
        }
    }

    #[test]
    fn resets_by_condition() {
        use ResetReason::{ConnectFailure, Refused, Reset};
        for (list, reason, expected) in [
            ("5xx", Reset, true),
            ("gateway-error", ConnectFailure, true),
            ("reset", Reset, true),
            ("reset", ConnectFailure, true),
            ("connect-failure", ConnectFailure, true),
            ("connect-failure", Reset, false),
            ("reset-before-request", ConnectFailure, true),
            ("reset-before-request", Reset, false),
            ("retriable-4xx", Reset, false),
            ("refused-stream", Refused, true),
            ("refused-stream", Reset, false),
            ("connect-failure", Refused, false),
        ] {
            assert_eq!(retries_on_reset(on(list), reason), expected, "{list} {reason:?}");
        }
    }
}
