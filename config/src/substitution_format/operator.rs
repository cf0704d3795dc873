//! Operators with parameters.

use std::fmt::{self, Display, Formatter};

use super::common_duration::CommonDuration;
use super::plain_operator::PlainOperator;
use super::time_format::TimeFormat;
use super::tls_operator::TlsOperator;

/// What an operator writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operator {
    /// An operator that takes no parameter.
    Plain(PlainOperator),
    /// An operator that never has a value here, as what it tells of (tracing, QUIC) is not there: its
    /// name.
    Absent(&'static str),
    /// Of a connection's TLS; moments may have a form.
    Tls(TlsOperator, Option<TimeFormat>),
    /// `REQ`, `RESP`, `TRAILER`, `REQ_WITHOUT_QUERY`.
    Header(HeaderSource, HeaderOperand),
    /// `START_TIME`, `EMIT_TIME` and their `_LOCAL`; without a format
    /// `%Y-%m-%dT%H:%M:%S.%3fZ`, where local time has its offset instead of the `Z`.
    Time {
        /// Which moment.
        clock: Clock,
        /// In which time zone.
        zone: Zone,
        /// In which form.
        format: Option<TimeFormat>,
    },
    /// `COMMON_DURATION`.
    CommonDuration(CommonDuration),
    /// An address, or a part of it.
    Address(AddressOperator, AddressPart),
    /// `RESPONSE_CODE_DETAILS`; spaces become `_` without `ALLOW_WHITESPACES`.
    ResponseCodeDetails {
        /// Whether spaces stay.
        keeps_spaces: bool,
    },
    /// `GRPC_STATUS`.
    GrpcStatus(GrpcStatusForm),
    /// `PATH`.
    Path(PathForm, PathSource),
    /// `QUERY_PARAM(name)`: the first of that name, percent-decoded.
    QueryParameter(String),
    /// `QUERY_PARAMS`: the query as it came.
    QueryParameters,
    /// `REQUESTED_SERVER_NAME`.
    RequestedServerName(ServerName),
    /// `ENVIRONMENT(name)`.
    Environment {
        /// The variable.
        name: String,
        /// Its value when the format was read; `-` where it was not set.
        value: String,
    },
    /// `METADATA`, `CLUSTER_METADATA`, `DYNAMIC_METADATA`.
    Metadata(MetadataSource, MetadataPath),
    /// `FILTER_STATE(envoy.filters.http.grpc_stats:form)`: what the filter `grpc_stats` has counted.
    GrpcStats(FilterStateForm),
    /// `FILTER_STATE(key:form)`, `UPSTREAM_FILTER_STATE(key:form)`; the latter is always absent, as no
    /// filter puts anything there.
    FilterState {
        /// Which of the two.
        upstream: bool,
        /// Of the object.
        key: String,
        /// How it is written.
        form: FilterStateForm,
    },
}

/// The object of the filter `grpc_stats`.
pub(super) const GRPC_STATS_KEY: &str = "envoy.filters.http.grpc_stats";

/// How an object of the filter state is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilterStateForm {
    /// `TYPED`, the default: as JSON.
    Typed,
    /// `PLAIN`: as text.
    Plain,
    /// `FIELD:name`: one of its fields.
    Field(String),
}

impl Display for FilterStateForm {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Typed => Ok(()),
            Self::Plain => f.write_str(":PLAIN"),
            Self::Field(field) => write!(f, ":FIELD:{field}"),
        }
    }
}

/// Where a header is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderSource {
    /// `REQ`.
    Request,
    /// `REQ_WITHOUT_QUERY`: as `REQ`, cut at the first `?`.
    RequestWithoutQuery,
    /// `RESP`.
    Response,
    /// `TRAILER`.
    ResponseTrailer,
}

/// `NAME?ALTERNATIVE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderOperand {
    /// The header looked up first, lower case; may be a pseudo-header.
    pub name: String,
    /// The header used where the first is absent.
    pub alternative: Option<String>,
}

/// Which moment a time operator tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// The request's first byte.
    Start,
    /// When the line is written.
    Emit,
}

/// Which time zone a time operator uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    /// UTC.
    Utc,
    /// The system's, or that of `TZ`.
    Local,
}

/// Whose address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressOperator {
    /// The client as far as it can be trusted.
    DownstreamRemote,
    /// The connection's other end.
    DownstreamDirectRemote,
    /// Our end of the downstream connection.
    DownstreamLocal,
    /// The same; differs in Envoy where a listener filter restores another address.
    DownstreamDirectLocal,
    /// Our end of the upstream connection.
    UpstreamLocal,
    /// The upstream connection's other end.
    UpstreamRemote,
}

/// Which part of a socket address is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressPart {
    /// `ip:port`.
    Whole,
    /// `ip`.
    WithoutPort,
    /// `ip/length` with the bits behind the prefix zero; a length beyond the address is the whole.
    Prefix(u32),
    /// `port`.
    Port,
    /// Only in-process addresses have one: empty.
    EndpointId,
}

