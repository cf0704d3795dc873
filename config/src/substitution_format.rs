//! Format strings with `%OPERATORS%`, as used in access logs and header values
//! (Envoy "substitution formatter").

mod command;
mod common_duration;
mod format_string;
mod json_format;
mod operator;
mod plain_operator;
#[cfg(test)]
mod tests;
mod time_format;
mod tls_operator;

use std::fmt::{self, Display, Formatter};

use envoy_types::pb::envoy::config::core::v3::data_source::Specifier;

use crate::data_source::{self, DataSource};
use crate::report::At;
use crate::text_fault::TextFault;

pub use common_duration::{CommonDuration, DurationUnit, TimePoint};
pub use format_string::{FormatBody, SubstitutionFormatString};
pub use json_format::JsonFormat;
pub use operator::{
    AddressOperator, AddressPart, Clock, FilterStateForm, GrpcStatusForm, HeaderOperand,
    HeaderSource, HostName, MetadataPath, MetadataSource, Operator, PathForm, PathSource,
    ServerName, Zone,
};
pub use plain_operator::PlainOperator;
pub use time_format::{Padding, TimeFormat, TimePart, TimeUnit};
pub use tls_operator::{CertificateValue, TlsConnection, TlsOperator, TlsValue};

use command::Command;

/// A parsed format string. Literal text and operators in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SubstitutionFormat {
    /// What is written, in order. Adjacent literals are joined.
    pub parts: Vec<FormatPart>,
}

/// The operators that `formatters` of a format adds to those of every format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Formatters {
    /// `envoy.formatter.req_without_query`: `%REQ_WITHOUT_QUERY(X?Y):Z%`.
    pub req_without_query: bool,
}

impl SubstitutionFormat {
    /// Parses a format; the error says what is wrong with it, and where.
    pub fn parse(text: &str) -> Result<Self, TextFault> {
        Self::parse_with(text, Formatters::default())
    }

    /// The same, with the operators of `formatters`.
    pub fn parse_with(text: &str, formatters: Formatters) -> Result<Self, TextFault> {
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
            let fault = |message: &str| {
                let character = text[..text.len() - after.len() - 1].chars().count();
                let column = character + 1;
                TextFault::at(character, format!("{message}, in column {column} of the format"))
            };
            let (command, after) = Command::take(after).ok_or_else(|| {
                fault("no operator")
                    .help("an operator is %NAME% or %NAME(...)%, a percent sign is %%")
            })?;
            if !literal.is_empty() {
                parts.push(FormatPart::Literal(std::mem::take(&mut literal)));
            }
            let part = command.part(formatters);
            parts.push(part.map_err(|error| fault(&error).help_if_known(command.help()))?);
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(FormatPart::Literal(literal));
        }
        Ok(Self { parts })
    }

    pub(crate) fn parse_at(text: &str, at: &At<'_>) -> Option<Self> {
        Self::parse_with_at(text, Formatters::default(), at)
    }

    pub(crate) fn parse_with_at(text: &str, formatters: Formatters, at: &At<'_>) -> Option<Self> {
        Self::parse_with(text, formatters).map_err(|fault| at.error(fault)).ok()
    }

    /// Reads the format in `source`, which `at` stands for.
    pub(crate) fn from_source(
        source: &DataSource,
        formatters: Formatters,
        at: &At<'_>,
    ) -> Option<Self> {
        let text = data_source::read_text(source, at)?;
        let fault = match Self::parse_with(&text, formatters) {
            Ok(format) => return Some(format),
            Err(fault) => fault,
        };
        match source.specifier {
            Some(Specifier::InlineString(_)) => at.field("inline_string").error(fault),
            // Its characters are those of another text.
            _ => at.error(TextFault { character: None, ..fault }),
        }
        None
    }

    /// Its text, without what operators would add.
    pub fn literal(&self) -> String {
        let literals = self.parts.iter().map(|part| match part {
            FormatPart::Literal(text) => text.as_str(),
            FormatPart::Operator { .. } => "",
        });
        literals.collect()
    }

    /// Its operators, in order.
    pub fn operators(&self) -> impl Iterator<Item = &Operator> {
        self.parts.iter().filter_map(|part| match part {
            FormatPart::Literal(_) => None,
            FormatPart::Operator { operator, .. } => Some(operator),
        })
    }
}

/// As it would be written: parsing that yields the same format.
impl Display for SubstitutionFormat {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                FormatPart::Literal(text) => f.write_str(&text.replace('%', "%%"))?,
                FormatPart::Operator { operator, max_length: None } => write!(f, "%{operator}%")?,
                FormatPart::Operator { operator, max_length: Some(length) } => {
                    write!(f, "%{operator}:{length}%")?;
                }
            }
        }
        Ok(())
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

/// Envoy's default access log format, with its line end.
pub const DEFAULT_ACCESS_LOG_FORMAT: &str = "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" \
%RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \
\"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\"\n";
