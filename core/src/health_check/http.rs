//! Checks by HTTP: one request, whose response says whether the host can serve.

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, Version};
use ringmain_config::cluster::{CodecClientType, HttpHealthCheck};
use ringmain_config::header_mutation::{AppendAction, HeaderValueOption};

use super::connection::Target;
use super::http_connection::{HttpConnection, Payload, read_body, uri};
use super::payload;
use super::state::{CheckResult, Failure, FailureType};
use crate::stats::scopes::HealthCheckStats;

/// The name by which hosts know checks.
pub const USER_AGENT: &str = "Envoy/HC";

const DEGRADED: &str = "x-envoy-degraded";
const CHECKED_CLUSTER: &str = "x-envoy-upstream-healthchecked-cluster";

/// Checks one host.
#[derive(Debug)]
pub struct HttpChecker {
    config: HttpHealthCheck,
    target: Target,
    reuse_connection: bool,
    /// None where no request can be made of the configuration.
    request: Option<Request<Payload>>,
    connection: Option<HttpConnection>,
}

impl HttpChecker {
    /// For the host at `target`, which is known as `authority`.
    pub fn new(
        config: HttpHealthCheck,
        target: Target,
        authority: &str,
        reuse_connection: bool,
    ) -> Self {
        let request = request(&config, target.scheme(), authority);
        Self { config, target, reuse_connection, request, connection: None }
    }

    /// Lets go of the connection.
    pub fn disconnect(&mut self) {
        self.connection = None;
    }

    /// Asks once.
    pub async fn check(&mut self, stats: &HealthCheckStats) -> CheckResult {
        match self.ask().await {
            Ok((response, body)) => self.judge(&response, &body, stats),
            Err(kind) => {
                self.disconnect();
                CheckResult::Failure(Failure::unanswered(kind))
            }
        }
    }

    async fn ask(&mut self) -> Result<(Response<()>, Vec<u8>), FailureType> {
        let request = self.request.clone().ok_or(FailureType::Network)?;
        let codec = self.config.codec_client_type;
        let connection =
            HttpConnection::reuse_or_open(&mut self.connection, &self.target, codec).await?;
        let (head, mut body) = connection.ask(request).await?.into_parts();
        let kept_max = match (self.config.receive.is_empty(), self.config.response_buffer_size) {
            (true, _) => 0,
            (false, 0) => usize::MAX,
            (false, size) => usize::try_from(size).unwrap_or(usize::MAX),
        };
        let (body, _trailers) = read_body(&mut body, kept_max).await?;
        let response = Response::from_parts(head, ());
        if !self.reuse_connection || closes(&response) {
            self.disconnect();
        }
        Ok((response, body))
    }

    fn judge(&self, response: &Response<()>, body: &[u8], stats: &HealthCheckStats) -> CheckResult {
        let status = response.status().as_u16();
        let retriable = self.config.retriable_statuses.contain(status);
        if !self.config.expected_statuses.contain(status)
            || !payload::holds(body, &self.config.receive)
        {
            return CheckResult::Failure(Failure::answered(status, retriable));
        }
        if let Some(matcher) = &self.config.service_name_matcher {
            stats.verify_cluster.inc();
            let name = response.headers().get(CHECKED_CLUSTER);
            if !matcher.matches(name.map_or(b"", HeaderValue::as_bytes)) {
                return CheckResult::Failure(Failure::answered(status, false));
            }
        }
        CheckResult::Success { degraded: response.headers().contains_key(DEGRADED) }
    }
}

/// Whether the connection is at its end with this response (RFC 9112 §9.3).
fn closes(response: &Response<()>) -> bool {
    let options = response.headers().get_all(hyper::header::CONNECTION);
    let has = |wanted: &str| {
        options
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|option| option.trim().eq_ignore_ascii_case(wanted))
    };
    has("close") || (response.version() == Version::HTTP_10 && !has("keep-alive"))
}

fn request(config: &HttpHealthCheck, scheme: &str, authority: &str) -> Option<Request<Payload>> {
    let codec = config.codec_client_type;
    let uri = uri(codec, scheme, authority, &config.path)?;
    let mut headers = HeaderMap::new();
    if codec == CodecClientType::Http1 || uri.authority().is_none() {
        headers.insert(hyper::header::HOST, HeaderValue::from_str(authority).ok()?);
    }
    headers.insert(hyper::header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    for name in &config.request_headers.remove {
        headers.remove(name.as_str());
    }
    add_headers(&config.request_headers.add, &mut headers);
    if config.send.is_empty() && !matches!(config.method, "GET" | "HEAD" | "DELETE" | "TRACE") {
        headers.insert(hyper::header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    let mut request = Request::new(Payload::new(config.send.clone()));
    *request.method_mut() = Method::from_bytes(config.method.as_bytes()).ok()?;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Some(request)
}

/// Adds what `options` say. What is no header is left out: the field rules have seen to their values.
pub fn add_headers(options: &[HeaderValueOption], headers: &mut HeaderMap) {
    for option in options {
        let text = option.value.literal();
        let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(option.key.as_bytes()), HeaderValue::from_str(&text))
        else {
            continue;
        };
        if value.is_empty() && !option.keep_empty_value {
            continue;
        }
        let present = headers.contains_key(&name);
        match option.append_action {
            AppendAction::AppendIfExistsOrAdd => drop(headers.append(name, value)),
            AppendAction::AddIfAbsent if present => {}
            AppendAction::OverwriteIfExists if !present => {}
            _ => drop(headers.insert(name, value)),
        }
    }
}
