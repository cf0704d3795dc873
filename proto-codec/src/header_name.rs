//! The header names that rules speak of, as an enum: looked up once per received field, compared as
//! numbers from then on. Names are lower case, as HTTP/2 has them and Envoy writes them.

use http::HeaderName;

macro_rules! known_headers {
    ($($variant:ident = $text:literal,)+) => {
        /// A header name with a meaning to the proxy; pseudo-headers (RFC 9113 §8.3) come first.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum KnownHeader {
            $(#[doc = concat!("`", $text, "`")] $variant,)+
        }

        const ALL: &[KnownHeader] = &[$(KnownHeader::$variant,)+];
        const TEXTS: &[&str] = &[$($text,)+];
        static HTTP_NAMES: [HeaderName; KnownHeader::COUNT] = [$(http_name($text),)+];
    };
}

known_headers! {
    Authority = ":authority",
    Method = ":method",
    Path = ":path",
    Scheme = ":scheme",
    Status = ":status",
    Protocol = ":protocol",
    Accept = "accept",
    AcceptEncoding = "accept-encoding",
    AcceptLanguage = "accept-language",
    AccessControlAllowCredentials = "access-control-allow-credentials",
    AccessControlAllowHeaders = "access-control-allow-headers",
    AccessControlAllowMethods = "access-control-allow-methods",
    AccessControlAllowOrigin = "access-control-allow-origin",
    AccessControlExposeHeaders = "access-control-expose-headers",
    AccessControlMaxAge = "access-control-max-age",
    AccessControlRequestHeaders = "access-control-request-headers",
    AccessControlRequestMethod = "access-control-request-method",
    AltSvc = "alt-svc",
    Authorization = "authorization",
    CacheControl = "cache-control",
    Connection = "connection",
    ContentEncoding = "content-encoding",
    ContentLength = "content-length",
    ContentRange = "content-range",
    ContentType = "content-type",
    Cookie = "cookie",
    Date = "date",
    Etag = "etag",
    Expect = "expect",
    Expires = "expires",
    Forwarded = "forwarded",
    GrpcAcceptEncoding = "grpc-accept-encoding",
    GrpcMessage = "grpc-message",
    GrpcStatus = "grpc-status",
    GrpcTimeout = "grpc-timeout",
    Host = "host",
    Http2Settings = "http2-settings",
    IfModifiedSince = "if-modified-since",
    IfNoneMatch = "if-none-match",
    KeepAlive = "keep-alive",
    LastModified = "last-modified",
    Location = "location",
    MaxForwards = "max-forwards",
    Origin = "origin",
    Pragma = "pragma",
    ProxyAuthenticate = "proxy-authenticate",
    ProxyAuthorization = "proxy-authorization",
    ProxyConnection = "proxy-connection",
    ProxyStatus = "proxy-status",
    Range = "range",
    Referer = "referer",
    RetryAfter = "retry-after",
    Server = "server",
    SetCookie = "set-cookie",
    Te = "te",
    Traceparent = "traceparent",
    Tracestate = "tracestate",
    Trailer = "trailer",
    TransferEncoding = "transfer-encoding",
    Upgrade = "upgrade",
    UserAgent = "user-agent",
    Vary = "vary",
    Via = "via",
    WwwAuthenticate = "www-authenticate",
    XContentTypeOptions = "x-content-type-options",
    XEnvoyAttemptCount = "x-envoy-attempt-count",
    XEnvoyDecoratorOperation = "x-envoy-decorator-operation",
    XEnvoyDegraded = "x-envoy-degraded",
    XEnvoyDownstreamServiceCluster = "x-envoy-downstream-service-cluster",
    XEnvoyDownstreamServiceNode = "x-envoy-downstream-service-node",
    XEnvoyExpectedRqTimeoutMs = "x-envoy-expected-rq-timeout-ms",
    XEnvoyExternalAddress = "x-envoy-external-address",
    XEnvoyForceTrace = "x-envoy-force-trace",
    XEnvoyHedgeOnPerTryTimeout = "x-envoy-hedge-on-per-try-timeout",
    XEnvoyImmediateHealthCheckFail = "x-envoy-immediate-health-check-fail",
    XEnvoyInternal = "x-envoy-internal",
    XEnvoyIpTags = "x-envoy-ip-tags",
    XEnvoyIsTimeoutRetry = "x-envoy-is-timeout-retry",
    XEnvoyMaxRetries = "x-envoy-max-retries",
    XEnvoyOriginalDstHost = "x-envoy-original-dst-host",
    XEnvoyOriginalHost = "x-envoy-original-host",
    XEnvoyOriginalPath = "x-envoy-original-path",
    XEnvoyOriginalUrl = "x-envoy-original-url",
    XEnvoyOverloaded = "x-envoy-overloaded",
    XEnvoyRatelimited = "x-envoy-ratelimited",
    XEnvoyRetriableHeaderNames = "x-envoy-retriable-header-names",
    XEnvoyRetriableStatusCodes = "x-envoy-retriable-status-codes",
    XEnvoyRetryGrpcOn = "x-envoy-retry-grpc-on",
    XEnvoyRetryOn = "x-envoy-retry-on",
    XEnvoyUpstreamAltStatName = "x-envoy-upstream-alt-stat-name",
    XEnvoyUpstreamCanary = "x-envoy-upstream-canary",
    XEnvoyUpstreamHealthcheckedCluster = "x-envoy-upstream-healthchecked-cluster",
    XEnvoyUpstreamRqPerTryTimeoutMs = "x-envoy-upstream-rq-per-try-timeout-ms",
    XEnvoyUpstreamRqTimeoutAltResponse = "x-envoy-upstream-rq-timeout-alt-response",
    XEnvoyUpstreamRqTimeoutMs = "x-envoy-upstream-rq-timeout-ms",
    XEnvoyUpstreamServiceTime = "x-envoy-upstream-service-time",
    XEnvoyUpstreamStreamDurationMs = "x-envoy-upstream-stream-duration-ms",
    XForwardedClientCert = "x-forwarded-client-cert",
    XForwardedFor = "x-forwarded-for",
    XForwardedHost = "x-forwarded-host",
    XForwardedPort = "x-forwarded-port",
    XForwardedProto = "x-forwarded-proto",
    XRateLimitLimit = "x-ratelimit-limit",
    XRateLimitRemaining = "x-ratelimit-remaining",
    XRateLimitReset = "x-ratelimit-reset",
    XRequestId = "x-request-id",
}

