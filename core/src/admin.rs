//! The admin listener: Envoy's endpoints and formats, served on the control thread.

mod clusters;
mod help;
mod home;
mod listeners;
mod logs;
mod prometheus;
mod ready;
mod respond;
mod server_info;
mod stats;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::server::Control;

/// Serves on `socket` in the background; returns its address.
pub fn start(control: Arc<Control>, socket: TcpListener) -> io::Result<SocketAddr> {
    socket.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(socket)?;
    let address = listener.local_addr()?;
    tokio::spawn(serve(listener, routes(control)));
    Ok(address)
}

async fn serve(listener: tokio::net::TcpListener, routes: Router) {
    if let Err(error) = axum::serve(listener, routes).await {
        tracing::error!(%error, "the admin listener has ended");
    }
}

fn routes(control: Arc<Control>) -> Router {
    Router::new()
        .route("/", get(home::page))
        .route("/help", get(help::page))
        .route("/ready", get(ready::state))
        .route("/server_info", get(server_info::describe))
        .route("/stats", get(stats::list))
        .route("/stats/prometheus", get(prometheus::expose))
        .route("/clusters", get(clusters::list))
        .route("/listeners", get(listeners::list))
        .route("/reopen_logs", post(logs::reopen))
        .route("/quitquitquit", post(ready::quit))
        .fallback(help::unknown_path)
        .method_not_allowed_fallback(help::wrong_method)
        .with_state(control)
}
