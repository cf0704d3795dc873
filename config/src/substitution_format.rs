//! Format strings with `%OPERATORS%`, as used in access logs and header values
//! (Envoy "substitution formatter").

use crate::header_mutation::is_token_byte;
use crate::report::At;

/// A parsed format string. Literal text and operators in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SubstitutionFormat {
    /// What is written, in order. Adjacent literals are joined.
    pub parts: Vec<FormatPart>,
}

impl SubstitutionFormat {
    /// Parses a format; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            literal.push_str(before);
            if let Some(after) = after.strip_prefix('%') {
                literal.push('%');
                rest = after;
                continue;
            }
            let (command, after) = Command::take(after).ok_or_else(|| {
                let position = text.len() - after.len() - 1;
                format!("no operator at byte {position} of '{text}'; a percent sign is written %%")
            })?;
            if !literal.is_empty() {
                parts.push(FormatPart::Literal(std::mem::take(&mut literal)));
            }
            parts.push(command.part()?);
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(FormatPart::Literal(literal));
        }
        Ok(Self { parts })
    }

    pub(crate) fn parse_at(text: &str, at: &At<'_>) -> Option<Self> {
        Self::parse(text).map_err(|error| at.error(error)).ok()
    }
}

/// One piece of a format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormatPart {
    /// Text as it stands; `%%` has become `%`.
    Literal(String),
    /// An operator, and the greatest length of its value in bytes (`%REQ(X):10%`).
    Operator {
        /// What to write.
        operator: Operator,
        /// `:N` after the closing parenthesis.
        max_length: Option<usize>,
    },
}

/// The operators that have a meaning for HTTP/1 over TCP without TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operator {
    /// `START_TIME` without a format: `%Y-%m-%dT%H:%M:%S.%3fZ`, UTC.
    StartTime,
    /// `REQ(NAME?ALTERNATIVE)`; names lower case, may be pseudo-headers.
    RequestHeader(HeaderOperand),
    /// `RESP(NAME?ALTERNATIVE)`.
    ResponseHeader(HeaderOperand),
    /// `PROTOCOL`.
    Protocol,
    /// `RESPONSE_CODE`.
    ResponseCode,
    /// `RESPONSE_CODE_DETAILS`.
    ResponseCodeDetails,
    /// `RESPONSE_FLAGS`.
    ResponseFlags,
    /// `BYTES_RECEIVED`.
    BytesReceived,
    /// `BYTES_SENT`.
    BytesSent,
    /// `DURATION`, ms.
    Duration,
    /// `REQUEST_DURATION`, ms.
    RequestDuration,
    /// `RESPONSE_DURATION`, ms.
    ResponseDuration,
    /// `RESPONSE_TX_DURATION`, ms.
    ResponseTxDuration,
    /// `UPSTREAM_HOST`.
    UpstreamHost,
    /// `UPSTREAM_CLUSTER`.
    UpstreamCluster,
    /// `UPSTREAM_LOCAL_ADDRESS`.
    UpstreamLocalAddress,
    /// `UPSTREAM_REQUEST_ATTEMPT_COUNT`.
    UpstreamRequestAttemptCount,
    /// `DOWNSTREAM_REMOTE_ADDRESS` and its `_WITHOUT_PORT`, `_PORT`.
    DownstreamRemoteAddress(AddressPart),
    /// `DOWNSTREAM_DIRECT_REMOTE_ADDRESS` and its `_WITHOUT_PORT`, `_PORT`.
    DownstreamDirectRemoteAddress(AddressPart),
    /// `DOWNSTREAM_LOCAL_ADDRESS` and its `_WITHOUT_PORT`, `_PORT`.
    DownstreamLocalAddress(AddressPart),
    /// `UPSTREAM_REMOTE_ADDRESS` and its `_WITHOUT_PORT`, `_PORT`.
    UpstreamRemoteAddress(AddressPart),
    /// `ROUTE_NAME`.
    RouteName,
    /// `HOSTNAME`.
    Hostname,
}

/// `NAME?ALTERNATIVE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderOperand {
    /// The header looked up first.
    pub name: String,
    /// The header used where the first is absent.
    pub alternative: Option<String>,
}

/// Which part of a socket address is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressPart {
    /// `ip:port`.
    Whole,
    /// `ip`.
    WithoutPort,
    /// `port`.
    Port,
}

/// Envoy's default access log format, with its line end.
pub const DEFAULT_ACCESS_LOG_FORMAT: &str = "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" \
%RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \
\"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\"\n";

