//! Whether the peer of a connection still answers (`envoy.config.core.v3.KeepaliveSettings`).

use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3 as core;

use crate::duration;
use crate::report::At;

const INTERVAL_JITTER_PERCENT: u32 = 15;

/// `connection_keepalive` of HTTP/2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionKeepalive {
    /// `interval`: how long after an answer the next PING is sent. Absent, none is sent so.
    pub interval: Option<Duration>,
    /// `timeout`: how long nothing may come behind a PING until the connection is given up.
    pub timeout: Duration,
    /// `interval_jitter`, default 15: up to so much of `interval` is added to it at random, in percent,
    /// of which Envoy takes the whole part.
    pub interval_jitter_percent: u32,
    /// `connection_idle_interval`: a PING goes ahead of a request on a connection on which nothing has
    /// come for so long; upstream only.
    pub connection_idle_interval: Option<Duration>,
}

impl ConnectionKeepalive {
    /// Reads the field `connection_keepalive`.
    pub(crate) fn from_wire(wire: Option<&core::KeepaliveSettings>, at: &At<'_>) -> Option<Self> {
        let wire = wire?;
        let at = at.field("connection_keepalive");
        let or_off = |field: Option<_>, name| duration::or_off(field, None, &at, name);
        Some(Self {
            interval: or_off(wire.interval.as_ref(), "interval"),
            timeout: duration::or(wire.timeout.as_ref(), Duration::ZERO, &at, "timeout"),
            interval_jitter_percent: wire
                .interval_jitter
                .as_ref()
                .map_or(INTERVAL_JITTER_PERCENT, |jitter| jitter.value as u32),
            connection_idle_interval: or_off(
                wire.connection_idle_interval.as_ref(),
                "connection_idle_interval",
            ),
        })
    }

    /// When the next PING is due, by a random number.
    pub fn next_interval(&self, random: u64) -> Option<Duration> {
        let interval = self.interval?;
        let jitter_ms = interval.as_millis() * u128::from(self.interval_jitter_percent) / 100;
        let jitter_ms = u64::try_from(jitter_ms).unwrap_or(u64::MAX);
        // Without jitter there is nothing to choose from.
        let added_ms = random.checked_rem(jitter_ms).unwrap_or(0);
        Some(interval + Duration::from_millis(added_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_grows_by_its_jitter_at_most() {
        let seconds = |interval| Some(Duration::from_secs(interval));
        let keepalive = |interval, interval_jitter_percent| ConnectionKeepalive {
            interval,
            timeout: Duration::from_secs(1),
            interval_jitter_percent,
            connection_idle_interval: None,
        };
        assert_eq!(keepalive(None, 15).next_interval(7), None);
        assert_eq!(keepalive(seconds(10), 0).next_interval(7), seconds(10));
        let longest = keepalive(seconds(10), 15).next_interval(1499);
        assert_eq!(longest, Some(Duration::from_millis(11_499)));
        assert_eq!(keepalive(seconds(10), 15).next_interval(1500), seconds(10));
    }
}
