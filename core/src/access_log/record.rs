//! What a stream's record has to hold for the formats that may be written for it. Some of it costs
//! a look at the clock or a walk over a head, which a request does not pay unless a format asks.

use ringmain_config::substitution_format::{Operator, PlainOperator, TimePoint};

/// What is recorded beyond what every stream's record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recorded {
    /// When the request went upstream, and the response downstream.
    pub times: bool,
    /// Bytes of header lines received and sent.
    pub header_bytes: bool,
    /// Bytes of frames by stream, in HTTP/2.
    pub wire_bytes: bool,
}

impl Recorded {
    /// What `operators` need.
    pub fn for_operators<'o>(operators: impl IntoIterator<Item = &'o Operator>) -> Self {
        let mut recorded = Self::default();
        for operator in operators {
            recorded.add(operator);
        }
        recorded
    }

    fn add(&mut self, operator: &Operator) {
        use PlainOperator as P;
        match operator {
            Operator::CommonDuration(duration) => {
                self.times |= is_recorded(&duration.start) || is_recorded(&duration.end);
            }
            Operator::Plain(P::RequestTxDuration | P::ResponseTxDuration) => self.times = true,
            Operator::Plain(
                P::DownstreamHeaderBytesReceived
                | P::DownstreamHeaderBytesSent
                | P::DownstreamDecompressedHeaderBytesReceived
                | P::DownstreamDecompressedHeaderBytesSent
                | P::UpstreamHeaderBytesReceived
                | P::UpstreamHeaderBytesSent
                | P::UpstreamDecompressedHeaderBytesReceived
                | P::UpstreamDecompressedHeaderBytesSent,
            ) => self.header_bytes = true,
            Operator::Plain(
                P::DownstreamWireBytesReceived
                | P::DownstreamWireBytesSent
                | P::UpstreamWireBytesReceived
                | P::UpstreamWireBytesSent,
            ) => self.wire_bytes = true,
            _ => {}
        }
    }
}

fn is_recorded(point: &TimePoint) -> bool {
    matches!(
        point,
        TimePoint::UpstreamTxBegin
            | TimePoint::UpstreamTxEnd
            | TimePoint::DownstreamTxBegin
            | TimePoint::DownstreamTxEnd
    )
}
