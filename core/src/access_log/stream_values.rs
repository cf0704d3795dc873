//! What operators say of the stream: counts, durations, names.

use std::time::{Duration, Instant};

use ringmain_config::substitution_format::{
    CommonDuration, DurationUnit, PlainOperator, TimePoint,
};
use ringmain_proto_codec::h1::Version;
use ringmain_proto_codec::{HeaderMap, KnownHeader};

use super::evaluator::{Evaluator, Kind};
use super::network_values::write_ip;
use super::number::write_number;
use super::request_values::text;
use super::response_flags_text::Order;
use super::{grpc_status, response_flags_text};
use crate::http::request_id::random_uuid;
use crate::http::stream::millis;
use crate::listener::TlsFingerprints;

impl Evaluator<'_> {
    pub(super) fn plain(&self, operator: PlainOperator, out: &mut Vec<u8>) -> Option<Kind> {
        use PlainOperator as P;
        let info = &self.exchange.info;
        match operator {
            P::AccessLogType => text(self.log_type.name().as_bytes(), out),
            P::Protocol => text(self.protocol()?, out),
            P::UpstreamProtocol => {
                text(info.upstream_connection.as_ref()?.protocol?.as_bytes(), out)
            }
            P::ResponseFlags => {
                response_flags_text::write_short(info.flags, self.flag_order(), out)
            }
            P::ResponseFlagsLong => {
                response_flags_text::write_long(info.flags, self.flag_order(), out)
            }
            P::TlsJa3Fingerprint => text(self.fingerprints()?.ja3.as_ref()?.as_bytes(), out),
            P::TlsJa4Fingerprint => text(self.fingerprints()?.ja4.as_ref()?.as_bytes(), out),
            P::CustomFlags => text(b"", out),
            P::LocalReplyBody => text(self.local_reply_body, out),
            P::UniqueId => text(&random_uuid(), out),
            P::StreamId => match &info.stream_id {
                Some(id) => text(&**id, out),
                None => text(self.request()?.get(KnownHeader::XRequestId)?, out),
            },
            P::Hostname => text(self.compiled.hostname.as_bytes(), out),
            P::ListenerName => text(self.listener().config.name.as_bytes(), out),
            P::ConnectionTerminationDetails => non_empty(info.termination_details, out),
            P::FilterChainName => non_empty(&self.filter_chain()?.name, out),
            P::VirtualClusterName => {
                let groups = self.request_groups?;
                let name = groups.virtual_cluster_name(info.route?, info.virtual_cluster?);
                text(name?.as_bytes(), out)
            }
            P::RouteName => non_empty(&self.routes?.route(info.route?).name, out),
            P::UpstreamHost
            | P::UpstreamHostName
            | P::UpstreamHostNameWithoutPort
            | P::UpstreamCluster
            | P::UpstreamClusterRaw
            | P::UpstreamTransportFailureReason => self.upstream(operator, out),
            P::DownstreamTransportFailureReason => {
                write_with_underscores(info.downstream_transport_failure.as_deref()?, out);
                Some(Kind::Text)
            }
            P::GrpcStatusNumber => number(grpc_status::of_grpc_request(self.exchange)?, out),
            P::Duration => duration(self.now.saturating_duration_since(info.started), out),
            P::RequestDuration => duration(info.request_received? - info.started, out),
            P::RequestTxDuration => self.since_start(info.times.upstream_tx_end, out),
            P::ResponseDuration => self.since_start(info.response_started, out),
            P::ResponseTxDuration => {
                let begun = info.response_started?;
                let ended = info.times.downstream_tx_end?;
                duration(ended.saturating_duration_since(begun), out)
            }
            count => number(self.count(count), out),
        }
    }

    fn fingerprints(&self) -> Option<&TlsFingerprints> {
        self.exchange.info.tls_fingerprints.as_deref()
    }

    fn flag_order(&self) -> Order {
        if self.routes.is_some() { Order::Http } else { Order::Tcp }
    }

    fn upstream(&self, operator: PlainOperator, out: &mut Vec<u8>) -> Option<Kind> {
        let info = &self.exchange.info;
        let host = || info.upstream_host.as_ref().map(|host| &host.shared);
        let cluster = || Some(&self.compiled.clusters[info.cluster?]);
        match operator {
            PlainOperator::UpstreamHost => text(host()?.address_text.as_bytes(), out),
            PlainOperator::UpstreamHostName => match host()?.hostname.as_str() {
                "" => text(host()?.address_text.as_bytes(), out),
                name => text(name.as_bytes(), out),
            },
            PlainOperator::UpstreamHostNameWithoutPort => match host()?.hostname.as_str() {
                "" => {
                    match host()?.address.ip() {
                        Some(ip) => write_ip(ip, out),
                        None => return text(host()?.address_text.as_bytes(), out),
                    }
                    Some(Kind::Text)
                }
                name => text(name.rsplit_once(':').map_or(name, |(name, _)| name).as_bytes(), out),
            },
            PlainOperator::UpstreamCluster => text(cluster()?.stat_name().as_bytes(), out),
            PlainOperator::UpstreamClusterRaw => text(cluster()?.config.name.as_bytes(), out),
            _ => {
                write_with_underscores(info.transport_failure.as_deref()?, out);
                Some(Kind::Text)
            }
        }
    }

    /// Operators that always have a number.
    fn count(&self, operator: PlainOperator) -> u64 {
        use PlainOperator as P;
        let info = &self.exchange.info;
        let (downstream, upstream) = (&info.downstream_bytes, &info.upstream_bytes);
        let trailers = self.exchange.response_trailers.as_deref();
        // Lines as received are counted without the space behind the colon.
        let received = |trailers: Option<&HeaderMap>| line_bytes(trailers, 3);
        match operator {
            P::ResponseCode => info.response_code.into(),
            P::BytesReceived => info.bytes_received,
            P::BytesSent => info.bytes_sent,
            P::ConnectionId => info.connection_id,
            P::UpstreamConnectionId => info.upstream_connection.as_ref().map_or(0, |up| up.id),
            P::UpstreamRequestAttemptCount => info.attempts.into(),
            P::DownstreamWireBytesReceived => downstream.received,
            P::DownstreamWireBytesSent => downstream.sent,
            P::UpstreamWireBytesReceived => upstream.received,
            P::UpstreamWireBytesSent => upstream.sent,
            P::DownstreamHeaderBytesReceived | P::DownstreamDecompressedHeaderBytesReceived => {
                downstream.headers_received
            }
            P::DownstreamHeaderBytesSent | P::DownstreamDecompressedHeaderBytesSent => {
                downstream.headers_sent + line_bytes(trailers, 4)
            }
            P::UpstreamHeaderBytesReceived => upstream.headers_received + received(trailers),
            P::UpstreamDecompressedHeaderBytesReceived => upstream.headers_received,
            P::UpstreamHeaderBytesSent | P::UpstreamDecompressedHeaderBytesSent => {
                // The head is made before it is known whether it can be sent.
                info.upstream_connection.map_or(0, |_| upstream.headers_sent)
            }
            P::RequestHeadersBytes => {
                self.request().map_or(0, |headers| headers.byte_size() as u64)
            }
            P::ResponseHeadersBytes => self.response_headers_bytes(),
            P::ResponseTrailersBytes => line_bytes(trailers, 0),
            // Only QUIC counts these.
            _ => 0,
        }
    }

    fn response_headers_bytes(&self) -> u64 {
        const STATUS_BYTES: u64 = ":status200".len() as u64;
        match self.exchange.info.response_code {
            0 => 0,
            _ => STATUS_BYTES + self.exchange.response.headers.byte_size() as u64,
        }
    }

    pub(super) fn status(&self, out: &mut Vec<u8>) -> Option<Kind> {
        let status = Some(self.exchange.info.response_code).filter(|status| *status != 0)?;
        write_number(status.into(), out);
        Some(Kind::Text)
    }

    fn since_start(&self, at: Option<Instant>, out: &mut Vec<u8>) -> Option<Kind> {
        duration(at?.saturating_duration_since(self.exchange.info.started), out)
    }

    pub(super) fn details(&self, keeps_spaces: bool, out: &mut Vec<u8>) -> Option<Kind> {
        let details = Some(self.exchange.info.details).filter(|details| !details.is_empty())?;
        let written = |byte| if byte == b' ' && !keeps_spaces { b'_' } else { byte };
        let reason = self.exchange.info.transport_failure.as_deref();
        // Envoy puts the transport's reason between the braces, and takes its spaces out there.
        let open = details.strip_suffix('}').filter(|open| open.ends_with(CONNECTION_FAILURE));
        match (open, reason) {
            (Some(open), Some(reason)) => {
                out.extend(open.bytes().map(written));
                out.push(b'|');
                write_with_underscores(reason, out);
                out.push(b'}');
            }
            _ => out.extend(details.bytes().map(written)),
        }
        Some(Kind::Text)
    }

    pub(super) fn common_duration(
        &self,
        common: &CommonDuration,
        out: &mut Vec<u8>,
    ) -> Option<Kind> {
        let (start, end) = (self.point(&common.start)?, self.point(&common.end)?);
        let duration = end.checked_duration_since(start)?;
        let count = match common.unit {
            DurationUnit::Milliseconds => duration.as_millis(),
            DurationUnit::Microseconds => duration.as_micros(),
            DurationUnit::Nanoseconds => duration.as_nanos(),
        };
        number(u64::try_from(count).unwrap_or(u64::MAX), out)
    }

    fn point(&self, point: &TimePoint) -> Option<Instant> {
        let info = &self.exchange.info;
        let connection = info.upstream_connection.as_ref();
        match point {
            TimePoint::DownstreamRxBegin => Some(info.started),
            TimePoint::DownstreamRxEnd => info.request_received,
            TimePoint::UpstreamConnectBegin => connection.map(|up| up.connect_begun),
            TimePoint::UpstreamConnectEnd => connection.map(|up| up.connected),
            TimePoint::UpstreamHandshakeEnd => connection?.handshake_ended,
            TimePoint::UpstreamTxBegin => info.times.upstream_tx_begin,
            TimePoint::UpstreamTxEnd => info.times.upstream_tx_end,
            TimePoint::UpstreamRxBegin => info.response_started,
            TimePoint::UpstreamRxEnd => info.response_received,
            TimePoint::DownstreamTxBegin => info.times.downstream_tx_begin,
            TimePoint::DownstreamTxEnd => info.times.downstream_tx_end,
            TimePoint::Custom(_) => None,
        }
    }

    fn protocol(&self) -> Option<&'static [u8]> {
        Some(match self.protocol? {
            Version::Http10 => b"HTTP/1.0",
            Version::Http11 => b"HTTP/1.1",
            Version::Http2 => b"HTTP/2",
        })
    }
}

/// What the details of a connection that could not be opened end with.
const CONNECTION_FAILURE: &str = "_connection_failure";

fn write_with_underscores(text: &str, out: &mut Vec<u8>) {
    out.extend(text.bytes().map(|byte| if byte == b' ' { b'_' } else { byte }));
}

/// Names and values, and `beside` bytes for each line.
fn line_bytes(headers: Option<&HeaderMap>, beside: u64) -> u64 {
    let headers = headers.iter().flat_map(|headers| headers.iter());
    headers.map(|header| (header.name.len() + header.value.len()) as u64 + beside).sum()
}

fn non_empty(value: &str, out: &mut Vec<u8>) -> Option<Kind> {
    text(Some(value).filter(|value| !value.is_empty())?.as_bytes(), out)
}

fn number(value: u64, out: &mut Vec<u8>) -> Option<Kind> {
    write_number(value, out);
    Some(Kind::Number)
}

fn duration(duration: Duration, out: &mut Vec<u8>) -> Option<Kind> {
    number(millis(duration), out)
}