/// Operators of Envoy 1.40 that have no meaning here yet.
const ENVOY_ONLY: &str = "\
    ACCESS_LOG_TYPE BYTES_RETRANSMITTED CEL CLUSTER_METADATA COALESCE COMMON_DURATION \
    CONNECTION_ID CONNECTION_TERMINATION_DETAILS DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED \
    DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_SENT DOWNSTREAM_DETECTED_CLOSE_TYPE \
    DOWNSTREAM_DIRECT_LOCAL_ADDRESS DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT \
    DOWNSTREAM_DIRECT_LOCAL_PORT DOWNSTREAM_HEADER_BYTES_RECEIVED DOWNSTREAM_HEADER_BYTES_SENT \
    DOWNSTREAM_LOCAL_CLOSE_REASON DOWNSTREAM_LOCAL_DNS_SAN DOWNSTREAM_LOCAL_EMAIL_SAN \
    DOWNSTREAM_LOCAL_IP_SAN DOWNSTREAM_LOCAL_OTHERNAME_SAN DOWNSTREAM_LOCAL_SUBJECT \
    DOWNSTREAM_LOCAL_URI_SAN DOWNSTREAM_PEER_CERT DOWNSTREAM_PEER_CERT_V_END \
    DOWNSTREAM_PEER_CERT_V_START DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_1 \
    DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256 DOWNSTREAM_PEER_CHAIN_SERIALS \
    DOWNSTREAM_PEER_DNS_SAN DOWNSTREAM_PEER_EMAIL_SAN DOWNSTREAM_PEER_FINGERPRINT_1 \
    DOWNSTREAM_PEER_FINGERPRINT_256 DOWNSTREAM_PEER_IP_SAN DOWNSTREAM_PEER_ISSUER \
    DOWNSTREAM_PEER_OTHERNAME_SAN DOWNSTREAM_PEER_SERIAL DOWNSTREAM_PEER_SUBJECT \
    DOWNSTREAM_PEER_URI_SAN DOWNSTREAM_TLS_CIPHER DOWNSTREAM_TLS_SESSION_ID \
    DOWNSTREAM_TLS_VERSION DOWNSTREAM_TRANSPORT_FAILURE_REASON DOWNSTREAM_WIRE_BYTES_RECEIVED \
    DOWNSTREAM_WIRE_BYTES_SENT DYNAMIC_METADATA EMIT_TIME EMIT_TIME_LOCAL ENVIRONMENT \
    FILTER_CHAIN_NAME FILTER_STATE GRPC_STATUS GRPC_STATUS_NUMBER LISTENER_NAME \
    LOCAL_REPLY_BODY METADATA PACKETS_RETRANSMITTED PATH QUERY_PARAM QUERY_PARAMS \
    REQUESTED_SERVER_NAME REQUEST_HEADERS_BYTES REQUEST_TX_DURATION RESPONSE_FLAGS_LONG \
    RESPONSE_HEADERS_BYTES RESPONSE_TRAILERS_BYTES ROUNDTRIP_DURATION SPAN_ID START_TIME_LOCAL \
    STREAM_ID TLS_JA3_FINGERPRINT TLS_JA4_FINGERPRINT TRACE_ID TRAILER TYPED_CEL UNIQUE_ID \
    UPSTREAM_CLUSTER_RAW UPSTREAM_CONNECTION_ID UPSTREAM_CONNECTION_IDS_ATTEMPTED \
    UPSTREAM_CONNECTION_POOL_READY_DURATION UPSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED \
    UPSTREAM_DECOMPRESSED_HEADER_BYTES_SENT UPSTREAM_DETECTED_CLOSE_TYPE UPSTREAM_FILTER_STATE \
    UPSTREAM_HEADER_BYTES_RECEIVED UPSTREAM_HEADER_BYTES_SENT UPSTREAM_HOSTS_ATTEMPTED \
    UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT UPSTREAM_HOST_NAME UPSTREAM_HOST_NAMES_ATTEMPTED \
    UPSTREAM_HOST_NAMES_ATTEMPTED_WITHOUT_PORT UPSTREAM_HOST_NAME_WITHOUT_PORT \
    UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT UPSTREAM_LOCAL_CLOSE_REASON UPSTREAM_LOCAL_DNS_SAN \
    UPSTREAM_LOCAL_IP_SAN UPSTREAM_LOCAL_PORT UPSTREAM_LOCAL_URI_SAN UPSTREAM_METADATA \
    UPSTREAM_PEER_CERT UPSTREAM_PEER_CERT_V_END UPSTREAM_PEER_CERT_V_START \
    UPSTREAM_PEER_DNS_SAN UPSTREAM_PEER_IP_SAN UPSTREAM_PEER_ISSUER UPSTREAM_PEER_SUBJECT \
    UPSTREAM_PEER_URI_SAN UPSTREAM_PROTOCOL UPSTREAM_TLS_CIPHER UPSTREAM_TLS_SESSION_ID \
    UPSTREAM_TLS_VERSION UPSTREAM_TRANSPORT_FAILURE_REASON UPSTREAM_WIRE_BYTES_RECEIVED \
    UPSTREAM_WIRE_BYTES_SENT VIRTUAL_CLUSTER_NAME";