impl KnownHeader {
    /// How many names are known.
    pub const COUNT: usize = ALL.len();

    /// The known name that `lower`, in lower case, spells.
    pub fn from_bytes(lower: &[u8]) -> Option<Self> {
        if lower.is_empty() {
            return None;
        }
        let mut slot = slot_of(lower);
        while SLOTS[slot] != FREE {
            let at = usize::from(SLOTS[slot]);
            if TEXTS[at].as_bytes() == lower {
                return Some(ALL[at]);
            }
            slot = (slot + 1) % SLOTS.len();
        }
        None
    }

    /// The name in lower case.
    pub const fn as_str(self) -> &'static str {
        TEXTS[self as usize]
    }

    /// The name as the `http` crate has it, which pseudo-headers have not.
    pub(crate) fn http_name(self) -> Option<HeaderName> {
        (!self.is_pseudo()).then(|| HTTP_NAMES[self as usize].clone())
    }

    /// Whether this is a pseudo-header, which HTTP/1 writes in the start line or as `host`.
    pub const fn is_pseudo(self) -> bool {
        (self as u8) <= (Self::Protocol as u8)
    }
}

const fn http_name(text: &'static str) -> HeaderName {
    // Nobody asks for that of a pseudo-header.
    HeaderName::from_static(if text.as_bytes()[0] == b':' { "pseudo-header" } else { text })
}

/// No name has this slot of the table.
const FREE: u8 = u8::MAX;

/// An open-addressing hash table over all names, built at compile time and sparse enough that an
/// unknown name mostly meets a free slot at once.
static SLOTS: [u8; 1024] = {
    assert!(ALL.len() < FREE as usize);
    let mut slots = [FREE; 1024];
    let mut at = 0;
    while at < TEXTS.len() {
        let mut slot = slot_of(TEXTS[at].as_bytes());
        while slots[slot] != FREE {
            slot = (slot + 1) % slots.len();
        }
        slots[slot] = at as u8;
        at += 1;
    }
    slots
};

/// Where the search for a name that is not empty begins. Length, both ends and the middle tell
/// nearly all names apart; the multipliers spread them over the table.
const fn slot_of(name: &[u8]) -> usize {
    let len = name.len();
    let ends = name[0] as usize * 5 + name[len - 1] as usize * 37;
    (ends + name[len / 2] as usize * 109 + len * 331) % 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_by_its_text() {
        for known in ALL {
            assert_eq!(KnownHeader::from_bytes(known.as_str().as_bytes()), Some(*known));
            let http_name = (!known.is_pseudo()).then(|| HeaderName::from_static(known.as_str()));
            assert_eq!(known.http_name(), http_name);
            assert_eq!(known.as_str(), known.as_str().to_ascii_lowercase());
        }
    }

    #[test]
    fn other_names_are_not_found() {
        for known in ALL {
            let longer = [known.as_str(), "x"].concat();
            assert_eq!(KnownHeader::from_bytes(longer.as_bytes()), None);
            let upper = known.as_str().to_ascii_uppercase();
            assert_eq!(KnownHeader::from_bytes(upper.as_bytes()), None);
        }
        assert_eq!(KnownHeader::from_bytes(b""), None);
        assert_eq!(KnownHeader::from_bytes(b"x"), None);
    }

    #[test]
    fn pseudo_headers_are_those_with_a_colon() {
        for known in ALL {
            assert_eq!(known.is_pseudo(), known.as_str().starts_with(':'), "{}", known.as_str());
        }
    }

    #[test]
    fn a_search_compares_with_few_names() {
        let run_max = SLOTS.split(|slot| *slot == FREE).map(<[u8]>::len).max();
        assert!(run_max < Some(5), "{run_max:?} names in a row");
    }
}
