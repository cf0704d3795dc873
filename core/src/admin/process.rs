//! What the process is told and asked about itself: `/memory`, `/runtime`, profilers and
//! the like.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use super::respond;
use crate::runtime::memory;
use crate::server::Control;

/// `/memory`, in bytes. The allocator has neither a page heap nor a thread cache of its own.
pub async fn memory() -> Response {
    let usage = memory::usage();
    respond::json(&json!({
        "allocated": usage.allocated.to_string(),
        "heap_size": usage.heap.to_string(),
        "pageheap_unmapped": "0",
        "pageheap_free": usage.free.to_string(),
        "total_thread_cache": "0",
        "total_physical_bytes": usage.physical.to_string(),
    }))
}

/// `/runtime`: for every key the value that counts and that of each layer.
pub async fn runtime(State(control): State<Arc<Control>>) -> Response {
    let runtime = &control.boot.runtime;
    let entry = |key: &str| {
        let values = runtime.layers.iter().map(|layer| layer.values.get(key));
        let values: Vec<_> = values.map(|value| value.map_or("", |value| &value.text)).collect();
        // A layer that takes a value away by an empty one is not told, as in Envoy.
        let last = values.iter().rev().find(|value| !value.is_empty()).copied().unwrap_or_default();
        let entry = json!({ "final_value": last, "layer_values": values });
        (key.to_owned(), entry)
    };
    let entries: serde_json::Map<_, _> = runtime.keys().map(entry).collect();
    let layers: Vec<_> = runtime.layers.iter().map(|layer| &layer.name).collect();
    respond::json(&json!({ "entries": entries, "layers": layers }))
}

/// `/runtime_modify`: answers as an Envoy without an admin layer.
pub async fn runtime_modify(
    Query(query): Query<Vec<(String, String)>>,
    body: axum::body::Bytes,
) -> Response {
    if query.is_empty() && body.is_empty() {
        return respond::bad_request(
            "usage: /runtime_modify?key1=value1&key2=value2&keyN=valueN\n       \
             or send the parameters as form values\n\
             use an empty value to remove a previously added override",
        );
    }
    respond::text(StatusCode::SERVICE_UNAVAILABLE, "No admin layer specified")
}

/// `/hot_restart_version`.
pub async fn hot_restart_version() -> Response {
    respond::text(StatusCode::OK, "disabled")
}

/// `/init_dump`: what start-up still waits for. Clusters do until their first look is over.
pub async fn init_dump(State(control): State<Arc<Control>>) -> Response {
    if control.has_started() {
        return respond::json(&json!({}));
    }
    let clusters = control.compiled.clusters.iter().enumerate();
    let waiting: Vec<_> = clusters
        .filter(|(index, _)| control.hosts(*index).hosts.is_empty())
        .map(|(_, cluster)| json!({ "name": format!("cluster {}", cluster.config.name) }))
        .collect();
    respond::json(&json!({ "unready_targets_dumps": waiting }))
}

/// `/contention`.
pub async fn contention() -> Response {
    respond::text(
        StatusCode::OK,
        "Mutex contention tracing is not enabled. To enable, run Envoy with flag \
         --enable-mutex-tracing.",
    )
}

/// `/cpuprofiler`: answers as an Envoy whose profiler does not start.
pub async fn cpu_profiler(Query(query): Query<HashMap<String, String>>) -> Response {
    match query.get("enable").map(String::as_str) {
        Some("y") => {
            respond::text(StatusCode::INTERNAL_SERVER_ERROR, "failure to start the profiler")
        }
        Some("n") => respond::ok(),
        _ => respond::bad_request("?enable=<y|n>\n"),
    }
}

/// `/heapprofiler`, as an Envoy built without one.
pub async fn heap_profiler() -> Response {
    respond::text(StatusCode::NOT_IMPLEMENTED, "The current build does not support heap profiler")
}

/// `/allocprofiler`, as an Envoy built without one.
pub async fn allocation_profiler() -> Response {
    respond::text(
        StatusCode::NOT_IMPLEMENTED,
        "The current build does not support allocation profiler",
    )
}

/// `/heap_dump` and `/peak_heap_dump`, as an Envoy built without them.
pub async fn heap_dump() -> Response {
    respond::text(StatusCode::NOT_IMPLEMENTED, "The current build does not support heap dump")
}

/// `/reset_counters`.
pub async fn reset_counters(State(control): State<Arc<Control>>) -> Response {
    control.reset_counters();
    respond::ok()
}

/// `/reopen_logs`: opens the access logs anew.
pub async fn reopen_logs(State(control): State<Arc<Control>>) -> Response {
    control.reopen_logs();
    respond::ok()
}
