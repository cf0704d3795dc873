//! Rendering a format string for one stream.

use std::io::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use ringmain_config::substitution_format::{
    AddressPart, FormatPart, HeaderOperand, Operator, SubstitutionFormat,
};
use ringmain_proto_codec::h1::Version;
use ringmain_proto_codec::{HeaderMap, KnownHeader};

use crate::http::ConnectionManager;
use crate::http::exchange::Exchange;
use crate::http::stream::millis;
use crate::server::Compiled;

/// What a missing value is written as.
const MISSING: &[u8] = b"-";

/// Appends the access log line of `exchange` to `line`.
pub fn render(
    format: &SubstitutionFormat,
    exchange: &Exchange,
    manager: &ConnectionManager,
    compiled: &Compiled,
    line: &mut Vec<u8>,
) {
    let renderer = Renderer { exchange, manager, compiled, now: Instant::now() };
    for part in &format.parts {
        renderer.part(part, MISSING, line);
    }
}

/// Appends the value of a header that `format` describes to `value`. What is missing adds nothing;
/// bytes that may not stand in a field value are left out.
pub fn write_header_value(
    format: &SubstitutionFormat,
    exchange: &Exchange,
    manager: &ConnectionManager,
    compiled: &Compiled,
    value: &mut Vec<u8>,
) {
    let renderer = Renderer { exchange, manager, compiled, now: Instant::now() };
    for part in &format.parts {
        renderer.part(part, b"", value);
    }
    // What stands before has been through here.
    value.retain(|byte| !matches!(byte, b'\r' | b'\n' | 0));
}

struct Renderer<'a> {
    exchange: &'a Exchange,
    manager: &'a ConnectionManager,
    compiled: &'a Compiled,
    now: Instant,
}

impl Renderer<'_> {
    fn part(&self, part: &FormatPart, missing: &[u8], out: &mut Vec<u8>) {
        match part {
            FormatPart::Literal(text) => out.extend_from_slice(text.as_bytes()),
            FormatPart::Operator { operator, max_length } => {
                let start = out.len();
                if self.operator(operator, out).is_none() {
                    out.truncate(start);
                    out.extend_from_slice(missing);
                }
                if let Some(max_length) = max_length {
                    out.truncate(start.saturating_add(*max_length).min(out.len()));
                }
            }
        }
    }

    /// Appends the operator's value; `None` where there is none.
    fn operator(&self, operator: &Operator, out: &mut Vec<u8>) -> Option<()> {
        let info = &self.exchange.info;
        match operator {
            Operator::StartTime => start_time(info.started_at, out),
            Operator::RequestHeader(operand) => {
                if !info.request_parsed {
                    return None;
                }
                out.extend_from_slice(header(&self.exchange.request.headers, operand)?);
            }
            Operator::ResponseHeader(operand) => {
                out.extend_from_slice(header(&self.exchange.response.headers, operand)?);
            }
            Operator::Protocol => out.extend_from_slice(self.protocol()),
            Operator::ResponseCode => number(info.response_code.into(), out),
            Operator::ResponseCodeDetails => {
                if info.details.is_empty() {
                    return None;
                }
                out.extend(info.details.bytes().map(|byte| if byte == b' ' { b'_' } else { byte }));
            }
            Operator::ResponseFlags => write_display(&info.flags, out),
            Operator::BytesReceived => number(info.bytes_received, out),
            Operator::BytesSent => number(info.bytes_sent, out),
            Operator::Duration => duration(self.now - info.started, out),
            Operator::RequestDuration => duration(info.request_received? - info.started, out),
            Operator::ResponseDuration => duration(info.response_started? - info.started, out),
            Operator::ResponseTxDuration => {
                duration(info.response_received? - info.response_started?, out);
            }
            Operator::UpstreamHost => {
                let host = info.upstream_host.as_ref()?;
                out.extend_from_slice(host.shared.address_text.as_bytes());
            }
            Operator::UpstreamCluster => {
                let cluster = &self.compiled.clusters[info.cluster?];
                out.extend_from_slice(cluster.config.name.as_bytes());
            }
            Operator::UpstreamLocalAddress => {
                address(info.upstream_local?, AddressPart::Whole, out);
            }
            Operator::UpstreamRequestAttemptCount => number(info.attempts.into(), out),
            Operator::DownstreamRemoteAddress(part) => address(info.remote, *part, out),
            Operator::DownstreamDirectRemoteAddress(part) => {
                address(info.direct_remote, *part, out)
            }
            Operator::DownstreamLocalAddress(part) => address(info.local, *part, out),
            Operator::UpstreamRemoteAddress(part) => {
                address(info.upstream_host.as_ref()?.shared.address, *part, out);
            }
            Operator::RouteName => {
                let name = &self.manager.routes.route(info.route?).name;
                if name.is_empty() {
                    return None;
                }
                out.extend_from_slice(name.as_bytes());
            }
            Operator::Hostname => out.extend_from_slice(self.compiled.hostname.as_bytes()),
        }
        Some(())
    }

    fn protocol(&self) -> &'static [u8] {
        match self.exchange.request.version {
            Version::Http10 => b"HTTP/1.0",
            Version::Http11 => b"HTTP/1.1",
        }
    }
}

fn header<'h>(headers: &'h HeaderMap, operand: &HeaderOperand) -> Option<&'h [u8]> {
    let find = |name: &str| match KnownHeader::from_bytes(name.as_bytes()) {
        Some(known) => headers.get(known),
        None => headers.get_by_name(name.as_bytes()),
    };
    find(&operand.name).or_else(|| operand.alternative.as_deref().and_then(find))
}

fn duration(duration: Duration, out: &mut Vec<u8>) {
    number(millis(duration), out);
}

fn number(value: u64, out: &mut Vec<u8>) {
    write_display(&value, out);
}

fn write_display(value: &impl std::fmt::Display, out: &mut Vec<u8>) {
    write!(out, "{value}").expect("writing to memory does not fail");
}

fn address(address: SocketAddr, part: AddressPart, out: &mut Vec<u8>) {
    match part {
        AddressPart::Whole => write_display(&address, out),
        AddressPart::WithoutPort => write_display(&address.ip(), out),
        AddressPart::Port => number(address.port().into(), out),
    }
}

/// `2026-01-02T03:04:05.230Z`.
fn start_time(at: SystemTime, out: &mut Vec<u8>) {
    let at = time::OffsetDateTime::from(at);
    write!(
        out,
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
        at.millisecond()
    )
    .expect("writing to memory does not fail");
}
