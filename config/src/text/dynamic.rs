//! `google.protobuf.Struct`, `Value` and `ListValue`: content without a schema, such as metadata.

use std::collections::HashMap;

use prost_reflect::{DynamicMessage, MapKey, Value};

use super::Reader;
use super::document::{Content, NodeId};
use super::node::Shape;
use super::scalar::Scalar;
use crate::report::{At, Note};
use crate::schema;

impl Reader<'_> {
    /// A `google.protobuf.Value`. A decimal number of YAML is text, as Envoy has it.
    pub(super) fn dynamic(&self, content: &Content<'_>, at: &At<'_>) -> DynamicMessage {
        let (field, value) = match content {
            Content::List(items) => ("list_value", Value::Message(self.dynamic_list(items, at))),
            Content::Map(entries) => ("struct_value", Value::Message(self.structure(entries, at))),
            Content::Scalar(scalar) => match scalar {
                Scalar::Null => ("null_value", Value::EnumNumber(0)),
                Scalar::Bool(value) => ("bool_value", Value::Bool(*value)),
                Scalar::Integer(value) => ("number_value", Value::F64(f64::from(*value))),
                Scalar::Number(value, _) => ("number_value", Value::F64(*value)),
                Scalar::Text { text, .. } => {
                    ("string_value", Value::String(text.clone().into_owned()))
                }
            },
        };
        let mut message = DynamicMessage::new(schema::message(&self.pool, "google.protobuf.Value"));
        message.set_field_by_name(field, value);
        message
    }

    /// A `google.protobuf.Struct`.
    pub(super) fn structure(&self, entries: &[NodeId], at: &At<'_>) -> DynamicMessage {
        let shape = Shape::dynamic(&self.pool);
        let mut fields = HashMap::new();
        for entry in entries.chunks_exact(2) {
            let key = self.document.words(entry[0]);
            let at = at.key(key);
            let Some(value) = self.value(&shape, entry[1], &at) else { continue };
            if fields.insert(MapKey::String(key.to_owned()), value).is_some() {
                at.error_at_second_key(
                    Note::from(format!("key '{key}' is set twice")).help("remove one of the two"),
                );
            }
        }
        let mut message =
            DynamicMessage::new(schema::message(&self.pool, "google.protobuf.Struct"));
        message.set_field_by_name("fields", Value::Map(fields));
        message
    }

    /// A `google.protobuf.ListValue`.
    pub(super) fn dynamic_list(&self, items: &[NodeId], at: &At<'_>) -> DynamicMessage {
        let shape = Shape::dynamic(&self.pool);
        let items = items.iter().enumerate();
        let values =
            items.filter_map(|(index, item)| self.value(&shape, *item, &at.index(index))).collect();
        let mut message =
            DynamicMessage::new(schema::message(&self.pool, "google.protobuf.ListValue"));
        message.set_field_by_name("values", Value::List(values));
        message
    }
}
