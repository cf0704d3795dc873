//! When a request is sent again while it is still under way.

use envoy_types::pb::envoy::config::route::v3 as wire;

/// `envoy.config.route.v3.HedgePolicy`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HedgePolicy {
    /// `hedge_on_per_try_timeout`, default false: an attempt that takes longer than its
    /// `per_try_timeout` goes on while another one is made.
    pub hedge_on_per_try_timeout: bool,
}

impl HedgePolicy {
    pub(super) fn from_wire(wire: &wire::HedgePolicy) -> Self {
        Self { hedge_on_per_try_timeout: wire.hedge_on_per_try_timeout }
    }
}
