//! Requests that ask to leave HTTP: for the protocol that `upgrade` names (RFC 9110 §7.8), or for a
//! tunnel by CONNECT (§9.3.6). What `upgrade_configs` of the route and of the connection manager say
//! about them.

use ringmain_config::route::{Action, RouteAction};
use ringmain_config::upgrade_configs::{self, UpgradeConfig};
use ringmain_proto_codec::KnownHeader;
use ringmain_proto_codec::h1::{RequestHead, RequestKind};

use super::Found;
use crate::http::ConnectionManager;

/// What a request asks for instead of HTTP, if anything.
pub fn asked_protocol(request: &RequestHead) -> Option<&[u8]> {
    if is_connect(request) {
        return Some(upgrade_configs::CONNECT.as_bytes());
    }
    request.headers.get(KnownHeader::Upgrade).filter(|_| request.upgrade)
}

/// Whether `found` and `manager` let the client have `protocol`. What no route takes is asked of the
/// connection manager alone.
pub fn is_allowed(manager: &ConnectionManager, found: Found, protocol: &[u8]) -> bool {
    let action = match found {
        Found::Route(route) => match &manager.routes.route(route).action {
            Action::Route(action) => Some(action),
            _ => None,
        },
        Found::TlsRedirect | Found::Nothing => None,
    };
    let of_route = action.and_then(|action| action.upgrade_configs.find(protocol));
    let config = of_route.or_else(|| manager.config.upgrade_configs.find(protocol));
    config.is_some_and(|config: &UpgradeConfig| config.enabled)
}

/// Whether the tunnel that `request` asks for ends here.
pub fn terminates_connect(action: &RouteAction, request: &RequestHead) -> bool {
    let config = action.upgrade_configs.find(upgrade_configs::CONNECT.as_bytes());
    is_connect(request) && config.is_some_and(|config| config.terminates_connect)
}

/// Whether the client asks for WebSocket (RFC 6455).
pub fn is_websocket(request: &RequestHead) -> bool {
    asked_protocol(request).is_some_and(|protocol| protocol.eq_ignore_ascii_case(b"websocket"))
}

/// What the answer to `request` may mean.
pub fn kind_of(request: &RequestHead) -> RequestKind {
    match request.headers.get(KnownHeader::Method) {
        Some(b"HEAD") => RequestKind::Head,
        Some(b"CONNECT") => RequestKind::Connect,
        _ if request.upgrade => RequestKind::Upgrade,
        _ => RequestKind::Other,
    }
}

fn is_connect(request: &RequestHead) -> bool {
    request.headers.get(KnownHeader::Method) == Some(b"CONNECT")
}
