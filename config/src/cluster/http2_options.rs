//! HTTP/2 towards the hosts (`envoy.config.core.v3.Http2ProtocolOptions`).

use envoy_types::pb::envoy::config::core::v3 as core;

use crate::connection_keepalive::ConnectionKeepalive;
use crate::report::At;

const HPACK_TABLE_SIZE: u32 = 4096;
const MAX_CONCURRENT_STREAMS: u32 = 1024;
const INITIAL_STREAM_WINDOW_SIZE: u32 = 16 * 1024 * 1024;
const INITIAL_CONNECTION_WINDOW_SIZE: u32 = 24 * 1024 * 1024;

/// `envoy.config.core.v3.Http2ProtocolOptions`, upstream side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Http2ProtocolOptions {
    /// `hpack_table_size`, in bytes, default 4096.
    pub hpack_table_size: u32,
    /// `max_concurrent_streams`, default 1024: requests at once on a connection.
    pub max_concurrent_streams: u32,
    /// `initial_stream_window_size`, in bytes, default 16 MiB.
    pub initial_stream_window_size: u32,
    /// `initial_connection_window_size`, in bytes, default 24 MiB.
    pub initial_connection_window_size: u32,
    /// `connection_keepalive`, default none.
    pub connection_keepalive: Option<ConnectionKeepalive>,
}

impl Http2ProtocolOptions {
    pub(super) fn from_wire(wire: &core::Http2ProtocolOptions, at: &At<'_>) -> Self {
        let or = |field: &Option<_>, default| {
            field
                .as_ref()
                .map_or(default, |field: &envoy_types::pb::google::protobuf::UInt32Value| {
                    field.value
                })
        };
        Self {
            hpack_table_size: or(&wire.hpack_table_size, HPACK_TABLE_SIZE),
            max_concurrent_streams: or(&wire.max_concurrent_streams, MAX_CONCURRENT_STREAMS),
            initial_stream_window_size: or(
                &wire.initial_stream_window_size,
                INITIAL_STREAM_WINDOW_SIZE,
            ),
            initial_connection_window_size: or(
                &wire.initial_connection_window_size,
                INITIAL_CONNECTION_WINDOW_SIZE,
            ),
            connection_keepalive: ConnectionKeepalive::from_wire(
                wire.connection_keepalive.as_ref(),
                at,
            ),
        }
    }
}
