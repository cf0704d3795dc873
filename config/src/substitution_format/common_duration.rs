//! `COMMON_DURATION(START:END:PRECISION)`.

use std::fmt::{self, Display, Formatter};

/// The time from one point of a stream's life to another; absent where either is, or where the
/// second came first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommonDuration {
    /// From when.
    pub start: TimePoint,
    /// Until when.
    pub end: TimePoint,
    /// In which unit, rounded down.
    pub unit: DurationUnit,
}

/// A point in a stream's life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimePoint {
    /// `DS_RX_BEG`: the request's first byte.
    DownstreamRxBegin,
    /// `DS_RX_END`: the request's last byte.
    DownstreamRxEnd,
    /// `US_CX_BEG`: the upstream connection was begun.
    UpstreamConnectBegin,
    /// `US_CX_END`: its socket was connected.
    UpstreamConnectEnd,
    /// `US_HS_END`: its TLS handshake was done. Never without TLS.
    UpstreamHandshakeEnd,
    /// `US_TX_BEG`: the first byte went upstream.
    UpstreamTxBegin,
    /// `US_TX_END`: the last byte went upstream.
    UpstreamTxEnd,
    /// `US_RX_BEG`: the response's first byte came.
    UpstreamRxBegin,
    /// `US_RX_END`: the response's last byte came.
    UpstreamRxEnd,
    /// `DS_TX_BEG`: the response's first byte went downstream.
    DownstreamTxBegin,
    /// `DS_TX_END`: the response's last byte went downstream.
    DownstreamTxEnd,
    /// Another name: a point that an Envoy filter may set. None is here.
    Custom(String),
}

/// The unit of a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DurationUnit {
    /// `ms`.
    Milliseconds,
    /// `us`.
    Microseconds,
    /// `ns`.
    Nanoseconds,
}

const POINTS: [(&str, TimePoint); 11] = [
    ("DS_RX_BEG", TimePoint::DownstreamRxBegin),
    ("DS_RX_END", TimePoint::DownstreamRxEnd),
    ("US_CX_BEG", TimePoint::UpstreamConnectBegin),
    ("US_CX_END", TimePoint::UpstreamConnectEnd),
    ("US_HS_END", TimePoint::UpstreamHandshakeEnd),
    ("US_TX_BEG", TimePoint::UpstreamTxBegin),
    ("US_TX_END", TimePoint::UpstreamTxEnd),
    ("US_RX_BEG", TimePoint::UpstreamRxBegin),
    ("US_RX_END", TimePoint::UpstreamRxEnd),
    ("DS_TX_BEG", TimePoint::DownstreamTxBegin),
    ("DS_TX_END", TimePoint::DownstreamTxEnd),
];

impl TimePoint {
    fn parse(name: &str) -> Self {
        let known = POINTS.iter().find(|(known, _)| *known == name);
        known.map_or_else(|| Self::Custom(name.to_owned()), |(_, point)| point.clone())
    }
}

impl Display for TimePoint {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Custom(name) => f.write_str(name),
            point => {
                let known = POINTS.iter().find(|(_, known)| known == point);
                f.write_str(known.map_or("", |(name, _)| name))
            }
        }
    }
}

impl CommonDuration {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split(':').collect();
        let (start, end, unit) = match parts[..] {
            [start, end] => (start, end, "ms"),
            [start, end, unit] => (start, end, unit),
            _ => return Err(format!("invalid COMMON_DURATION '{text}', want START:END:UNIT")),
        };
        let unit = match unit {
            "ms" => DurationUnit::Milliseconds,
            "us" => DurationUnit::Microseconds,
            "ns" => DurationUnit::Nanoseconds,
            other => {
                return Err(format!("invalid COMMON_DURATION unit '{other}', want ms, us or ns"));
            }
        };
        Ok(Self { start: TimePoint::parse(start), end: TimePoint::parse(end), unit })
    }
}

impl Display for CommonDuration {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            DurationUnit::Milliseconds => "ms",
            DurationUnit::Microseconds => "us",
            DurationUnit::Nanoseconds => "ns",
        };
        write!(f, "{}:{}:{unit}", self.start, self.end)
    }
}