/// What stands between two percent signs: `NAME(parameter):length`.
struct Command<'t> {
    name: &'t str,
    parameter: Option<&'t str>,
    length: Option<usize>,
}

impl<'t> Command<'t> {
    /// Takes a command with its closing percent sign from the front of `text`.
    fn take(text: &'t str) -> Option<(Self, &'t str)> {
        let is_name = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
        let name_end = text.bytes().position(|b| !is_name(b))?;
        let (name, mut rest) = text.split_at(name_end);
        let mut parameter = None;
        if let Some(inner) = rest.strip_prefix('(') {
            let (inner, after) = inner.split_once(')')?;
            parameter = Some(inner);
            rest = after;
        }
        let mut length = None;
        if let Some(digits) = rest.strip_prefix(':') {
            let end = digits.bytes().position(|b| !b.is_ascii_digit())?;
            length = Some(digits[..end].parse().ok()?);
            rest = &digits[end..];
        }
        let rest = rest.strip_prefix('%').filter(|_| !name.is_empty())?;
        Some((Self { name, parameter, length }, rest))
    }

    fn part(self) -> Result<FormatPart, String> {
        let operator = match self.name {
            "REQ" => Operator::RequestHeader(self.header()?),
            "RESP" => Operator::ResponseHeader(self.header()?),
            "START_TIME" | "RESPONSE_CODE_DETAILS" => self.without_parameter()?,
            name => {
                let operator = operator(name).ok_or_else(|| unknown(name))?;
                if self.parameter.is_some() || self.length.is_some() {
                    return Err(format!("{name} does not take any parameters or length"));
                }
                operator
            }
        };
        Ok(FormatPart::Operator { operator, max_length: self.length })
    }

    /// `NAME?ALTERNATIVE`.
    fn header(&self) -> Result<HeaderOperand, String> {
        let parameter = self.parameter.filter(|parameter| !parameter.is_empty());
        let parameter = parameter.ok_or_else(|| format!("{} requires parameters", self.name))?;
        let mut names = parameter.split('?').map(str::to_ascii_lowercase);
        let name = names.next().unwrap_or_default();
        let alternative = names.next().filter(|name| !name.is_empty());
        if names.next().is_some() {
            return Err(format!("more than one alternative header in '{parameter}'"));
        }
        let is_valid =
            |name: &String| name.strip_prefix(':').unwrap_or(name).bytes().all(is_token_byte);
        if !is_valid(&name) || alternative.as_ref().is_some_and(|name| !is_valid(name)) {
            return Err(format!("'{parameter}' is no valid header name"));
        }
        Ok(HeaderOperand { name, alternative })
    }

    /// Operators whose parameter is optional to Envoy, and not supported here.
    fn without_parameter(&self) -> Result<Operator, String> {
        if self.length.is_some() {
            return Err(format!("{} does not allow length to be specified", self.name));
        }
        match (self.name, self.parameter) {
            ("START_TIME", None | Some("")) => Ok(Operator::StartTime),
            (_, None | Some("")) => Ok(Operator::ResponseCodeDetails),
            (name, Some(parameter)) => Err(format!(
                "%{name}({parameter})% is known to Envoy, not supported by ringmain; \
                 %{name}% without a parameter is"
            )),
        }
    }
}

