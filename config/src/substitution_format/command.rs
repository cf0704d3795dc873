//! What stands between two percent signs: `NAME(parameter):length`.

use super::common_duration::CommonDuration;
use super::operator::{
    AddressOperator, AddressPart, Clock, FilterStateForm, GRPC_STATS_KEY, GrpcStatusForm,
    HeaderOperand, HeaderSource, HostName, MetadataPath, MetadataSource, Operator, PathForm,
    PathSource, ServerName, Zone,
};
use super::plain_operator::{PlainOperator, absent_operator, is_envoys_alone};
use super::time_format::TimeFormat;
use super::tls_operator::TlsOperator;
use super::{FormatPart, Formatters};
use crate::header_name::is_token_byte;
use crate::report::did_you_mean;

/// Operators that take something in parentheses.
const WITH_PARAMETER: &str = "\
    CLUSTER_METADATA COMMON_DURATION DYNAMIC_METADATA EMIT_TIME EMIT_TIME_LOCAL ENVIRONMENT FILTER_STATE \
    GRPC_STATUS METADATA PATH QUERY_PARAM QUERY_PARAMS REQ REQUESTED_SERVER_NAME RESP RESPONSE_CODE_DETAILS \
    START_TIME START_TIME_LOCAL TRAILER UPSTREAM_FILTER_STATE";

pub(super) struct Command<'t> {
    name: &'t str,
    /// `None` where there are no parentheses or nothing in them.
    parameter: Option<&'t str>,
    length: Option<usize>,
}

impl<'t> Command<'t> {
    /// Takes a command with its closing percent sign from the front of `text`.
    pub(super) fn take(text: &'t str) -> Option<(Self, &'t str)> {
        let is_name = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
        let name_end = text.bytes().position(|b| !is_name(b)).filter(|end| *end > 0)?;
        let (name, rest) = text.split_at(name_end);
        let Some(inner) = rest.strip_prefix('(') else {
            let (length, rest) = take_end(rest)?;
            return Some((Self { name, parameter: None, length }, rest));
        };
        // The parameter may hold parentheses: it ends at the first that an end follows.
        let line = inner.split('\n').next().unwrap_or_default();
        line.match_indices(')').find_map(|(end, _)| {
            let (length, rest) = take_end(&inner[end + 1..])?;
            let parameter = Some(&inner[..end]).filter(|parameter| !parameter.is_empty());
            Some((Self { name, parameter, length }, rest))
        })
    }

    pub(super) fn part(&self, formatters: Formatters) -> Result<FormatPart, String> {
        Ok(FormatPart::Operator { operator: self.operator(formatters)?, max_length: self.length })
    }

    /// What would make an operator of a command that is none.
    pub(super) fn help(&self) -> Option<String> {
        let name = self.name;
        if PlainOperator::from_name(name).is_some() || absent_operator(name).is_some() {
            return Some(format!("write %{name}%"));
        }
        if is_envoys_alone(name) {
            return Some("leave the operator out".to_owned());
        }
        if matches!(name, "REQ" | "RESP" | "TRAILER" | "REQ_WITHOUT_QUERY") {
            return Some(format!("write %{name}(name)% or %{name}(name?other-name)%"));
        }
        let mut with_parameter = WITH_PARAMETER.split_ascii_whitespace();
        if with_parameter.clone().any(|known| known == name) {
            return Some(format!("Envoy's \"Access logging\" says what %{name}(...)% takes"));
        }
        let near = did_you_mean(name, PlainOperator::names().chain(&mut with_parameter));
        near.or_else(|| Some("a percent sign itself is written %%".to_owned()))
    }

    fn operator(&self, formatters: Formatters) -> Result<Operator, String> {
        if let Some(plain) = PlainOperator::from_name(self.name) {
            return self.alone(Operator::Plain(plain));
        }
        if let Some(absent) = absent_operator(self.name) {
            return self.alone(Operator::Absent(absent));
        }
        if let Some(tls) = TlsOperator::from_name(self.name) {
            if !tls.is_time() {
                return self.alone(Operator::Tls(tls, None));
            }
            let format = self.parameter.map(TimeFormat::parse).transpose()?;
            return self.without_length(Operator::Tls(tls, format));
        }
        if let Some((address, part)) = AddressOperator::from_name(self.name) {
            return self.address(address, part);
        }
        self.with_parameter(formatters)
    }

