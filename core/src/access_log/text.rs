//! Rendering formats for a stream.

use ringmain_config::substitution_format::{
    FormatBody, FormatPart, SubstitutionFormat, SubstitutionFormatString,
};

use super::evaluator::Evaluator;
use super::{AccessLogType, json};
use crate::http::ConnectionManager;
use crate::http::exchange::Exchange;
use crate::server::Compiled;

/// What a missing value is written as.
const MISSING: &[u8] = b"-";

/// Appends what `format` says of a stream to `line`; JSON ends with a line feed.
pub fn render(format: &SubstitutionFormatString, evaluator: &Evaluator<'_>, line: &mut Vec<u8>) {
    match &format.body {
        FormatBody::Text(text) => {
            let missing = if format.omit_empty_values { b"" } else { MISSING };
            write_text(text, evaluator, missing, line);
        }
        FormatBody::Json(json) => {
            json::write(json, evaluator, format.omit_empty_values, line);
            line.push(b'\n');
        }
    }
}

/// Appends what the text `format` says of a stream, with `-` for what is missing.
pub fn render_text(
    format: &SubstitutionFormat,
    exchange: &Exchange,
    manager: &ConnectionManager,
    compiled: &Compiled,
    out: &mut Vec<u8>,
) {
    let evaluator = Evaluator::new(exchange, manager, compiled, AccessLogType::NotSet);
    write_text(format, &evaluator, MISSING, out);
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
    let evaluator = Evaluator::new(exchange, manager, compiled, AccessLogType::NotSet);
    write_value(format, &evaluator, value);
}

/// The same of what is no request of an HTTP connection manager.
pub fn write_value(format: &SubstitutionFormat, evaluator: &Evaluator<'_>, value: &mut Vec<u8>) {
    write_text(format, evaluator, b"", value);
    // What stands before has been through here.
    value.retain(|byte| !matches!(byte, b'\r' | b'\n' | 0));
}

/// Appends the text of `format`, with `-` for what is missing.
pub fn render_with(format: &SubstitutionFormat, evaluator: &Evaluator<'_>, out: &mut Vec<u8>) {
    write_text(format, evaluator, MISSING, out);
}

pub(super) fn write_text(
    format: &SubstitutionFormat,
    evaluator: &Evaluator<'_>,
    missing: &[u8],
    out: &mut Vec<u8>,
) {
    for part in &format.parts {
        write_part(part, evaluator, missing, out);
    }
}

fn write_part(part: &FormatPart, evaluator: &Evaluator<'_>, missing: &[u8], out: &mut Vec<u8>) {
    let (operator, max_length) = match part {
        FormatPart::Literal(text) => return out.extend_from_slice(text.as_bytes()),
        FormatPart::Operator { operator, max_length } => (operator, max_length),
    };
    let start = out.len();
    if evaluator.write(operator, out).is_none() {
        out.truncate(start);
        out.extend_from_slice(missing);
    } else if let Some(max_length) = max_length {
        out.truncate(start.saturating_add(*max_length).min(out.len()));
    }
}
