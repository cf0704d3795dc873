//! `/server_info`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use super::{health, respond};
use crate::server::Control;
use crate::server::args::{Args, DrainStrategy};

/// The Envoy version whose behaviour this is, and our own.
const VERSION: &str =
    concat!("ringmain-", env!("CARGO_PKG_VERSION"), "/1.40.0/Clean/RELEASE/rustls");

/// Version, state, uptime, command line and node.
pub async fn describe(State(control): State<Arc<Control>>) -> Response {
    let uptime = format!("{}s", control.started.elapsed().as_secs());
    let mut node = node(&control);
    node["client_features"] = json!([]);
    node["listening_addresses"] = json!([]);
    node["dynamic_parameters"] = json!({});
    respond::json(&json!({
        "version": VERSION,
        "state": health::name(control.state()),
        "uptime_current_epoch": uptime,
        "uptime_all_epochs": uptime,
        "hot_restart_version": "disabled",
        "command_line_options": command_line(&control.boot.args, control.compiled.workers),
        "node": node,
        "hot_restart_initializing": false,
    }))
}

fn command_line(args: &Args, workers: usize) -> Value {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let path = |path: &Option<std::path::PathBuf>| {
        path.as_ref().map(|path| path.display().to_string()).unwrap_or_default()
    };
    let flush_ms = args.file_flush_interval_msec;
    let flush = match flush_ms % 1000 {
        0 => format!("{}s", flush_ms / 1000),
        rest => format!("{}.{rest:03}s", flush_ms / 1000),
    };
    json!({
        "base_id": args.base_id.unwrap_or(0).to_string(),
        "concurrency": workers,
        "config_path": path(&args.config_path),
        "config_yaml": text(&args.config_yaml),
        "allow_unknown_static_fields": args.allow_unknown_static_fields,
        "admin_address_path": path(&args.admin_address_path),
        "log_level": args.log_level.name(),
        "component_log_level": text(&args.component_log_level),
        "log_path": path(&args.log_path),
        "service_cluster": text(&args.service_cluster),
        "service_node": text(&args.service_node),
        "service_zone": text(&args.service_zone),
        "file_flush_interval": flush,
        "drain_time": format!("{}s", args.drain_time().as_secs()),
        "parent_shutdown_time": format!("{}s", args.parent_shutdown_time_s.unwrap_or(900)),
        "mode": format!("{:?}", args.mode),
        "disable_hot_restart": true,
        "restart_epoch": 0,
        "cpuset_threads": args.cpuset_threads,
        "drain_strategy": format!("{:?}", args.drain_strategy.unwrap_or(DrainStrategy::Gradual)),
    })
}

/// `node`, as this process would name itself to others.
pub fn node(control: &Control) -> Value {
    let node = &control.boot.node;
    let mut described = json!({ "id": node.id, "cluster": node.cluster });
    let locality = super::clusters::locality(&node.locality);
    if locality.as_object().is_some_and(|locality| !locality.is_empty()) {
        described["locality"] = locality;
    }
    described["user_agent_name"] = json!("envoy");
    described["user_agent_build_version"] = json!({
        "version": { "major_number": 1, "minor_number": 40 },
        "metadata": { "build.type": "RELEASE", "ssl.version": "rustls" },
    });
    described
}
