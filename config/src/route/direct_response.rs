//! Responses from the configuration itself.

use envoy_types::pb::envoy::config::route::v3 as wire;

use super::Scope;
use crate::data_source;
use crate::report::{At, Note};

/// `envoy.config.route.v3.DirectResponseAction`.
#[derive(Debug, Clone)]
pub struct DirectResponse {
    /// `status`, 200 to 599.
    pub status: u16,
    /// `body`, read at load; at most `max_direct_response_body_size_bytes` (4096).
    pub body: Vec<u8>,
}

impl DirectResponse {
    pub(super) fn from_wire(
        wire: &wire::DirectResponseAction,
        scope: &Scope<'_>,
        at: &At<'_>,
    ) -> Option<Self> {
        let at_body = at.field("body");
        let body = match &wire.body {
            Some(source) => data_source::read(source, &at_body)?,
            None => Vec::new(),
        };
        let bytes_max = scope.direct_response_body_bytes_max;
        if body.len() > bytes_max {
            let note = format!("body has {} bytes, at most {bytes_max} may be", body.len());
            at_body.error_at_key(Note::from(note).help(
                "shorten it, or raise 'max_direct_response_body_size_bytes' of the route configuration",
            ));
        }
        // The field rules have seen to its range.
        Some(Self { status: u16::try_from(wire.status).ok()?, body })
    }
}
