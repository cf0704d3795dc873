//! What went wrong with a call, and what that means for the next one.

use std::error::Error;
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::{Action, clock};
use crate::discovery::schedule::Setback;

/// A call that has failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", action.name())]
pub struct ApiError {
    /// The call.
    pub action: Action,
    /// What kind of failure it was.
    pub kind: ErrorKind,
    /// What happened and what to do.
    pub message: String,
}

/// Kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// Asked too often; the API may say how long to wait.
    Throttled(Option<Duration>),
    /// A permission is missing.
    Denied,
    /// The cluster, service or namespace is not there.
    NotFound,
    /// The signature is of another time than that of the API: so many seconds ahead of the machine's
    /// clock, which the next call is signed by.
    ClockOff(i64),
    /// There are no credentials, or they are not valid (any more).
    Credentials,
    /// The request makes no sense to the API.
    Invalid,
    /// There was no way to the API.
    Unreachable,
    /// No answer, not a whole one, or one that says the server is to blame.
    Passing,
}

impl ApiError {
    /// What a failed call came to.
    pub fn new<E>(action: Action, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: Error + ProvideErrorMetadata + 'static,
    {
        let service = error.as_service_error();
        let code = service.and_then(ProvideErrorMetadata::code);
        let chain = chain(error);
        let kind = match error {
            SdkError::ServiceError(_) => kind_of_answer(code, error.raw_response()),
            _ if chain.to_lowercase().contains("credential") => ErrorKind::Credentials,
            SdkError::DispatchFailure(_) => ErrorKind::Unreachable,
            _ => ErrorKind::Passing,
        };
        let what = match (code, service.and_then(ProvideErrorMetadata::message)) {
            (Some(code), Some(said)) => format!("{code}: {said}"),
            (Some(code), None) => code.to_owned(),
            (None, _) => match error.raw_response() {
                Some(answer) => unreadable(answer.status().as_u16(), &chain),
                None => chain,
            },
        };
        Self { action, kind, message: format!("{what}{}", advice(kind, action)) }
    }

    /// A failure that is no SDK error.
    pub fn of(action: Action, kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { action, kind, message: message.into() }
    }

    /// Names what was asked for, where that may be why it failed.
    pub fn asked_for(mut self, what: impl FnOnce() -> String) -> Self {
        if matches!(self.kind, ErrorKind::NotFound | ErrorKind::Invalid | ErrorKind::Unreachable) {
            self.message = format!("{} (asked for {})", self.message, what());
        }
        self
    }

    /// What it means for the next call.
    pub fn setback(&self) -> Setback {
        match self.kind {
            ErrorKind::Throttled(after) => Setback::Throttled(after),
            ErrorKind::Denied | ErrorKind::NotFound | ErrorKind::Invalid => Setback::Lasting,
            ErrorKind::ClockOff(_)
            | ErrorKind::Credentials
            | ErrorKind::Unreachable
            | ErrorKind::Passing => Setback::Passing,
        }
    }
}

/// Of an answer that is none of the API's.
fn unreadable(status: u16, chain: &str) -> String {
    let why = chain.rsplit("unhandled error: ").next().unwrap_or_default();
    format!("the answer, of status {status}, cannot be read: {why}")
}

/// What an answer means that is an error. One that refuses a signature may have the clock put right.
fn kind_of_answer(code: Option<&str>, answer: Option<&HttpResponse>) -> ErrorKind {
    let header = |name| answer.and_then(|answer| answer.headers().get(name));
    let retry_after = header("retry-after").and_then(|seconds| seconds.parse().ok());
    let status = answer.map(|answer| answer.status().as_u16());
    let kind = kind_of(code, status, retry_after.map(Duration::from_secs));
    let date = header("date").filter(|_| kind == ErrorKind::Credentials);
    date.and_then(clock::follow).map_or(kind, ErrorKind::ClockOff)
}

/// The kind that an error code and a status stand for.
pub(super) fn kind_of(
    code: Option<&str>,
    status: Option<u16>,
    retry_after: Option<Duration>,
) -> ErrorKind {
    match code.unwrap_or_default() {
        "ThrottlingException"
        | "Throttling"
        | "ThrottledException"
        | "TooManyRequestsException"
        | "RequestThrottled"
        | "RequestLimitExceeded"
        | "SlowDown"
        | "LimitExceededException" => ErrorKind::Throttled(retry_after),
        "AccessDeniedException" | "AccessDenied" | "UnauthorizedOperation" => ErrorKind::Denied,
        "ClusterNotFoundException"
        | "ServiceNotFoundException"
        | "ServiceNotFound"
        | "NamespaceNotFound" => ErrorKind::NotFound,
        "ExpiredTokenException"
        | "ExpiredToken"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "MissingAuthenticationTokenException"
        | "IncompleteSignature"
        | "RequestExpired"
        | "RequestInTheFuture"
        | "RequestTimeTooSkewed"
        | "AuthFailure" => ErrorKind::Credentials,
        _ if status == Some(429) => ErrorKind::Throttled(retry_after),
        _ if status.is_some_and(|status| (400..500).contains(&status)) && code.is_some() => {
            ErrorKind::Invalid
        }
        _ => ErrorKind::Passing,
    }
}

fn advice(kind: ErrorKind, action: Action) -> String {
    match kind {
        ErrorKind::Denied => format!("; allow the role '{}'", action.permission()),
        ErrorKind::ClockOff(ahead) => format!(
            "; AWS is {ahead} s ahead of this machine's clock: set it, calls are signed by AWS' time until then"
        ),
        ErrorKind::NotFound => "; check name, region and account".to_owned(),
        ErrorKind::Credentials => "; credentials come from the environment, the profile, the task \
                                   role or IMDSv2 (in a bridged container the instance's hop limit \
                                   must be 2)"
            .to_owned(),
        ErrorKind::Unreachable => {
            "; check 'endpoint' and 'region', and that there is a way there (NAT, VPC \
                                   endpoint)"
                .to_owned()
        }
        ErrorKind::Throttled(_) | ErrorKind::Invalid | ErrorKind::Passing => String::new(),
    }
}

/// An error and what lies behind it.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_statuses_tell_the_kind() {
        let second = Some(Duration::from_secs(1));
        for (code, status, expected) in [
            (Some("ThrottlingException"), 400, ErrorKind::Throttled(second)),
            (Some("RequestLimitExceeded"), 503, ErrorKind::Throttled(second)),
            (None, 429, ErrorKind::Throttled(second)),
            (Some("AccessDeniedException"), 400, ErrorKind::Denied),
            (Some("UnauthorizedOperation"), 403, ErrorKind::Denied),
            (Some("ClusterNotFoundException"), 400, ErrorKind::NotFound),
            (Some("ExpiredTokenException"), 400, ErrorKind::Credentials),
            (Some("InvalidParameterException"), 400, ErrorKind::Invalid),
            (Some("ServerException"), 500, ErrorKind::Passing),
            (None, 503, ErrorKind::Passing),
            (None, 400, ErrorKind::Passing),
        ] {
            assert_eq!(kind_of(code, Some(status), second), expected, "{code:?} {status}");
        }
    }

    #[test]
    fn an_answer_that_cannot_be_read_is_told_by_its_status() {
        let chain = "service error: unhandled error: failed to parse JSON: found: None";
        let told = "the answer, of status 200, cannot be read: failed to parse JSON: found: None";
        assert_eq!(unreadable(200, chain), told);
        let told = "the answer, of status 502, cannot be read: response error";
        assert_eq!(unreadable(502, "response error"), told);
    }

    #[test]
    fn a_missing_permission_is_named() {
        assert_eq!(
            advice(ErrorKind::Denied, Action::DescribeInstances),
            "; allow the role 'ec2:DescribeInstances'"
        );
    }
}
