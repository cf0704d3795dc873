//! gRPC status codes in logs and filters.

use ringmain_config::substitution_format::GrpcStatusForm;
use ringmain_proto_codec::KnownHeader;

use super::number::write_number;
use crate::http::exchange::Exchange;
use crate::http::header_matching::is_grpc;

/// Names by code: camel case, snake case.
const NAMES: [(&str, &str); 17] = [
    ("OK", "OK"),
    ("Canceled", "CANCELLED"),
    ("Unknown", "UNKNOWN"),
    ("InvalidArgument", "INVALID_ARGUMENT"),
    ("DeadlineExceeded", "DEADLINE_EXCEEDED"),
    ("NotFound", "NOT_FOUND"),
    ("AlreadyExists", "ALREADY_EXISTS"),
    ("PermissionDenied", "PERMISSION_DENIED"),
    ("ResourceExhausted", "RESOURCE_EXHAUSTED"),
    ("FailedPrecondition", "FAILED_PRECONDITION"),
    ("Aborted", "ABORTED"),
    ("OutOfRange", "OUT_OF_RANGE"),
    ("Unimplemented", "UNIMPLEMENTED"),
    ("Internal", "INTERNAL"),
    ("Unavailable", "UNAVAILABLE"),
    ("DataLoss", "DATA_LOSS"),
    ("Unauthenticated", "UNAUTHENTICATED"),
];

/// The status of a gRPC request's response: its trailers say it, or its headers, or what the HTTP
/// status stands for.
pub fn of_grpc_request(exchange: &Exchange) -> Option<u64> {
    is_grpc(&exchange.request.headers).then(|| of_response(exchange))?
}

/// The same whatever the request was.
pub fn of_response(exchange: &Exchange) -> Option<u64> {
    let trailers = exchange.response_trailers.as_deref();
    let said = trailers
        .and_then(|trailers| trailers.get(KnownHeader::GrpcStatus))
        .or_else(|| exchange.response.headers.get(KnownHeader::GrpcStatus));
    if let Some(said) = said {
        return std::str::from_utf8(said).ok()?.parse().ok();
    }
    match exchange.info.response_code {
        0 => None,
        status => Some(crate::http::local_reply::grpc_status(status).into()),
    }
}

/// Appends `status` in `form`; a status without a name is written as its number.
pub fn write(status: u64, form: GrpcStatusForm, out: &mut Vec<u8>) {
    let names = usize::try_from(status).ok().and_then(|status| NAMES.get(status));
    match (form, names) {
        (GrpcStatusForm::CamelString, Some((camel, _))) => out.extend_from_slice(camel.as_bytes()),
        (GrpcStatusForm::SnakeString, Some((_, snake))) => out.extend_from_slice(snake.as_bytes()),
        (GrpcStatusForm::Number, _) | (_, None) => write_number(status, out),
    }
}
