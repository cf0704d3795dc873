//! `/server_info`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use super::{ready, respond};
use crate::server::Control;
use crate::server::args::DrainStrategy;

/// The Envoy version whose behaviour this is, and our own.
const VERSION: &str =
    concat!("ringmain-", env!("CARGO_PKG_VERSION"), "/1.40.0/Clean/RELEASE/rustls");

/// Version, state, uptime, command line and node.
pub async fn describe(State(control): State<Arc<Control>>) -> Response {
    let args = &control.args;
    let uptime = format!("{}s", control.started.elapsed().as_secs());
    let path = args.config_path.as_ref().map(|path| path.display().to_string());
    let admin_path = args.admin_address_path.as_ref().map(|path| path.display().to_string());
    respond::json(&json!({
        "version": VERSION,
        "state": ready::name(control.state()),
        "uptime_current_epoch": uptime,
        "uptime_all_epochs": uptime,
        "hot_restart_version": "disabled",
        "command_line_options": {
            "base_id": args.base_id.unwrap_or(0).to_string(),
            "concurrency": control.compiled.workers,
            "config_path": path.unwrap_or_default(),
            "config_yaml": args.config_yaml.clone().unwrap_or_default(),
            "allow_unknown_static_fields": args.allow_unknown_static_fields,
            "admin_address_path": admin_path.unwrap_or_default(),
            "log_level": format!("{:?}", args.log_level).to_lowercase(),
            "service_cluster": args.service_cluster.clone().unwrap_or_default(),
            "service_node": args.service_node.clone().unwrap_or_default(),
            "service_zone": args.service_zone.clone().unwrap_or_default(),
            "drain_time": format!("{}s", args.drain_time_s.unwrap_or(600)),
            "mode": format!("{:?}", args.mode),
            "disable_hot_restart": true,
            "restart_epoch": 0,
            "drain_strategy": format!("{:?}", args.drain_strategy.unwrap_or(DrainStrategy::Gradual)),
        },
        "node": {
            "id": control.node.id,
            "cluster": control.node.cluster,
            "locality": {
                "region": control.node.locality.region,
                "zone": control.node.locality.zone,
                "sub_zone": control.node.locality.sub_zone,
            },
            "user_agent_name": "envoy",
        },
    }))
}
