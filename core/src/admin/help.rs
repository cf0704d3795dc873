//! `/help`, and the replies to what is no command.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;

use super::{commands, respond};

/// The list of commands.
pub async fn page() -> Response {
    respond::text(StatusCode::OK, commands::help())
}

/// 404 with the list of commands.
pub async fn unknown_path() -> Response {
    respond::text(StatusCode::NOT_FOUND, format!("invalid path. {}", commands::help()))
}

/// 405 where a command that changes something is asked for by another method than POST.
pub async fn guard_method(request: Request, next: Next) -> Response {
    let mutates = commands::find(request.uri().path()).is_some_and(|command| command.mutates);
    if mutates && request.method() != axum::http::Method::POST {
        let method = request.method();
        let message = format!("Method {method} not allowed, POST required.");
        return respond::text(StatusCode::METHOD_NOT_ALLOWED, message);
    }
    next.run(request).await
}
