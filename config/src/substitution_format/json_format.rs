//! `json_format`: a JSON value in which texts are formats.

use envoy_types::pb::google::protobuf as pb;
use pb::value::Kind;

use super::{FormatPart, Formatters, SubstitutionFormat};
use crate::number;
use crate::report::At;

/// A JSON value, ready to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonFormat {
    /// Members by name, sorted as Envoy sorts them. A name stands as it is written: `"name":`.
    Object(Vec<(String, Self)>),
    /// Elements in order.
    List(Vec<Self>),
    /// `null`.
    Null,
    /// JSON text that never changes.
    Literal(String),
    /// A text. One that is a single operator has the operator's own type.
    Format(SubstitutionFormat),
}

impl JsonFormat {
    pub(super) fn from_struct(
        wire: &pb::Struct,
        formatters: Formatters,
        at: &At<'_>,
    ) -> Option<Self> {
        let mut fields: Vec<_> = wire.fields.iter().collect();
        fields.sort_by_key(|(name, _)| name.as_str());
        let members: Vec<_> = fields
            .into_iter()
            .map(|(name, value)| {
                let format = Self::from_value(value, formatters, &at.key(name))?;
                Some((format!("{}:", json_text(name)), format))
            })
            .collect();
        members.into_iter().collect::<Option<_>>().map(Self::Object)
    }

    fn from_value(wire: &pb::Value, formatters: Formatters, at: &At<'_>) -> Option<Self> {
        Some(match &wire.kind {
            None | Some(Kind::NullValue(_)) => Self::Null,
            Some(Kind::BoolValue(value)) => Self::Literal(value.to_string()),
            Some(Kind::NumberValue(value)) => Self::Literal(number::shortest(*value)),
            Some(Kind::StringValue(text)) => {
                let format = SubstitutionFormat::parse_with_at(text, formatters, at)?;
                match &format.parts[..] {
                    [] => Self::Literal("\"\"".to_owned()),
                    [FormatPart::Literal(text)] => Self::Literal(json_text(text)),
                    _ => Self::Format(format),
                }
            }
            Some(Kind::StructValue(value)) => Self::from_struct(value, formatters, at)?,
            Some(Kind::ListValue(list)) => {
                let items: Vec<_> = list
                    .values
                    .iter()
                    .enumerate()
                    .map(|(index, item)| Self::from_value(item, formatters, &at.index(index)))
                    .collect();
                Self::List(items.into_iter().collect::<Option<_>>()?)
            }
        })
    }

    /// Calls `visit` with each format within.
    pub(super) fn formats<'f>(&'f self, visit: &mut impl FnMut(&'f SubstitutionFormat)) {
        match self {
            Self::Object(members) => members.iter().for_each(|(_, value)| value.formats(visit)),
            Self::List(items) => items.iter().for_each(|item| item.formats(visit)),
            Self::Null | Self::Literal(_) => {}
            Self::Format(format) => visit(format),
        }
    }
}

fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