    fn with_parameter(&self, formatters: Formatters) -> Result<Operator, String> {
        let header = |source| Ok(Operator::Header(source, self.header()?));
        match self.name {
            "REQ" => header(HeaderSource::Request),
            "RESP" => header(HeaderSource::Response),
            "TRAILER" => header(HeaderSource::ResponseTrailer),
            "REQ_WITHOUT_QUERY" if formatters.req_without_query => {
                header(HeaderSource::RequestWithoutQuery)
            }
            "START_TIME" => self.time(Clock::Start, Zone::Utc),
            "START_TIME_LOCAL" => self.time(Clock::Start, Zone::Local),
            "EMIT_TIME" => self.time(Clock::Emit, Zone::Utc),
            "EMIT_TIME_LOCAL" => self.time(Clock::Emit, Zone::Local),
            "COMMON_DURATION" => {
                let duration = CommonDuration::parse(self.required()?)?;
                self.without_length(Operator::CommonDuration(duration))
            }
            "RESPONSE_CODE_DETAILS" => {
                let keeps_spaces = self.parameter == Some("ALLOW_WHITESPACES");
                self.without_length(Operator::ResponseCodeDetails { keeps_spaces })
            }
            "GRPC_STATUS" => self.without_length(Operator::GrpcStatus(self.grpc_status()?)),
            "PATH" => self.path(),
            "QUERY_PARAM" => Ok(Operator::QueryParameter(self.required()?.to_owned())),
            "QUERY_PARAMS" => self.query_parameters(),
            "REQUESTED_SERVER_NAME" => self.server_name(),
            "ENVIRONMENT" => {
                let name = self.required()?.to_owned();
                let value = std::env::var(&name).unwrap_or_else(|_| "-".to_owned());
                Ok(Operator::Environment { name, value })
            }
            "METADATA" => self.metadata(),
            "CLUSTER_METADATA" => {
                let path = MetadataPath::parse(self.required()?);
                self.without_length(Operator::Metadata(MetadataSource::Cluster, path))
            }
            "DYNAMIC_METADATA" => {
                let path = MetadataPath::parse(self.required()?);
                Ok(Operator::Metadata(MetadataSource::Dynamic, path))
            }
            "FILTER_STATE" | "UPSTREAM_FILTER_STATE" => self.filter_state(),
            name if is_envoys_alone(name) => {
                Err(format!("%{name}% is known to Envoy, not supported by ringmain"))
            }
            "REQ_WITHOUT_QUERY" => Err("%REQ_WITHOUT_QUERY% needs \
             'envoy.formatter.req_without_query' among the 'formatters'"
                .to_owned()),
            name => Err(format!("unknown operator %{name}%")),
        }
    }

    fn alone(&self, operator: Operator) -> Result<Operator, String> {
        if self.parameter.is_some() || self.length.is_some() {
            return Err(format!("{} does not take any parameters or length", self.name));
        }
        Ok(operator)
    }

    fn without_length(&self, operator: Operator) -> Result<Operator, String> {
        match self.length {
            Some(_) => Err(format!("{} does not allow length to be specified", self.name)),
            None => Ok(operator),
        }
    }

