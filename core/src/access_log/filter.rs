//! Holding a stream against the filter of an access log or of a mapper of local replies.

use ringmain_config::access_log::{AccessLogFilter, Comparison};
use ringmain_config::fraction::Fraction;
use ringmain_config::matcher::MetadataMatcher;
use ringmain_proto_codec::KnownHeader;

use super::evaluator::Evaluator;
use super::grpc_status;
use crate::http::ResponseFlags;
use crate::http::header_matching::CompiledHeaderMatcher;
use crate::http::stream::millis;

/// What a stream has to be like.
#[derive(Debug)]
pub enum Filter {
    /// Any stream, or none.
    Constant(bool),
    /// The status.
    StatusCode(Comparison),
    /// It is none of a health check.
    NotHealthCheck,
    /// How long it has lasted, in milliseconds.
    Duration(Comparison),
    /// Whether it is among a fraction, by the beginning of its request id.
    RequestId(Fraction),
    /// The same by a number drawn for it.
    Drawn(Fraction),
    /// All of these.
    And(Box<[Filter]>),
    /// One of these.
    Or(Box<[Filter]>),
    /// A header of the request.
    Header(Box<CompiledHeaderMatcher>),
    /// Any response flag.
    AnyFlag,
    /// One of these flags.
    Flags(ResponseFlags),
    /// The gRPC status.
    GrpcStatus {
        /// It is one of these,
        statuses: Box<[u64]>,
        /// or, the other way round, none of them.
        exclude: bool,
    },
    /// What filters have noted.
    Metadata {
        /// What a value is held against.
        matcher: Box<MetadataMatcher>,
        /// What holds where there is none.
        otherwise: bool,
    },
    /// Why a line is written.
    LogType {
        /// It is one of these, as `%ACCESS_LOG_TYPE%` writes them,
        types: Box<[&'static str]>,
        /// or, the other way round, none of them.
        exclude: bool,
    },
}

/// Envoy's `UNKNOWN`, which a stream without any status counts as.
const GRPC_UNKNOWN: u64 = 2;

impl Filter {
    /// Compiles `config`.
    pub fn new(config: &AccessLogFilter) -> Self {
        use AccessLogFilter as Config;
        let list = |filters: &[Config]| filters.iter().map(Self::new).collect();
        match config {
            Config::StatusCode(comparison) => Self::StatusCode(*comparison),
            Config::Duration(comparison) => Self::Duration(*comparison),
            Config::NotHealthCheck => Self::NotHealthCheck,
            Config::Traceable => Self::Constant(false),
            Config::Runtime { percent_sampled, use_independent_randomness: false } => {
                Self::RequestId(*percent_sampled)
            }
            Config::Runtime { percent_sampled, .. } => Self::Drawn(*percent_sampled),
            Config::And(filters) => Self::And(list(filters)),
            Config::Or(filters) => Self::Or(list(filters)),
            Config::Header(matcher) => {
                Self::Header(Box::new(CompiledHeaderMatcher::new(matcher.clone())))
            }
            Config::ResponseFlag(names) if names.is_empty() => Self::AnyFlag,
            Config::ResponseFlag(names) => Self::Flags(ResponseFlags::named(names)),
            Config::GrpcStatus { statuses, exclude } => {
                Self::GrpcStatus { statuses: statuses.as_slice().into(), exclude: *exclude }
            }
            Config::Metadata { matcher: None, match_if_key_not_found } => {
                Self::Constant(*match_if_key_not_found)
            }
            Config::Metadata { matcher: Some(matcher), match_if_key_not_found } => {
                let otherwise = *match_if_key_not_found;
                Self::Metadata { matcher: Box::new(matcher.clone()), otherwise }
            }
            Config::LogType { types, exclude } => {
                Self::LogType { types: types.as_slice().into(), exclude: *exclude }
            }
        }
    }

    /// Whether the stream is one that the filter is for. `draw` gives a random number.
    pub fn passes(&self, stream: &Evaluator<'_>, draw: &dyn Fn() -> u64) -> bool {
        let info = &stream.exchange.info;
        match self {
            Self::Constant(passes) => *passes,
            Self::StatusCode(comparison) => comparison.holds(info.response_code.into()),
            Self::NotHealthCheck => !info.health_check,
            Self::Duration(comparison) => {
                comparison.holds(millis(stream.now.saturating_duration_since(info.started)))
            }
            Self::RequestId(fraction) => {
                let id = stream.exchange.request.headers.get(KnownHeader::XRequestId);
                fraction.includes(id.and_then(leading_number).unwrap_or_else(draw))
            }
            Self::Drawn(fraction) => fraction.includes(draw()),
            Self::And(filters) => filters.iter().all(|filter| filter.passes(stream, draw)),
            Self::Or(filters) => filters.iter().any(|filter| filter.passes(stream, draw)),
            Self::Header(matcher) => matcher.matches(&stream.exchange.request.headers),
            Self::AnyFlag => !info.flags.is_empty(),
            Self::Flags(flags) => info.flags.intersects(*flags),
            Self::GrpcStatus { statuses, exclude } => {
                let status = grpc_status::of_response(stream.exchange).unwrap_or(GRPC_UNKNOWN);
                statuses.contains(&status) != *exclude
            }
            Self::Metadata { matcher, otherwise } => {
                let metadata = info.dynamic_metadata.get();
                let metadata = metadata.and_then(|metadata| metadata.0.get(&matcher.filter));
                // As in Envoy, `invert` has no effect here.
                let found = matcher.find(metadata);
                found.map_or(*otherwise, |value| matcher.value.matches(Some(value)))
            }
            Self::LogType { types, exclude } => types.contains(&stream.log_type.name()) != *exclude,
        }
    }
}

/// The number that the first eight digits of a UUID are.
fn leading_number(id: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(id.get(..8)?).ok()?;
    u64::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_begins_with_a_number() {
        assert_eq!(leading_number(b"0000001f-0000-4000-8000-000000000000"), Some(31));
        assert_eq!(leading_number(b"ffffffff"), Some(0xffff_ffff));
        assert_eq!(leading_number(b"fffffff"), None);
        assert_eq!(leading_number(b"request-1"), None);
    }
}
