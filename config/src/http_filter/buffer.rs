//! `envoy.extensions.filters.http.buffer.v3`.

use envoy_types::pb::envoy::extensions::filters::http::buffer::v3 as wire;
use wire::buffer_per_route::Override;

/// `envoy.extensions.filters.http.buffer.v3.Buffer`: requests wait until all of their body is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buffer {
    /// `max_request_bytes`, more than 0: a longer body is refused.
    pub max_request_bytes: u32,
}

impl Buffer {
    pub(super) fn from_wire(wire: &wire::Buffer) -> Self {
        // The field rules have seen to its presence.
        Self { max_request_bytes: wire.max_request_bytes.map_or(0, |max| max.value) }
    }

    /// Reads `BufferPerRoute`; none is `disabled`.
    pub(super) fn per_route(wire: &wire::BufferPerRoute) -> Option<Self> {
        match &wire.r#override {
            Some(Override::Buffer(buffer)) => Some(Self::from_wire(buffer)),
            // The field rules have seen to it that it is one of the two, and true.
            Some(Override::Disabled(_)) | None => None,
        }
    }
}
