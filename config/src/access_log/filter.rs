//! Which streams a log or a mapper of local replies is for
//! (`envoy.config.accesslog.v3.AccessLogFilter`).

use envoy_types::pb::envoy::config::accesslog::v3 as wire;
use envoy_types::pb::envoy::data::accesslog::v3::AccessLogType;
use wire::access_log_filter::FilterSpecifier;
use wire::comparison_filter::Op;

use crate::fraction::Fraction;
use crate::matcher::{HeaderMatcher, MetadataMatcher};
use crate::report::{At, Note};

/// `filter_specifier`.
#[derive(Debug, Clone, PartialEq)]
pub enum AccessLogFilter {
    /// `status_code_filter`: 0 where nothing was sent.
    StatusCode(Comparison),
    /// `duration_filter`, in milliseconds.
    Duration(Comparison),
    /// `not_health_check_filter`.
    NotHealthCheck,
    /// `traceable_filter`.
    Traceable,
    /// `runtime_filter`.
    Runtime {
        /// `percent_sampled`, default none. A runtime value stands for its numerator.
        percent_sampled: Fraction,
        /// `use_independent_randomness`, default false: the number is the beginning of
        /// `x-request-id`, so that all logs keep the same requests.
        use_independent_randomness: bool,
    },
    /// `and_filter`.
    And(Vec<AccessLogFilter>),
    /// `or_filter`.
    Or(Vec<AccessLogFilter>),
    /// `header_filter`: of the request.
    Header(HeaderMatcher),
    /// `response_flag_filter.flags`, by their short names; empty means any flag.
    ResponseFlag(Vec<String>),
    /// `grpc_status_filter`.
    GrpcStatus {
        /// `statuses`.
        statuses: Vec<u64>,
        /// `exclude`, default false.
        exclude: bool,
    },
    /// `metadata_filter`.
    Metadata {
        /// `matcher`.
        matcher: Option<MetadataMatcher>,
        /// `match_if_key_not_found`, default true.
        match_if_key_not_found: bool,
    },
    /// `log_type_filter`.
    LogType {
        /// `types`, as `%ACCESS_LOG_TYPE%` writes them.
        types: Vec<&'static str>,
        /// `exclude`, default false.
        exclude: bool,
    },
}

/// `envoy.config.accesslog.v3.ComparisonFilter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comparison {
    /// `op`, default EQ.
    pub op: ComparisonOp,
    /// `value`.
    pub value: u64,
}

/// `envoy.config.accesslog.v3.ComparisonFilter.Op`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComparisonOp {
    /// `EQ`.
    Equal,
    /// `GE`.
    GreaterOrEqual,
    /// `LE`.
    LessOrEqual,
    /// `NE`.
    NotEqual,
}

impl Comparison {
    /// Whether `number` is as the comparison wants it.
    pub fn holds(self, number: u64) -> bool {
        let value = self.value;
        match self.op {
            ComparisonOp::Equal => number == value,
            ComparisonOp::GreaterOrEqual => number >= value,
            ComparisonOp::LessOrEqual => number <= value,
            ComparisonOp::NotEqual => number != value,
        }
    }

    fn from_wire(wire: Option<&wire::ComparisonFilter>, at: &At<'_>) -> Option<Self> {
        let wire = wire?;
        let value = wire.value.as_ref()?;
        let op = match wire.op() {
            Op::Eq => ComparisonOp::Equal,
            Op::Ge => ComparisonOp::GreaterOrEqual,
            Op::Le => ComparisonOp::LessOrEqual,
            Op::Ne => ComparisonOp::NotEqual,
        };
        let of_runtime = at.runtime().integer(&value.runtime_key);
        Some(Self { op, value: of_runtime.unwrap_or(value.default_value.into()) })
    }
}

