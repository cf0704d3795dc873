//! What ringmain does of Envoy's schema. Names are separated by blanks.
//!
//! A field that is not named here is refused. Fields that protobuf does not tell from absent when they
//! hold their default (`merge_slashes: false`) need no mention for that value.

mod access_log;
mod bootstrap;
mod cluster;
mod core;
mod extensions;
mod health;
mod http_connection_manager;
mod http_filter;
mod listener;
mod load_balancer;
mod matcher;
mod network_filter;
mod rbac;
mod route;
mod route_action;
mod transport_socket;
mod upstream_http;

pub(super) use self::extensions::EXTENSIONS;

/// What is done of one message.
pub(super) struct Message {
    /// The message's full name. Where the same message means less in some place, the full name
    /// of the field that holds it there stands before those.
    pub(super) name: &'static str,
    /// Fields that have their effect.
    pub(super) supported: &'static str,
    /// Fields without effect here, which the user is told of.
    pub(super) harmless: &'static str,
    /// Fields with the values that are supported: `field=VALUE|VALUE`.
    pub(super) limited: &'static str,
}

const NONE: Message = Message { name: "", supported: "", harmless: "", limited: "" };

/// What is done of all messages.
pub(super) fn messages() -> impl Iterator<Item = &'static Message> {
    let rooms = [
        bootstrap::MESSAGES,
        listener::MESSAGES,
        transport_socket::MESSAGES,
        network_filter::MESSAGES,
        http_connection_manager::MESSAGES,
        http_filter::MESSAGES,
        rbac::MESSAGES,
        route::MESSAGES,
        route_action::MESSAGES,
        matcher::MESSAGES,
        cluster::MESSAGES,
        load_balancer::MESSAGES,
        upstream_http::MESSAGES,
        health::MESSAGES,
        access_log::MESSAGES,
        core::MESSAGES,
    ];
    rooms.into_iter().flatten()
}
