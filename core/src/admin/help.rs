//! `/help`, and the replies to what is no command.

use axum::http::StatusCode;
use axum::response::Response;

use super::respond;

/// The commands, in order.
const COMMANDS: [(&str, &str); 10] = [
    ("/", "Admin home page"),
    ("/clusters", "upstream cluster status"),
    ("/help", "print out list of admin commands"),
    ("/listeners", "print listener info"),
    ("/quitquitquit (POST)", "drain and exit the server"),
    ("/ready", "print server state, return 200 if LIVE, otherwise return 503"),
    ("/reopen_logs (POST)", "reopen access logs"),
    ("/server_info", "print server version/status information"),
    ("/stats", "print server stats: usedonly, filter, format (text, json), type"),
    ("/stats/prometheus", "print server stats in prometheus format: usedonly, filter"),
];

fn commands() -> String {
    let mut text = String::from("admin commands are:\n");
    for (path, what) in COMMANDS {
        text.push_str(&format!("  {path}: {what}\n"));
    }
    text
}

/// The list of commands.
pub async fn page() -> Response {
    respond::text(StatusCode::OK, commands())
}

/// 404 with the list of commands.
pub async fn unknown_path() -> Response {
    respond::text(StatusCode::NOT_FOUND, format!("invalid path. {}", commands()))
}

/// 405: a command that changes something takes POST, one that shows something GET.
pub async fn wrong_method() -> Response {
    respond::text(
        StatusCode::METHOD_NOT_ALLOWED,
        "Method Not Allowed: commands that change something take POST, the others GET\n",
    )
}
