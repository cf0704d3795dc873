//! `envoy.config.core.v3.HealthCheck.HttpHealthCheck`.

use std::ops::Range;

use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::config::core::v3::health_check as wire;
use envoy_types::pb::envoy::r#type::v3 as types;

use super::{literal_headers, payload};
use crate::header_mutation::{HeaderMutations, mutable_name};
use crate::matcher::StringMatcher;
use crate::report::{At, Note};

const RESPONSE_BUFFER_SIZE: u64 = 1024;

/// A request and the responses that are wanted.
#[derive(Debug, Clone)]
pub struct HttpHealthCheck {
    /// `host`; empty means the name of the cluster.
    pub host: String,
    /// `path`.
    pub path: String,
    /// `method`, default GET.
    pub method: &'static str,
    /// `send`: the body; empty means none.
    pub send: Vec<u8>,
    /// `receive`: what the body must hold, in this order.
    pub receive: Vec<Vec<u8>>,
    /// `response_buffer_size`, default 1024: how much of the body is looked at; 0 is all of it.
    pub response_buffer_size: u64,
    /// `request_headers_to_add` and `request_headers_to_remove`.
    pub request_headers: HeaderMutations,
    /// `expected_statuses`, default 200.
    pub expected_statuses: StatusRanges,
    /// `retriable_statuses`, default none: they count towards the threshold, where any other
    /// unexpected status fails the host at once.
    pub retriable_statuses: StatusRanges,
    /// `codec_client_type`.
    pub codec_client_type: CodecClientType,
    /// `service_name_matcher`: what `x-envoy-upstream-healthchecked-cluster` must say.
    pub service_name_matcher: Option<StringMatcher>,
}

/// `envoy.type.v3.CodecClientType`, without HTTP3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodecClientType {
    /// `HTTP1`.
    Http1,
    /// `HTTP2`.
    Http2,
}

/// Half-open ranges of statuses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatusRanges(pub Vec<Range<u16>>);

impl StatusRanges {
    /// Whether `status` is in one of them.
    pub fn contain(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }

    fn from_wire(wire: &[types::Int64Range], kind: &str, at: &At<'_>) -> Self {
        let read = |(index, range)| status_range(range, kind, &at.index(index));
        Self(wire.iter().enumerate().filter_map(read).collect())
    }
}

fn status_range(wire: &types::Int64Range, kind: &str, at: &At<'_>) -> Option<Range<u16>> {
    let types::Int64Range { start, end } = *wire;
    let expected = if start >= end {
        format!("expecting start < end, but found start={start} and end={end}")
    } else if start < 100 {
        format!("expecting start >= 100, but found start={start}")
    } else if end > 600 {
        format!("expecting end <= 600, but found end={end}")
    } else {
        return Some(u16::try_from(start).ok()?..u16::try_from(end).ok()?);
    };
    at.error(format!("invalid {kind} status range: {expected}"));
    None
}

impl HttpHealthCheck {
    pub(super) fn from_wire(wire: &wire::HttpHealthCheck, at: &At<'_>) -> Option<Self> {
        let matcher_at = at.field("service_name_matcher");
        let service_name_matcher = match &wire.service_name_matcher {
            Some(matcher) => Some(StringMatcher::from_wire(matcher, &matcher_at)?),
            None => None,
        };
        let method = method(wire.method());
        let send = payload::one(wire.send.as_ref(), &at.field("send"));
        if wire.send.is_some() && !matches!(method, "POST" | "PUT" | "PATCH" | "OPTIONS") {
            at.field("send").error_at_key(
                Note::from(format!(
                    "a {method} request has no body; POST, PUT, PATCH and OPTIONS may have one"
                ))
                .help("set 'method: POST', or remove what is sent"),
            );
        }
        let mut expected_statuses = StatusRanges::from_wire(
            &wire.expected_statuses,
            "expected",
            &at.field("expected_statuses"),
        );
        if wire.expected_statuses.is_empty() {
            expected_statuses.0.push(200..201);
        }
        Some(Self {
            host: wire.host.clone(),
            path: path(&wire.path, &at.field("path")),
            method,
            send,
            receive: payload::list(&wire.receive, &at.field("receive")),
            response_buffer_size: wire
                .response_buffer_size
                .map_or(RESPONSE_BUFFER_SIZE, |size| size.value),
            request_headers: request_headers(wire, at),
            expected_statuses,
            retriable_statuses: StatusRanges::from_wire(
                &wire.retriable_statuses,
                "retriable",
                &at.field("retriable_statuses"),
            ),
            codec_client_type: match wire.codec_client_type() {
                types::CodecClientType::Http2 => CodecClientType::Http2,
                _ => CodecClientType::Http1,
            },
            service_name_matcher,
        })
    }
}

/// Envoy sends whatever stands here, also what no server can read.
fn path(path: &str, at: &At<'_>) -> String {
    if !path.starts_with('/') || !path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        at.error(
            Note::from(format!(
                "'{path}' is no path: it begins with '/' and has neither blanks nor '#'"
            ))
            .help("write '%20' for a blank"),
        );
    }
    path.to_owned()
}

fn method(wire: core::RequestMethod) -> &'static str {
    match wire {
        core::RequestMethod::MethodUnspecified => "GET",
        given => given.as_str_name(),
    }
}

fn request_headers(wire: &wire::HttpHealthCheck, at: &At<'_>) -> HeaderMutations {
    let remove_at = at.field("request_headers_to_remove");
    let remove = wire.request_headers_to_remove.iter().enumerate();
    HeaderMutations {
        add: literal_headers(&wire.request_headers_to_add, &at.field("request_headers_to_add")),
        remove: remove
            .filter_map(|(index, name)| mutable_name(name, "removed", &remove_at.index(index)))
            .collect(),
    }
}