/// The operators that stand alone.
fn operator(name: &str) -> Option<Operator> {
    use AddressPart::{Port, Whole, WithoutPort};
    Some(match name {
        "PROTOCOL" => Operator::Protocol,
        "RESPONSE_CODE" => Operator::ResponseCode,
        "RESPONSE_FLAGS" => Operator::ResponseFlags,
        "BYTES_RECEIVED" => Operator::BytesReceived,
        "BYTES_SENT" => Operator::BytesSent,
        "DURATION" => Operator::Duration,
        "REQUEST_DURATION" => Operator::RequestDuration,
        "RESPONSE_DURATION" => Operator::ResponseDuration,
        "RESPONSE_TX_DURATION" => Operator::ResponseTxDuration,
        "UPSTREAM_HOST" => Operator::UpstreamHost,
        "UPSTREAM_CLUSTER" => Operator::UpstreamCluster,
        "UPSTREAM_LOCAL_ADDRESS" => Operator::UpstreamLocalAddress,
        "UPSTREAM_REQUEST_ATTEMPT_COUNT" => Operator::UpstreamRequestAttemptCount,
        "DOWNSTREAM_REMOTE_ADDRESS" => Operator::DownstreamRemoteAddress(Whole),
        "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT" => Operator::DownstreamRemoteAddress(WithoutPort),
        "DOWNSTREAM_REMOTE_PORT" => Operator::DownstreamRemoteAddress(Port),
        "DOWNSTREAM_DIRECT_REMOTE_ADDRESS" => Operator::DownstreamDirectRemoteAddress(Whole),
        "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT" => {
            Operator::DownstreamDirectRemoteAddress(WithoutPort)
        }
        "DOWNSTREAM_DIRECT_REMOTE_PORT" => Operator::DownstreamDirectRemoteAddress(Port),
        "DOWNSTREAM_LOCAL_ADDRESS" => Operator::DownstreamLocalAddress(Whole),
        "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT" => Operator::DownstreamLocalAddress(WithoutPort),
        "DOWNSTREAM_LOCAL_PORT" => Operator::DownstreamLocalAddress(Port),
        "UPSTREAM_REMOTE_ADDRESS" => Operator::UpstreamRemoteAddress(Whole),
        "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT" => Operator::UpstreamRemoteAddress(WithoutPort),
        "UPSTREAM_REMOTE_PORT" => Operator::UpstreamRemoteAddress(Port),
        "ROUTE_NAME" => Operator::RouteName,
        "HOSTNAME" => Operator::Hostname,
        _ => return None,
    })
}

fn unknown(name: &str) -> String {
    if ENVOY_ONLY.split_ascii_whitespace().any(|known| known == name) {
        format!("%{name}% is known to Envoy, not supported by ringmain")
    } else {
        format!("unknown operator %{name}%")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> FormatPart {
        FormatPart::Literal(text.to_owned())
    }

    fn error(text: &str) -> String {
        SubstitutionFormat::parse(text).unwrap_err()
    }

    #[test]
    fn literals_and_operators_alternate() {
        let format = SubstitutionFormat::parse("a%%b %REQ(X-A?:Path):10% %PROTOCOL%").unwrap();
        let operand = HeaderOperand { name: "x-a".into(), alternative: Some(":path".into()) };
        let operator = Operator::RequestHeader(operand);
        assert_eq!(
            format.parts,
            [
                literal("a%b "),
                FormatPart::Operator { operator, max_length: Some(10) },
                literal(" "),
                FormatPart::Operator { operator: Operator::Protocol, max_length: None },
            ]
        );
        assert_eq!(SubstitutionFormat::parse("").unwrap().parts, []);
        assert_eq!(SubstitutionFormat::parse("%%").unwrap().parts, [literal("%")]);
    }

    #[test]
    fn the_default_access_log_format_is_a_format() {
        let format = SubstitutionFormat::parse(DEFAULT_ACCESS_LOG_FORMAT).unwrap();
        assert_eq!(format.parts.last(), Some(&literal("\"\n")));
    }

    #[test]
    fn a_lone_percent_sign_is_refused_by_position() {
        for (text, position) in [
            ("%", 0),
            ("100%", 3),
            ("a%b%c", 1),
            ("%protocol%", 0),
            ("%REQ(a):%", 0),
            ("%REQ(a%", 0),
        ] {
            let start = format!("no operator at byte {position} of");
            assert!(error(text).starts_with(&start), "{}", error(text));
        }
    }

    #[test]
    fn parameters_and_lengths_are_checked_as_envoy_does() {
        assert_eq!(error("%PROTOCOL:5%"), "PROTOCOL does not take any parameters or length");
        assert_eq!(error("%PROTOCOL(5)%"), "PROTOCOL does not take any parameters or length");
        assert_eq!(error("%START_TIME:3%"), "START_TIME does not allow length to be specified");
        assert_eq!(error("%REQ%"), "REQ requires parameters");
        assert_eq!(error("%RESP()%"), "RESP requires parameters");
        assert_eq!(error("%REQ(a?b?c)%"), "more than one alternative header in 'a?b?c'");
        assert_eq!(error("%REQ(a b)%"), "'a b' is no valid header name");
        assert!(SubstitutionFormat::parse("%START_TIME()%%REQ(a?)%%REQ(A):0%").is_ok());
    }

    #[test]
    fn operators_of_envoy_alone_differ_from_unknown_ones() {
        let known = "is known to Envoy, not supported by ringmain";
        assert_eq!(error("%TRACE_ID%"), format!("%TRACE_ID% {known}"));
        assert!(error("%START_TIME(%s)%").contains(known));
        assert_eq!(error("%FOO%"), "unknown operator %FOO%");
    }
}
