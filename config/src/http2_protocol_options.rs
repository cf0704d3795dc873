//! HTTP/2 with clients (`envoy.config.core.v3.Http2ProtocolOptions`).

use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::google::protobuf::UInt32Value;

use crate::connection_keepalive::ConnectionKeepalive;
use crate::report::At;

/// `envoy.config.core.v3.Http2ProtocolOptions`, downstream side: what is agreed with the client, and
/// what it may ask of us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Http2ProtocolOptions {
    /// `hpack_table_size`, default 4096; in bytes.
    pub hpack_table_size: u32,
    /// `max_concurrent_streams`, default 1024.
    pub max_concurrent_streams: u32,
    /// `initial_stream_window_size`, default 16 MiB; in bytes.
    pub initial_stream_window_size: u32,
    /// `initial_connection_window_size`, default 24 MiB; in bytes.
    pub initial_connection_window_size: u32,
    /// `allow_connect`, default false: whether clients may ask for other protocols (RFC 8441).
    pub allow_connect: bool,
    /// `max_consecutive_inbound_frames_with_empty_payload`, default 1.
    pub max_consecutive_inbound_frames_with_empty_payload: u32,
    /// `max_inbound_priority_frames_per_stream`, default 100.
    pub max_inbound_priority_frames_per_stream: u32,
    /// `max_inbound_window_update_frames_per_data_frame_sent`, default 10.
    pub max_inbound_window_update_frames_per_data_frame_sent: u32,
    /// `max_outbound_control_frames`, default 1000: answers that the client has not taken.
    pub max_outbound_control_frames: u32,
    /// `connection_keepalive`, default none.
    pub connection_keepalive: Option<ConnectionKeepalive>,
    /// The runtime key `overload.premature_reset_total_stream_count`, default 500: of how many streams half may
    /// be reset too early.
    pub premature_reset_streams: u64,
    /// The runtime key `overload.premature_reset_min_stream_lifetime_seconds`, default 1 s: a stream that is
    /// reset before is reset too early.
    pub premature_reset_lifetime: Duration,
}

impl Http2ProtocolOptions {
    pub(crate) fn from_wire(wire: Option<&core::Http2ProtocolOptions>, at: &At<'_>) -> Self {
        let at = at.field("http2_protocol_options");
        let keepalive = wire.and_then(|wire| wire.connection_keepalive.as_ref());
        let number = |field: fn(&core::Http2ProtocolOptions) -> Option<UInt32Value>, default| {
            wire.and_then(field).map_or(default, |number| number.value)
        };
        let of_runtime = |key| at.runtime().integer(&format!("overload.premature_reset_{key}"));
        Self {
            hpack_table_size: number(|wire| wire.hpack_table_size, 4096),
            max_concurrent_streams: number(|wire| wire.max_concurrent_streams, 1024),
            initial_stream_window_size: number(
                |wire| wire.initial_stream_window_size,
                16 * 1024 * 1024,
            ),
            initial_connection_window_size: number(
                |wire| wire.initial_connection_window_size,
                24 * 1024 * 1024,
            ),
            allow_connect: wire.is_some_and(|wire| wire.allow_connect),
            max_consecutive_inbound_frames_with_empty_payload: number(
                |wire| wire.max_consecutive_inbound_frames_with_empty_payload,
                1,
            ),
            max_inbound_priority_frames_per_stream: number(
                |wire| wire.max_inbound_priority_frames_per_stream,
                100,
            ),
            max_inbound_window_update_frames_per_data_frame_sent: number(
                |wire| wire.max_inbound_window_update_frames_per_data_frame_sent,
                10,
            ),
            max_outbound_control_frames: number(|wire| wire.max_outbound_control_frames, 1000),
            connection_keepalive: ConnectionKeepalive::from_wire(keepalive, &at),
            premature_reset_streams: of_runtime("total_stream_count").unwrap_or(500),
            premature_reset_lifetime: Duration::from_secs(
                of_runtime("min_stream_lifetime_seconds").unwrap_or(1),
            ),
        }
    }
}
