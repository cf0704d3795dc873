//! Requests of a virtual host that are counted together.

use envoy_types::pb::envoy::config::route::v3 as wire;

use crate::matcher::HeaderMatcher;
use crate::report::At;

/// `envoy.config.route.v3.VirtualCluster`.
#[derive(Debug, Clone)]
pub struct VirtualCluster {
    /// `name`.
    pub name: String,
    /// `headers`, all of which a request has to match.
    pub headers: Vec<HeaderMatcher>,
}

impl VirtualCluster {
    /// Reads the field `virtual_clusters`.
    pub(super) fn list_from_wire(wire: &[wire::VirtualCluster], at: &At<'_>) -> Vec<Self> {
        let at = at.field("virtual_clusters");
        let read = |(index, wire)| Self::from_wire(wire, &at.index(index));
        wire.iter().enumerate().filter_map(read).collect()
    }

    fn from_wire(wire: &wire::VirtualCluster, at: &At<'_>) -> Option<Self> {
        if wire.headers.is_empty() {
            at.error_at_key("'headers' is required");
            return None;
        }
        let headers = HeaderMatcher::list_from_wire(&wire.headers, "headers", at);
        Some(Self { name: wire.name.clone(), headers })
    }
}
