//! The headers that every admin reply carries.

use std::io::{self, Write};

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ringmain_config::number::with_enough_digits;
use serde_json::ser::{Formatter, PrettyFormatter};

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
    let layout = Layout(PrettyFormatter::with_indent(b" "));
    let mut serializer = serde_json::Serializer::with_formatter(&mut body, layout);
    let serialized = serde::Serialize::serialize(value, &mut serializer);
    debug_assert!(serialized.is_ok(), "a JSON value can be written");
    body.push(b'\n');
    with_type(StatusCode::OK, "application/json", String::from_utf8_lossy(&body).into_owned())
}

/// One space an indent, and numbers as protobuf has them.
struct Layout(PrettyFormatter<'static>);

impl Formatter for Layout {
    fn write_f64<W: ?Sized + Write>(&mut self, out: &mut W, value: f64) -> io::Result<()> {
        out.write_all(with_enough_digits(value).as_bytes())
    }

    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_array(out)
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array(out)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(out, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array_value(out)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object(out)
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object(out)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(out, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object_value(out)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object_value(out)
    }
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
