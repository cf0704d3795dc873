//! What a matched route does.

use envoy_types::pb::envoy::config::route::v3 as wire;

use super::{DirectResponse, PathMatch, RedirectAction, RouteAction, Scope};
use crate::report::At;

/// What a matched route does.
#[derive(Debug, Clone)]
pub enum Action {
    /// `route`.
    Route(Box<RouteAction>),
    /// `redirect`.
    Redirect(RedirectAction),
    /// `direct_response`.
    DirectResponse(DirectResponse),
    /// `non_forwarding_action`.
    NonForwarding,
}

impl Action {
    pub(super) fn from_wire(
        wire: Option<&wire::route::Action>,
        matched: Option<&PathMatch>,
        scope: &Scope<'_>,
        at: &At<'_>,
    ) -> Option<Self> {
        match wire {
            Some(wire::route::Action::Route(route)) => {
                RouteAction::from_wire(route, matched, scope, &at.field("route"))
                    .map(|action| Self::Route(Box::new(action)))
            }
            Some(wire::route::Action::Redirect(redirect)) => {
                RedirectAction::from_wire(redirect, &at.field("redirect")).map(Self::Redirect)
            }
            Some(wire::route::Action::DirectResponse(response)) => {
                DirectResponse::from_wire(response, scope, &at.field("direct_response"))
                    .map(Self::DirectResponse)
            }
            Some(wire::route::Action::NonForwardingAction(_)) => Some(Self::NonForwarding),
            _ => {
                at.error_at_key("one of route, redirect, direct_response is required");
                None
            }
        }
    }
}
