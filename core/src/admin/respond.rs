//! The headers that every admin reply carries.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// A text reply.
pub fn text(status: StatusCode, body: impl Into<String>) -> Response {
    with_type(status, "text/plain; charset=UTF-8", body.into())
}

/// `OK`, as commands answer.
pub fn ok() -> Response {
    text(StatusCode::OK, "OK\n")
}

/// 400 with the reason.
pub fn bad_request(reason: impl Into<String>) -> Response {
    text(StatusCode::BAD_REQUEST, reason)
}

/// A JSON reply, laid out like Envoy's: one space an indent.
pub fn json(value: &serde_json::Value) -> Response {
    let mut body = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b" ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut body, formatter);
    let serialized = serde::Serialize::serialize(value, &mut serializer);
    debug_assert!(serialized.is_ok(), "a JSON value can be written");
    body.push(b'\n');
    with_type(StatusCode::OK, "application/json", String::from_utf8_lossy(&body).into_owned())
}

/// A reply of another type.
pub fn with_type(status: StatusCode, content_type: &'static str, body: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache, max-age=0")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::SERVER, HeaderValue::from_static("envoy")),
    ];
    (status, headers, body).into_response()
}
