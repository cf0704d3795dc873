//! The admin listener: Envoy's endpoints and formats, served on the control thread.

mod address;
mod buckets;
mod certs;
mod clusters;
mod commands;
mod config_dump;
mod ecs;
mod field_mask;
mod health;
mod help;
mod home;
mod listeners;
mod logging;
mod places;
mod process;
mod prometheus;
mod respond;
mod serve;
mod server_info;
mod stats;
mod stats_query;

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::routing::any;
use socket2::Socket;

use self::serve::Listener;
use crate::server::Control;

/// Serves on `socket` in the background.
pub fn start(control: Arc<Control>, socket: Socket) -> io::Result<()> {
    let listener = Listener::new(socket)?;
    let routes = routes(control.clone());
    tokio::spawn(serve::accept(control, listener, routes));
    Ok(())
}

fn routes(control: Arc<Control>) -> Router {
    Router::new()
        .route("/", any(home::page))
        .route("/allocprofiler", any(process::allocation_profiler))
        .route("/certs", any(certs::list))
        .route("/clusters", any(clusters::list))
        .route("/config_dump", any(config_dump::dump))
        .route("/contention", any(process::contention))
        .route("/cpuprofiler", any(process::cpu_profiler))
        .route("/drain_listeners", any(health::drain))
        .route("/ecs", any(ecs::list))
        .route("/healthcheck/fail", any(health::fail))
        .route("/healthcheck/ok", any(health::pass))
        .route("/heap_dump", any(process::heap_dump))
        .route("/heapprofiler", any(process::heap_profiler))
        .route("/help", any(help::page))
        .route("/hot_restart_version", any(process::hot_restart_version))
        .route("/init_dump", any(process::init_dump))
        .route("/listeners", any(listeners::list))
        .route("/logging", any(logging::change))
        .route("/memory", any(process::memory))
        .route("/peak_heap_dump", any(process::heap_dump))
        .route("/quitquitquit", any(health::quit))
        .route("/ready", any(health::ready))
        .route("/reopen_logs", any(process::reopen_logs))
        .route("/reset_counters", any(process::reset_counters))
        .route("/runtime", any(process::runtime))
        .route("/runtime_modify", any(process::runtime_modify))
        .route("/server_info", any(server_info::describe))
        .route("/stats", any(stats::list))
        .route("/stats/prometheus", any(stats::expose))
        .fallback(help::unknown_path)
        .layer(axum::middleware::from_fn(help::guard_method))
        .with_state(control)
}
