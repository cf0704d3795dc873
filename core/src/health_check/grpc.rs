//! Checks by gRPC: `grpc.health.v1.Health/Check`, as the gRPC health checking protocol has it.

use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, TE, USER_AGENT};
use hyper::{Method, Request, Response, StatusCode};
use prost::Message;
use ringmain_config::cluster::{CodecClientType, GrpcHealthCheck};

use super::connection::Target;
use super::http::{self, add_headers};
use super::http_connection::{HttpConnection, Payload, read_body, uri};
use super::state::{CheckResult, Failure, FailureType};

const PATH: &str = "/grpc.health.v1.Health/Check";
const GRPC_STATUS: &str = "grpc-status";
/// `grpc.health.v1.HealthCheckResponse.SERVING`.
const SERVING: i32 = 1;
/// The answer is a few bytes; what is longer than this is none.
const ANSWER_BYTES_MAX: usize = 4096;
/// A flag and a length before each message.
const MESSAGE_HEAD_BYTES: usize = 5;

/// `grpc.health.v1.HealthCheckRequest`.
#[derive(Clone, PartialEq, Message)]
struct HealthCheckRequest {
    #[prost(string, tag = "1")]
    service: String,
}

/// `grpc.health.v1.HealthCheckResponse`.
#[derive(Clone, PartialEq, Message)]
struct HealthCheckResponse {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// Checks one host.
#[derive(Debug)]
pub struct GrpcChecker {
    target: Target,
    reuse_connection: bool,
    /// None where no request can be made of the configuration.
    request: Option<Request<Payload>>,
    connection: Option<HttpConnection>,
}

impl GrpcChecker {
    /// For the host at `target`, which is known as `authority`.
    pub fn new(
        config: &GrpcHealthCheck,
        target: Target,
        authority: &str,
        reuse_connection: bool,
    ) -> Self {
        let request = request(config, target.scheme(), authority);
        Self { target, reuse_connection, request, connection: None }
    }

    /// Lets go of the connection, unless it may serve the next check too.
    pub fn end_use(&mut self) {
        if !self.reuse_connection {
            self.connection = None;
        }
    }

    /// Asks once. Whatever the answer says but that it serves takes the host out.
    pub async fn check(&mut self) -> CheckResult {
        match self.ask().await {
            Ok(true) => CheckResult::Success { degraded: false },
            Ok(false) => CheckResult::Failure(Failure::answered(0, false)),
            Err(kind) => {
                self.connection = None;
                CheckResult::Failure(Failure::unanswered(kind))
            }
        }
    }

    async fn ask(&mut self) -> Result<bool, FailureType> {
        let request = self.request.clone().ok_or(FailureType::Network)?;
        let codec = CodecClientType::Http2;
        let connection =
            HttpConnection::reuse_or_open(&mut self.connection, &self.target, codec).await?;
        let (head, mut body) = connection.ask(request).await?.into_parts();
        let response = Response::from_parts(head, ());
        let serves = match is_grpc(&response) {
            false => false,
            true => {
                let (answer, trailers) = read_body(&mut body, ANSWER_BYTES_MAX).await?;
                is_ok(&response, trailers.as_ref()) && says_serving(&answer)
            }
        };
        self.end_use();
        Ok(serves)
    }
}

fn is_grpc(response: &Response<()>) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    let rest = kind.strip_prefix(b"application/grpc");
    response.status() == StatusCode::OK && rest.is_some_and(|rest| matches!(rest, [] | [b'+', ..]))
}

/// `grpc-status` stands in the trailers, or in the head where there is nothing else.
fn is_ok(response: &Response<()>, trailers: Option<&HeaderMap>) -> bool {
    let status = trailers.unwrap_or(response.headers()).get(GRPC_STATUS);
    status.is_some_and(|status| status == "0")
}

/// One message, uncompressed, that says SERVING.
fn says_serving(answer: &[u8]) -> bool {
    let Some((head, message)) = answer.split_at_checked(MESSAGE_HEAD_BYTES) else { return false };
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
    head[0] == 0
        && usize::try_from(length) == Ok(message.len())
        && HealthCheckResponse::decode(message).is_ok_and(|response| response.status == SERVING)
}

fn request(config: &GrpcHealthCheck, scheme: &str, authority: &str) -> Option<Request<Payload>> {
    let uri = uri(CodecClientType::Http2, scheme, authority, PATH)?;
    let mut headers = HeaderMap::new();
    if uri.authority().is_none() {
        headers.insert(hyper::header::HOST, HeaderValue::from_str(authority).ok()?);
    }
    headers.insert(TE, HeaderValue::from_static("trailers"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(USER_AGENT, HeaderValue::from_static(http::USER_AGENT));
    add_headers(&config.initial_metadata, &mut headers);
    let mut request = Request::new(Payload::new(framed(&config.service_name)));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Some(request)
}

/// The request's message with its head.
fn framed(service: &str) -> Vec<u8> {
    let message = HealthCheckRequest { service: service.to_owned() }.encode_to_vec();
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    [&[0], &length.to_be_bytes()[..], &message].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_that_says_serving_is_a_yes() {
        let answer = |status: &[u8]| {
            let length = u8::try_from(status.len()).unwrap();
            [&[0, 0, 0, 0, length], status].concat()
        };
        assert!(says_serving(&answer(&[8, 1])));
        for status in [&[8, 2][..], &[8, 0], &[], &[8], &[0xff; 3]] {
            assert!(!says_serving(&answer(status)), "{status:?}");
        }
        let mut compressed = answer(&[8, 1]);
        compressed[0] = 1;
        assert!(!says_serving(&compressed));
        assert!(!says_serving(&[answer(&[8, 1]), answer(&[8, 1])].concat()));
        assert!(!says_serving(&[0, 0, 0]));
    }

    #[test]
    fn the_service_is_named_in_one_message() {
        assert_eq!(framed(""), [0, 0, 0, 0, 0]);
        assert_eq!(framed("ab"), [0, 0, 0, 0, 4, 10, 2, b'a', b'b']);
    }
}
