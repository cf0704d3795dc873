//! `google.protobuf.Struct`, `Value` and `ListValue`: content without a schema, such as metadata.

use std::collections::HashMap;

use prost_reflect::{DescriptorPool, DynamicMessage, MapKey, ReflectMessage, Value};
use serde::de::{MapAccess, SeqAccess};

use super::Reader;
use super::node::{Node, Shape};
use super::object::KeyText;
use super::scalar::Scalar;
use crate::report::At;
use crate::schema;

const VALUE: &str = "google.protobuf.Value";

/// A `google.protobuf.Value` of a scalar. A decimal number is text, as Envoy has it.
pub(super) fn scalar_value(pool: &DescriptorPool, scalar: Scalar<'_>) -> DynamicMessage {
    let one = |field, value| one(pool, field, value);
    match scalar {
        Scalar::Null => one("null_value", Value::EnumNumber(0)),
        Scalar::Bool(value) => one("bool_value", Value::Bool(value)),
        Scalar::Integer(value) => one("number_value", Value::F64(value as f64)),
        Scalar::Float(_, Some(text)) | Scalar::Text(text) => {
            one("string_value", Value::String(text.to_owned()))
        }
        Scalar::Float(value, None) => one("number_value", Value::F64(value)),
    }
}

/// A `google.protobuf.Struct`.
pub(super) fn read_struct<'de, A: MapAccess<'de>>(
    reader: &Reader,
    at: &At<'_>,
    mut map: A,
) -> Result<DynamicMessage, A::Error> {
    let mut fields = HashMap::new();
    while let Some(key) = map.next_key_seed(KeyText)? {
        let at = at.key(&key);
        if let Some(value) =
            map.next_value_seed(Node::new(reader, Shape::dynamic(&reader.pool), &at))?
            && fields.insert(MapKey::String(key.clone()), value).is_some()
        {
            at.error_at_second_key(format!("key '{key}' is set twice"));
        }
    }
    let mut message = DynamicMessage::new(schema::message(&reader.pool, "google.protobuf.Struct"));
    message.set_field_by_name("fields", Value::Map(fields));
    Ok(message)
}

/// A `google.protobuf.ListValue`.
pub(super) fn read_list<'de, A: SeqAccess<'de>>(
    reader: &Reader,
    at: &At<'_>,
    mut list: A,
) -> Result<DynamicMessage, A::Error> {
    let mut values = Vec::new();
    for index in 0.. {
        let at = at.index(index);
        match list.next_element_seed(Node::new(reader, Shape::dynamic(&reader.pool), &at))? {
            Some(value) => values.extend(value),
            None => break,
        }
    }
    let mut message =
        DynamicMessage::new(schema::message(&reader.pool, "google.protobuf.ListValue"));
    message.set_field_by_name("values", Value::List(values));
    Ok(message)
}

/// A `google.protobuf.Value` that holds a struct or list.
pub(super) fn container_value(content: DynamicMessage) -> DynamicMessage {
    let descriptor = content.descriptor();
    let pool = descriptor.parent_pool();
    match descriptor.name() {
        "Struct" => one(pool, "struct_value", Value::Message(content)),
        _ => one(pool, "list_value", Value::Message(content)),
    }
}

fn one(pool: &DescriptorPool, field: &str, value: Value) -> DynamicMessage {
    let mut message = DynamicMessage::new(schema::message(pool, VALUE));
    message.set_field_by_name(field, value);
    message
}
