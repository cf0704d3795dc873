//! `/listeners`.

use std::fmt::Write;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use super::address::address_json;
use super::respond;
use crate::server::Control;

/// `?format=text|json`.
#[derive(Debug, serde::Deserialize)]
pub struct Format {
    format: Option<String>,
}

impl Format {
    /// Whether JSON was asked for.
    pub fn is_json(&self) -> bool {
        self.format.as_deref() == Some("json")
    }
}

/// Names and addresses.
pub async fn list(State(control): State<Arc<Control>>, Query(format): Query<Format>) -> Response {
    let listeners = &control.compiled.listeners;
    if format.is_json() {
        let statuses: Vec<_> = listeners
            .iter()
            .map(|listener| {
                let mut status = json!({
                    "name": listener.name,
                    "local_address": address_json(listener.address()),
                });
                let additional = listener.addresses.iter().skip(1);
                let additional: Vec<_> = additional.map(address_json).collect();
                if !additional.is_empty() {
                    status["additional_local_addresses"] = additional.into();
                }
                status
            })
            .collect();
        return respond::json(&json!({ "listener_statuses": statuses }));
    }
    let mut text = String::new();
    for listener in listeners {
        for address in &listener.addresses {
            writeln!(text, "{}::{address}", listener.name)
                .expect("writing to memory does not fail");
        }
    }
    respond::text(StatusCode::OK, text)
}