const ADDRESSES: [(&str, AddressOperator, AddressPart); 21] = {
    use AddressOperator::{
        DownstreamDirectLocal, DownstreamDirectRemote, DownstreamLocal, DownstreamRemote,
        UpstreamLocal, UpstreamRemote,
    };
    use AddressPart::{EndpointId, Port, Whole, WithoutPort};
    [
        ("DOWNSTREAM_REMOTE_ADDRESS", DownstreamRemote, Whole),
        ("DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", DownstreamRemote, WithoutPort),
        ("DOWNSTREAM_REMOTE_PORT", DownstreamRemote, Port),
        ("DOWNSTREAM_DIRECT_REMOTE_ADDRESS", DownstreamDirectRemote, Whole),
        ("DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT", DownstreamDirectRemote, WithoutPort),
        ("DOWNSTREAM_DIRECT_REMOTE_PORT", DownstreamDirectRemote, Port),
        ("DOWNSTREAM_LOCAL_ADDRESS", DownstreamLocal, Whole),
        ("DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", DownstreamLocal, WithoutPort),
        ("DOWNSTREAM_LOCAL_PORT", DownstreamLocal, Port),
        ("DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID", DownstreamLocal, EndpointId),
        ("DOWNSTREAM_DIRECT_LOCAL_ADDRESS", DownstreamDirectLocal, Whole),
        ("DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT", DownstreamDirectLocal, WithoutPort),
        ("DOWNSTREAM_DIRECT_LOCAL_PORT", DownstreamDirectLocal, Port),
        ("DOWNSTREAM_DIRECT_LOCAL_ADDRESS_ENDPOINT_ID", DownstreamDirectLocal, EndpointId),
        ("UPSTREAM_LOCAL_ADDRESS", UpstreamLocal, Whole),
        ("UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", UpstreamLocal, WithoutPort),
        ("UPSTREAM_LOCAL_PORT", UpstreamLocal, Port),
        ("UPSTREAM_REMOTE_ADDRESS", UpstreamRemote, Whole),
        ("UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", UpstreamRemote, WithoutPort),
        ("UPSTREAM_REMOTE_PORT", UpstreamRemote, Port),
        ("UPSTREAM_REMOTE_ADDRESS_ENDPOINT_ID", UpstreamRemote, EndpointId),
    ]
};

impl AddressOperator {
    pub(super) fn from_name(name: &str) -> Option<(Self, AddressPart)> {
        let found = ADDRESSES.iter().find(|(known, ..)| *known == name);
        found.map(|(_, address, part)| (*address, *part))
    }

    fn name(self, part: AddressPart) -> &'static str {
        let found = ADDRESSES.iter().find(|(_, address, of)| (*address, *of) == (self, part));
        found.map_or("", |(name, ..)| name)
    }
}

/// How `GRPC_STATUS` is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrpcStatusForm {
    /// `DeadlineExceeded`.
    CamelString,
    /// `DEADLINE_EXCEEDED`.
    SnakeString,
    /// `4`.
    Number,
}

/// How much of the path is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathForm {
    /// `WQ`.
    WithQuery,
    /// `NQ`.
    WithoutQuery,
}

/// Which path is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathSource {
    /// `ORIG`: `x-envoy-original-path`.
    Original,
    /// `PATH`: `:path`.
    Path,
    /// `ORIG_OR_PATH`.
    OriginalOrPath,
}

/// Where the server's name comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerName {
    /// `SNI_ONLY`.
    SniOnly,
    /// `SNI_FIRST`: the other one where the client has sent no SNI.
    SniFirst(HostName),
    /// `HOST_FIRST`: the SNI where there is no such header.
    HostFirst(HostName),
}

/// Which header names the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostName {
    /// `ORIG`: `x-envoy-original-host`.
    Original,
    /// `HOST`: `:authority`.
    Host,
    /// `ORIG_OR_HOST`.
    OriginalOrHost,
}

impl HostName {
    fn name(self) -> &'static str {
        match self {
            Self::Original => "ORIG",
            Self::Host => "HOST",
            Self::OriginalOrHost => "ORIG_OR_HOST",
        }
    }
}

/// Whose metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetadataSource {
    /// `DYNAMIC`: what filters found out.
    Dynamic,
    /// `CLUSTER`.
    Cluster,
    /// `ROUTE`.
    Route,
    /// `VIRTUAL_HOST`.
    VirtualHost,
    /// `LISTENER`.
    Listener,
    /// `LISTENER_FILTER_CHAIN`.
    FilterChain,
}

/// `namespace:key:key`; without keys all of the namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataPath {
    /// The key of `filter_metadata`.
    pub namespace: String,
    /// The way down from there.
    pub keys: Vec<String>,
}

