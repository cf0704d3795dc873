//! How long a stream may last: `max_stream_duration` of the connection manager and the route, and the
//! `grpc-timeout` that a client sends.

use std::io::Write;
use std::time::Duration;

use ringmain_config::route::MaxStreamDuration;
use ringmain_proto_codec::{HeaderMap, KnownHeader};
use smallvec::SmallVec;

use crate::http::header_matching::is_grpc;

/// The limit of the stream whose request has these headers, from the request's first byte; `None` is
/// no limit. A gRPC upstream is told of it in `grpc-timeout` where the route has `max_stream_duration`.
///
/// `manager` is the connection manager's limit, which holds where the route has none.
pub fn stream_limit(
    route: Option<&MaxStreamDuration>,
    manager: Option<Duration>,
    headers: &mut HeaderMap,
) -> Option<Duration> {
    let Some(route) = route else { return manager };
    let asked = headers.get(KnownHeader::GrpcTimeout).and_then(parse);
    let limit = match (asked, route.grpc_timeout_header_max) {
        (Some(asked), Some(max)) => {
            Some(shortened(asked, max, route.grpc_timeout_header_offset.unwrap_or_default()))
        }
        _ => match route.max_stream_duration {
            Some(limit) => Some(limit).filter(|limit| !limit.is_zero()),
            None => manager,
        },
    };
    if is_grpc(headers) {
        match limit {
            Some(limit) => {
                let mut value = SmallVec::<[u8; 24]>::new();
                write(limit, &mut value);
                headers.set(KnownHeader::GrpcTimeout, &value);
            }
            // The route has switched the manager's limit off.
            None if manager.is_some() => _ = headers.remove(KnownHeader::GrpcTimeout),
            None => {}
        }
    }
    limit
}

/// What is left of `asked`: at most `max`, where that is not zero, and less the offset.
fn shortened(asked: Duration, max: Duration, offset: Duration) -> Duration {
    let limit = if max.is_zero() { asked } else { asked.min(max) };
    limit.saturating_sub(offset)
}

/// Envoy counts `grpc-timeout` in ms, rounded up.
fn parse(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let count: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let ms = match unit {
        b'H' => count * 3_600_000,
        b'M' => count * 60_000,
        b'S' => count * 1000,
        b'm' => count,
        b'u' => count.div_ceil(1000),
        b'n' => count.div_ceil(1_000_000),
        _ => return None,
    };
    Some(Duration::from_millis(ms))
}

/// The greatest count of `grpc-timeout`, which has at most eight digits.
const COUNT_MAX: u128 = 99_999_999;

/// Writes a timeout in the smallest unit from ms up that it fits.
fn write(timeout: Duration, value: &mut impl Write) {
    let ms = timeout.as_millis();
    let units = [(ms, 'm'), (ms / 1000, 'S'), (ms / 60_000, 'M')];
    let fits = units.into_iter().find(|(count, _)| *count <= COUNT_MAX);
    let (count, unit) = fits.unwrap_or(((ms / 3_600_000).min(COUNT_MAX), 'H'));
    write!(value, "{count}{unit}").expect("writing to memory does not fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// The limit, and what a gRPC upstream is told.
    fn limited(
        route: &MaxStreamDuration,
        manager: Option<Duration>,
        grpc_timeout: Option<&str>,
    ) -> (Option<Duration>, Option<String>) {
        let mut headers = HeaderMap::new();
        headers.set(KnownHeader::ContentType, b"application/grpc");
        if let Some(timeout) = grpc_timeout {
            headers.set(KnownHeader::GrpcTimeout, timeout.as_bytes());
        }
        let limit = stream_limit(Some(route), manager, &mut headers);
        let told = headers
            .get(KnownHeader::GrpcTimeout)
            .map(|value| String::from_utf8(value.to_vec()).expect("text"));
        (limit, told)
    }

    #[test]
    fn the_routes_limit_goes_before_the_managers() {
        let manager = Some(3 * SECOND);
        let route = MaxStreamDuration { max_stream_duration: Some(SECOND), ..Default::default() };
        assert_eq!(limited(&route, manager, None), (Some(SECOND), Some("1000m".into())));
        let off = MaxStreamDuration { max_stream_duration: Some(Duration::ZERO), ..route };
        assert_eq!(limited(&off, manager, Some("1S")), (None, None));
        assert_eq!(limited(&off, None, Some("1S")), (None, Some("1S".into())));
        let none = MaxStreamDuration::default();
        assert_eq!(limited(&none, manager, None).0, manager);
    }

    #[test]
    fn a_grpc_timeout_is_capped_and_shortened() {
        let route = MaxStreamDuration {
            max_stream_duration: None,
            grpc_timeout_header_max: Some(5 * SECOND),
            grpc_timeout_header_offset: Some(SECOND),
        };
        assert_eq!(limited(&route, None, Some("3S")), (Some(2 * SECOND), Some("2000m".into())));
        assert_eq!(limited(&route, None, Some("1M")), (Some(4 * SECOND), Some("4000m".into())));
        assert_eq!(limited(&route, None, Some("1S")).0, Some(Duration::ZERO));
        assert_eq!(limited(&route, None, Some("nonsense")), (None, Some("nonsense".into())));
        let any = MaxStreamDuration { grpc_timeout_header_max: Some(Duration::ZERO), ..route };
        assert_eq!(limited(&any, None, Some("1M")).0, Some(59 * SECOND));
    }

    #[test]
    fn only_grpc_upstreams_are_told() {
        let mut headers = HeaderMap::new();
        headers.set(KnownHeader::GrpcTimeout, b"9S");
        let route = MaxStreamDuration {
            grpc_timeout_header_max: Some(SECOND),
            ..MaxStreamDuration::default()
        };
        assert_eq!(stream_limit(Some(&route), None, &mut headers), Some(SECOND));
        assert_eq!(headers.get(KnownHeader::GrpcTimeout), Some(&b"9S"[..]));
    }

    #[test]
    fn timeouts_are_read_in_every_unit() {
        let ms = |text: &str| parse(text.as_bytes()).map(|timeout| timeout.as_millis());
        assert_eq!(ms("1H"), Some(3_600_000));
        assert_eq!(ms("1001u"), Some(2));
        assert_eq!(ms("1n"), Some(1));
        for bad in ["", "S", "1", "1s", "-1S", "123456789S"] {
            assert_eq!(ms(bad), None, "{bad}");
        }
    }

    #[test]
    fn long_timeouts_are_written_in_greater_units() {
        let written = |ms| {
            let mut value = Vec::new();
            write(Duration::from_millis(ms), &mut value);
            String::from_utf8(value).expect("text")
        };
        assert_eq!(written(99_999_999), "99999999m");
        assert_eq!(written(100_000_000), "100000S");
        assert_eq!(written(100_000_000_000), "1666666M");
    }
}