impl AccessLogFilter {
    /// Reads the filter that `at` stands for; `None` where it is wrong, or of a kind that the user
    /// wants ignored.
    pub(crate) fn from_wire(wire: &wire::AccessLogFilter, at: &At<'_>) -> Option<Self> {
        use FilterSpecifier as F;
        Some(match wire.filter_specifier.as_ref()? {
            F::StatusCodeFilter(filter) => {
                let at = at.field("status_code_filter");
                Self::StatusCode(Comparison::from_wire(filter.comparison.as_ref(), &at)?)
            }
            F::DurationFilter(filter) => {
                let at = at.field("duration_filter");
                Self::Duration(Comparison::from_wire(filter.comparison.as_ref(), &at)?)
            }
            F::NotHealthCheckFilter(_) => Self::NotHealthCheck,
            F::TraceableFilter(_) => {
                at.field("traceable_filter").warn(
                    Note::from("no request is traced, so none passes")
                        .help("ringmain does not trace; remove the filter"),
                );
                Self::Traceable
            }
            F::RuntimeFilter(filter) => Self::runtime(filter, &at.field("runtime_filter")),
            F::AndFilter(filter) => {
                Self::And(Self::list(&filter.filters, &at.field("and_filter"))?)
            }
            F::OrFilter(filter) => Self::Or(Self::list(&filter.filters, &at.field("or_filter"))?),
            F::HeaderFilter(filter) => {
                let at = at.field("header_filter");
                Self::Header(HeaderMatcher::from_wire(
                    filter.header.as_ref()?,
                    &at.field("header"),
                )?)
            }
            F::ResponseFlagFilter(filter) => Self::ResponseFlag(filter.flags.clone()),
            F::GrpcStatusFilter(filter) => Self::GrpcStatus {
                statuses: filter
                    .statuses
                    .iter()
                    .map(|status| status.unsigned_abs().into())
                    .collect(),
                exclude: filter.exclude,
            },
            F::MetadataFilter(filter) => Self::metadata(filter, &at.field("metadata_filter"))?,
            F::LogTypeFilter(filter) => Self::LogType {
                types: filter
                    .types()
                    .map(|log_type| AccessLogType::as_str_name(&log_type))
                    .collect(),
                exclude: filter.exclude,
            },
            F::ExtensionFilter(_) => return None,
        })
    }

    /// The field `filters` of a filter made of others.
    fn list(wire: &[wire::AccessLogFilter], at: &At<'_>) -> Option<Vec<Self>> {
        let at = at.field("filters");
        let filters = wire.iter().enumerate();
        filters.map(|(index, wire)| Self::from_wire(wire, &at.index(index))).collect()
    }

    fn runtime(wire: &wire::RuntimeFilter, at: &At<'_>) -> Self {
        let mut percent_sampled = Fraction::of_percent(wire.percent_sampled.unwrap_or_default());
        if let Some(numerator) = at.runtime().integer_u32(&wire.runtime_key) {
            percent_sampled.numerator = numerator;
        }
        Self::Runtime {
            percent_sampled,
            use_independent_randomness: wire.use_independent_randomness,
        }
    }

    fn metadata(wire: &wire::MetadataFilter, at: &At<'_>) -> Option<Self> {
        let matcher = match &wire.matcher {
            Some(matcher) => Some(MetadataMatcher::from_wire(matcher, &at.field("matcher"))?),
            None => None,
        };
        Some(Self::Metadata {
            matcher,
            match_if_key_not_found: wire.match_if_key_not_found.is_none_or(|found| found.value),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparisons_include_the_value_where_they_say_so() {
        for (op, below, same, above) in [
            (ComparisonOp::Equal, false, true, false),
            (ComparisonOp::GreaterOrEqual, false, true, true),
            (ComparisonOp::LessOrEqual, true, true, false),
            (ComparisonOp::NotEqual, true, false, true),
        ] {
            let comparison = Comparison { op, value: 400 };
            assert_eq!(
                [399, 400, 401].map(|number| comparison.holds(number)),
                [below, same, above],
                "{op:?}"
            );
        }
    }
}
