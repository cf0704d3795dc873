//! `/ready`, `/healthcheck/fail`, `/healthcheck/ok`, `/drain_listeners` and `/quitquitquit`.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::respond;
use crate::listener::DrainScope;
use crate::server::{Control, ServerState, drain_listeners};

/// `LIVE` with 200, any other state with 503.
pub async fn ready(State(control): State<Arc<Control>>) -> Response {
    let state = control.state();
    let status = match state {
        ServerState::Live => StatusCode::OK,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    respond::text(status, format!("{}\n", name(state)))
}

/// Readiness turns, and every response closes its connection.
pub async fn fail(State(control): State<Arc<Control>>) -> Response {
    control.fail_health_checks(true).await;
    respond::ok()
}

/// Takes that back.
pub async fn pass(State(control): State<Arc<Control>>) -> Response {
    control.fail_health_checks(false).await;
    respond::ok()
}

/// Drains listeners; the process stays.
pub async fn drain(
    State(control): State<Arc<Control>>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let scope = match query.contains_key("inboundonly") {
        true => DrainScope::InboundOnly,
        false => DrainScope::All,
    };
    let (graceful, skip_exit) = (query.contains_key("graceful"), query.contains_key("skip_exit"));
    drain_listeners(&control, scope, graceful, skip_exit).await;
    respond::ok()
}

/// Ends the process as SIGTERM does.
pub async fn quit(State(control): State<Arc<Control>>) -> Response {
    control.request_shutdown();
    respond::ok()
}

/// Envoy's name of a state.
pub fn name(state: ServerState) -> &'static str {
    match state {
        ServerState::Live => "LIVE",
        ServerState::Draining => "DRAINING",
        ServerState::PreInitializing => "PRE_INITIALIZING",
        ServerState::Initializing => "INITIALIZING",
    }
}
