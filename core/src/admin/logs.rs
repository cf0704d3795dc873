//! `/reopen_logs`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::respond;
use crate::server::Control;

/// Opens the access logs anew.
pub async fn reopen(State(control): State<Arc<Control>>) -> Response {
    control.reopen_logs();
    respond::text(StatusCode::OK, "OK\n")
}
