//! `envoy.config.core.v3.SubstitutionFormatString`: a text or a JSON value with operators.

use envoy_types::pb::envoy::config::core::v3 as wire;
use envoy_types::pb::envoy::extensions::formatter::metadata::v3::Metadata;
use envoy_types::pb::envoy::extensions::formatter::req_without_query::v3::ReqWithoutQuery;
use envoy_types::pb::google::protobuf::Struct;
use wire::substitution_format_string::Format;

use super::json_format::JsonFormat;
use super::operator::Operator;
use super::{DEFAULT_ACCESS_LOG_FORMAT, Formatters, SubstitutionFormat};
use crate::report::{At, Note};
use crate::wire::unpack;

/// What is written for a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubstitutionFormatString {
    /// The text or JSON.
    pub body: FormatBody,
    /// `omit_empty_values`, default false: an absent value is `-` in text and `null` in JSON. True
    /// leaves it out, in JSON with its name.
    pub omit_empty_values: bool,
    /// `content_type`; empty means that of the body. For local replies.
    pub content_type: String,
}

/// `text_format`, `text_format_source` or `json_format`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormatBody {
    /// A text.
    Text(SubstitutionFormat),
    /// A JSON value on a line of its own.
    Json(JsonFormat),
}

impl SubstitutionFormatString {
    /// Envoy's default for access logs.
    pub(crate) fn default_access_log() -> Self {
        let format = SubstitutionFormat::parse(DEFAULT_ACCESS_LOG_FORMAT);
        Self::text(format.expect("the default format is one"))
    }

    /// A text, with nothing special.
    pub(crate) fn text(format: SubstitutionFormat) -> Self {
        let body = FormatBody::Text(format);
        Self { body, omit_empty_values: false, content_type: String::new() }
    }

    /// A JSON value, with nothing special.
    pub(crate) fn json(wire: &Struct, at: &At<'_>) -> Option<Self> {
        let format = JsonFormat::from_struct(wire, Formatters::default(), at)?;
        let body = FormatBody::Json(format);
        Some(Self { body, omit_empty_values: false, content_type: String::new() })
    }

    /// Reads a format; `None` where it is wrong. An empty text is kept: it writes nothing.
    #[allow(deprecated, reason = "`text_format` is common in files")]
    pub(crate) fn from_wire(wire: &wire::SubstitutionFormatString, at: &At<'_>) -> Option<Self> {
        let formatters = Formatters::from_wire(&wire.formatters, &at.field("formatters"));
        let body = match wire.format.as_ref()? {
            Format::TextFormat(text) => {
                let at = at.field("text_format");
                FormatBody::Text(SubstitutionFormat::parse_with_at(text, formatters, &at)?)
            }
            Format::TextFormatSource(source) => {
                let at = at.field("text_format_source");
                FormatBody::Text(SubstitutionFormat::from_source(source, formatters, &at)?)
            }
            Format::JsonFormat(json) => {
                let at = at.field("json_format");
                FormatBody::Json(JsonFormat::from_struct(json, formatters, &at)?)
            }
        };
        Some(Self {
            body,
            omit_empty_values: wire.omit_empty_values,
            content_type: wire.content_type.clone(),
        })
    }

    /// Every operator in it.
    pub fn operators(&self) -> Vec<&Operator> {
        let mut operators = Vec::new();
        match &self.body {
            FormatBody::Text(format) => operators.extend(format.operators()),
            FormatBody::Json(json) => {
                json.formats(&mut |format| operators.extend(format.operators()));
            }
        }
        operators
    }
}

impl Formatters {
    fn from_wire(wire: &[wire::TypedExtensionConfig], at: &At<'_>) -> Self {
        let mut formatters = Self::default();
        for (index, formatter) in wire.iter().enumerate() {
            let Some(any) = &formatter.typed_config else { continue };
            if unpack::<ReqWithoutQuery>(any).is_some() {
                formatters.req_without_query = true;
            } else if unpack::<Metadata>(any).is_none() {
                // The operator of the metadata formatter is one of every format by now.
                at.index(index).error(
                    Note::from(format!("'{}' is no formatter", formatter.name))
                        .help("use a message of envoy.extensions.formatter"),
                );
            }
        }
        formatters
    }
}