impl MetadataPath {
    pub(super) fn parse(text: &str) -> Self {
        let mut parts = text.split(':').map(str::to_owned);
        Self { namespace: parts.next().unwrap_or_default(), keys: parts.collect() }
    }
}

impl Display for MetadataPath {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.namespace)?;
        self.keys.iter().try_for_each(|key| write!(f, ":{key}"))
    }
}

impl Display for HeaderOperand {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match &self.alternative {
            Some(alternative) => write!(f, "?{alternative}"),
            // Without this there would be no parameter.
            None if self.name.is_empty() => f.write_str("?"),
            None => Ok(()),
        }
    }
}

/// As it would be written.
impl Display for Operator {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(plain) => f.write_str(plain.name()),
            Self::Absent(name) => f.write_str(name),
            Self::Tls(tls, None) => f.write_str(tls.name),
            Self::Tls(tls, Some(format)) => write!(f, "{}({})", tls.name, format.text),
            Self::Header(source, operand) => {
                let name = match source {
                    HeaderSource::Request => "REQ",
                    HeaderSource::RequestWithoutQuery => "REQ_WITHOUT_QUERY",
                    HeaderSource::Response => "RESP",
                    HeaderSource::ResponseTrailer => "TRAILER",
                };
                write!(f, "{name}({operand})")
            }
            Self::Time { clock, zone, format } => write_time(*clock, *zone, format.as_ref(), f),
            Self::CommonDuration(duration) => write!(f, "COMMON_DURATION({duration})"),
            Self::Address(address, AddressPart::Prefix(length)) => {
                write!(f, "{}({length})", address.name(AddressPart::WithoutPort))
            }
            Self::Address(address, part) => f.write_str(address.name(*part)),
            Self::ResponseCodeDetails { keeps_spaces: false } => {
                f.write_str("RESPONSE_CODE_DETAILS")
            }
            Self::ResponseCodeDetails { keeps_spaces: true } => {
                f.write_str("RESPONSE_CODE_DETAILS(ALLOW_WHITESPACES)")
            }
            Self::GrpcStatus(form) => f.write_str(match form {
                GrpcStatusForm::CamelString => "GRPC_STATUS",
                GrpcStatusForm::SnakeString => "GRPC_STATUS(SNAKE_STRING)",
                GrpcStatusForm::Number => "GRPC_STATUS(NUMBER)",
            }),
            Self::Path(form, source) => write_path(*form, *source, f),
            Self::QueryParameter(name) => write!(f, "QUERY_PARAM({name})"),
            Self::QueryParameters => f.write_str("QUERY_PARAMS"),
            Self::RequestedServerName(name) => match name {
                ServerName::SniOnly => f.write_str("REQUESTED_SERVER_NAME"),
                ServerName::SniFirst(host) => {
                    write!(f, "REQUESTED_SERVER_NAME(SNI_FIRST:{})", host.name())
                }
                ServerName::HostFirst(host) => {
                    write!(f, "REQUESTED_SERVER_NAME(HOST_FIRST:{})", host.name())
                }
            },
            Self::Environment { name, .. } => write!(f, "ENVIRONMENT({name})"),
            Self::Metadata(source, path) => {
                let source = match source {
                    MetadataSource::Dynamic => "DYNAMIC",
                    MetadataSource::Cluster => "CLUSTER",
                    MetadataSource::Route => "ROUTE",
                    MetadataSource::VirtualHost => "VIRTUAL_HOST",
                    MetadataSource::Listener => "LISTENER",
                    MetadataSource::FilterChain => "LISTENER_FILTER_CHAIN",
                };
                write!(f, "METADATA({source}:{path})")
            }
            Self::GrpcStats(form) => write!(f, "FILTER_STATE({GRPC_STATS_KEY}{form})"),
            Self::FilterState { upstream, key, form } => {
                let prefix = if *upstream { "UPSTREAM_" } else { "" };
                write!(f, "{prefix}FILTER_STATE({key}{form})")
            }
        }
    }
}

fn write_time(
    clock: Clock,
    zone: Zone,
    format: Option<&TimeFormat>,
    f: &mut Formatter<'_>,
) -> fmt::Result {
    f.write_str(match clock {
        Clock::Start => "START_TIME",
        Clock::Emit => "EMIT_TIME",
    })?;
    if zone == Zone::Local {
        f.write_str("_LOCAL")?;
    }
    match format {
        Some(format) => write!(f, "({})", format.text),
        None => Ok(()),
    }
}

fn write_path(form: PathForm, source: PathSource, f: &mut Formatter<'_>) -> fmt::Result {
    let form = match form {
        PathForm::WithQuery => "WQ",
        PathForm::WithoutQuery => "NQ",
    };
    let source = match source {
        PathSource::Original => "ORIG",
        PathSource::Path => "PATH",
        PathSource::OriginalOrPath => "ORIG_OR_PATH",
    };
    write!(f, "PATH({form}:{source})")
}
