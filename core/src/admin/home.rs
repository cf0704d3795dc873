//! `/`: a page of links.

use axum::http::StatusCode;
use axum::response::Response;

use super::respond;

const PAGE: &str = include_str!("home.html");

/// The page.
pub async fn page() -> Response {
    respond::with_type(StatusCode::OK, "text/html; charset=UTF-8", PAGE.to_owned())
}