    fn required(&self) -> Result<&'t str, String> {
        self.parameter.ok_or_else(|| format!("{} requires parameters", self.name))
    }

    /// `NAME?ALTERNATIVE`.
    fn header(&self) -> Result<HeaderOperand, String> {
        let parameter = self.required()?;
        let mut names = parameter.split('?').map(str::to_ascii_lowercase);
        let name = names.next().unwrap_or_default();
        let alternative = names.next().filter(|name| !name.is_empty());
        if names.next().is_some() {
            return Err(format!("more than one alternative header in '{parameter}'"));
        }
        let is_valid =
            |name: &String| name.strip_prefix(':').unwrap_or(name).bytes().all(is_token_byte);
        if !is_valid(&name) || alternative.as_ref().is_some_and(|name| !is_valid(name)) {
            return Err(format!("'{}' is no valid header name", parameter.escape_debug()));
        }
        Ok(HeaderOperand { name, alternative })
    }

    fn time(&self, clock: Clock, zone: Zone) -> Result<Operator, String> {
        let format = self.parameter.map(TimeFormat::parse).transpose()?;
        self.without_length(Operator::Time { clock, zone, format })
    }

    fn address(&self, address: AddressOperator, part: AddressPart) -> Result<Operator, String> {
        if part != AddressPart::WithoutPort {
            return self.alone(Operator::Address(address, part));
        }
        // Envoy passes over what is no number, and keeps the whole address for a prefix too long.
        let prefix = self.parameter.and_then(|length| length.parse().ok());
        let part = prefix.map_or(AddressPart::WithoutPort, AddressPart::Prefix);
        self.without_length(Operator::Address(address, part))
    }

    fn grpc_status(&self) -> Result<GrpcStatusForm, String> {
        match self.parameter {
            None | Some("CAMEL_STRING") => Ok(GrpcStatusForm::CamelString),
            Some("SNAKE_STRING") => Ok(GrpcStatusForm::SnakeString),
            Some("NUMBER") => Ok(GrpcStatusForm::Number),
            Some(other) => Err(format!(
                "GRPC_STATUS only supports CAMEL_STRING, SNAKE_STRING or NUMBER, not '{other}'"
            )),
        }
    }

    /// `WQ|NQ:ORIG|PATH|ORIG_OR_PATH`; what follows is passed over.
    fn path(&self) -> Result<Operator, String> {
        let mut options = self.parameter.unwrap_or_default().split(':');
        let form = match options.next().unwrap_or_default() {
            "" | "WQ" => PathForm::WithQuery,
            "NQ" => PathForm::WithoutQuery,
            other => {
                return Err(format!("invalid PATH option '{other}', only WQ and NQ are allowed"));
            }
        };
        let source = match options.next().unwrap_or_default() {
            "" | "ORIG_OR_PATH" => PathSource::OriginalOrPath,
            "ORIG" => PathSource::Original,
            "PATH" => PathSource::Path,
            other => {
                return Err(format!(
                    "invalid PATH option '{other}', only ORIG, PATH and ORIG_OR_PATH are allowed"
                ));
            }
        };
        Ok(Operator::Path(form, source))
    }

    fn query_parameters(&self) -> Result<Operator, String> {
        match self.parameter {
            None | Some("ORIG") => Ok(Operator::QueryParameters),
            Some("DECODED") => {
                Err("%QUERY_PARAMS(DECODED)% is known to Envoy, not supported by ringmain".into())
            }
            Some(other) => Err(format!(
                "invalid QUERY_PARAMS option '{other}', only ORIG and DECODED are allowed"
            )),
        }
    }

    /// `SNI_ONLY|SNI_FIRST|HOST_FIRST:ORIG_OR_HOST|HOST|ORIG`.
    fn server_name(&self) -> Result<Operator, String> {
        let mut options = self.parameter.unwrap_or_default().split(':');
        let in_order: fn(HostName) -> ServerName = match options.next().unwrap_or_default() {
            "" | "SNI_ONLY" => |_| ServerName::SniOnly,
            "SNI_FIRST" => ServerName::SniFirst,
            "HOST_FIRST" => ServerName::HostFirst,
            other => {
                return Err(format!(
                    "invalid REQUESTED_SERVER_NAME option '{other}', only SNI_ONLY, SNI_FIRST and \
                     HOST_FIRST are allowed"
                ));
            }
        };
        let host = match options.next().unwrap_or_default() {
            "" | "ORIG_OR_HOST" => HostName::OriginalOrHost,
            "ORIG" => HostName::Original,
            "HOST" => HostName::Host,
            other => {
                return Err(format!(
                    "invalid REQUESTED_SERVER_NAME option '{other}', only ORIG_OR_HOST, HOST and \
                     ORIG are allowed"
                ));
            }
        };
        self.without_length(Operator::RequestedServerName(in_order(host)))
    }

    /// `TYPE:namespace:key:...`.
    fn metadata(&self) -> Result<Operator, String> {
        let parameter = self.parameter.unwrap_or_default();
        let (kind, path) = parameter.split_once(':').unwrap_or((parameter, ""));
        let source = match kind {
            "DYNAMIC" => MetadataSource::Dynamic,
            "CLUSTER" => MetadataSource::Cluster,
            "ROUTE" => MetadataSource::Route,
            "VIRTUAL_HOST" => MetadataSource::VirtualHost,
            "LISTENER" => MetadataSource::Listener,
            "LISTENER_FILTER_CHAIN" => MetadataSource::FilterChain,
            "UPSTREAM_HOST" => {
                return Err(
                    "%METADATA(UPSTREAM_HOST)% is known to Envoy, not supported by ringmain".into(),
                );
            }
            other => return Err(format!("'{other}' is not supported type of metadata")),
        };
        Ok(Operator::Metadata(source, MetadataPath::parse(path)))
    }

    /// `key:PLAIN|TYPED|FIELD:field`.
    fn filter_state(&self) -> Result<Operator, String> {
        let parameter = self.parameter.unwrap_or_default();
        let mut parts = parameter.split(':');
        let [key, form, field] = std::array::from_fn(|_| parts.next().unwrap_or_default());
        if key.is_empty() {
            return Err(format!("{}: the key cannot be empty", self.name));
        }
        let form = match (form, field) {
            ("" | "TYPED", "") => FilterStateForm::Typed,
            ("PLAIN", "") => FilterStateForm::Plain,
            ("FIELD", field) if !field.is_empty() => FilterStateForm::Field(field.to_owned()),
            ("" | "TYPED" | "PLAIN" | "FIELD", _) => {
                return Err(format!("{}: FIELD should be used with the field name", self.name));
            }
            _ => return Err(format!("{} only supports PLAIN, TYPED and FIELD", self.name)),
        };
        let upstream = self.name == "UPSTREAM_FILTER_STATE";
        Ok(match key {
            GRPC_STATS_KEY if !upstream => Operator::GrpcStats(form),
            _ => Operator::FilterState { upstream, key: key.to_owned(), form },
        })
    }
}

/// `:length` if there is one, and the closing percent sign.
fn take_end(text: &str) -> Option<(Option<usize>, &str)> {
    let Some(digits) = text.strip_prefix(':') else {
        return Some((None, text.strip_prefix('%')?));
    };
    let end = digits.bytes().position(|b| !b.is_ascii_digit())?;
    let length = digits[..end].parse().ok()?;
    Some((Some(length), digits[end..].strip_prefix('%')?))
}
