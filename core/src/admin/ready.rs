//! `/ready` and `/quitquitquit`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::respond;
use crate::server::{Control, ServerState};

/// `LIVE` with 200, any other state with 503.
pub async fn state(State(control): State<Arc<Control>>) -> Response {
    let state = control.state();
    let status = match state {
        ServerState::Live => StatusCode::OK,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    respond::text(status, format!("{}\n", name(state)))
}

/// Ends the process as SIGTERM does.
pub async fn quit(State(control): State<Arc<Control>>) -> Response {
    control.request_shutdown();
    respond::text(StatusCode::OK, "OK\n")
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
